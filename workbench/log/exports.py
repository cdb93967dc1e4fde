"""A table's exports to S3 as a baseline: finding them and checking them.

Their form is that of "DynamoDB table export output format"
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html). A window of
an incremental export includes its first instant and not its last
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_IncrementalExportSpecification.html).
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol

from workbench.errors import ParameterError
from workbench.log.containers import items_of, values_of
from workbench.log.objects import Object, files_below, list_objects, read_lines, stored_object
from workbench.model.records import origin
from workbench.paths import is_s3, local_path

_SUMMARY, _MANIFEST = "manifest-summary.json", "manifest-files.json"
_EXPORTED = re.compile(r"0?(?P<millis>\d{13})-[0-9a-f]{8}")  # the folder of an export is named by when it began
_ANYWHERE: Mapping[str, str] = MappingProxyType({})
_NAMED = 5  # exports that are told of


class Mirror(Protocol):
    """A copy here of the exports under a prefix in S3, whose data files are empty until they are fetched."""

    @property
    def root(self) -> Path:
        """The folder."""

    def refresh(self) -> None:
        """Bring the manifests there are now."""

    def fetch(self, files: Iterable[Path]) -> None:
        """Bring the data of files that were listed."""


@dataclass(frozen=True)
class DataFile:
    """A data file, and what the manifest says of it."""

    path: Path
    items: int | None
    md5: str | None
    """Of the file as it is stored, in base64; None, as above, where no manifest says."""


@dataclass(frozen=True)
class Export:
    """One finished export of a table."""

    folder: Path
    table: str
    arn: str
    table_id: str
    """Another one where a table was removed and made again under its name."""
    kind: Literal["full", "incremental"]
    time: datetime
    """exportTime, or the end of an incremental export's window, exportToTime; in UTC."""
    since: datetime | None
    """The beginning of an incremental export's window, exportFromTime."""
    items: int
    files: tuple[DataFile, ...]
    problems: tuple[str, ...]
    """What its manifests and its folder tell without reading the data; `choose` reads it."""
    mirror: Mirror | None = field(default=None, repr=False, compare=False)
    """Brings its data files, where it is in S3."""

    def __str__(self) -> str:
        """Write it in short: its kind, table and times."""
        since = f"{self.since:%Y-%m-%d %H:%M:%S} to " if self.since else ""
        return f"{self.kind}, of {self.table!r}, {since}{self.time:%Y-%m-%d %H:%M:%S} UTC"

    @property
    def instant(self) -> datetime:
        """The last instant whose changes it holds."""
        return self.time if self.since is None else self.time - timedelta(microseconds=1)

    def is_of(self, place: Mapping[str, str]) -> bool:
        """Tell whether its ARN contradicts no aws_region and account_id."""
        own = origin(None, self.arn)
        return all(own[column] in (None, value) for column, value in place.items())


@dataclass(frozen=True)
class Baseline:
    """The state of a table at an instant: a full export, and the incremental ones that follow on."""

    exports: tuple[Export, ...]
    time: datetime
    """The last instant whose changes the state holds, in UTC."""
    problems: tuple[str, ...]


def find_exports(source: str | Path, mirror: Mirror | None = None) -> list[Export]:
    """Find the finished exports under a folder, or the one that it is, ordered by time.

    Those under an ``s3://`` prefix are found in a `mirror` of it; `choose` brings the data of what it chooses.

    A bucket may have been synced without the first parts of its keys: data files are found by name, in
    the export's ``data`` folder or, for incremental exports, in the one beside it.

    Raises
    ------
    ParameterError
        Where there is none, a manifest is damaged, or an export is in Amazon Ion.
    """
    if mirror:
        mirror.refresh()
        root = mirror.root
    elif is_s3(source):
        raise ParameterError(f'{source} is in S3: sync it and give the folder, or ask by engine="athena"')
    else:
        root = local_path(source)
    files = list(files_below(root))
    if found := [path for path in files if path.name == _SUMMARY]:
        each = (_export(summary, mirror) for summary in found)
        return sorted(each, key=lambda export: (export.time, export.instant, export.folder))
    if started := next((path for path in files if path.name == "_started"), None):
        raise ParameterError(
            f"the export {started.parent} has not finished: it has no {_SUMMARY} yet; sync the folder again when it has"
        )
    if backup := _backup(root):
        return [backup]
    raise ParameterError(
        f"{source} holds no export of a table to S3, for there is no {_SUMMARY} in it, and no file of "
        "items: give an export's folder, AWSDynamoDB/EXPORT-ID, or one above it, synced from S3, or "
        "what `aws dynamodb scan` printed"
    )


