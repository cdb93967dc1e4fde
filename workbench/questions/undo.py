"""The writes that take items, or a whole table, back: chosen, planned and shown; nothing is written by planning."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property, partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench import paths
from workbench.aws.costs import price_of_writes
from workbench.engines import Answer
from workbench.errors import ExportError, ParameterError, StoreError, did_you_mean
from workbench.model import times
from workbench.model.attribute_paths import column_name, column_path
from workbench.model.canonical import canonical_keys, image_digest
from workbench.model.conditions import CHANGES, And, Changed, Condition, Equals, Name, Not, Or, holds, leaves, names
from workbench.model.item_writes import Write, batch_requests
from workbench.model.items import from_dynamodb, typed_value
from workbench.model.keys import Key
from workbench.model.merging import Image, Merged, PathOutcome, Rules, Value, back_to
from workbench.model.records import EVENTS
from workbench.model.times import END_OF_TIME, Moment, duration, instant, window
from workbench.questions.asking import Asking
from workbench.questions.frames import shown
from workbench.questions.large import whole_of
from workbench.questions.masking import names_masked
from workbench.questions.result import Result
from workbench.questions.state import holding, state_at
from workbench.questions.undo_chains import (
    alike,
    found_by,
    from_first,
    in_order,
    plain_change,
    planned_chains,
    settled_apart,
)
from workbench.questions.undo_items import (
    WRITTEN,
    Planned,
    PlannedItem,
    dollars,
    frame_of,
    has_path,
    paths_of,
    without_refused,
)
from workbench.sandbox import ItemStore
from workbench.sql.filters import Filter
from workbench.text import count
from workbench.undo.journal import (
    SLACK,
    OwnWrite,
    applied_to,
    journal_of,
    own_writes,
    plan_of,
    reversed_writes,
    unrecorded,
    write_id,
)
from workbench.undo.plan_file import About, Plan, reading, writing
from workbench.undo.targets import Description, DynamoTarget, StoreTarget, Target

if TYPE_CHECKING:
    from workbench.undo.applying import Applied

_FEW = 1_000  # items that a question names; of more, all are asked about
_EXAMPLES = 3
_MICROSECOND = timedelta(microseconds=1)
_PAGE_ITEMS = 200
_EMBEDDED = "local"  # the Region of what the embedded item store made
OnConflict = Literal["keep", "before", "fail"]
Mark = str | Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Undo(Result):
    """The plan of an undo, a row an item; nothing is written before it is applied.

    Attributes
    ----------
    about
        What a file of the plan says beside the writes.
    """

    shows_notes: ClassVar[bool] = True
    about: About
    planned: Sequence[PlannedItem] = field(repr=False)
    """With exact values, also of masked attributes."""
    hide: Callable[[pd.DataFrame], pd.DataFrame] = field(repr=False)
    home: Path
    open: Callable[[], Any] = field(repr=False)
    """Opens the workbench that applies it."""

    @property
    def actions(self) -> Mapping[str, int]:
        """How many items there are of each action."""
        found = Counter[str](each.action for each in self.planned)
        return {action: found[action] for action in _ORDER if found[action]}

    @cached_property
    def paths(self) -> pd.DataFrame:
        """Tell the same, a row an attribute.

        The key attributes, then path, member (of a set), status (taken back, conflict, settled, kept, bumped, delta,
        unknown), why, and its values before, bad (as the last change taken back left it), now, and after the undo.
        """
        return self.hide(paths_of(self.planned, tuple(self.about.key)))

    @property
    def conflicts(self) -> pd.DataFrame:
        """The attributes in conflict, with all their values: rows of `paths`."""
        paths = self.hide(paths_of([each for each in self.planned if each.count("conflict")], tuple(self.about.key)))
        return paths[paths["status"] == "conflict"].reset_index(drop=True)

    def first(self, rank: Mapping[str, int], limit: int) -> pd.DataFrame:
        """Return the rows of the first items: those with a conflict, then by the rank of their actions."""
        names = tuple(self.about.key)
        if not any(names_masked(name, self.asked.get("mask", ())) for name in names):
            ranks = [(not each.count("conflict"), rank[each.action]) for each in self.planned]
            by_rank = sorted(range(len(ranks)), key=ranks.__getitem__)
            return self.hide(whole_of(frame_of([self.planned[at] for at in by_rank[:limit]], names)))
        return by_decision(self.df, rank).head(limit).reset_index(drop=True)  # as masked: the order tells nothing

    @property
    def units(self) -> int:
        """Write units that applying takes, indexes and replicas not counted."""
        return self.about.units

    @property
    def writes(self) -> int:
        """How many items are written."""
        return sum(self.actions.get(action, 0) for action in WRITTEN)

    @property
    def verdict(self) -> str:
        """One line: what is to be done with how many items, and what that costs."""
        kinds = [f"{number:,} {_AS_SAID[action]}" for action, number in self.actions.items()]
        said = ", ".join(kinds) or "there is nothing to take back"
        conflicts = sum(each.count("conflict") for each in self.planned)
        apart = f"; {count(conflicts, 'conflict')}" if conflicts else ""
        takes = f"; {count(self.units, 'write unit')}{self.price}" if self.units else ""
        return f"{self.asked['table']}: {said}{apart}{takes}"

    @property
    def price(self) -> str:
        """What applying it costs, behind a comma; nothing where nothing is paid, as in the item store."""
        return "" if self.session is None else f", {dollars(self.about.cost)}"

    @property
    def _outcome(self) -> str:
        return self.verdict

    def save(
        self, path: str | Path, *, format: Literal["elements", "batch"] = "elements", overwrite: bool = False
    ) -> Path:
        """Write the plan to a file, ``PLAN.jsonl``, with ``PLAN.jsonl.meta.json`` beside it.

        Both hold exact values, also of masked attributes, and only their user may read them.

        Parameters
        ----------
        format
            ``"elements"``: a line an element of `TransactWriteItems`, each with its condition; what `apply` takes.
            ``"batch"``: a line a request of `BatchWriteItem`, **unconditional**: what was changed since is overwritten.

        Raises
        ------
        ExportError
            Where a file exists and `overwrite` is not set, or cannot be written.
        ParameterError
            Where there is nothing to write, or DynamoDB would not take a write.
        """
        place = paths.local_path(path, ExportError, "write it to a file of this machine")
        if not self.writes:
            raise ParameterError(f"there is nothing to write to {path}: {self.verdict}")
        names = tuple(self.about.key)
        if format == "batch":
            return self._save_batch(place, names, overwrite)
        back = self.about.kind == "to"
        with writing(place, self.about, overwrite=overwrite) as lines:
            for each in self.planned:
                takes_back = sorted(each.takes_back) or ([self.about.asked["to"].isoformat()] if back else [])
                for write, whole in each.writes(self.about.table, names):
                    lines.add(write, each.action, takes_back, whole=whole)
        return place

    def _save_batch(self, place: Path, names: Sequence[str], overwrite: bool) -> Path:
        if place.exists() and not overwrite:
            raise paths.already_there(place)
        if any(each.reversals for each in self.planned):
            raise ParameterError("an undo is taken back by conditional writes only: leave the format out")
        items = (
            ({name: _image_of(each)[name] for name in names}, each.merged.after)
            for each in self.planned
            if each.action in WRITTEN
        )
        try:
            with paths.write_atomically(place) as part:
                part.touch(0o600)
                with part.open("wb") as file:
                    for request in batch_requests(self.about.table, items):
                        file.write(orjson.dumps(request) + b"\n")
        except OSError as error:
            raise ExportError(f"{place} could not be written: {error.strerror or error}") from error
        return place

    def apply(self, path: str | Path | None = None, **options: Any) -> Applied:
        """Write the plan to a file, and apply it; see `Workbench.apply`, which also takes the file later.

        Parameters
        ----------
        path
            The file; without one, one in `home`/undo.
        """
        if path is None:
            named = f"{self.about.table}-{self.about.made_at:%Y%m%dT%H%M%S%f}.jsonl"
            path = self.home / "undo" / "plans" / named
        applied: Applied = self.open().apply(self.save(path), **options)
        return applied

    def to_html(self, path: str | Path | None = None, *, limit: int = _PAGE_ITEMS, overwrite: bool = False) -> str:
        """Return the plan as a page for whoever decides, which needs nothing outside itself; or write it to a file.

        Parameters
        ----------
        limit
            The most items shown.

        Returns
        -------
        str
            The page; with `path`, the file.
        """
        from workbench.questions.undo_page import page

        text = page(self, limit)
        if path is None:
            return text
        place = paths.local_path(path, ExportError, "write it to a file of this machine")
        if place.exists() and not overwrite:
            raise paths.already_there(place)
        try:
            with paths.write_atomically(place) as part:
                part.write_text(text, "utf-8")
        except OSError as error:
            raise ExportError(f"{place} could not be written: {error.strerror or error}") from error
        return str(place)

    def _print(self, rows: int, vertical: bool) -> None:
        from workbench.questions import undo_page
        from workbench.terminal import print_lines, print_verdict

        print_verdict(self.verdict)
        print_lines([undo_page.to_text(self)])

    def _repr_html_(self) -> str:
        from workbench.questions import undo_page

        return undo_page.to_html(self, limit=20)


def by_decision(df: pd.DataFrame, rank: Mapping[str, int]) -> pd.DataFrame:
    """Order the rows of a plan: those with a conflict first, then by the rank of their actions."""
    ranks = [(not conflicts, rank[action]) for conflicts, action in zip(df["conflicts"], df["action"], strict=True)]
    return df.iloc[sorted(range(len(ranks)), key=ranks.__getitem__)]


_ORDER = ("put back", "update", "delete", "conflict", "unknown", "gone", "unchanged")
_AS_SAID = {
    "put back": "to put back",
    "update": "to update",
    "delete": "to delete",
    "conflict": "in conflict",
    "unknown": "unknown",
    "gone": "gone",
    "unchanged": "unchanged",
}


def _image_of(planned: PlannedItem) -> Image:
    return planned.merged.after or planned.now or {}


@dataclass(frozen=True)
class Chosen:
    """Which changes are to be taken back."""

    start: datetime
    end: datetime
    matching: Filter
    condition: Condition | None
    """What of it has to be asked of each change again."""
    carrying: tuple[tuple[Filter, str], ...] = ()
    """Changes that merely carry along what is chosen by, and what is said of so many of them."""
    either: tuple[str, ...] = ()
    """Attributes that the condition reads from either image."""


def undo(
    asking: Asking,
    table: str,
    *,
    to: Moment | None,
    start: Moment | None,
    end: Moment | None,
    key: Key | Sequence[Key] | None,
    prefix: bool,
    where: str | None,
    events: str | Sequence[str],
    actor_is: str | None,
    on_conflict: OnConflict,
    kept: str | Sequence[str],
    bump: str | Sequence[str],
    delta: str | Sequence[str],
    ttl: str | None,
    lists: Literal["whole", "index"],
    mark: Mark | None,
    live: bool | None,
    journal: str | Path | None,
    open: Callable[[], Any],
) -> Undo:
    """Plan the writes that take items back; see `Workbench.undo`."""
    asking.refuse_known("an undo is of the table as it is")
    _refuse_empty({"key": key, "where": where, "actor_is": actor_is, "ttl": ttl, "mark": mark, "journal": journal})
    events = [events] if isinstance(events, str) else list(events)
    asked = {"to": to, "start": start, "end": end, "key": key, "prefix": prefix, "where": where}
    if actor_is and asking.settings.actor:
        actor_is = f"{asking.settings.actor}={actor_is.removeprefix(f'{asking.settings.actor}=')}"
    asked |= {"events": events, "actor_is": actor_is, "journal": str(journal) if journal else None}
    _refuse_mixed(asked)
    moment = times.now()
    types = _key_in_plan(Path(journal)) if journal else asking.engine.keys(table)[0].types
    with _table(asking, table, live) as (target, about_table):
        if about_table and sorted(about_table.key) != sorted(types):
            raise ParameterError(
                f"the log of {table!r} has the key {', '.join(types)}, and the table {', '.join(about_table.key)}: is "
                "it another table of that name? --no-live (live=False) plans without looking at it"
            )
        if about_table and about_table.arn.startswith("arn:"):
            _refuse_another_place(about_table.arn, {} if journal else asking.engine.place(table))
        own = dict(about_table.key if about_table else types)
        how = {"on_conflict": on_conflict, "lists": lists, "kept": _paths(kept), "bump": _paths(bump)}
        attribute, is_known = _ttl_name(asking, table, target)
        rules = Rules(
            at=moment,
            delta=_paths(delta),
            mark=_marked(mark, moment),
            **_expiry(ttl, attribute),
            **how,  # type: ignore[arg-type]
        )
        rules.refuse_keys(frozenset(own))
        if journal and rules != Rules(at=moment, ttl=rules.ttl):
            raise ParameterError("journal= takes back one undo, as it was made: leave out rules such as kept or mark")
        planning = _Planning(asking, table, own, rules, target if live is not False else None, about_table, live)
        planning.knows_ttl = is_known or rules.ttl is not None
        if journal:
            outcome = planning.reversal(Path(journal))
        elif to is not None:
            asked["to"] = at = instant(to)
            outcome = planning.back_to(at, key, prefix, where)
        else:
            chosen = _chosen(asking, table, asked)
            asked |= {"start": start and chosen.start, "end": end and chosen.end}
            outcome = planning.take_back(chosen)
        return planning.result(outcome, asked, ttl, open)


@dataclass(frozen=True)
class _Outcome:
    """What is planned, and the answer it stands on."""

    planned: Sequence[PlannedItem]
    answer: Answer
    kind: Literal["to", "changes", "journal"]
    notes: Sequence[str] = ()
    matched: int = 0
    """How many changes the log was found to hold of those that are taken back."""
    ambiguous: int = 0
    of_table: tuple[str | None, str | None] | None = None
    """The ARN and the TableId of the table, where a journal tells."""


class _Planning:
    """Plans for one table by one set of rules."""

    def __init__(
        self,
        asking: Asking,
        table: str,
        key: Mapping[str, str],
        rules: Rules,
        target: Target | None,
        described: Description | None,
        live: bool | None,
    ) -> None:
        self.asking, self.table, self.key, self.rules = asking, table, key, rules
        self.names = tuple(key)
        self.target, self.described = target, described
        self.knows_ttl = False
        self.reads_live = target is not None and (live or not asking.engine.tables_in_dynamodb)

    # Taking changes back.

    def take_back(self, chosen: Chosen) -> _Outcome:
        """Plan what takes chosen changes back, and keeps what happened after them."""
        asking, table = self.asking, self.table

        def ask() -> tuple[Answer, pa.Table, np.ndarray]:
            span = {"start": chosen.start, "end": chosen.end}
            answer = asking.ask("chosen_chains", table, where=chosen.matching, **span, examples=_EXAMPLES)
            rows = in_order(answer.rows)
            return answer, rows, _exactly(rows, chosen, asking.settings.threads)

        answer, rows, bad = asking.retrying(table, ask)
        matched = int(pc.sum(rows.column("chosen")).as_py() or 0)
        notes = self._of_others(answer.rows)
        kept, older = _of_this_key(rows, self.names)
        rows, bad = from_first(rows.filter(pa.array(kept)), bad[kept])
        notes += [f"left out: {count(older, 'item')} of the table before it was made again"] if older else []
        keys = pc.unique(rows.column("keys")).to_pylist()
        live = self._live(keys)
        states: dict[str, str | None] = {}
        ambiguous = 0
        if live is None and (tied := settled_apart(rows)):
            states, ambiguous = self._states(tied)
        planned = planned_chains(
            rows, bad, self.rules, frozenset(self.names), states=states, live=live, own=self._own_writes()
        )
        if differing := sum(each.ahead for each in planned):
            notes.append(
                f"not in the table what the log tells, as by changes on their way: {count(differing, 'item')}; these "
                "count as changes that stay"
            )
        if chosen.either and matched:
            notes.append(_EITHER.format(*chosen.either[:1]))
        for carrying, what in chosen.carrying:
            counted = asking.ask("chosen_changes", table, where=carrying, start=chosen.start, end=chosen.end).rows
            if carried := counted.to_pylist()[0]["changes"]:
                notes.append(what.format(count(carried, "change")))
        return _Outcome(planned, answer, "changes", notes, matched, ambiguous)

    def _of_others(self, rows: pa.Table) -> list[str]:
        """Say which other items changed at the same instants, as one transaction's do."""
        named = rows.filter(pc.is_valid(rows.column("others"))).sort_by([("ts", "ascending"), ("keys", "ascending")])
        if not len(named):
            return []
        number = named.column("others")[0].as_py()
        texts = [self._shown_key(key) for key in named.column("keys").to_pylist()]
        such_as = "; ".join(dict.fromkeys(texts))
        return [f"changed at the same instants, and not taken back: {count(number, 'other item')}, such as {such_as}"]

    def _shown_key(self, text: str) -> str:
        """Write a key for people, masked."""
        hidden = self.asking.masked(self.table, pd.DataFrame({"keys": [text]}))["keys"][0]
        return " ".join(f"{name}={shown(value)}" for name, value in from_dynamodb(json.loads(hidden)).items())

    # Back to an instant.

    def back_to(self, at: datetime, key: Key | Sequence[Key] | None, prefix: bool, where: str | None) -> _Outcome:
        """Plan what makes items what they were at an instant."""
        asking, table = self.asking, self.table
        of_items = Filter(asking.read_keys(table, key, prefix))
        condition = asking.read_condition(where, {})

        undone = {key for key, own in self._own_writes().items() if any(write.ended > at for write in own)}

        def ask() -> tuple[Answer, Answer, Answer, set[str]]:
            since = asking.ask("chosen_chains", table, where=of_items, start=at + _MICROSECOND, first=True)
            changed = pc.unique(in_order(since.rows).column("keys")).to_pylist()
            on_their_way = undone.difference(changed) if self.reads_live else set[str]()
            few = len(changed) <= _FEW and not on_their_way
            only = Filter(tuple(changed), nothing=not changed) if few else of_items
            then, last = (
                state_at(asking, table, moment, include_deleted=True, where=only) for moment in (at, END_OF_TIME)
            )
            return since, then, last, on_their_way

        since, then, last, on_their_way = asking.retrying(table, ask)
        rows = in_order(since.rows)
        kept, older = _of_this_key(rows, self.names)
        rows = rows.filter(pa.array(kept))
        states, ends = (_images(answer.rows) for answer in (then, last))
        by_ttl = set(last.rows.filter(last.rows.column("by_ttl")).column("keys").to_pylist())
        ambiguous = sum(pc.sum(answer.rows.column("ambiguous")).as_py() or 0 for answer in (then, last))
        began = asking.engine.keys_seen(table)[-1].first.replace(tzinfo=UTC)
        reaches = at >= began or asking.engine.baseline(table, at) is not None
        flat = "flat" in asking.engine.layout(table)
        items = {item: list(group) for item, group in groupby(rows.to_pylist(), key=lambda row: row["keys"])}
        # What an undo has written since, the log may not have yet.
        items |= {item: [] for item in sorted(on_their_way & states.keys())}
        live = self._live([*items])
        planned, same = list[PlannedItem](), 0
        for item, changes in items.items():
            # Of an item without a change until then, the first one since tells, where the log had begun by then.
            known, state = item in states, states.get(item)
            if not changes or (known and _found_as_text(changes, state)):
                is_told, text = True, state
            else:
                is_told, text = found_by(changes, state, known=known)
            if live is None and item not in ends:
                planned.append(Planned(item, None, _UNKNOWN, "what the item is now is not in the log"))
                continue
            if flat:
                planned.append(Planned(item, None, _UNKNOWN, "a flat log does not tell the types of values"))
                continue
            if not (is_told and (known or reaches)):
                planned.append(Planned(item, None, _UNKNOWN, _why_not_told(began, reaches or known)))
                continue
            ended = orjson.loads(ends.get(item) or "null") if live is not None or condition else None
            if condition is None and item not in by_ttl and (live is None or live.get(item) == ended):
                merge = partial(self._back, text, ends.get(item))
                if run := plain_change(item, text, ends.get(item), self.rules, frozenset(), merge):
                    planned.append(run)
                    continue
            before = orjson.loads(text) if text else None
            current = live.get(item) if live is not None else orjson.loads(ends[item] or "null")
            if condition and not holds(condition, current, before, {}):
                continue
            if alike(before, current):
                same += 1
                continue
            expired = current is None and item in by_ttl
            merged = back_to(before, current, self.rules, frozenset(self.names), by_ttl=expired)
            planned.append(Planned(item, current, merged))
        notes = [f"{count(same, 'item')} changed since and are again as they were"] if same else []
        notes += [f"left out: {count(older, 'item')} of the table as it was made again"] if older else []
        notes += [note for note in last.notes if note.startswith("left out")]
        notes += asking.notes(table, at)
        return _Outcome(planned, since, "to", notes, 0, ambiguous)

    def _back(self, before: str | None, now: str | None) -> Merged:
        then, current = (orjson.loads(text) if text else None for text in (before, now))
        return back_to(then, current, self.rules, frozenset(self.names))

    # Taking an undo back.

    def reversal(self, journal: Path) -> _Outcome:
        """Plan what takes an undo back, by what it wrote; the log is not needed."""
        with reading(plan_of(journal)) as plan:
            if plan.about.table != self.table:
                raise ParameterError(f"{journal} is the journal of an undo of {plan.about.table!r}, not {self.table!r}")
            of_undo = plan.about.rules
            self.rules = replace(self.rules, bump=of_undo.bump, delta=of_undo.delta)  # as others count on
            writes: dict[str, list[Any]] = defaultdict(list)
            planned = []
            for line, write, whole in reversed_writes(journal, plan):
                if write is None:
                    why = "the journal does not hold what was deleted: its process was ended before it could say so"
                    planned.append(Planned(canonical_keys(line.write.key), None, _UNKNOWN, why))
                else:
                    writes[canonical_keys(write.key)].append((line, write, whole))
            live = self._live([*writes]) or {}  # tells what an update takes, which is by the size of the whole item
            for item, each in writes.items():
                outcomes = tuple(outcome for _, write, _ in each for outcome in _reversed_outcomes(write))
                kinds = {write.kind for _, write, _ in each}
                action: Any = (
                    {"Put": "put back", "Delete": "delete"}.get(kinds.pop(), "update") if len(kinds) == 1 else "update"
                )
                back = frozenset(write_id(plan.sha, line.number) for line, _, _ in each)
                merged = Merged(action, None, outcomes, back)
                reversals = tuple((write, whole) for _, write, whole in each)
                planned.append(Planned(item, live.get(item), merged, "", reversals))
        nothing = Answer(pa.table({}), f"-- of the journal {journal.name}: the log is not asked", 0.0, 0, 0, ())
        return _Outcome(planned, nothing, "journal", of_table=applied_to(journal))

    # What it stands on.

    def _states(self, keys: Sequence[str]) -> tuple[dict[str, str | None], int]:
        """Return what items are by the log, and how many of them only event_id tells."""
        only = Filter(tuple(keys)) if len(keys) <= _FEW else Filter()
        wanted = pa.array(keys)
        rows = self.asking.retrying(
            self.table,
            lambda: state_at(self.asking, self.table, END_OF_TIME, include_deleted=True, where=only),
        ).rows
        rows = rows.filter(pc.is_in(rows.column("keys"), wanted))
        return _images(rows), pc.sum(rows.column("ambiguous")).as_py() or 0

    def _live(self, keys: Sequence[str]) -> dict[str, Image] | None:
        """Return items as they are in the table; None where that is not looked at."""
        if self.target is None or not self.reads_live:
            return None
        return self.target.read([orjson.loads(key) for key in keys])

    def _own_writes(self) -> Mapping[str, Sequence[OwnWrite]]:
        """Return the writes of undos before, by item."""
        found: dict[str, list[OwnWrite]] = defaultdict(list)
        table_id = self.described.table_id if self.described else None
        for write in own_writes(self.asking.settings.home, self.table, table_id):
            found[write.key].append(write)
        return found

    def result(self, outcome: _Outcome, asked: Mapping[str, Any], ttl: str | None, open: Callable[[], Any]) -> Undo:
        """Wrap what is planned, with what it takes and what to know about it."""
        asking, rules = self.asking, self.rules
        planned, refused = without_refused(outcome.planned, self.described.indexed if self.described else {})
        if rules.on_conflict == "fail":
            _refuse_conflicts(planned)
        units = sum(each.units(self.table, self.names) for each in planned if each.action in WRITTEN)
        cost = price_of_writes(units, asking.settings.price_per_million_writes)
        notes = [*outcome.notes, *_left_out(planned)]
        notes += [f"left alone: {count(refused, 'item')} that the table would refuse as planned"] if refused else []
        if outcome.kind != "journal":
            notes += self._of_freshness(outcome.answer)
            notes += _in_nothing(planned, rules)
            if not self.knows_ttl and (back := sum(each.action == "put back" for each in planned)):
                notes.append(
                    f"put back, expired or not: {count(back, 'item')}; which attribute tells when items expire is not "
                    "known: --ttl ATTRIBUTE:skip (ttl=) leaves expired ones out"
                )
        if self.target and planned:
            notes += [f"every write sets off {each}" for each in self.target.listens()]
        there = (self.described.arn, self.described.table_id) if self.described else (None, None)
        arn, table_id = outcome.of_table or there
        about = About(
            table=self.table,
            key=self.key,
            kind=outcome.kind,
            made_at=rules.at,
            asked={name: value for name, value in asked.items() if value not in (None, (), [], False)}
            | {"matched": outcome.matched},
            rules=rules,
            arn=arn,
            table_id=table_id,
            newest_change=outcome.answer.newest_change,
            units=units,
            cost=cost,
            counts={},
            notes=tuple(notes),
        )
        shown_rules = {"on_conflict": rules.on_conflict, "lists": rules.lists, "ttl": ttl}
        plain_rules = {name: value for name, value in shown_rules.items() if value not in ("keep", "whole", None)}
        return asking.result(
            Undo,
            frame_of(planned, self.names),
            outcome.answer,
            "undo",
            self.table,
            {**asked, **plain_rules},
            ambiguous=outcome.ambiguous,
            notes=notes,
            key_names=self.names,
            live=self.reads_live,
            hide=lambda df: asking.masked(self.table, df, key_names=self.names),
            about=about,
            planned=planned,
            home=asking.settings.home,
            open=open,
        )

    def _of_freshness(self, answer: Answer) -> list[str]:
        """Say what may have happened that the plan does not know."""
        newest = f"{answer.newest_change:%Y-%m-%d %H:%M:%S} UTC" if answer.newest_change else "an unknown instant"
        if self.target and self.reads_live:
            waiting = self.target.undelivered()
            if waiting is None:
                return [
                    f"which items changed is told by the log, whose newest change is of {newest}: what changed only "
                    "since is not in the plan"
                ]
            told = "change of the table waits" if waiting == 1 else "changes of the table wait"
            return (
                [f"{waiting:,} {told} to be delivered: what the log does not tell is not in the plan"]
                if waiting
                else []
            )
        return [
            f"planned from the log, whose newest change is of {newest}: what is on its way, or was changed since, is "
            "noticed when the plan is applied, and left as it is"
        ]


