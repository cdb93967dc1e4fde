"""What a log's records hold of the images: a stream's StreamViewType, as the records themselves tell it.

Kinesis hands on both images; a DynamoDB stream may be set to hand on the keys only, or one of the images.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

BOTH, NEW, OLD, KEYS = "NEW_AND_OLD_IMAGES", "NEW_IMAGE", "OLD_IMAGE", "KEYS_ONLY"
_HOLDS = {BOTH: "both images", NEW: "new images only", OLD: "old images only", KEYS: "keys only"}
_TYPES = {BOTH: BOTH, NEW: "NEW_IMAGE, or flat rows", OLD: OLD, KEYS: KEYS}


@dataclass(frozen=True)
class View:
    """A type that records are of, or the two they may be of, and from when to when."""

    kinds: tuple[str, ...]
    first: datetime
    last: datetime

    def __str__(self) -> str:
        """Write it in a line."""
        return f"{' or '.join(self.kinds)} from {self.first:%Y-%m-%d %H:%M:%S} to {self.last:%Y-%m-%d %H:%M:%S}"


def count_views(rows: pa.Table) -> list[dict[str, Any]]:
    """Count changes, as `changes.sql` answers them, like `stream_views.sql`.

    Returns
    -------
    list of dict
        A row for each event and set of images there: event_name, has_new, has_old, first_change and last_change.
    """
    events = rows.column("event_name")
    names = {f"has_{side}": pc.is_valid(rows.column(f"{side}_image")) for side in ("new", "old")}
    table = pa.table({"event_name": events, "ts": rows.column("ts"), **names}).group_by(["event_name", *names])
    counts = table.aggregate([("ts", "min"), ("ts", "max")]).rename_columns(
        {"ts_min": "first_change", "ts_max": "last_change"}
    )
    answer: list[dict[str, Any]] = counts.to_pylist()
    return answer


def infer_views(rows: Sequence[Mapping[str, Any]]) -> list[View]:
    """Return the types that the rows of `stream_views.sql` are of, in the order they came; one, where one explains all.

    An INSERT has no old image and a REMOVE no new one, whatever the type: only a MODIFY tells it alone.

    >>> row = {"event_name": "MODIFY", "has_new": True, "has_old": False}
    >>> noon = datetime(2026, 11, 18, 12)
    >>> [view.kinds for view in infer_views([row | {"first_change": noon, "last_change": noon}])]
    [('NEW_IMAGE',)]
    """
    inferred: list[View] = []
    for row in sorted(rows, key=lambda row: row["event_name"] != "MODIFY"):
        possible = _possible(row["event_name"], row["has_new"], row["has_old"])
        for number, view in enumerate(inferred):
            if shared := tuple(kind for kind in view.kinds if kind in possible):
                inferred[number] = View(
                    shared, min(view.first, row["first_change"]), max(view.last, row["last_change"])
                )
                break
        else:
            inferred.append(View(possible, row["first_change"], row["last_change"]))
    return sorted(inferred, key=lambda view: (view.first, view.kinds))


def have_states(views: Sequence[View]) -> bool:
    """Return whether there are changes that say what they left.

    >>> noon = datetime(2026, 11, 18, 12)
    >>> have_states([View((KEYS,), noon, noon)]), have_states([View((BOTH,), noon, noon)])
    (False, True)
    """
    return any({BOTH, NEW} & {*view.kinds} for view in views)


def missing_images(views: Sequence[View]) -> str:
    """Say which images are not there, in words that follow "the log holds"; '' where all are.

    >>> noon = datetime(2026, 11, 18, 12)
    >>> missing_images([View((KEYS,), noon, noon)])
    'keys only (StreamViewType KEYS_ONLY)'
    """
    if all(BOTH in view.kinds for view in views):
        return ""
    if len(views) == 1:
        (view,) = views
        holds, named = (" or ".join(words[kind] for kind in view.kinds) for words in (_HOLDS, _TYPES))
        return f"{holds} (StreamViewType {named})"
    return f"records of several stream view types: {', '.join(map(str, views))}"


def _possible(event: str, has_new: bool, has_old: bool) -> tuple[str, ...]:
    if event == "INSERT":
        return (BOTH, NEW) if has_new else (OLD, KEYS)
    if event == "REMOVE":
        return (BOTH, OLD) if has_old else (NEW, KEYS)
    return ({(True, True): BOTH, (True, False): NEW, (False, True): OLD, (False, False): KEYS}[has_new, has_old],)
