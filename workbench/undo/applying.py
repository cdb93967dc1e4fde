"""A plan applied: batch by batch, each write on its condition, written down before and after.

>>> applied = Applied("persons", "9f86d081…", {"written": 2}, 3, 2.0, 0.5, Path("p"), Path("p.journal"), "limit", ())
>>> applied.left, str(applied)
(1, 'persons: 2 of 3 writes made, 1 left (limit); 2 units in 0.5 s')
"""

from __future__ import annotations

import getpass
import math
import platform
import signal
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any

from tqdm import tqdm

from workbench.aws.pacing import Backoff, Pace
from workbench.errors import ParameterError, StoreError, WorkbenchError
from workbench.model.attribute_paths import column_name
from workbench.model.canonical import canonical_keys, image_digest
from workbench.model.item_writes import Conflict, Write, again, moved
from workbench.model.merging import Image, Rules
from workbench.progress import tqdm_options
from workbench.text import count
from workbench.undo import journal as journals
from workbench.undo.journal import STATUSES, Journal, Pending, Status, Wrote
from workbench.undo.plan_file import About, Line, Plan
from workbench.undo.targets import Description, Outcome, Target
from workbench.version import __version__

_BATCH = 200  # lines that are tried, sent and noted together
_ROUNDS = 5  # times that a line is merged again, when others go on changing its item
_PATIENCE = 120.0  # seconds for which a table may take nothing
_SAMPLE = 50  # items that are looked at before anything is written
_REPORTED = 20  # lines of which the result says why they were not written
_NAMED = 3  # attributes that a report names
WRITTEN: tuple[Status, ...] = ("written", "written before", "merged again")
"""What comes of a line that is written."""


@dataclass(frozen=True)
class Applied:
    """What came of a plan, all in all: by this process and those before it.

    Attributes
    ----------
    table
        The table's name.
    plan
        The plan's SHA-256.
    counts
        Of how many lines it came: written, written before (by a process that was ended before it could say so), merged
        again (written as far as nobody else had changed the same), already so (without us), changed meanwhile (left
        alone), refused (by the table).
    lines
        How many lines the plan has.
    units
        Write units it took.
    seconds
        Of this process.
    plan_file
        Where the plan is: applying it again goes on.
    journal
        Where all of it is written down: ``workbench undo TABLE --journal FILE`` takes it back.
    stopped
        Why something was left; None where nothing was.
    reports
        What was not written as planned, and why: the first of these.
    notes
        The plan's: what it left out, and what else to know.
    """

    table: str
    plan: str
    counts: Mapping[str, int]
    lines: int
    units: float
    seconds: float
    plan_file: Path
    journal: Path
    stopped: str | None
    reports: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def written(self) -> int:
        """How many lines are written, by whichever process."""
        return sum(self.counts.get(status, 0) for status in WRITTEN)

    @property
    def left(self) -> int:
        """How many lines have not been tried to the end: applying the plan again goes on with them."""
        return self.lines - sum(self.counts.values())

    @property
    def done(self) -> bool:
        """Whether all of the plan is as it was to be."""
        return self.written + self.counts.get("already so", 0) == self.lines

    def as_json(self) -> dict[str, Any]:
        """Return it as programs read it."""
        told: dict[str, Any] = {"table": self.table, "plan": self.plan, "plan_file": str(self.plan_file)}
        told |= {"lines": self.lines, "counts": dict(self.counts), "written": self.written, "left": self.left}
        told |= {"done": self.done, "stopped": self.stopped, "units": self.units, "seconds": self.seconds}
        told |= {"journal": str(self.journal), "notes": [*self.notes]}
        return told | {"reports": [*self.reports]}

    def __str__(self) -> str:
        """Write it in a line."""
        others = [f"{number:,} {name}" for name, number in self.counts.items() if number and name != "written"]
        others += [f"{self.left:,} left" + (f" ({self.stopped})" if self.stopped else "")] * bool(self.left)
        told = ", ".join([f"{self.written:,} of {count(self.lines, 'write')} made", *others])
        return f"{self.table}: {told}; {count(self.units, 'unit')} in {self.seconds:,.1f} s"


