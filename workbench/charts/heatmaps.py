"""Heat maps: when changes happen, by hour of the week and by attribute."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import LinearSegmentedColormap, LogNorm, Normalize
from matplotlib.patches import Rectangle
from matplotlib.ticker import Locator, LogLocator, MaxNLocator

from workbench.charts._axes import bucket_edges, bucket_name, empty, span, thinned, time_axis
from workbench.charts._style import BLUE, DARKEST, EDGE, FAINT, ORANGE, PALE, labels, own_axes, room, styled, titled
from workbench.errors import ParameterError
from workbench.text import count

WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
MOST_ATTRIBUTES = 25
# from a blue that is no grey on, so that a single change is told from none
BLUES = LinearSegmentedColormap.from_list("blues", [PALE, BLUE, DARKEST])


@styled
def weekday_hour(df: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None, subject: str = "") -> Axes:
    """Draw when in the week changes happen: the mean number of changes in each hour of each weekday.

    `df` as in `change_frequency`, in buckets of an hour or less. Hours that the window never reaches are
    hatched: nothing is known about them, which is not the same as no changes.

    Raises
    ------
    ParameterError
        When the buckets are longer than an hour.

    Examples
    --------
    >>> hours = pd.date_range("2026-11-01", periods=3, freq="1h", tz="UTC")
    >>> weekday_hour(pd.DataFrame({"bucket": hours, "changes": [3, 4, 1]}), subject="persons").get_title("left")
    'persons: busiest Sun 01:00–02:00 (4 changes on average)'
    """
    ax = ax or own_axes(3.2)
    if df.empty or not df["changes"].sum():
        return empty(ax, df, title, subject, "changes")
    bucket = df["bucket"]
    if (bucket.diff() > pd.Timedelta("1h")).any():
        raise ParameterError("weekday_hour needs buckets of an hour or less: ask change_frequency for every='1h'")
    # not dt.floor, which refuses the hour that a clock change repeats
    past = pd.to_timedelta(bucket.dt.minute * 60 + bucket.dt.second, unit="s")
    hours = df.groupby(bucket - past)["changes"].sum()
    index = pd.DatetimeIndex(hours.index)
    grid = hours.groupby([index.day_of_week, index.hour]).mean().unstack()
    grid = grid.reindex(index=range(7), columns=range(24))
    mean = np.ma.masked_invalid(grid.to_numpy(float, na_value=np.nan))
    ax.patch.set(facecolor=FAINT, hatch="////", hatchcolor=EDGE)
    mesh = ax.pcolormesh(mean, cmap="Blues", vmin=0, edgecolor="white", linewidth=1.2)
    day, at = divmod(int(mean.argmax(fill_value=-1)), 24)
    ax.add_patch(Rectangle((at, day), 1, 1, fill=False, edgecolor=ORANGE, linewidth=2.4, clip_on=False))
    unknown = "; hatched: not in the window" if mean.mask.any() else ""
    ax.set(ylim=(7, 0), xlabel=f"Hour of the day ({bucket.dt.tz}){unknown}")
    ax.set_yticks(np.arange(7) + 0.5, WEEKDAYS)
    ax.set_xticks(range(0, 25, 3), [f"{hour:02}:00" for hour in range(0, 25, 3)])
    many = mean.max() >= 10
    spec = ",.0f" if many else ",.2g"
    scale(ax, mesh, "Changes per hour (mean)", MaxNLocator(5, integer=many), spec)
    finding = f"{'busiest' if subject else 'Busiest'} {WEEKDAYS[day]} {at:02}:00–{at + 1:02}:00"
    return titled(ax, f"{finding} ({mean.max():{spec}} changes on average)", title, subject)


@styled
def attribute_heatmap(df: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None, subject: str = "") -> Axes:
    """Draw which attributes change when: one row an attribute, the most changed first.

    Parameters
    ----------
    df
        What ``Workbench.change_frequency(table, by="attribute", every="1h")`` gives: path, bucket, changes. After
        25 attributes, or as many as have room in `ax`, the others are summed in a last row; more than 400 buckets
        are drawn in longer ones.
    ax, title, subject
        As in `change_frequency`.

    Examples
    --------
    >>> hours = pd.date_range("2026-11-01", periods=2, freq="1h", tz="UTC")
    >>> hourly = pd.DataFrame({"path": ["age", "age", "city"], "bucket": hours[[0, 1, 1]], "changes": [5, 1, 2]})
    >>> attribute_heatmap(hourly).get_title("left")
    'age changes most, 6 times in 2 hours, busiest Sun 00:00 (5)'
    """
    total = df.groupby("path")["changes"].sum().sort_values(ascending=False, kind="stable")
    total = total[total > 0]
    ax = ax or own_axes(1.9 + 0.25 * min(max(len(total), 3), MOST_ATTRIBUTES + 1))
    most = max(3, min(MOST_ATTRIBUTES, int(room(ax)[1] / 0.18)))
    rows = min(len(total), most + 1)
    if total.empty:
        return empty(ax, df.drop_duplicates("bucket"), title, subject, "changes of attributes")
    place = pd.Series(np.minimum(np.arange(len(total)), most), total.index)
    placed = df[df["path"].isin(total.index)]
    wide = placed.groupby(["bucket", placed["path"].map(place)])["changes"].sum().unstack(fill_value=0)
    wide = thinned(wide.rename_axis(columns=None).reset_index(), 400)
    edges, unit = bucket_edges(wide["bucket"])
    grid = np.ma.masked_equal(wide[range(rows)].to_numpy(float).T, 0)
    low, high = grid[:most].min(), grid[:most].max()  # the sum of the others would leave them pale
    logarithmic = high >= 50 * low
    norm = LogNorm(low, high) if logarithmic else Normalize(0, high)
    mesh = ax.pcolormesh(edges, np.arange(rows + 1), grid, cmap=BLUES, norm=norm)
    ax.hlines(range(1, rows), edges[0], edges[-1], color="white", linewidth=1.2)
    if len(wide) <= 60:
        ax.vlines(edges[1:-1], 0, rows, color="white", linewidth=1.2)
    names = labels(total.index[:most], room(ax)[0] * 4.5)
    if len(total) > most:
        names.append(f"… and {len(total) - most:,} more")
    time_axis(ax, wide["bucket"], edges, "")
    ax.set_xlabel(f"{ax.get_xlabel()}; grey: no changes")
    ax.set_yticks(np.arange(rows) + 0.5, names)
    ax.set(ylim=(rows, 0), xlim=(edges[0], edges[-1]), facecolor=FAINT)
    ax.grid(False)
    steps = LogLocator(subs=(1, 2, 5) if high < 1000 * low else (1,)) if logarithmic else MaxNLocator(5, integer=True)
    scale(ax, mesh, f"Changes per {unit}" if unit else "Changes", steps, beyond=grid.max() > high)
    finding = f"{names[0]} changes most, {count(total.iloc[0], 'time')}"
    if len(wide) > 1:
        busiest = int(wide[0].argmax())
        when = bucket_name(wide["bucket"].iloc[busiest], unit, edges[-1] - edges[0])
        finding += f" in {span(edges, unit)}, busiest {when} ({wide[0].iloc[busiest]:,.0f})"
    return titled(ax, finding, title, subject)


def scale(ax: Axes, mesh: QuadMesh, label: str, steps: Locator, spec: str = ",.0f", *, beyond: bool = False) -> None:
    """Draw what the colours of a heat map mean beside it."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    ax.spines[:].set_visible(False)
    wide, high = figure.get_size_inches()
    place: dict[str, Any] = {"location": "right", "aspect": max(22, 7 * high), "pad": 0.015}
    if wide < 5:  # no room beside it
        place = {"location": "bottom", "aspect": 30, "pad": 0.02}
    extend = "max" if beyond else "neither"
    bar = figure.colorbar(mesh, ax=ax, label=label, format=f"{{x:{spec}}}", extend=extend, **place)
    bar.outline.set_visible(False)
    bar.minorticks_off()
    bar.locator = steps
