"""What differs between the two images of each of many pairs, found without a Python call a pair.

It is what `workbench.model.differences.differences` tells of each pair, which is asked only of the values within an
attribute whose texts differ though it may be the same or differ in a part (numbers in another spelling, sets, lists,
binary), each different pair of these once, and of images that DuckDB cannot prove to hold known attributes alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from workbench.engines.images import FEW, Reader, as_texts
from workbench.errors import RecordRefused
from workbench.model.canonical import refuse_images
from workbench.model.differences import AttributePath, Difference, Value, differences
from workbench.model.typed_columns import encoded
from workbench.sql.attributes import Leaf, differing

CHANGES = ("added", "removed", "changed", "type changed", "members added", "members removed")
"""The changes by their numbers in `Differences`."""
_ADDED, _UNDECIDED, _CHANGED_TYPE = 1, 4, 4  # as the query tells changes: one more than their numbers
_RANKS = 20  # bits for the place of a difference among those of its pair
_NUMBERS = {change: number for number, change in enumerate(CHANGES)}


@dataclass(frozen=True, slots=True)
class Differences:
    """What differs: one row an attribute of a pair that does, by pair and then in the order of `differences`.

    Where they were not asked for in order, what is of one attribute stands together, perhaps in several places, by pair
    in each.
    """

    pairs: Any
    """The number of the pair, int64."""
    paths: Any
    """The number of the attribute in `names`, int32."""
    changes: Any
    """The number of the change in `CHANGES`, int8."""
    names: Sequence[AttributePath]
    """The attribute paths: all that the `Comparer` has met by now."""
    before: pa.ChunkedArray | None
    """The value before as DynamoDB JSON text, null where absent; None where values were not asked for."""
    after: pa.ChunkedArray | None


class Comparer(Reader):
    """Compares images, and keeps what it learns of their attributes from one answer's batches to the next.

    >>> old, new = pa.array(['{"n":{"N":"1"}}', None]), pa.array(['{"n":{"N":"1.0"}}', '{"n":{"N":"2"}}'])
    >>> with Comparer() as comparer:
    ...     found = comparer.compare(pa.chunked_array([old]), pa.chunked_array([new]))
    >>> [(pair, found.names[path], CHANGES[change])
    ...  for pair, path, change in zip(found.pairs.tolist(), found.paths, found.changes)]
    [(1, ('n',), 'added')]
    """

    def __init__(self, leaves: Iterable[Leaf] = (), *, threads: int | None = None) -> None:
        super().__init__([*leaves], threads=threads)
        self.names: list[AttributePath] = []
        self._numbers: dict[AttributePath, int] = {}

    def compare(
        self, old: pa.ChunkedArray, new: pa.ChunkedArray, *, values: bool = False, ordered: bool = True
    ) -> Differences:
        """Tell what differs between two columns of images, row by row.

        Parameters
        ----------
        old, new
            DynamoDB JSON texts, binary encoded once; null where the item is not there, which is as if it had no
            attribute.
        values
            Whether to tell the values before and after, too.
        ordered
            Whether in the order of the pairs, which takes a while where many differ.

        Raises
        ------
        RecordRefused
            Where one is not DynamoDB JSON, as far as it is looked at: attributes whose texts are equal are the same.
        """
        pairs = pa.table({"old": as_texts(old).fill_null("{}"), "new": as_texts(new).fill_null("{}")})
        if len(pairs) < FEW:
            return self._joined([self._singly(pairs, np.arange(len(pairs), dtype="int64"), values)], values, ordered)
        try:
            answers, rest = self.ask(pairs, lambda leaves: differing("rows", "old", "new", leaves, values=values))
            found = [each for answer in answers for each in self._of_leaves(*answer, values, ordered)]
        except RecordRefused:
            found, rest = [], np.arange(len(pairs), dtype="int64")
        if len(rest):
            found.append(self._singly(pairs.take(pa.array(rest)), rest, values))
        return self._joined(found, values, ordered)

    def _of_leaves(
        self, rows: Any, leaves: Sequence[Leaf], told: pa.Table, values: bool, ordered: bool
    ) -> Iterator[_Found]:
        """Yield what a query tells of pairs, leaf by leaf."""
        by_path: dict[AttributePath, list[int]] = defaultdict(list)
        for number, leaf in enumerate(leaves):
            by_path[leaf.path].append(number)
        last = {path[:depth]: place for place, path in enumerate(sorted(by_path)) for depth in range(1, len(path))}
        for place, path in enumerate(sorted(by_path)):
            numbers, rank = by_path[path], np.full(len(rows), 2 * place)
            told_of = {number: told.column(f"change_{number}").to_numpy().copy() for number in numbers}
            for number, told_change in told_of.items():
                undecided = told_change == _UNDECIDED
                if undecided.any():
                    old, new = (told.column(f"{side}_{number}").drop_null() for side in ("old", "new"))
                    within = _keys(rows[undecided], 2 * place)
                    yield self._within(leaves[number], within, old, new, values, ordered)
                    told_change[undecided] = 0
                if leaves[number].kind == "M" and path in last:  # a map is emptied when its members are gone
                    rank[told_change == _ADDED] = 2 * last[path] + 1
            change = np.max([*told_of.values()], axis=0)
            if len(numbers) > 1:
                came, gone = (np.any([each == kind for each in told_of.values()], axis=0) for kind in (1, 2))
                change[came & gone] = _CHANGED_TYPE
            there = change > 0
            yield _Found(
                _keys(rows[there], rank[there]),
                np.full(np.count_nonzero(there), self._number(path), dtype="int32"),
                change[there] - 1,
                *([_first(told, side, numbers, there) for side in ("before", "after")] if values else ()),
            )

    def _within(
        self, leaf: Leaf, keys: Any, old: pa.ChunkedArray, new: pa.ChunkedArray, values: bool, ordered: bool
    ) -> _Found:
        """Tell what differs within an attribute, of values whose texts differ."""
        (old_codes, olds), (new_codes, news) = encoded(old), encoded(new)
        pairs, codes = np.unique(old_codes.astype("int64") * len(news) + new_codes, return_inverse=True)
        old_texts, new_texts = olds.to_pylist(), news.to_pylist()
        found: list[Difference] = []
        begins = [0]
        for old_code, new_code in zip(*map(np.ndarray.tolist, np.divmod(pairs, len(news))), strict=True):
            one, other = ({"": {leaf.kind: orjson.loads(t)}} for t in (old_texts[old_code], new_texts[new_code]))
            try:
                found += differences(one, other)
            except (AttributeError, LookupError, TypeError, ValueError):
                raise RecordRefused("an image is not DynamoDB JSON") from None
            begins.append(len(found))
        begin = np.array(begins)
        counts = np.diff(begin)[codes]
        at = np.arange(counts.sum()) + np.repeat(begin[codes] - np.cumsum(counts) + counts, counts)
        each = self._of_differences(np.zeros(len(found), dtype="int64"), found, leaf.path, values)
        texts = [side.take(pa.array(at)) for side in (each.before, each.after) if side is not None]
        within = _Found(np.repeat(keys, counts), each.paths[at], each.changes[at], *texts)
        return within if ordered or leaf.kind != "L" else within.by_path()

    def _singly(self, pairs: pa.Table, rows: Any, values: bool) -> _Found:
        """Compare pairs one by one."""
        keys: list[int] = []
        found: list[Difference] = []
        texts = (column.to_pylist() for column in pairs.columns)
        for row, old, new in zip(rows.tolist(), *texts, strict=True):
            try:
                some = [*differences(orjson.loads(old), orjson.loads(new))]
            except (AttributeError, LookupError, TypeError, ValueError):
                refuse_images((old, new))
                raise
            found += some
            keys += [(row << _RANKS) + rank for rank in range(len(some))]
        return self._of_differences(np.array(keys, dtype="int64"), found, (), values).by_path()

    def _of_differences(self, keys: Any, found: Sequence[Difference], path: AttributePath, values: bool) -> _Found:
        """Take differences in; those within an attribute stand at paths that begin with a name in place of its own."""
        numbers = [self._number((*path, *each.path[1:]) if path else each.path) for each in found]
        changes = [_NUMBERS[each.change] for each in found]
        texts = [_written(each.before for each in found), _written(each.after for each in found)] if values else []
        return _Found(keys, np.array(numbers, dtype="int32"), np.array(changes, dtype="int8"), *texts)

    def _number(self, path: AttributePath) -> int:
        if path not in self._numbers:
            self._numbers[path] = len(self.names)
            self.names.append(path)
        return self._numbers[path]

    def _joined(self, found: Sequence[_Found], values: bool, ordered: bool) -> Differences:
        keys, paths, changes = (
            np.concatenate([getattr(each, at) for each in found]) for at in ("keys", "paths", "changes")
        )
        texts: list[pa.ChunkedArray | None] = [None, None]
        if values:
            chunks = ([chunk for each in found for chunk in getattr(each, side).chunks] for side in ("before", "after"))
            texts = [pa.chunked_array(side, pa.large_string()) for side in chunks]
        if not ordered:
            return Differences(keys >> _RANKS, paths, changes, self.names, *texts)
        order = np.argsort(keys, kind="stable")
        taken = (text if text is None else text.take(pa.array(order)) for text in texts)
        return Differences(keys[order] >> _RANKS, paths[order], changes[order], self.names, *taken)


@dataclass(frozen=True, slots=True)
class _Found:
    """Differences in any order."""

    keys: Any
    """The number of the pair and the place in it, together."""
    paths: Any
    changes: Any
    before: pa.ChunkedArray | None = None
    after: pa.ChunkedArray | None = None

    def by_path(self) -> _Found:
        """Return them with those of one attribute together, and else as they are."""
        order = np.argsort(self.paths, kind="stable")
        texts = (side.take(pa.array(order)) for side in (self.before, self.after) if side is not None)
        return _Found(self.keys[order], self.paths[order], self.changes[order], *texts)


def _keys(rows: Any, rank: Any) -> Any:
    return (rows << _RANKS) + rank


def _first(told: pa.Table, side: str, numbers: Sequence[int], there: Any) -> pa.ChunkedArray:
    """Return the values of an attribute that differ, which are in the column of their type."""
    kept = (told.column(f"{side}_{number}").filter(pa.array(there)).cast(pa.large_string()) for number in numbers)
    return pc.coalesce(*kept)


def _written(values: Iterable[Value | None]) -> pa.ChunkedArray:
    return pa.chunked_array(
        [pa.array([None if each is None else orjson.dumps(each).decode() for each in values], pa.large_string())]
    )
