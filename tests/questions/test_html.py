"""Frames as notebooks show them: values as on the command line, no row numbers, nothing that acts."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pandas as pd
import pytest

from workbench.questions.html import as_table, first_rows

FRAME = pd.DataFrame(
    {
        "<b>": pd.Series(["<script>alert(1)</script>", "\x1b[31mred", None], dtype=object),
        "at": pd.to_datetime(["2026-11-01T12:00Z", None, None]),
        "tags": [frozenset({"b", "a"}), b"a", Decimal("1.50")],
        "count": pd.array([10_000, None, 1], dtype="Int64"),
    }
).set_axis([7, 3, 5])


@pytest.mark.parametrize("shown", [as_table(FRAME).to_html(), first_rows(FRAME, 20)])
def test_values_are_as_on_the_command_line_and_rows_without_numbers(shown):
    for expected in ("2026-11-01 12:00:00Z", "{a, b}", "0x61", "1.50", "10000", "NULL"):
        assert f">{expected}<" in shown
    for never in ("<script", "<b>", "\x1b", "frozenset", "b'a'", "+00:00", "NA", "NaT", ">7<", ">0<"):
        assert never not in shown, never


def test_texts_are_to_the_left_numbers_to_the_right_and_long_texts_have_room():
    shown = first_rows(pd.DataFrame({"text": ["o-1"], "number": [Decimal("1.5")], "long": ["x " * 30]}), 20)
    for text, look in (("text", "left; white-space: nowrap"), ("number", "right; white-space: nowrap")):
        assert f'<th style="text-align: {look}">{text}<' in shown
    assert '<td style="text-align: left; white-space: nowrap">o-1<' in shown
    assert '<td style="text-align: right; white-space: nowrap">1.5<' in shown
    assert '<td style="text-align: left; min-width: 20em">x x' in shown
    grouped = pd.DataFrame({"n": [1, 2]}, index=pd.MultiIndex.from_tuples([("a", "b"), ("a", "c")], names=["k", "l"]))
    assert '<td style="text-align: right; white-space: nowrap">2<' in first_rows(grouped, 20)
    styled = as_table(pd.DataFrame({"long": ["x " * 30]})).to_html()
    assert "min-width: 20em" in styled


def test_an_index_that_has_a_name_is_shown_and_escaped():
    counts = pd.DataFrame({"items": [3]}, index=pd.Index(["<i>gone"], name="status"))
    for shown in (as_table(counts).to_html(), first_rows(counts, 20)):
        assert "&lt;i&gt;gone" in shown
        assert "<i>gone" not in shown


def test_of_many_rows_the_first_and_last_are_shown():
    times = pd.DataFrame({"n": range(100), "at": [datetime(2026, 11, 1, tzinfo=UTC)] * 100})
    shown = first_rows(times, 20)
    assert shown.count("<tr>") == 21
    assert all(text in shown for text in (">9<", ">…<", ">90<", ">99<"))
    assert not any(text in shown for text in (">10<", ">89<"))


def test_columns_of_one_name_are_shown_side_by_side():
    twice = pd.DataFrame([["one", "two"]], columns=["a", "a"])
    assert first_rows(twice, 20).index(">one<") < first_rows(twice, 20).index(">two<")
