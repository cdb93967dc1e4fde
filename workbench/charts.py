"""Charts: a DataFrame in, an Axes out; the title says the finding.

Nothing here goes through pyplot, so no global state changes and nothing is drawn twice: each chart has a
figure of its own, and its Axes shows that figure when it is the last line of a notebook cell. To keep one:
``ax.figure.savefig("changes.png", dpi=200)``.
"""

from __future__ import annotations

from itertools import takewhile
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from workbench.chartstyle import (
    EVENTS,
    LEGEND,
    LINE,
    MUTED,
    bucket_edges,
    bucket_name,
    count,
    empty,
    key_label,
    own_axes,
    span,
    styled,
    thinned,
    time_axis,
    titled,
)
from workbench.errors import ParameterError

WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
MOST_KEYS = 25


@styled
def change_frequency(df: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None, subject: str = "") -> Axes:
    """Draw changes per bucket, stacked by event.

    Parameters
    ----------
    df
        What ``Workbench.change_frequency(table)`` gives: bucket, inserts, modifies, removes, ttl_removes,
        changes. More than 1,500 buckets are drawn in longer ones.
    ax
        Where to draw; without it the chart has its own figure.
    title
        Instead of the finding.
    subject
        What the finding is about, put before it: usually the table.

    Examples
    --------
    >>> hourly = wb.change_frequency("persons", every="1h").df  # doctest: +SKIP
    >>> charts.change_frequency(hourly, subject="persons")  # doctest: +SKIP
    """
    ax = ax or own_axes(3.8)
    if df.empty or not df["changes"].sum():
        return empty(ax, df, title, subject, "changes")
    df = thinned(df)
    edges, unit = bucket_edges(df["bucket"])
    parts = {name: df[name].to_numpy(float) for name in EVENTS}
    parts["removes"] = parts["removes"] - parts["ttl_removes"]
    base = np.zeros(len(df))
    for name, (label, colour, hatch) in EVENTS.items():
        if name == "ttl_removes" and not parts[name].any():
            continue
        look: dict[str, Any] = {"facecolor": colour, "hatch": hatch, "hatchcolor": "white"}
        look["label"] = f"{label} {parts[name].sum():,.0f}"
        if len(df) <= 60:
            ax.bar(edges[:-1], parts[name], np.diff(edges) * 0.86, base, align="edge", **look)
        else:  # one outline for all: bars thinner than a pixel would leave gaps and pale peaks
            ax.stairs(base + parts[name], edges, baseline=base, fill=True, linewidth=0, **look)
        base = base + parts[name]
    busiest = df.iloc[int(df["changes"].argmax())]
    when = bucket_name(busiest["bucket"], unit, edges[-1] - edges[0])
    finding = count(df["changes"].sum(), "change")
    if len(df) > 1:
        finding += f" in {span(edges, unit)}, busiest {when} ({busiest['changes']:,.0f})"
    time_axis(ax, df["bucket"], edges, f"Changes per {unit}" if unit else "Changes")
    ax.legend(**LEGEND)
    return titled(ax, _said(finding, title, subject), pad=27)


