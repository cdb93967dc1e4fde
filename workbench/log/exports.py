"""A table's exports to S3 as a baseline: choosing among them, and comparing their files with their manifests.

A window of
an incremental export includes its first instant and not its last
(https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_IncrementalExportSpecification.html).
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Protocol

from workbench.errors import ParameterError
from workbench.log.objects import read_lines, stored_object
from workbench.model.records import origin

SUMMARY, MANIFEST = "manifest-summary.json", "manifest-files.json"
"""The files in an export's folder that describe it, and that list its data files."""
_ANYWHERE: Mapping[str, str] = MappingProxyType({})
_NAMED = 5  # exports that a message names


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
    made: datetime | None = None
    """endTime, when it had been written, in UTC; None where no manifest says."""

    def __str__(self) -> str:
        """Write it in short: its kind, table and times."""
        since = f"{self.since:%Y-%m-%d %H:%M:%S} to " if self.since else ""
        return f"{self.kind}, of {self.table!r}, {since}{self.time:%Y-%m-%d %H:%M:%S} UTC"

    @property
    def instant(self) -> datetime:
        """The last instant whose changes it holds."""
        return self.time if self.since is None else self.time - timedelta(microseconds=1)

    def is_of(self, place: Mapping[str, str]) -> bool:
        """Return whether its ARN contradicts no aws_region and account_id of `place`."""
        own = origin(None, self.arn)
        return all(own[column] in (None, value) for column, value in place.items())


@dataclass(frozen=True)
class Baseline:
    """The state of a table at an instant: a full export, and the incremental ones that follow on."""

    exports: tuple[Export, ...]
    time: datetime
    """The last instant whose changes the state holds, in UTC."""
    problems: tuple[str, ...]


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
    file_problems = [problem for export in chain for problem in (*export.problems, *_misread(export))]
    return Baseline(tuple(chain), chain[-1].instant, (*file_problems, *problems))


def others(exports: Sequence[Export], table: str, place: Mapping[str, str] = _ANYWHERE) -> str:
    """Return words for the exports there are, where none is a table's state to begin with: its own, then the newest."""
    ordered = sorted(exports, key=lambda export: (export.table == table, export.time), reverse=True)
    other = f"while the log is of {' of '.join(place.values())}"
    elsewhere = (f" ({export.arn}, {other})" if not export.is_of(place) else "" for export in ordered)
    described = list(dict.fromkeys(f"{export}{note}" for export, note in zip(ordered, elsewhere, strict=True)))
    more = f"; and {len(described) - _NAMED:,} more" if len(described) > _NAMED else ""
    return "; ".join(described[:_NAMED]) + more


def _taken_for(export: Export, table: str) -> Export:
    """Take items of which nothing tells the table for those of one."""
    return export if export.table else replace(export, table=table)


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
                yield f"{export.folder.name}: {file.path.name} holds {items:,} items, {MANIFEST} says {file.items:,}"
            if file.md5 not in (None, md5):
                yield f"{export.folder.name}: {file.path.name} has the MD5 {md5}, {MANIFEST} says {file.md5}"


@lru_cache(maxsize=100_000)
def _measure(path: str, size: int, modified: int) -> tuple[str, int]:
    """Return the MD5 of a file and its lines; its size and time are there to tell it from what it was."""
    with open(path, "rb") as file:
        md5 = base64.b64encode(hashlib.file_digest(file, "md5").digest()).decode()
    return md5, sum(isinstance(line, bytes) and bool(line.strip()) for line in read_lines(stored_object(Path(path))))