_UNKNOWN = Merged("unknown", None, (), frozenset())


def _refuse_empty(given: Mapping[str, Any]) -> None:
    """Refuse what is given and says nothing, as a variable of a shell that is not set: more would be taken back."""
    for name, value in given.items():
        if isinstance(value, str | Sequence | Mapping) and not value:
            raise ParameterError(f"{name} is empty: leave it out, or say what it is to be")


def _key_in_plan(journal: Path) -> Mapping[str, str]:
    """Return the key that the plan of a journal tells, which needs no log."""
    with reading(plan_of(journal)) as plan:
        return plan.about.key


def _refuse_another_place(arn: str, log: Mapping[str, str]) -> None:
    """Refuse a table of another Region or account than the one whose log it is, as far as the log tells them."""
    _, _, _, region, account, _ = arn.split(":", 5)
    for what, told, there in (("Region", "aws_region", region), ("account", "account_id", account)):
        if log.get(told, there) not in (there, _EMBEDDED):
            raise ParameterError(
                f"the log is that of a table in the {what} {log[told]}, and the one to be written to is {arn}: choose "
                "the region or the profile of the log's; --no-live (live=False) plans without looking at it"
            )


def _refuse_mixed(asked: Mapping[str, Any]) -> None:
    """Refuse what asks for nothing, or for several kinds of undo at once."""
    given = [name for name, value in asked.items() if value not in (None, [], (), "", False)]
    if asked["journal"] and given != ["journal"]:
        raise ParameterError("journal= takes back one undo, all of it: leave out what else chooses")
    if asked["to"] is not None and (more := [name for name in ("start", "end", "events", "actor_is") if name in given]):
        raise ParameterError(
            f"to= is a state to go back to, and {more[0]}= chooses changes to take back: give the one or the other"
        )
    if not set(given) - {"prefix"}:
        raise ParameterError(
            "say what to take back: --to TIME (to=) goes back to an instant; --start, --end, --where, --events, --key, "
            "--actor choose changes; --journal takes an undo back"
        )
    if unknown := [event for event in asked["events"] if event not in EVENTS]:
        raise ParameterError(
            f"{unknown[0]!r} is no event: use {', '.join(EVENTS)}.{did_you_mean(str(unknown[0]), EVENTS)}"
        )


