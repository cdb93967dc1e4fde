"""Charts say the finding, name the zone, and read with nothing, one bucket and thousands."""

from __future__ import annotations

import base64
import itertools
import sys
import warnings

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from workbench import charts
from workbench.errors import ParameterError

COLUMNS = ["inserts", "modifies", "removes", "ttl_removes"]


def frequency(buckets: int, every: str = "1h", zone: str = "UTC", scale: int = 50) -> pd.DataFrame:
    random = np.random.default_rng(buckets)
    df = pd.DataFrame({"bucket": pd.date_range("2026-03-02", periods=buckets, freq=every, tz=zone).as_unit("us")})
    for name, part in zip(COLUMNS, (0.2, 1, 0.1, 0), strict=True):
        df[name] = random.poisson(scale * part, buckets)
    df["ttl_removes"] = df["removes"] // 2
    df["changes"] = df["inserts"] + df["modifies"] + df["removes"]
    return df


def keys(names: list[str]) -> pd.DataFrame:
    changes = np.arange(len(names), 0, -1) * 10
    return pd.DataFrame(
        {
            "pk": names,
            "changes": changes,
            "inserts": 1,
            "modifies": changes - 1,
            "removes": 0,
            "share": changes / 9000,
        }
    )


def texts(ax) -> list[str]:
    return [text.get_text() for text in ax.get_figure().findobj(mpl.text.Text) if text.get_text()]


@pytest.mark.parametrize("buckets", [0, 1, 24, 168, 1000, 10080])
@pytest.mark.parametrize("chart", [charts.change_frequency, charts.live_items, charts.weekday_hour])
def test_a_chart_is_drawn_with_any_number_of_buckets_and_shows_itself_as_a_sharp_png(chart, buckets):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = chart(frequency(buckets, "1min" if buckets > 5000 else "1h"), subject="persons")
        data, about = ax._repr_mimebundle_()
    width, _ = np.frombuffer(base64.b64decode(data["image/png"])[16:24], ">u4")
    assert width == 2 * about["image/png"]["width"]
    assert data["text/plain"] == about["image/png"]["alt"] == ax.get_title(loc="left").replace("\n", " ")
    assert data["text/plain"].startswith("persons: ")


def test_the_title_says_how_many_changes_in_how_long_and_when_most_happened():
    df = frequency(168)
    df.loc[38, ["modifies", "changes"]] += 1000
    title = charts.change_frequency(df).get_title(loc="left")
    assert title == f"{df['changes'].sum():,} changes in 7 days, busiest Tue 14:00 ({df['changes'].max():,})"


def test_the_stack_adds_up_to_the_changes_with_ttl_removes_counted_once():
    df = frequency(24)
    ax = charts.change_frequency(df)
    assert sum(bar.get_height() for bar in ax.patches) == df["changes"].sum()
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert f"removes {(df['removes'] - df['ttl_removes']).sum():,}" in labels
    assert f"removes by TTL {df['ttl_removes'].sum():,}" in labels


def test_events_differ_by_more_than_their_colour():
    hatches = {bar.get_hatch() for bar in charts.change_frequency(frequency(5)).patches}
    assert len(hatches) == 4


@pytest.mark.parametrize("chart", [charts.change_frequency, charts.live_items])
def test_axes_name_the_unit_and_the_time_zone(chart):
    ax = chart(frequency(48, zone="Europe/Berlin"))
    assert "(Europe/Berlin)" in ax.get_xlabel()
    assert ax.get_ylabel()


@pytest.mark.parametrize("buckets", [1, 2, 24, 61, 168, 1000, 10080])
def test_labels_of_the_time_axis_do_not_overlap(buckets):
    ax = charts.change_frequency(frequency(buckets, "1min" if buckets > 5000 else "1h"))
    boxes = [label.get_window_extent() for label in ax.get_xticklabels() if label.get_text()]
    assert boxes
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_too_many_buckets_are_drawn_in_longer_ones_and_say_so():
    df = frequency(10080, "1min")
    ax = charts.change_frequency(df)
    assert ax.get_ylabel() == "Changes per 15 minutes"
    assert f"{df['changes'].sum():,} changes in 7 days" in ax.get_title(loc="left")


def test_a_day_of_23_hours_is_drawn_shorter_than_the_others():
    days = pd.date_range("2026-03-28", periods=3, freq="1D", tz="Europe/Berlin").as_unit("us")
    ax = charts.change_frequency(frequency(3).assign(bucket=days))
    widths = [bar.get_width() for bar in ax.patches[:3]]
    assert widths[1] == pytest.approx(widths[0] * 23 / 24)


