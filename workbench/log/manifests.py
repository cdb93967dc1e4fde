"""Manifests: which objects of a log something stands on that is kept beside it, and what was in them.

A manifest is a Parquet file, a row an object, with the rest as JSON in its metadata. It is written last, whole or not
at all: what has none is not there.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from workbench.errors import StoreError
from workbench.log.contents import Part
from workbench.log.files import Files
from workbench.log.objects import Stamp, Unreadable
from workbench.model.attribute_schema import Held


@dataclass(frozen=True)
class Log:
    """Where a log is."""

    source: str
    """What it is told from others of the same name by; '' is the embedded lake's, wherever that is."""
    root: str
    """What its objects' paths begin with."""


class Manifested(Protocol):
    """What a manifest tells of everything that is kept of a log."""

    @property
    def log(self) -> Log:
        """Of which log."""

    @property
    def table(self) -> str:
        """Of which table."""

    @property
    def bytes(self) -> int:
        """Size of what is kept."""

    @property
    def objects(self) -> frozenset[Stamp]:
        """The objects it stands on."""

    @property
    def unreadable(self) -> tuple[Unreadable, ...]:
        """Their lines that are no change record."""

    @property
    def contents(self) -> tuple[Part, ...]:
        """What they hold."""

    @property
    def held(self) -> Held | None:
        """What all their images hold, where that is known."""


class DamagedManifest(StoreError):
    """A manifest that is there, and cannot be understood."""


@dataclass(frozen=True)
class Manifest:
    """A manifest that was read."""

    about: Mapping[str, Any]
    """All that it tells."""
    objects: frozenset[Stamp]
    unreadable: tuple[Unreadable, ...]
    contents: tuple[Part, ...]
    held: Held | None


def write_manifest(files: Files, uri: str, kept: Manifested, kind: str, more: Mapping[str, Any]) -> None:
    """Write down what something stands on, and `more` about it.

    Parameters
    ----------
    kind
        What is kept, by the verb that makes it: ``checkpoint`` or ``compact``.
    """
    root = kept.log.root
    metadata = {
        "table": kept.table,
        "source": kept.log.source,
        "bytes": kept.bytes,
        "contents": [(*astuple(each)[:-2], each.first.isoformat(), each.last.isoformat()) for each in kept.contents],
        "unreadable": [(each.object.removeprefix(root), each.line, each.reason) for each in kept.unreadable],
        "held": kept.held and kept.held.to_json(),
        **more,
    }
    rows_by_path = sorted((path.removeprefix(root), *rest) for path, *rest in kept.objects)
    columns = list(zip(*rows_by_path, strict=True))
    schema = pa.schema({"path": pa.string(), "size": pa.int64(), "modified": pa.int64()}, {kind: json.dumps(metadata)})
    rows = pa.table(
        [pa.array(column, type_) for column, type_ in zip(columns, schema.types, strict=True)], schema=schema
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, uri.rpartition("/")[2])
        pq.write_table(rows, path, compression="zstd")
        files.put(path, uri)


def read_manifest(files: Files, place: str, name: str, log: Log, kind: str) -> Manifest | None:
    """Read the manifest of what is in a place; None where it is of another log, or was removed since it was found.

    Raises
    ------
    DamagedManifest
        Where it is none, or not whole.
    StoreError
        Where it cannot be read.
    """
    try:
        with files.opened(place + name) as path:
            rows = pq.read_table(path, partitioning=None)
        about = json.loads(rows.schema.metadata[kind.encode()])
    except (StoreError, OSError):
        if name in files.list(place):
            raise
        return None
    except (pa.ArrowException, KeyError, TypeError, ValueError) as error:
        raise DamagedManifest(
            f"the {kind} {place} is damaged: {str(error).splitlines()[0]}; remove it, and make a new one by "
            f"`workbench {kind}`"
        ) from error
    if about["source"] != log.source or "contents" not in about:
        return None
    columns = (column.to_pylist() for column in rows.columns)
    return Manifest(
        about,
        frozenset((log.root + path, *rest) for path, *rest in zip(*columns, strict=True)),
        tuple(Unreadable(log.root + path, line, why) for path, line, why in about["unreadable"]),
        tuple(Part(*rest, *map(datetime.fromisoformat, (first, last))) for *rest, first, last in about["contents"]),
        Held.from_json(about["held"]) if about.get("held") else None,
    )


def unreadable_by_path(lines: Iterable[Unreadable]) -> dict[str, tuple[Unreadable, ...]]:
    """Sort lines by their objects.

    >>> list(unreadable_by_path([Unreadable("a.json", 3, "not JSON"), Unreadable("a.json", 5, "not JSON")]))
    ['a.json']
    """
    found: dict[str, tuple[Unreadable, ...]] = {}
    for each in lines:
        found[each.object] = (*found.get(each.object, ()), each)
    return found
