"""Charts of how values move: between the values of an attribute, and an aggregate over time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.ticker import LogLocator, MaxNLocator, StrMethodFormatter

from workbench.charts._axes import bucket_edges, empty, time_axis
from workbench.charts._style import (
    BROWN,
    FAINT,
    GREEN,
    GREY,
    INK,
    LINE,
    ORANGE,
    PURPLE,
    RED,
    TEAL,
    labels,
    own_axes,
    room,
    styled,
    titled,
)
from workbench.charts.heatmaps import BLUES, scale
from workbench.text import count

MOST_VALUES, MOST_LINES, MOST_GREY = 20, 7, 200
NOWHERE = "(not there)"
OTHERS = "… others"
COLOURS = (LINE, ORANGE, RED, GREEN, PURPLE, BROWN, TEAL)
MARKERS = "osD^vPX"


@styled
def transitions_matrix(
    df: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None, subject: str = ""
) -> Axes:
    """Draw how often an attribute moved from which value to which, as a matrix.

    Parameters
    ----------
    df
        What ``Workbench.transitions(table, path)`` gives: from, to, moves. Of more than 20 values, the others are one.
    ax, title, subject
        As in `change_frequency`.

    Examples
    --------
    >>> moved = pd.DataFrame({"from": ["new", "paid"], "to": ["paid", "sent"], "moves": [5, 3]})
    >>> transitions_matrix(moved, subject="orders").get_title("left")
    'orders: new → paid is most frequent, 5 of 8 moves'
    """
    moves, order = _moves(df)
    ax = ax or own_axes(1.8 + 0.3 * max(len(order), 3))
    if moves.empty:
        return empty(ax, df, title, subject, "moves")
    grid = moves.pivot_table(index="from", columns="to", values="moves", aggfunc="sum").reindex(
        index=order, columns=order
    )
    counts = np.ma.masked_invalid(grid.to_numpy(float))
    mesh = ax.pcolormesh(counts, cmap=BLUES, norm=LogNorm(max(counts.min(), 1), max(counts.max(), 2)))
    for at in range(1, len(order)):
        ax.axhline(at, color="white", linewidth=1.2)
        ax.axvline(at, color="white", linewidth=1.2)
    if len(order) <= 9:
        for row, column in zip(*np.nonzero(~np.ma.getmaskarray(counts)), strict=True):
            shade = np.mean(np.asarray(BLUES(mesh.norm(counts[row, column])))[:3])
            ax.text(
                column + 0.5,
                row + 0.5,
                f"{counts[row, column]:,.0f}",
                ha="center",
                va="center",
                size=9,
                color="white" if shade < 0.5 else INK,
            )
    names = labels(order, room(ax)[0] * 3)
    ax.set_yticks(np.arange(len(order)) + 0.5, names)
    ax.set_xticks(np.arange(len(order)) + 0.5, names, rotation=90 if len(order) > 7 else 0)
    ax.set(ylim=(len(order), 0), xlim=(0, len(order)), facecolor=FAINT, ylabel="From", xlabel="To; grey: never")
    scale(ax, mesh, "Moves", LogLocator(subs=(1, 2, 5) if counts.max() < 1000 else (1,)))
    return titled(ax, _finding(moves), title, subject)


@styled
def transitions_flows(df: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None, subject: str = "") -> Axes:
    """Draw how often an attribute moved from which value, at the left, to which, at the right, as flows.

    `df`, `ax`, `title` and `subject` as in `transitions_matrix`.

    Examples
    --------
    >>> moved = pd.DataFrame({"from": ["new", "paid"], "to": ["paid", "sent"], "moves": [5, 3]})
    >>> transitions_flows(moved).get_title("left")
    'new → paid is most frequent, 5 of 8 moves'
    """
    moves, order = _moves(df)
    ax = ax or own_axes(1.6 + 0.28 * max(len(order), 6))
    if moves.empty:
        return empty(ax, df, title, subject, "moves")
    total = float(moves["moves"].sum())
    gap = 0.9 / max(len(order), 6)
    colours = {value: COLOURS[at % len(COLOURS)] for at, value in enumerate(order)} | {NOWHERE: GREY}
    places_of: dict[str, dict[str, float]] = {}
    bottom = 0.0
    for side, x in (("from", 0.0), ("to", 1.0)):
        sums = moves.groupby(side)["moves"].sum()
        held = [value for value in order if value in sums.index]
        names = dict(zip(held, labels(held, room(ax)[0] * 2.5), strict=True))
        heights = [float(sums[value]) / total + gap for value in held]
        top = 0.0
        begins = places_of[side] = {}
        for value, height in zip(held, heights, strict=True):
            begins[value] = top
            thick = float(sums[value]) / total
            ax.add_patch(PathPatch(_block(x, top, thick), facecolor=colours[value], linewidth=0))
            ax.text(
                x + (-0.03 if x == 0 else 0.03),
                top + thick / 2,
                f"{names[value]}  {sums[value]:,.0f}",
                ha="right" if x == 0 else "left",
                va="center",
                size=9.5,
            )
            top += height
        bottom = max(bottom, top)
    places = {value: at for at, value in enumerate(order)}
    ordered = moves.assign(row=moves["from"].map(places), column=moves["to"].map(places))
    for each in ordered.sort_values(["row", "column"]).to_dict("records"):
        thick = float(each["moves"]) / total
        one, other = places_of["from"][each["from"]], places_of["to"][each["to"]]
        ax.add_patch(PathPatch(_ribbon(one, other, thick), facecolor=colours[each["from"]], alpha=0.45, linewidth=0))
        places_of["from"][each["from"]] += thick
        places_of["to"][each["to"]] += thick
    ax.set(xlim=(-0.45, 1.45), ylim=(bottom, -0.02), xticks=[0, 1], yticks=[])
    ax.set_xticklabels(["From", "To"])
    ax.spines[:].set_visible(False)
    return titled(ax, _finding(moves), title, subject)


@styled
def trend(
    df: pd.DataFrame, *, ax: Axes | None = None, title: str | None = None, subject: str = "", aggregate: str = "value"
) -> Axes:
    """Draw how an aggregate moved: a line a group, the largest named at their ends, all others in grey.

    Parameters
    ----------
    df
        What ``Workbench.trend(table, aggregate)`` gives: bucket, value and, where it is grouped, belongs_to.
    aggregate
        What the value is called.
    ax, title, subject
        As in `change_frequency`.

    Examples
    --------
    >>> days = pd.date_range("2026-11-01", periods=3, tz="UTC")
    >>> trend(pd.DataFrame({"bucket": days, "value": [3, 4, 6]}), aggregate="count(*)").get_title("left")
    'count(*) is 6 at the end, from 3 (+100%)'
    """
    ax = ax or own_axes(3.8)
    values = pd.to_numeric(df["value"], errors="coerce").astype("float64")
    if df.empty or values.isna().all():
        return empty(ax, df, title, subject, "numbers")
    group = df["belongs_to"].map(str, na_action="ignore").fillna(NOWHERE) if "belongs_to" in df else aggregate
    wide = pd.DataFrame({"bucket": df["bucket"], "group": group, "value": values}).pivot_table(
        index="bucket", columns="group", values="value", aggfunc="last", dropna=False
    )
    wide = wide.dropna(axis="columns", how="all")
    size = wide.abs().ffill().iloc[-1].fillna(0) + wide.abs().mean() / 1e6
    order = list(size.sort_values(ascending=False, kind="stable").index)
    bucket = pd.Series(wide.index)
    edges, unit = bucket_edges(bucket)
    ends = edges[1:]
    for name in order[MOST_LINES:][:MOST_GREY]:
        ax.plot(ends, wide[name].to_numpy(), color=GREY, linewidth=0.6, zorder=1)
    named, last = order[:MOST_LINES], {}
    for at, name in enumerate(named):
        line = wide[name].to_numpy()
        colour = LINE if len(order) == 1 else COLOURS[at]
        marks: dict[str, Any] = {"marker": MARKERS[at], "markevery": max(1, len(ends) // 8), "markersize": 4}
        ax.plot(ends, line, color=colour, linewidth=1.8, clip_on=False, **marks)  # the last mark is on the edge
        there = np.flatnonzero(~np.isnan(line))
        last[name] = float(line[there[-1]])
    time_axis(ax, bucket, edges, f"{aggregate}\nat the end of each {unit}" if unit else aggregate, "Time")
    whole = bool((wide.fillna(0) % 1 == 0).all(axis=None))
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=whole))
    low, high = float(wide.min().min()), float(wide.max().max())
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.2f}" if high - low < 10 and not whole else "{x:,.0f}"))
    pad = (high - low or abs(high) or 1) * 0.08
    ax.set_ylim(min(low, 0) if low >= 0 and low < high / 2 else low - pad, high + pad)
    if len(order) > 1:
        _names(ax, last, named)
    rest = len(order) - len(named)
    if rest:
        ax.set_xlabel(f"{ax.get_xlabel()}; grey: {count(rest, 'other group')}")
    return titled(ax, _trended(wide, order, last, aggregate), title, subject)


def _names(ax: Axes, last: dict[str, float], named: Sequence[str]) -> None:
    """Write names beside the ends of lines, apart from each other."""
    low, high = ax.get_ylim()
    step = (high - low) / max(room(ax)[1] / 0.17, 1)
    places, below = {}, -np.inf
    for name in sorted(named, key=last.__getitem__):
        below = max(last[name], below + step)
        places[name] = below
    over = max(0.0, max(places.values()) - high)
    for at, name in enumerate(named):
        (shown,) = labels([name], room(ax)[0] * 2.6)
        ax.annotate(
            shown,
            (ax.get_xlim()[1], places[name] - over),
            (6, 0),
            textcoords="offset points",
            va="center",
            size=9.5,
            color=COLOURS[at],
            annotation_clip=False,
        )


def _trended(wide: pd.DataFrame, order: Sequence[str], last: dict[str, float], aggregate: str) -> str:
    name = order[0]
    line = wide[name].dropna()
    first, now = float(line.iloc[0]), last[name]
    if len(order) > 1:
        return f"{name} is largest of {count(len(order), 'group')}, {_number(now)} at the end"
    change = f", from {_number(first)}" + (f" ({(now - first) / abs(first):+.0%})" if first else "")
    return f"{aggregate} is {_number(now)} at the end" + (change if len(line) > 1 else "")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value.is_integer() or abs(value) >= 1000 else f"{value:,.4g}"


def _finding(moves: pd.DataFrame) -> str:
    top = moves.iloc[int(moves["moves"].argmax())]
    return f"{top['from']} → {top['to']} is most frequent, {top['moves']:,.0f} of {count(moves['moves'].sum(), 'move')}"


def _moves(df: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return moves between texts, and these in the order that most moves go."""
    sides = {side: df[side].map(str, na_action="ignore").fillna(NOWHERE) for side in ("from", "to")}
    moves = pd.DataFrame({**sides, "moves": df["moves"]})
    sums = pd.concat([moves.groupby(side)["moves"].sum() for side in sides], axis="columns").sum(axis="columns")
    most = [value for value in sums.sort_values(ascending=False, kind="stable").index if value != NOWHERE][:MOST_VALUES]
    kept = {*most, NOWHERE}
    moves[list(sides)] = moves[list(sides)].map(lambda value: value if value in kept else OTHERS)
    summed = moves.groupby(["from", "to"], sort=False)["moves"].sum().reset_index()
    return summed, _ordered(summed)


