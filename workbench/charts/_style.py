"""The look of the charts: style, own figures, fitting, and how counts, shares and keys are written."""

from __future__ import annotations

import base64
import functools
import io
import textwrap
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any, Concatenate, ParamSpec

import matplotlib as mpl
import pandas as pd
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.figure import Figure
from matplotlib.text import Text

P = ParamSpec("P")
Chart = Callable[Concatenate[pd.DataFrame, P], Axes]

INK, MUTED, LINE = "#262b33", "#5d6673", "#1f6fb8"
EVENTS = {  # column: what the legend calls it, colour (petroff10), hatch, so that it reads in grey too
    "modifies": ("modifies", "#3f90da", ""),
    "inserts": ("inserts", "#ffa90e", "////"),
    "removes": ("removes", "#bd1f01", "xxxx"),
    "ttl_removes": ("removes by TTL", "#94a4a2", "...."),
}
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": "#b8bec6",
    "axes.labelcolor": MUTED,
    "axes.titlesize": 12,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlecolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.facecolor": "white",
    "figure.facecolor": "white",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "ytick.major.size": 0,
    "xtick.major.size": 3,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "hatch.linewidth": 0.7,
    "grid.color": "#e3e6ea",
    "grid.linewidth": 0.8,
    "text.parse_math": False,
    "figure.constrained_layout.h_pad": 0.09,
    "figure.constrained_layout.w_pad": 0.09,
}
LEGEND: dict[str, Any] = {
    "loc": "lower left",
    "bbox_to_anchor": (-0.01, 1),
    "ncols": 4,
    "borderpad": 0.2,
    "columnspacing": 1.6,
    "handlelength": 1.4,
}


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
            return _fitted(ax)

    return chart


def own_axes(height: float) -> Axes:
    """Return an Axes of a new figure, 840 pixels wide in a notebook."""
    return Figure(figsize=(8.4, height), dpi=100, layout="constrained").add_subplot(axes_class=ChartAxes)


def titled(ax: Axes, finding: str, title: str | None, subject: str) -> Axes:
    """Set the title: the one given, else the finding with its subject before it."""
    text = f"{subject}: {finding}" if subject else finding
    ax.set_title("\n".join(map(drawable, (text if title is None else title).splitlines())))
    return ax


