"""The look of the charts: style, own figures, time axes, and how times, counts and keys are written."""

from __future__ import annotations

import base64
import functools
import io
import textwrap
from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

import matplotlib as mpl
import matplotlib.dates as mdates
import numpy as np
import pandas as pd
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter
from numpy.typing import NDArray

P = ParamSpec("P")
Chart = Callable[Concatenate[pd.DataFrame, P], Axes]

INK, MUTED, LINE = "#262b33", "#5d6673", "#1f6fb8"
EVENTS = {  # column: what the legend calls it, colour (petroff10), hatch, so that it reads in grey too
    "modifies": ("modifies", "#3f90da", ""),
    "inserts": ("inserts", "#ffa90e", "////"),
    "removes": ("removes", "#bd1f01", "xxxx"),
    "ttl_removes": ("removes by TTL", "#94a4a2", "...."),
}
UNITS = {  # seconds: what a bucket of that length is called, and pandas' name for it
    60: ("minute", "1min"), 300: ("5 minutes", "5min"), 900: ("15 minutes", "15min"),
    1800: ("30 minutes", "30min"), 3600: ("hour", "1h"), 10800: ("3 hours", "3h"), 21600: ("6 hours", "6h"),
    43200: ("12 hours", "12h"), 86400: ("day", "1D"), 604800: ("week", "W-MON"), 2629800: ("month", "MS"),
}  # fmt: skip
STYLE: dict[Any, Any] = {
    "font.size": 10, "text.color": INK, "axes.edgecolor": "#b8bec6", "axes.labelcolor": MUTED,
    "axes.titlesize": 12, "axes.titleweight": "bold", "axes.titlelocation": "left", "axes.titlecolor": INK,
    "axes.spines.top": False, "axes.spines.right": False, "axes.spines.left": False, "axes.axisbelow": True,
    "axes.facecolor": "white", "figure.facecolor": "white", "xtick.color": MUTED, "ytick.color": MUTED,
    "xtick.labelsize": 9.5, "ytick.labelsize": 9.5, "ytick.major.size": 0, "xtick.major.size": 3,
    "legend.frameon": False, "legend.fontsize": 9.5, "hatch.linewidth": 0.7, "grid.color": "#e3e6ea",
    "grid.linewidth": 0.8, "text.parse_math": False, "figure.constrained_layout.h_pad": 0.09,
    "figure.constrained_layout.w_pad": 0.09,
}  # fmt: skip
LEGEND: dict[str, Any] = {"loc": "lower left", "bbox_to_anchor": (-0.01, 1), "ncols": 4, "borderpad": 0.2,
                          "columnspacing": 1.6, "handlelength": 1.4}  # fmt: skip


class ChartAxes(Axes):
    """An Axes that shows its figure, sharp on a dense screen, as the value of a notebook cell."""

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
        png, figure = io.BytesIO(), self.get_figure(root=True)
        assert figure is not None
        figure.savefig(png, format="png", dpi=2 * figure.dpi)
        width, height = (round(side * figure.dpi) for side in figure.get_size_inches())
        alt = self.get_title(loc="left").replace("\n", " ")
        data = {"image/png": base64.b64encode(png.getvalue()).decode(), "text/plain": alt}
        return data, {"image/png": {"width": width, "height": height, "alt": alt}}


def styled(draw: Chart[P]) -> Chart[P]:
    """Draw inside the house style and lay out before leaving it: ticks made later would have another one."""

    @functools.wraps(draw)
    def chart(df: pd.DataFrame, /, *args: P.args, **kwargs: P.kwargs) -> Axes:
        with mpl.rc_context({**STYLE, "font.family": list(_families())}):
            ax = draw(df, *args, **kwargs)
            figure = ax.get_figure(root=True)
            assert figure is not None
            figure.draw_without_rendering()
            return ax

    return chart


def own_axes(height: float) -> Axes:
    """Return an Axes of a new figure, 840 pixels wide in a notebook."""
    return Figure(figsize=(8.4, height), dpi=100, layout="constrained").add_subplot(axes_class=ChartAxes)


def titled(ax: Axes, text: str, *, pad: float = 12, width: float = 72) -> Axes:
    """Set the title, wrapped to `width` letters."""
    lines = [line for part in text.splitlines() for line in textwrap.wrap(part, max(30, int(width)))]
    ax.set_title("\n".join(map(drawable, lines)), pad=pad)
    return ax


