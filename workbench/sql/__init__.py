"""The questions as `.sql` files in Athena's dialect, and the only code that writes SQL text.

- ``*.sql``: a question each, whose head declares what it takes, reads and answers with; ``parts/``: pieces of them
- `questions`: a file as a `Question`, with its parameters, window, filter and columns
- `filters`: which rows a question is asked of; `conditions`: conditions on attributes as SQL
- `templates`: fills ``:values`` and ``{identifiers}`` in; `literals`: values and names as SQL text
- `attributes`: attributes of images by known paths, and the proof that there are no others
- `layouts`: the relation `changes` over each layout of a table of Glue
- `dialects`: Athena's dialect in that of the embedded engine

Rooms above use `questions`, `filters`, `literals`, `layouts` and `dialects`.
"""
