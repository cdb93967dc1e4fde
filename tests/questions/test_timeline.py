"""The timeline of an item, for notebooks and for the terminal."""

from __future__ import annotations

import base64
import io
import re
from html import unescape

import pandas as pd
import pytest
from rich.console import Console

from tests.helpers.logs import chain, micros, record, write_log
from workbench import Workbench
from workbench.errors import ParameterError
from workbench.questions import timeline
from workbench.text import count

KEY = {"userId": {"N": "3"}, "tx": {"S": "<b>größe"}}
PK = {"pk": {"S": "x"}}
NOON = micros("2026-01-01T12:00:00")
TWICE = base64.b64encode(base64.b64encode(b"\x01\xff")).decode()


def image(**attributes):
    return KEY | attributes


def history(tmp_path, records, key="pk=x", **more) -> pd.DataFrame:
    return Workbench(write_log(tmp_path, records)).item_history("things", key, **more).df


@pytest.fixture
def told(tmp_path):
    """A life with every kind of change, a lost one, and a second life that expired."""
    first = image(
        n={"S": "41"},
        e={"S": ""},
        tags={"SS": ["a", "b"]},
        b={"B": TWICE},
        x={"S": "<script>"},
        m={"M": {"c": {"M": {"d": {"S": "東京"}}}}},
        l={"L": [{"M": {"k": {"N": "1"}}}]},
    )
    second = image(
        n={"N": "41"},
        e={"NULL": True},
        tags={"SS": ["b", "c"]},
        m={"M": {"c": {"M": {"d": {"S": "Oslo"}}}}},
        l={"L": [{"M": {"k": {"N": "2"}}}]},
    )
    states = [(NOON, first), (NOON + 250, second), (NOON + 250, image(n={"N": "42"})), (NOON + 90_000_000, None)]
    again = [
        (NOON + 3_690_000_000, image(n={"N": "1"})),
        (NOON + 3_700_000_000, image(n={"N": "2"})),
        (NOON + 3_800_000_000, image(n={"N": "3"})),
        (NOON + 3_900_000_000, None),
    ]
    records = chain(KEY, states) + chain(KEY, again, ttl=True)
    same = record("MODIFY", KEY, NOON + 3_850_000_000, new=again[2][1], old=again[2][1])
    del records[5]
    return Workbench(write_log(tmp_path, [*records, same])).item_history("things", "userId=3")


def text(df, width: int = 100, **more) -> str:
    console = Console(width=width, file=io.StringIO())
    console.print(timeline.to_text(df, **more))
    return console.file.getvalue()


def plain(html: str) -> str:
    """What a page shows, blanks as single ones."""
    return " ".join(unescape(re.sub(r"<style>.*?</style>|<[^>]+>", " ", html, flags=re.DOTALL)).split())


def test_the_terminal_tells_every_change_by_sign_and_word_without_colour(told):
    assert [line.rstrip() for line in text(told.df).splitlines()] == [
        'tx = "<b>größe", userId = 3',
        "8 changes · 2026-01-01 12:00:00 to 2026-01-01 13:05:00 UTC",
        "  Life 1",
        "  2026-01-01 12:00:00         INSERT",
        "    + b                       0x01ff",
        '    + e                       ""',
        "    + l                       [{k: 1}]",
        '    + m.c.d                   "東京"',
        '    + n                       "41"',
        '    + tags                    {"a", "b"}',
        '    + x                       "<script>"',
        "  2026-01-01 12:00:00.000250  MODIFY    +250 µs",
        "    − b                       0x01ff",
        '    ~ e                       "" → NULL  (S → NULL)',
        "    ~ l[0].k                  1 → 2",
        '    ~ m.c.d                   "東京" → "Oslo"',
        '    ~ n                       "41" → 41  (S → N)',
        '    ~ tags                    −{"a"}',
        '    ~ tags                    +{"c"}',
        '    − x                       "<script>"',
        "  2026-01-01 12:00:00.000250  MODIFY    same instant",
        "    − e                       NULL",
        "    − l                       [{k: 2}]",
        '    − m.c.d                   "Oslo"',
        "    ~ n                       41 → 42",
        '    − tags                    {"b", "c"}',
        "  2026-01-01 12:01:30         REMOVE    +1 min 29 s",
        "    − n                       42",
        "  Life 2 · made again after 1 h away",
        "  2026-01-01 13:01:30         INSERT    +1 h",
        "    + n                       1",
        "! A change is missing here: the next one did not find what the one before it left.",
        "  2026-01-01 13:03:20         MODIFY    +1 min 50 s",
        "    ~ n                       2 → 3",
        "  2026-01-01 13:04:10         MODIFY    +50 s · changed no attribute",
        "  2026-01-01 13:05:00         TTL       +50 s · its time to live was over",
        "    − n                       3",
    ]