def _chosen(asking: Asking, table: str, asked: Mapping[str, Any]) -> Chosen:
    """Read which changes are to be taken back."""
    start, end = window(asked["start"], asked["end"])
    condition = asking.read_condition(asked["where"], CHANGES)
    keys, events = asking.read_keys(table, asked["key"], asked["prefix"]), tuple(asked["events"])
    carrying: list[tuple[Condition, str]] = []
    either = _of_either_image(condition, asking.engine.keys(table)[0].types) if condition else ()
    if condition and (wrote := _writing(condition, asking.engine.keys(table)[0].types)):
        carrying.append((And((condition, Not(wrote))), _CARRIED))
        condition = And((condition, wrote))
    if asked["actor_is"]:
        wrote, carries = _by_actor(asking, asked["actor_is"])
        carrying.append((And((condition, carries)) if condition else carries, _NAMED))
        condition = And((condition, wrote)) if condition else wrote
    merely = tuple((Filter(keys, events, each), what) for each, what in carrying)
    return Chosen(start, end, Filter(keys, events, condition), condition, merely, either)


_CARRIED = (
    "not taken back: {}, which carry along what where says of new., and did not write it; leave out new. for them too"
)
_EITHER = (
    "where reads {0} from either image of a change: one that mended it, or carried it along, is taken back too; "
    "new.{0} is of those that wrote it"
)
_NAMED = "the actor's name stands in {} that did not write it: not taken back"