def empty(ax: Axes, df: pd.DataFrame, title: str | None, subject: str, what: str) -> Axes:
    """Draw the statement that there is nothing to draw, and in which window."""
    ax.set(xticks=[], yticks=[], facecolor="#f5f6f8")
    ax.spines[:].set_visible(False)
    ax.text(0.5, 0.5, f"No {what} in this window", transform=ax.transAxes, ha="center", va="center",
            size=12.5, color=MUTED)  # fmt: skip
    finding = f"{subject}: no {what}" if subject else f"No {what}"
    if len(df) and "bucket" in df:
        finding += f", {_window(df['bucket'], bucket_edges(df['bucket'])[0])} ({df['bucket'].dt.tz})"
    return titled(ax, finding if title is None else title)


def bucket_edges(bucket: pd.Series[Any]) -> tuple[NDArray[np.float64], str]:
    """Return where buckets start and the last ends, and what a bucket is called ('' when unknown)."""
    utc = bucket.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy()
    starts: NDArray[np.float64] = mdates.date2num(utc)  # type: ignore[no-untyped-call]
    days = float(np.median(np.diff(starts))) if len(starts) > 1 else 1 / 24
    seconds = min(UNITS, key=lambda known: abs(known - days * 86400))
    return np.append(starts, starts[-1] + days), UNITS[seconds][0] if len(starts) > 1 else ""


def thinned(df: pd.DataFrame, most: int = 1500) -> pd.DataFrame:
    """Return the frame in longer buckets when there are more than a picture has room for."""
    if len(df) <= most:
        return df
    edges, _ = bucket_edges(df["bucket"])
    seconds = float(edges[-1] - edges[0]) * 86400 / most
    every = next((name for length, (_, name) in UNITS.items() if length >= seconds), "MS")
    return df.resample(every, on="bucket", closed="left", label="left").sum().reset_index()


def time_axis(ax: Axes, bucket: pd.Series[Any], edges: NDArray[np.float64], ylabel: str) -> None:
    """Give an Axes the dates below and the counts at its side."""
    zone, days = bucket.dt.tz, edges[-1] - edges[0]
    locator = mdates.AutoDateLocator(tz=zone, minticks=4, maxticks=9)  # type: ignore[no-untyped-call]
    day = "%a %d %b" if days <= 8 else "%d %b"
    formatter = mdates.ConciseDateFormatter(  # type: ignore[no-untyped-call]
        locator, tz=zone, show_offset=False, formats=["%Y", "%b", day, "%H:%M", "%H:%M", "%S"],
        zero_formats=["", "%Y", "%b" if days > 62 else day, day, "%H:%M", "%H:%M"],
    )  # fmt: skip
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(formatter)
    if len(bucket) == 1:
        ax.set_xticks([edges.mean()], [f"{bucket.iloc[0].day} {bucket.iloc[0]:%b %Y %H:%M}"])
    room = 2 * days if len(bucket) == 1 else 0
    ax.set(xlim=(edges[0] - room, edges[-1] + room), ylabel=ylabel)
    ax.set_xlabel(f"Time of the change, {_window(bucket, edges)} ({zone})")
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


def count(number: float, noun: str, spec: str = ",.0f") -> str:
    """Return a number and its noun."""
    return f"{number:{spec}} {noun}{'' if abs(number) == 1 else 's'}"


def key_label(parts: tuple[str, ...], longest: int = 34) -> str:
    """Return a key as a label: its attributes side by side, the middle of a long one left out."""
    text = " · ".join(parts)
    return drawable(text if len(text) <= longest else f"{text[: longest // 2]}…{text[1 - longest // 2 :]}")


def drawable(text: str) -> str:
    """Return text with what no font here can draw escaped: boxes would make different keys look the same."""
    known = _glyphs()
    fine = (c.isprintable() and ord(c) in known for c in text)
    return "".join(c if ok else c.encode("unicode_escape").decode() for c, ok in zip(text, fine, strict=True))


@functools.cache
def _families() -> tuple[str, ...]:
    installed = font_manager.fontManager.get_font_names()
    wanted = ("DejaVu Sans", "Noto Sans CJK SC", "Noto Sans CJK JP", "Hiragino Sans", "Microsoft YaHei",
              "Arial Unicode MS")  # fmt: skip
    return tuple(name for name in wanted if name in installed)


@functools.cache
def _glyphs() -> frozenset[int]:
    files = [font_manager.findfont(name) for name in _families()]
    return frozenset(code for file in files for code in font_manager.get_font(file).get_charmap())
