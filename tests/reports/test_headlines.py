"""Headlines: how numbers are written and compared, and what a report remembers of them."""

from __future__ import annotations

import math
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from workbench.errors import ParameterError, ReportError
from workbench.questions.answers_noted import REPORT
from workbench.reports import headlines
from workbench.reports.headline import FILE, difference, noted
from workbench.reports.record import Headline


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Of a run."""
    monkeypatch.setenv(REPORT, str(tmp_path))
    return tmp_path


@pytest.mark.parametrize(
    ("given", "value", "text", "kind"),
    [
        (1234567, 1234567, "1,234,567", "number"),
        (0, 0, "0", "number"),
        (1, 1, "1", "number"),
        (-3, -3, "-3", "number"),
        (np.int64(1234), 1234, "1,234", "number"),
        (0.052, 0.052, "5.2%", "share"),
        (0.07, 0.07, "7%", "share"),
        (np.float64(0.0004), 0.0004, "0.04%", "share"),
        (np.float32(0.5), 0.5, "50%", "share"),
        (Decimal("0.125"), 0.125, "12.5%", "share"),
        (1.0, 1, "100%", "share"),
        (0.0, 0, "0%", "share"),
        (1234.567, 1234.567, "1,234.57", "number"),
        (1250.0, 1250, "1,250", "number"),
        (-0.5, -0.5, "-0.5", "number"),
        (timedelta(minutes=3, seconds=20), 200, "3 min 20 s", "seconds"),
        (pd.Timedelta("1.5s"), 1.5, "1.5 s", "seconds"),
        ((0.25, ".2f"), 0.25, "0.25", "number"),
        ((0.25, ".1%"), 0.25, "25.0%", "share"),
        ((1250.5, "$,.2f"), 1250.5, "$1,250.50", "number"),
        ((-1250.5, "$,.2f"), -1250.5, "-$1,250.50", "number"),
        ((1250.7, ",d"), 1250.7, "1,251", "number"),
        (np.timedelta64(90, "s"), 90, "1 min 30 s", "seconds"),
        (-0.0, 0, "0%", "share"),
        (1e300, 1e300, "1e+300", "number"),
        (Decimal("sNaN"), None, "–", "number"),
        (np.float32("inf"), None, "–", "number"),
        (None, None, "–", "number"),
        (math.nan, None, "–", "number"),
        (math.inf, None, "–", "number"),
        (pd.NaT, None, "–", "number"),
        (pd.NA, None, "–", "number"),
    ],
)
def test_numbers_are_written_for_people(folder, capsys, given, value, text, kind):
    headlines(found=given)
    (made,) = noted(folder)
    assert (made.name, made.text, made.kind) == ("found", text, kind)
    assert made.value == (None if value is None else pytest.approx(value))
    assert capsys.readouterr().out == f"{text}  found\n"


@pytest.mark.parametrize(
    ("numbers", "says"),
    [
        ({}, "shows numbers by their names"),
        ({"n": "5"}, "the headline n is str: it is a number"),
        ({"n": True}, "the headline n is bool"),
        ({"n": [1]}, "the headline n is list"),
        ({"n": 10**400}, "the headline n is larger than"),
        ({"n": (1, "s")}, "the headline n has the format 's'"),
        ({"n": (1, "{0.__class__}")}, "has the format"),
        ({"": 1}, "'' is no name of a headline"),
        ({"a b": 1}, "'a b' is no name"),
        ({"<b>": 1}, "is no name"),
        ({"n" * 41: 1}, "is no name"),
    ],
)
def test_what_is_no_number_or_no_name_is_refused_and_nothing_is_noted(folder, numbers, says):
    with pytest.raises(ParameterError, match=says):
        headlines(**{"first": 1, **numbers} if numbers else numbers)
    assert noted(folder) == []


def test_a_report_notes_them_in_their_order_and_refuses_a_name_twice(folder, capsys):
    headlines(late_changes=5, deletes=0.5)
    headlines(lag=timedelta(seconds=5))
    with pytest.raises(ReportError, match="has a headline deletes already"):
        headlines(items=1, deletes=0.1)
    assert [each.name for each in noted(folder)] == ["late_changes", "deletes", "lag"]
    assert capsys.readouterr().out.splitlines()[:2] == ["  5  late changes", "50%  deletes"]


def test_a_line_that_is_half_there_is_passed_over(folder):
    headlines(changes=5, deletes=0.5)
    with (folder / FILE).open("ab") as file:
        file.write('{"name":"ä'.encode()[:-1])
    assert [each.name for each in noted(folder)] == ["changes", "deletes"]


def test_outside_of_a_report_they_are_shown_as_often_as_they_are_asked_for(monkeypatch, capsys):
    monkeypatch.delenv(REPORT, raising=False)
    headlines(n=1)
    headlines(n=1)
    assert capsys.readouterr().out == "1  n\n1  n\n"


@pytest.mark.parametrize(
    ("kind", "before", "now", "text", "expected"),
    [
        ("number", 1000, 1200, "1,200", "+200 (+20%)"),
        ("number", 1200, 1000, "1,000", "−200 (−16.7%)"),
        ("number", 0, 5, "5", "+5"),
        ("number", 5, 5, "5", "no change"),
        ("number", 10, 12.5, "$12.50", "+$2.50 (+25%)"),
        ("share", 0.052, 0.07, "7%", "+1.8 points"),
        ("seconds", 200, 140, "2 min 20 s", "−1 min"),
        ("number", None, 5, "5", ""),
        ("number", -1e308, 1e308, "1e+308", ""),
        ("seconds", -8.64e13, 8.64e13, "999999999 d", ""),
    ],
)
def test_two_runs_are_compared_as_their_numbers_are(kind, before, now, text, expected):
    then, later = (
        Headline(name="n", value=value, text=shown, kind=kind) for value, shown in ((before, "x"), (now, text))
    )
    assert difference(later, then) == expected


def test_what_is_of_another_kind_is_not_compared():
    share = Headline(name="n", value=0.5, text="50%", kind="share")
    assert difference(share, Headline(name="n", value=5, text="5")) == ""