def _writing(condition: Condition, keys: Iterable[str]) -> Condition | None:
    """Return the condition that a change wrote what a condition reads from its new image; None where it reads nothing.

    A later write of the whole item carries a bad value along, and is not to be taken back for that.
    """
    paths = {name.path: Name("new", name.path) for name in names(condition) if name.image == "new"}
    made = Name("new", (next(iter(keys)),))  # which is written where the item is made, and only there
    return Or(tuple(map(Changed, (*paths.values(), made)))) if paths else None


def _of_either_image(condition: Condition, keys: Collection[str]) -> tuple[str, ...]:
    """Return the attributes that a condition reads without saying of which image; keys are the same in both."""
    read = (name for leaf in leaves(condition) if not isinstance(leaf, Changed) for name in names(leaf))
    found = (column_name(name.path) for name in read if not name.image and name.path[0] not in keys)
    return tuple(dict.fromkeys(found))


def _by_actor(asking: Asking, text: str) -> tuple[Condition, Condition]:
    """Return the conditions that somebody wrote a change, and that it merely carries the name."""
    path = asking.settings.actor
    name = text.removeprefix(f"{path}=")
    if path is None or name == text:  # a plan says which attribute it was, whatever the setting is where it is applied
        path, equals, name = text.partition("=")
        if not equals:
            raise ParameterError(
                f"actor_is={text!r}: say which attribute tells who wrote, as ATTRIBUTE={text}, or by the setting actor"
            )
    values: tuple[Any, ...] = (name,)
    try:
        number = typed_value(_decimal(name)) if name.strip("-").replace(".", "", 1).isdigit() else None
    except ParameterError:
        number = None
    if number:
        values += (_decimal(name),)
    left, found = (Equals(Name(side, column_path(path)), values) for side in ("new", "old"))
    return And((left, Not(found))), And((left, found))