@styled
def live_items(df: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None, subject: str = "") -> Axes:
    """Draw how the number of items moved: inserts less removes, summed from the first bucket on.

    The log does not say how many items there were before its first bucket, so this is a net count, and can
    fall below zero. `df`, `ax`, `title` and `subject` as in `change_frequency`.

    Examples
    --------
    >>> charts.live_items(wb.change_frequency("persons", every="1h").df)  # doctest: +SKIP
    """
    ax = ax or own_axes(3.3)
    if df.empty or not (df["inserts"].sum() or df["removes"].sum()):
        return empty(ax, df, title, subject, "inserts or removes")
    df = thinned(df)
    edges, _ = bucket_edges(df["bucket"])
    net = (df["inserts"] - df["removes"]).cumsum().to_numpy(float)
    label = f"inserts {df['inserts'].sum():,} less removes {df['removes'].sum():,}"
    ax.stairs(net, edges, fill=True, facecolor="#3f90da", alpha=0.16, linewidth=0)
    ax.stairs(net, edges, baseline=None, edgecolor=LINE, linewidth=1.8, label=label)
    ax.axhline(0, color=MUTED, linewidth=0.8)
    ax.plot(edges[-1], net[-1], marker="o", color=LINE, markersize=6, clip_on=False)
    ax.annotate(f"{net[-1]:+,.0f}", (edges[-1], net[-1]), (8, 0), textcoords="offset points", va="center",
                weight="bold", annotation_clip=False)  # fmt: skip
    time_axis(ax, df["bucket"], edges, "Items, net since\nthe first bucket")
    ax.legend(**LEGEND)
    since = bucket_name(df["bucket"].iloc[0], "", 400).removesuffix(" 00:00")
    return titled(ax, _said(f"{count(net[-1], 'item', '+,.0f')} net since {since}", title, subject), pad=27)


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
    >>> hourly = wb.change_frequency("persons", timezone="Europe/Berlin").df  # doctest: +SKIP
    >>> charts.weekday_hour(hourly)  # doctest: +SKIP
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
    ax.patch.set(facecolor="#f1f2f4", hatch="////", hatchcolor="#cdd2d8")
    mesh = ax.pcolormesh(mean, cmap="Blues", vmin=0, edgecolor="white", linewidth=1.2)
    day, at = divmod(int(mean.argmax(fill_value=-1)), 24)
    ax.add_patch(Rectangle((at, day), 1, 1, fill=False, edgecolor="#ffa90e", linewidth=2.4, clip_on=False))
    unknown = "; hatched: not in the window" if mean.mask.any() else ""
    ax.set(ylim=(7, 0), xlabel=f"Hour of the day ({bucket.dt.tz}){unknown}")
    ax.set_yticks(np.arange(7) + 0.5, WEEKDAYS)
    ax.set_xticks(range(0, 25, 3), [f"{hour:02}:00" for hour in range(0, 25, 3)])
    ax.spines[:].set_visible(False)
    figure = ax.get_figure()
    assert figure is not None
    many = mean.max() >= 10
    label, spec = "Changes per hour (mean)", ",.0f" if many else ",.2g"
    bar = figure.colorbar(mesh, ax=ax, label=label, format=f"{{x:{spec}}}", pad=0.015, aspect=22)
    bar.outline.set_visible(False)
    bar.locator = MaxNLocator(5, integer=many)
    finding = f"{'busiest' if subject else 'Busiest'} {WEEKDAYS[day]} {at:02}:00–{at + 1:02}:00"
    return titled(ax, _said(f"{finding} ({mean.max():{spec}} changes on average)", title, subject))


@styled
def hot_keys(df: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None, subject: str = "") -> Axes:
    """Draw the items that change most, hottest first, stacked by event.

    Parameters
    ----------
    df
        What ``Workbench.change_frequency(table, by="key")`` gives: the key columns, then changes, inserts,
        modifies, removes, share. Only the first 25 rows are drawn.
    ax, title, subject
        As in `change_frequency`.

    Examples
    --------
    >>> charts.hot_keys(wb.change_frequency("persons", by="key", limit=10).df)  # doctest: +SKIP
    """
    top = df.head(MOST_KEYS)
    ax = ax or own_axes(1.5 + 0.27 * max(len(top), 3))
    if top.empty:
        return empty(ax, df, title, subject, "changes")
    names = list(takewhile(lambda column: column != "changes", df.columns))
    labels = [key_label(row) for row in top[names].astype(str).itertuples(index=False, name=None)]
    base, rows = np.zeros(len(top)), np.arange(len(top))
    for name in ("modifies", "inserts", "removes"):
        label, colour, hatch = EVENTS[name]
        values = top[name].to_numpy(float)
        ax.barh(rows, values, 0.74, base, facecolor=colour, hatch=hatch, hatchcolor="white", label=label)
        base = base + values
    for row, (changes, share) in enumerate(zip(top["changes"], top["share"], strict=True)):
        part = f"{share:.1%}" if share >= 0.001 else "<0.1%"
        ax.annotate(f"{changes:,.0f} · {part}", (changes, row), (5, 0), textcoords="offset points",
                    va="center", size=9, color=MUTED)  # fmt: skip
    ax.set_yticks(rows, labels)
    ax.set(ylim=(len(top) - 0.4, -0.6), xlim=(0, float(base.max()) * 1.16))
    ax.set_xlabel("Changes · share of all changes")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.grid(axis="x")
    ax.legend(**LEGEND)
    finding = f"{labels[0]} changes most, {count(top['changes'].iloc[0], 'time')}"
    if len(top) > 1:
        which = "these" if len(df) == len(top) else "the first"
        finding += f"; {which} {len(top)} make {top['share'].sum():.1%} of all"
    return titled(ax, _said(finding, title, subject), pad=27, width=80 - 0.7 * max(map(len, labels)))


def _said(finding: str, title: str | None, subject: str) -> str:
    if title is not None:
        return title
    return f"{subject}: {finding}" if subject else finding