def test_the_notebook_tells_the_same_with_everything_escaped_and_nothing_fetched(told):
    html = told._repr_html_()
    shown = plain(html)
    for line in text(told.df, 200).splitlines():
        words = " ".join(line.split()).replace("!", "⚠")
        assert words in shown, words
    assert "<script" not in html
    assert "&lt;script&gt;" in html
    assert "&lt;b&gt;größe" in html
    assert not re.search(r"https?://|url\(|@import|src=|href=", html)
    assert "mathjax_ignore" in html  # two $ in a text are no formula
    assert told.summary in shown


def test_every_kind_of_change_has_its_sign_its_word_and_its_class(told):
    html = timeline.to_html(told.df)
    for change, sign in {
        "added": "+",
        "removed": "−",
        "changed": "~",
        "type changed": "~",
        "members added": "~",
        "members removed": "~",
    }.items():
        assert f'wb-{change.replace(" ", "-")}"><b title="{change}">{sign}</b>' in html, change
    for event in ("INSERT", "MODIFY", "REMOVE", "TTL"):
        assert f'<div class="wb-change wb-{event.lower()}">' in html
        assert f'<b class="wb-event">{event}</b>' in html


def test_colour_in_a_terminal_follows_the_sign(told):
    console = Console(width=100, file=io.StringIO(), color_system="standard", force_terminal=True)
    console.print(timeline.to_text(told.df))
    shown = console.file.getvalue()
    assert "\x1b[32m0x01ff" in shown
    assert "\x1b[31m0x01ff" in shown
    assert '\x1b[33m"Oslo"' in shown


def test_what_a_terminal_would_obey_or_nobody_could_see_is_spelled_out(tmp_path):
    bad = "a\x1b[31mb\x9bc\u202ed\u200be\xa0f\ng\\h\u2028"
    df = history(tmp_path, chain(PK, [(NOON, PK | {bad: {"S": bad}, "l": {"L": [{"S": 'a", "b'}]}})]))
    expected = r"a\x1b[31mb\x9bc\u202ed\u200be\xa0f\ng\\h\u2028"
    for shown in (text(df, 200), unescape(timeline.to_html(df))):
        assert shown.count(expected) == 2
        assert not set(shown) & set("\x1b\x9b\u202e\u200b\xa0\u2028")
        assert r'["a\", \"b"]' in shown  # one text, not two
    family = "👨\u200d👩\u200d👧 日本　語"
    assert f'"{family}"' in text(history(tmp_path / "b", chain(PK, [(NOON, PK | {"v": {"S": family}})])))


def test_a_first_change_that_found_something_says_so(tmp_path):
    df = history(tmp_path, [record("MODIFY", PK, NOON, new=PK | {"v": {"S": "B"}}, old=PK | {"v": {"S": "A"}})])
    assert "! What was before is missing here" in text(df)
    assert "⚠ What was before is missing here" in plain(timeline.to_html(df))


def test_an_export_that_does_not_have_what_was_left_says_so(told):
    df = told.df.iloc[-1:].assign(event_name="BASELINE", by_ttl=False, missing=True)
    for shown in (text(df), plain(timeline.to_html(df))):
        assert "the export does not have what the change before it left" in shown
        assert re.search(r"BASELINE +\+50 s · as an export has it", shown)


def test_an_item_of_nothing_but_its_key_says_so(tmp_path):
    df = history(tmp_path, chain(PK, [(NOON, PK), (NOON + 1, None)]))
    assert "INSERT    nothing but its key" in text(df)
    assert "INSERT nothing but its key" in plain(timeline.to_html(df))


@pytest.mark.parametrize("limit", [1, 2, 9, 10, 299])
def test_many_changes_are_left_out_in_the_middle_and_how_many_is_said(tmp_path, limit):
    states = [(NOON + number, PK | {"v": {"N": str(number)}}) for number in range(300)]
    df = history(tmp_path, chain(PK, states))
    in_notebook, in_terminal = plain(timeline.to_html(df, limit=limit)), text(df, limit=limit)
    between = count(300 - limit, "change")
    assert f"… {between} in between: in .df, not here …" in in_notebook
    assert f"… {between} in between not shown …" in in_terminal
    for shown in (in_notebook, in_terminal):
        assert shown.count("MODIFY") + shown.count("INSERT") == limit
        assert "300 changes · 2026-01-01 12:00:00 to 2026-01-01 12:00:00.000299 UTC" in shown
        assert shown.rstrip().endswith("298 → 299")
    assert timeline.to_html(df).count("<time>") == 200
    assert text(df).count("MODIFY") == 49
    assert "not here" not in timeline.to_html(df, limit=300)


