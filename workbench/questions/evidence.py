"""What the questions of a log's quality answered, for the findings to be judged by."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any

import pandas as pd

from workbench.log.contents import Schema
from workbench.log.objects import Unreadable
from workbench.model import items, stream_views
from workbench.questions.chain_gaps import Example
from workbench.questions.delivery import Delivery, silent_hours, unusual_days
from workbench.questions.frames import shown
from workbench.text import moment

EXAMPLES = 3
"""Examples that a finding names."""
LARGEST_RECORD = 1 << 20
"""Bytes a Kinesis record may have, both images included; a larger change is skipped whole.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds.html"""
STALE = timedelta(days=7)
"""How old the newest change may be without a word, or three times as old as the log's longest silence."""

Hide = Callable[[pd.DataFrame], pd.DataFrame]


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What the questions of a log's quality answered, for the findings to judge.

    Attributes
    ----------
    delivery
        `delivery.sql`.
    sizes
        The row of `record_sizes.sql`.
    gaps
        Where changes are missing; see `chain_gaps.gaps`.
    beginnings, unseen
        How many items were there before their first change, and examples of them.
    drift
        The attributes and their types; see `schema_drift.drift`.
    ties
        Items whose changes of one instant only event_id could settle.
    late
        How late changes may arrive.
    unreadable, unread, lost
        Lines that are no change record; objects that no query on Athena reads, as texts; attributes of the newest
        records that the table's columns do not hold.
    objects, failures
        How many objects there are, and how many changes in Firehose's failure objects.
    baseline
        The instant of the export that holds (UTC), if one does.
    age, max_age, last_arrival
        How old the newest change is (None where that is not judged), how old it may be, and when the newest object
        arrived (UTC).
    held
        What the records hold of the images.
    schemas
        The keys the table had, one after the other.
    hide
        Masks a frame.
    """

    delivery: Delivery
    sizes: Mapping[str, Any]
    gaps: pd.DataFrame
    beginnings: int
    unseen: Sequence[Example]
    drift: pd.DataFrame
    ties: Sequence[Example]
    late: timedelta
    unreadable: Sequence[Unreadable]
    unread: Sequence[str]
    lost: Sequence[str]
    objects: int
    failures: int
    baseline: datetime | None
    age: timedelta | None
    max_age: timedelta | None
    last_arrival: datetime | None
    held: Sequence[stream_views.View]
    schemas: Sequence[Schema]
    hide: Hide

    def count(self, name: str) -> int:
        """Return a number of `delivery.sql`."""
        return self.delivery.count(name)

    @property
    def changes(self) -> int:
        """Distinct changes of the window."""
        return self.count("changes")

    @property
    def deliveries(self) -> int:
        """Changes as often as they were delivered."""
        return self.changes + self.count("duplicates")

    @property
    def between(self) -> pd.DataFrame:
        """Gaps between two changes of an item."""
        return self.gaps[self.gaps["lost_after"].notna()]

    @property
    def begun(self) -> pd.DataFrame:
        """Gaps before the first change of an item."""
        return self.gaps[self.gaps["lost_after"].isna()]

    @cached_property
    def silent(self) -> list[pd.Timestamp]:
        """Hours that rarely are silent, and were."""
        return silent_hours(self.delivery.hours)

    @cached_property
    def unusual(self) -> pd.Series:
        """Counts of the days that stand out."""
        return unusual_days(self.delivery.hours)

    @cached_property
    def mixed_types(self) -> dict[str, list[str]]:
        """The types of each attribute that is of several, NULL aside."""
        types = self.drift[self.drift["type"] != "NULL"]
        mixed = types[types["path"].duplicated(keep=False)]
        return {str(path): list(group["type"]) for path, group in mixed.groupby("path")}

    @property
    def allowed_age(self) -> timedelta:
        """How old the newest change may be."""
        return self.max_age or max(STALE, 3 * self.delivery.longest_silence)

    @property
    def stale(self) -> bool:
        """Whether the newest change is older than that."""
        if self.delivery.newest is None:
            return self.age is None and self.max_age is not None
        return self.age is not None and self.age > self.allowed_age

    def named(self, examples: Sequence[str] | Sequence[Example] | None) -> list[str]:
        """Name changes by their keys in short, as masked, and when they were made."""
        pairs = [text.rsplit(" ", 2) if isinstance(text, str) else text for text in (examples or ())[:EXAMPLES]]
        return [_example(self.hide(pd.DataFrame({"keys": [key]}))["keys"][0], *when) for key, *when in pairs]

    @property
    def types_held(self) -> list[str]:
        """What the records hold of the images, in a line."""
        return [f"the log holds {stream_views.missing_images(self.held)}"] if self.held else []


def gap_examples(gaps: pd.DataFrame) -> list[str]:
    """Name the items and the times between which a change is missing, and what it must have changed."""
    lines = []
    for row in gaps.head(EXAMPLES).to_dict("records"):
        key = ", ".join(f"{name}={shown(value)}" for name, value in list(row.items())[:-4])
        since = "" if pd.isna(row["lost_after"]) else f"after {moment(row['lost_after'])} and "
        paths = ", ".join(row["paths"][:5]) + (", …" if len(row["paths"]) > 5 else "")
        lines.append(f"{key} {since}before {moment(row['lost_before'])} UTC: {paths or 'nothing but the key'}")
    return lines


def _example(key: str, *when: Any) -> str:
    values = items.from_dynamodb(json.loads(key))
    at = pd.Timestamp(" ".join(map(str, when)), tz="UTC")
    return f"{', '.join(f'{name}={shown(value)}' for name, value in values.items())} at {moment(at)} UTC"
