"""A change of an item as it is taken back, the rules that can be chosen, and what the item is to be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Final, Literal, TypeAlias

from workbench.errors import ParameterError
from workbench.model.attribute_paths import column_name

Image: TypeAlias = Mapping[str, Any]
"""An item as DynamoDB JSON, its numbers and sets in any spelling."""
Value: TypeAlias = Mapping[str, Any]
"""A value with its type, as DynamoDB JSON."""
Path: TypeAlias = tuple[str | int, ...]
"""Where a value is in an item: names of attributes and, where lists go by index, indexes; `()` is the item."""
Status = Literal["taken back", "conflict", "settled", "kept", "bumped", "delta", "unknown"]
Action = Literal["put back", "update", "delete", "unchanged", "gone", "conflict", "unknown"]


class Unknown(Enum):
    """The type of `UNKNOWN`."""

    UNKNOWN = "an image that the record does not hold"


UNKNOWN: Final = Unknown.UNKNOWN


@dataclass(frozen=True, slots=True)
class ItemChange:
    """A distinct change of one item; an image is None where the item was not there."""

    ts: datetime
    event_id: str
    before: Image | Unknown | None
    after: Image | Unknown | None
    bad: bool = False
    """Whether it is to be taken back."""
    by_ttl: bool = False
    """Whether DynamoDB made it, for the item had expired."""
    undoes: frozenset[str] | None = None
    """Of a write of an earlier undo: the event ids of the changes that it took back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What is to be done where there is a choice.

    Raises
    ------
    ParameterError
        Where they contradict each other.

    >>> from datetime import UTC
    >>> Rules(at=datetime(2026, 11, 18, 12, tzinfo=UTC), kept=(("updated_at",),)).expired
    'skip'
    """

    at: datetime
    """The instant of the plan, with its time zone: what has expired by then is not put back."""
    kept: tuple[Path, ...] = ()
    """Attributes that stay as they are now, without a conflict."""
    bump: tuple[Path, ...] = ()
    """Versions: one more than now wherever an item is written, for a version must never go back."""
    delta: tuple[Path, ...] = ()
    """Counters: where others counted on, what was added wrongly is subtracted."""
    mark: Mapping[Path, Value] = field(default_factory=dict)
    """Attributes that every item written gets, so that those who listen can tell these writes."""
    ttl: str | None = None
    """The table's TTL attribute, which holds seconds since 1970."""
    expired: Literal["skip", "keep", "drop"] | timedelta = "skip"
    """Items that would have expired already: left out, put back as they were, without the TTL attribute, or with one
    so long after `at`. A TTL's deletion is taken back with any of the last three only."""
    lists: Literal["whole", "index"] = "whole"
    on_conflict: Literal["keep", "before", "fail"] = "keep"
    """Where there is a conflict: what is there now (or what was last written by a change that stays), the value before
    all that was wrong, or the whole item left as it is, with the action ``conflict``."""

    def __post_init__(self) -> None:
        if self.at.tzinfo is None:
            raise ParameterError("the instant of an undo's plan needs a time zone")
        if self.expired not in ("skip", "keep") and self.ttl is None:
            raise ParameterError("the TTL attribute is needed to change it: say which it is")
        for path in self.mark:
            if len(path) != 1:
                raise ParameterError(f"the mark {column_name(path)} is within a map: take an attribute of the item")
        special = [*self.kept, *self.bump, *self.delta, *self.mark, *([(self.ttl,)] if self.ttl else [])]
        for path in [*self.bump, *self.delta, *self.mark]:
            if special.count(path) > 1:
                raise ParameterError(
                    f"{column_name(path)} cannot be a version, a counter, a mark, TTL or kept at the same time"
                )

    def refuse_keys(self, keys: frozenset[str]) -> None:
        """Raise ParameterError where a key is to be changed, which none can be.

        >>> from datetime import UTC
        >>> Rules(at=datetime(2026, 11, 18, 12, tzinfo=UTC)).refuse_keys(frozenset({"pk"}))
        """
        for path in [*self.bump, *self.delta, *self.mark]:
            if path[0] in keys:
                raise ParameterError(f"{column_name(path)} is of the key, which never changes")


@dataclass(frozen=True, slots=True)
class PathOutcome:
    """What becomes of one node of an item; each value is None where there is none."""

    path: Path
    """`()` is the item, whose values are ``{"M": image}``."""
    member: str | None
    """Of a set, the member that this is about, in canonical form."""
    status: Status
    why: str
    """One sentence for people, without a value of the item."""
    before: Value | None
    """What was there before the changes to be taken back."""
    bad: Value | None
    """What the last of them left."""
    now: Value | None
    after: Value | None
    """What is to be there."""


@dataclass(frozen=True, slots=True)
class Merged:
    """What an item is to be, and why."""

    action: Action
    after: Image | None
    """The item as it is to be: what it is now, where nothing is to be written."""
    outcomes: tuple[PathOutcome, ...]
    takes_back: frozenset[str]
    """The event ids of the changes taken back."""

    @property
    def conflicts(self) -> int:
        """How many nodes are in conflict.

        >>> Merged("unchanged", None, (), frozenset()).conflicts
        0
        """
        return sum(outcome.status == "conflict" for outcome in self.outcomes)
