"""Any question by its name: of its method, or of its `.sql` file, whose head says what it takes and answers with."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from workbench.engines.base import Over, as_question
from workbench.errors import ParameterError, did_you_mean
from workbench.model.times import END_OF_TIME, window
from workbench.questions import lifetimes, profile, transitions, trend
from workbench.questions.asking import Asking
from workbench.questions.frames import answer_frame
from workbench.questions.masking import names_masked
from workbench.questions.result import Result
from workbench.sql.query.composed import ComposedText


def ask_by_method(method: Callable[..., Result], table: str, values: Mapping[str, Any]) -> Result:
    """Answer the question of a method, whose parameters are those it has.

    Raises
    ------
    ParameterError
        Where one is missing that has no default, or there is none of a name.
    """
    parameters = {name: each for name, each in inspect.signature(method).parameters.items() if name != "table"}
    for name in values:
        if name not in parameters:
            hint = did_you_mean(name, parameters)
            raise ParameterError(f"{method.__name__} has no parameter {name!r}.{hint}")
    for name, parameter in parameters.items():
        if parameter.default is parameter.empty and name not in values:
            raise ParameterError(f"{method.__name__} needs a value for {name!r}: {name}=…")
    return method(table, **values)


TEXTS: Mapping[str, Callable[..., ComposedText]] = {
    "lifetimes": lifetimes.text_of,
    "profile": profile.text_of,
    "transitions": transitions.text_of,
    "trend": trend.text_of,
}
"""The questions that are queries over the relations of a log: what gives their texts."""


def text_by_name(asking: Asking, name: str, table: str, values: Mapping[str, Any]) -> str:
    """Return the query that a question is, as `Workbench.query` answers it too.

    Raises
    ------
    ParameterError
        Where a parameter is missing or unknown, or would show a value of a masked attribute.
    """
    parameters = dict(list(inspect.signature(TEXTS[name]).parameters.items())[1:])
    for each in values:
        if each not in parameters or each == "asking":
            raise ParameterError(f"{name} has no parameter {each!r}.{did_you_mean(each, parameters)}")
    for each, parameter in parameters.items():
        if parameter.default is parameter.empty and each not in (*values, "asking"):
            raise ParameterError(f"{name} needs a value for {each!r}: {each}=…")
    if any(names_masked(value, asking.settings.mask) for value in values.values() if isinstance(value, str)):
        raise ParameterError("the SQL of what is masked would show its values: ask the question itself")
    needs = {"asking": asking} if "asking" in parameters else {}
    return TEXTS[name](table, **values, **needs).sql


def ask_by_name(asking: Asking, name: str, table: str, values: Mapping[str, Any]) -> Result:
    """Answer the question of a `.sql` file; see `Workbench.ask`."""
    meant = as_question(name)
    if asking.settings.mask and not meant.tells_no_values:
        raise ParameterError(
            f"{name} could show what is masked ({', '.join(asking.settings.mask)}), since it reads images or answers "
            "with texts: ask without a mask, or give the question a method that holds it"
        )
    bound = meant.bind(values)
    if meant.window and meant.window.first:
        window(bound[meant.window.first], bound[meant.window.last])  # type: ignore[arg-type]
    asked = {each: bound[each] for each, value in values.items() if value is not None}
    over: Over = "state" if meant.state else "history" if meant.about_states else "log"
    answer = asking.retrying(table, lambda: asking.engine.ask(meant, table, over=over, **bound))  # type: ignore[arg-type]
    at = bound.get("as_of")
    notes = asking.notes(table, at if isinstance(at, datetime) else END_OF_TIME) if meant.about_states else []
    df = answer_frame(answer.rows, meant.columns, asking.key_names(table))
    return asking.result(Result, df, answer, name, table, asked, notes=notes)
