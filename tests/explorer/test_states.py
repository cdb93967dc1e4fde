"""The explorer says of any instant what `latest_state` says, in any order and by any condition, and of two what `diff` does."""

from __future__ import annotations

import random
import re
import tempfile
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.logs import chain, micros, record, write_log
from tests.helpers.profiles import examples
from tests.properties.test_checkpoint import when
from tests.properties.test_replay import IMAGE, STEP, history
from tests.properties.test_versions import write
from tests.questions.test_stream_views import changes as changes_of
from workbench import Workbench
from workbench import explorer as explorer_room
from workbench.charts._style import EVENTS
from workbench.errors import ConfigError, ParameterError
from workbench.explorer.columns import column_of, place
from workbench.explorer.explorer import PAGE, Explorer
from workbench.explorer.states import micros as micros_of
from workbench.model import times
from workbench.questions.cells import is_absent

NOON = micros("2026-01-01T12:00:00")
KEY = {"pk": {"S": "x"}}
CONDITIONS = [
    "a = 'x' or not \"b.c\" < 5",
    "a is absent",
    "a is null or ö = true",
    "size(a) >= 1",
    "contains(m, 'a') or m.a > 0",
    "a[0] is not absent or a < 2.5",
    "a <> 1",
    "a >= ö",
    "a like '_%'",
    "a > x'00' or a >= ''",
    "sk between -3 and 1",
]
OF_VERSIONS = ("_changed_at", "valid_from")


def cells(df: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what items hold, exactly, whatever the columns' types and the columns that hold nothing are."""
    columns = {name: df[name].tolist() for name in df.columns if name not in OF_VERSIONS}
    rows = range(len(df))
    return [
        {name: place(column[at]) for name, column in columns.items() if column[at] is None or not is_absent(column[at])}
        for at in rows
    ]


def differences(df: pd.DataFrame) -> dict[tuple, str]:
    """Return of each item that differs, by its key, how it does."""
    assert df.loc[df["item"] == "changed", "path"].notna().all()
    return {(row["pk"], place(row["sk"])): row["item"] for row in df.to_dict("records")}


@given(
    steps=st.lists(STEP, min_size=1, max_size=14),
    pool=st.lists(IMAGE, min_size=3, max_size=3, unique_by=str),
    seed=st.integers(0, 2**32 - 1),
    condition=st.sampled_from(CONDITIONS),
)
@examples(8)
def test_at_any_instant_the_items_are_those_of_latest_state(steps, pool, seed, condition):
    rng = random.Random(seed)
    records, states = history(steps, pool, rng, apart=False)
    if not records:
        return
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "log"), records, "mixed", rng)
        wb = Workbench(Path(folder, "log"), home=Path(folder, "home"))
        explorer = wb.explore("things")
        instants = [when(moment) + timedelta(microseconds=by) for moment, _ in states for by in (-1, 0)]
        for at in rng.sample(instants, min(len(instants), 2)):
            explorer.where, explorer.at = None, at
            assert cells(explorer.state) == cells(wb.latest_state("things", as_of=at).df)
            explorer.where = condition
            assert cells(explorer.state) == cells(wb.latest_state("things", as_of=at, where=condition).df)
        explorer.where = None
        one, other = sorted(rng.choices(instants, k=2))
        explorer.at, explorer.compare_to = other, one
        if one < other:
            assert differences(explorer.difference) == differences(wb.diff("things", one, other).df)
        wb.close()


@given(
    steps=st.lists(STEP, min_size=1, max_size=14),
    pool=st.lists(IMAGE, min_size=3, max_size=3, unique_by=str),
    seed=st.integers(0, 2**32 - 1),
)
@examples(8)
def test_the_changes_behind_the_slider_are_those_of_change_frequency(steps, pool, seed):
    rng = random.Random(seed)
    records, _ = history(steps, pool, rng, apart=False)
    if not records:
        return
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "log"), records, "mixed", rng)
        wb = Workbench(Path(folder, "log"), home=Path(folder, "home"))
        counted_alike(wb, wb.explore("things"))
        wb.close()


