"""The journal of a plan that is applied: what was tried, and what came of it.

Before writes are sent, a line says which are tried; after they were, lines say what came of each, and both are on disk
before anything follows. So whatever ends the process, the next one knows: what was not tried is to be sent; what was
tried and has no result may be written, and is sent again, by the same condition; what has a result is done.

Every line begins with a checksum of the rest. What a killed process left of a line at the end is cut off.

A journal lies beside its plan, ``PLAN.jsonl.journal``, and `register` notes where, so that later undos of the table
find which changes are an undo's own. It holds images, exactly: its user alone may read it.
"""

from __future__ import annotations

import json
import os
import zlib
from array import array
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Literal

import orjson

from workbench.errors import ParameterError, StoreError
from workbench.lock import locked
from workbench.model.canonical import canonical_keys
from workbench.model.item_writes import Write
from workbench.paths import flush_to_disk
from workbench.text import file_name
from workbench.undo.plan_file import Line, Plan

FORMAT = 1
SLACK = timedelta(minutes=5)
"""How far clocks may be apart: of this machine, and of where the table is."""
Status = Literal["written", "written before", "merged again", "already so", "changed meanwhile", "refused"]
STATUSES: tuple[Status, ...] = (
    "written",
    "written before",
    "merged again",
    "already so",
    "changed meanwhile",
    "refused",
)
"""What comes of a line: written; seen to be written by a process that could not say so any more; written as far as
nobody else had changed the same; as it is to be without us; left alone, since another has changed it; refused by the
table."""
_BEGINS = b' {"journal":'  # after its checksum, how the first line of a journal begins
_UNTRIED, _TRIED, _ENDED = 0, 1, 2  # and from there on, the places of STATUSES


def journal_of(plan: Path) -> Path:
    """Return where the journal of a plan lies, where nobody says otherwise.

    >>> journal_of(Path("plan.jsonl")).name
    'plan.jsonl.journal'
    """
    return plan.with_name(f"{plan.name}.journal")


def write_id(plan: str, line: int) -> str:
    """Name a line of a plan, by which a plan that takes it back says so.

    >>> write_id("9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", 7)
    'undo:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08:7'
    """
    return f"undo:{plan}:{line}"


@dataclass(frozen=True, slots=True)
class Wrote:
    """A write that was made for a line of a plan."""

    write: Write | None
    """None where it is the one planned."""
    left: str | None
    """The digest of the whole item it left (`workbench.model.canonical.image_digest`), '' of one that is gone; None
    where that is not known, since another has changed the item before we could look."""
    old: Mapping[str, Any] | None = None
    """Of a Delete: the item it removed."""

    def as_json(self) -> dict[str, Any]:
        """Return it as the journal has it."""
        told: dict[str, Any] = {"left": self.left}
        if self.write is not None:
            told["write"] = self.write.element()
        return told | ({"old": self.old} if self.old is not None else {})

    @classmethod
    def of_json(cls, told: Mapping[str, Any]) -> Wrote:
        """Read what `as_json` wrote."""
        write = Write.read(told["write"]) if "write" in told else None
        return cls(write, told["left"], told.get("old"))


@dataclass(frozen=True, slots=True)
class Pending:
    """A line whose condition failed, and that was merged again: what is written, and what is to be."""

    round: int
    wrote: tuple[Wrote, ...]
    writes: tuple[Write, ...]


@dataclass(frozen=True, slots=True)
class Ended:
    """What came of a line."""

    line: Line
    status: Status
    why: str
    """Why it is not written, without a value; '' where there is nothing to say."""
    wrote: tuple[Wrote, ...]
    tried: datetime
    ended: datetime
    units: float


@dataclass(frozen=True, slots=True)
class OwnWrite:
    """A write of an undo, by which a change in the log is known to be the undo's own.

    Attributes
    ----------
    plan, line
        Which line of which plan (its SHA-256) it was made for.
    key
        The item's, canonical DynamoDB JSON.
    left
        The digest of the whole item it left, '' of one that is gone; None where it is not known.
    tried, ended
        Between which instants it was made, UTC.
    takes_back
        What it took back: event_ids, or `write_id` of another undo's writes.
    """

    plan: str
    line: int
    key: str
    left: str | None
    tried: datetime
    ended: datetime
    takes_back: frozenset[str]

    def made(self, key: str, left: str, ts: datetime) -> bool:
        """Return whether a change of this item, that left an image of this digest then, is this write."""
        return key == self.key and left == self.left and self.tried - SLACK <= ts <= self.ended + SLACK


