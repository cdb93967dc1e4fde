"""What a change, an item, a key, a time and a condition are: no input, no output, no SQL.

`records` runs in Lambdas too, and needs the standard library only.
"""