def choose(
    exports: Sequence[Export], table: str, at: datetime | None = None, place: Mapping[str, str] = _ANYWHERE
) -> Baseline | None:
    """Choose the newest state of a table at or before an instant (None: the newest), and check its files.

    That is the newest full export, and after it every incremental export whose window begins where the
    state so far ends, or before. The data files are read once, to compare them with their manifests. A table of
    another Region or account than those of `place` is another one.

    Raises
    ------
    ParameterError
        Where the exports are of several tables of that name.
    """
    exports = [_taken_for(export, table) for export in exports]
    own = [
        export
        for export in exports
        if export.table == table and export.is_of(place) and (at is None or export.instant <= at)
    ]
    if len(arns := sorted({export.arn for export in own})) > 1:
        raise ParameterError(
            f"there are exports of {len(arns)} tables {table!r}: {', '.join(arns)}; name the folder of one of them"
        )
    full = max((export for export in own if export.since is None), key=lambda export: export.time, default=None)
    if full is None:
        return None
    later = [(export.since, export) for export in own if export.since and export.table_id == full.table_id]
    chain, problems = [full], []
    while following := [
        (since, export.time, export) for since, export in later if since <= chain[-1].time < export.time
    ]:
        since, _, export = max(following, key=lambda each: each[:2])
        if since < (end := chain[-1].time):
            # An item made and removed within one window is in no export of it.
            problems.append(
                f"{export.folder.name}: begins at {since}, before the state it follows on ends, at {end}: "
                "an item made between the two and removed after them is still counted"
            )
        chain.append(export)
    problems += [
        f"{export.folder.name}: not joined on, for it begins at {since} and the state before it ends at "
        f"{chain[-1].time}: an incremental export of the time between is missing"
        for since, export in later
        if since > chain[-1].time
    ]
    for export in chain:
        if export.mirror:
            export.mirror.fetch(file.path for file in export.files)
    found = [problem for export in chain for problem in (*export.problems, *_misread(export))]
    return Baseline(tuple(chain), chain[-1].instant, (*found, *problems))


def others(exports: Sequence[Export], table: str, place: Mapping[str, str] = _ANYWHERE) -> str:
    """Say which exports there are where none is a table's state to begin with: its own first, then the newest."""
    ordered = sorted(exports, key=lambda export: (export.table == table, export.time), reverse=True)
    other = f"while the log is of {' of '.join(place.values())}"
    told = list(
        dict.fromkeys(str(export) + ("" if export.is_of(place) else f" ({export.arn}, {other})") for export in ordered)
    )
    return "; ".join(told[:_NAMED]) + (f"; and {len(told) - _NAMED:,} more" if len(told) > _NAMED else "")


def _backup(root: Path) -> Export | None:
    """Take the files of items under a folder, or one, for an export whose manifests are not there."""
    listed = list_objects(root)
    files = [item for item in listed if item.format not in ("parquet", "orc") and _holds_items(item)]
    if not files:
        return None
    told = [_EXPORTED.fullmatch(part) for item in files for part in Path(item.path).parts]
    times = [int(found["millis"]) / 1e3 for found in told if found] or [item.modified / 1e9 for item in files]
    time = datetime.fromtimestamp(max(times), UTC)
    by = "the name of its folder" if any(told) else "when its newest file was written"
    problems = [
        f"{root.name}: items without a manifest: that they are of this table and are all of them is not known, "
        f"and they are taken to be its state at {time:%Y-%m-%d %H:%M:%S} UTC, {by}"
    ]
    problems += [
        f"{root.name}: {Path(item.path).name} is no file of items, and not read" for item in listed if item not in files
    ]
    named = tuple(DataFile(Path(item.path), None, None) for item in files)
    return Export(root, "", "", "", "full", time, None, 0, named, tuple(problems))


def _holds_items(item: Object) -> bool:
    _, first = next(values_of(read_lines(item)), (0, None))
    return any(isinstance(each, dict) and isinstance(each.get("Item"), dict) for each in islice(items_of(first), 1))