def room(ax: Axes) -> tuple[float, float]:
    """Return width and height of an Axes in inches, as far as they are known before it is laid out."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    box = ax.get_window_extent()
    return float(box.width / figure.dpi), float(box.height / figure.dpi)


def _fitted(ax: Axes) -> Axes:
    """Lay out, then wrap and thin out what has no room: only now is the width of the Axes known."""
    figure, legend, pad = ax.get_figure(root=True), ax.get_legend(), 12.0
    assert figure is not None
    _dress(ax)
    if legend:
        legend.set_in_layout(False)  # a wide one would squeeze the Axes; the title makes room for it
    figure.draw_without_rendering()
    width = ax.get_window_extent().width
    for columns in (3, 2, 1):
        if legend and legend.get_window_extent().width > width * 1.02:
            legend = ax.legend(**LEGEND | {"ncols": columns})
    if legend:
        pad = legend.get_window_extent().height * 72 / figure.dpi + 9
        legend.set_in_layout(not ax.get_title(loc="left"))
    title = ax.set_title(ax.get_title(loc="left"), pad=pad)
    _wrap(title, width + _beside(ax))
    _wrap(ax.xaxis.label, width * 1.1)
    for text in ax.texts:
        if text.get_transform() == ax.transAxes:
            _wrap(text, width)
    for axis in (ax.xaxis, ax.yaxis):
        _thin(axis)
    figure.draw_without_rendering()
    title.set_x(-_beside(ax) / ax.get_window_extent().width)
    return ax


def _thin(axis: Axis) -> None:
    """Hide labels evenly until none touches the next."""
    shown = [tick.label1 for tick in axis.get_major_ticks() if tick.label1.get_text()]
    boxes = [label.get_window_extent() for label in shown]
    across = isinstance(axis, XAxis)
    sides = sorted((box.x0, box.x1 + 5) if across else (box.y0 + 2, box.y1 - 2) for box in boxes)
    step = 1
    while any(one[1] >= other[0] for one, other in pairwise(sides[::step])):
        step += 1
    for place, label in enumerate(shown):
        label.set_visible(place % step == 0)


def _dress(ax: Axes) -> None:
    """Give an Axes that was made elsewhere what the house style would have given it."""
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(STYLE["axes.edgecolor"])
    ax.tick_params(colors=MUTED, labelsize=9.5, grid_color=STYLE["grid.color"], grid_linewidth=STYLE["grid.linewidth"])
    ax.tick_params(axis="y", length=0)
    for label in (ax.xaxis.label, ax.yaxis.label):
        label.set_color(MUTED)
    for text in ax.findobj(Text):
        assert isinstance(text, Text)
        text.set_parse_math(False)
        text.set_fontfamily(list(_families()))


def _beside(ax: Axes) -> float:
    """Return how many pixels the labels at the left of an Axes take, as far as they are in the figure."""
    labels, left = ax.yaxis.get_tightbbox(), ax.get_window_extent().x0
    return max(0.0, left - max(labels.x0, 2.0)) if labels else 0.0


def _wrap(text: Text, width: float) -> None:
    lines, drawn = text.get_text().splitlines(), text.get_window_extent().width
    if drawn <= width:
        return
    most = max(12, int(width / drawn * max(map(len, lines))))
    parts = []
    for line in lines:  # as short as it can be in as many lines, so that no word is left alone
        tried = [textwrap.wrap(line, letters, break_on_hyphens=False) for letters in range(most, 8, -1)]
        parts += [other for other in tried if len(other) == len(tried[0])][-1]
    text.set_text("\n".join(parts))


def percent(share: float) -> str:
    """Return a share as a percentage that is never rounded to none or all.

    >>> [percent(share) for share in (0, 0.0004, 0.125, 0.5, 0.9999, 1)]
    ['0%', '<0.1%', '12.5%', '50%', '>99.9%', '100%']
    """
    if 0 < share < 0.001 or 0.999 < share < 1:
        return "<0.1%" if share < 0.5 else ">99.9%"
    return f"{share * 100:.1f}".removesuffix(".0") + "%"


def labels(texts: Iterable[str], longest: float) -> list[str]:
    """Return texts as labels, the middle of a long one left out: less of it where they would look the same."""
    whole = [drawable(text) for text in texts]
    shortened = whole
    shortest = max(int(longest), 12)
    for most in range(shortest, 3 * shortest, 4):
        shortened = [text if len(text) <= most else f"{text[: most // 2]}…{text[1 - most // 2 :]}" for text in whole]
        if len(set(shortened)) == len(set(whole)):
            break
    return shortened


def drawable(text: str) -> str:
    """Return text with what no font here can draw escaped: boxes would make different keys look the same."""
    glyphs = _glyphs()
    fine = (c.isprintable() and ord(c) in glyphs for c in text)
    return "".join(c if ok else c.encode("unicode_escape").decode() for c, ok in zip(text, fine, strict=True))


@functools.cache
def _families() -> tuple[str, ...]:
    installed = font_manager.fontManager.get_font_names()
    wanted = (
        "DejaVu Sans",
        "Noto Sans CJK SC",
        "Noto Sans CJK JP",
        "Hiragino Sans",
        "Microsoft YaHei",
        "Arial Unicode MS",
    )
    return tuple(name for name in wanted if name in installed)


@functools.cache
def _glyphs() -> frozenset[int]:
    files = [font_manager.findfont(name) for name in _families()]
    return frozenset(code for file in files for code in font_manager.get_font(file).get_charmap())