@dataclass(frozen=True)
class How:
    """How a plan is applied.

    Attributes
    ----------
    rate
        Write units a second at most; None for as many as the table takes.
    limit
        How many lines are tried at most, of those that have no result.
    max_changed
        How many items may have changed meanwhile before it is stopped: a number, or below 1 a share of the plan's. It
        is looked at each time that one more could have.
    sha
        The plan's SHA-256, or its beginning, as whoever reviewed it knows it.
    why
        A reason, for the journal.
    still_arriving
        Asks whether changes that are taken back are still being made; says so in a line, or None.
    """

    rate: float | None = None
    limit: int | None = None
    max_changed: float | None = None
    sha: str | None = None
    why: str | None = None
    still_arriving: Callable[[], str | None] = lambda: None
    progress: bool = True


def apply_plan(plan: Plan, target: Target, journal: Path, home: Path, how: How | None = None) -> Applied:
    """Apply a plan, from where it was stopped; see `Workbench.apply`.

    Parameters
    ----------
    journal
        Its file.
    home
        Where it is noted that there is this journal.

    Raises
    ------
    ParameterError
        Where it is refused before anything is written.
    StoreError
        Where the table takes nothing more. What was written is in the journal, and applying again goes on.
    """
    how = how or How()
    _refuse_numbers(how)
    if how.sha is not None and (len(how.sha) < 8 or not plan.sha.startswith(how.sha.lower())):
        raise ParameterError(
            f"{plan.path} is not the plan that was reviewed: its SHA-256 is {plan.sha}, not {how.sha}; nothing is "
            "written"
        )
    there = target.describe()
    _refuse_another_table(plan.about, there)
    _refuse_indexed(plan, there)
    with journals.opened(journal, plan) as book:
        if book.table_id is not None and there.table_id != book.table_id:
            raise ParameterError(_MADE_AGAIN.format(plan.about.table))
        if (arriving := how.still_arriving()) is not None:
            raise ParameterError(
                f"nothing is written, since what is taken back still goes on: {arriving}; stop it first"
            )
        if book.pending or any(book.was_tried(number) for number in book.left()):
            pass  # it goes on: what it left half done is no sign of a log that is behind
        else:
            _refuse_stale(plan, target, book)
        noted = journals.noted(home, plan.about.table)
        if book.fresh:
            _refuse_applied(plan, journal.absolute(), [path for path, sha in noted if sha == plan.sha])
        session = {"who": _user(), "host": platform.node(), "why": how.why, "version": __version__}
        book.begin(there.arn, there.table_id, session)  # before it is noted: what is noted was begun
        if (journal.absolute(), plan.sha) not in noted:
            journals.register(home, plan.about.table, journal, plan.sha)
        return _Applying(plan, target, book, how).run()


_MADE_AGAIN = (
    "the table {!r} is not the one the plan was made for, but was made again since: nothing is written. Plan again, "
    "from the changes of the table there is"
)


def _refuse_numbers(how: How) -> None:
    for name in ("rate", "limit"):
        value = getattr(how, name)
        if value is not None and not value > 0:
            raise ParameterError(f"{name}={value}: it must be above nothing")
    if how.max_changed is not None and not how.max_changed >= 0:
        raise ParameterError(f"max_changed={how.max_changed}: it must be nothing or more")


def _refuse_applied(plan: Plan, fresh: Path, others: Sequence[Path]) -> None:
    """Refuse a plan that was applied, and not by this new journal: its conditions may hold of what came since."""
    if not others:
        return
    if there := [path for path in others if path.is_file() and path != fresh]:
        raise ParameterError(
            f"{plan.path} was applied before, and what came of it is in {there[-1]}: nothing is written; to go on with "
            "it name that (--journal)"
        )
    raise ParameterError(
        f"{plan.path} was applied before, and its journal {others[-1]} is not there any more: nothing is written, for "
        "what others wrote since could be taken for what is to be taken back; plan again"
    )


def _refuse_another_table(about: About, there: Description) -> None:
    """Refuse a table that is not the one the plan is for."""
    if dict(about.key) != dict(there.key):
        raise ParameterError(
            f"the plan is for a table {about.table!r} with the key {_key(about.key)}, and the one there is has the key "
            f"{_key(there.key)}: nothing is written"
        )
    if about.arn is not None and about.arn != there.arn and "arn:" in (about.arn[:4], there.arn[:4]):
        raise ParameterError(
            f"the plan is for {about.arn}, and this is {there.arn}: nothing is written; choose the region, the profile "
            "or the home of the table it was made for"
        )
    if about.table_id is not None and about.table_id != there.table_id:
        raise ParameterError(_MADE_AGAIN.format(about.table))


