"""Charts of distributions: of changes over the items, of the time between them, and of how late they arrive."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from workbench.charts._axes import bars, bucket_edges, bucket_name, empty, thinned, time_axis
from workbench.charts._style import INK, LEGEND, LINE, MUTED, own_axes, percent, styled, titled
from workbench.text import count, words

LAGS = {  # column: what the legend calls it, colour (petroff10), line style, marker
    "longest": ("longest", "#c3cccb", "-", ""),  # broad and below: it shows beside what covers it
    "p99": ("99% within", "#bd1f01", "-.", "^"),
    "p90": ("90% within", "#ffa90e", "--", "s"),
    "p50": ("half within", "#3f90da", "-", "o"),
}
LAG_TICKS = [1, 10, 60, 600, 3600, 21600, 86400, 7 * 86400, 30 * 86400, 365 * 86400]


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
    ax.fill_between(x, x, y, facecolor="#3f90da", alpha=0.16, linewidth=0)
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
    ax.barh(range(len(df)), changes, 0.74, facecolor="#3f90da")
    ax.barh(median, changes[median], 0.74, facecolor="#ffa90e", hatch="////", hatchcolor="white", label="the median")
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
    """Draw how long changes took from being made to arriving in the lake, hour by hour.

    Parameters
    ----------
    df
        The ``lag`` of ``Workbench.data_quality(table)``: arrival (UTC, the hour), changes, p50, p90, p99, longest.
        What is less than a second, or negative by a clock that is ahead, is drawn as up to a second.
        Lines join the hours in which something arrived; more than 1,500 are drawn as the worst of longer buckets.
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
    df = df.rename(columns={"arrival": "bucket"})
    shown = thinned(df, how="max").dropna()
    edges, unit = bucket_edges(shown["bucket"])
    # less than a second is no lag worth telling apart, and a logarithm has no zero
    seconds = {name: shown[name].dt.total_seconds().clip(lower=LAG_TICKS[0]).to_numpy(float) for name in LAGS}
    least, most = (float(reach([reach(each) for each in seconds.values()])) for reach in (np.min, np.max))
    first = int(np.searchsorted(LAG_TICKS, least, "right")) - 1
    ticks = LAG_TICKS[first : max(int(np.searchsorted(LAG_TICKS, most)), first + 1) + 1]
    named = [words(pd.Timedelta(seconds=tick)) for tick in ticks]
    if least == LAG_TICKS[0]:
        named[0] = f"≤ {named[0]}"
    ax.set_yscale("log")
    at, width = edges[:-1] + 0.5 / 24, 1.8 if len(shown) <= 400 else 1.2
    for name, (label, colour, line, marker) in LAGS.items():
        ax.plot(
            at,
            seconds[name],
            color=colour,
            linestyle=line,
            label=label,
            linewidth=width if marker else 2.5 * width,
            marker=(marker or "o") if len(shown) <= 60 else "",
            markersize=5 if marker else 9,
        )
    time_axis(ax, shown["bucket"], edges, f"Lag, worst hour in {unit}" if len(shown) < len(df) else "Lag", "Arrival")
    ax.minorticks_off()
    ax.set_yticks(ticks, named)
    ax.set_ylim(ticks[0] * 0.85, max(ticks[-1], most) * 1.18)
    ax.legend(**LEGEND)
    usual, worst = (
        words(max(lag.round("1s") if lag > pd.Timedelta("10s") else lag, pd.Timedelta(0)))
        for lag in (typical, df["longest"].max())
    )
    finding = f"{usual} from change to arrival typically, {worst} at worst"
    if len(shown) > 1:
        finding += f" ({bucket_name(shown['bucket'].iloc[int(shown['longest'].argmax())], unit, edges[-1] - edges[0])})"
    return titled(ax, finding, title, subject)
