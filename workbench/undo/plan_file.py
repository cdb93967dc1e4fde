"""A plan of writes, in two files: ``PLAN.jsonl``, and ``PLAN.jsonl.meta.json`` with what to know about it.

A line of the plan is one element of `TransactWriteItems`, and nothing else, so that others can send it. A plan is never
changed: its SHA-256 is that of the bytes of both files, one after the other,
``cat PLAN.jsonl PLAN.jsonl.meta.json | sha256sum``. Both hold exact values, also of masked attributes: their user alone
may read them.

>>> from tempfile import TemporaryDirectory
>>> from workbench.model.item_writes import Write
>>> about = About("persons", {"pk": "S"}, "changes", datetime(2026, 11, 18, tzinfo=UTC))
>>> with TemporaryDirectory() as folder:
...     with writing(Path(folder, "plan.jsonl"), about) as lines:
...         lines.add(Write("persons", "Put", {"pk": {"S": "p-1"}}, {"pk": {"S": "p-1"}}), "put back", ["e-1"])
...     with reading(Path(folder, "plan.jsonl")) as plan:
...         len(plan), plan.about.counts, [line.takes_back for line in plan.lines([1])]
(1, {'put back': 1}, [('e-1',)])
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import zlib
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import IO, Any

import orjson

from workbench.errors import ExportError, ParameterError
from workbench.model.canonical import canonical_keys
from workbench.model.item_writes import Write
from workbench.model.merging import Rules
from workbench.model.write_limits import faults
from workbench.paths import already_there, write_atomically

FORMAT = 1
_SEAL = b"sha256_until_here"  # at the end of the notes, of what is before its line
_MANY = 10  # faults that are named


@dataclass(frozen=True)
class About:
    """What to know about a plan.

    Attributes
    ----------
    table
        The table that is written to.
    key
        Its key attributes and their types (S, N, B), the partition key first.
    kind
        What was asked for: ``to`` (back to an instant), ``changes`` (changes taken back), ``journal`` (an undo taken
        back), ``state`` or ``replay`` (what `Workbench.replay` writes).
    made_at
        When the plan was made, UTC.
    asked
        The arguments that made it.
    rules
        By which an item that changed meanwhile is merged again.
    arn, table_id
        Which table it is: DynamoDB's ARN and TableId, or the item store's file and what tells the table from one made
        again. None where the plan was made without looking at the table.
    newest_change
        The newest change of the log, UTC.
    units, cost
        Write units, and dollars, that applying takes.
    in_order
        Whether batches are to be applied in the order of their lines. Within one, only those of one item are.
    counts
        How many lines there are of each action.
    notes
        What was left out, and what else to know.
    """

    table: str
    key: Mapping[str, str]
    kind: str
    made_at: datetime
    asked: Mapping[str, Any] = field(default_factory=dict)
    rules: Rules = field(default_factory=lambda: Rules(at=datetime.now(UTC)))
    arn: str | None = None
    table_id: str | None = None
    newest_change: datetime | None = None
    units: int = 0
    cost: float | None = None
    in_order: bool = False
    counts: Mapping[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a plan."""

    number: int
    """From 1."""
    write: Write
    action: str
    """Of its row in the plan that people saw, such as ``update``."""
    takes_back: tuple[str, ...]
    """What it takes back: event_ids of changes, an instant, or writes of another plan (see `journal.write_id`)."""
    whole: str | None
    """Of a Delete: the digest of the whole item it removes."""


def about_file(plan: Path) -> Path:
    """Return the file beside a plan that says what to know about it.

    >>> about_file(Path("plan.jsonl")).name
    'plan.jsonl.meta.json'
    """
    return plan.with_name(f"{plan.name}.meta.json")


def sha_of(plan: Path) -> str:
    """Return the SHA-256 of a plan, in hex."""
    digest = hashlib.sha256()
    for file in (plan, about_file(plan)):
        with open(file, "rb") as part:
            for block in iter(lambda: part.read(1 << 20), b""):
                digest.update(block)
    return digest.hexdigest()


class Lines:
    """What lines are added to; `writing` makes it.

    Attributes
    ----------
    about
        What to know about the plan, which may be replaced by what is known at its end.
    """

    def __init__(self, plan: IO[bytes], facts: IO[bytes], about: About) -> None:
        self._plan, self._facts, self.about = plan, facts, about
        self.count, self.units = 0, 0
        self.counts: Counter[str] = Counter()
        self.digest = hashlib.sha256()

    def add(
        self,
        write: Write,
        action: str,
        takes_back: Iterable[str] = (),
        *,
        whole: str | None = None,
        units: int = 0,
    ) -> None:
        """Add a line.

        Parameters
        ----------
        action
            What it does, as people see it.
        takes_back
            event_ids of the changes it takes back, or the instant it goes back to.
        whole
            Of a Delete of more attributes than its condition names: the digest of the whole item.
        units
            Write units it takes.

        Raises
        ------
        ParameterError
            Where DynamoDB would not take it.
        """
        element = write.element()
        if wrong := faults(element):
            raise ParameterError(f"the plan cannot be written: write {self.count + 1} {wrong[0]}")
        line = orjson.dumps(element) + b"\n"
        self._plan.write(line)
        self.digest.update(line)
        facts: dict[str, Any] = {"action": action, "takes_back": [*takes_back]} | ({"whole": whole} if whole else {})
        self._facts.write((b",\n" if self.count else b"\n") + orjson.dumps(facts))
        self.count += 1
        self.units += units
        self.counts[action] += 1