def _ordered(moves: pd.DataFrame) -> list[str]:
    """Return values in an order in which few moves go back: those that are left before those that are come to."""
    flow = {
        (row["from"], row["to"]): float(row["moves"]) for row in moves.to_dict("records") if row["from"] != row["to"]
    }
    values = list(dict.fromkeys([*moves["from"], *moves["to"]]))
    waiting = [value for value in values if value not in (NOWHERE, OTHERS)]
    first: list[str] = []
    while waiting:
        out = {one: sum(flow.get((one, other), 0) for other in waiting) for one in waiting}
        into = {one: sum(flow.get((other, one), 0) for other in waiting) for one in waiting}
        least = min(
            waiting, key=lambda one: (into[one] / (into[one] + out[one]) if into[one] + out[one] else 1.0, -out[one])
        )
        first.append(least)
        waiting.remove(least)
    return [*first, *(each for each in (OTHERS, NOWHERE) if each in values)]


def _block(x: float, top: float, thick: float) -> Path:
    half = 0.018
    return Path([(x - half, top), (x + half, top), (x + half, top + thick), (x - half, top + thick), (x - half, top)])


def _ribbon(one: float, other: float, thick: float) -> Path:
    """Return the outline of a flow from the left to the right."""
    a, b = 0.018, 0.982
    points = [(a, one), (0.5, one), (0.5, other), (b, other), (b, other + thick)]
    points += [(0.5, other + thick), (0.5, one + thick), (a, one + thick), (a, one)]
    curve = [Path.CURVE4] * 3
    return Path(points, [Path.MOVETO, *curve, Path.LINETO, *curve, Path.CLOSEPOLY])
