"""Plans of conditional writes: kept in files, applied to the item store or to DynamoDB, all of it written down.

- `plan_file`: a plan, one element of `TransactWriteItems` a line, with what to know about it beside it
- `journal`: what was tried, and what came of it, so that applying goes on where it was stopped, and can be undone
- `targets`: the tables that are written to, by single conditional writes
- `applying`: a plan applied at a rate, batch by batch

Rooms above may use what is exported here, and every public name of these modules.
"""
