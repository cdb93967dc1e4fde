"""Which items have not changed for long: `stale`."""

from __future__ import annotations

from datetime import datetime

import pandas as pd

from workbench.errors import ParameterError
from workbench.model import times
from workbench.model.conditions import LATEST, And
from workbench.model.conditions import parse as parse_condition
from workbench.model.times import END_OF_TIME, Moment, duration, instant
from workbench.questions.asking import Asking
from workbench.questions.hints import hints
from workbench.questions.large import whole_of
from workbench.questions.result import Result
from workbench.questions.state import items_at


def stale(asking: Asking, table: str, older_than: Moment, *, where: str | None) -> Result:
    """Show the items that have not changed since an instant; see `Workbench.stale`."""
    before = _instant(older_than)
    old = parse_condition(f"_changed_at < '{before.isoformat()}'", LATEST)
    given = asking.read_condition(where, LATEST)
    answer, found, ambiguous = items_at(asking, table, END_OF_TIME, False, And((old, given)) if given else old)
    df = whole_of(found).sort_values("_changed_at", kind="stable", ignore_index=True)
    df["age"] = (pd.Timestamp(asking.present) - df["_changed_at"]).astype("timedelta64[us]")
    notes = [*asking.notes(table, END_OF_TIME), *hints(asking, table, df, given, LATEST)]
    asked = {"older_than": before, "where": where}
    return asking.result(Result, df, answer, "stale", table, asked, ambiguous=ambiguous, notes=notes)


def _instant(older_than: Moment) -> datetime:
    """Return an instant, or that so long before now."""
    try:
        return instant(older_than)
    except ParameterError:
        if not isinstance(older_than, str):
            raise
        return instant(pd.Timestamp(times.now()) - duration(older_than))
