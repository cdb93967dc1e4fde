"""Charts of how long items live: curves of survival, and what became of those that came in a month."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from workbench.charts._axes import empty
from workbench.charts._style import (
    BLUE,
    BROWN,
    EVENTS,
    GREY,
    LEGEND,
    MUTED,
    ORANGE,
    PURPLE,
    RED,
    drawable,
    own_axes,
    styled,
    titled,
)
from workbench.text import count, percent, words

MOST_GROUPS = 6
"""Curves that can be told apart; of more groups, those with most items are drawn."""
_LOOKS = (  # colour, line style, marker
    (BLUE, "-", "o"),
    (ORANGE, "--", "s"),
    (RED, "-.", "^"),
    (PURPLE, ":", "D"),
    (BROWN, "-", "v"),
    (GREY, "--", "P"),
)
_UNITS = {"days": 86400, "hours": 3600, "minutes": 60, "seconds": 1}


@styled
def survival(df: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None, subject: str = "") -> Axes:
    """Draw which share of items lives longer than an age, a curve a group; a cross is where TTL ended lives.

    Parameters
    ----------
    df
        ``Workbench.lifetimes(table).survival``: belongs_to, age, at_risk, ended, by_ttl, survival. Of more than six
        groups those with most items are drawn.
    ax, title, subject
        As in `change_frequency`.

    Examples
    --------
    >>> ages = pd.to_timedelta([1, 3], unit="D")
    >>> curve = pd.DataFrame({"belongs_to": None, "age": ages, "at_risk": [4, 2], "ended": [2, 1], "by_ttl": [0, 1]})
    >>> survival(curve.assign(survival=[0.5, 0.25])).get_title("left")
    'Half of the items live longer than 1 d; 33.3% of those that went, by TTL'
    """
    ax = ax or own_axes(3.6)
    if df.empty:
        return empty(ax, df, title, subject, "items that went")
    groups = df.groupby(df["belongs_to"].map(lambda value: "" if pd.isna(value) else str(value)), sort=False)
    curves = sorted(groups, key=lambda each: -int(each[1]["at_risk"].iloc[0]))
    unit = next((name for name, size in _UNITS.items() if df["age"].max().total_seconds() >= 2 * size), "seconds")
    for (name, curve), (colour, line, marker) in zip(curves[:MOST_GROUPS], _LOOKS, strict=False):
        age = np.concatenate([[0], curve["age"].dt.total_seconds().to_numpy(float) / _UNITS[unit]])
        left = np.concatenate([[1], curve["survival"].to_numpy(float)])
        label = drawable(name or "items")
        every = max(1, len(age) // 10)
        look: dict[str, Any] = {"color": colour, "linestyle": line, "marker": marker, "markevery": every}
        ax.plot(age, left, drawstyle="steps-post", linewidth=1.8, markersize=4, label=label, **look)
        ttl = curve["by_ttl"].to_numpy() > 0
        some = max(1, int(ttl.sum()) // 25)
        ax.plot(age[1:][ttl], left[1:][ttl], "x", color=colour, markersize=7, markevery=some)
    if (ended := int(df["by_ttl"].sum())) > 0:
        ax.plot([], [], "x", color=MUTED, label="ended by TTL")
    ax.set(xlabel=f"Age in {unit}", ylabel="Share that lives longer", ylim=(0, 1.02))
    ax.set_xlim(left=0)
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.legend(**LEGEND)
    half = [(name, curve.loc[curve["survival"] <= 0.5, "age"]) for name, curve in curves[:MOST_GROUPS]]
    reached = [(name, ages.iloc[0]) for name, ages in half if len(ages)]
    if not reached:
        finding = "more than half of the items still live"
    elif len(curves) == 1:
        finding = f"half of the items live longer than {words(reached[0][1])}"
    else:
        shortest = min(reached, key=lambda each: each[1])
        finding = f"of {count(len(curves), 'group')} {shortest[0] or 'no value'} lives shortest: "
        finding += f"half of it longer than {words(shortest[1])}"
    if ended:
        finding += f"; {percent(ended / df['ended'].sum())} of those that went, by TTL"
    return titled(ax, finding if subject else finding[0].upper() + finding[1:], title, subject)


@styled
def cohorts(df: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None, subject: str = "") -> Axes:
    """Draw how many items came in each month, and what became of them: living, deleted, or ended by TTL.

    Parameters
    ----------
    df
        ``Workbench.lifetimes(table).cohorts``: month, items, living, deleted, by_ttl; groups are put together.
    ax, title, subject
        As in `change_frequency`.

    Examples
    --------
    >>> months = pd.date_range("2026-01-01", periods=2, freq="MS", tz="UTC")
    >>> came = pd.DataFrame({"month": months, "items": [4, 2], "living": [1, 2], "deleted": [3, 0], "by_ttl": [1, 0]})
    >>> cohorts(came).get_title("left")
    '6 items came in 2 months; 3 still live, 25% of those of Jan 2026'
    """
    ax = ax or own_axes(3.3)
    if df.empty:
        return empty(ax, df, title, subject, "items that came")
    months = df.groupby("month")[["items", "living", "deleted", "by_ttl"]].sum()
    names = [f"{month:%b %Y}" for month in months.index]
    parts = {
        "living": (months["living"], BLUE, ""),
        "deleted": (months["deleted"] - months["by_ttl"], EVENTS["removes"][1], EVENTS["removes"][2]),
        "ended by TTL": (months["by_ttl"], ORANGE, "----"),
    }
    base, wide = np.zeros(len(months)), 0.8 if len(months) <= 60 else 1
    for label, (values, colour, hatch) in parts.items():
        heights = values.to_numpy(float)
        ax.bar(range(len(months)), heights, wide, base, facecolor=colour, hatch=hatch, hatchcolor="white", label=label)
        base = base + heights
    step = max(1, -(-len(months) // 12))
    ax.set_xticks(range(0, len(months), step), names[::step])
    ax.set(xlabel=f"Month in which they came ({df['month'].dt.tz})", ylabel="Items")
    ax.legend(**LEGEND)
    lived = months["living"] / months["items"]
    least = int(lived.to_numpy().argmin())
    finding = f"{count(months['items'].sum(), 'item')} came in {count(len(months), 'month')}; "
    finding += f"{months['living'].sum():,} still live"
    if len(months) > 1:
        finding += f", {percent(float(lived.iloc[least]))} of those of {names[least]}"
    return titled(ax, finding, title, subject)
