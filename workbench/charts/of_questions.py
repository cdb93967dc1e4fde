"""Which charts show the answer to which question: the table that `Result.plot` reads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from workbench.charts._style import Answer
from workbench.charts.changes import change_frequency, hot_keys, live_items
from workbench.charts.distributions import concentration, delivery_lag, intervals
from workbench.charts.heatmaps import attribute_heatmap, weekday_hour
from workbench.charts.lifetimes import cohorts, survival
from workbench.charts.moves import transitions_flows, transitions_matrix, trend
from workbench.charts.profiles import profile
from workbench.errors import ParameterError


@dataclass(frozen=True)
class ChartOf:
    """A chart of a question's answer.

    Attributes
    ----------
    question
        The method of `Workbench` that answers it.
    by
        The `by` it was asked with; empty where the question takes none.
    draw
        The chart: ``draw(result)``, or of its frame ``draw(frame, subject="persons")``.
    needs
        Columns that the frame must have: the same question may be answered with others, as without `every`.
    frame
        The frame of the answer that is drawn: an attribute of the result.
    every
        The widths of buckets it can show, as `every` has them; any where there are none.
    tells
        What was asked that it tells, by the names of its parameters.
    """

    question: str
    by: str
    draw: Callable[..., Axes]
    needs: frozenset[str] = frozenset()
    frame: str = "df"
    every: tuple[str, ...] = ()
    tells: tuple[str, ...] = ()


CHARTS = (
    ChartOf("change_frequency", "event", change_frequency),
    ChartOf("change_frequency", "event", live_items),
    ChartOf("change_frequency", "event", weekday_hour, every=("1min", "5min", "15min", "30min", "1h")),
    ChartOf("change_frequency", "attribute", attribute_heatmap, frozenset({"path", "bucket"})),
    ChartOf("change_frequency", "key", hot_keys),
    ChartOf("change_frequency", "concentration", concentration),
    ChartOf("change_frequency", "interval", intervals),
    ChartOf("transitions", "", transitions_matrix),
    ChartOf("transitions", "", transitions_flows),
    ChartOf("trend", "", trend, tells=("aggregate",)),
    ChartOf("profile", "", profile, frame="values"),
    ChartOf("data_quality", "", delivery_lag, frame="lag"),
    ChartOf("lifetimes", "", survival, frame="survival"),
    ChartOf("lifetimes", "", cohorts, frame="cohorts"),
)
"""Every chart, by the question it shows the answer to; of several, the first is drawn where none is named."""


def charts_of(question: str, by: str = "") -> dict[str, ChartOf]:
    """Return the charts of a question's answer by their names, the usual one first; none where there is no chart.

    Examples
    --------
    >>> list(charts_of("change_frequency", "event"))
    ['change_frequency', 'live_items', 'weekday_hour']
    >>> charts_of("latest_state")
    {}
    """
    return {chart.draw.__name__: chart for chart in CHARTS if chart.question == question and chart.by in ("", by)}


def shown_of(answer: Answer, name: str) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the frame of an answer that a chart draws, and what the chart is told beside it: of which table it is.

    Raises
    ------
    ParameterError
        When it is no answer, or one that the chart does not show, with what shows it and what to ask instead.
    """
    asked = getattr(answer, "asked", None)
    mine = [chart for chart in CHARTS if chart.draw.__name__ == name]
    answers = (f"{chart.question}(…, by={chart.by!r})" if chart.by else f"{chart.question}(…)" for chart in mine)
    wanted = f"the answer of {' or '.join(answers)}" if mine else "no question's answer"
    if not isinstance(asked, Mapping) or "question" not in asked:
        kind = type(answer).__name__
        raise ParameterError(f"{name} draws {wanted}, or its frame as a DataFrame, and not a {kind}")
    question, by = str(asked["question"]), str(asked.get("by", ""))
    of_it = charts_of(question, by)
    if name not in of_it:
        other = f", which {' and '.join(of_it)} can draw" if of_it else ", of which there is no chart"
        was = f"{question}({asked.get('table', '')!r}{f', by={by!r}' if by else ''})"
        raise ParameterError(f"{name} draws {wanted}, and this is that of {was}{other}")
    chart = of_it[name]
    frame = getattr(answer, chart.frame)
    if not chart.needs <= set(frame.columns):
        raise ParameterError("the chart of attributes is over time: ask with every=, such as every='1d'")
    if chart.every and (every := str(asked.get("every") or "1h")) not in chart.every:
        raise ParameterError(f"{name} needs every= of {', '.join(chart.every)}, and this answer is by {every}")
    options = {each: asked[each] for each in chart.tells if each in asked}
    return frame, {"subject": str(asked.get("table", ""))} | options