def _decimal(text: str) -> Any:
    from decimal import Decimal

    return Decimal(text)


def _exactly(rows: pa.Table, chosen: Chosen, threads: int | None) -> np.ndarray:
    """Tell which changes are chosen, exactly: SQL lets through what equals a number but for its last digits."""
    found: np.ndarray = rows.column("chosen").to_numpy(zero_copy_only=False).astype(bool)
    if chosen.condition is None or not found.any():
        return found
    numbered = rows.append_column("number", pa.array(np.arange(len(rows)))).filter(pa.array(found))
    held = holding(numbered, chosen.condition, "new_image", "old_image", threads=threads).column("number").to_numpy()
    exactly = np.zeros(len(rows), dtype=bool)
    exactly[held] = True
    return exactly


def _of_this_key(rows: pa.Table, names: Sequence[str]) -> tuple[np.ndarray, int]:
    """Tell which rows are of items with the key that the table has now, and how many items are not."""
    keys = rows.column("keys").combine_chunks().dictionary_encode()
    own = np.array([set(orjson.loads(text)) == set(names) for text in keys.dictionary.to_pylist()], dtype=bool)
    return own[keys.indices.to_numpy()] if len(rows) else np.zeros(0, dtype=bool), int((~own).sum())


def _images(rows: pa.Table) -> dict[str, str | None]:
    return dict(zip(rows.column("keys").to_pylist(), rows.column("image").to_pylist(), strict=True))


