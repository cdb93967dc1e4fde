"""Charts as SVG: redrawn for the width of a place, their text as text, light or dark as their reader has it.

matplotlib writes colours into every element, so what is dark is a style sheet inside the picture that looks for
those colours: it holds wherever the picture is shown, also as ``<img>``, and needs no script.
"""

from __future__ import annotations

import io
import math
import pickle
import re
import warnings
from contextlib import ExitStack
from functools import cache

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import Collection
from matplotlib.figure import Figure

from workbench.charts._style import (
    BLUE,
    BROWN,
    DARKEST,
    DEEP,
    EDGE,
    FAINT,
    GREEN,
    GREY,
    GRID,
    INK,
    LINE,
    MUTED,
    ORANGE,
    PALE,
    PURPLE,
    RED,
    TEAL,
    ChartAxes,
    Medium,
    as_laid_out,
    contents,
    drawn_for,
    fitted,
    house_style,
)
from workbench.errors import ParameterError

DARK = {  # as the page of a report has them; what is coloured stands out of it by 3:1, text by 4.5:1
    "#ffffff": "#16191e",
    INK: "#e4e7eb",
    MUTED: "#9aa4b1",
    LINE: "#7db7ec",
    BLUE: "#5aa5e8",
    ORANGE: "#f2a33a",
    RED: "#ff7a61",
    PURPLE: "#c58cf0",
    BROWN: "#cf9686",
    GREEN: "#86bd4f",
    TEAL: "#35bcc1",
    DARKEST: "#b5d9ff",
    DEEP: "#e2f1ff",
    PALE: "#1c4368",
    GREY: "#9aa5b1",
    FAINT: "#22272f",
    EDGE: "#4a535f",
    GRID: "#2c333c",
}
"""What each colour of the charts is on a dark page."""
NARROWEST = 240
"""Pixels below which no chart has room for its labels."""
_READABLE = 500 / 360
"""How much smaller a picture that could not be laid out anew may be shown, its smallest text still of 9 pixels."""
_MOST_BYTES, _MOST_CELLS = 400_000, 3000
_LUMINANCE_TURNED = (  # its hue kept: the more, the lighter on a dark page, as it is the darker on a light one
    "0.574 -1.43 -0.144 0 1 -0.426 -0.43 -0.144 0 1 -0.426 -1.43 0.856 0 1 0 0 0 1 0"
)


def as_svg(chart: Axes | Figure, width: int | None = None) -> str:
    """Return a chart as one SVG element whose text is text, with its dark colours inside and no script.

    A chart of this package is drawn again for the width: labels are shortened, wrapped and thinned out as for a
    page of that width, and nothing is cut. One that was changed by hand since, and any other figure of
    matplotlib, is laid out anew as far as its texts, ticks and legends allow it. Only a figure whose Axes are all of
    this package has dark colours; another keeps its own.

    Parameters
    ----------
    chart
        What a chart of this package returned, or any Axes or Figure of matplotlib.
    width
        Of the picture, in pixels of a page, such as 360 for a phone; the figure's own where it is not given.

    Returns
    -------
    str
        ``<svg …>…</svg>``, its title the chart's for who cannot see it; the same for the same chart.

    Raises
    ------
    ParameterError
        When the width is less than 240 pixels, or it is no figure.

    Examples
    --------
    >>> import pandas as pd
    >>> from workbench.charts import change_frequency
    >>> hours = pd.date_range("2026-11-01", periods=3, freq="1h", tz="UTC")
    >>> hourly = pd.DataFrame({"bucket": hours, "inserts": [3, 0, 1], "modifies": [0, 4, 0], "removes": 0})
    >>> ax = change_frequency(hourly.assign(ttl_removes=0, changes=[3, 4, 1]), subject="persons")
    >>> as_svg(ax, width=360).partition("</title>")[0].partition("<title>")[2]
    'persons: 8 changes in 3 hours, busiest Sun 01:00 (4)'
    """
    figure = chart if isinstance(chart, Figure) else chart.get_figure(root=True) if isinstance(chart, Axes) else None
    if figure is None:
        raise ParameterError(f"as_svg takes a chart, or a Figure or Axes of matplotlib, not {type(chart).__name__}")
    if width is not None and width < NARROWEST:
        raise ParameterError(f"a chart has no room in {width} pixels: give a width of {NARROWEST} or more")
    own = round(figure.get_size_inches()[0] * figure.dpi)
    with drawn_for(Medium(width or own, text=True)), house_style():
        return _written(_laid_out(figure, width or own, own), width or own)


