"""What an item is to be when changes of it are taken back, path by path: the rules of undo.

The log holds images, not operations. So what is taken back of a change is what it visibly wrote: the nodes that differ
between its images. Nodes are the item, its maps, the members of its sets, and its leaves; a list is one leaf, unless
its elements are asked for. What a change that stays wrote to another node stays, whatever was taken back below or
beside it. Where a change that stays wrote to a node after one that is taken back did, it may have read what was wrong:
a conflict, which is shown and left alone.

- `changes`: a change of an item, the rules that can be chosen, and the answer
- `chain`: an item's changes as steps in their order, with those that were not seen
- `nodes`: the rules of each node
- `taking_back`: the item as a whole: what expired, versions, marks

>>> from datetime import UTC, datetime
>>> noon = datetime(2026, 11, 18, 12, tzinfo=UTC)
>>> key = {"pk": {"S": "p-1"}}
>>> bad = ItemChange(noon, "1", key | {"age": {"N": "41"}}, key | {"age": {"N": "-1"}}, bad=True)
>>> good = ItemChange(noon.replace(hour=13), "2", bad.after, bad.after | {"city": {"S": "Kiel"}})
>>> merged = take_back([bad, good], good.after, Rules(at=noon.replace(hour=14)), ["pk"])
>>> merged.action, merged.after
('update', {'pk': {'S': 'p-1'}, 'age': {'N': '41'}, 'city': {'S': 'Kiel'}})
"""

from workbench.model.merging.changes import (
    UNKNOWN,
    Action,
    Image,
    ItemChange,
    Merged,
    Path,
    PathOutcome,
    Rules,
    Status,
    Unknown,
    Value,
)
from workbench.model.merging.taking_back import back_to, is_signed, take_back

__all__ = [
    "UNKNOWN",
    "Action",
    "Image",
    "ItemChange",
    "Merged",
    "Path",
    "PathOutcome",
    "Rules",
    "Status",
    "Unknown",
    "Value",
    "back_to",
    "is_signed",
    "take_back",
]