def _found_as_text(changes: Sequence[Mapping[str, Any]], state: str | None) -> bool:
    """Tell whether one change is all there is of an instant, and found a state as it is written."""
    first, *others = changes
    found: bool = first["old_image"] == state if state else first["event_name"] == "INSERT"
    return found and not others


def _why_not_told(began: datetime, reaches: bool) -> str:
    if not reaches:
        return f"the log begins after that instant, at {began:%Y-%m-%d %H:%M:%S} UTC; an export tells (baseline=)"
    return "a change is missing from the log: the first one since did not find what the log says was there"


def _left_out(planned: Sequence[PlannedItem]) -> list[str]:
    """Say what is not known, and not written."""
    unknown = sum(each.action == "unknown" for each in planned)
    notes = (
        [f"left out: {count(unknown, 'item')} of which it cannot be known what they were, or are"] if unknown else []
    )
    some = sum(each.action != "unknown" and each.count("unknown") > 0 for each in planned)
    return notes + ([f"of {count(some, 'item')} not all can be known: see .paths"] if some else [])


def _in_nothing(planned: Sequence[PlannedItem], rules: Rules) -> Iterator[str]:
    """Say which attributes of the rules none of the items has, as where a name is misspelled."""
    for path in dict.fromkeys((*rules.kept, *rules.bump, *rules.delta)) if planned else ():
        if not any(has_path(each, path) for each in planned):
            yield f"no item here has {column_name(path)}, which is to be kept, bumped or counted back: is it its name?"


