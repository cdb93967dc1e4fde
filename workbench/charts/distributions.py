"""Charts of distributions: of changes over the items, of the time between them, and of how late they arrive."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from workbench.charts._axes import bars, bucket_edges, bucket_name, empty, thinned, time_axis
from workbench.charts._style import (
    BLUE,
    DEEP,
    INK,
    LEGEND,
    LINE,
    MUTED,
    ORANGE,
    PALE,
    RED,
    own_axes,
    room,
    styled,
    titled,
)
from workbench.text import count, percent, words

LAGS = ["p50", "p90", "p99", "longest"]
LEAST_LAG = 1.0
"""Seconds; what is less, or negative by a clock that is ahead, is drawn as this: a logarithm has no zero."""
_LAG_TICKS = [1, 10, 60, 600, 3600, 21600, 86400, 7 * 86400, 30 * 86400, 365 * 86400]
_LAG_STEPS = [s * unit for unit in (1, 60) for s in (1, 2, 5, 10, 15, 30)] + [
    *(3600 * hours for hours in (1, 2, 3, 6, 12, 24, 48)),
    *(86400 * days for days in (7, 14, 30, 90, 180, 365)),
]


@styled
def concentration(df: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None, subject: str = "") -> Axes:
    """Draw how unequally changes are spread over the items that changed: a Lorenz curve, hottest items first.

    Parameters
    ----------
    df
        What ``Workbench.change_frequency(table, by="concentration")`` gives: changes_per_item (descending), items,
        and cumulative item_share and change_share.
    ax, title, subject
        As in `change_frequency`.

    Examples
    --------
    >>> per_item = pd.DataFrame({"changes_per_item": [6, 2], "items": 1, "item_share": [0.5, 1]})
    >>> concentration(per_item.assign(change_share=[0.75, 1])).get_title("left")
    '1 of 2 items makes 75% of the changes; half of the changes come from 1 item'
    """
    ax = ax or own_axes(4.4)
    if df.empty:
        return empty(ax, df, title, subject, "changes")
    items, changes = int(df["items"].sum()), int((df["items"] * df["changes_per_item"]).sum())
    x, y = (np.concatenate([[0], df[name].to_numpy(float)]) for name in ("item_share", "change_share"))
    hot = max(1, round(items * (0.01 if items >= 1000 else 0.1 if items >= 20 else 0)))
    half = math.ceil(np.interp(0.5, y, x) * items - 1e-6)
    shares = {some: float(np.interp(some / items, x, y)) for some in (hot, half)}
    names = {
        some: f"{percent(some / items)} of the items" if items >= 20 and some >= items / 1000 else count(some, "item")
        for some in shares
    }
    if len(df) == 1:
        each = count(df["changes_per_item"].iloc[0], "time")
        finding = f"{count(items, 'item')} changed {each}{' each' if items > 1 else ''}"
    else:
        hottest = f"{names[hot]} make" if items >= 20 else f"1 of {items} items makes"
        finding = f"{hottest} {percent(shares[hot])} of the changes; half of the changes come from {names[half]}"
    if len(x) > 2000:  # more than a picture shows: those that are apart in it
        steps = [np.searchsorted(side, np.linspace(0, 1, 1000)) for side in (x, y)]
        seen = np.unique(np.minimum(np.concatenate([*steps, [len(x) - 1]]), len(x) - 1))
        x, y = x[seen], y[seen]
    ax.fill_between(x, x, y, facecolor=BLUE, alpha=0.16, linewidth=0)
    ax.plot(x, y, color=LINE, linewidth=2.2, label="the items, hottest first", clip_on=False)
    ax.plot([0, 1], [0, 1], color=MUTED, linewidth=1.2, linestyle="--", zorder=3, label="if all changed equally often")
    if len(df) > 1:
        apart = abs(shares[hot] - shares[half]) >= 0.09
        for some, share in shares.items():
            ax.plot(some / items, share, marker="o", color=LINE, markersize=7, markeredgecolor="white", clip_on=False)
            if (some == hot or apart) and share > 0.06:  # else it would lie on the other or on the axis
                ax.annotate(
                    f"{names[some]}: {percent(share)}",
                    (some / items, share),
                    (9, -5),
                    textcoords="offset points",
                    va="top",
                    size=9.5,
                    color=INK,
                    in_layout=False,
                    bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1.5},
                )
    ax.set(xlim=(0, 1), ylim=(0, 1))
    for axis, what, many in ((ax.xaxis, "items that changed", items), (ax.yaxis, "changes", changes)):
        axis.set_major_formatter(PercentFormatter(1))
        axis.set_label_text(f"Share of the {what} ({many:,})")
    ax.grid()
    ax.legend(**LEGEND)
    return titled(ax, finding, title, subject)


@styled
def intervals(df: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None, subject: str = "") -> Axes:
    """Draw how long it is from one change of an item to its next.

    Parameters
    ----------
    df
        What ``Workbench.change_frequency(table, by="interval")`` gives: longer_than, up_to (NaT: open), changes, share.
    ax, title, subject
        As in `change_frequency`.

    Examples
    --------
    >>> longer_than, up_to = pd.to_timedelta(["0s", "1s"]), pd.to_timedelta(["1s", "1min"])
    >>> steps = pd.DataFrame({"longer_than": longer_than, "up_to": up_to, "changes": [1, 3], "share": [0.25, 0.75]})
    >>> intervals(steps).get_title("left")
    'Median time between changes of an item: 1 s – 1 min; 25% within a second'
    """
    ax = ax or own_axes(1.5 + 0.27 * max(len(df), 3))
    if df.empty or not df["changes"].sum():
        return empty(ax, df, title, subject, "item that changed twice")
    names, up_to = [], df["up_to"]
    for longer, end in zip(df["longer_than"], up_to, strict=True):
        names.append(f"> {words(longer)}" if pd.isna(end) else f"≤ {words(end)}" if end else "same instant")
    changes = df["changes"].to_numpy()
    median = int((changes.cumsum() * 2 >= changes.sum()).argmax())
    ax.barh(range(len(df)), changes, 0.74, facecolor=BLUE)
    ax.barh(median, changes[median], 0.74, facecolor=ORANGE, hatch="////", hatchcolor="white", label="the median")
    bars(ax, names, df["changes"], df["share"])
    ax.set(xlabel="Changes · share", ylabel="Time since the item's\nprevious change")
    ax.legend(**LEGEND)
    longer, end = df["longer_than"].iloc[median], up_to.iloc[median]
    if pd.isna(end):
        between = f"over {words(longer)}"
    elif longer:
        between = f"{words(longer)} – {words(end)}" if end else "the same instant"
    else:
        between = f"up to {words(end)}"
    finding = f"{'median' if subject else 'Median'} time between changes of an item: {between}"
    quick = changes[up_to <= pd.Timedelta("1s")].sum() / changes.sum()
    if quick >= 0.01:
        finding += f"; {percent(quick)} within a second"
    return titled(ax, finding, title, subject)


@styled
def delivery_lag(df: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None, subject: str = "") -> Axes:
    """Draw how long changes took from being made to arriving in the lake, hour by hour: a band that most are in.

    The line is the median; of ten changes nine arrived within the dark band, of a hundred ninety-nine within the pale
    one. An hour in which nothing arrived is left open. The worst hour is marked.

    Parameters
    ----------
    df
        The ``lag`` of ``Workbench.data_quality(table)``: arrival (UTC, the hour), changes, p50, p90, p99, longest.
        What is less than a second, or negative by a clock that is ahead, is drawn as up to a second. More than
        1,500 hours are drawn as the worst of longer buckets. The axis is logarithmic where the longest of what is drawn
        is more than 20 times the shortest.
    ax, title, subject
        As in `change_frequency`.

    Examples
    --------
    >>> lag = pd.DataFrame({"arrival": pd.date_range("2026-11-01", periods=2, freq="1h", tz="UTC"), "changes": [4, 2]})
    >>> half, most, longest = pd.to_timedelta(["10s", "30s", "45s"])
    >>> delivery_lag(lag.assign(p50=half, p90=most, p99=most, longest=longest), subject="persons").get_title("left")
    'persons: 10 s from change to arrival typically, 45 s at worst (Sun 00:00)'
    """
    ax = ax or own_axes(3.8)
    df = df.dropna(subset=["arrival", *LAGS])
    if df.empty:
        return empty(ax, df, title, subject, "known arrivals")
    by_lag = df.sort_values("p50")
    typical = by_lag["p50"].iloc[int((by_lag["changes"].cumsum() * 2 >= by_lag["changes"].sum()).to_numpy().argmax())]
    hours = df.rename(columns={"arrival": "bucket"}).groupby("bucket")[LAGS].max()
    # every hour between the first and the last has a place, so that those in which nothing arrived are seen
    hours = hours.reindex(pd.date_range(hours.index[0], hours.index[-1], freq="1h", name="bucket")).reset_index()
    shown = thinned(hours, how="max")
    edges, unit = bucket_edges(shown["bucket"])
    # less than a second is no lag worth telling apart
    p50, p90, p99, longest = (shown[name].dt.total_seconds().clip(lower=LEAST_LAG).to_numpy(float) for name in LAGS)
    worst = int(np.nanargmax(longest))
    bands = ((p90, p99, PALE, "99% within"), (p50, p90, BLUE, "90% within"))
    for lower, upper, colour, label in bands:
        ax.stairs(upper, edges, baseline=lower, fill=True, facecolor=colour, linewidth=0, label=label)
    width = 2 if len(shown) <= 30 * room(ax)[0] else 1.2
    ax.stairs(p99, edges, baseline=None, edgecolor=BLUE, linewidth=width / 2)
    ax.stairs(p50, edges, baseline=None, edgecolor=DEEP, linewidth=width, label="half within")
    at = float(edges[worst] + edges[worst + 1]) / 2
    ax.plot(at, longest[worst], "v", color=RED, markersize=7, label="longest", clip_on=False, linestyle="none")
    gaps = bool(np.isnan(p50).any())
    time_axis(ax, shown["bucket"], edges, f"Lag, worst hour in {unit}" if len(shown) < len(hours) else "Lag", "Arrival")
    if gaps:
        ax.set_xlabel(f"{ax.get_xlabel()}; open: nothing arrived")
    _lag_axis(ax, float(np.nanmin(p50)), float(longest[worst]))
    ax.legend(**LEGEND)
    usual, most = (
        words(max(lag.round("1s") if lag > pd.Timedelta("10s") else lag, pd.Timedelta(0)))
        for lag in (typical, df["longest"].max())
    )
    finding = f"{usual} from change to arrival typically, {most} at worst"
    if len(shown) > 1:
        finding += f" ({bucket_name(shown['bucket'].iloc[worst], unit, edges[-1] - edges[0])})"
    return titled(ax, finding, title, subject)


def _lag_axis(ax: Axes, least: float, most: float) -> None:
    """Give an Axes a scale of seconds, minutes, hours and days: logarithmic where one part would hide the others."""
    if most > 20 * least:
        first = int(np.searchsorted(_LAG_TICKS, least, "right")) - 1
        ticks = [float(tick) for tick in _LAG_TICKS[first : max(int(np.searchsorted(_LAG_TICKS, most)), first + 1) + 1]]
        ax.set_yscale("log")
        ax.minorticks_off()
        limits = ticks[0] * 0.85, max(ticks[-1], most) * 1.18
    else:
        step = next((step for step in _LAG_STEPS if most <= 5 * step), _LAG_STEPS[-1])
        ticks = [float(tick) for tick in np.arange(0, most + step, step)]
        limits = 0.0, max(ticks[-1], most * 1.05)
    names = [words(pd.Timedelta(seconds=tick)) for tick in ticks]
    if least <= LEAST_LAG and LEAST_LAG in ticks:
        names[ticks.index(LEAST_LAG)] = f"≤ {words(pd.Timedelta(seconds=LEAST_LAG))}"
    ax.set_yticks(ticks, names)
    ax.set_ylim(*limits)
