"""The objects of a change log that there are under a folder, and what else lies among them.

What is no part of the log is told by name: a table of Delta, Iceberg or Hudi, an export, a placeholder of an object
that is not here. Nothing that could be data is passed over in silence.
"""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from workbench.errors import ParameterError, RecordRefused
from workbench.log.objects import Object, Unreadable, first_line, stored_object
from workbench.model.records import parse_objects, table_name
from workbench.paths import is_hidden, local_path

# Names with which programs mark what is theirs and no data.
_MARKS = re.compile(
    r"_SUCCESS|_started|_temporary|_tmp|_spark_metadata|_committed_.*|_common_metadata|_metadata|_symlink_format.*"
    r"|\.workbench|\.git|\.venv|\.Trash.*|\.ipynb_checkpoints|\.DS_Store|.*\.crc"
)
_UNFINISHED = (".crdownload", ".part", ".partial", ".filepart", ".download", ".tmp")
_PLACEHOLDER = ".icloud"
ADVICE = 'ask what is in S3 by engine="athena", or copy it here (aws s3 sync) and give the folder'
_COUNTED = 1_000  # passed-over files of a folder that are looked at
EXPORT = "a DynamoDB export, no change log: give it as the baseline (--baseline), or to reconcile --against"
_TABLES = {
    "_delta_log": "a Delta table, whose files also hold rows that were removed from it: ask it through Athena, or "
    "write what is live into a folder with the library deltalake",
    ".hoodie": "a Hudi table, whose files also hold rows that were replaced or removed: ask it through Athena",
    "metadata": "an Iceberg table, whose files also hold rows that were deleted from it: ask it through Athena, or "
    "write what is live into a folder with the library pyiceberg",
}
_EXPORT_ID = re.compile(r"\d{14}-[0-9a-f]{8}|\d{13}-[0-9a-f]{8}")


@dataclass(frozen=True)
class Listing:
    """What there is under a source."""

    objects: list[Object]
    foreign: tuple[Unreadable, ...] = ()
    """What is no part of the log, each named once."""
    notes: tuple[str, ...] = ()
    """What was passed over, and could be data."""


def list_objects(source: str | Path) -> list[Object]:
    """List the objects under a folder, or those a glob or a file path names, in path order."""
    return list_source(source).objects


def list_source(source: str | Path, known: Listing | None = None) -> Listing:
    """List the objects under a folder, or those a glob or a file path names, and what else there is.

    As Athena does, names that begin with a dot or an underscore are passed over, but for folders of tables that are
    called so. Links are followed, each folder once.

    Parameters
    ----------
    known
        What was listed before: objects that have not changed are not opened again.

    Raises
    ------
    ParameterError
        Where the source does not exist, or something in it may not be read.
    """
    root = local_path(source, ParameterError, ADVICE)
    finder = _Finder({item.path: item for item in known.objects} if known else {})
    if root.is_dir():
        if not (table := _table_above(root)):
            finder.walk(root)
        else:
            finder.foreign.append(table)
    else:
        named = [root] if root.is_file() else [Path(name) for name in glob.glob(str(root), recursive=True)]
        if not named and not glob.has_magic(str(root)):
            raise ParameterError(f"{source} does not exist: give a folder, file or glob of change logs")
        start, tables = len(root.parts) - 1, dict[Path, Unreadable | None]()
        for path in named:
            if path.parent not in tables:
                tables[path.parent] = _table_above(path.parent)
            if path.is_file() and (named == [root] or not any(is_hidden(part) for part in path.parts[start:])):
                if table := tables[path.parent]:
                    finder.foreign.append(table)
                else:
                    finder.add(path)
    return Listing(
        sorted(finder.objects, key=lambda item: Path(item.path)),
        tuple(dict.fromkeys(finder.foreign)),
        tuple(finder.notes()),
    )


def files_below(root: Path) -> Iterator[Path]:
    """Yield every file below a folder, or the file it is, in order of names; links are followed, each folder once.

    Raises
    ------
    ParameterError
        Where a folder may not be read.
    """
    waiting, seen = [root], set[tuple[int, int]]()
    while waiting:
        path = waiting.pop()
        if not path.is_dir():
            if path.is_file():
                yield path
            continue
        stat = path.stat()
        if (stat.st_dev, stat.st_ino) not in seen:
            seen.add((stat.st_dev, stat.st_ino))
            with suppress(FileNotFoundError), _readable(path), os.scandir(path) as scanned:
                names = sorted((entry.name for entry in scanned), reverse=True)
                waiting += [path / name for name in names]


