"""Rows that are kept until all have come and it is known in which order they belong: in memory while they are few."""

from __future__ import annotations

import os
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import IO

import numpy as np
import pyarrow as pa

_HELD = 64 << 20
"""Bytes up to which rows are held in memory."""
_CHUNK = 4_096
"""Rows that are read together."""


@dataclass
class Spool:
    """Arrow tables, whose columns of one name are of one type; a row lacks the columns that its table does not have.

    What does not fit in memory is in one file without a name, which is gone with the process, however that ends.

    >>> spool = Spool()
    >>> spool.add(pa.table({"a": [1, 2]}))
    >>> spool.add(pa.table({"b": [3]}))
    >>> spool.take([2, 1], pa.schema([("a", pa.int64()), ("b", pa.int64())])).to_pylist()
    [{'a': None, 'b': 3}, {'a': 2, 'b': None}]
    """

    folder: Path | None = None
    """Where the file is; None is the system's folder for such."""
    rows: int = 0
    _chunks: list[pa.RecordBatch | tuple[int, int, pa.Schema]] = field(default_factory=list)
    """Rows, or where in the file they are."""
    _starts: list[int] = field(default_factory=list)
    _held: int = 0
    _file: IO[bytes] | None = None

    def add(self, table: pa.Table) -> None:
        """Add rows; those added together are read together, so they should be in the order they are asked for in."""
        self._held += table.nbytes
        if self._file is None and self._held > _HELD:
            self._file = tempfile.TemporaryFile(dir=self.folder, buffering=0)  # noqa: SIM115 - lives as long as this
            weakref.finalize(self, self._file.close)
            for number, chunk in enumerate(self._chunks):
                self._chunks[number] = self._stored(chunk)
        for chunk in table.combine_chunks().to_batches(max_chunksize=_CHUNK):
            self._starts.append(self.rows)
            self._chunks.append(chunk if self._file is None else self._stored(chunk))
            self.rows += len(chunk)

    def take(self, numbers: Sequence[int] | np.ndarray, schema: pa.Schema) -> pa.Table:
        """Return rows by their numbers, counted from 0 as they were added, with the columns of a schema."""
        wanted = np.asarray(numbers, dtype="int64")
        ascends = bool((wanted[1:] > wanted[:-1]).all())
        order = None if ascends else np.argsort(wanted, kind="stable")
        ascending = wanted if order is None else wanted[order]
        chunk_of = np.searchsorted(self._starts, ascending, "right") - 1
        begins = np.flatnonzero(np.diff(chunk_of, prepend=-1))
        parts = [schema.empty_table()]
        for begin, end in pairwise([*begins.tolist(), len(chunk_of)]):
            number = int(chunk_of[begin])
            parts.append(_with_columns(_some(self._chunk(number), ascending[begin:end] - self._starts[number]), schema))
        rows = pa.concat_tables(parts)
        if order is not None:
            back = np.empty(len(order), dtype="int64")
            back[order] = np.arange(len(order))
            rows = rows.take(pa.array(back))
        return rows.combine_chunks()

    def _stored(self, chunk: pa.RecordBatch) -> tuple[int, int, pa.Schema]:
        assert self._file
        buffer = chunk.serialize()
        at = self._file.seek(0, os.SEEK_END)
        view = memoryview(buffer)
        while view:
            view = view[self._file.write(view) :]
        return at, buffer.size, chunk.schema

    def _chunk(self, number: int) -> pa.RecordBatch:
        chunk = self._chunks[number]
        if isinstance(chunk, pa.RecordBatch):
            return chunk
        assert self._file
        at, length, schema = chunk
        return pa.ipc.read_record_batch(pa.py_buffer(os.pread(self._file.fileno(), length, at)), schema)


def _some(chunk: pa.RecordBatch, places: np.ndarray) -> pa.RecordBatch:
    """Return rows by their places, which ascend."""
    first, count = int(places[0]), len(places)
    return chunk.slice(first, count) if places[-1] - first + 1 == count else chunk.take(pa.array(places))


def _with_columns(rows: pa.RecordBatch, schema: pa.Schema) -> pa.Table:
    held = {*rows.schema.names}
    columns = [rows.column(each.name) if each.name in held else pa.nulls(len(rows), each.type) for each in schema]
    return pa.Table.from_arrays(columns, schema=schema)
