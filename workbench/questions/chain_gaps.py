"""Where changes are missing: an item whose change did not find what the change before it had left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby

import pandas as pd
import pyarrow as pa

from workbench.model.differences import differences
from workbench.model.keys import key_order
from workbench.model.ordering import ABSENT, Link, follow
from workbench.questions.columns import GAPS
from workbench.questions.frames import key_frame
from workbench.questions.history import Row, chained, image_of
from workbench.questions.state_comparison import path_text

Example = tuple[str, datetime]
"""A change to name: its key as canonical DynamoDB JSON, and when it was made."""


def suspects(rows: pa.Table) -> tuple[list[str], int, list[Example]]:
    """Read `chain_gaps.sql`: what has to be looked at change by change.

    Returns
    -------
    tuple
        The keys of items in which a change may be missing; how many items were there before their first change; and
        examples of these.
    """
    absent = next((value for value in rows.column("absent").to_pylist() if value is not None), None)
    begun = rows.filter(rows.column("beginnings").is_valid()).sort_by([("ts", "ascending"), ("keys", "ascending")])
    chains = rows.filter(rows.column("beginnings").is_null()).sort_by("keys").to_pylist()
    suspected = []
    for key, group in groupby(chains, key=lambda row: row["keys"]):
        changes = list(group)
        if any(row["left_behind"] is None for row in changes):  # without images there is nothing to follow
            continue
        links = (
            Link(row["ts"], row["event_id"], _digest(row["found"], absent), str(_digest(row["left_behind"], absent)))
            for row in changes
        )
        if any(missing for _, missing in follow(links)):
            suspected.append(key)
    beginnings = begun.to_pylist()
    count = beginnings[0]["beginnings"] if beginnings else 0
    return suspected, count, [(row["keys"], row["ts"]) for row in beginnings]


def _digest(digest: object, absent: object) -> str | None:
    """Return the digest of an image as a text, which for an item that is not there is the one of `ordering`."""
    if digest is None:
        return None
    return ABSENT if digest == absent else str(digest)


def gaps(rows: Iterable[Row], keys: Sequence[str], start: datetime) -> pd.DataFrame:
    """Locate the missing changes of items, given all their changes.

    Within an instant of several changes, and on either side of it, more than one place may explain the same images:
    the times given then reach to the next instants of one change.

    Returns
    -------
    pandas.DataFrame
        One row a place: the key attributes, lost_after and lost_before (UTC; lost_after is NaT where the item's
        beginning is missing), event_id of the change that did not find what was left, and paths, a list of the
        attributes that differ.
    """
    texts, places = [], []
    in_order = sorted(rows, key=lambda row: key_order(row["keys"]))
    for key, changes in groupby(in_order, key=lambda row: row["keys"]):
        before: Row | None = None
        ordered = list(chained(list(changes)))
        instants = Counter(row["ts"] for row, _ in ordered)
        for row, missing in ordered:
            if missing and row["ts"] >= start:
                left = image_of(before["new_image"]) if before else None
                differing = differences(left, image_of(row["old_image"]))
                paths = sorted({path_text(each.path) for each in differing if each.path[0] not in keys})
                texts.append(key)
                since = _alone(instants, before["ts"], -1) if before else None
                places.append((since, _alone(instants, row["ts"], 1), row["event_id"], paths))
            before = row
    df = pd.DataFrame(places, columns=list(GAPS))
    for name in ("lost_after", "lost_before"):
        df[name] = pd.to_datetime(df[name], utc=True)
    return pd.concat([key_frame(texts, keys, GAPS), df.astype(dict(GAPS))], axis="columns")


def _alone(instants: Counter[datetime], at: datetime, step: int) -> datetime:
    """Return the nearest instant, from one on in a direction, that has one change; the last one where none has."""
    way = sorted((each for each in instants if (each - at) * step >= timedelta(0)), reverse=step < 0)
    return next((each for each in way if instants[each] == 1), way[-1])
