"""Alerts: rules on the headlines of a run, such as ``deletes > 5%``, and on how old its log may be."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from typing import TYPE_CHECKING

from workbench.errors import ParameterError, did_you_mean
from workbench.model.times import duration
from workbench.reports.record import Alert, Headline, RunRecord
from workbench.reports.window import without_window
from workbench.text import words

if TYPE_CHECKING:
    from pyparsing import ParserElement

_EXAMPLES = "write it like 'deletes > 5%', 'changes < 100', 'lag >= 15min', 'changes drops 50%' or 'changes rises 200%'"
_COMPARES = {
    ">": lambda value, limit: value > limit,
    ">=": lambda value, limit: value >= limit,
    "<": lambda value, limit: value < limit,
    "<=": lambda value, limit: value <= limit,
    "=": lambda value, limit: value == limit,
    "!=": lambda value, limit: value != limit,
}
_MOVES = ("drops", "rises")
_SAME_LENGTH = 0.25  # of a window: months, and days on which clocks are changed, differ by less
_KEEPS_APART = ("known_at",)


@dataclass(frozen=True)
class Rule:
    """A rule that a headline breaks or keeps.

    Attributes
    ----------
    text
        As it is written.
    headline
        Name of the headline.
    relation
        ``>``, ``>=``, ``<``, ``<=``, ``=``, ``!=``, or ``drops`` and ``rises``, which are against the run before.
    limit
        A number; a share of 5% is 0.05, a length of time is in seconds.
    """

    text: str
    headline: str
    relation: str
    limit: float


def parse(text: str) -> Rule:
    """Read a rule: a headline's name, a relation, and a number, share (``5%``) or length of time (``15min``).

    Raises
    ------
    ParameterError
        Where it is none.

    Examples
    --------
    >>> parse("deletes > 5%")
    Rule(text='deletes > 5%', headline='deletes', relation='>', limit=0.05)
    >>> parse("changes drops 50%").relation
    'drops'
    """
    from pyparsing import ParseBaseException

    try:
        headline, relation, limit = _grammar().parse_string(text, parse_all=True)
    except ParseBaseException as error:
        at = f"at character {error.loc + 1}" if error.loc < len(text) else "at its end"
        raise ParameterError(f"{text!r} is no rule, {at}: {_EXAMPLES}") from None
    if relation in _MOVES and not text.rstrip().endswith("%"):
        raise ParameterError(f"{text!r} is no rule: {relation} takes a share, such as 50%; {_EXAMPLES}")
    return Rule(text.strip(), headline, relation, limit)


def broken(
    rules: Iterable[Rule], max_age: timedelta | None, record: RunRecord, earlier: Sequence[RunRecord] = ()
) -> list[Alert]:
    """Return the rules that a run broke, each with what was found.

    A rule on a headline that the run does not have is broken: what watches nothing is to be seen. One on a headline
    without a value, such as a share of nothing, is not.

    Parameters
    ----------
    max_age
        How old the newest change that was read may be when the run starts: since it arrived, or since it was made where
        arrivals are not known.
    earlier
        Runs of the same report, of which ``drops`` and ``rises`` take the latest comparable one; where there is none,
        they are kept.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> began = datetime(2026, 11, 20, 6, tzinfo=UTC)
    >>> record = RunRecord(name="daily", run="2026-11-20T06-00-00Z", notebook="a.ipynb", title="What changes?",
    ...     status="complete", started=began, seconds=9, headlines=[Headline(name="deletes", value=0.07, text="7%")])
    >>> [alert.says for alert in broken([parse("deletes > 5%")], None, record)]
    ['deletes is 7%']
    """
    before = comparable_before(record, earlier)
    broken_rules = [alert for rule in rules if (alert := _broken(rule, record, before))]
    if max_age is not None and (alert := _too_old(max_age, record)):
        broken_rules.append(alert)
    return broken_rules


def comparable_before(record: RunRecord, earlier: Iterable[RunRecord]) -> RunRecord | None:
    """Return the latest run before one that its numbers can be compared with.

    It is a complete one of the same report on the same tables with the same parameters, and of a window as long.
    """
    candidates = (run for run in earlier if run.started < record.started and comparable(run, record))
    return max(candidates, key=lambda run: run.started, default=None)


def comparable(run: RunRecord, other: RunRecord) -> bool:
    """Return whether the numbers of two runs are of the same thing, at another time."""
    return (
        run.status.complete
        and (run.name, run.notebook, run.source, run.tables) == (other.name, other.notebook, other.source, other.tables)
        and _asked(run) == _asked(other)
        and _as_long(run, other)
    )


def _asked(run: RunRecord) -> dict[str, object]:
    parameters = without_window(run.parameters) if run.window else run.parameters
    return {name: value for name, value in parameters.items() if name not in _KEEPS_APART}


def _as_long(run: RunRecord, other: RunRecord) -> bool:
    if run.window is None or other.window is None:
        return run.window is other.window
    lengths = [(window.end - window.start).total_seconds() for window in (run.window, other.window)]
    return max(lengths) - min(lengths) <= _SAME_LENGTH * max(lengths)


def _broken(rule: Rule, record: RunRecord, before: RunRecord | None) -> Alert | None:
    now = _headline(rule.headline, record)
    if now is None:
        names = [each.name for each in record.headlines]
        meant = did_you_mean(rule.headline, names)
        has = f"it has {', '.join(names) or 'none'}{'.' if meant else ''}{meant}"
        return Alert(rule=rule.text, says=f"the run has no headline {rule.headline!r}: {has}")
    if now.value is None:
        return None
    if rule.relation in _COMPARES:
        if _COMPARES[rule.relation](now.value, rule.limit):
            return Alert(rule=rule.text, says=f"{now.name} is {now.text}")
        return None
    then = before and _headline(rule.headline, before)
    if not then or then.value is None:
        return None
    moved = now.value - then.value if rule.relation == "rises" else then.value - now.value
    if moved <= 0 or moved < rule.limit * abs(then.value):
        return None
    return Alert(rule=rule.text, says=f"{now.name} is {now.text}, after {then.text} in the run before")


def _headline(name: str, record: RunRecord) -> Headline | None:
    return next((each for each in record.headlines if each.name == name), None)


def _too_old(max_age: timedelta, record: RunRecord) -> Alert | None:
    rule = f"max_age = {words(max_age)}"
    newest = record.newest_arrival or record.newest_change
    if newest is None:
        return Alert(rule=rule, says="no change was read that would tell how old the log is")
    age = record.started - newest
    if age <= max_age:
        return None
    what = "arrived" if record.newest_arrival else "was made"
    return Alert(rule=rule, says=f"the newest change {what} {words(age)} before the run began")


@cache
def _grammar() -> ParserElement:
    import pyparsing as pp

    name = pp.Regex(r"[^\W\d]\w*")
    relation = pp.one_of([*_COMPARES, *_MOVES])
    length = pp.Regex(r"(?:\d+(?:\.\d+)?\s*(?:ms|min|m|s|h|d|w)\s*)+").set_parse_action(
        lambda tokens: duration(tokens[0]).total_seconds()
    )
    number = pp.Regex(r"[+-]?(?:\d{1,3}(?:[,_]\d{3})+|\d+)(?:\.\d+)?").set_parse_action(
        lambda tokens: float(tokens[0].replace(",", "").replace("_", ""))
    )
    share = (number + pp.Suppress("%")).set_parse_action(lambda tokens: tokens[0] / 100)
    return name + relation + (share | length | number)