class Journal:
    """The journal of one plan, open; `opened` makes it.

    Attributes
    ----------
    path
        Its file.
    table_id
        The TableId of the table that the plan was applied to first.
    pending
        Lines that were merged again and have no result yet.
    units
        Write units that were taken so far.
    """

    def __init__(self, path: Path, plan: Plan, file: IO[bytes]) -> None:
        self.path, self._plan, self._file = path, plan, file
        self._states = bytearray(len(plan) + 1)
        self._tried: dict[int, str] = {}
        self.pending: dict[int, Pending] = {}
        self.units, self.table_id = 0.0, None
        self.fresh = True
        for record in _records(path, file, cut=True):
            self._replay(record)
            self.fresh = False

    def begin(self, arn: str | None, table_id: str | None, session: Mapping[str, Any]) -> None:
        """Note that the plan is applied from now on, by whom, where and why."""
        if self.fresh:
            self._add(
                {
                    "journal": FORMAT,
                    "plan": self._plan.sha,
                    "plan_file": str(self._plan.path.absolute()),
                    "table": self._plan.about.table,
                    "kind": self._plan.about.kind,
                    "arn": arn,
                    "table_id": table_id,
                    "lines": len(self._plan),
                }
            )
        self._add({"begin": _now(), "pid": os.getpid(), **session})
        self.flush()
        if self.fresh:
            flush_to_disk(self.path.parent)

    def end(self, stopped: str | None) -> None:
        """Note that it is applied as far as it was to be, or why it was stopped."""
        self._add({"end": _now(), "stopped": stopped})
        self.flush()

    def left(self) -> Iterator[int]:
        """Yield the numbers of the lines that have no result, in the order they are applied in."""
        return (number for number in self._plan.order() if self._states[number] < _ENDED)

    def was_tried(self, number: int) -> bool:
        """Return whether a line may be written, though it has no result."""
        return self._states[number] == _TRIED

    def count(self, status: Status) -> int:
        """Count the lines of which this came."""
        return self._states.count(_ENDED + STATUSES.index(status))

    @property
    def ended(self) -> int:
        """How many lines have a result."""
        return sum(self.count(status) for status in STATUSES)

    def trying(self, numbers: Sequence[int]) -> None:
        """Note that lines are tried, on disk."""
        at = _now()
        self._add({"try": [*numbers], "at": at})
        self.flush()
        for number in numbers:
            self._states[number] = _TRIED
            self._tried[number] = at

    def merged_again(self, pending: Mapping[int, Pending]) -> None:
        """Note what is written in a line's stead, on disk."""
        for number, each in pending.items():
            wrote, writes = [one.as_json() for one in each.wrote], [one.element() for one in each.writes]
            self._add({"again": number, "round": each.round, "wrote": wrote, "writes": writes, "at": _now()})
        if pending:
            self.flush()
        self.pending |= pending

    def not_sent(self, numbers: Sequence[int]) -> None:
        """Note that lines were not sent after all."""
        if numbers:
            self._add({"unsent": [*numbers]})
        for number in numbers:
            self._states[number] = _UNTRIED

    def result(self, number: int, line: Line, status: Status, why: str, wrote: Sequence[Wrote], units: float) -> None:
        """Note what came of a line; `flush` brings it to disk."""
        at = _now()
        told: dict[str, Any] = {"result": number, "as": status, "tried": self._tried.pop(number, at), "at": at}
        told |= {"why": why} if why else {}
        if wrote:
            told["key"] = canonical_keys(line.write.key)
            told["takes_back"] = line.takes_back
            told["wrote"] = [each.as_json() for each in wrote]
        self._add(told | {"units": units})
        self._states[number] = _ENDED + STATUSES.index(status)
        self.pending.pop(number, None)
        self.units += units

    def flush(self) -> None:
        """Wait until all that was noted is on disk."""
        with self._told():
            self._file.flush()
            os.fsync(self._file.fileno())

    def _add(self, record: Mapping[str, Any]) -> None:
        with self._told():
            self._file.write(_checked(orjson.dumps(record)))

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise _not_written(self.path, error, "make room for it, and apply the plan again to go on") from error

    def _replay(self, record: Mapping[str, Any]) -> None:
        """Take in a record that is there."""
        if "journal" in record:
            if record["plan"] != self._plan.sha:
                raise StoreError(
                    f"{self.path} is the journal of another plan ({record['plan'][:12]}…, {record['plan_file']}), not "
                    f"of {self._plan.path} ({self._plan.sha[:12]}…): was the plan changed? Name another journal"
                )
            self.table_id = record["table_id"]
        elif "try" in record:
            for number in record["try"]:
                self._states[number] = _TRIED
                self._tried[number] = record["at"]
        elif "unsent" in record:
            for number in record["unsent"]:
                self._states[number] = _UNTRIED
        elif "again" in record:
            wrote = tuple(map(Wrote.of_json, record["wrote"]))
            self.pending[record["again"]] = Pending(record["round"], wrote, tuple(map(Write.read, record["writes"])))
        elif "result" in record:
            number = record["result"]
            self._states[number] = _ENDED + STATUSES.index(record["as"])
            self._tried.pop(number, None)
            self.pending.pop(number, None)
            self.units += record["units"]


