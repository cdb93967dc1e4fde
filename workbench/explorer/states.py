"""What was in a table at an instant, and between two, from the versions of its items: each a look into columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from workbench.explorer.columns import ABSENT, Column, column_of
from workbench.questions.columns import VERSION

Numbers = npt.NDArray[np.int64]
_NEVER = np.iinfo(np.int64).max
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ADDED, REMOVED, CHANGED = "added", "removed", "changed"


@dataclass(frozen=True, eq=False)
class Differing:
    """How the items of one instant differ from those of another.

    Attributes
    ----------
    change
        Of each item that differs, `ADDED`, `REMOVED` or `CHANGED`.
    before, after
        Its versions at the two, by their rows; -1 where it was not there.
    counts
        How many items have each change.
    attributes
        How many changed items differ in each attribute, most first.
    """

    change: npt.NDArray[np.str_]
    before: Numbers
    after: Numbers
    counts: Mapping[str, int]
    attributes: Mapping[str, int]

    def __len__(self) -> int:
        """Return how many items differ."""
        return len(self.change)


class States:
    """The versions of a table's items, as `Workbench.versions` tells them, masked or not.

    Parameters
    ----------
    df
        Of `Workbench.versions`: the rows of an item stand together, from its first version on.
    keys
        So many of the first columns are the key.
    baseline
        From when on a baseline knew items, which then neither came nor changed; in UTC.

    Examples
    --------
    >>> states = States(wb.versions("persons").df, 1)
    >>> rows = states.at(micros(datetime(2025, 11, 19, tzinfo=UTC)))
    >>> states.frame(rows)["pk"].to_list()
    ['p-000004', 'p-000006', 'p-000007', 'p-000008']
    """

    def __init__(self, df: pd.DataFrame, keys: int, baseline: datetime | None = None) -> None:
        own = len(df.columns) - len(VERSION)  # an attribute that is called like one of them is another column
        self.columns: Sequence[Column] = [column_of(df.iloc[:, at]) for at in range(own)]
        self.keys = keys
        columns = {name: df.iloc[:, own + at] for at, name in enumerate(VERSION)}
        self.begins: Numbers = columns["valid_from"].to_numpy("datetime64[us]").astype(np.int64)
        ends = columns["valid_to"].to_numpy("datetime64[us]").astype(np.int64)
        self.ends: Numbers = np.where(columns["valid_to"].isna().to_numpy(), _NEVER, ends)
        version = columns["version"].to_numpy(np.int64)
        self.items: Numbers = np.cumsum(version == 1) - 1
        self.ended_by: Sequence[str] = columns["ended_by"].fillna("").to_numpy(str).tolist() if len(df) else []
        began = np.ones(len(df), bool)
        life = columns["life"].to_numpy(np.int64)
        began[1:] = (np.diff(self.items) != 0) | (np.diff(life) != 0)
        self._came = began
        self._known = self.begins != micros(baseline) if baseline else np.ones(len(df), bool)

    def __len__(self) -> int:
        """Return how many versions there are."""
        return len(self.begins)

    @property
    def number_of_items(self) -> int:
        """How many items there ever were."""
        return int(self.items[-1]) + 1 if len(self) else 0

    @cached_property
    def instants(self) -> Numbers:
        """When anything changed, in order, in microseconds since 1970."""
        return np.unique(np.concatenate([self.begins, self.ends[self.ends != _NEVER]]))

    def at(self, instant: int) -> Numbers:
        """Return the rows of the versions that held at an instant, in microseconds since 1970."""
        return np.flatnonzero((self.begins <= instant) & (self.ends > instant))

    def ordered(self, rows: Numbers, column: Column | None, descending: bool, first: int, limit: int) -> Numbers:
        """Return rows by the values of a column, those without one last, from a place on; without a column as they are.

        Rows of one value stay in the order they are in.
        """
        if column is None:
            return rows[first : first + limit]
        codes = column.codes[rows].astype(np.int64)
        most = len(column.values)
        by = np.where(codes == ABSENT, most, most - 1 - codes if descending else codes)
        by = by * (len(rows) + 1) + np.arange(len(rows))
        last = min(first + limit, len(rows))
        if first >= last:
            return rows[:0]
        chosen = np.argpartition(by, last - 1)[:last] if last < len(rows) else np.arange(len(rows))
        return rows[chosen[np.argsort(by[chosen])[first:]]]

    def frame(self, rows: Numbers) -> pd.DataFrame:
        """Return versions as a frame of items: their attributes, and since when each is as it is (UTC)."""
        held = {each.name: each.taken(rows) for each in self.columns}
        df = pd.DataFrame(held, index=pd.RangeIndex(len(rows)))
        df["valid_from"] = pd.Series(self.begins[rows].view("datetime64[us]")).dt.tz_localize("UTC")
        return df

    def differing(self, one: Numbers, other: Numbers, held: npt.NDArray[np.bool_] | None = None) -> Differing:
        """Return how the items of some versions differ from those of others, at most one of an item in each.

        Parameters
        ----------
        held
            Of which versions a condition holds: then only of items for which it does on either side.
        """
        before, after = (np.full(self.number_of_items, -1, np.int64) for _ in range(2))
        before[self.items[one]], after[self.items[other]] = one, other
        chosen = before != after
        if held is not None:
            chosen &= ((before >= 0) & held[before]) | ((after >= 0) & held[after]) if len(held) else False
        differ = np.flatnonzero(chosen)
        before, after = before[differ], after[differ]
        both = np.flatnonzero((before >= 0) & (after >= 0))
        same, attributes = np.ones(len(both), bool), {}
        for column in self.columns[self.keys :]:
            changed = column.codes[before[both]] != column.codes[after[both]]
            if number := int(changed.sum()):
                attributes[column.name] = number
                same &= ~changed
        change = np.where(before < 0, ADDED, np.where(after < 0, REMOVED, CHANGED))
        differs = np.ones(len(differ), bool)
        differs[both[same]] = False  # another version, and the same state: left and come to again
        change, before, after = change[differs], before[differs], after[differs]
        counts = {each: int((change == each).sum()) for each in (ADDED, REMOVED, CHANGED)}
        most = dict(sorted(attributes.items(), key=lambda pair: -pair[1]))
        return Differing(change, before, after, counts, most)

    def changes(self, before: int, after: int) -> Iterator[tuple[Column, int, int]]:
        """Yield what two versions of an item differ in: the column, and the numbers of its values."""
        for column in self.columns[self.keys :]:
            one, other = (int(column.codes[row]) if row >= 0 else ABSENT for row in (before, after))
            if one != other:
                yield column, one, other

    def versions_of(self, item: int) -> range:
        """Return the rows of an item's versions, the first one first."""
        first, last = np.searchsorted(self.items, [item, item + 1])
        return range(int(first), int(last))

    def came(self, row: int) -> bool:
        """Return whether a version is the first one of a life, so that its item was not there before."""
        return bool(self._came[row])

    def known(self, row: int) -> bool:
        """Return whether a change made a version, and not a baseline told it."""
        return bool(self._known[row])


def micros(moment: datetime) -> int:
    """Return an instant in microseconds since 1970.

    >>> moment_of(micros(datetime(2026, 11, 1, tzinfo=UTC)))
    datetime.datetime(2026, 11, 1, 0, 0, tzinfo=datetime.timezone.utc)
    """
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment_of(instant: int) -> datetime:
    """Return the instant so many microseconds after 1970, in UTC."""
    return _EPOCH + timedelta(microseconds=instant)
