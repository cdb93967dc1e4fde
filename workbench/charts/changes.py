"""Charts of changes over time, of items that are there, and of those that change most."""

from __future__ import annotations

from itertools import takewhile
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from workbench.charts._axes import bars, bucket_edges, bucket_name, empty, span, thinned, time_axis
from workbench.charts._style import BLUE, EVENTS, LEGEND, LINE, MUTED, labels, own_axes, room, styled, titled
from workbench.text import count, percent

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
        Where to draw, best in a figure with ``layout="constrained"``, which makes room for labels; without it the
        chart has its own figure.
    title
        Instead of the finding.
    subject
        What the finding is about, put before it: usually the table.

    Examples
    --------
    >>> hours = pd.date_range("2026-11-01", periods=3, freq="1h", tz="UTC")
    >>> hourly = pd.DataFrame({"bucket": hours, "inserts": [3, 0, 1], "modifies": [0, 4, 0], "removes": 0})
    >>> hourly = hourly.assign(ttl_removes=0, changes=[3, 4, 1])
    >>> change_frequency(hourly, subject="persons").get_title("left")
    'persons: 8 changes in 3 hours, busiest Sun 01:00 (4)'
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
    return titled(ax, finding, title, subject)


@styled
def live_items(df: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None, subject: str = "") -> Axes:
    """Draw how the number of items moved: inserts less removes, summed from the first bucket on.

    The log does not say how many items there were before its first bucket, so this is a net count, and can
    fall below zero. `df`, `ax`, `title` and `subject` as in `change_frequency`.

    Examples
    --------
    >>> hours = pd.date_range("2026-11-01", periods=3, freq="1h", tz="UTC")
    >>> hourly = pd.DataFrame({"bucket": hours, "inserts": [3, 0, 1], "removes": [0, 1, 0], "changes": [3, 1, 1]})
    >>> live_items(hourly).get_title("left")
    '+3 items net since 1 Nov 2026'
    """
    ax = ax or own_axes(3.3)
    if df.empty or not (df["inserts"].sum() or df["removes"].sum()):
        return empty(ax, df, title, subject, "inserts or removes")
    df = thinned(df)
    edges, _ = bucket_edges(df["bucket"])
    net = (df["inserts"] - df["removes"]).cumsum().to_numpy(float)
    label = f"inserts {df['inserts'].sum():,} less removes {df['removes'].sum():,}"
    ax.stairs(net, edges, fill=True, facecolor=BLUE, alpha=0.16, linewidth=0)
    ax.stairs(net, edges, baseline=None, edgecolor=LINE, linewidth=1.8, label=label)
    ax.axhline(0, color=MUTED, linewidth=0.8)
    ax.plot(edges[-1], net[-1], marker="o", color=LINE, markersize=6, clip_on=False)
    ax.annotate(
        f"{net[-1]:+,.0f}",
        (edges[-1], net[-1]),
        (8, 0),
        textcoords="offset points",
        va="center",
        weight="bold",
        annotation_clip=False,
    )
    time_axis(ax, df["bucket"], edges, "Items, net since\nthe first bucket")
    ax.legend(**LEGEND)
    since = bucket_name(df["bucket"].iloc[0], "", 400).removesuffix(" 00:00")
    return titled(ax, f"{count(net[-1], 'item', '+,.0f')} net since {since}", title, subject)


@styled
def hot_keys(df: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None, subject: str = "") -> Axes:
    """Draw the items that change most, hottest first, stacked by event.

    Parameters
    ----------
    df
        What ``Workbench.change_frequency(table, by="key")`` gives: the key columns, then changes, inserts,
        modifies, removes, share. Only the first 25 rows are drawn, or as
        many as have room in `ax`.
    ax, title, subject
        As in `change_frequency`.

    Examples
    --------
    >>> hottest = pd.DataFrame({"pk": ["p-1", "p-2"], "changes": [6, 2], "inserts": 1, "modifies": [5, 1]})
    >>> hot_keys(hottest.assign(removes=0, share=[0.75, 0.25]), subject="persons").get_title("left")
    'persons: p-1 changes most, 6 times; these 2 make 100% of all'
    """
    top = df.head(MOST_KEYS)
    ax = ax or own_axes(1.5 + 0.27 * max(len(top), 3))
    top = top.head(max(3, int(room(ax)[1] / 0.18)))
    if top.empty:
        return empty(ax, df, title, subject, "changes")
    columns = list(takewhile(lambda column: column != "changes", df.columns))
    names = labels(top[columns].astype(str).agg(" · ".join, axis="columns"), room(ax)[0] * 5)
    base, rows = np.zeros(len(top)), np.arange(len(top))
    for name in ("modifies", "inserts", "removes"):
        label, colour, hatch = EVENTS[name]
        values = top[name].to_numpy(float)
        ax.barh(rows, values, 0.74, base, facecolor=colour, hatch=hatch, hatchcolor="white", label=label)
        base = base + values
    bars(ax, names, top["changes"], top["share"])
    ax.legend(**LEGEND)
    finding = f"{names[0]} changes most, {count(top['changes'].iloc[0], 'time')}"
    if len(top) > 1:
        which = "these" if len(df) == len(top) else "the first"
        finding += f"; {which} {len(top)} make {percent(top['share'].sum())} of all"
    return titled(ax, finding, title, subject)