@contextmanager
def opened(path: Path, plan: Plan) -> Iterator[Journal]:
    """Open the journal of a plan, and hold its lock, for a block.

    Raises
    ------
    StoreError
        Where it is another plan's, or damaged, or another process applies the plan.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_written(path, error) from error
    with locked(path.with_name(f".{path.name}.lock"), f"applying {plan.path}", 1):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _not_written(path, error) from error
        try:
            file = os.fdopen(descriptor, "r+b")
            try:
                yield Journal(path, plan, file)
            finally:
                with suppress(OSError):  # what could not be written was told when it was flushed
                    file.close()
        finally:
            with suppress(FileNotFoundError):
                if path.stat().st_size == 0:  # it was refused, and the plan may be written anew
                    path.unlink()


def register(home: Path, table: str, journal: Path, plan: str) -> None:
    """Note where a journal of a table lies, so that `own_writes` finds it.

    Raises
    ------
    StoreError
        Where it cannot be noted.
    """
    listed = _register(home, table)
    try:
        listed.parent.mkdir(parents=True, exist_ok=True)
        with open(listed, "ab") as file:
            file.write(_checked(orjson.dumps({"journal": str(journal.absolute()), "plan": plan})))
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise StoreError(
            f"{listed} cannot be written: {error.strerror or error}; the setting home says where"
        ) from error


def journals(home: Path, table: str) -> list[Path]:
    """Return the journals of a table that are noted and still there, each once, the oldest first."""
    return [path for path in dict.fromkeys(path for path, _ in noted(home, table)) if path.is_file()]


def noted(home: Path, table: str) -> list[tuple[Path, str]]:
    """Return the journals of a table that were ever noted, and the SHA-256 of their plans, the oldest first."""
    found: dict[tuple[Path, str], None] = {}
    with suppress(FileNotFoundError), open(_register(home, table), "rb") as file:
        for line in file:
            if (record := _record(line)) is not None:
                found[Path(record["journal"]), record["plan"]] = None
    return [*found]


def own_writes(home: Path, table: str, table_id: str | None = None) -> Iterator[OwnWrite]:
    """Yield the writes that undos made in a table, journal by journal.

    Parameters
    ----------
    home
        The setting of that name.
    table_id
        Of the table; writes in one of its name that was made before are left out.

    Raises
    ------
    StoreError
        Where a journal is damaged.
    """
    for path in journals(home, table):
        plan = ""
        with open(path, "rb") as file:
            for record in _records(path, file):
                if "journal" in record:
                    if table_id is not None and record["table_id"] not in (None, table_id):
                        break
                    if record.get("kind") in ("state", "replay"):  # it took nothing back
                        break
                    plan = record["plan"]
                elif "wrote" in record and "result" in record:
                    tried, ended = (datetime.fromisoformat(record[name]) for name in ("tried", "at"))
                    takes_back = frozenset(record["takes_back"])
                    for wrote in record["wrote"]:
                        yield OwnWrite(plan, record["result"], record["key"], wrote["left"], tried, ended, takes_back)


def results(path: Path, plan: Plan, *, backwards: bool = False) -> Iterator[Ended]:
    """Yield what came of the lines of a plan, in the order it came or backwards.

    Raises
    ------
    StoreError
        Where there is no such journal, it is another plan's, or damaged.
    """
    try:
        with open(path, "rb") as file:
            places, at = array("q"), 0
            for record in _records(path, file):
                if "journal" in record and record["plan"] != plan.sha:
                    raise StoreError(f"{path} is the journal of another plan than {plan.path}: {record['plan_file']}")
                if "result" in record:
                    places.append(at)
                at = file.tell()
            for place in reversed(places) if backwards else places:
                file.seek(place)
                record = _record(file.readline()) or {}
                (line,) = plan.lines([record["result"]])
                wrote = tuple(map(Wrote.of_json, record.get("wrote", ())))
                tried, ended = (datetime.fromisoformat(record[name]) for name in ("tried", "at"))
                yield Ended(line, record["as"], record.get("why", ""), wrote, tried, ended, record["units"])
    except FileNotFoundError as error:
        raise StoreError(f"there is no journal {path}: the plan was not applied from here") from error


def unrecorded(path: Path, plan: Plan) -> Iterator[tuple[datetime, Write]]:
    """Yield the writes that may be made, for lines that were tried and have no result, and since when they may.

    Of a journal that is not there they are none.

    Raises
    ------
    StoreError
        Where it is damaged.
    """
    tried: dict[int, str] = {}
    again: dict[int, list[Write]] = {}
    with suppress(FileNotFoundError), open(path, "rb") as file:
        for record in _records(path, file):
            if "try" in record:
                tried |= dict.fromkeys(record["try"], record["at"])
            elif "again" in record:
                wrote = [each.write for each in map(Wrote.of_json, record["wrote"]) if each.write]
                again[record["again"]] = [*wrote, *map(Write.read, record["writes"])]
            for number in [record["result"]] if "result" in record else record.get("unsent", ()):
                tried.pop(number, None)
    for line in plan.lines(tried):
        for write in (line.write, *again.get(line.number, ())):
            yield datetime.fromisoformat(tried[line.number]), write


def reversed_writes(path: Path, plan: Plan) -> Iterator[tuple[Line, Write | None, str | None]]:
    """Yield what takes an undo back: each write it made, the last first, reversed; versions go on, and never back.

    Yields
    ------
    tuple
        The line of the plan it was made for, a write that takes it back, and of a Delete the digest of the whole item
        it removes, None where that is not known. The write is None where what the undo deleted is not known: a delete
        that was made by a process which could not say so any more, of more attributes than its condition compares.
    """
    for ended in results(path, plan, backwards=True):
        for wrote in reversed(ended.wrote):
            made = wrote.write or ended.line.write
            try:
                reverse = made.reversed(wrote.old).bumped(plan.about.rules.bump)
            except ParameterError:
                yield ended.line, None, None
                continue
            for part in reverse.parts():
                yield ended.line, part, wrote.left if part.kind == "Delete" else None


def plan_of(path: Path) -> Path:
    """Return the plan that a journal is of: the file beside it, or where it was when it was applied.

    Raises
    ------
    StoreError
        Where there is no such journal, or no plan any more.
    """
    head = _head(path)
    beside = path.with_name(path.name.removesuffix(".journal"))
    named = Path(str(head.get("plan_file", beside)))
    for plan in (beside, named):
        if plan != path and plan.is_file():
            return plan
    raise StoreError(f"{path} is of the plan {named}, which is not there any more: put it beside its journal")


def applied_to(path: Path) -> tuple[str | None, str | None]:
    """Return the ARN and the TableId of the table that a journal's plan was applied to.

    Raises
    ------
    StoreError
        Where there is no such journal.
    """
    head = _head(path)
    return head.get("arn"), head.get("table_id")


def _head(path: Path) -> dict[str, Any]:
    try:
        with open(path, "rb") as file:
            return next(_records(path, file), {})
    except FileNotFoundError as error:
        raise StoreError(f"there is no journal {path}") from error


def _not_written(path: Path, error: OSError, advice: str = "name another (--journal)") -> StoreError:
    return StoreError(f"the journal {path} cannot be written: {error.strerror or error}; {advice}")


def _register(home: Path, table: str) -> Path:
    return home / "undo" / f"{file_name(table)}.journals"


def _records(path: Path, file: IO[bytes], *, cut: bool = False) -> Iterator[dict[str, Any]]:
    """Yield the records of a journal; with `cut`, what is left of a line at its end goes, and more can be added."""
    whole = at = 0
    torn = 0
    while line := file.readline():
        at += 1
        if not line.endswith(b"\n"):  # torn, or being written
            break
        if (record := _record(line)) is None:
            torn = torn or at
            continue
        if torn:
            raise StoreError(
                f"{path} is damaged in line {torn}: what came of the writes noted there is not known. Look at the "
                "items in question, move the journal away, and plan again"
            )
        if "journal" in record and record["journal"] != FORMAT:
            raise StoreError(f"{path} is of format {record['journal']}, and this version reads {FORMAT}")
        whole = file.tell()
        yield record
    if cut:
        if not whole and not _begins(file):
            raise StoreError(f"{path} is there and is no journal: it is left as it is; name another file (--journal)")
        file.truncate(whole)
        file.seek(whole)


def _begins(file: IO[bytes]) -> bool:
    """Return whether what a file begins with may be a part of a journal's first line, or nothing."""
    file.seek(0)
    head = file.read(8 + len(_BEGINS))
    return not head[:8].strip(b"0123456789abcdef") and _BEGINS.startswith(head[8:])


def _checked(text: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(text), text)


def _record(line: bytes) -> dict[str, Any] | None:
    """Return the record of a line; None where it is not whole."""
    sum_, _, text = line.rstrip(b"\n").partition(b" ")
    if not line.endswith(b"\n") or b"%08x" % zlib.crc32(text) != sum_:
        return None
    record: dict[str, Any] = json.loads(text)
    return record


def _now() -> str:
    return datetime.now(UTC).isoformat()
