"""What the images of changes hold, computed by DuckDB without a Python call an image, and exactly.

It is looked for by leaves, as `workbench.engines.images` does; of images that are not proven to have no others, those
are learned in turn, and those that remain are read one by one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from typing import TYPE_CHECKING, Any

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc

from workbench.errors import RecordRefused
from workbench.model.attribute_schema import Held
from workbench.model.attributes import without_gc
from workbench.sql.attributes import Leaf, held_by, maps_of
from workbench.sql.templates import part

if TYPE_CHECKING:
    import duckdb

_FEW = 500  # images that are read one by one: DuckDB would not have begun by then
_SAMPLE = 200
_LOOKED_AT = 10_000  # images that the sample is taken of
_RARE = 0.01  # of the images: such leaves are not looked for, but learned from the images that have them
_MOST = 500  # leaves
_SPARSE = 8  # times the leaves an image has: each costs a look at every image
_ROUNDS = 5  # of learning
_ROWS = 200_000  # changes that are looked through at a time
_OTHERS = "images_that_are_not_proven"


def schema_of(
    con: duckdb.DuckDBPyConnection, changes: str, keys: Iterable[Mapping[str, str]] = (), known: Held | None = None
) -> Held:
    r"""Return what the images of changes hold, new and old ones, and their keys.

    Parameters
    ----------
    changes
        SQL of a relation of ``keys``, canonical, ``new_image`` and ``old_image``, DynamoDB JSON texts, null where there
        is none, however they are written, with a space before those whose binary is encoded twice. A few hundred
        thousand changes.
    keys
        The names and types of their keys, which count as attributes, also where no image tells them: not how often.
    known
        What similar changes hold, whose leaves are looked for first.

    Raises
    ------
    RecordRefused
        Where a text is not DynamoDB JSON.

    >>> import duckdb
    >>> changes = "(select '{\"n\":{\"N\":\"1\"}}' as new_image, null as old_image)"
    >>> schema_of(duckdb.connect(), changes).find(("n",)).kinds
    {'N': 1}
    """
    found = _held_by(con, f"({part('images_of_changes', changes=changes)}) as images", _usual(known) if known else [])
    for types in keys:
        held = Held({}, members={name: Held({kind: 0}) for name, kind in types.items()})
        if "N" in types.values():
            leaves = [Leaf((name,), kind) for name, kind in types.items()]
            held.merge(_held_by(con, f"(select keys as image, 1 as times from {changes} as log) as images", leaves))
            held.kinds.clear()
            for member in held.members.values():
                member.kinds = dict.fromkeys(member.kinds, 0)
        found.merge(held)
    return found


def schema_of_rows(con: duckdb.DuckDBPyConnection, changes: str, keys: Mapping[str, str]) -> Held:
    """Return what the images of many changes hold, as `schema_of` does, which looks through some at a time.

    Parameters
    ----------
    changes
        They have a ``row_id``, too.
    keys
        The names and types of their key.
    """
    held = Held()
    first, last = con.execute(f"select min(row_id), max(row_id) from {changes} as changes").fetchall()[0]
    for begin in range(first, last + 1, _ROWS) if first is not None else ():
        where = f"row_id between {begin} and {begin + _ROWS - 1}"
        held.merge(schema_of(con, f"(select * from {changes} as changes where {where})", [keys], held))
    return held


def shapes_to_schema(rows: pa.Table) -> Held:
    """Return what images hold of which ``shapes.sql`` tells the shapes.

    >>> shape = {"of_keys": False, "shape": '{"n":{"N":""}}', "images": 3, "digits": 0, "scale": 0, "int64": 1}
    >>> rows = [shape | {"position": 1}, shape | {"position": 2, "digits": 2, "scale": 1, "int64": 0}]
    >>> shapes_to_schema(pa.Table.from_pylist(rows)).find(("n",))
    Held(kinds={'N': 3}, digits=2, scale=1, int64=False, members={}, elements=None)
    """
    shapes: dict[tuple[bool, str], dict[int, dict[str, Any]]] = {}
    for row in rows.to_pylist():
        shapes.setdefault((row["of_keys"], row["shape"]), {})[row["position"]] = row
    found = Held()
    for (of_keys, shape), told in shapes.items():
        extents = ((told[at]["digits"], told[at]["scale"], told[at]["int64"] == 1) for at in sorted(told)[1:])
        times = 0 if of_keys else told[1]["images"]
        found.add_value({"M": orjson.loads(shape)}, times, extents)
    return found


def unknown_in(shapes: pa.Table) -> int:
    """Return how many changes do not say what they left, by what ``shapes.sql`` tells."""
    first = pc.equal(shapes.column("position"), 1)
    return int(pc.sum(pc.if_else(first, shapes.column("unknown"), 0)).as_py() or 0)


def _held_by(con: duckdb.DuckDBPyConnection, images: str, leaves: Sequence[Leaf]) -> Held:
    """Return what images hold, some leaves of which may be known."""
    some = con.sql(f"select image, times from {images} limit {_LOOKED_AT}").to_arrow_table()
    if len(some) < _FEW:
        return _read_singly(some)
    leaves = list(leaves) or _usual(_read_singly(_sample(some), of_use=True))
    if not leaves:
        return _read_singly(con.sql(f"select image, times from {images}").to_arrow_table())
    found = Held()
    try:
        for number in range(_ROUNDS):
            row = con.sql(held_by(images, leaves)).to_arrow_table()
            _take(found, leaves, row)
            some = _others(row)
            if len(some) < _FEW:
                break
            new = _usual(_read_singly(_sample(some), of_use=True), leaves)
            if number and not new:
                break
            leaves += new
            con.register(_OTHERS, some)
            images = f"(select coalesce(try(json(image)), image) as image, times from {_OTHERS}) as images"
    finally:
        con.unregister(_OTHERS)
    found.merge(_read_singly(some))
    return found


def _usual(held: Held, known: Collection[Leaf] = ()) -> list[Leaf]:
    """Return the leaves that are usual, and not known yet; none where there are too many for what an image has."""
    counts = dict(_leaves(held))
    usual = [leaf for leaf, times in counts.items() if leaf.readable and times > _RARE * held.count]
    new = sorted({*usual} - {*known})
    too_many = len(new) + len(known) > _SPARSE * max(1, sum(counts.values()) / max(1, held.count))
    return [] if too_many else new[: _MOST - len(known)]


def _leaves(held: Held, path: tuple[str, ...] = ()) -> Iterator[tuple[Leaf, int]]:
    """Yield the leaves, and how often each is there; a map only where it may be empty."""
    for name, member in held.members.items():
        filled = max((each.count for each in member.members.values()), default=0)
        for kind, times in member.kinds.items():
            if kind != "M" or times > filled:
                yield Leaf((*path, name), kind), times
        yield from _leaves(member, (*path, name))


def _take(found: Held, leaves: Sequence[Leaf], row: pa.Table) -> None:
    """Take in what images hold that were proven to have no other leaves."""
    told = {name: row.column(name)[0] for name in row.column_names if name != "others"}
    images = told["images"].as_py()
    if not images:
        return
    found.kinds["M"] = found.kinds.get("M", 0) + int(images)
    for number, path in enumerate(maps_of(leaves)):
        if times := told[f"map_{number}"].as_py():
            _add_times(found, path, "M", int(times))
    for number, leaf in enumerate(leaves):
        if not (times := told[f"times_{number}"].as_py()):
            continue
        if leaf.kind in ("L", "NS"):
            held = _at(found, leaf.path)
            with without_gc():
                for text, several in told[f"texts_{number}"].as_py():
                    once, _, value = text.partition(" ")
                    held.add_value({leaf.kind: orjson.loads(value)}, int(once) * several)
            continue
        held = _add_times(found, leaf.path, leaf.kind, int(times))
        if leaf.kind == "N":
            digits, scale, int64 = (told[f"{name}_{number}"].as_py() for name in ("digits", "scale", "int64"))
            if digits is not None:
                held.digits, held.scale = max(held.digits, digits), max(held.scale, scale)
                held.int64 = held.int64 and int64 and not scale
            for text in told[f"odd_{number}"].as_py() or ():
                held.add_number(orjson.loads(text))


def _add_times(found: Held, path: Sequence[str], kind: str, times: int) -> Held:
    held = _at(found, path)
    held.kinds[kind] = held.kinds.get(kind, 0) + times
    return held


def _at(found: Held, path: Sequence[str]) -> Held:
    for name in path:
        found = found.member(name)
    return found


def _others(row: pa.Table) -> pa.Table:
    """Return the images that were not proven, and their times."""
    others = row.column("others").combine_chunks().flatten()
    return pa.table({name: others.field(name) for name in ("image", "times")})


def _sample(images: pa.Table) -> pa.Table:
    return images.take(np.unique(np.linspace(0, len(images) - 1, _SAMPLE).astype("int64")))


def _read_singly(images: pa.Table, *, of_use: bool = False) -> Held:
    """Read images one by one; where that is only `of_use`, what is none is passed over."""
    found = Held()
    with without_gc():
        for image, times in zip(*(images.column(name).to_pylist() for name in ("image", "times")), strict=True):
            with suppress(RecordRefused) if of_use else nullcontext():
                found.add(image, int(times))
    return found