def _refuse_indexed(plan: Plan, there: Description) -> None:
    """Refuse a plan that writes what a key of an index of the table cannot be: DynamoDB refuses such an item."""
    if not there.indexed:
        return
    for line in plan.lines(range(1, len(plan) + 1)):
        wanted = {change.path[0]: change.wanted for change in line.write.changes if len(change.path) == 1}
        for name, value in {
            **wanted,
            **(line.write.item if line.write.kind == "Put" and line.write.item else {}),
        }.items():
            kind = there.indexed.get(str(name))
            if kind and value is not None and value.get(kind) in (None, ""):
                raise ParameterError(
                    f"line {line.number} of the plan writes {name!r}, which is the key of an index of "
                    f"{there.table!r}, as {'an empty text' if kind in value else next(iter(value))}, and it must be of "
                    f"type {kind}: nothing is written. Plan without that item, or mend it by hand"
                )


def _key(types: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in types.items())


def _refuse_stale(plan: Plan, target: Target, book: Journal) -> None:
    """Refuse a plan most of whose items are not as planned: its log is behind the table."""
    sample = list(plan.lines(islice(book.left(), _SAMPLE)))
    live = target.read(list({canonical_keys(line.write.key): line.write.key for line in sample}.values()))
    other = 0
    for line in sample:
        image = live.get(canonical_keys(line.write.key))
        other += not (line.write.holds(image) or as_wanted(line.write, image))
    if plan.about.kind == "state" and other:
        raise ParameterError(
            f"of {count(len(sample), 'item')} looked at, {other} are in {plan.about.table!r} already, and are others: "
            "nothing is written; name a table without them"
        )
    if len(sample) >= 5 and other > len(sample) / 2 and not plan.about.in_order:
        raise ParameterError(
            f"of {len(sample)} items looked at, {other} are not as they are in the log that the plan was made from, "
            "which is behind the table: nothing is written. Wait until the changes have arrived, and plan again; or "
            "plan by the items as they are (--live)"
        )


def as_wanted(write: Write, image: Image | None) -> bool:
    """Return whether an item is as a write was to leave it.

    >>> as_wanted(Write("persons", "Delete", {"pk": {"S": "p-1"}}, {"age": {"N": "41"}}), None)
    True
    """
    if write.kind == "Delete" or image is None:
        return write.kind == "Delete" and image is None
    if write.kind == "Put":
        return image_digest(image) == image_digest(write.item)
    reverse = write.reversed(None)
    return bool(reverse.holds(image))


def _named(attributes: Collection[str]) -> str:
    """Name attributes, the first few of them, after a colon."""
    more = f" and {len(attributes) - _NAMED:,} more" if len(attributes) > _NAMED else ""
    return f": {', '.join(islice(attributes, _NAMED))}{more}" if attributes else ""


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):  # no such user here, as in some containers
        return ""


@dataclass
class _State:
    """A line that is being written."""

    line: Line
    uncertain: bool
    """Whether it may be written, though nobody has seen it."""
    writes: list[Write]
    wrote: list[Wrote] = field(default_factory=list)
    round: int = 0
    units: float = 0.0
    before: bool = False
    others: bool = False
    """Whether another has changed what it was to write."""
    stays: dict[str, None] = field(default_factory=dict)
    """Attributes that another has changed, and that are left as they are."""
    failed: Outcome | None = None
    sent: bool = False
    ended: tuple[Status, str] | None = None

    @property
    def planned(self) -> bool:
        """Whether what is sent is what was planned."""
        return self.round == 0