def counted_alike(wb: Workbench, explorer: Explorer) -> dict[str, int]:
    """Hold the bars to what `change_frequency` tells of each, and return the sums of all."""
    facts = explorer.facts()
    begins, ends = facts["edges"][:-1], facts["edges"][1:]
    names = ["inserts", "modifies", "removes", "ttl_removes"]
    for at, (begin, end) in enumerate(zip(begins, ends, strict=True)):
        assert end - begin == facts["bar"]
        counts = [facts["changes"][name][at] for name in names]
        if any(counts):
            df = wb.change_frequency("things", start=when(begin), end=when(end)).df[names].sum()
            assert counts == [df["inserts"], df["modifies"], df["removes"] - df["ttl_removes"], df["ttl_removes"]]
    low, high = facts["span"]
    assert begins[0] <= low <= high <= ends[-1]
    sums = {name: sum(facts["changes"][name]) for name in names}
    assert sum(sums.values()) == wb.change_frequency("things").df["changes"].sum()
    return sums


def test_changes_of_one_instant_are_all_counted_and_deliveries_once(noon, tmp_path):
    a, b = (KEY | {"n": {"N": number}} for number in "12")
    states = [(NOON, a), (NOON, b), (NOON, a)]  # A to B to A, at one instant
    states += [(NOON + 60_000_000, b), (NOON + 60_000_000, None), (NOON + 60_000_000, a), (NOON + 7_200_000_000, None)]
    records = chain(KEY, states)
    records[-1]["userIdentity"] = {"type": "Service", "principalId": "dynamodb.amazonaws.com"}
    gone = {"pk": {"S": "unknown"}}  # before and after all that has a state
    records += [
        record("REMOVE", gone, NOON + by, event_id=f"gone {by}") for by in (-86_400_000_000, 86_400_000_000 - 1)
    ]
    write_log(tmp_path / "log", [*records, *records[1:4]])
    wb = Workbench(tmp_path / "log")
    explorer = wb.explore("things")
    assert len(explorer._states) < 4
    assert counted_alike(wb, explorer) == {"inserts": 2, "modifies": 3, "removes": 3, "ttl_removes": 1}
    assert explorer._chart().get_title("left").startswith("things: 9 changes")
    steps = [view(explorer, step=-1)["at"] for _ in range(4)]
    assert steps == [NOON] * 4, "from state to state: what takes itself back at one instant is no step"
    for years in (3, 30):  # bars of whole weeks
        write_log(tmp_path / f"{years}", [*records, record("REMOVE", gone, NOON - years * 365 * 86_400_000_000)])
        long = Workbench(tmp_path / f"{years}")
        bars = long.explore("things").facts()
        assert counted_alike(long, long.explore("things"))["removes"] == 4
        assert 60 < len(bars["edges"]) <= 123
        assert bars["bar"] % (7 * 86_400_000_000) == 0


def test_the_legend_has_the_words_of_charts_in_their_order():
    code = Path(explorer_room.__file__).with_name("explorer.js").read_text(encoding="utf-8")
    kinds = code.partition("const KINDS = [")[2].partition("\n]")[0]
    assert re.findall(r'\["(\w+)", "([^"]+)"\]', kinds) == [(name, label) for name, (label, *_) in EVENTS.items()]


def test_changes_are_counted_as_the_log_was_known_at(tmp_path):
    for hour, name in (("12", "a"), ("13", "b")):
        key = {"pk": {"S": name}}
        records = chain(key, [(micros(f"2026-01-01T{hour}:00:00") + by, key | {"n": {"N": f"{by}"}}) for by in (0, 1)])
        write_log(tmp_path / f"log/2026/01/01/{hour}", records, name=f"things-1-2026-01-01-{hour}-30-00-4f1c")
    for known_at, inserts in ((None, 2), ("2026-01-01T13:00Z", 1)):
        wb = Workbench(tmp_path / "log", known_at=known_at)
        assert counted_alike(wb, wb.explore("things"))["inserts"] == inserts