class _Finder:
    """Collects what there is under a folder."""

    def __init__(self, known: Mapping[str, Object]) -> None:
        self._known = known
        self.objects: list[Object] = []
        self.foreign: list[Unreadable] = []
        self._passed: dict[Path, int] = {}
        self._unfinished: list[Path] = []
        self._seen: set[tuple[int, int]] = set()

    def add(self, path: Path) -> None:
        """Take a file up; one that vanishes meanwhile is not there."""
        with suppress(FileNotFoundError), _readable(path):
            if (item := stored_object(path, self._known.get(str(path)))).size:
                self.objects.append(item)

    def walk(self, root: Path) -> None:
        """Take up what lies under a folder: first what is in it, then what links in it lead to."""
        waiting = [root]
        while waiting:
            links: list[Path] = []
            for each in waiting:
                self._walk(each, each == root, links)
            waiting = links

    def notes(self) -> Iterator[str]:
        """Yield a line for each that was passed over."""
        for path, count in sorted(self._passed.items()):
            many = f"{count:,}{' or more' if count == _COUNTED else ''} object{'s' * (count > 1)} in "
            yield (
                f"passed over: {many if path.is_dir() else ''}{path}, whose name begins with {path.name[0]!r}: "
                "give that as the source if it is data"
            )
        if self._unfinished:
            first = min(self._unfinished)
            yield (
                f"passed over: {len(self._unfinished):,} that are not whole by their names, the first: {first}: "
                "wait for the copy to end, or rename them"
            )

    def _walk(self, folder: Path, top: bool, links: list[Path]) -> None:
        try:
            with _readable(folder), os.scandir(folder) as scanned:
                entries = sorted(scanned, key=lambda entry: entry.name)
            stat = folder.stat()
        except FileNotFoundError:
            return
        if (stat.st_dev, stat.st_ino) in self._seen:
            return
        self._seen.add((stat.st_dev, stat.st_ino))
        names = {entry.name for entry in entries}
        if table := _table_in(folder, names):
            self.foreign.append(table)
            return
        if names & {"manifest-summary.json", "manifest-files.json", "_started"}:
            self.foreign.append(Unreadable(str(folder), 0, EXPORT))
            return
        if any(_is_export(folder / name) for name in names if _EXPORT_ID.fullmatch(name)):
            entries = [entry for entry in entries if entry.name != "data"]  # incremental exports share that folder
        for entry in entries:
            path = folder / entry.name
            if is_hidden(entry.name):
                self._pass_over(path, top)
            elif entry.is_symlink() and entry.is_dir():
                links.append(path)
            elif entry.is_dir():
                self._walk(path, False, links)
            elif entry.name.endswith(_UNFINISHED):
                self._unfinished.append(path)
            elif entry.is_file():
                self.add(path)
            elif entry.is_symlink():
                why = "a link to a file that is not here: bring it, or remove the link"
                self.foreign.append(Unreadable(str(path), 0, why))

    def _pass_over(self, path: Path, top: bool) -> None:
        if path.name.endswith(_PLACEHOLDER):
            name = path.name[1 : -len(_PLACEHOLDER)]
            why = "not downloaded: iCloud keeps it elsewhere; download it (brctl download, or open its folder)"
            self.foreign.append(Unreadable(str(path.with_name(name)), 0, why))
        elif _MARKS.fullmatch(path.name):
            return
        elif path.is_dir():
            inside = _Finder(self._known)
            with suppress(ParameterError):
                inside.walk(path)
            if top and any(table_of(item) == path.name for item in inside.objects[:1]):  # DynamoDB allows such names
                self.objects += inside.objects
                self.foreign += inside.foreign
                self._passed |= inside._passed
                self._unfinished += inside._unfinished
            else:
                count = sum(map(_could_be_data, inside.objects[:_COUNTED])) + sum(inside._passed.values())
                if count:
                    self._passed[path] = min(count, _COUNTED)
        elif path.is_file():
            alone = _Finder(self._known)
            with suppress(ParameterError):
                alone.add(path)
            if any(map(_could_be_data, alone.objects)):
                self._passed[path] = 1


def table_of(item: Object) -> str | None:
    """Return the name of the table of an object's first record; None where it has none."""
    if item.format == "parquet":
        with suppress(pa.ArrowException, OSError):
            rows = pq.ParquetFile(item.path).iter_batches(1, columns=["table_name"])
            return next((row["table_name"] for batch in rows for row in batch.to_pylist()), None)
        return None
    first: Any = next(parse_objects(first_line(item)), None)
    with suppress(RecordRefused):
        return (first.get("table_name") or table_name(first)) if isinstance(first, dict) else None
    return None


def _is_export(folder: Path) -> bool:
    return (folder / "manifest-summary.json").is_file()


def _could_be_data(item: Object) -> bool:
    if item.format not in ("json", "binary"):
        return True
    with suppress(OSError), open(item.path, "rb") as file:
        return file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"[")
    return False


def _table_in(folder: Path, names: Iterable[str]) -> Unreadable | None:
    """Return what a folder is that is a table with a log of its own; None where it is none."""
    for name in set(names) & _TABLES.keys():
        if name != "metadata" or any((folder / name).glob("*.metadata.json")):
            return Unreadable(str(folder), 0, _TABLES[name])
    return None


def _table_above(folder: Path) -> Unreadable | None:
    """Return the table with a log of its own that a folder is part of; None where it is not."""
    for each in (folder, *folder.parents):
        if table := _table_in(each, [name for name in _TABLES if (each / name).is_dir()]):
            return table
    return None


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Raise a ParameterError for what cannot be read; what has vanished is for the caller to judge."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ParameterError(
            f"{path} cannot be read: {error.strerror or error}; get the right to read it, or name "
            "what is beside it by a glob"
        ) from error
