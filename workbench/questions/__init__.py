"""Each question's answer: its frames, the result that holds them, masks, files to write, timelines to read.

`columns` declares the columns of every answer, `actors` who made a change; `frames`, `history`, `frequency`,
`time_buckets`, `delivery`, `chain_gaps` and `schema_drift` make frames of what engines answered, and `two_logs`
compares two; `examination` asks about a log's quality; `findings` is the table by which `judging` goes. `result` and
`quality` are handed out, `masking` hides values in it, `writers` bring it to a file. Rooms above may use all names
without an underscore.
"""
