"""The rules of each node: what it is to be, seen from the steps it went.

A step touches a node that differs before and after. It *replaces* it where that is not told by what differs below: a
leaf that changes, a map or set that comes, goes or becomes something else. Then it touches all that is below as well.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, localcontext
from typing import Any

from workbench.errors import ParameterError, RecordRefused
from workbench.model.canonical import canonical_json, canonical_number
from workbench.model.differences import same
from workbench.model.items import typed_value
from workbench.model.merging.chain import Step
from workbench.model.merging.changes import Path, PathOutcome, Rules, Status, Value

_SETS = ("SS", "NS", "BS")
_EXACT = 600  # digits that any sum of DynamoDB's numbers fits in
Outcomes = list[PathOutcome]


class Nodes:
    """The merge of one item, whose nodes are gone through from the item down.

    Parameters
    ----------
    keys
        The key attributes, which are no nodes.
    whole
        The item is one leaf, as one that is signed.
    """

    def __init__(self, rules: Rules, keys: Collection[str], *, whole: bool = False) -> None:
        self._rules = rules
        self._keys = keys
        self._whole = whole

    def merge(
        self,
        path: Path,
        steps: Sequence[Step],
        now: Value | None,
        outcomes: Outcomes,
        member: str | None = None,
        *,
        restoring: bool = False,
    ) -> Value | None:
        """Return what a node is to be, and add what is to be said of it and of those below to `outcomes`.

        Parameters
        ----------
        restoring
            What is around it is put back: `now` is what was there last, not what is there now.
        """
        steps = [step for step in steps if step.all_below or not same(step.before, step.after)]
        steps = self._uncancelled(steps)
        if not any(step.bad for step in steps):
            return now
        by_index = self._by_index(path, steps, now, outcomes, restoring)
        if by_index is not None:
            return by_index
        replacing = [n for n, step in enumerate(steps) if step.bad and self._replaces(step)]
        if not replacing:
            return self._below(path, steps, now, outcomes, restoring)
        last_good = max((n for n, step in enumerate(steps) if not step.bad and not step.own), default=-1)
        run = next((n for n in replacing if n > last_good), None)
        conflict = replacing[0] < last_good
        below: Outcomes = []
        status: Status
        if not conflict and run is not None:
            value = before = self.merge(path, steps[:run], steps[run].before, below, restoring=True)
            status, why = "taken back", "what was there before"
        else:
            before = self.merge(path, steps[: replacing[0]], steps[replacing[0]].before, [], restoring=True)
            counted = _without_added(steps, now) if path in self._rules.delta and member is None else None
            if counted is not None:
                value, status, why = counted, "delta", "what was added wrongly is subtracted from it"
            else:
                value, why = now, self._why(steps, run is not None)
                if self._rules.on_conflict == "before":
                    value = before
                elif restoring or run is not None or self._container(now) is not None:
                    value = self._left(path, steps, run, now, before, restoring)
                settled = run is None and same(now, value) and same(now, before)
                status = "settled" if settled else "conflict"
        bad = next(step.after for step in reversed(steps) if step.bad)
        outcomes.append(PathOutcome(path, member, status, why, before, bad, now, value))
        outcomes += [_seen_now(each, path, now) for each in below if each.status in ("conflict", "settled")]
        return value

    def _below(
        self, path: Path, steps: Sequence[Step], now: Value | None, outcomes: Outcomes, restoring: bool
    ) -> Value | None:
        """Merge a map or set that no bad step replaced, by what it holds."""
        kind_now = _kind(now)
        merged = now
        for kind in dict.fromkeys(_kind(step.before) for step in steps if step.bad):
            holds = _Holds(str(kind))
            had = holds.of(now)
            has = dict(had)
            told: Outcomes = []
            names: set[str] = set()
            sides = [
                (step, holds.of(step.before), holds.of(step.after), not step.own and self._replaces(step))
                for step in steps
            ]
            for step, before, after, _ in sides:
                if step.bad:
                    names.update(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
            for name in sorted(names.difference(self._keys if not path else ())):
                child_steps = [
                    step._replace(before=before.get(name), after=after.get(name), all_below=everything)
                    for step, before, after, everything in sides
                    if everything or before.get(name) != after.get(name)
                ]
                place, member = (path, name) if holds.members else ((*path, name), None)
                child = self.merge(place, child_steps, had.get(name), told, member, restoring=restoring)
                if child is None:
                    has.pop(name, None)
                else:
                    has[name] = child
            if kind != kind_now:  # a change that stays removed or replaced it: nothing can be put into it
                told = [replace(each, after=None) for each in told]
            elif has != had:
                merged = holds.value(has)
            outcomes += told
        return merged

    def _by_index(
        self, path: Path, steps: Sequence[Step], now: Value | None, outcomes: Outcomes, restoring: bool
    ) -> Value | None:
        """Merge a list element by element, where that is asked for and can be: None where it is one leaf."""
        if self._rules.lists == "whole" or now is None or "L" not in now or (self._whole and not path):
            return None
        sides = [side for step in steps for side in (step.before, step.after)]
        if any(side is None or len(side.get("L", ())) != len(now["L"]) or "L" not in side for side in sides):
            return None
        found: Outcomes = []
        elements = []
        for index, element in enumerate(now["L"]):
            child_steps = [
                step._replace(before=step.before["L"][index], after=step.after["L"][index])  # type: ignore[index]
                for step in steps
            ]
            elements.append(self.merge((*path, index), child_steps, element, found, restoring=restoring))
        if any(each.status in ("conflict", "settled") for each in found):
            return None  # all or nothing
        outcomes += found
        return {"L": elements}

    def _left(
        self,
        path: Path,
        steps: Sequence[Step],
        run: int | None,
        now: Value | None,
        before: Value | None,
        restoring: bool,
    ) -> Value | None:
        """Return what is left of a node in conflict: what the changes that stay left, without bad ones since.

        Nothing can be told of a map that was made wrongly and written into: it is left as it is there now, and what is
        put back around it has what was there before.

        Parameters
        ----------
        run
            The first bad step that replaced the node after those that stay; None where they come last.
        """
        base = now if run is None else steps[run].before
        last_good = next(step for step in reversed(steps) if not step.bad and not step.own)
        made = max(n for n, step in enumerate(steps[:run]) if not step.own and self._replaces(step))
        if self._container(base) is None:
            return last_good.after if last_good.unordered else base
        if steps[made].bad or steps[made].unordered:
            return before if restoring else now
        return self.merge(path, steps[made + 1 : run], base, [], restoring=restoring or run is not None)

    def _uncancelled(self, steps: list[Step]) -> list[Step]:
        """Return the steps without those that an earlier undo took back at this node, and those it took back with it.

        The undo's own stay, as they may take back something below; they touch nothing themselves. One that took back
        nothing of what touched this node, such as by a version it counted up, is a change that stays as any other.
        """
        if all(step.undoes is None for step in steps):
            return steps
        ids = {step.event_id for step in steps}
        steps = [step if step.bad or step.took_back(ids) else step._replace(undoes=None) for step in steps]
        gone: set[int] = set()
        for n in reversed(range(len(steps))):
            undo = steps[n]
            if n in gone or not undo.own or not self._replaces(undo):
                continue
            taken = {
                m
                for m in range(n)
                if m not in gone and steps[m].event_id in (undo.undoes or ()) and self._replaces(steps[m])
            }
            if taken and any(
                steps[m].bad and self._replaces(steps[m]) for m in range(min(taken), n) if m not in taken | gone
            ):  # one that it did not take back lies between, and what that found is wrong as well
                steps = [step._replace(bad=True) if m in taken else step for m, step in enumerate(steps)]
            else:
                gone |= taken
        return [step for n, step in enumerate(steps) if n not in gone]

    def _replaces(self, step: Step) -> bool:
        kind = self._container(step.before)
        return step.all_below or kind is None or kind != self._container(step.after)

    def _container(self, value: Value | None) -> str | None:
        """Return the type of a value that has nodes below."""
        kind = _kind(value)
        return kind if not self._whole and (kind == "M" or kind in _SETS) else None

    def _why(self, steps: Sequence[Step], between: bool) -> str:
        if between:
            return "a change that stays lies between wrong ones, and what it left may rest on a wrong one"
        found, made = next((step.before, step.after) for step in steps if step.bad and self._replaces(step))
        if self._container(made) is not None and found is None:
            return "what was made wrongly has been written into since"
        if self._container(found) is not None and made is None:
            return "what was removed wrongly has been made again since"
        unseen = next(step for step in reversed(steps) if not step.bad and not step.own)
        if not unseen.event_id:
            return "it has changed since, by a change that the log does not show"
        return "it has been removed since" if unseen.after is None else "it has been written since"


class _Holds:
    """What a map or a set of a type holds, by name or member."""

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self.members = kind in _SETS

    def of(self, value: Value | None) -> Mapping[str, Value]:
        """Return it; nothing where the value is of another type."""
        if value is None or self._kind not in value:
            return {}
        if not self.members:
            held: Mapping[str, Value] = value["M"]
            return held
        members = value[self._kind]
        if self._kind == "NS":
            members = map(canonical_number, members)
        elif self._kind == "BS":
            (members,) = json.loads(canonical_json({"": value}))[""].values()
        return {member: {self._kind[0]: member} for member in members}

    def value(self, held: Mapping[str, Value]) -> Value | None:
        """Return the value that holds this: no set is empty."""
        if not self.members:
            return {"M": dict(held)}
        return json.loads(canonical_json({"": {self._kind: [*held]}}))[""] if held else None  # in canonical order


def _kind(value: Value | None) -> str | None:
    return None if value is None else next(iter(value))


def _without_added(steps: Sequence[Step], now: Value | None) -> Value | None:
    """Return a number without what bad steps added to it; None where it was not always one, or would be too long."""
    total = number_of(now)
    if total is None:
        return None
    with localcontext(prec=_EXACT):
        for step in steps:
            before, after = (Decimal(0) if side is None else number_of(side) for side in (step.before, step.after))
            if before is None or after is None or (not step.bad and not step.own and step.after is None):
                return None
            if step.bad:
                total -= after - before
    try:
        return typed_value(total)
    except ParameterError:
        return None


def number_of(value: Value | None) -> Decimal | None:
    """Return the number that a value is; None where it is none.

    >>> number_of({"N": "41.0"}), number_of({"S": "41"})
    (Decimal('41'), None)
    """
    try:
        return None if value is None or "N" not in value else Decimal(canonical_number(value["N"]))
    except RecordRefused:
        return None


def _seen_now(outcome: PathOutcome, path: Path, now: Value | None) -> PathOutcome:
    """Return an outcome below a node that is put back whole, with what is there now."""
    found: Any = now
    for part in outcome.path[len(path) :]:
        inner = (found or {}).get("M" if isinstance(part, str) else "L")
        found = (inner or {}).get(part) if isinstance(part, str) else None
    if outcome.member is not None:
        kind = _kind(outcome.after) or _kind(outcome.bad) or _kind(outcome.before)
        found = {kind: outcome.member} if outcome.member in _Holds(f"{kind}S").of(found) else None
    return replace(outcome, now=found)