def test_a_log_of_keys_alone_shows_its_changes(noon, tmp_path):
    write_log(tmp_path / "log", changes_of("KEYS_ONLY"))
    wb = Workbench(tmp_path / "log")
    assert sum(counted_alike(wb, wb.explore("things")).values()) > 0


@pytest.mark.parametrize("where", [None, "v >= 2", "size(v) = 1", "nope = 1"])
def test_the_sql_of_a_difference_is_of_the_items_it_is_between(noon, tmp_path, where):
    numbers = [
        ("a", 0, 1),
        ("b", 0, 2),
        ("c", 0, 3),
        ("d", 0, 1),
        ("a", 1, 2),
        ("b", 1, 1),
        ("c", 1, None),
        ("e", 1, 5),
    ]
    records, held = [], {}
    for name, later, number in numbers:
        key = {"pk": {"S": name}}
        new = number and key | {"v": {"N": str(number)}}
        event = "REMOVE" if new is None else "MODIFY" if name in held else "INSERT"
        records.append(record(event, key, NOON + later * 1_000_000, new=new, old=held.get(name)))
        held[name] = new
    write_log(tmp_path / "log", records)
    wb = Workbench(tmp_path / "log")
    explorer = wb.explore("things", compare_to=when(NOON), where=where)
    difference, items = view(explorer, mode="difference"), view(explorer)
    assert difference["sql"] == explorer.sql
    assert difference["python"] == explorer.python
    one, other = difference["sql"].split("\n\n")
    assert one.startswith("-- The items at 2026-01-01 12:00:00 UTC,\nselect *\n")
    assert other.startswith("-- and those at 2026-01-01 12:00:01 UTC: the difference is what differs between the two")
    before, after = (dict(wb.query(text).df[["pk", "v"]].to_numpy().tolist()) for text in (one, other))
    kind = {name: "added" if name not in before else "removed" if name not in after else "changed"
            for name in before.keys() | after.keys() if before.get(name) != after.get(name)}  # fmt: skip
    if where in ("size(v) = 1", "nope = 1"):  # for which queries have no words: told beside the SELECTs of all
        assert f", of items for which {where} at either\n" in other
    else:
        assert kind == {row["pk"]: row["item"] for row in explorer.difference.to_dict("records")} != {}
    assert set(before) | set(after) == set("abcde" if where is None or where in other else "abce")
    assert items["sql"].startswith(("select *", "-- What is in the table"))
    assert items["python"].startswith("wb.latest_state('things', as_of='2026-01-01T12:00:01Z'")
    explorer.compare_to = None
    assert (items["python"], explorer.sql) == (explorer.python, view(explorer)["sql"])


