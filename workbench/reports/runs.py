"""The runs of reports, where they are kept: ``OUT/NAME/2026-11-20T06-00-00Z/``, and ``OUT/index.html`` over all.

A run is made in a scratch folder and published whole: in a folder of this machine by one rename, in S3 with its
``run.json`` last, so that a folder without one is no run. Nothing of a run is ever replaced. Whatever writes an index
reads all runs for it, and two at once lose none.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from pydantic import ValidationError

from workbench import paths
from workbench.config import Settings
from workbench.errors import ExportError, NotPublished, StoreError
from workbench.lock import is_free, locked
from workbench.reports.record import RunRecord
from workbench.text import file_name, plain

if TYPE_CHECKING:
    import boto3

    from workbench.aws.files import S3Files

RECORD, PAGE, NOTEBOOK, INDEX = "run.json", "report.html", "notebook.ipynb", "index.html"
_PART = ".part"
_LOCK = ".reports.lock"
_AT_ONCE = 16  # records that are read from S3
_TRIES = 50  # that others may have written the index before
_STALE = timedelta(days=1)  # after which a file that was to become another is nobody's any more

Index = Callable[[Sequence[RunRecord], Sequence[str]], str]
"""Makes a page of all runs, and of a line on each ``run.json`` that cannot be read."""


@dataclass
class Scratch:
    """A run that is being made.

    Attributes
    ----------
    name, run
        Its folders once it is published.
    folder
        Where it is made.
    """

    name: str
    run: str
    folder: Path


class Runs(ABC):
    """The runs of reports below one place.

    Parameters
    ----------
    out
        That place.
    """

    def __init__(self, out: Path | str) -> None:
        self.out = out

    @staticmethod
    def of(out: str | Path, settings: Settings) -> Runs:
        """Open a place: a folder of this machine, or with ``engine="athena"`` one in S3.

        Raises
        ------
        ExportError
            When it is in S3 and the engine is not Athena, or it is no place at all.
        """
        session = _session(out, settings)
        index = paths.beneath(out, INDEX, session)
        if isinstance(index, Path):
            return LocalRuns(index.parent)
        assert session  # paths.beneath saw to it
        return S3Runs(index.removesuffix(f"/{INDEX}"), session)

    @abstractmethod
    def refuse(self) -> None:
        """Refuse a place that cannot be written to, as far as that can be told without writing a run.

        Raises
        ------
        NotPublished
            Saying why.
        """

    @abstractmethod
    def begin(self, name: str, started: datetime) -> AbstractContextManager[Scratch]:
        """Hand out a folder to make a run in, which goes when the block ends, and a name that no other run has."""

    @abstractmethod
    def publish(self, scratch: Scratch, finish: Callable[[], None]) -> Path | str:
        """Publish all files in a scratch folder, and return the folder of the run.

        Parameters
        ----------
        finish
            Writes what names the run, its ``run.json`` too; called again where its name had to change.

        Raises
        ------
        NotPublished
            Where that failed: nothing is a run then.
        """

    @abstractmethod
    def records(self) -> tuple[list[RunRecord], list[str]]:
        """Return the records of all runs, the oldest first, and a line on each ``run.json`` that cannot be read."""

    @abstractmethod
    def write_index(self, index: Index) -> Path | str:
        """Write the index anew, of all runs, and return where it is.

        Raises
        ------
        NotPublished
            Where it cannot be written.
        """


class LocalRuns(Runs):
    """Runs in a folder of this machine."""

    out: Path

    def refuse(self) -> None:
        """Write, and remove, a file; where a run is, nothing may be added."""
        place = self.out.absolute()
        above = (place, *place.parents)
        if run := next((each for each in above if (each / RECORD).is_file() and (each / PAGE).is_file()), None):
            raise NotPublished(f"{self.out} is in a run, {run}, to which nothing is added: give a folder of its own")
        with _refusing(self.out), self._alone(), tempfile.TemporaryFile(dir=self.out) as probe:
            probe.write(b"\n")

    @contextmanager
    def begin(self, name: str, started: datetime) -> Iterator[Scratch]:
        """Make it beside where it will be, hidden, and held as long as this process runs."""
        folder = self.out / _folder_of(name)
        with ExitStack() as held:
            with _refusing(self.out), self._alone():
                self._sweep()
                folder.mkdir(parents=True, exist_ok=True)
                run = next(
                    each for each in _names(started) if not (_there(folder / each) or _there(_part_of(folder / each)))
                )
                part = _part_of(folder / run)
                part.mkdir()
                held.callback(self._discard, folder)
                held.callback(shutil.rmtree, part, ignore_errors=True)
                held.enter_context(locked(part / "held", f"making {run}"))
                (part / "run").mkdir()
            yield Scratch(folder.name, run, part / "run")

    def publish(self, scratch: Scratch, finish: Callable[[], None]) -> Path:
        """Rename its folder."""
        target = self.out / scratch.name / scratch.run
        with _refusing(target):
            finish()
            for path in sorted(scratch.folder.rglob("*"), reverse=True):
                paths.flush_to_disk(path)
            paths.flush_to_disk(scratch.folder)
            os.rename(scratch.folder, target)
            paths.flush_to_disk(target.parent)
        return target

    def records(self) -> tuple[list[RunRecord], list[str]]:
        """Read each ``NAME/RUN/run.json``."""
        records, problems = list[RunRecord](), list[str]()
        for path in sorted(self.out.glob(f"*/*/{RECORD}")):
            if path.parts[-2].startswith(".") or path.parts[-3].startswith("."):
                continue
            try:
                text = path.read_bytes()
            except OSError as error:
                problems.append(_problem(path.relative_to(self.out).as_posix(), error.strerror or str(error)))
                continue
            _read(text, path.relative_to(self.out).as_posix(), records, problems)
        return sorted(records, key=_place), problems

    def write_index(self, index: Index) -> Path:
        """Write it while nobody else does."""
        path = self.out / INDEX
        with _refusing(path), self._alone():
            text = index(*self.records())
            with paths.write_atomically(path) as part:
                part.write_text(text, encoding="utf-8")
        return path

    @contextmanager
    def _alone(self) -> Iterator[None]:
        self.out.mkdir(parents=True, exist_ok=True)
        with locked(self.out / _LOCK, f"writing reports to {self.out}"):
            yield

    def _sweep(self) -> None:
        """Remove what processes left that were killed: runs, and files like the index that were to become others."""
        for part in self.out.glob(f"*/.????-??-??T??-??-??Z*{_PART}"):
            if is_free(part / "held"):
                shutil.rmtree(part, ignore_errors=True)
        for part in self.out.glob(paths.UNFINISHED):  # answers may be written to this folder, too, at this moment
            with suppress(OSError):
                if datetime.now(UTC) - datetime.fromtimestamp(part.stat().st_mtime, UTC) > _STALE:
                    part.unlink()

    def _discard(self, folder: Path) -> None:
        """Remove the folder of a report that has no run, and in which nobody begins one now."""
        with suppress(OSError, StoreError), self._alone():
            folder.rmdir()


class S3Runs(Runs):
    """Runs below a place in S3."""

    out: str

    def __init__(self, out: str, session: boto3.Session) -> None:
        super().__init__(out)
        self._session = session

    def refuse(self) -> None:
        """Do nothing: who may write cannot be told without writing."""

    @contextmanager
    def begin(self, name: str, started: datetime) -> Iterator[Scratch]:
        """Make it in a temporary folder, under the name that it has if nobody takes that first."""
        folder = paths.process_folder(Path(tempfile.gettempdir()), "workbench-report-")
        try:
            (folder / "run").mkdir()
            yield Scratch(_folder_of(name), next(_names(started)), folder / "run")
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def publish(self, scratch: Scratch, finish: Callable[[], None]) -> str:
        """Put each file where none is yet, ``run.json`` last; the first of them takes the name."""
        began = datetime.strptime(scratch.run, _FORMAT)
        for run in _names(began):
            scratch.run = run
            with _refusing(scratch.folder):
                finish()
            files = sorted(
                (path for path in scratch.folder.rglob("*") if path.is_file()),
                key=lambda path: (path.name == RECORD, path.name == PAGE, path.name != NOTEBOOK, path),
            )
            place = f"{self.out}/{scratch.name}/{run}"
            try:
                for path in files:
                    uri = f"{place}/{path.relative_to(scratch.folder).as_posix()}"
                    if path is files[0]:
                        if not self._files.replace(uri, path.read_bytes(), None):
                            break
                    else:
                        self._files.put(path, uri, overwrite=False)
                else:
                    return place
            except ExportError as error:
                raise NotPublished(f"{place} is not published: {error}") from error
        raise AssertionError("names do not end")

    def records(self) -> tuple[list[RunRecord], list[str]]:
        """Read each ``NAME/RUN/run.json``, several at once."""
        records, problems = list[RunRecord](), list[str]()
        names = [
            name for name in self._files.list(f"{self.out}/") if name.count("/") == 2 and name.endswith(f"/{RECORD}")
        ]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for name, text in zip(names, pool.map(self._text, names), strict=True):
                if text is not None:
                    _read(text, name, records, problems)
        return sorted(records, key=_place), problems

    def _text(self, name: str) -> bytes | None:
        """Read an object; None where it was removed since it was listed."""
        try:
            return self._files.read(f"{self.out}/{name}")
        except ExportError:
            if self._files.version(f"{self.out}/{name}") is None:
                return None
            raise

    def write_index(self, index: Index) -> str:
        """Write it where nobody else has since its runs were listed, else list them again."""
        uri = f"{self.out}/{INDEX}"
        try:
            for _ in range(_TRIES):
                version = self._files.version(uri)
                if self._files.replace(uri, index(*self.records()).encode(), version):
                    return uri
        except ExportError as error:
            raise NotPublished(f"the index is not written: {error}") from error
        raise NotPublished(f"{uri}: others write it all the time; `workbench report index` writes it anew")

    @property
    def _files(self) -> S3Files:
        from workbench.aws.files import S3Files

        return S3Files(self._session, ExportError)


_FORMAT = "%Y-%m-%dT%H-%M-%SZ"


def _folder_of(name: str) -> str:
    """Return the folder of a report; that of a name which is one already, as of a run that is made again, is itself.

    >>> _folder_of("a/b"), _folder_of("a%2Fb")
    ('a%2Fb', 'a%2Fb')
    """
    return name if name in (file_name(unquote(name)), file_name("")) else file_name(name)


def _names(started: datetime) -> Iterator[str]:
    """Yield the names that a run may have: by its second, and where that is taken, with a number.

    >>> names = _names(datetime(2026, 11, 20, 6))
    >>> next(names), next(names)
    ('2026-11-20T06-00-00Z', '2026-11-20T06-00-00Z-2')
    """
    name = started.strftime(_FORMAT)
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def _part_of(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}{_PART}")


def _there(path: Path) -> bool:
    return os.path.lexists(path)


def _place(record: RunRecord) -> tuple[datetime, str, str]:
    """Tell the place of a run among all, the oldest first."""
    return record.started, record.name, record.run


def _read(text: bytes, name: str, records: list[RunRecord], problems: list[str]) -> None:
    """Read a record, which must be that of the folder it lies in."""
    try:
        record = RunRecord.model_validate_json(text)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        problems.append(_problem(name, f"{where}: {first['msg']}" if where else first["msg"]))
        return
    if name != f"{record.name}/{record.run}/{RECORD}":
        problems.append(_problem(name, f"it is that of {record.name}/{record.run}"))
        return
    records.append(record)


def _problem(name: str, why: str) -> str:
    return plain(f"{name} is no record of a run: {why}"[:500])


@contextmanager
def _refusing(place: Path) -> Iterator[None]:
    """Say what cannot be written, and why."""
    try:
        yield
    except (OSError, StoreError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        if isinstance(error, FileExistsError):
            why = "there is a file, or a link that leads nowhere, of that name"
        raise NotPublished(f"{place} cannot be written: {why or error}") from error


def _session(out: str | Path, settings: Settings) -> boto3.Session | None:
    """Return the session with which reports are written to S3; None where they are not, or nobody set it up."""
    if not paths.is_s3(out) or settings.engine != "athena":
        return None
    from workbench.aws.session import open_session  # awswrangler, which takes a second to import

    return open_session(settings)
