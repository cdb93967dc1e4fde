"""Charts say the finding, name the zone, and read with nothing, one bucket and thousands."""

from __future__ import annotations

import base64
import itertools
import sys
import warnings
from typing import get_args

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from workbench import charts
from workbench.charts.of_questions import CHARTS
from workbench.errors import ParameterError
from workbench.questions.quality import Quality
from workbench.questions.result import Result, Stats
from workbench.workbench import Kind, Workbench

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
        {"pk": names, "changes": changes, "inserts": 1, "modifies": changes - 1, "removes": 0, "share": changes / 9000}
    )


def attributes(changes: dict[str, list[int]], every: str = "1h", zone: str = "UTC") -> pd.DataFrame:
    """What change_frequency(by="attribute", every=…) gives: every bucket for every path."""
    longest = max(map(len, changes.values()), default=0)
    bucket = pd.date_range("2026-03-02", periods=longest, freq=every, tz=zone).as_unit("us")
    parts = [pd.DataFrame({"path": path, "bucket": bucket, "changes": each}) for path, each in changes.items()]
    none = pd.DataFrame({"path": pd.Series(dtype="str"), "bucket": bucket[:0], "changes": pd.Series(dtype="int64")})
    return pd.concat(parts, ignore_index=True) if parts else none


def per_item(changes: list[int] | np.ndarray) -> pd.DataFrame:
    """What change_frequency(by="concentration") gives, from the changes of each item."""
    found, items = np.unique(np.array(changes, int), return_counts=True)
    df = pd.DataFrame({"changes_per_item": found[::-1], "items": items[::-1]})
    total = df["changes_per_item"] * df["items"]
    df["item_share"] = df["items"].cumsum() / df["items"].sum()
    df["change_share"] = total.cumsum() / total.sum()
    return df


STEPS = ["0s", "1ms", "1s", "1min", "1h", "1D", "30D", None]


def between(changes: list[int]) -> pd.DataFrame:
    """What change_frequency(by="interval") gives, with fewer steps."""
    df = pd.DataFrame(
        {
            "longer_than": pd.to_timedelta([None, *STEPS[:-1]]).as_unit("us"),
            "up_to": pd.to_timedelta(STEPS).as_unit("us"),
            "changes": changes,
            "share": np.array(changes) / max(sum(changes), 1),
        }
    )
    df.loc[0, "longer_than"] = pd.NaT
    return df if sum(changes) else df.head(0)


def lags(hours: int, *, every: str = "1h", p50: float = 40) -> pd.DataFrame:
    """The lag of data_quality: one row an hour of arrival."""
    df = pd.DataFrame({"arrival": pd.date_range("2026-03-02", periods=hours, freq=every, tz="UTC").as_unit("us")})
    df["changes"] = 10
    for name, factor in {"p50": 1, "p90": 2, "p99": 10, "longest": 30}.items():
        df[name] = pd.to_timedelta([p50 * factor + hour % 7 for hour in range(hours)], unit="s").as_unit("us")
    return df


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


def said(ax) -> str:
    return ax.get_title(loc="left").replace("\n", " ")