@contextmanager
def writing(plan: Path, about: About, *, overwrite: bool = False) -> Iterator[Lines]:
    """Write a plan line by line, for a block; both files are there when it ends, whole, or neither.

    Counts and units are those of the lines, where `about` has none.

    Raises
    ------
    ExportError
        Where a file is there already and `overwrite` is not set, or there is a journal: the plan is being applied.
    """
    beside = about_file(plan)
    for there in () if overwrite else (plan, beside):
        if there.exists():
            raise already_there(there)
    if (journal := plan.with_name(f"{plan.name}.journal")).exists():
        raise ExportError(f"{journal} exists: this plan is being applied, or was; choose another name")
    try:
        with write_atomically(plan) as part, tempfile.TemporaryFile() as facts:
            with _private(part) as file:
                lines = Lines(file, facts, about)
                yield lines
            told = lines.about
            whole = replace(told, counts=told.counts or dict(lines.counts), units=told.units or lines.units)
            with write_atomically(beside) as other, _private(other) as file:
                head, digest = _head(whole, lines)[:-1] + b',"lines":[', hashlib.sha256()
                facts.seek(0)
                for block in chain([head], iter(lambda: facts.read(1 << 20), b""), [b"\n"]):
                    file.write(block)
                    digest.update(block)
                file.write(b'],"%s":"%s"}\n' % (_SEAL, digest.hexdigest().encode()))
    except OSError as error:
        raise ExportError(f"the plan {plan} cannot be written: {error.strerror or error}") from error


class Plan:
    """A plan that is read, line by line; `reading` makes it.

    Attributes
    ----------
    path
        Its file.
    about
        What to know about it.
    sha
        Its SHA-256, in hex.
    """

    def __init__(self, path: Path, plan: IO[bytes], facts: IO[bytes]) -> None:
        self.path = path
        self._plan, self._facts = plan, facts
        self._at, self._facts_at, self._spread = array("q"), array("q"), array("L")
        self._tables: set[str] = set()
        self._sums, self._notes_sums = (
            array("L"),
            array("L"),
        )  # of the lines of both files, which are read again when they are applied
        digest, wrong = hashlib.sha256(), list[str]()
        for number, line in enumerate(_each(plan, self._at), 1):
            digest.update(line)
            self._sums.append(zlib.crc32(line))
            wrong += self._checked(number, line)
            if len(wrong) >= _MANY:
                break
        if wrong:
            raise ParameterError(f"{path} is no plan that can be applied: {'; '.join(wrong[:_MANY])}; plan again")
        own, notes, head, end = digest.hexdigest(), hashlib.sha256(), b"", b""
        for at, line in enumerate(_each(facts, self._facts_at)):
            digest.update(line)
            notes.update(end)
            self._notes_sums.append(zlib.crc32(line))
            head, end = head or (line if not at else b""), line
        if end != b'],"%s":"%s"}\n' % (_SEAL, notes.hexdigest().encode()):
            raise ParameterError(f"{about_file(path)} is not as it was written: it was changed, or damaged; plan again")
        self._notes_sums = self._notes_sums[1:-1]
        self._facts_at = self._facts_at[1:-1]  # the first is the head, the last one the end
        self.about, lines, written = _read_head(about_file(path), head)
        if not len(self) == lines == len(self._facts_at):
            raise ParameterError(
                f"{about_file(path)} tells of {lines:,} writes, and {path} has {len(self):,}: they are no longer the "
                "files that were written; plan again"
            )
        if own != written:
            raise ParameterError(
                f"{path} is not the file that {about_file(path).name} was written with: it was changed, or the two are "
                "of different plans; plan again"
            )
        if others := sorted(self._tables - {self.about.table}):
            raise ParameterError(f"{path} writes to {others[0]!r}, and is a plan for {self.about.table!r}: plan again")
        self.sha = digest.hexdigest()

    def __len__(self) -> int:
        """Return how many lines there are."""
        return len(self._at)

    def order(self) -> Iterator[int]:
        """Yield the numbers of the lines in the order they are applied in.

        Items follow each other by a hash of their keys, since those that lie near each other in a table share what it
        can take a second; the lines of one item in their own order.
        """
        numbers: Iterable[int] = range(len(self))
        if not self.about.in_order:
            numbers = sorted(numbers, key=self._spread.__getitem__)
        yield from (number + 1 for number in numbers)

    def lines(self, numbers: Iterable[int]) -> Iterator[Line]:
        """Yield lines by their numbers."""
        for number in numbers:
            self._plan.seek(self._at[number - 1])
            self._facts.seek(self._facts_at[number - 1])
            line, note = self._plan.readline(), self._facts.readline()
            if (zlib.crc32(line), zlib.crc32(note)) != (self._sums[number - 1], self._notes_sums[number - 1]):
                raise ParameterError(f"{self.path} was changed while it was read, in line {number}: plan again")
            write = Write.read(orjson.loads(line))
            facts = orjson.loads(note.rstrip(b",\n"))
            whole = facts.get("whole")
            yield Line(number, write, facts["action"], tuple(facts["takes_back"]), whole)

    def _checked(self, number: int, line: bytes) -> list[str]:
        """Say what is wrong with a line, and note where its item comes in the order."""
        try:
            element = orjson.loads(line)
            if wrong := faults(element):
                return [f"line {number} {each}" for each in wrong]
            write = Write.read(element)
            key = canonical_keys(write.key)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            return [f"line {number} is no write of a plan ({type(error).__name__})"]
        self._tables.add(write.table)
        self._spread.append(int.from_bytes(hashlib.blake2b(f"{write.table} {key}".encode(), digest_size=4).digest()))
        return []