def _refuse_conflicts(planned: Sequence[PlannedItem]) -> None:
    number = sum(each.count("conflict") > 0 for each in planned)
    if number:
        raise ParameterError(
            f"{count(number, 'item')} in conflict, and on_conflict is fail: look at what on_conflict=keep plans"
        )


def _paths(given: str | Sequence[str]) -> tuple[tuple[str, ...], ...]:
    return tuple(column_path(each) for each in ([given] if isinstance(given, str) else given))


def _marked(given: Mark | None, moment: datetime) -> dict[tuple[str | int, ...], Value]:
    """Read what every write is to be marked with: ``ATTRIBUTE``, or ``ATTRIBUTE=TEXT``."""
    if not given:
        return {}
    if isinstance(given, str):
        name, equals, text = given.partition("=")
        given = {name: text if equals else f"undo of {moment:%Y-%m-%dT%H:%M:%SZ}"}
    return {column_path(name): typed_value(value) for name, value in given.items()}


def _expiry(given: str | None, known: str | None) -> dict[str, Any]:
    """Read what is to be done with expired items: ``keep``, ``drop`` or ``+7d``, perhaps after ``ATTRIBUTE:``."""
    name, separate, how = (given or "").rpartition(":")
    attribute = name if separate else known
    if not how:
        return {"ttl": attribute} if attribute else {}
    if how not in ("keep", "drop", "skip") and not how.startswith("+"):
        raise ParameterError(f"ttl={given!r} is none of keep, drop, skip and a length of time from now, like +7d")
    if attribute is None:
        raise ParameterError(f"ttl={given!r}: say which attribute it is, as ATTRIBUTE:{how}")
    return {"ttl": attribute, "expired": duration(how[1:]).to_pytimedelta() if how.startswith("+") else how}


def apply(
    asking: Asking,
    plan: str | Path,
    *,
    rate: float | None,
    limit: int | None,
    max_changed: float | None,
    sha: str | None,
    yes: bool,
    why: str | None,
    journal: str | Path | None,
) -> Applied:
    """Apply a plan that was saved; see `Workbench.apply`."""
    from workbench.undo.applying import How, apply_plan

    asking.refuse_known("a plan is applied to the table as it is")
    place = paths.local_path(plan, ParameterError, "a plan is a file of this machine")
    if not yes:
        raise ParameterError(f"{outlook(place)}: look at it, and say yes=True")
    with reading(place) as read:
        book = journal_of(place) if journal is None else paths.local_path(journal, ParameterError, "name a file")
        how = How(rate, limit, max_changed, sha, why, lambda: still_arriving(asking, read, book))
        with target_of(asking, read.about, read.sha) as target:
            return apply_plan(read, target, book, asking.settings.home, how)


def outlook(plan: str | Path) -> str:
    """Say in a line what applying a plan does."""
    with reading(paths.local_path(plan, ParameterError, "a plan is a file of this machine")) as read:
        about = read.about
        kinds = ", ".join(f"{number:,} {action}" for action, number in about.counts.items())
        where = f" ({about.arn})" if about.arn else " (which one was not looked at when it was planned)"
        return f"{plan} makes {count(len(read), 'write')} in {about.table!r}{where}: {kinds}"