def legend(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


def moved(*rows: tuple[str | None, str | None, int]) -> pd.DataFrame:
    """What transitions gives."""
    return pd.DataFrame(rows, columns=["from", "to", "moves"])


def trended(groups: int, buckets: int) -> pd.DataFrame:
    """What trend gives, by groups, one of which is none."""
    bucket = pd.date_range("2026-03-02", periods=buckets, freq="1D", tz="UTC").as_unit("us")
    parts = [
        pd.DataFrame({"bucket": bucket, "belongs_to": f"city $_{at}" if at else None, "value": at + np.arange(buckets)})
        for at in range(groups)
    ]
    return pd.concat(parts, ignore_index=True)


def lived(groups: int, ages: int) -> pd.DataFrame:
    """What the survival of lifetimes gives, by groups, one of which is none; TTL ends every third life."""
    age = pd.to_timedelta(np.arange(1, ages + 1), unit="h").as_unit("us")
    left = 1 - np.arange(1, ages + 1) / (ages + 1)
    parts = [
        pd.DataFrame(
            {
                "belongs_to": f"city $_{at}" if at else None,
                "age": age * (at + 1),
                "at_risk": np.arange(ages, 0, -1),
                "ended": 1,
                "by_ttl": (np.arange(ages) % 3 == 2).astype(int),
                "survival": left,
            }
        )
        for at in range(groups)
    ]
    return pd.concat(parts, ignore_index=True)


def came(months: int) -> pd.DataFrame:
    """What the cohorts of lifetimes give."""
    month = pd.date_range("2026-01-01", periods=months, freq="MS", tz="Europe/Berlin")
    items = np.arange(months) * 7 + 10
    return pd.DataFrame(
        {"month": month, "items": items, "living": items // 2, "deleted": items - items // 2, "by_ttl": 1}
    )


FEW_MOVES = moved(
    (None, "new", 9), ("new", "paid_$x$", 7), ("paid_$x$", "sent", 5), ("sent", "paid_$x$", 1), ("sent", None, 2)
)
MANY_MOVES = moved(*((f"a long state, number {n}", f"a long state, number {n * 7 % 40}", n + 1) for n in range(40)))


def shares(attributes: int, values: int) -> pd.DataFrame:
    """The values of profile, of attributes in order."""
    rows = [(f"a{at}", f"$v_{n}", 0.5 / (n + 1), 0.4 / (n + 1)) for at in range(attributes) for n in range(values)]
    return pd.DataFrame(rows, columns=["path", "value", "share", "share_before"])


NAMES = ["person.address.city", "phones[0]", "名前.住所", "$cost_$x", "a_b^2", 'person."first.name"', "bucket"]
MANY = {f"readings.sensor.number_{n}": [n % 5] * 3000 for n in range(60)}
DRAWN = {
    "attributes: none": (charts.attribute_heatmap, attributes({})),
    "attributes: one": (charts.attribute_heatmap, attributes({"age": [3]})),
    "attributes: few": (charts.attribute_heatmap, attributes({name: [1, 0, 40000] for name in NAMES})),
    "attributes: many": (charts.attribute_heatmap, attributes(MANY, "15min")),
    "items: none": (charts.concentration, per_item([])),
    "items: one": (charts.concentration, per_item([12])),
    "items: few": (charts.concentration, per_item([5, 2, 1])),
    "items: many": (charts.concentration, per_item(np.arange(1, 100_001))),
    "intervals: none": (charts.intervals, between([0] * 8)),
    "intervals: one": (charts.intervals, between([1, 0, 0, 0, 0, 0, 0, 0])),
    "intervals: many": (charts.intervals, between([10**n for n in range(8)])),
    "matrix: none": (charts.transitions_matrix, moved()),
    "matrix: one": (charts.transitions_matrix, moved((None, "new", 1))),
    "matrix: few": (charts.transitions_matrix, FEW_MOVES),
    "matrix: many": (charts.transitions_matrix, MANY_MOVES),
    "flows: none": (charts.transitions_flows, moved()),
    "flows: one": (charts.transitions_flows, moved((None, "new", 1))),
    "flows: few": (charts.transitions_flows, FEW_MOVES),
    "flows: many": (charts.transitions_flows, MANY_MOVES),
    "trend: none": (charts.trend, trended(1, 0)),
    "trend: one": (charts.trend, trended(1, 1).drop(columns="belongs_to")),
    "trend: few": (charts.trend, trended(3, 90)),
    "trend: many": (charts.trend, trended(60, 400)),
    "survival: none": (charts.survival, lived(1, 0)),
    "survival: one": (charts.survival, lived(1, 1)),
    "survival: few": (charts.survival, lived(3, 40)),
    "survival: many": (charts.survival, lived(60, 1000)),
    "cohorts: none": (charts.cohorts, came(0)),
    "cohorts: one": (charts.cohorts, came(1)),
    "cohorts: few": (charts.cohorts, came(7)),
    "cohorts: many": (charts.cohorts, came(200)),
    "profile: none": (charts.profile, shares(0, 0)),
    "profile: one": (charts.profile, shares(1, 1).drop(columns="share_before")),
    "profile: many": (charts.profile, shares(30, 30)),
    "lag: none": (charts.delivery_lag, lags(0)),
    "lag: one": (charts.delivery_lag, lags(1)),
    "lag: few": (charts.delivery_lag, lags(30)),
    "lag: many": (charts.delivery_lag, lags(10080)),
}


@pytest.mark.parametrize("case", DRAWN)
def test_charts_of_attributes_items_and_times_are_drawn_with_none_one_and_many_and_nothing_overlaps(case):
    chart, df = DRAWN[case]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ax = chart(df, subject="таблица $x_1$")
        assert_readable(ax)
        data, _ = ax._repr_mimebundle_()
    assert data["text/plain"].startswith("таблица $x_1$: ")


@pytest.mark.parametrize("case", DRAWN)
def test_a_narrow_place_among_others_wraps_and_thins_out_what_has_no_room(case):
    chart, df = DRAWN[case]
    figure = Figure(figsize=(9, 4), layout="constrained")
    ax = figure.subplots(1, 2)[1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert chart(df, ax=ax, subject="persons") is ax
    assert_readable(ax)


def assert_readable(ax) -> None:
    """No label touches the next, title and legend stay between the labels at the left and the right of the figure."""
    figure = ax.get_figure()
    for axis, (start, end) in {ax.xaxis: ("x0", "x1"), ax.yaxis: ("y0", "y1")}.items():
        labels = [
            tick.label1 for tick in axis.get_major_ticks() if tick.label1.get_text() and tick.label1.get_visible()
        ]
        boxes = sorted(
            (label.get_window_extent() for label in labels), key=lambda box, start=start: getattr(box, start)
        )
        assert all(getattr(one, end) < getattr(other, start) + 5 for one, other in itertools.pairwise(boxes))
    written = [ax._left_title, ax.xaxis.label, *([ax.get_legend()] if ax.get_legend() else [])]
    for each in written:
        box = each.get_window_extent()
        assert box.x0 >= 0
        assert box.x1 <= figure.bbox.x1
    title = ax._left_title.get_window_extent()
    assert title.y1 <= figure.bbox.y1
    assert not ax.get_legend() or title.y0 >= ax.get_legend().get_window_extent().y1


def test_the_attribute_heatmap_says_which_attribute_changes_most_how_often_and_when():
    ax = charts.attribute_heatmap(attributes({"name": [1, 1, 1], "person.age": [0, 9, 2]}), subject="persons")
    assert said(ax) == "persons: person.age changes most, 11 times in 3 hours, busiest Mon 01:00 (9)"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["person.age", "name"]
    assert "(UTC)" in ax.get_xlabel()
    assert "Changes per hour" in texts(ax)


def test_the_attribute_heatmap_tells_no_change_from_one_even_beside_a_million():
    ax = charts.attribute_heatmap(attributes({"a": [0, 1, 1_000_000]}))
    mesh = ax.collections[0]
    assert mesh.get_array().mask.tolist() == [[True, False, False]]
    one, million = mesh.to_rgba(1), mesh.to_rgba(1_000_000)
    assert np.abs(np.array(one) - mpl.colors.to_rgba(ax.get_facecolor())).sum() > 0.2
    assert np.abs(np.array(one) - million).sum() > 1
    assert isinstance(mesh.norm, mpl.colors.LogNorm)
    assert "grey: no changes" in ax.get_xlabel()


def test_the_attribute_heatmap_sums_what_comes_after_the_most_changed_25():
    ax = charts.attribute_heatmap(attributes({f"a{n}": [n, 0] for n in range(1, 41)}))
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[0] == "a40"
    assert labels[24:] == ["a16", "… and 15 more"]
    grid = ax.collections[0].get_array()
    assert grid.shape == (26, 2)
    assert grid[25, 0] == sum(range(1, 16))


def test_the_attribute_heatmap_leaves_the_scale_to_the_attributes_it_names():
    ax = charts.attribute_heatmap(attributes({f"a{n}": [10] for n in range(100)}))
    assert ax.collections[0].norm.vmax == 10


def test_the_attribute_heatmap_draws_thousands_of_buckets_in_longer_ones_and_loses_no_change():
    ax = charts.attribute_heatmap(attributes({"bucket": [1] * 5000, "path": [2] * 5000}))
    grid = ax.collections[0].get_array()
    assert grid.shape[1] <= 400
    assert grid.sum() == 15000
    assert "Changes per day" in texts(ax)
    assert "10,000 times in 209 days" in said(ax)


def test_an_attribute_that_never_changed_is_no_row_and_none_at_all_says_so():
    ax = charts.attribute_heatmap(attributes({"quiet": [0, 0], "age": [0, 1]}))
    assert [label.get_text() for label in ax.get_yticklabels()] == ["age"]
    ax = charts.attribute_heatmap(attributes({"quiet": [0, 0]}, zone="Europe/Berlin"))
    assert "No changes of attributes in this window" in texts(ax)
    assert said(ax) == "No changes of attributes, 2 Mar 2026 (Europe/Berlin)"


def test_long_paths_are_shortened_but_stay_apart():
    paths = [f"person.addresses.{where}.geo.coordinates.latitude.value" for where in ("home", "work")]
    ax = charts.attribute_heatmap(attributes({path: [1] for path in paths}))
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert len(set(labels)) == 2
    assert max(map(len, labels)) < 45


def test_concentration_says_what_the_hottest_make_and_how_many_make_half():
    df = per_item([1000] * 10 + [10] * 990)  # 10,000 + 9,900 changes
    assert said(charts.concentration(df, subject="persons")) == (
        "persons: 1% of the items make 50.3% of the changes; half of the changes come from 1% of the items"
    )


def test_concentration_counts_items_where_there_are_few():
    assert said(charts.concentration(per_item([6, 3, 2, 1]))) == (
        "1 of 4 items makes 50% of the changes; half of the changes come from 1 item"
    )
    assert said(charts.concentration(per_item([4, 3, 3]))).endswith("half of the changes come from 2 items")
    assert said(charts.concentration(per_item([9]))) == "1 item changed 9 times"
    assert said(charts.concentration(per_item([1, 1]))) == "2 items changed 1 time each"


def test_concentration_names_one_hot_item_among_a_hundred_thousand():
    df = per_item([1_000_000] + [1] * 99_999)
    assert said(charts.concentration(df)).endswith("half of the changes come from 1 item")


def test_concentration_runs_from_nothing_to_everything_never_below_the_diagonal():
    curve, diagonal = charts.concentration(per_item(np.arange(1, 500) ** 2)).lines[:2]
    x, y = curve.get_data()
    assert (x[0], y[0]) == (0, 0)
    assert (x[-1], y[-1]) == pytest.approx((1, 1))
    assert (y >= x).all()
    assert diagonal.get_xydata().tolist() == [[0, 0], [1, 1]]


def test_concentration_counts_items_and_changes_on_its_axes():
    ax = charts.concentration(per_item([6, 3, 2, 1]))
    assert ax.get_xlabel() == "Share of the items that changed (4)"
    assert ax.get_ylabel() == "Share of the changes (12)"
    assert {"0%", "100%"} <= {label.get_text() for label in ax.get_xticklabels()}


def test_intervals_says_where_the_median_lies_and_how_much_comes_within_a_second():
    ax = charts.intervals(between([1, 1, 8, 10, 60, 10, 5, 5]), subject="persons")
    assert said(ax) == "persons: median time between changes of an item: 1 min – 1 h; 10% within a second"
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["same instant", "≤ 1 ms", "≤ 1 s", "≤ 1 min", "≤ 1 h", "≤ 1 d", "≤ 30 d", "> 30 d"]
    assert "60 · 60%" in texts(ax)
    assert "item's\nprevious change" in ax.get_ylabel()


@pytest.mark.parametrize(
    ("changes", "finding"),
    [
        ([9, 0, 0, 0, 0, 0, 0, 1], "the same instant; 90% within a second"),
        ([0, 9, 0, 0, 0, 0, 0, 1], "up to 1 ms; 90% within a second"),
        ([0, 0, 0, 0, 0, 0, 1, 9], "over 30 d"),
        ([0, 0, 0, 0, 5, 5, 0, 0], "1 min – 1 h"),
    ],
)
def test_the_median_may_lie_in_the_first_and_the_last_step(changes, finding):
    assert said(charts.intervals(between(changes))) == f"Median time between changes of an item: {finding}"


def test_the_step_of_the_median_differs_by_more_than_its_colour():
    ax = charts.intervals(between([0, 0, 0, 0, 9, 1, 0, 0]))
    assert legend(ax) == ["the median"]
    hatched = [bar for bar in ax.patches if bar.get_hatch()]
    assert [bar.get_width() for bar in hatched] == [9]
    assert hatched[0].get_y() + hatched[0].get_height() / 2 == pytest.approx(4)


def test_items_that_changed_once_have_no_intervals_and_the_picture_says_so():
    assert "No item that changed twice in this window" in texts(charts.intervals(between([0] * 8)))


def test_delivery_lag_says_the_typical_and_the_worst_and_when():
    df = lags(48)
    df.loc[38, "longest"] = pd.Timedelta("3h 12min")
    df.loc[0, ["changes", "p50"]] = [1, pd.Timedelta("1h")]  # one slow change is not typical
    ax = charts.delivery_lag(df, subject="persons")
    assert said(ax) == "persons: 43 s from change to arrival typically, 3 h 12 min at worst (Tue 14:00)"
    assert ax.get_xlabel().startswith("Arrival, ")
    assert "(UTC)" in ax.get_xlabel()


def test_what_is_typical_weighs_hours_by_their_changes():
    df = lags(3)
    df["p50"] = pd.to_timedelta([5, 6, 300], unit="s").as_unit("us")
    df["changes"] = [1, 1, 1000]
    assert said(charts.delivery_lag(df)).startswith("5 min from change to arrival typically")


def test_lag_is_told_in_units_of_time_on_a_logarithmic_axis():
    ax = charts.delivery_lag(lags(24, p50=20))
    assert ax.get_yscale() == "log"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["10 s", "1 min", "10 min", "1 h"]


def steps(ax) -> dict[str, mpl.patches.StepPatch]:
    """The bands of delivery_lag, and its median, by what the legend calls them."""
    return {patch.get_label(): patch for patch in ax.patches if isinstance(patch, mpl.patches.StepPatch)}


def values(ax, name: str) -> np.ndarray:
    return np.asarray(steps(ax)[name].get_data().values)


def test_lag_is_a_band_around_its_median_with_the_worst_hour_marked():
    ax = charts.delivery_lag(lags(24))
    assert legend(ax) == ["99% within", "90% within", "half within", "longest"]
    median, most, all_but_few = (values(ax, name) for name in ("half within", "90% within", "99% within"))
    assert ((median <= most) & (most <= all_but_few)).all()
    assert (steps(ax)["90% within"].get_data().baseline == median).all()
    assert (steps(ax)["99% within"].get_data().baseline == most).all()
    (worst,) = (line for line in ax.lines if line.get_label() == "longest")
    assert worst.get_ydata() == [40 * 30 + 6]


def test_lag_of_one_size_has_a_scale_that_begins_at_none_and_in_round_steps():
    df = lags(24).assign(p50=pd.Timedelta("50s"), p90=pd.Timedelta("70s"), p99=pd.Timedelta("3min"))
    ax = charts.delivery_lag(df.assign(longest=pd.Timedelta("4min")))
    assert ax.get_yscale() == "linear"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["0 s", "1 min", "2 min", "3 min", "4 min"]
    assert ax.get_ylim()[0] == 0


@pytest.mark.parametrize("seconds", [0.2, 0, -5])
def test_no_lag_and_a_clock_that_is_ahead_are_drawn_as_up_to_a_second(seconds):
    df = lags(24)
    df.loc[3, ["p50", "p90", "p99", "longest"]] = pd.Timedelta(seconds=seconds)
    ax = charts.delivery_lag(df)
    assert ax.get_yticklabels()[0].get_text() == "≤ 1 s"
    assert [values(ax, name)[3] for name in ("half within", "90% within", "99% within")] == [1, 1, 1]
    assert ax.get_ylim()[0] < 1


def test_only_zero_lag_is_no_problem():
    df = lags(5)
    df[["p50", "p90", "p99", "longest"]] = pd.Timedelta(0)
    assert said(charts.delivery_lag(df)).startswith("0 s from change to arrival typically, 0 s at worst")


def test_thousands_of_hours_are_drawn_as_the_worst_of_longer_ones_and_say_so():
    df = lags(10080)
    df.loc[5000, "longest"] = pd.Timedelta("9D")
    ax = charts.delivery_lag(df)
    assert ax.get_ylabel() == "Lag, worst hour in 12 hours"
    assert max(ax.lines[0].get_ydata()) == 9 * 86400
    assert len(values(ax, "half within")) == 840
    assert "9 d at worst" in said(ax)


def test_hours_without_arrivals_are_left_open_and_said_to_be():
    df = lags(40).drop(index=range(10, 30))
    df["p99"] = df["p99"].where(df.index != 5)
    ax = charts.delivery_lag(df)
    median = values(ax, "half within")
    assert len(median) == 40
    assert np.flatnonzero(np.isnan(median)).tolist() == [5, *range(10, 30)]
    assert all(np.isnan(values(ax, name)[15]) for name in ("90% within", "99% within"))
    assert ax.get_xlabel().endswith("; open: nothing arrived")
    assert "open" not in charts.delivery_lag(lags(40)).get_xlabel()
    assert "No known arrivals in this window" in texts(charts.delivery_lag(lags(0)))


def test_a_given_axes_of_another_style_never_reads_names_as_mathematics():
    ax = Figure(layout="constrained").add_subplot()
    charts.attribute_heatmap(attributes({"$\\frac{$": [1, 2], "$a$": [1, 1]}), ax=ax, subject="$\\x$")
    labels = [*ax.get_yticklabels(), ax._left_title]
    assert not any(label.get_parse_math() for label in labels)


def test_a_wide_legend_takes_more_rows_and_the_title_stands_above_it():
    ax = Figure(figsize=(3.5, 4), layout="constrained").add_subplot()
    charts.change_frequency(frequency(24), ax=ax)
    box = ax.get_legend().get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= ax.get_window_extent().x1 * 1.02
    assert ax._left_title.get_window_extent().y0 >= box.y1


def test_every_chart_shows_the_answer_to_a_question_of_the_workbench():
    drawn = {chart.draw.__name__ for chart in CHARTS}
    assert drawn == set(charts.__all__) - {"charts_of", "as_svg"}
    assert {chart.question for chart in CHARTS} <= set(dir(Workbench))
    kinds = {chart.by for chart in CHARTS if chart.question == "change_frequency"}
    assert kinds == set(get_args(Kind))
    assert next(iter(charts.charts_of("change_frequency", "event"))) == "change_frequency"
    (heatmap,) = charts.charts_of("change_frequency", "attribute").values()
    assert heatmap.needs <= set(attributes({"age": [1]}).columns)


def answer(df: pd.DataFrame, question: str = "change_frequency", **asked: str) -> Result:
    stats = Stats(rows=len(df), seconds=0.1, objects=1, bytes=10)
    return Result(df, "select 1", stats, {"question": question, "table": "persons", **asked})


def title(ax) -> str:
    return ax.get_title("left")


def test_an_answer_draws_the_chart_of_its_question_about_its_table():
    assert title(answer(frequency(24), by="event").plot()).startswith("persons: ")
    assert "net since" in title(answer(frequency(24), by="event").plot("live_items"))
    assert "changes most" in title(answer(keys(["a", "b"]), by="key").plot())
    assert "changes most" in title(answer(attributes({"age": [1, 2]}), by="attribute").plot())
    assert title(answer(keys(["a", "b"]), by="key").plot(title="Mine", subject="")) == "Mine"


def test_an_answer_without_a_chart_says_which_have_one():
    with pytest.raises(ParameterError, match=r"no chart of latest_state\('persons'\): change_frequency, .* and"):
        answer(keys(["a"]), "latest_state").plot()
    with pytest.raises(
        ParameterError, match=r"'pie' is no chart of .*: use change_frequency, live_items, weekday_hour"
    ):
        answer(frequency(2), by="event").plot("pie")
    with pytest.raises(ParameterError, match="over time: ask with every="):
        answer(attributes({"age": [1]}).drop(columns="bucket"), by="attribute").plot()


def test_a_chart_takes_an_answer_with_its_frame_and_its_table():
    hourly = answer(frequency(24), by="event")
    assert title(charts.change_frequency(hourly)) == title(charts.change_frequency(hourly.df, subject="persons"))
    assert "net since" in title(charts.live_items(hourly, subject="ours"))
    assert title(charts.live_items(hourly, subject="ours")).startswith("ours: ")
    none, stats = pd.DataFrame(), Stats(rows=0, seconds=0.1, objects=1, bytes=10)
    asked = {"question": "data_quality", "table": "persons"}
    late = Quality(none, "", stats, asked, gaps=none, lag=lags(24), drift=none)
    assert title(charts.delivery_lag(late)) == title(charts.delivery_lag(lags(24), subject="persons"))
    assert title(late.plot()) == title(charts.delivery_lag(late))
    assert "count(*)" in title(
        charts.trend(answer(trended(1, 3).drop(columns="belongs_to"), "trend", aggregate="count(*)"))
    )


@pytest.mark.parametrize(
    ("chart", "shown", "said"),
    [
        (
            charts.hot_keys,
            answer(frequency(2), by="event"),
            r"hot_keys draws the answer of change_frequency\(…, by='key'\), and this is that of "
            r"change_frequency\('persons', by='event'\), which change_frequency and live_items and weekday_hour can draw",
        ),
        (
            charts.trend,
            answer(keys(["a"]), "latest_state"),
            r"that of latest_state\('persons'\), of which there is no chart",
        ),
        (charts.trend, [1, 2], r"draws the answer of trend\(…\), or its frame as a DataFrame, and not a list"),
        (
            charts.weekday_hour,
            answer(frequency(3, "1D"), by="event", every="1d"),
            r"weekday_hour needs every= of 1min, ",
        ),
        (
            charts.live_items,
            keys(["a", "b"]).drop(columns="inserts"),
            r"a column 'inserts', and this one has pk, changes,",
        ),
    ],
)
def test_what_a_chart_does_not_draw_is_said_in_one_line(chart, shown, said):
    with pytest.raises(ParameterError, match=said) as error:
        chart(shown)
    assert "\n" not in str(error.value)


def test_the_matrix_of_transitions_has_every_move_once_in_the_order_that_most_go():
    ax = charts.transitions_matrix(FEW_MOVES, subject="orders")
    assert said(ax) == "orders: (not there) → new is most frequent, 9 of 24 moves"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["new", "paid_$x$", "sent", "(not there)"]
    assert ax.collections[0].get_array().sum() == 24
    many = charts.transitions_matrix(MANY_MOVES)
    assert many.collections[0].get_array().sum() == MANY_MOVES["moves"].sum()
    assert len(many.get_yticks()) <= charts.moves.MOST_VALUES + 1


def test_flows_say_how_often_each_value_was_left_and_come_to():
    written = texts(charts.transitions_flows(FEW_MOVES))
    assert {
        "new  9",
        "new  7",
        "paid_$x$  5",
        "paid_$x$  8",
        "sent  3",
        "sent  5",
        "(not there)  9",
        "(not there)  2",
    } <= {*written}


def test_a_trend_names_its_largest_groups_and_counts_the_others():
    ax = charts.trend(trended(10, 30), subject="persons", aggregate="count(*)")
    assert said(ax) == "persons: city $_9 is largest of 10 groups, 38 at the end"
    assert "grey: 3 other groups" in ax.get_xlabel()
    assert "count(*)" in ax.get_ylabel()
    assert len(ax.lines) == 10


def test_a_trend_of_texts_says_that_there_are_no_numbers():
    df = trended(1, 3).assign(value=["a", "b", "c"])
    assert "No numbers in this window" in texts(charts.trend(df))


def test_survival_says_how_long_half_of_them_live_and_which_group_lives_shortest():
    assert (
        said(charts.survival(lived(1, 3))) == "Half of the items live longer than 2 h; 33.3% of those that went, by TTL"
    )
    assert said(charts.survival(lived(2, 3))).startswith(
        "Of 2 groups no value lives shortest: half of it longer than 2 h"
    )
    one_of_many = lived(1, 3).assign(survival=[0.9, 0.8, 0.7], by_ttl=0)
    assert said(charts.survival(one_of_many)) == "More than half of the items still live"


def test_cohorts_puts_groups_together_and_says_which_month_has_fewest_left():
    months = came(2).assign(living=[10, 0], deleted=[0, 17])
    both = pd.concat([months.assign(belongs_to="a"), months.assign(belongs_to="b")], ignore_index=True)
    assert said(charts.cohorts(both)) == "54 items came in 2 months; 20 still live, 0% of those of Feb 2026"