def _taken_for(export: Export, table: str) -> Export:
    """Take items of which nothing tells the table for those of one."""
    return export if export.table else replace(export, table=table)


def _export(summary: Path, mirror: Mirror | None) -> Export:
    folder = summary.parent
    try:
        told = json.loads(summary.read_bytes())
        if told["outputFormat"] != "DYNAMODB_JSON":
            raise ParameterError(
                f"the export {folder} is in the format {told['outputFormat']}, which cannot be read: "
                "export the table as DynamoDB JSON"
            )
        table = re.fullmatch(r"arn:.*:table/([^/]+)", told["tableArn"])
        incremental = told.get("exportType") == "INCREMENTAL_EXPORT" or told.get("exportFromTime") is not None
        since = _time(told["exportFromTime"]) if incremental else None
        time, items = _time(told["exportToTime" if incremental else "exportTime"]), int(told["itemCount"])
        entries = [json.loads(line) for line in (folder / _MANIFEST).read_bytes().splitlines() if line.strip()]
        files = tuple(
            DataFile(_found(folder, entry["dataFileS3Key"]), int(entry["itemCount"]), entry.get("md5Checksum"))
            for entry in entries
        )
        if not table:
            raise ValueError(f"tableArn is {told['tableArn']!r}")
        return Export(
            folder,
            table[1],
            told["tableArn"],
            str(told.get("tableId")),
            "incremental" if incremental else "full",
            time,
            since,
            items,
            files,
            tuple(_mismatches(folder, items, files)),
            mirror,
        )
    except ParameterError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"no {error}" if isinstance(error, KeyError) else error
        raise ParameterError(
            f"the manifests of the export {folder} cannot be read: {why}; sync the folder again"
        ) from error


def _time(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _found(folder: Path, key: str) -> Path:
    name = key.rpartition("/")[2]
    places = [folder / "data" / name, folder.parent / "data" / name, folder / name]
    return next((path for path in places if path.is_file()), places[0])


def _mismatches(folder: Path, items: int, files: Sequence[DataFile]) -> Iterator[str]:
    """Say where the manifests, and the files there are, do not agree."""
    for file in files:
        if not file.path.is_file():
            yield f"{folder.name}: the data file {file.path.name}, of {file.items or 0:,} items, is missing"
    if unchecked := [file for file in files if file.md5 is None]:
        yield (
            f"{folder.name}: {_MANIFEST} has no MD5 of {len(unchecked):,} data files, the first: "
            f"{unchecked[0].path.name}: whether they are whole is told by their number of items only"
        )
    if (total := sum(file.items or 0 for file in files)) != items:
        yield f"{folder.name}: {_SUMMARY} counts {items:,} items, {_MANIFEST} {total:,}"
    named = {file.path.name for file in files}
    for path in sorted((folder / "data").glob("*")):  # the folder that incremental exports share holds files of others
        if path.name not in named and path.is_file() and not path.name.startswith("."):
            yield f"{folder.name}: the data file {path.name} is not named by {_MANIFEST}, and not read"


def _misread(export: Export) -> Iterator[str]:
    """Compare the data files with what the manifest says of them."""
    files = [file for file in export.files if file.items is not None and file.path.is_file()]
    with ThreadPoolExecutor() as pool:
        stats = [file.path.stat() for file in files]
        measures = pool.map(
            _measure,
            [str(file.path) for file in files],
            [stat.st_size for stat in stats],
            [stat.st_mtime_ns for stat in stats],
        )
        for file, (md5, items) in zip(files, measures, strict=True):
            if items != file.items:
                yield f"{export.folder.name}: {file.path.name} holds {items:,} items, {_MANIFEST} says {file.items:,}"
            if file.md5 not in (None, md5):
                yield f"{export.folder.name}: {file.path.name} has the MD5 {md5}, {_MANIFEST} says {file.md5}"


@lru_cache(maxsize=100_000)
def _measure(path: str, size: int, modified: int) -> tuple[str, int]:
    """Return the MD5 of a file and its lines; its size and time are there to tell it from what it was."""
    with open(path, "rb") as file:
        md5 = base64.b64encode(hashlib.file_digest(file, "md5").digest()).decode()
    return md5, sum(isinstance(line, bytes) and bool(line.strip()) for line in read_lines(stored_object(Path(path))))