class _Applying:
    """A plan being applied by this process."""

    def __init__(self, plan: Plan, target: Target, book: Journal, how: How) -> None:
        self._plan, self._target, self._book, self._how = plan, target, book, how
        self._rules: Rules = plan.about.rules
        self._pace, self._stop = Pace(how.rate), threading.Event()
        self._why_stopped: str | None = None
        self._error: WorkbenchError | None = None
        self._reports: list[str] = []

    def run(self) -> Applied:
        """Apply what is left, and tell what came of it."""
        began, book, plan = time.perf_counter(), self._book, self._plan
        rate = self._how.rate or _BATCH
        size = max(1, int(min(_BATCH, rate, self._may_change + 1)))  # so that it stops soon after one too many
        numbers = islice(book.left(), self._how.limit)
        bar = tqdm(
            total=len(plan),
            initial=book.ended,
            desc=f"{plan.about.table}: writes",
            unit=" writes",
            **tqdm_options(show=self._how.progress),
        )
        with bar, self._signals(), ThreadPoolExecutor(self._target.in_flight) as pool:
            while not self._stop.is_set() and (batch := list(islice(numbers, size))):
                self._batch(batch, pool)
                bar.update(book.ended - bar.n)
                self._look_at_changed()
        left = len(plan) - book.ended
        if left and self._why_stopped is None:
            self._why_stopped = f"limit of {self._how.limit:,} reached"
        book.end(self._why_stopped)
        if not any(book.was_tried(number) for number in book.left()):
            self._target.forget()
        if self._error:
            advice = f"{book.ended:,} of {count(len(plan), 'write')} are done: apply the same plan again to go on"
            raise type(self._error)(f"{self._error}; {advice}") from self._error
        counts: dict[str, int] = {status: number for status in STATUSES if (number := book.count(status))}
        seconds = round(time.perf_counter() - began, 2)
        about = plan.about
        return Applied(
            about.table,
            plan.sha,
            counts,
            len(plan),
            round(book.units, 1),
            seconds,
            plan.path,
            book.path,
            self._why_stopped if left else None,
            tuple(self._reports),
            tuple(about.notes),
        )

    def _batch(self, numbers: Sequence[int], pool: ThreadPoolExecutor) -> None:
        """Try lines, merge again those whose items have changed, and note what came of each."""
        states = [self._state(line) for line in self._plan.lines(numbers)]
        fresh = [state.line.number for state in states if not self._book.was_tried(state.line.number)]
        if fresh:
            self._book.trying(fresh)
        sending = states
        while sending:
            with self._target.together():
                groups = self._by_item(sending)
                if self._target.in_flight == 1:
                    for group in groups:
                        self._send_each(group)
                else:
                    list(pool.map(self._send_each, groups))
            pending: dict[int, Pending] = {}
            for state in sending:
                if state.failed is None or state.ended:
                    continue
                self._merge_again(state)
                if not state.ended:
                    pending[state.line.number] = Pending(state.round, tuple(state.wrote), tuple(state.writes))
            self._book.merged_again(pending)
            sending = [] if self._stop.is_set() else [state for state in sending if not state.ended]
        for state in states:
            self._note(state)
        self._book.not_sent([state.line.number for state in states if not (state.ended or state.sent)])
        self._book.flush()

    def _state(self, line: Line) -> _State:
        """Return where a line stands."""
        tried = self._book.was_tried(line.number)
        pending = self._book.pending.get(line.number)
        if pending is None:
            return _State(line, tried, [line.write], sent=tried)
        return _State(line, tried, [*pending.writes], [*pending.wrote], pending.round, others=True, sent=True)

    def _by_item(self, states: Sequence[_State]) -> list[list[_State]]:
        """Return the lines of each item, in their order: what is written to one is never under way twice."""
        groups: dict[str, list[_State]] = {}
        for state in states:
            groups.setdefault(canonical_keys(state.line.write.key), []).append(state)
        return list(groups.values())

    def _send_each(self, states: Sequence[_State]) -> None:
        """Send the writes of an item one after the other; after one that has to be merged again, the others wait."""
        for state in states:
            state.failed = None
            while state.writes and not (self._stop.is_set() or state.ended):
                if not self._send(state):
                    break
            if not state.writes and not state.ended:
                state.ended = self._status(state), ""
            if state.failed is not None:
                break

    def _send(self, state: _State) -> bool:
        """Send the next write of a line; return whether it is written."""
        write, name = state.writes[0], f"{state.line.number}.{state.round}.{len(state.writes)}"
        whole = state.line.whole if state.planned else None
        backoff = Backoff(_PATIENCE)
        while True:
            while (ahead := self._pace.ahead) > 0 and not self._stop.wait(ahead):
                pass
            if self._stop.is_set():
                return False
            sent, state.sent = state.sent, True
            try:
                outcome = self._target.send(write, name, whole)
            except WorkbenchError as error:
                state.sent = sent
                self._fail(error)
                return False
            self._pace.spend(outcome.units or write.units(None))
            state.units += outcome.units
            if outcome.kind in ("busy", "unknown"):
                state.uncertain |= outcome.kind == "unknown"
                state.sent = sent or state.uncertain
                if not backoff.pause():
                    self._fail(
                        StoreError(f"table {write.table!r}: it took nothing for {_PATIENCE:.0f} s: {outcome.why}")
                    )
                    return False
                continue
            break
        if outcome.kind == "written":
            self._wrote(state, image_digest(outcome.image), outcome.old)
            state.before |= outcome.before
            return True
        if outcome.kind == "refused":
            if outcome.old is not None:  # it was deleted, and is not as it was
                state.wrote.append(Wrote(None if state.planned else write, None, outcome.old))
            state.ended = "refused", outcome.why
            return False
        perhaps = state.uncertain and not self._target.remembers
        counted = not perhaps and any(change.path in self._rules.delta for change in write.changes)
        if as_wanted(write, outcome.image) and not counted:  # a number is so by chance: its difference is not taken
            if state.uncertain:
                self._wrote(state, image_digest(outcome.image), None)
                state.before = True
                return True
            if not state.wrote and len(state.writes) == 1:
                state.ended = "already so", ""
            state.writes.pop(0)
            return True
        state.failed = outcome
        return False

    def _wrote(self, state: _State, left: str, old: Any) -> None:
        write = state.writes.pop(0)
        state.wrote.append(Wrote(None if state.planned else write, left, old))

    def _merge_again(self, state: _State) -> None:
        """Put in the place of a write whose condition failed what is left of it."""
        write, failed = state.writes[0], state.failed
        assert failed is not None
        live, state.others = failed.image, True
        state.round += 1
        if failed.why or write.kind == "Delete":
            state.ended = "changed meanwhile", failed.why or "the item that is to be deleted has changed meanwhile"
        elif state.round > _ROUNDS:
            state.ended = "changed meanwhile", f"it went on changing while it was tried {_ROUNDS} times"
        else:
            perhaps = state.uncertain and not self._target.remembers
            writes = again(write, live, self._rules, perhaps_sent=perhaps)
            state.stays |= {column_name(path): None for path in moved(write, live, self._rules, perhaps_sent=perhaps)}
            if isinstance(writes, Conflict):
                state.ended = "changed meanwhile", f"{writes.why}{_named(state.stays)}"
            elif not writes:
                gone = "the item is gone" if live is None else "nothing is left to take back"
                state.ended = "changed meanwhile", gone
            else:
                state.writes[:1] = writes
        if state.ended and state.wrote:
            state.ended = "merged again", state.ended[1]
        state.uncertain = False

    def _status(self, state: _State) -> Status:
        if state.others:
            return "merged again"
        return "written before" if state.before else "written"

    def _note(self, state: _State) -> None:
        """Note what came of a line, if it is known."""
        if state.ended is None:
            return
        status, why = state.ended
        if status == "merged again" and not why:
            why = f"what another has changed meanwhile stays{_named(state.stays)}"
        self._book.result(state.line.number, state.line, status, why, state.wrote, state.units)
        if why and len(self._reports) < _REPORTED:
            self._reports.append(f"line {state.line.number}: {status}: {why}")

    @property
    def _may_change(self) -> float:
        """How many items may have changed meanwhile."""
        most = self._how.max_changed
        return math.inf if most is None else most * len(self._plan) if most < 1 else most

    def _look_at_changed(self) -> None:
        """Stop where more items have changed meanwhile than may have."""
        most = self._how.max_changed
        changed = self._book.count("merged again") + self._book.count("changed meanwhile")
        if most is not None and changed > self._may_change and not self._stop.is_set():
            share = f"{most:.2%} of the plan" if most < 1 else f"{most:,.0f}"
            self._why_stopped = f"{changed:,} had changed meanwhile, and max_changed is {share}"
            self._stop.set()

    def _fail(self, error: WorkbenchError) -> None:
        """Stop, since nothing more can be sent."""
        self._error = self._error or error
        self._why_stopped = self._why_stopped or str(error)
        self._stop.set()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Have Ctrl-C and SIGTERM stop it after the writes that are under way; a second Ctrl-C ends it at once."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return

        def stop(number: int, frame: FrameType | None) -> None:
            if self._stop.is_set():
                raise KeyboardInterrupt
            self._why_stopped = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
            self._stop.set()

        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, signal.SIG_DFL if handler is None else handler)
