"""The timeline of an item, for notebooks and for the terminal."""

from __future__ import annotations

import base64
import re

import pytest
from rich.console import Console

from tests.conftest import chain, micros, record, write_log
from workbench import Workbench, timeline

KEY = {"userId": {"N": "3"}, "tx": {"S": "<b>größe"}}
NOON = micros("2026-01-01T12:00:00")
TWICE = base64.b64encode(base64.b64encode(b"\x01\xff")).decode()


def image(**attributes):
    return KEY | attributes


@pytest.fixture
def told(tmp_path):
    """A life with every kind of change, a lost one, and a second life that expired."""
    first = image(n={"S": "41"}, e={"S": ""}, tags={"SS": ["a", "b"]}, b={"B": TWICE}, x={"S": "<script>"},
                  m={"M": {"c": {"M": {"d": {"S": "東京"}}}}}, l={"L": [{"M": {"k": {"N": "1"}}}]})  # fmt: skip
    second = image(n={"N": "41"}, e={"NULL": True}, tags={"SS": ["b", "c"]}, m={"M": {"c": {"M": {"d": {"S": "Oslo"}}}}},
                   l={"L": [{"M": {"k": {"N": "2"}}}]})  # fmt: skip
    states = [(NOON, first), (NOON + 250, second), (NOON + 250, image(n={"N": "42"})), (NOON + 90_000_000, None)]
    again = [(NOON + 3_690_000_000, image(n={"N": "1"})), (NOON + 3_700_000_000, image(n={"N": "2"})),
             (NOON + 3_800_000_000, image(n={"N": "3"})), (NOON + 3_900_000_000, None)]  # fmt: skip
    records = chain(KEY, states) + chain(KEY, again, ttl=True)
    same = record("MODIFY", KEY, NOON + 3_850_000_000, new=again[2][1], old=again[2][1])
    del records[5]
    return Workbench(write_log(tmp_path, [*records, same])).item_history("things", "userId=3")


def text(df, width: int = 100, **more) -> str:
    console = Console(width=width, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(timeline.to_text(df, **more))
    console.file.close()
    return console.export_text()


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL))


def test_the_terminal_tells_every_change_by_sign_and_word_without_colour(told):
    assert text(told.df).splitlines() == [
        'tx = "<b>größe", userId = 3',
        "  2026-01-01 12:00:00  INSERT  ",
        "    + b  0x01ff",
        '    + e  ""',
        "    + l  [{k: 1}]",
        '    + m.c.d  "東京"',
        '    + n  "41"',
        '    + tags  {"a", "b"}',
        '    + x  "<script>"',
        "  2026-01-01 12:00:00.000250  MODIFY  +250 µs",
        "    − b  0x01ff",
        '    ~ e  "" (S) → NULL (NULL)',
        "    ~ l[0].k  1 → 2",
        '    ~ m.c.d  "東京" → "Oslo"',
        '    ~ n  "41" (S) → 41 (N)',
        '    − tags  {"a"}',
        '    + tags  {"c"}',
        '    − x  "<script>"',
        "  2026-01-01 12:00:00.000250  MODIFY  same instant",
        "    − e  NULL",
        "    − l  [{k: 2}]",
        '    − m.c.d  "Oslo"',
        "    ~ n  41 → 42",
        '    − tags  {"b", "c"}',
        "  2026-01-01 12:01:30  REMOVE  +1 min 29 s",
        "    − n  42",
        "  life 2: made again 1 h after it was gone",
        "  2026-01-01 13:01:30  INSERT  +1 h",
        "    + n  1",
        "  ! A change is missing here: the next one did not find what the one before it had left.",
        "  2026-01-01 13:03:20  MODIFY  +1 min 50 s",
        "    ~ n  2 → 3",
        "  2026-01-01 13:04:10  MODIFY  +50 s  changed no attribute",
        "  2026-01-01 13:05:00  TTL     +50 s",
        "    − n  3",
    ]  # fmt: skip


def test_the_notebook_tells_the_same_with_everything_escaped_and_nothing_fetched(told):
    html = told._repr_html_()
    shown = plain(html)
    for line in text(told.df).splitlines()[1:]:
        for word in re.findall(r"[\w.\[\]]+", line.split("  ", 3)[-1]):
            assert word in shown, word
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "&lt;b&gt;größe" in html
    assert not re.search(r"https?://|url\(|@import", html)
    assert told.summary in shown


def test_a_first_change_that_found_something_says_so(tmp_path):
    key = {"pk": {"S": "x"}}
    seen = record("MODIFY", key, NOON, new=key | {"v": {"S": "B"}}, old=key | {"v": {"S": "A"}})
    df = Workbench(write_log(tmp_path, [seen])).item_history("things", "pk=x").df
    assert "What was before is missing here" in text(df)
    assert "What was before is missing here" in timeline.to_html(df)


def test_many_changes_are_shortened_in_the_middle_and_said_so(tmp_path):
    key = {"pk": {"S": "x"}}
    states = [(NOON + number, key | {"v": {"N": str(number)}}) for number in range(300)]
    df = Workbench(write_log(tmp_path, chain(key, states))).item_history("things", "pk=x").df
    shown = text(df, limit=10)
    assert "290 changes in between are not shown" in shown
    assert [line for line in shown.splitlines() if "~" in line][-1].endswith("298 → 299")
    assert shown.count("MODIFY") + shown.count("INSERT") == 10
    html = timeline.to_html(df, limit=10)
    assert "290 changes in between are not shown" in html
    assert html.count("<time>") == 10
    assert timeline.to_html(df).count("<time>") == 200
    assert "not shown" not in timeline.to_html(df, limit=300)


def test_a_long_value_is_shortened_with_the_whole_in_its_tool_tip_and_many_attributes_fold(tmp_path):
    key = {"pk": {"S": "x"}}
    wide = key | {f"a{number:02}": {"S": "long " * 100} for number in range(20)}
    df = Workbench(write_log(tmp_path, chain(key, [(NOON, wide)]))).item_history("things", "pk=x").df
    html = timeline.to_html(df)
    assert "12 more attributes" in html
    assert 'title="&quot;long ' in html
    assert "long " * 100 not in plain(html)
    assert plain(html).count(" … ") == 20
    assert max(map(len, text(df, 80).splitlines())) <= 80


def test_an_item_without_changes_says_so(tmp_path):
    key = {"pk": {"S": "x"}}
    empty = Workbench(write_log(tmp_path, chain(key, [(NOON, key)]))).item_history("things", "pk=nobody")
    assert "No change of this item is in the log." in text(empty.df)
    assert "No change of this item is in the log." in empty._repr_html_()