def _laid_out(figure: Figure, width: int, own: int) -> Figure:
    """Return a figure as it is for a width: drawn again, or a copy of it laid out anew."""
    ours = [ax for ax in figure.axes if isinstance(ax, ChartAxes)]
    as_it_is = width == own and not any(ax.escaped for ax in ours)
    if not as_it_is and len(ours) == 1 and ours[0].redraw and contents(ours[0]) == ours[0].drawn:
        again = ours[0].redraw().get_figure(root=True)
        assert again is not None
        return again
    if width == own:
        return figure
    try:
        copy: Figure = pickle.loads(pickle.dumps(figure))
    except Exception:  # what a user put into it may be anything
        return figure
    height = float(figure.get_size_inches()[1])
    for wide in (width, min(own, round(width * _READABLE))):
        copy.set_size_inches(wide / copy.dpi, height * max(0.75, min(1, wide / own)))
        for ax in copy.axes:
            if ax.get_label() != "<colorbar>":
                fitted(ax)
        if not _cut(copy):
            return copy
    return copy


def _cut(figure: Figure) -> bool:
    """Return whether something of a figure lies outside of it, or nothing is left for what it shows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a layout that has no room says so in a warning, and is cut
        figure.draw_without_rendering()
    box, dpi = figure.get_tightbbox(), figure.dpi
    width, height = figure.get_size_inches()
    over = 3 / dpi
    outside = box.x0 < -over or box.y0 < -over or box.x1 > width + over or box.y1 > height + over
    return bool(outside or any(ax.get_window_extent().width < 0.4 * width * dpi for ax in figure.axes[:1]))


def _written(figure: Figure, width: int) -> str:
    for artist in figure.findobj(_dense):
        artist.set_rasterized(True)
    text = _saved(figure)
    if len(text) > _MOST_BYTES:
        for ax in figure.axes:
            for artist in (*ax.collections, *ax.lines, *ax.patches):
                artist.set_rasterized(True)
        text = _saved(figure)
    inches = figure.get_size_inches()
    height = math.ceil(width * inches[1] / inches[0])
    head, body = re.fullmatch(r".*?<svg ([^>]*)>(.*)", text, re.DOTALL).groups()  # type: ignore[union-attr]
    view = re.search(r'viewBox="[^"]*"', head)
    assert view is not None
    names = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<[^>]+>", _shortened, body)
    if all(isinstance(ax, ChartAxes) or ax.get_label() == "<colorbar>" for ax in figure.axes):
        body = body.replace("</title>", f"</title>{_dark()}", 1)
    return f'<svg {names} role="img" width="{width}" height="{height}" {view[0]} version="1.1">{body.strip()}'


def _dense(artist: object) -> bool:
    """Return whether it is of so many parts that a picture of them is smaller."""
    array = artist.get_array() if isinstance(artist, Collection) else None
    return array is not None and np.size(array) > _MOST_CELLS


def _saved(figure: Figure) -> str:
    svg = io.StringIO()
    titles = [figure.get_suptitle(), *(ax.get_title(loc) for ax in figure.axes for loc in ("left", "center", "right"))]
    title = next(filter(None, titles), "chart")
    about = {"Title": title.replace("\n", " "), "Date": None, "Creator": None}
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "workbench"}), ExitStack() as kept:
        for ax in figure.axes[:1]:
            kept.enter_context(as_laid_out(ax))
        figure.savefig(svg, format="svg", dpi=200, metadata=about)
    return svg.getvalue()


def _shortened(tag: re.Match[str]) -> str:
    """Return a tag with places to a hundredth of a point, and fonts that any reader has: a name alone ends in Times."""
    text = re.sub(r"(\.\d\d)\d+", r"\1", " ".join(tag[0].split()))
    return re.sub(r"font-family: [^;\"]*", lambda fonts: f"{fonts[0]}, Verdana, sans-serif", text)


@cache
def _dark() -> str:
    """Return the style sheet of dark pages, and the filter for what has a scale of colours."""
    rules = [
        f':is([style*="{what}: {light}"],[{what}="{light}"]):not([id^="QuadMesh"] *){{{what}:{dark}!important}}'
        for light, dark in DARK.items()
        for what in ("fill", "stroke")
    ]
    rules.append('[id^="QuadMesh"],image{filter:url(#dark)}')
    return (
        f'<filter id="dark" color-interpolation-filters="sRGB"><feColorMatrix values="{_LUMINANCE_TURNED}"/></filter>'
        f"<style>@media (prefers-color-scheme:dark){{{''.join(rules)}}}</style>"
    )
