"""Which charts show the answer to which question: the table that `Result.plot` reads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from matplotlib.axes import Axes

from workbench.charts.changes import change_frequency, hot_keys, live_items
from workbench.charts.distributions import concentration, delivery_lag, intervals
from workbench.charts.heatmaps import attribute_heatmap, weekday_hour
from workbench.charts.lifetimes import cohorts, survival
from workbench.charts.moves import transitions_flows, transitions_matrix, trend
from workbench.charts.profiles import profile


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
        The chart: ``draw(frame, subject="persons")``.
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