@pytest.fixture
def noon(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(times, "now", lambda: when(NOON + 86_400_000_000))


def opened(tmp_path: Path, values: list[dict | None], key: dict = KEY, **settings: Any) -> tuple[Workbench, Explorer]:
    """Explore a table of one item an image, each made a second after the other; None is an item of its key alone."""
    records = []
    for number, value in enumerate(values):
        image = {"pk": {"S": f"{number:03}"}} | ({} if value is None else {"v": value})
        records.append(record("INSERT", {"pk": image["pk"]}, NOON + number * 1_000_000, new=image))
    write_log(tmp_path / "log", records)
    wb = Workbench(tmp_path / "log", **settings)
    return wb, wb.explore("things")


def view(explorer: Explorer, **asked: Any) -> dict[str, Any]:
    return explorer.answer({"kind": "view", "id": 1, "view": 1, **asked})


def shown(explorer: Explorer, **asked: Any) -> list[str]:
    return [row["cells"][1][0] for row in view(explorer, **asked)["rows"]]


VALUES: list[dict | None] = [
    {"N": "10"},
    {"N": "9"},
    {"N": "99999999999999999999999999999999999998"},
    {"N": "99999999999999999999999999999999999997"},
    {"N": "-1E-120"},
    {"S": ""},
    {"S": "日本"},
    {"S": "a\u202eb" + "x" * 500},
    {"B": "AP8="},
    {"BOOL": True},
    {"NULL": True},
    {"NS": ["2", "1"]},
    {"L": []},
    None,
]


def test_any_values_are_sorted_by_their_types_and_shown_for_people(noon, tmp_path):
    _, explorer = opened(tmp_path, VALUES)
    texts = shown(explorer, sort=1)
    numbers = ["-1E-120", "9", "10", "9" * 37 + "7", "9" * 37 + "8"]
    assert texts[:6] == [*numbers, "true"]
    assert texts[6:9] == ['""', "a\\u202eb" + "x" * (120 - len("a\\u202eb")) + " …", "日本"]
    assert texts[9:] == ["0x00ff", "[]", "{1, 2}", "NULL", ""] or texts[9:] == ["0x00ff", "{1, 2}", "[]", "NULL", ""]
    kinds = [row["cells"][1][1] for row in view(explorer, sort=1, descending=True)["rows"]]
    assert kinds[-1] == "absent", "what is not there is last, either way"
    assert kinds[0] == "null"
    assert kinds.count("number") == 5
    (whole,) = [row["cells"][1][2] for row in view(explorer)["rows"] if row["cells"][1][2]]
    assert len(whole) == 500 + len("a\\u202eb")
    names = explorer.facts()["columns"][1]["type"].split(" or ")
    assert set(names) == {"number", "text", "boolean", "binary", "set of numbers", "list"}


def test_a_page_is_of_the_whole_state(noon, tmp_path):
    _, explorer = opened(tmp_path, [{"N": str(number)} for number in range(2 * PAGE + 20)])
    assert shown(explorer, sort=1, descending=True)[:2] == ["119", "118"]
    last = view(explorer, sort=1, first=2 * PAGE)
    assert [row["cells"][1][0] for row in last["rows"]] == [str(number) for number in range(100, 120)]
    assert (last["there"], last["shown"]) == (120, 120)
    assert shown(explorer, where="v >= 117") == ["117", "118", "119"]
    assert view(explorer)["shown"] == 3, "a filter stays until it is another"
    assert view(explorer, where="", first=10**9)["rows"] == []


def test_an_item_tells_its_versions_and_how_each_came_to_be(noon, tmp_path):
    states = [(NOON, KEY | {"n": {"N": "1"}}), (NOON + 1_000_000, KEY | {"n": {"N": "2"}, "s": {"S": ""}})]
    states += [(NOON + 2_000_000, None), (NOON + 3_000_000, KEY)]
    write_log(tmp_path / "log", chain(KEY, states))
    explorer = Workbench(tmp_path / "log").explore("things")
    told = explorer.answer({"kind": "item", "item": 0})
    assert (told["key"], told["versions"]) == ("pk=x", 3)
    assert [each["what"] for each in told["told"]] == ["inserted", "removed", "changed", "inserted"]
    assert told["told"][2]["attributes"] == [
        ["n", ("1", "number", ""), ("2", "number", "")],
        ["s", ("", "absent", ""), ('""', "empty", "")],
    ]
    assert explorer.key == {"pk": "x"}
    steps = [view(explorer, step=-1)["when"] for _ in range(4)]
    assert steps == [f"2026-01-01 12:00:0{second}" for second in (2, 1, 0, 0)]
    assert view(explorer, step=2)["at"] == NOON + 2_000_000
    changes = explorer.facts()["changes"]
    assert {name: sum(counts) for name, counts in changes.items()} == {
        "inserts": 2, "modifies": 1, "removes": 1, "ttl_removes": 0,
    }  # fmt: skip


def test_what_was_typed_is_read_or_refused_in_one_line_and_nothing_moves(noon, tmp_path):
    _, explorer = opened(tmp_path, [{"N": "1"}])
    assert view(explorer, at="2026-01-01 13:00")["at"] == NOON + 3_600_000_000
    for asked, why in (
        ({"at": "yesterdayish", "of": "at"}, "is not an instant"),
        ({"at": 0, "where": "v >"}, "is wrong at its end"),
        ({"where": "new.v > 1"}, "are of changes"),
    ):
        answer = view(explorer, **asked)
        assert answer["kind"] == "error"
        assert why in answer["error"]
        assert "\n" not in answer["error"]
        assert explorer.at == when(NOON + 3_600_000_000)
    with pytest.raises(ParameterError, match="no second handle"):
        _ = explorer.difference


@pytest.mark.parametrize(
    "asked",
    [
        *({"kind": kind} for kind in ("nope", None, ["view"])),
        *({"kind": "view", "at": at} for at in (1e300, float("nan"), -(10**18), [1], None, True)),
        {"kind": "view", "at": 0, "compare": 1e300},
        *({"kind": "view", name: "1; x"} for name in ("first", "limit", "sort", "step")),
        {"kind": "item", "item": "x"},
    ],
)
def test_a_message_that_cannot_be_read_is_refused_in_a_line_and_nothing_moves(noon, tmp_path, asked):
    _, explorer = opened(tmp_path, [{"N": "1"}, {"N": "2"}])
    before = repr(explorer)
    answer = explorer.answer(asked)
    assert (answer["kind"], answer["error"].count("\n")) == ("error", 0)
    assert repr(explorer) == before


def test_a_page_is_never_more_than_one_whatever_is_asked(noon, tmp_path):
    _, explorer = opened(tmp_path, [{"N": str(number)} for number in range(60)])
    for limit, rows in ((-1, 1), (0, 50), (10**30, 50)):
        assert len(view(explorer, limit=limit)["rows"]) == rows
    assert view(explorer, first=10**30)["rows"] == []
    assert view(explorer, sort=999, step=10**30)["kind"] == "view"


def test_an_attribute_that_no_item_ever_had_is_told_in_the_sql_of_the_question(noon, tmp_path):
    wb, explorer = opened(tmp_path, [{"N": "1"}])
    explorer.where = "nope is absent or v[3] is null"
    assert len(explorer.state) == 1
    assert explorer.sql == wb.sql("latest_state", "things", as_of=explorer.at, where=explorer.where)


@pytest.mark.parametrize("values", [[], [None], [{"N": "1"}]])
def test_a_table_without_items_and_one_of_one_change_have_an_explorer(noon, tmp_path, values):
    if not values:
        removed = record("REMOVE", KEY, NOON, old=KEY)
        write_log(tmp_path / "log", [removed])
        explorer = Workbench(tmp_path / "log").explore("things")
    else:
        _, explorer = opened(tmp_path, values)
    assert len(explorer.state) == len(view(explorer)["rows"]) == len(values)
    assert view(explorer, step=1)["kind"] == "view"
    assert view(explorer, compare=NOON - 1, mode="difference")["comparison"]["counts"]["added"] == len(values)
    assert "things" in explorer.still()["text/html"]
    assert explorer.answer({"kind": "item", "item": 0})["kind"] == ("item" if values else "error")
    assert "\n" not in repr(explorer)


@pytest.mark.parametrize("name", ["first.name", 'q"t', "o'b", "版本", "valid_from", "version", "select", "a[0]", "-2d"])
def test_attributes_may_be_called_anything_and_the_sql_gives_the_same(noon, tmp_path, name):
    images = [{"pk": {"S": str(number)}, name: {"N": str(number % 3)}} for number in range(6)]
    write_log(tmp_path / "log", [record("INSERT", {"pk": each["pk"]}, NOON, new=each) for each in images])
    wb = Workbench(tmp_path / "log")
    column = next(each["name"] for each in wb.explore("things").facts()["columns"] if each["name"] != "pk")
    quoted = '"' + name.replace('"', '""') + '"'
    explorer = wb.explore("things", at="2026-01-01T12:00Z", where=f"{quoted} < 2")
    number = [each["name"] for each in explorer.facts()["columns"]].index(column)
    answer = view(explorer, sort=number, descending=True)
    assert answer["sql"].startswith("select *")
    asked = wb.query(answer["sql"]).df
    assert asked["pk"].tolist() == [row["cells"][0][0] for row in answer["rows"]] == ["1", "4", "0", "3"]


def test_a_condition_that_queries_have_no_words_for_is_told_in_the_sql_of_the_question(noon, tmp_path):
    wb, explorer = opened(tmp_path, [{"N": "1"}, {"S": "a"}])
    explorer.where = "size(v) = 1"
    assert explorer.sql == wb.sql("latest_state", "things", as_of=explorer.at, where="size(v) = 1")
    explorer.where = "v = 1"  # of numbers and texts, which in a query are texts
    assert "timestamp as of" not in explorer.sql
    assert explorer.python == "wb.latest_state('things', as_of='2026-01-01T12:00:01Z', where='v = 1')"
    assert len(eval(explorer.python, {"wb": wb})) == len(explorer.state) == 1


def test_columns_keep_every_digit_and_every_type():
    values = [Decimal("1.10"), 1, 1.5, True, "1", b"1", None, frozenset({1}), [1], {}, pd.NA]
    column = column_of(pd.Series(values, dtype=object, name="x"))
    taken = column.taken(pd.Series(range(len(values))).to_numpy())
    assert taken.tolist() == values
    assert [type(value) for value in taken] == [type(value) for value in values]


def test_a_table_that_was_made_again_with_another_key_has_the_keys_it_had(noon, tmp_path):
    old, new = {"pk": {"S": "a"}}, {"id": {"N": "7"}}
    records = chain(old, [(NOON, old | {"n": {"N": "1"}})]) + chain(new, [(NOON + 1_000_000, new | {"n": {"N": "2"}})])
    write_log(tmp_path / "log", records)
    explorer = Workbench(tmp_path / "log").explore("things", compare_to=when(NOON))
    told = [explorer.answer({"kind": "item", "item": item}) for item in (0, 1)]
    assert sorted(each["key"] for each in told) == ["id=7", "pk=a"]
    assert explorer.key in ({"id": 7}, {"pk": "a"})
    assert sorted(explorer.difference["item"]) == ["added", "removed"]
    assert explorer.state["id"].tolist() == [7]


def test_a_log_of_keys_alone_has_no_items_and_says_why(noon, tmp_path):
    write_log(tmp_path / "log", changes_of("KEYS_ONLY"))
    explorer = Workbench(tmp_path / "log").explore("things")
    assert "no state of an item is known" in repr(explorer)
    assert view(explorer)["rows"] == []
    assert "the log holds" in explorer.facts()["summary"]


@pytest.mark.parametrize("report", [False, True])
def test_without_anywidget_a_notebook_says_what_to_install_and_a_report_needs_none(noon, tmp_path, monkeypatch, report):
    wb, _ = opened(tmp_path, [{"N": "1"}])
    monkeypatch.setattr("workbench.explorer.explorer.in_notebook", lambda: True)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    if report:
        monkeypatch.setenv("_WORKBENCH_REPORT", str(tmp_path))
        shown = []
        monkeypatch.setattr("IPython.display.display", lambda part, **_: shown.append(part))
        wb.explore("things", compare_to="2026-01-01T12:00Z")._ipython_display_()
        chart, items = shown
        assert chart.get_title("left").startswith("things: 1 change")
        assert len(chart.lines) == 2, "a line for each handle that is in the chart"
        assert items.asked["question"] == "latest_state"
        assert len(items) == 1
    else:
        with pytest.raises(ConfigError, match=r"needs anywidget, which is not installed: pip install '.\[lab\]'"):
            wb.explore("things")


def test_outside_of_a_notebook_it_says_so_in_a_line_and_answers(noon, tmp_path):
    _, explorer = opened(tmp_path, [{"N": "1"}])
    told = "the explorer of things: 1 item at 2026-01-01 12:00:00 UTC; it shows itself in JupyterLab, and here .state"
    assert repr(explorer).startswith(told)


SECRETS = ["GEHEIM-a", "GEHEIM-b", "GEHEIM-c", "GEHEIM-d"]


@pytest.mark.parametrize("how", ["hash", "redact"])
@pytest.mark.parametrize("masked", ["v", "pk"])
def test_a_mask_holds_in_all_that_is_seen_and_in_its_order(noon, tmp_path, how, masked):
    orders = []
    for number, order in enumerate((SECRETS, SECRETS[::-1])):  # the same but for who has which secret
        images = []
        for at, secret in enumerate(order):
            pk, v = (secret, f"{at}") if masked == "pk" else (f"{at}", secret)
            images.append({"pk": {"S": pk}, "v": {"S": v}})
        folder = tmp_path / f"log {number}"
        write_log(folder, [record("INSERT", {"pk": each["pk"]}, NOON, new=each) for each in images])
        wb = Workbench(folder, mask=[masked], mask_with=how, mask_salt="s")
        explorer = wb.explore("things")
        explorer.compare_to = "2026-01-01T11:00Z"
        columns = range(len(explorer.facts()["columns"]))
        answers = [view(explorer, sort=column, mode=mode) for column in columns for mode in ("state", "difference")]
        answers.append(explorer.answer({"kind": "item", "item": 0}))
        told = [*answers, explorer.facts(), explorer.still(), explorer.key, explorer.state.to_dict()]
        assert "GEHEIM" not in repr([told, explorer.sql, explorer.difference.to_dict()])
        refused = view(explorer, where=f"{masked} > 'GEHEIM-b'")
        assert refused["kind"] == "error"
        assert "GEHEIM" not in refused["error"]
        assert "masked" in refused["error"]
        with pytest.raises(ParameterError, match="masked"):
            wb.explore("things", where=f"{masked} = 'GEHEIM-b'")
        other = 1 - ["pk", "v"].index(masked)
        orders.append([row["cells"][other][0] for row in view(explorer, compare=None)["rows"]])
    if how == "redact":
        assert orders[0] == orders[1], "the order tells who has which"


def test_items_that_a_mask_makes_look_alike_are_still_told_apart(noon, tmp_path):
    one, other = ({"pk": {"S": name}, "n": {"N": "1"}} for name in ("a", "b"))
    records = chain({"pk": one["pk"]}, [(NOON, one), (NOON + 2, one | {"n": {"N": "2"}})])
    records += chain({"pk": other["pk"]}, [(NOON + 1, other), (NOON + 3, None)])
    write_log(tmp_path / "log", records)
    explorer = Workbench(tmp_path / "log", mask=["pk"], mask_with="redact").explore("things", at=when(NOON + 3))
    explorer.compare_to = when(NOON + 1)
    assert sorted(explorer.difference["item"]) == ["changed", "removed"]


def test_what_was_known_then_and_what_an_export_knew_hold_here_too(noon, tmp_path):
    from tests.log.test_exports import items, write_export

    write_export(tmp_path / "exports", [items({"pk": "old", "n": 1})], when(NOON - 86_400_000_000))
    new = {"pk": {"S": "new"}, "n": {"N": "2"}}
    write_log(tmp_path / "log", [record("INSERT", {"pk": new["pk"]}, NOON, new=new)])
    explorer = Workbench(tmp_path / "log", baseline=tmp_path / "exports").explore("things")
    assert explorer.state["pk"].tolist() == ["new", "old"]
    assert sum(explorer.facts()["changes"]["inserts"]) == 1, "that an export knows an item is no change of it"
    assert explorer.answer({"kind": "item", "item": 1})["told"][0]["what"] == "known from the export"
    assert micros_of(explorer.at) == NOON
