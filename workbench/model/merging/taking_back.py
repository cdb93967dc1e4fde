"""The item as a whole: what it is to be, with what expired, versions and marks."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from workbench.errors import ParameterError
from workbench.model.differences import same, value_at, with_value
from workbench.model.items import typed_value
from workbench.model.merging.chain import Step, as_value, steps_of
from workbench.model.merging.changes import (
    UNKNOWN,
    Action,
    Image,
    ItemChange,
    Merged,
    Path,
    PathOutcome,
    Rules,
    Status,
    Unknown,
    Value,
)
from workbench.model.merging.nodes import Nodes, number_of

_SIGNATURE = re.compile(r"aws_dbe_head|aws_dbe_foot|.*amzn-ddb-map-sig.*", re.DOTALL).fullmatch
_TOO_LONG_AGO = timedelta(days=5 * 365)  # DynamoDB's TTL deletes nothing that has expired longer ago


def take_back(changes: Sequence[ItemChange], now: Image | None, rules: Rules, keys: Collection[str]) -> Merged:
    """Return what an item is to be without the bad ones of its changes, all that stays staying.

    Parameters
    ----------
    changes
        All distinct changes of the item from the instant of the first bad one on, in any order.
    now
        The item as it is: where that is not what its last change left, one is on its way.
    keys
        The names of the key attributes, which never change.

    Raises
    ------
    ParameterError
        Where the rules would change a key.
    RecordRefused
        Where an image that has to be compared is not DynamoDB JSON.

    >>> from datetime import UTC, datetime
    >>> noon = datetime(2026, 11, 18, 12, tzinfo=UTC)
    >>> changes = [ItemChange(noon, "1", {"n": {"N": "1"}}, {"n": {"N": "2"}}, bad=True)]
    >>> take_back(changes, {"n": {"N": "2.0"}}, Rules(at=noon), ["pk"]).after
    {'n': {'N': '1'}}
    >>> conflict = take_back(changes, {"n": {"N": "3"}}, Rules(at=noon), ["pk"])
    >>> conflict.action, conflict.outcomes[0].why
    ('conflict', 'it has changed since, by a change that the log does not show')
    """
    keys = frozenset(keys)
    rules.refuse_keys(keys)
    changes = _with_expiry(changes, rules)
    takes_back = frozenset(change.event_id for change in changes if change.bad)
    if any(change.bad and UNKNOWN in (change.before, change.after) for change in changes):
        return _unknown(now, takes_back)
    steps = steps_of(changes, now) if takes_back else []
    signed = any(is_signed(image) for change in changes for image in (change.before, change.after)) or is_signed(now)
    outcomes: list[PathOutcome] = []
    if now is None and (gone := _gone(changes, steps, rules)):
        return Merged("gone", None, (gone,), takes_back)
    value = Nodes(rules, keys, whole=signed).merge((), steps, as_value(now), outcomes)
    seen = [image for change in changes for image in (change.before, change.after)]
    return _finished(value, now, outcomes, seen, rules, takes_back, signed=signed)


def back_to(
    then: Image | Unknown | None,
    now: Image | None,
    rules: Rules,
    keys: Collection[str],
    *,
    by_ttl: bool = False,
) -> Merged:
    """Return what an item is to be to be again what it was.

    Parameters
    ----------
    then
        The item as it was; `UNKNOWN` where the log does not tell.
    by_ttl
        Whether the item is gone because it had expired.

    Raises
    ------
    ParameterError
        Where the rules would change a key.

    >>> from datetime import UTC, datetime
    >>> noon = datetime(2026, 11, 18, 12, tzinfo=UTC)
    >>> back_to({"n": {"N": "1"}}, None, Rules(at=noon), ["pk"]).action
    'put back'
    """
    keys = frozenset(keys)
    rules.refuse_keys(keys)
    if isinstance(then, Unknown):
        return _unknown(now, frozenset())
    found, is_now = as_value(then), as_value(now)
    if by_ttl and now is None and then is not None and rules.expired == "skip":
        gone = PathOutcome((), None, "kept", "it has expired since", found, None, None, None)
        return Merged("gone", None, (gone,), frozenset())
    signed = is_signed(then) or is_signed(now)
    outcomes: list[PathOutcome] = []
    value = Nodes(rules, keys, whole=signed).merge((), [Step(found, is_now, bad=True)], is_now, outcomes)
    return _finished(value, now, outcomes, [then], rules, frozenset(), signed=signed)


def _with_expiry(changes: Sequence[ItemChange], rules: Rules) -> Sequence[ItemChange]:
    """Say of each deletion by TTL whether it is taken back: where asked for, one that a bad change led to, too."""
    if not any(change.by_ttl for change in changes):
        return changes
    if rules.expired == "skip":
        return [replace(change, bad=False) if change.by_ttl else change for change in changes]
    set_wrongly = [change.ts for change in changes if change.bad and _touches_ttl(change, rules)]
    return [
        replace(change, bad=True) if change.by_ttl and any(ts <= change.ts for ts in set_wrongly) else change
        for change in changes
    ]


def _touches_ttl(change: ItemChange, rules: Rules) -> bool:
    if rules.ttl is None or change.by_ttl:
        return False
    before, after = change.before, change.after
    if isinstance(before, Unknown) or isinstance(after, Unknown) or after is None:
        return False
    return not same((before or {}).get(rules.ttl), after.get(rules.ttl))


def _unknown(now: Image | None, takes_back: frozenset[str]) -> Merged:
    why = "the log does not hold what was there before"
    outcome = PathOutcome((), None, "unknown", why, None, None, as_value(now), as_value(now))
    return Merged("unknown", now, (outcome,), takes_back)


def _gone(changes: Sequence[ItemChange], steps: Sequence[Step], rules: Rules) -> PathOutcome | None:
    """Return what to say of an item that is not there, where a change that stays deleted it last."""
    last = next((step for step in reversed(steps) if (step.before is None) != (step.after is None)), None)
    if last is None or last.after is not None or last.bad or not any(step.bad for step in steps):
        return None
    if last.took_back([step.event_id for step in steps]):
        return None
    expired = any(change.by_ttl and change.event_id == last.event_id for change in changes)
    why = "it has expired since" if expired else "it has been deleted since, by a change that stays"
    if expired and any(change.bad and _touches_ttl(change, rules) for change in changes):
        why = "it has expired since, by a TTL that was set wrongly"
    first = next(step for step in steps if step.bad)
    final = next(step for step in reversed(steps) if step.bad)
    status: Status = "settled" if first.before is None else "kept"
    return PathOutcome((), None, status, why, first.before, final.after, None, None)


def is_signed(image: Image | Unknown | None) -> bool:
    """Return whether an item is signed by the AWS Database Encryption SDK: it can only be what it was as a whole.

    >>> is_signed({"pk": {"S": "p-1"}, "aws_dbe_foot": {"B": "AA=="}})
    True
    """
    return image is not None and not isinstance(image, Unknown) and any(map(_SIGNATURE, image))


def _finished(
    value: Value | None,
    now: Image | None,
    outcomes: list[PathOutcome],
    seen: Sequence[Image | Unknown | None],
    rules: Rules,
    takes_back: frozenset[str],
    *,
    signed: bool,
) -> Merged:
    """Return the answer, having seen to what applies to an item as a whole."""
    after: Image | None = None if value is None else value["M"]
    if after is not None and rules.ttl is not None:
        after = _unexpired(after, now, outcomes, rules, signed=signed)
        if after is None and now is None:
            return Merged("gone", None, tuple(outcomes), takes_back)
    special = [*rules.kept, *rules.bump, *rules.mark] if not signed else []  # it would be a state that never existed
    for path in special:
        after = _kept(path, after, now, outcomes)
    if rules.on_conflict == "fail" and any(outcome.status == "conflict" for outcome in outcomes):
        return Merged("conflict", now, tuple(map(_left_alone, outcomes)), takes_back)
    if special and after is not None and not _equal(after, now):
        for path in rules.bump:
            after = _bumped(path, after, now, seen, outcomes)
        after = {**after, **{str(path[0]): marked for path, marked in rules.mark.items()}}
    action: Action
    if _equal(after, now):
        action = "conflict" if any(outcome.status == "conflict" for outcome in outcomes) else "unchanged"
        after = now
    else:
        action = "put back" if now is None else "delete" if after is None else "update"
    return Merged(action, after, tuple(outcomes), takes_back)


def _left_alone(outcome: PathOutcome) -> PathOutcome:
    if outcome.status in ("conflict", "settled"):
        return replace(outcome, after=outcome.now)
    return replace(outcome, status="kept", why="something else of the item is in conflict", after=outcome.now)


def _equal(one: Image | None, other: Image | None) -> bool:
    return same(as_value(one), as_value(other))


def _unexpired(
    after: Image, now: Image | None, outcomes: list[PathOutcome], rules: Rules, *, signed: bool
) -> Image | None:
    """Return an item that is not to expire at once, where that is not what it does already or what is asked for."""
    path: Path = (str(rules.ttl),)
    expires = after.get(str(rules.ttl))
    is_now = (now or {}).get(str(rules.ttl))
    if not _expired(expires, rules) or same(expires, is_now) or rules.expired == "keep":
        return after
    if rules.expired == "skip" or signed:
        why = "it would have expired already" + (", and signed items are whole" if rules.expired != "skip" else "")
        if now is None:
            outcomes[:] = [replace(each, status="kept", why=why, after=None) for each in outcomes if each.path == ()]
            return None
        if signed:
            outcomes[:] = [replace(each, status="kept", why=why, after=each.now) for each in outcomes]
            return now
        _only(outcomes, PathOutcome(path, None, "kept", why, expires, None, is_now, is_now))
        return with_value(after, path, is_now)
    wanted = None
    if isinstance(rules.expired, timedelta):
        wanted = {"N": str(int((rules.at + rules.expired).timestamp()))}
    why = "it would have expired already: it is to expire later" if wanted else "it would have expired already"
    _only(outcomes, PathOutcome(path, None, "taken back", why, expires, None, is_now, wanted))
    return with_value(after, path, wanted)


def _expired(value: Value | None, rules: Rules) -> bool:
    seconds = number_of(value)
    if seconds is None:
        return False
    at = Decimal(int(rules.at.timestamp()))
    return at - int(_TOO_LONG_AGO.total_seconds()) <= seconds < at


def _kept(path: Path, after: Image | None, now: Image | None, outcomes: list[PathOutcome]) -> Image | None:
    """Return an item in which an attribute stays as it is now, where there is a place for it both before and after."""
    if after is None or now is None or not (_has_place(now, path) and _has_place(after, path)):
        return after
    is_now = value_at(now, path)
    if same(value_at(after, path), is_now) and not any(each.path[: len(path)] == path for each in outcomes):
        return after
    of_path = [each for each in outcomes if each.path == path and each.member is None]
    before, bad = (of_path[0].before, of_path[0].bad) if of_path else (value_at(after, path), None)
    _only(outcomes, PathOutcome(path, None, "kept", "it is to stay as it is", before, bad, is_now, is_now))
    return with_value(after, path, is_now)


def _bumped(
    path: Path,
    after: Image,
    now: Image | None,
    seen: Iterable[Image | Unknown | None],
    outcomes: list[PathOutcome],
) -> Image:
    """Return an item whose version is one more than now, or than the greatest it ever had where it has none now."""
    if not _has_place(after, path):
        return after
    is_now = value_at(now, path) if now is not None else None
    version = number_of(is_now)
    if version is None:
        images = [image for image in seen if isinstance(image, Mapping)]
        versions = [number for image in [*images, after] if (number := number_of(value_at(image, path))) is not None]
        if not versions:
            return after
        version = max(versions)
    try:
        wanted = typed_value(int(version) + 1 if version == version.to_integral_value() else version + 1)
    except ParameterError:
        return after
    told = next((each for each in outcomes if each.path == path and each.member is None), None)
    before, bad = (told.before, told.bad) if told else (value_at(after, path), None)
    why = "a version never goes back: one more than " + ("now" if number_of(is_now) is not None else "it ever was")
    _only(outcomes, PathOutcome(path, None, "bumped", why, before, bad, is_now, wanted))
    return with_value(after, path, wanted)


def _only(outcomes: list[PathOutcome], outcome: PathOutcome) -> None:
    """Put an outcome in the place of those at and below its path."""
    path = outcome.path
    outcomes[:] = [*(each for each in outcomes if each.path[: len(path)] != path), outcome]


def _has_place(image: Image, path: Path) -> bool:
    return "M" in (value_at(image, path[:-1]) or {})