@contextmanager
def reading(path: Path) -> Iterator[Plan]:
    """Open a plan and check all of it, for a block.

    Raises
    ------
    ParameterError
        Where there is none, or it is not whole, or DynamoDB would not take one of its writes.
    """
    try:
        with open(path, "rb") as plan, open(about_file(path), "rb") as facts:
            yield Plan(path, plan, facts)
    except FileNotFoundError as error:
        raise ParameterError(
            f"there is no plan {error.filename}: a plan is PLAN.jsonl and PLAN.jsonl.meta.json, as "
            "`workbench undo … --out PLAN.jsonl` writes them"
        ) from error


@contextmanager
def _private(path: Path) -> Iterator[IO[bytes]]:
    """Open a new file that its user alone may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file


def _each(file: IO[bytes], at: array[int]) -> Iterator[bytes]:
    """Yield the lines of a file, noting where each begins."""
    place = 0
    for line in file:
        at.append(place)
        place += len(line)
        yield line


def _head(about: About, lines: Lines) -> bytes:
    """Write what to know about a plan as a JSON object."""
    told = {each.name: getattr(about, each.name) for each in fields(about) if each.name != "rules"}
    head = {"format": FORMAT, "count": lines.count, "sha256": lines.digest.hexdigest()}
    head |= {**told, "rules": rules_as_json(about.rules)}
    return json.dumps(head, ensure_ascii=False, separators=(",", ":"), default=_as_json).encode()


def _as_json(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, bytes):
        return f"0x{value.hex()}"  # as keys are written
    return [*value] if isinstance(value, Sequence | set | frozenset) else str(value)


def _read_head(path: Path, head: bytes) -> tuple[About, int, str]:
    """Read what to know about a plan, how many lines it has, and the SHA-256 of its file of writes."""
    try:
        told = json.loads(head.rstrip(b"\n") + b"]}")
        if told["format"] != FORMAT:
            raise ParameterError(
                f"{path} is of format {told['format']}, and this version reads {FORMAT}: plan again, or apply it with "
                "the version that planned it"
            )
        values = {each.name: told[each.name] for each in fields(About)}
        for name in ("made_at", "newest_change"):
            values[name] = values[name] and datetime.fromisoformat(values[name])
        values |= {"rules": rules_of_json(told["rules"]), "notes": tuple(told["notes"])}
        return About(**values), int(told["count"]), str(told["sha256"])
    except (ValueError, KeyError, TypeError) as error:
        if isinstance(error, ParameterError):
            raise
        raise ParameterError(f"{path} is not what belongs to a plan ({type(error).__name__}): plan again") from error


def rules_as_json(rules: Rules) -> dict[str, Any]:
    """Return rules as JSON has them.

    >>> rules = Rules(at=datetime(2026, 11, 18, tzinfo=UTC), kept=(("a", "b.c"),), ttl="t", expired=timedelta(days=7))
    >>> rules_of_json(rules_as_json(rules)) == rules
    True
    """
    told = asdict(replace(rules, mark={}))
    told["mark"] = [[list(path), dict(value)] for path, value in rules.mark.items()]
    told["at"] = rules.at.isoformat()
    if isinstance(rules.expired, timedelta):
        told["expired"] = rules.expired.total_seconds()
    return told


def rules_of_json(told: Mapping[str, Any]) -> Rules:
    """Read rules that `rules_as_json` wrote."""
    values = dict(told)
    for name in ("kept", "bump", "delta"):
        values[name] = tuple(tuple(path) for path in told[name])
    values["mark"] = {tuple(path): value for path, value in told["mark"]}
    values["at"] = datetime.fromisoformat(told["at"])
    if isinstance(told["expired"], int | float):
        values["expired"] = timedelta(seconds=told["expired"])
    return Rules(**values)
