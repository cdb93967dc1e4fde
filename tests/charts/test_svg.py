"""Charts as SVG: at any width nothing is cut or too small, text is text, and what is dark is inside."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from tests.charts.test_charts import DRAWN, attributes, frequency, keys, lags
from workbench import charts
from workbench.charts import _style, svg
from workbench.charts.of_questions import CHARTS
from workbench.errors import ParameterError

NAMES = ["键-顧客-一二三四五六七八九十", "鍵", "상품", "😀 $x$", "مفتاح", "x" * 300, "новый\nключ", "\x00 <b>&amp;"]
WEEK = pd.DataFrame(
    {"bucket": pd.date_range("2026-11-16", periods=7, tz="UTC"), "value": [None] * 4 + [292_272, 379_001, 450_282]}
)
CASES = {
    "a week": (charts.trend, WEEK),  # whose last label has no room, so that it grows to the right
    **{case: DRAWN[case] for case in DRAWN if not case.endswith("none") or case.startswith("lag")},
    "frequency: one": (charts.change_frequency, frequency(1)),
    "frequency: many": (charts.change_frequency, frequency(1000)),
    "live items": (charts.live_items, frequency(1000, scale=900)),
    "weekday and hour": (charts.weekday_hour, frequency(300)),
    "keys": (charts.hot_keys, keys(NAMES)),
    "names": (charts.attribute_heatmap, attributes({name: [1, 0, 40000] for name in NAMES})),
}
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def contrast(one: str, other: str) -> float:
    """Of two colours, by WCAG 2.2."""
    light = []
    for colour in (one, other):
        part = np.array(mpl.colors.to_rgb(colour))
        linear = np.where(part <= 0.04045, part / 12.92, ((part + 0.055) / 1.055) ** 2.4)
        light.append(float(linear @ LUMINANCE))
    return (max(light) + 0.05) / (min(light) + 0.05)


@contextmanager
def as_text(width: int = 840) -> Iterator[None]:
    """As `as_svg` draws."""
    with svg.drawn_for(svg.Medium(width, text=True)), svg.house_style():
        yield


def figure_of(ax, width: int) -> Figure:
    """The figure that becomes the SVG of a width."""
    with as_text(width):
        return svg._laid_out(ax.figure, width, 840)


@pytest.mark.parametrize(
    ("case", "width"),
    [*((case, 360) for case in CASES), *((case, 840) for case in ("keys", "names", "frequency: many"))],
)
def test_at_any_width_no_text_is_cut_and_none_is_too_small_and_all_is_dark_in_the_dark(case, width):
    chart, df = CASES[case]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        figure = figure_of(chart(df, subject="persons"), width)
    assert round(figure.get_size_inches()[0] * 100) == width
    assert figure.axes[0].get_window_extent().width > 0.3 * width
    with as_text(width):
        figure.draw_without_rendering()  # which puts the texts of a legend in their places
        for text in figure.findobj(mpl.text.Text):
            if not text.get_text() or not text.get_visible() or (of_tick(text, figure) and not in_limits(text, figure)):
                continue
            box = text.get_window_extent()
            where = f"{text.get_text()!r} at {box.extents.round()} of {figure.bbox.extents}"
            assert box.x0 >= -1, where
            assert box.y0 >= -1, where
            assert box.x1 <= figure.bbox.x1 + 1, where
            assert box.y1 <= figure.bbox.y1 + 1, where
            assert text.get_fontsize() * figure.dpi / 72 >= 9, where
    if width == 360:
        with as_text(width):
            assert_dark(svg._written(figure, width))


def assert_dark(text: str) -> None:
    """Every colour but those of a scale has a counterpart in the dark, and the picture is small."""
    assert len(text) < 400_000
    outside = re.sub(r'<g id="QuadMesh.*?</g>', "", text.partition("</style>")[2], flags=re.DOTALL)
    colours = set(re.findall(r"(?:fill|stroke)(?:: |=\")(#[0-9a-f]{6})", outside))
    assert colours
    assert colours <= svg.DARK.keys()


def of_tick(text: mpl.text.Text, figure: Figure) -> bool:
    return any(text is label for label, *_ in ticks(figure))


def in_limits(text: mpl.text.Text, figure: Figure) -> bool:
    return next(low <= at <= high for label, at, low, high in ticks(figure) if label is text)


def ticks(figure: Figure) -> list[tuple[mpl.text.Text, float, float, float]]:
    """Every label of a tick with its place, and where its axis begins and ends: others are not drawn."""
    found = []
    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            shown = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
            found += [(label, tick.get_loc(), low, high) for tick in shown for label in (tick.label1, tick.label2)]
    return found


def test_every_chart_is_looked_at():
    assert {chart.draw for chart in CHARTS} == {chart for chart, _ in CASES.values()}


def test_text_is_text_whatever_fonts_there_are_here():
    text = charts.as_svg(charts.hot_keys(keys(NAMES), subject="таблица"), 360)
    written = [element.text for element in ElementTree.fromstring(text).iter("{http://www.w3.org/2000/svg}text")]
    assert {"鍵", "상품", "😀 $x$", "مفتاح", "новый\\nключ"} <= {*written}
    assert any("键" in each and "…" in each for each in written)
    assert ", Verdana, sans-serif" in text
    assert "<b>" not in text


def test_what_no_font_here_has_is_escaped_in_a_png_and_comes_as_svg_beside_it():
    plain, unusual = charts.hot_keys(keys(["p-1"])), charts.hot_keys(keys(["p-\U000f0000", "\u1700"]))
    assert "image/svg+xml" not in plain._repr_mimebundle_()[0]
    data, _ = unusual._repr_mimebundle_()
    assert "\u1700" in data["image/svg+xml"]
    assert {"image/png", "text/plain"} <= data.keys()
    assert "\\u1700" in [label.get_text() for label in unusual.get_yticklabels()]


def test_an_ideograph_takes_the_room_of_two_letters():
    with as_text():
        (ideographs,), (letters,) = _style.labels(["键" * 40], 20), _style.labels(["k" * 40], 20)
    assert len(letters) == 20
    assert 9 <= len(ideographs) <= 11


def test_the_same_chart_is_the_same_svg_with_its_title_and_without_date_or_script():
    one, other = (charts.as_svg(charts.change_frequency(frequency(24), subject="persons")) for _ in "ab")
    assert one == other
    assert one.startswith("<svg ")
    assert one.endswith("</svg>")
    root = ElementTree.fromstring(one)
    assert root[0].tag.endswith("title")
    assert root[0].text.startswith("persons: ")
    assert root.get("role") == "img"
    assert (root.get("width"), root.get("height")) == ("840", "380")
    assert not re.search(r"<script|<metadata|<!DOCTYPE|Date|on\w+=", one)


def test_what_is_coloured_and_what_is_written_stand_out_in_light_and_in_dark():
    written = (_style.INK, _style.MUTED)
    graphics = (
        *(_style.BLUE, _style.ORANGE, _style.RED, _style.PURPLE, _style.BROWN),
        *(_style.GREEN, _style.TEAL, _style.GREY, _style.LINE),
    )
    for colour in (*written, *graphics):
        least = 4.5 if colour in written else 3
        assert contrast(colour, "#ffffff") >= least, colour
        assert contrast(svg.DARK[colour], svg.DARK["#ffffff"]) >= least, colour


def test_dark_colours_are_those_of_the_page_of_a_report():
    page = (Path(svg.__file__).parents[1] / "reports" / "templates" / "report.css").read_text()
    dark = re.search(r"prefers-color-scheme:\s*dark\)\s*\{:root\{([^}]*)\}", page)[1]
    named = dict(re.findall(r"--([a-z-]+):\s*(#[0-9a-f]+)", dark))
    assert (svg.DARK["#ffffff"], svg.DARK[_style.INK]) == (named["page"], named["ink"])
    assert svg.DARK[_style.MUTED] == named["muted"]


def test_a_chart_that_was_changed_by_hand_stays_so_at_any_width():
    ax = charts.change_frequency(frequency(24), subject="persons")
    ax.set_title("What we found on the second of March, which was a day like any other day before it")
    ax.axhline(50, color="#832db6")
    text = charts.as_svg(ax, 360)
    assert "What we found" in text.replace("\n", " ")
    assert "stroke: #832db6" in text
    assert 'width="360"' in text
    figure = figure_of(ax, 360)
    box = figure.get_tightbbox()
    assert box.x0 >= 0
    assert box.x1 <= figure.get_size_inches()[0]
    assert ax.figure.get_size_inches().tolist() == [8.4, 3.8]


@pytest.mark.parametrize(
    "case", ["attributes: few", "flows: few", "keys", "frequency: many", "weekday and hour", "lag: few"]
)
def test_a_chart_that_was_only_shown_is_not_taken_for_one_that_was_changed(case):
    chart, df = CASES[case]
    ax = chart(df)
    assert _style.contents(ax) == ax.drawn
    ax._repr_mimebundle_()
    charts.as_svg(ax)
    assert _style.contents(ax) == ax.drawn
    ax.spines["bottom"].set_color("#832db6")
    assert _style.contents(ax) != ax.drawn


def test_a_frame_that_changes_later_does_not_change_the_chart():
    df = frequency(24)
    ax = charts.change_frequency(df)
    before = charts.as_svg(ax, 360)
    df.loc[:, "changes"] = 0
    df["inserts"] = 0
    assert charts.as_svg(ax, 360) == before


def test_any_figure_of_matplotlib_is_taken_and_keeps_its_colours():
    figure = Figure(figsize=(9, 4))
    one, other = figure.subplots(1, 2)
    one.plot(range(5), label="measured")
    one.legend()
    one.set_title("A title that is much too long for the half of a figure on a phone, or for anything that is small")
    charts.change_frequency(frequency(3), ax=other)
    for given in (figure, one):
        text = charts.as_svg(given, 360)
        assert 'width="360"' in text
        assert "prefers-color-scheme" not in text
        assert "<title>A title that is" in text
    assert figure.get_size_inches().tolist() == [9, 4]
    figure.axes[0].callback = lambda: None  # which cannot be copied
    assert "<svg" in charts.as_svg(figure, 360)


@pytest.mark.parametrize(
    ("given", "width", "said"),
    [
        (pd.DataFrame(), None, "as_svg takes a chart, or a Figure or Axes of matplotlib, not DataFrame"),
        (Figure(), 100, "a chart has no room in 100 pixels: give a width of 240 or more"),
    ],
)
def test_what_is_no_chart_and_has_no_room_is_refused(given, width, said):
    with pytest.raises(ParameterError, match=said):
        charts.as_svg(given, width)


def test_many_points_are_a_picture_inside():
    ax = charts.delivery_lag(lags(1000))
    low, high = ax.get_xlim()
    across, up = np.random.default_rng(1).random((2, 20_000))
    ax.scatter(low + across * (high - low), 60 + up * 600)
    text = charts.as_svg(ax)
    assert "<image" in text
    assert len(text) < 400_000
