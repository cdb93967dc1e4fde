"""Answers that come in parts, as frames: typed by all their rows and in order; large ones are made in parts too."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from hashlib import md5
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.engines.images import Reader, in_order
from workbench.model.attribute_columns import FORMS, Attribute
from workbench.model.attribute_paths import RESERVED, column_name
from workbench.model.attributes import Numbers
from workbench.questions.actors import Actor
from workbench.questions.columns import CHANGE, SNAPSHOT, VERSION
from workbench.questions.frames import beside_own, by_key, times
from workbench.questions.large import Frame, LargeFrame
from workbench.questions.spool import Spool
from workbench.sql.attributes import Leaf

PART = 50_000
"""Rows of a frame that are made together."""
_VERSION = {
    **dict.fromkeys(("valid_from", "valid_to"), pa.timestamp("us")),
    **dict.fromkeys(("version", "life"), pa.int64()),
    "ended_by": pa.string(),
}
_STATE = {"ts": pa.timestamp("us"), "by_ttl": pa.bool_(), "gone": pa.bool_()}
_CHANGE = dict.fromkeys(CHANGE, pa.string()) | {
    "ts": pa.timestamp("us"),
    "by_ttl": pa.bool_(),
    "size_bytes": pa.int64(),
}


class Images:
    """What images hold, and the columns that all of them together make.

    >>> images = Images("new")
    >>> rows = pa.table(images.read(pa.chunked_array([['{"n":{"N":"1"}}', None]])))
    >>> images.columns(rows, ["pk"])["n"].to_list()
    [1, <NA>]
    """

    def __init__(
        self,
        name: str,
        numbers: Numbers = "auto",
        threads: int | None = None,
        beside: Collection[str] = RESERVED,
    ) -> None:
        self._name, self._numbers, self._beside = name, numbers, beside
        self._reader = Reader(threads=threads)
        self._attributes: dict[tuple[str, ...], Attribute] = {}
        self._columns: dict[tuple[Leaf, str], str] = {}

    def read(self, images: pa.ChunkedArray) -> dict[str, pa.ChunkedArray]:
        """Take images, as DynamoDB JSON texts, apart: their leaves' columns by the names these have here.

        Raises
        ------
        RecordRefused
            Where one is not DynamoDB JSON.
        """
        columns = {}
        for leaf, texts in self._reader.columns(images.fill_null("{}")).items():
            attribute = self._attributes.setdefault(leaf.path, Attribute(self._numbers))
            form, values = attribute.keep(leaf.kind, texts)
            name = self._columns.setdefault((leaf, form), f"{self._name} {len(self._columns)}")
            columns[name] = values.cast(FORMS[form])
        return columns

    def close(self) -> None:
        """Read no more; columns can still be made."""
        self._reader.close()

    def schema(self, others: Mapping[str, pa.DataType]) -> pa.Schema:
        """Return the columns of all leaves, and others."""
        return pa.schema([*((name, FORMS[form]) for (_, form), name in self._columns.items()), *others.items()])

    def columns(self, rows: pa.Table, keys: Sequence[str] = ()) -> dict[str, pd.Series]:
        """Make columns of values of those of leaves, `keys` first."""
        held = set(rows.column_names)
        kept: dict[tuple[str, ...], dict[tuple[str, str], pa.ChunkedArray]] = {path: {} for path in self._attributes}
        for (leaf, form), name in self._columns.items():
            if name in held:
                kept[leaf.path][leaf.kind, form] = pa.chunked_array([rows.column(name).combine_chunks()])
        return {
            column_name(path, beside=self._beside): self._attributes.get(path, Attribute()).column(
                kept.get(path, {}), len(rows)
            )
            for path in in_order(kept, keys)
        }


class Items:
    """The rows of `latest_state.sql`: a frame of one row an item, by key; see `Workbench.latest_state`.

    Parameters
    ----------
    keys
        The attributes of the key, as far as they are known: rows kept in the order of the key are found again faster.
    folder
        Where rows are kept that are too many for memory.
    threads
        With which images are read; without it, one a core.

    Examples
    --------
    >>> items = Items(["pk"], numbers="auto", include_deleted=False)
    >>> key, times = '{"pk":{"S":"a"}}', pa.array([0], pa.timestamp("us"))
    >>> items.add(pa.table({"keys": [key], "image": [key], "ts": times, "by_ttl": [False]}))
    >>> list(items.frame(["pk"]))
    ['pk', '_changed_at']
    """

    def __init__(
        self,
        keys: Sequence[str],
        *,
        numbers: Numbers,
        include_deleted: bool,
        folder: Path | None = None,
        threads: int | None = None,
    ) -> None:
        self._known_keys, self._include_deleted = tuple(keys), include_deleted
        self._keys, self._images = Images("key", threads=threads), Images("image", numbers, threads)
        self._spool, self._by = Spool(folder), list[pa.Table]()

    def add(self, rows: pa.Table) -> None:
        """Take in rows."""
        keys, images = rows.column("keys"), rows.column("image")
        table = pa.table(self._images.read(pc.coalesce(images, keys)) | _own(rows, "ts", "by_ttl"))
        table = table.append_column("gone", pc.is_null(images))
        by = pa.table(self._keys.read(keys) | {"keys": keys})
        order = pa.array(self._order(by, self._known_keys))
        self._by.append(by.take(order))
        self._spool.add(table.take(order))

    def frame(self, keys: Sequence[str]) -> Frame:
        """Return the frame of all rows."""
        for side in (self._keys, self._images):
            side.close()
        nothing = self._keys.schema({"keys": pa.string()}).empty_table()
        order = self._order(pa.concat_tables([nothing, *self._by], promote_options="default"), keys)
        self._by = []
        some = [order[at : at + PART] for at in range(0, len(order), PART)]
        return _frame(lambda numbers: self._part(numbers, keys), some)

    def _order(self, by: pa.Table, keys: Sequence[str]) -> np.ndarray:
        """Return the numbers of the rows in the order of the key."""
        if not self._include_deleted:
            return _places(self._keys.columns(by, keys), keys, len(by))
        before: np.ndarray = pc.sort_indices(by, [("keys", "ascending")]).to_numpy()  # of tables before: in their order
        order: np.ndarray = before[_places(self._keys.columns(by.take(before), keys), keys, len(by))]
        return order

    def _part(self, numbers: np.ndarray, keys: Sequence[str]) -> pd.DataFrame:
        rows = self._spool.take(numbers, self._images.schema(_STATE))
        df = pd.DataFrame(self._images.columns(rows, keys), pd.RangeIndex(len(rows)))
        changed = times(rows.column("ts"))
        df["_changed_at"] = changed
        if self._include_deleted:
            df["_deleted_at"] = changed.where(rows.column("gone").to_numpy())
            df["_by_ttl"] = rows.column("by_ttl").to_pandas().astype(bool)
        return df


class Versions:
    """The rows of `versions.sql`: a frame of one row a state, by key and time; see `Workbench.versions`.

    Parameters
    ----------
    columns
        Which columns stand beside attributes: `VERSION`, or `SNAPSHOT`.
    folder
        Where rows are kept that are too many for memory.
    threads
        With which images are read; without it, one a core.
    """

    def __init__(
        self,
        columns: Mapping[str, str] = VERSION,
        *,
        numbers: Numbers,
        folder: Path | None = None,
        threads: int | None = None,
    ) -> None:
        self._own = columns
        self._keys = Images("key", threads=threads)
        self._images = Images("image", numbers, threads, beside={*RESERVED, *columns})
        self._spool, self._by = Spool(folder), list[pa.Table]()

    def add(self, rows: pa.Table) -> None:
        """Take in rows."""
        kept = dict(_VERSION)
        if self._own is SNAPSHOT:
            rows = rows.append_column("scd_id", pa.array(map(_scd_id, *_of(rows, "keys", "valid_from")), pa.string()))
            kept["scd_id"] = pa.string()
        self._spool.add(pa.table(self._images.read(rows.column("image")) | _own(rows, *kept)))
        self._by.append(pa.table(self._keys.read(rows.column("keys")) | _own(rows, "valid_from")))

    def frame(self, keys: Sequence[str]) -> Frame:
        """Return the frame of all rows."""
        for side in (self._keys, self._images):
            side.close()
        nothing = self._keys.schema({"valid_from": _VERSION["valid_from"]}).empty_table()
        by = pa.concat_tables([nothing, *self._by], promote_options="default")
        columns = self._keys.columns(by, keys)
        self._by = []
        places = by_key([*(columns[column_name((name,))] for name in keys), times(by.column("valid_from"))])
        order = np.arange(len(by)) if places is None else places
        return _frame(lambda numbers: self._part(numbers, keys), [order[at : at + PART] for at in _starts(len(order))])

    def _part(self, numbers: np.ndarray, keys: Sequence[str]) -> pd.DataFrame:
        kept = _VERSION | ({"scd_id": pa.string()} if self._own is SNAPSHOT else {})
        rows = self._spool.take(numbers, self._images.schema(kept))
        df = pd.DataFrame(self._images.columns(rows, keys), pd.RangeIndex(len(rows)))
        began, ended = (times(rows.column(name)) for name in ("valid_from", "valid_to"))
        if self._own is SNAPSHOT:
            values = {"dbt_scd_id": rows.column("scd_id").to_pandas(), "dbt_updated_at": began}
            values |= {"dbt_valid_from": began, "dbt_valid_to": ended}
        else:
            values = {name: rows.column(name).to_pandas() for name in ("version", "life", "ended_by")}
            values |= {"valid_from": began, "valid_to": ended, "is_current": ended.isna()}
        own = pd.DataFrame({name: values[name] for name in self._own}, df.index)
        return pd.concat([df, own.astype(dict(self._own))], axis="columns")


class Changes:
    """The rows of `changes.sql`: a frame of one row a change, by time; see `Workbench.changes`.

    Parameters
    ----------
    folder
        Where rows are kept that are too many for memory.
    threads
        With which images are read; without it, one a core.
    actor
        What is told of who made a change; without it, nothing is.
    """

    def __init__(
        self,
        *,
        numbers: Numbers,
        folder: Path | None = None,
        threads: int | None = None,
        actor: Actor | None = None,
    ) -> None:
        self._actor = actor
        self._keys = Images("key", threads=threads)
        self._sides = {side: Images(side, numbers, threads) for side in ("new", "old")}
        self._spool, self._times = Spool(folder), list[np.ndarray]()

    def add(self, rows: pa.Table) -> None:
        """Take in rows."""
        keys = rows.column("keys").combine_chunks().dictionary_encode()
        columns = {
            name: texts.take(keys.indices)
            for name, texts in self._keys.read(pa.chunked_array([keys.dictionary])).items()
        }
        for side, images in self._sides.items():
            columns |= images.read(rows.column(f"{side}_image"))
        table = pa.table(columns | _own(rows, *CHANGE)).sort_by("ts")
        self._times.append(pc.cast(table.column("ts"), pa.int64()).to_numpy())
        self._spool.add(table)

    def frame(self, keys: Sequence[str]) -> Frame:
        """Return the frame of all rows."""
        for side in (self._keys, *self._sides.values()):
            side.close()
        micros = np.concatenate([np.empty(0, "int64"), *self._times])
        order = np.argsort(micros, kind="stable")
        ascending, self._times = micros[order], []
        cuts = {int(np.searchsorted(ascending, ascending[at])) for at in range(0, len(order), PART)}  # between instants
        return _frame(lambda numbers: self._part(numbers, keys), np.split(order, sorted(cuts - {0})), ("ts",))

    def _part(self, numbers: np.ndarray, keys: Sequence[str]) -> pd.DataFrame:
        sides = (self._keys, *self._sides.values())
        rows = self._spool.take(
            numbers, pa.schema([*(field for side in sides for field in side.schema({})), *_CHANGE.items()])
        )
        last = (rows.column(name).to_pandas() for name in ("event_id", "event_name"))
        by = [times(rows.column("ts")), *self._keys.columns(rows, keys).values(), *last]
        if (order := by_key(by)) is not None:
            rows = rows.take(order)
        df = pd.DataFrame(self._keys.columns(rows, keys), pd.RangeIndex(len(rows)))
        changes = rows.select(list(CHANGE)).to_pandas()
        changes["ts"] = times(rows.column("ts"))
        changes = changes.astype(dict(CHANGE))
        held = {side: pd.DataFrame(images.columns(rows), df.index) for side, images in self._sides.items()}
        if self._actor:
            changes = self._actor.beside(changes, held["new"])
        parts: list[pd.DataFrame] = [beside_own(df, map(str, changes)), changes]
        parts += [attributes.add_prefix(f"{side}.") for side, attributes in held.items()]
        return pd.concat(parts, axis="columns")


def _places(columns: Mapping[str, pd.Series], keys: Sequence[str], rows: int) -> np.ndarray:
    order = by_key([columns[column_name((name,))] for name in keys])
    return np.arange(rows) if order is None else order


def _starts(rows: int) -> range:
    return range(0, rows, PART)


def _of(rows: pa.Table, *names: str) -> list[list[Any]]:
    return [rows.column(name).to_pylist() for name in names]


def _scd_id(key: str, began: datetime) -> str:
    """Return what tells a version of an item from all others, whenever it is asked."""
    return md5(f"{key}|{began.isoformat(timespec='microseconds')}".encode(), usedforsecurity=False).hexdigest()


def _own(rows: pa.Table, *names: str) -> dict[str, pa.ChunkedArray]:
    types = _STATE | _CHANGE | _VERSION | {"scd_id": pa.string()}
    return {name: rows.column(name).cast(types[name]) for name in names}


def _frame(make: Callable[[np.ndarray], pd.DataFrame], some: Sequence[np.ndarray], within: Sequence[str] = ()) -> Frame:
    """Make a frame of rows by their numbers: at once where they are few."""
    if len(some) <= 1:
        return make(some[0] if len(some) else np.empty(0, "int64"))
    return LargeFrame(lambda: map(make, some), sum(map(len, some)), make(some[0][:0]), within)
