"""The axes of the charts: buckets of time, bars with names, and an empty window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from numpy.typing import NDArray

from workbench.charts._style import FAINT, MUTED, room, titled
from workbench.text import count, percent

UNITS = {  # seconds: what a bucket of that length is called, and pandas' name for it
    60: ("minute", "1min"),
    300: ("5 minutes", "5min"),
    900: ("15 minutes", "15min"),
    1800: ("30 minutes", "30min"),
    3600: ("hour", "1h"),
    10800: ("3 hours", "3h"),
    21600: ("6 hours", "6h"),
    43200: ("12 hours", "12h"),
    86400: ("day", "1D"),
    604800: ("week", "W-MON"),
    2629800: ("month", "MS"),
}


def empty(ax: Axes, df: pd.DataFrame, title: str | None, subject: str, what: str) -> Axes:
    """Draw the statement that there is nothing to draw, and in which window."""
    ax.set(xticks=[], yticks=[], facecolor=FAINT)
    ax.spines[:].set_visible(False)
    ax.text(
        0.5, 0.5, f"No {what} in this window", transform=ax.transAxes, ha="center", va="center", size=12.5, color=MUTED
    )
    finding = f"{'no' if subject else 'No'} {what}"
    if len(df) and "bucket" in df:
        finding += f", {_window(df['bucket'], bucket_edges(df['bucket'])[0])} ({df['bucket'].dt.tz})"
    return titled(ax, finding, title, subject)


def bucket_edges(bucket: pd.Series[Any]) -> tuple[NDArray[np.float64], str]:
    """Return where buckets start and the last ends, and what a bucket is called ('' when unknown)."""
    utc = bucket.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    starts: NDArray[np.float64] = mdates.date2num(utc)  # type: ignore[no-untyped-call]
    days = float(np.median(np.diff(starts))) if len(starts) > 1 else 1 / 24
    seconds = min(UNITS, key=lambda unit: abs(unit - days * 86400))
    return np.append(starts, starts[-1] + days), UNITS[seconds][0] if len(starts) > 1 else ""


def thinned(df: pd.DataFrame, most: int = 1500, how: str = "sum") -> pd.DataFrame:
    """Return the frame in longer buckets when there are more than a picture has room for."""
    if len(df) <= most:
        return df
    edges, _ = bucket_edges(df["bucket"])
    seconds = float(edges[-1] - edges[0]) * 86400 / most
    every = next((name for length, (_, name) in UNITS.items() if length >= seconds), "MS")
    return df.resample(every, on="bucket", closed="left", label="left").agg(how).reset_index()


def time_axis(
    ax: Axes, bucket: pd.Series[Any], edges: NDArray[np.float64], ylabel: str, what: str = "Time of the change"
) -> None:
    """Give an Axes the dates below and the counts at its side."""
    zone, days = bucket.dt.tz, edges[-1] - edges[0]
    locator = mdates.AutoDateLocator(tz=zone, minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    day = "%a %d %b" if days <= 8 else "%d %b"
    formatter = mdates.ConciseDateFormatter(  # type: ignore[no-untyped-call]
        locator,
        tz=zone,
        show_offset=False,
        formats=["%Y", "%b", day, "%H:%M", "%H:%M", "%S"],
        zero_formats=["", "%Y", "%b" if days > 62 else day, day, "%H:%M", "%H:%M"],
    )
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(formatter)
    if len(bucket) == 1:
        ax.set_xticks([edges.mean()], [f"{bucket.iloc[0].day} {bucket.iloc[0]:%b %Y %H:%M}"])
    beside = 2 * days if len(bucket) == 1 else 0
    ax.set(xlim=(edges[0] - beside, edges[-1] + beside), ylabel=ylabel)
    ax.set_xlabel(f"{what}, {_window(bucket, edges)} ({zone})")
    ax.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.grid(axis="y")


def _window(bucket: pd.Series[Any], edges: NDArray[np.float64]) -> str:
    last = bucket.iloc[-1] + pd.Timedelta(days=edges[-1] - edges[-2]) - pd.Timedelta("1s")
    first, last = (f"{time.day} {time:%b %Y}" for time in (bucket.iloc[0], last))
    return first if first == last else f"{first} – {last}"


def bucket_name(bucket: pd.Timestamp, unit: str, days: float) -> str:
    """Return a bucket's name, as short as a window of so many days allows."""
    date = f"{bucket:%a} {bucket.day} {bucket:%b}" if days < 360 else f"{bucket.day} {bucket:%b %Y}"
    if unit == "month":
        return f"{bucket:%b %Y}"
    if unit in ("day", "week"):
        return date if unit == "day" else f"week of {date}"
    return f"{bucket:%a %H:%M}" if days <= 7 else f"{date} {bucket:%H:%M}"


def span(edges: NDArray[np.float64], unit: str) -> str:
    """Return the length of the window in words."""
    if unit in ("week", "month"):
        return count(len(edges) - 1, unit)
    days = float(edges[-1] - edges[0])
    if days >= 2:
        return count(round(days), "day")
    return count(round(days * 24), "hour") if days >= 1 / 12 else count(round(days * 1440), "minute")


def bars(ax: Axes, names: Sequence[str], changes: pd.Series[Any], shares: pd.Series[Any]) -> None:
    """Name horizontal bars, from the top down, and write how many and which share at the end of each."""
    for row, (many, share) in enumerate(zip(changes, shares, strict=True)):
        ax.annotate(
            f"{many:,.0f} · {percent(share)}" if many else "0",
            (many, row),
            (5, 0),
            textcoords="offset points",
            va="center",
            size=9,
            color=MUTED,
        )
    ax.set_yticks(range(len(names)), names)
    ax.set(ylim=(len(names) - 0.4, -0.6), xlim=(0, float(changes.max()) * (1 + 1.4 / room(ax)[0])))
    ax.set_xlabel("Changes · share of all changes")
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    ax.grid(axis="x")