@pytest.mark.parametrize("chart", [charts.change_frequency, charts.live_items, charts.weekday_hour])
def test_an_empty_window_says_so_in_the_picture(chart):
    ax = chart(frequency(24, scale=0))
    assert any("in this window" in text for text in texts(ax))
    assert ax.get_title(loc="left").endswith("2 Mar 2026 (UTC)")


def test_no_keys_say_so_in_the_picture():
    assert "No changes in this window" in texts(charts.hot_keys(keys([])))


def test_live_items_are_labelled_as_net_since_the_first_bucket_and_may_fall_below_zero():
    df = frequency(24).assign(inserts=0, removes=2)
    ax = charts.live_items(df)
    assert ax.get_title(loc="left") == "-48 items net since 2 Mar 2026"
    assert "net since" in ax.get_ylabel()
    assert ax.get_ylim()[0] < -40


def test_the_heatmap_shows_means_and_hatches_hours_outside_the_window():
    df = frequency(24 * 14)  # two of each weekday
    ax = charts.weekday_hour(df)
    grid = ax.collections[0].get_array()
    assert grid[0, 3] == (df["changes"][3] + df["changes"][3 + 168]) / 2
    assert "hatched" not in ax.get_xlabel()
    assert "hatched" in charts.weekday_hour(frequency(24)).get_xlabel()


def test_the_heatmap_of_a_quiet_table_shows_fractions_not_zeros():
    df = frequency(24 * 28, scale=0)
    df.loc[3, ["modifies", "changes"]] = 1
    ax = charts.weekday_hour(df)
    assert ax.get_title(loc="left") == "Busiest Mon 03:00–04:00 (0.25 changes on average)"
    assert "0.1" in texts(ax)


def test_the_heatmap_adds_finer_buckets_up_to_hours():
    df = frequency(240, "15min")
    grid = charts.weekday_hour(df).collections[0].get_array()
    assert grid[0, 0] == df["changes"][:4].sum()


def test_the_heatmap_takes_the_hour_that_a_clock_change_repeats():
    df = frequency(30, zone="Europe/Berlin")
    df["bucket"] = pd.date_range("2026-10-25", periods=30, freq="1h", tz="Europe/Berlin").as_unit("us")
    grid = charts.weekday_hour(df).collections[0].get_array()
    assert grid[6, 2] == df["changes"][2:4].mean()


def test_the_heatmap_refuses_buckets_longer_than_an_hour():
    with pytest.raises(ParameterError, match="every='1h'"):
        charts.weekday_hour(frequency(10, "1D"))


def test_hot_keys_joins_key_attributes_and_shortens_long_ones():
    df = keys(["s-1", "x" * 200]).rename(columns={"pk": "sensor_id"})
    df.insert(1, "report_time", ["2026-03-02", "2026-03-03"])
    first, second = (label.get_text() for label in charts.hot_keys(df).get_yticklabels())
    assert first == "s-1 · 2026-03-02"
    assert len(second) < 40
    assert second.endswith("2026-03-03")


def test_hot_keys_draws_any_unicode_apart_and_never_as_mathematics():
    names = ["żółć/Ωμέγα", "键", "鍵", "😀 $x$ and $y_1^2$", "новый\nключ", "مفتاح", "\x00", "\\frac{"]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = charts.hot_keys(keys(names), subject="таблица $")
        ax._repr_mimebundle_()
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert len(set(labels)) == len(names)
    assert not any("\n" in label for label in labels)


def test_hot_keys_says_how_many_of_the_rows_it_draws():
    ax = charts.hot_keys(keys([f"p-{i}" for i in range(40)]))
    assert len(ax.get_yticklabels()) == 25
    assert "the first 25 make" in ax.get_title(loc="left").replace("\n", " ")


def test_a_chart_draws_into_given_axes_under_a_given_title():
    ax = Figure().add_subplot()
    assert charts.change_frequency(frequency(3), ax=ax, title="Mine") is ax
    assert ax.get_title(loc="left") == "Mine"


def test_drawing_leaves_no_global_state_behind():
    before, pyplot = mpl.rcParams.copy(), "matplotlib.pyplot" in sys.modules
    charts.change_frequency(frequency(3))
    assert mpl.rcParams.copy() == before
    assert ("matplotlib.pyplot" in sys.modules) == pyplot
