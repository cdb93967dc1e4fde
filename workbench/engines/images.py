"""Columns of DynamoDB JSON images, decoded without a Python call a value; of any engine's Arrow answer.

Which leaves a column's images have is learned from a sample of them. DuckDB then reads these leaves of every image, and
proves of each that it has no others (`workbench.sql.attributes`). What the others have is learned in turn. Those that
remain, because they are written in another form, or a map has a name an item, are read one by one, by
`workbench.model.attributes`: so every image is read exactly, and few of them slowly.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa

from workbench.engines.bars import hide_bar
from workbench.errors import RecordRefused
from workbench.model import attributes
from workbench.model.attribute_paths import column_name
from workbench.model.attributes import Gathered, Numbers
from workbench.model.canonical import PYTHON_TYPES
from workbench.model.typed_columns import typed_column
from workbench.sql.attributes import Leaf, leaves_of

if TYPE_CHECKING:
    import duckdb

FEW = 500
"""Images that are read one by one: DuckDB would not have begun by then."""
_SAMPLE = 200
_RARE = 0.01  # of a sample: not learned, until images that could not be proven are a sample of their own
_MOST = 500  # leaves
_SPARSE = 8  # times the leaves an image has: each leaf costs a look at every image, those it does not have too
_ROUNDS = 4  # of learning from what could not be proven
_ROWS, _BYTES = 122_880, 64 << 20  # decoded at a time


def frame(
    images: pa.ChunkedArray, *, keys: Sequence[str] = (), numbers: Numbers = "auto", threads: int | None = None
) -> pd.DataFrame:
    """Read a column of images into a DataFrame, exactly as `workbench.model.attributes.frame` reads their texts.

    Parameters
    ----------
    images
        DynamoDB JSON texts, binary encoded once; not null.
    keys
        Names of the key attributes, which come first.
    numbers
        As `workbench.model.attributes.frame` takes it.
    threads
        Of DuckDB; without it, one a core.

    Raises
    ------
    RecordRefused
        Where a text is not DynamoDB JSON.

    >>> frame(pa.chunked_array([['{"pk":{"S":"a"},"n":{"N":"1.5"}}']]), keys=["pk"]).to_dict("records")
    [{'pk': 'a', 'n': 1.5}]
    """
    images = as_texts(images)
    if len(images) < FEW:
        return attributes.frame(_each(images), keys=keys, numbers=numbers)
    try:
        return _frame(images, keys, numbers, threads)
    except RecordRefused:
        return attributes.frame(_each(images), keys=keys, numbers=numbers)  # which says what is wrong with which


def as_texts(images: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return images as Arrow's texts, also where a file declares them JSON.

    >>> as_texts(pa.chunked_array([pa.array(["{}"], pa.json_())])).type
    DataType(string)
    """
    large = pa.types.is_large_string(images.type)
    return images if large or pa.types.is_string(images.type) else images.cast(pa.string())


def connected(threads: int | None = None) -> duckdb.DuckDBPyConnection:
    """Return a connection of DuckDB that reads Arrow's tables, and keeps the order of their rows.

    >>> connected().sql("select 1").fetchall()
    [(1,)]
    """
    import duckdb  # a tenth of a second, which few images do not take

    connection = duckdb.connect(config={"threads": threads} if threads else {})
    connection.execute("set TimeZone = 'UTC'")
    hide_bar(connection)
    return connection


@dataclass(frozen=True, slots=True)
class Part:
    """Some of a column's images, with what they hold."""

    rows: Any
    """Their numbers, as int64."""
    leaves: Mapping[Leaf, pa.ChunkedArray]
    """JSON texts, null where an image does not have the leaf."""