def refuse_another_table(plan: str | Path, table: str) -> None:
    """Raise ParameterError where a plan is of another table than somebody says."""
    with reading(paths.local_path(plan, ParameterError, "a plan is a file of this machine")) as read:
        if read.about.table != table:
            raise ParameterError(f"{plan} is a plan for {read.about.table!r}, not {table!r}: nothing is written")


@contextmanager
def target_of(asking: Asking, about: About, source: str) -> Iterator[Target]:
    """Open the table that a plan is for."""
    settings, session = asking.settings, asking.engine.session
    if asking.engine.tables_in_dynamodb and session:
        yield DynamoTarget(session, about.table)
        return
    if settings.source and about.arn is None:
        raise ParameterError(
            f"the plan is of the log in {settings.source}, and names no table: apply it where the table is, with "
            "engine=athena, or plan with --live (live=True) for the item store of this machine"
        )
    with ItemStore(settings.item_store) as store:
        yield StoreTarget(store, settings.item_store, about.table, source)


def still_arriving(asking: Asking, plan: Plan, journal: Path) -> str | None:
    """Say whether changes that a plan takes back have come since it was made; None where none have.

    The writes of undos are none of them, nor are those of this plan which a process that was ended did not note.
    """
    about = plan.about
    if about.kind != "changes":
        return None
    table = about.table
    asked: dict[str, Any] = {
        "start": None,
        "end": None,
        "key": None,
        "prefix": False,
        "where": None,
        "events": [],
        "actor_is": None,
    }
    chosen = _chosen(asking, table, {**asked, **{name: about.asked[name] for name in asked if name in about.asked}})
    known = about.newest_change
    if known is None:
        return None
    until = min(known + _MICROSECOND, chosen.end)
    if until > chosen.start:
        counted = asking.ask("chosen_changes", table, where=chosen.matching, start=chosen.start, end=until).rows
        late = counted.to_pylist()[0]["changes"] - int(about.asked.get("matched", 0))
        if late > 0:
            return f"{count(late, 'change')} of before the plan came after it was made"
    begin = max(until, chosen.start)
    if begin >= chosen.end:
        return None
    rows = asking.ask("changes", table, where=chosen.matching, start=begin, end=chosen.end).rows
    rows = holding(rows, chosen.condition, "new_image", "old_image", threads=asking.settings.threads)
    if not len(rows):
        return None
    own = defaultdict(list)
    for write in own_writes(asking.settings.home, table, about.table_id):
        own[write.key].append(write)
    perhaps = defaultdict(list)
    for since, made in unrecorded(journal, plan):
        perhaps[canonical_keys(made.key)].append((since - SLACK, made))
    others = [row for row in rows.to_pylist() if not (_is_own(row, own) or _may_be_own(row, perhaps))]
    newest = max((row["ts"] for row in others), default=None)
    return newest and f"{count(len(others), 'change')} since the plan was made, the last at {newest} UTC"


def _is_own(row: Mapping[str, Any], own: Mapping[str, Sequence[OwnWrite]]) -> bool:
    digest = image_digest(orjson.loads(row["new_image"]) if row["new_image"] else None)
    return any(write.made(row["keys"], digest, row["ts"].replace(tzinfo=UTC)) for write in own.get(row["keys"], ()))


def _may_be_own(row: Mapping[str, Any], perhaps: Mapping[str, Sequence[tuple[datetime, Write]]]) -> bool:
    from workbench.undo.applying import as_wanted

    left = orjson.loads(row["new_image"]) if row["new_image"] else None
    at = row["ts"].replace(tzinfo=UTC)
    return any(since <= at and as_wanted(write, left) for since, write in perhaps.get(row["keys"], ()))


@contextmanager
def _table(asking: Asking, table: str, live: bool | None) -> Iterator[tuple[Target | None, Description | None]]:
    """Open the table itself, where there is one, and describe it."""
    if live is False:
        yield None, None
        return
    if asking.engine.tables_in_dynamodb and asking.engine.session:
        target: Target = DynamoTarget(asking.engine.session, table)
        try:
            described = target.describe()
        except StoreError:
            if live:
                raise
            yield None, None
            return
        yield target, described
        return
    settings = asking.settings
    if (settings.source and not live) or not settings.item_store.is_file():
        if live:
            raise StoreError(f"there is no table {table!r} in the item store of this machine: leave out live")
        yield None, None
        return
    with ItemStore(settings.item_store) as store:
        if table not in store.tables():
            if live:
                raise StoreError(f"there is no table {table!r} in the item store, but: {', '.join(store.tables())}")
            yield None, None
            return
        target = StoreTarget(store, settings.item_store, table)
        yield target, target.describe()


def _ttl_name(asking: Asking, table: str, target: Target | None) -> tuple[str | None, bool]:
    """Name the attribute that tells when items expire, None where there is none; and tell whether that is known."""
    if isinstance(target, StoreTarget):
        with ItemStore(asking.settings.item_store) as store:
            return store.time_to_live(table), True
    if isinstance(target, DynamoTarget) and asking.engine.session:
        from workbench.aws import dynamodb

        with suppress(StoreError):  # which may be for want of a permission
            return dynamodb.time_to_live(asking.engine.session, table), True
    return None, False


def _reversed_outcomes(write: Any) -> Iterator[PathOutcome]:
    """Tell what a write changes, where no chain does."""
    if write.kind == "Update":
        for change in write.changes:
            yield PathOutcome(
                change.path, None, "taken back", "", change.wanted, change.expected, change.expected, change.wanted
            )
        return
    for name, value in (write.item or {}).items():
        if name not in write.key:
            put = write.kind == "Put"
            sides = (value, None, None, value) if put else (None, value, value, None)
            yield PathOutcome((name,), None, "taken back", "", *sides)