def test_a_limit_that_shows_nothing_is_refused(told):
    with pytest.raises(ParameterError, match="limit=0: a timeline shows at least one change"):
        timeline.to_html(told.df, limit=0)


def test_beside_what_is_left_out_no_life_is_said_to_begin(tmp_path):
    again = NOON + 3_600_000_000
    states = [(NOON, PK | {"v": {"N": "0"}}), (NOON + 1, None)]
    states += [(again + number, PK | {"v": {"N": str(number)}}) for number in range(9)]
    shown = text(history(tmp_path, chain(PK, states)), limit=2).splitlines()
    assert "  Life 2" in [line.rstrip() for line in shown]
    begun = text(history(tmp_path / "b", chain(PK, states), start="2026-01-01T13:00:00"))
    assert "Life 2 · made again after 59 min 59 s away" in begun
    later = text(history(tmp_path / "c", chain(PK, states), start="2026-01-01T13:00:00.000003"))
    assert "  Life 2\n" in re.sub(" +\n", "\n", later)


def test_items_have_a_heading_each_with_their_own_counts(tmp_path):
    other = {"pk": {"S": "y"}}
    records = chain(PK, [(NOON, PK), (NOON + 1, None)]) + chain(other, [(NOON, other)])
    df = history(tmp_path, records, "pk=x pk=y")
    lines = [line.rstrip() for line in text(df).splitlines()]
    assert lines[lines.index('pk = "x"') + 1].startswith("2 changes · ")
    assert lines[lines.index('pk = "y"') + 1] == "1 change · 2026-01-01 12:00:00 UTC"
    assert re.findall(r"<h3>(.*?) <small>", timeline.to_html(df)) == ["pk = &#34;x&#34;", "pk = &#34;y&#34;"]


def test_a_long_value_is_shortened_with_the_whole_in_its_tool_tip_and_many_attributes_fold(tmp_path):
    wide = PK | {f"a{number:02}": {"S": "long " * 100} for number in range(20)}
    df = history(tmp_path, chain(PK, [(NOON, wide)]))
    html = timeline.to_html(df)
    assert "<summary>12 more attributes</summary>" in html
    assert html.partition("<details>")[0].count("<code>") == 8
    assert f'title="&#34;{"long " * 100}&#34;"' in html
    assert "long " * 100 not in plain(html)
    assert plain(html).count(" … ") == 20
    assert max(map(len, text(df, 80).splitlines())) <= 80


def test_long_values_are_shortened_to_where_they_differ(tmp_path):
    before, after = "word " * 400 + "OLD" + " tail" * 400, "word " * 400 + "NEWER" + " tail" * 400
    df = history(tmp_path, chain(PK, [(NOON, PK | {"v": {"S": before}}), (NOON + 1, PK | {"v": {"S": after}})]))
    for shown in (text(df, 200), plain(timeline.to_html(df))):
        assert re.search(
            r"… (word ){3,4}OLD( tail){3,4} … → … (word ){3,4}NEWER( tail){3,4} …", " ".join(shown.split())
        )
    assert 'word … (4,005 characters)"' in timeline.to_html(df)  # the tool tip is shortened, too, and says so


@pytest.mark.parametrize(
    "pair", [("a" * 500, "a" * 501), ("ab" * 300, "ab" * 200), ("", "c" * 300), ("d" * 101, "e" * 101)]
)
def test_what_is_shortened_still_differs(tmp_path, pair):
    df = history(tmp_path, chain(PK, [(NOON + at, PK | {"v": {"S": each}}) for at, each in enumerate(pair)]))
    before, after = re.findall(r"<(?:del|ins)[^>]*>(.*?)</(?:del|ins)>", timeline.to_html(df))[1:]
    assert before != after
    assert max(map(len, map(unescape, (before, after)))) <= 105


def test_an_item_without_changes_says_so(tmp_path):
    empty = Workbench(write_log(tmp_path, chain(PK, [(NOON, PK)]))).item_history("things", "pk=nobody")
    assert "No change of this item is in the log." in text(empty.df)
    assert "No change of this item is in the log." in empty._repr_html_()