class Reader:
    """Reads the leaves of images, and learns on the way which there are.

    >>> with Reader(threads=1) as reader:
    ...     parts, rest = reader.read(pa.chunked_array([['{"n":{"N":"1"}}', '{"n":{"N": "1"}}']]))
    >>> parts[0].leaves[Leaf(("n",), "N")].to_pylist(), rest.tolist()
    (['"1"'], [1])
    """

    def __init__(self, leaves: Collection[Leaf] = (), *, threads: int | None = None) -> None:
        self.leaves = list(leaves)
        self._threads = threads
        self._in_vain = False
        self._held = 1.0  # leaves an image has, of the sample with the most
        self._opened: duckdb.DuckDBPyConnection | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Free what DuckDB takes; what is read later opens it again."""
        if self._opened:
            self._opened.close()
            self._opened = None

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        if self._opened is None:  # which few images do without
            self._opened = connected(self._threads)
        return self._opened

    def columns(self, images: pa.ChunkedArray) -> dict[Leaf, pa.ChunkedArray]:
        """Return the leaves of all images, row by row; those that cannot be proven are read one by one.

        Raises
        ------
        RecordRefused
            Where one is not DynamoDB JSON.

        >>> with Reader() as reader:
        ...     reader.columns(pa.chunked_array([['{"n":{"N":"1"}}', "{}"]]))[Leaf(("n",), "N")].to_pylist()
        ['"1"', None]
        """
        images = as_texts(images)
        parts, rest = self.read(images) if len(images) >= FEW else ([], np.arange(len(images), dtype="int64"))
        return _columns(images, parts, rest)

    def read(self, images: pa.ChunkedArray) -> tuple[list[Part], Any]:
        """Return the leaves of the images that are proven to have no others, and the numbers of the other images."""
        answers, rest = self.ask(
            pa.table({"image": as_texts(images)}), lambda leaves: leaves_of("rows", "image", leaves)
        )
        parts = []
        for rows, leaves, table in answers:
            columns = zip(leaves, table.columns, strict=True)
            parts.append(Part(rows, {leaf: column for leaf, column in columns if column.null_count < len(column)}))
        return parts, rest

    def ask(
        self, images: pa.Table, query: Callable[[Sequence[Leaf]], str]
    ) -> tuple[list[tuple[Any, list[Leaf], pa.Table]], Any]:
        """Ask a query of rows of images, in pieces, with the leaves these have.

        Parameters
        ----------
        images
            Its columns are images.
        query
            Makes SQL of leaves that asks the relation ``rows``, and whose last column tells which rows it holds for.

        Returns
        -------
        tuple
            The answers: the numbers of rows, the leaves, and what the query tells of these rows; and the numbers of the
            rows that are in none.
        """
        answers: list[tuple[Any, list[Leaf], pa.Table]] = []
        rest = [np.empty(0, dtype="int64")]
        if not self.leaves:
            self._learn(images)
        for begin, piece in _pieces(images):
            rows = np.arange(begin, begin + len(piece), dtype="int64")
            asked = begin + len(piece)
            for _ in range(_ROUNDS):
                if not self.leaves or self._in_vain:
                    break
                self._connection.register("rows", piece)
                told = self._connection.sql(query(self.leaves)).to_arrow_table()
                self._connection.unregister("rows")
                holds, told = told.columns[-1], told.drop_columns(told.column_names[-1:])
                there = holds.to_numpy()
                answers.append((rows[there], [*self.leaves], told if there.all() else told.filter(holds)))
                rows, piece = rows[~there], piece.filter(pa.array(~there))
                if len(rows) < FEW or not self._learn(piece):
                    break
            rest.append(rows)
            self._in_vain |= sum(map(len, rest)) > 0.9 * asked > 10 * FEW
        return answers, np.concatenate(rest)

    def _learn(self, images: pa.Table) -> bool:
        """Take in the leaves that are usual among some images; return whether there are new ones."""
        if not len(images):
            return False
        root, several = Gathered(), np.unique(np.linspace(0, len(images) - 1, _SAMPLE).astype("int64")).tolist()
        for row, column in product(several, images.columns):
            with suppress(RecordRefused):
                root.add(column[row].as_py(), row)
        seen = {Leaf(path, kind): len(rows) for path, at in root.leaves() for kind, (rows, _) in at.kinds.items()}
        usual = [leaf for leaf, count in seen.items() if leaf.readable and count > _RARE * len(several)]
        new = sorted(set(usual) - set(self.leaves))[: _MOST - len(self.leaves)]
        self.leaves += new
        self._held = max(self._held, sum(seen.values()) / (len(several) * images.num_columns))
        self._in_vain |= len(self.leaves) > _SPARSE * self._held
        return bool(new)


def in_order(paths: Iterable[tuple[str, ...]], keys: Sequence[str] = ()) -> list[tuple[str, ...]]:
    """Return attribute paths in the order of a frame's columns: the keys, there or not, then the others by name.

    >>> in_order([("b",), ("a", "x"), ("pk",)], ["pk"])
    [('pk',), ('a', 'x'), ('b',)]
    """
    held = {*paths}
    within = {path[0] for path in held}
    place = {name: number for number, name in enumerate(keys)}
    missing = {(name,) for name in keys if name not in within}
    return sorted(held | missing, key=lambda path: (place.get(path[0], len(place)), path))


def _frame(images: pa.ChunkedArray, keys: Sequence[str], numbers: Numbers, threads: int | None) -> pd.DataFrame:
    with Reader(threads=threads) as reader:
        parts, rest = reader.read(images)
    if len(rest) > len(images) / 2:
        return attributes.frame(_each(images), keys=keys, numbers=numbers)
    leaves = _columns(images, parts, rest)
    by_path: dict[tuple[str, ...], dict[str, pa.ChunkedArray]] = {}
    for leaf, texts in leaves.items():
        by_path.setdefault(leaf.path, {})[leaf.kind] = texts
    columns = {}
    for path in in_order(by_path, keys):
        columns[column_name(path)] = typed_column(by_path.get(path, {}), len(images), numbers)
    return pd.DataFrame(columns, index=pd.RangeIndex(len(images)), copy=False)


def _columns(images: pa.ChunkedArray, parts: list[Part], rest: Any) -> dict[Leaf, pa.ChunkedArray]:
    """Return the leaves of all images, of those that are in no part, too."""
    if len(rest):
        parts = [*parts, _read_singly(images, rest)]
    order = _order(parts) if parts else None
    return {leaf: _joined(parts, leaf, order) for leaf in {leaf for part in parts for leaf in part.leaves}}


def _order(parts: Sequence[Part]) -> pa.Array | None:
    """Return where the images are in the parts, one after the other; None where they are in order."""
    rows = np.concatenate([part.rows for part in parts])
    return None if (rows[1:] > rows[:-1]).all() else pa.array(np.argsort(rows))


def _joined(parts: Sequence[Part], leaf: Leaf, order: pa.Array | None) -> pa.ChunkedArray:
    """Return a leaf of all images."""
    chunks: list[pa.Array] = []
    for part in parts:
        texts = part.leaves.get(leaf)
        chunks += [pa.nulls(len(part.rows), pa.string())] if texts is None else texts.chunks
    joined = pa.chunked_array(chunks, pa.string())
    return joined if order is None else joined.cast(pa.large_string()).take(order)


def _read_singly(images: pa.ChunkedArray, rows: Any) -> Part:
    """Read images one by one."""
    root = Gathered()
    with attributes.without_gc():
        for row, text in zip(rows.tolist(), _each(images.take(pa.array(rows))), strict=True):
            root.add(text, row)
    leaves = {}
    for path, gathered in root.leaves():
        for kind, (those, values) in gathered.kinds.items():
            if {*map(type, values)} - {PYTHON_TYPES.get(kind)}:
                raise RecordRefused(f"{kind!r} holds another type")
            texts = np.full(len(rows), None, dtype=object)
            texts[np.searchsorted(rows, those)] = [orjson.dumps(value).decode() for value in values]
            leaves[Leaf(path, kind)] = pa.chunked_array([pa.array(texts, pa.string())])
    return Part(rows, leaves)


def _each(images: pa.ChunkedArray) -> Iterator[str]:
    for chunk in images.chunks:
        yield from chunk.to_pylist()


def _pieces(images: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    """Cut rows in pieces of which no one is too large."""
    size = max(1, min(_ROWS, _BYTES * len(images) // max(images.nbytes, 1)))
    for begin in range(0, len(images), size):
        yield begin, images.slice(begin, size)
