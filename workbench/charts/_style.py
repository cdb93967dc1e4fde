"""The look of the charts: style, own figures, fitting, and how counts, shares and keys are written."""

from __future__ import annotations

import base64
import functools
import io
import math
import re
import textwrap
import unicodedata
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Concatenate, ParamSpec, Protocol

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.collections import Collection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.spines import Spine
from matplotlib.text import Text

from workbench.errors import ParameterError

P = ParamSpec("P")


class Answer(Protocol):
    """An answer to a question, as `workbench.questions.result.Result` is one: its frames, and what was asked."""

    @property
    def asked(self) -> Mapping[str, Any]:
        """The question, its table, and its parameters by their names."""


Drawing = Callable[Concatenate[pd.DataFrame, P], Axes]
Chart = Callable[Concatenate[pd.DataFrame | Answer, P], Axes]

INK, MUTED, LINE = "#262b33", "#5d6673", "#1f6fb8"
BLUE, ORANGE, RED, PURPLE, BROWN, GREEN, TEAL = (  # each at least 3:1 on white, as WCAG wants it of graphics
    "#3f90da",
    "#d07800",
    "#bd1f01",
    "#832db6",
    "#a96b59",
    "#5b8c2a",
    "#0b8a8f",
)
# the dark end of a scale, a line on BLUE, and what is beside BLUE: the other end, or an area that BLUE outlines
DARKEST, DEEP, PALE = "#0b2f5c", "#0b3d73", "#b9d8f5"
GREY, FAINT, EDGE, GRID = "#87909b", "#f1f2f4", "#b8bec6", "#e3e6ea"
EVENTS = {  # column: what the legend calls it, colour, hatch, so that it reads in grey too
    "modifies": ("modifies", BLUE, ""),
    "inserts": ("inserts", ORANGE, "////"),
    "removes": ("removes", RED, "xxxx"),
    "ttl_removes": ("removes by TTL", GREY, "----"),
}
STYLE: dict[Any, Any] = {
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": EDGE,
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
    "grid.color": GRID,
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


WIDE = 840
"""Pixels that a chart is wide where it is not asked for another width."""


@dataclass(frozen=True)
class Medium:
    """What a chart is drawn for: how wide, in pixels, and whether its text stays text, for the fonts of its reader."""

    width: int = WIDE
    text: bool = False


_PAPER = Medium()
_MEDIUM: ContextVar[Medium] = ContextVar("medium", default=_PAPER)
_ESCAPED: ContextVar[bool] = ContextVar("escaped", default=False)
"""Whether something of the chart at hand could be drawn as an escape only."""


class ChartAxes(Axes):
    """An Axes that shows its figure, sharp on a dense screen, as the value of a notebook cell.

    Attributes
    ----------
    height
        Of its figure in inches where no line is wrapped; none where the figure is not its own.
    redraw
        Draws the same chart again, for the medium at hand; none where it was drawn into an Axes among others.
    drawn
        What was in the figure when it was done, which tells whether it was changed by hand since.
    escaped
        Whether text in it is escaped, for want of a font here.
    """

    height: float | None = None
    redraw: Callable[[], Axes] | None = None
    drawn: object = None
    escaped = False

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()  # type: ignore[assignment]
        return state | {"redraw": None, "drawn": None}

    def set_title(
        self, label: str, fontdict: Any = None, loc: Any = None, pad: float | None = None, **kwargs: Any
    ) -> Text:
        """Set the title at the left, where the chart has its own: another one would stand on it."""
        return super().set_title(label, fontdict, loc or "left", pad, **kwargs)

    def _repr_mimebundle_(self, **_: object) -> tuple[dict[str, str], dict[str, dict[str, Any]]]:
        png, figure = io.BytesIO(), self.get_figure(root=True)
        assert figure is not None
        with as_laid_out(self):
            figure.savefig(png, format="png", dpi=2 * figure.dpi)
        width, height = (round(side * figure.dpi) for side in figure.get_size_inches())
        alt = self.get_title(loc="left").replace("\n", " ")
        data = {"image/png": base64.b64encode(png.getvalue()).decode(), "text/plain": alt}
        if self.escaped:  # a browser has fonts for what is escaped here, and takes the SVG first
            from workbench.charts.svg import as_svg  # which is made of what is here

            data["image/svg+xml"] = as_svg(self)
        return data, {"image/png": {"width": width, "height": height, "alt": alt}}


def styled(draw: Drawing[P]) -> Chart[P]:
    """Draw inside the house style and lay out before leaving it: ticks made later would have another one.

    What is drawn may be a frame, or the answer that has it: `workbench.charts.of_questions` says which frame that is.
    """

    @functools.wraps(draw)
    def chart(shown: pd.DataFrame | Answer, /, *args: P.args, **kwargs: P.kwargs) -> Axes:
        from workbench.charts.of_questions import shown_of  # it lists the charts, and these are made here

        df, options = (shown, {}) if isinstance(shown, pd.DataFrame) else shown_of(shown, draw.__name__)
        df = df.copy(deep=False)  # what is done to the caller's later does not reach a second drawing
        kwargs.update({name: value for name, value in options.items() if name not in kwargs})
        ax = _drawn(draw, df, *args, **kwargs)
        if isinstance(ax, ChartAxes) and kwargs.get("ax") is None:
            ax.redraw = functools.partial(_drawn, draw, df, *args, **kwargs)
        return ax

    return chart


def _drawn(draw: Drawing[P], df: pd.DataFrame, /, *args: P.args, **kwargs: P.kwargs) -> Axes:
    with house_style():
        _ESCAPED.set(False)
        try:
            ax = draw(df, *args, **kwargs)
        except KeyError as error:
            if not error.args or error.args[0] in df.columns:
                raise
            raise ParameterError(
                f"{draw.__name__} draws a frame with a column {error.args[0]!r}, and this one has "
                f"{', '.join(map(str, df.columns)) or 'none'}: give the answer to its question, as a Result"
            ) from error
        fitted(ax)
        if isinstance(ax, ChartAxes):
            ax.escaped, ax.drawn = _ESCAPED.get(), contents(ax)
        return ax


@contextmanager
def house_style() -> Iterator[None]:
    """Draw in the house style, and say nothing of glyphs where text stays text: its reader has fonts of their own."""
    with mpl.rc_context({**STYLE, "font.family": list(_families())}), warnings.catch_warnings():
        if _MEDIUM.get().text:
            warnings.filterwarnings("ignore", "Glyph .* missing from font", UserWarning)
        yield


@contextmanager
def drawn_for(medium: Medium) -> Iterator[None]:
    """Draw charts for a medium."""
    token = _MEDIUM.set(medium)
    try:
        yield
    finally:
        _MEDIUM.reset(token)


def contents(ax: Axes) -> object:
    """Return what can be changed by hand of the figure of an Axes, to be compared with what it is later."""
    figure = ax.get_figure(root=True)
    assert figure is not None
    return [figure.get_size_inches().tolist(), figure.get_facecolor(), *(_of_axes(each) for each in figure.axes)]


def _of_axes(ax: Axes) -> list[object]:
    parts: list[object] = [ax.get_xlim(), ax.get_ylim(), ax.get_xscale(), ax.get_yscale(), ax.get_facecolor()]
    parts += [each for axis in (ax.xaxis, ax.yaxis) for each in (axis.get_major_locator(), axis.get_major_formatter())]
    legend = ax.get_legend()
    for artist in [*ax.get_children(), ax.xaxis.label, ax.yaxis.label, *(legend.get_texts() if legend else [])]:
        parts += [type(artist), artist.get_visible(), artist.get_alpha()]
        if isinstance(artist, Text):
            parts += [artist.get_text(), artist.get_color(), artist.get_fontsize()]
        elif isinstance(artist, Line2D):
            parts += [np.asarray(artist.get_xydata()).tobytes(), artist.get_color(), artist.get_linewidth()]
        elif isinstance(artist, Patch):
            outline = () if isinstance(artist, Spine) else artist.get_path().vertices  # drawing it moves a spine's
            parts += [np.asarray(outline).tobytes(), artist.get_facecolor(), artist.get_edgecolor()]
        elif isinstance(artist, Collection):
            array = artist.get_array()
            parts += [np.asarray(artist.get_facecolor() if array is None else np.ma.getdata(array)).tobytes()]
    return parts


def own_axes(height: float) -> ChartAxes:
    """Return an Axes of a new figure, as wide as what it is drawn for, in a notebook 840 pixels."""
    width = _MEDIUM.get().width / 100
    ax = Figure(figsize=(width, height), dpi=100, layout="constrained").add_subplot(axes_class=ChartAxes)
    assert isinstance(ax, ChartAxes)
    ax.height = height
    return ax


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


def fitted(ax: Axes) -> Axes:
    """Lay out, then wrap and thin out what has no room: only now is the width of the Axes known."""
    figure, legend, pad = ax.get_figure(root=True), ax.get_legend(), 12.0
    assert figure is not None
    _dress(ax)
    if legend:
        legend.set_in_layout(False)  # a wide one would squeeze the Axes; the title makes room for it
    title = ax.set_title(ax.get_title(loc="left"))
    _wrap(title, ax.get_window_extent().width * 1.3)  # so would its middle, if it lay outside
    lay_out(figure)
    place, beside = ax.get_window_extent(), _beside(ax)
    if legend:
        room_for_it = place.width + beside
        for columns in range(min(4, len(legend.get_texts())), 0, -1):
            legend = ax.legend(**LEGEND | {"ncols": columns, "bbox_to_anchor": (-beside / place.width, 1)})
            if legend.get_window_extent().width <= room_for_it:
                break
        pad = legend.get_window_extent().height * 72 / figure.dpi + 9
        legend.set_in_layout(not ax.get_title(loc="left"))
    ax.set_title(title.get_text(), pad=pad)
    own = isinstance(ax, ChartAxes) and ax.height is not None  # nothing is beside it, so that its title has all of it
    _wrap(title, figure.bbox.width - place.x0 + beside - 8 if own else place.width + beside)
    _wrap_beneath(ax, figure)
    for text in ax.texts:
        if text.get_transform() == ax.transAxes:
            _wrap(text, place.width)
    _grow(ax)
    lay_out(figure)
    hidden = [_thin(axis) for axis in (ax.xaxis, ax.yaxis)]
    if any(hidden):
        lay_out(figure)
        if _wrap_beneath(ax, figure):  # without its last label an Axes is wider, and its middle farther to the right
            _grow(ax)
            lay_out(figure)
    left = -_beside(ax) / ax.get_window_extent().width
    title.set_x(left)
    if legend:
        legend.set_bbox_to_anchor((left, 1))
    return ax


def _wrap_beneath(ax: Axes, figure: Figure) -> bool:
    """Wrap what is written below the middle of an Axes, so that neither end is cut off; return whether it changed."""
    before, place = ax.get_xlabel(), ax.get_window_extent()
    middle = (place.x0 + place.x1) / 2
    _wrap(ax.xaxis.label, 2 * min(middle, figure.bbox.width - middle) - 12)
    return ax.get_xlabel() != before


def lay_out(figure: Figure) -> None:
    """Give everything in a figure its place, as drawing it would."""
    if engine := figure.get_layout_engine():
        engine.execute(figure)
    else:
        figure.draw_without_rendering()


@contextmanager
def as_laid_out(ax: Axes) -> Iterator[None]:
    """Let the figure of an Axes be saved without laying it out again, where nothing was changed since it was."""
    figure = ax.get_figure(root=True)
    engine = figure.get_layout_engine() if figure else None
    if figure is None or engine is None or not isinstance(ax, ChartAxes) or contents(ax) != ax.drawn:
        yield
        return
    figure.set_layout_engine("none")
    try:
        yield
    finally:
        figure.set_layout_engine(engine)


def _grow(ax: Axes) -> None:
    """Make a figure of our own higher by the lines that were wrapped: what is shown keeps its height."""
    figure, legend = ax.get_figure(root=True), ax.get_legend()
    if figure is None or not isinstance(ax, ChartAxes) or ax.height is None:
        return
    lines = [ax._left_title, ax.xaxis.label]  # type: ignore[attr-defined]
    more = sum((text.get_text().count("\n") * text.get_fontsize() * 1.2) / 72 for text in lines)
    if legend:
        texts = legend.get_texts()
        more += (math.ceil(len(texts) / legend._ncols) - 1) * texts[0].get_fontsize() * 1.5 / 72  # type: ignore[attr-defined]
    figure.set_figheight(ax.height + more)


def _thin(axis: Axis) -> bool:
    """Hide labels evenly until none touches the next; return whether any is."""
    shown = [tick.label1 for tick in axis.get_major_ticks() if tick.label1.get_text()]
    boxes = [label.get_window_extent() for label in shown]
    across = isinstance(axis, XAxis)
    sides = sorted((box.x0, box.x1 + 8) if across else (box.y0 + 2, box.y1 - 2) for box in boxes)
    step = 1
    while any(one[1] >= other[0] for one, other in pairwise(sides[::step])):
        step += 1
    for place, label in enumerate(shown):
        label.set_visible(place % step == 0)
    return step > 1


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


_UNIT = re.compile(r"(\d) ((?:ms|s|min|h|d)\b)")


def _wrap(text: Text, width: float) -> None:
    """Break the lines of a text so that it is no wider, from the text as it was before it was last wrapped."""
    before = getattr(text, "_before_wrapping", None)
    if before and text.get_text() == before[1]:
        text.set_text(before[0])
    whole = text.get_text()
    lines, drawn = _UNIT.sub("\\1\N{NO-BREAK SPACE}\\2", whole).splitlines(), text.get_window_extent().width
    if drawn <= width:
        return
    most = max(12, int(width / drawn * max(map(len, lines))))
    while drawn > width:
        parts = []
        for line in lines:  # as short as it can be in as many lines, so that no word is left alone
            tried = [textwrap.wrap(line, letters, break_on_hyphens=False) for letters in range(most, 8, -1)]
            parts += [other for other in tried if len(other) == len(tried[0])][-1]
        text.set_text("\n".join(parts).replace("\N{NO-BREAK SPACE}", " "))
        drawn, most = text.get_window_extent().width, most - 2  # letters are not all of one width
        if most < 12:
            break
    text._before_wrapping = (whole, text.get_text())  # type: ignore[attr-defined]


def labels(texts: Iterable[str], longest: float) -> list[str]:
    """Return texts as labels, the middle of a long one left out: less of it where they would look the same."""
    whole = [drawable(text) for text in texts]
    shortened = whole
    shortest = max(int(longest), 12)
    for most in range(shortest, 3 * shortest, 4):
        shortened = [_shortened(text, most) for text in whole]
        if len(set(shortened)) == len(set(whole)):
            break
    return shortened


def _shortened(text: str, most: int) -> str:
    """Return a text without its middle where it is wider than so many letters; an ideograph is as wide as two."""
    if _letters(text) <= most:
        return text
    start, end = most // 2, most - 1 - most // 2
    head = next(at for at in range(len(text), -1, -1) if _letters(text[:at]) <= start)
    tail = next(at for at in range(len(text) + 1) if _letters(text[at:]) <= end)
    return f"{text[:head]}…{text[tail:]}"


def _letters(text: str) -> int:
    return len(text) if text.isascii() else sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def drawable(text: str) -> str:
    """Return text with what no font here can draw escaped: boxes would make different keys look the same.

    Where text stays text, as in SVG, its reader's fonts draw it, and only what cannot be printed is escaped.
    """
    if text.isascii() and text.isprintable():
        return text
    glyphs, anything = _glyphs(), _MEDIUM.get().text
    fine = [c.isprintable() and (anything or ord(c) in glyphs) for c in text]
    if not all(ok or not c.isprintable() for c, ok in zip(text, fine, strict=True)):
        _ESCAPED.set(True)
    return "".join(c if ok else c.encode("unicode_escape").decode() for c, ok in zip(text, fine, strict=True))


@functools.cache
def _families() -> tuple[str, ...]:
    """Return the fonts that charts are drawn with: matplotlib's own, and behind it those for ideographs that are here.

    None is brought along: one for Chinese, Japanese and Korean is 16 MB, and the one package that holds Noto's has
    not been touched since 2019. SVG needs none, since its reader's fonts draw it.
    """
    installed = {*font_manager.fontManager.get_font_names()}
    return tuple(name for name in ("DejaVu Sans", *_IDEOGRAPHS) if name in installed)


_IDEOGRAPHS = (  # by how well they look: of Linux's packages, macOS and Windows
    *(f"Noto Sans CJK {place}" for place in ("SC", "JP", "KR", "TC")),
    *(f"Noto Sans {place}" for place in ("SC", "JP", "KR", "TC")),
    *(
        "Source Han Sans SC",
        "WenQuanYi Micro Hei",
        "WenQuanYi Zen Hei",
        "Droid Sans Fallback",
        "IPAexGothic",
        "IPAGothic",
    ),
    *("PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Arial Unicode MS"),
    *("Microsoft YaHei", "Yu Gothic", "Meiryo", "Malgun Gothic", "SimHei", "Unifont"),
)


@functools.cache
def _glyphs() -> frozenset[int]:
    files = [font_manager.findfont(name) for name in _families()]
    return frozenset(code for file in files for code in font_manager.get_font(file).get_charmap())
