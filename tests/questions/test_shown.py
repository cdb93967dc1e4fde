"""What people see of an answer: as wide as their terminal, the newest change first, and no text of Python's."""

from __future__ import annotations

import gzip
import json
import re
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from rich.cells import cell_len

from tests.helpers.logs import chain, micros, write_log
from workbench import Workbench
from workbench.cli import main
from workbench.errors import ParameterError
from workbench.questions.large import LargeFrame, first_of
from workbench.questions.what_changed import with_what_changed
from workbench.terminal import print_frame
from workbench.vocabulary import COUNTED_BY

NOON = micros("2026-01-01T12:00:00")
HOUR = 3_600_000_000
LONG_KEY = "k" * 36
PYTHON = re.compile(
    r"frozenset|Decimal\(|Timestamp|datetime\.|\bb'|\bNone\b|\bnan\b|\bNaT\b|<NA>|\bTrue\b|\bFalse\b|array\(|\+00:00|\.000000"
)
"""What only Python spells so; and the zone and microseconds that nobody reads."""


def item(key: str, **attributes: object) -> dict:
    return {"pk": {"S": key}, **attributes}


def every_type(at: int) -> dict:
    return {
        "n": {"N": f"12345678901234567890.{at + 1}"},
        "b": {"B": "AAEC"},
        "flag": {"BOOL": bool(at % 2)},
        "nothing": {"NULL": True},
        "names": {"SS": ["a", f"b{at}"]},
        "numbers": {"NS": ["1", f"2.{at}"]},
        "bytes": {"BS": ["AA==", "AQ=="][: at + 1]},
        "list": {"L": [{"N": "1.50"}, {"B": "AAEC"}, {"M": {"x": {"SS": ["q"]}}}, {"NULL": True}, {"BOOL": True}]},
        "map": {"M": {"inner": {"N": str(at)}, "empty": {"M": {}}}},
        "mail": {"S": f"GEHEIM{at}"},
    }


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> str:
    """Every type of DynamoDB's, absent here and there, changes, a deletion and one by TTL, a duplicate, a lost change."""
    made = []
    for number, key in enumerate([LONG_KEY, "x", "y"]):
        states = [(NOON + (10 * number + at) * HOUR, item(key, **every_type(at))) for at in range(4)]
        states.append((NOON + (10 * number + 5) * HOUR, item(key, **every_type(4)) if key != "y" else None))
        rows = chain(item(key), states)
        made += rows[:2] + rows[3:] + rows[:1]
    return str(write_log(tmp_path_factory.mktemp("shown") / "log", made))


@pytest.fixture(scope="module")
def wb(log, tmp_path_factory) -> Workbench:
    return Workbench(log, home=tmp_path_factory.mktemp("home"))


def run(*arguments: str, columns: int = 160, code: int = 0, **options: object):
    ran = CliRunner(env={"COLUMNS": str(columns)}).invoke(main, arguments, **options)
    assert ran.exit_code in (code, 3), ran.output
    return ran


ASKED = [
    ["latest_state", "things", "--include-deleted"],
    ["latest_state", "things", "--vertical"],
    ["get", "things", "--key", "pk=x", "--as-of", "2026-01-02T01:00Z"],
    ["stale", "things", "2030-01-01"],
    ["changes", "things"],
    ["changes", "things", "--vertical"],
    ["changes", "things", "--columns", "pk,n,b,flag,names,bytes,list"],
    ["versions", "things"],
    ["versions", "things", "--names", "dbt", "--vertical"],
    ["item_history", "things", "--key", "pk=y"],
    ["item_history", "things", "--limit", "40"],
    ["diff", "things", "2026-01-01T13:30Z"],
    ["diff", "things", "2026-01-01T13:30Z", "--vertical"],
    *(["change_frequency", "things", "--by", by] for by in COUNTED_BY),
    ["transitions", "things", "flag"],
    ["trend", "things", "max(n)"],
    ["lifetimes", "things", "--by", "flag"],
    ["profile", "things"],
    ["data_quality", "things"],
    ["data_quality", "things", "--columns", "finding,examples"],
    ["query", "select pk, n, b, flag, names, list from things"],
    ["ask", "attribute_types", "things"],
    ["undo", "things", "--to", "2026-01-01T13:30Z"],
    ["tables"],
]


@pytest.mark.parametrize("asked", ASKED, ids=" ".join)
def test_nothing_that_a_person_reads_is_spelt_as_python_spells_it(log, asked):
    if asked[:2] == ["ask", "attribute_types"]:
        asked = ["ask", "schema_drift", "things"]
    ran = run(*asked, "--source", log)
    assert ran.stdout.strip()
    assert PYTHON.findall(ran.stdout + ran.stderr) == []


@pytest.mark.parametrize("how", ["state", "changes", "history", "versions", "diff", "quality", "transitions"])
def test_nor_is_what_a_notebook_shows(wb, how):
    shown = {
        "state": lambda: wb.latest_state("things", include_deleted=True),
        "changes": lambda: wb.changes("things"),
        "history": lambda: wb.item_history("things", "pk=y"),
        "versions": lambda: wb.versions("things"),
        "diff": lambda: wb.diff("things", "2026-01-01T13:30Z"),
        "quality": lambda: wb.data_quality("things"),
        "transitions": lambda: wb.transitions("things", "flag"),
    }[how]()._repr_html_()
    assert "2026-01-0" in shown or "missing changes" in shown
    assert PYTHON.findall(re.sub(r"<style>.*?</style>", "", shown, flags=re.DOTALL)) == []


def test_nor_are_the_cells_of_a_csv(log):
    printed = run("latest_state", "things", "--include-deleted", "--source", log, "--format", "csv").stdout
    assert set(PYTHON.findall(printed)) <= {".000000"}  # all times are as wide, for whoever sorts or cuts them
    assert re.search(r",12345678901234567890\.[1-9],", printed)


# --- as wide as the terminal


@pytest.mark.parametrize("columns", [80, 120, 200, 250])
@pytest.mark.parametrize("asked", [["latest_state"], ["changes"], ["versions"]], ids=" ".join)
def test_a_table_is_as_wide_as_the_terminal_and_keys_are_never_cut(log, asked, columns):
    lines = run(*asked, "things", "--source", log, columns=columns).stdout.splitlines()
    assert max(cell_len(line.rstrip()) for line in lines) <= columns
    assert LONG_KEY in "".join(line.split(" ")[0] for line in lines)  # which may be folded


def test_more_room_shows_more_columns(log):
    wide, narrow = (run("latest_state", "things", "--source", log, columns=n).stdout for n in (250, 80))
    assert len(wide.splitlines()[0].split()) > len(narrow.splitlines()[0].split())
    assert re.search(r"… \d+ more columns", narrow)


def test_a_key_without_room_is_folded_and_all_of_it_is_there(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    print_frame(pd.DataFrame({"pk": ["k" * 100] * 2, "sk": ["s" * 30] * 2, "n": [1, 1], "at": ["then"] * 2}), keys=2)
    printed = capsys.readouterr().out
    assert printed.count("k") == 200 + 2
    assert printed.count("s") == 60 + 1
    assert max(map(len, printed.splitlines())) <= 40


def test_what_was_asked_about_is_always_there(log):
    state = run("latest_state", "things", "--where", "map.inner >= 0", "--source", log, columns=80).stdout
    assert "map.inner" in state.splitlines()[0]
    shown = run("changes", "things", "--where", "map.inner >= 0 and flag = true", "--source", log, columns=110).stdout
    for line in shown.splitlines()[1:]:
        assert "map.inner" in line or "more row" in line
        assert "flag" in line or "more row" in line


# --- what changed


def test_changes_show_the_newest_first_and_what_changed(log):
    header, first, *others = run("changes", "things", "--source", log, columns=250).stdout.splitlines()
    assert header.split() == ["pk", "ts", "event_name", "what", "changed"]
    assert re.match(r"y .* REMOVE +−b 0x000102; −bytes {", first)
    times = re.findall(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "\n".join([first, *others]))
    assert times == sorted(times, reverse=True)
    shown = "\n".join(others)
    assert re.search(r"flag false → true; .*; map.inner \d → \d; n 12345678901234567890.1 → 1234", shown)
    each = run("changes", "things", "--source", log, "--vertical").stdout
    assert re.search(r'^names +−{"b0"} \+{"b1"}', each, re.MULTILINE)


@pytest.mark.parametrize(
    ("old", "new", "text"),
    [
        (288, 672, "balance 288 → 672"),
        (pd.NA, 1, "+balance 1"),
        ("1", 1, 'balance "1" → 1'),
        (True, 1, "balance true → 1"),
        (None, pd.NA, "−balance NULL"),
        (pd.NA, None, "+balance NULL"),
        (Decimal("1.5"), Decimal("1.50"), ""),
        ([1, b"\x01"], [1, b"\x02"], "balance [1, 0x01] → [1, 0x02]"),
        (frozenset({1, 2}), frozenset({2, 3}), "balance −{1} +{3}"),
        ({}, {"a": 1}, "balance {} → {a: 1}"),
    ],
)
def test_what_changed_is_told_by_its_values_and_their_types(old, new, text):
    at = pd.Timestamp("2026-11-01", tz="UTC")
    columns = ["pk", "ts", "event_name", "by_ttl", "old.balance", "new.balance", "old.same", "new.same"]
    df = pd.DataFrame([["a", at, "MODIFY", False, None, None, 1, 1]], columns=columns).astype(object)
    df.at[0, "old.balance"], df.at[0, "new.balance"] = old, new
    assert with_what_changed(df, 1)["what changed"].item() == text


def test_of_long_values_that_is_shown_where_they_differ():
    at = pd.Timestamp("2026-11-01", tz="UTC")
    row = ["a", at, "MODIFY", False, "x" * 500 + "old" + "y" * 500, "x" * 500 + "new" + "y" * 500]
    df = pd.DataFrame([row], columns=["pk", "ts", "event_name", "by_ttl", "old.note", "new.note"])
    text = with_what_changed(df, 1)["what changed"].item()
    assert re.fullmatch(r"note … x+oldy+ … → … x+newy+ …", text)
    assert len(text) < 150


def test_without_old_images_values_are_told_and_no_change_is_made_up():
    at = pd.Timestamp("2026-11-01", tz="UTC")
    df = pd.DataFrame([["a", at, "MODIFY", False, 2]], columns=["pk", "ts", "event_name", "by_ttl", "new.n"])
    assert with_what_changed(df, 1)["what changed"].item() == "n = 2"


def test_masked_values_are_masked_in_what_changed(log):
    for verb in (["changes", "things"], ["changes", "things", "--vertical"], ["changes", "things", "--where", "n > 1"]):
        shown = run(*verb, "--source", log, "--mask", "mail", "--mask-with", "redact", columns=250).output
        assert "GEHEIM" not in shown
        assert "[masked]" in shown


def test_a_single_change_is_shown_attribute_by_attribute(log):
    printed = run("changes", "things", "--source", log, "--limit", "1", "--events", "MODIFY").stdout
    lines = {name: value.strip() for name, _, value in (line.partition(" ") for line in printed.splitlines())}
    assert lines["event_id"]
    assert lines["flag"] == "false → true"
    assert lines["nothing"] == "NULL"


# --- which rows and columns


def test_columns_order_and_limit_are_of_what_is_printed_written_and_handed_on(log, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    chosen = ["--columns", "flag,pk", "--order", "newest", "--limit", "2", "--source", log]
    ran = run("versions", "things", *chosen, "--json")
    rows = json.loads(ran.stdout)
    assert [list(row) for row in rows] == [["flag", "pk"], ["flag", "pk"]]
    assert "the newest 2 of" in ran.stderr
    ran = run("versions", "things", *chosen, "--out", "v.tsv")
    assert Path("v.tsv").read_text().splitlines()[0] == '"flag"\t"pk"'
    assert any("the newest 2 of" in note for note in json.loads(Path("v.tsv.meta.json").read_text())["notes"])
    table = run("versions", "things", *chosen).stdout
    assert table.splitlines()[0].split() == ["flag", "pk"]
    oldest = json.loads(run("changes", "things", "--source", log, "--order", "oldest", "--limit", "1", "--json").stdout)
    assert oldest[0]["ts"].startswith("2026-01-01T12:00:00")


def test_an_attribute_stands_for_what_is_below_it_and_in_changes_for_both_images(wb):
    assert list(wb.latest_state("things", include_deleted=True).select("pk,map")) == ["pk", "map.empty", "map.inner"]
    assert list(wb.changes("things").select(["n", "map"])) == [
        "new.n",
        "old.n",
        "new.map.empty",
        "new.map.inner",
        "old.map.empty",
        "old.map.inner",
    ]


@pytest.mark.parametrize(
    ("chosen", "why"),
    [
        ({"columns": "pk,flga"}, "has no column 'flga'. Did you mean 'flag'"),
        ({"columns": ","}, "name a column"),
        ({"order": "latest"}, "use newest or oldest"),
        ({"limit": -1}, "no number of rows"),
    ],
)
def test_what_cannot_be_chosen_is_refused_in_a_line(wb, chosen, why):
    with pytest.raises(ParameterError, match=why):
        wb.latest_state("things", include_deleted=True).select(**chosen)


def test_what_has_no_time_is_not_ordered_by_it(log):
    ran = CliRunner().invoke(main, ["diff", "things", "2026-01-01T13:30Z", "--order", "newest", "--source", log])
    assert (ran.exit_code, ran.stdout) == (1, "")
    assert "no time of its own to order by" in ran.stderr


def test_the_verdict_is_of_all_findings_whatever_is_shown(wb):
    whole = wb.data_quality("things")
    few = whole.select("finding", limit=1)
    assert (len(few), few.verdict) == (1, whole.verdict)


def test_of_a_large_frame_no_more_parts_are_made_than_are_shown():
    made = []

    def make():
        for at in range(9):
            made.append(at)
            yield pd.DataFrame({"n": [at, at]})

    frame = LargeFrame(make, 18, pd.DataFrame({"n": pd.Series(dtype="int64")}))
    assert first_of(frame, 3)["n"].to_list() == [0, 0, 1]
    assert made == [0, 1]
    assert list(first_of(frame, 0)) == ["n"]


# --- for programs


def test_all_rows_are_printed_as_a_program_wants_them(log):
    frame = pd.read_csv(StringIO(run("changes", "things", "--source", log, "--out", "-").stdout))
    assert len(frame) == 12
    tabs = pd.read_csv(StringIO(run("changes", "things", "--source", log, "--format", "tsv").stdout), sep="\t")
    assert list(tabs) == list(frame)
    lines = run("changes", "things", "--source", log, "--format", "jsonl").stdout.splitlines()
    assert [json.loads(line)["event_id"] for line in lines] == list(frame["event_id"])
    assert run("tables", "--source", log, "--json").stdout
    ran = CliRunner().invoke(main, ["changes", "things", "--source", log, "--format", "csv", "--json"])
    assert ran.exit_code == 2


def test_a_file_that_ends_in_gz_is_packed_and_the_same_every_time(wb, tmp_path):
    answer = wb.changes("things")
    for kind in ("csv", "tsv", "json", "jsonl"):
        plain, packed, again = (answer.write(tmp_path / name) for name in (f"a.{kind}", f"a.{kind}.gz", f"b.{kind}.gz"))
        assert gzip.decompress(Path(packed).read_bytes()) == Path(plain).read_bytes()
        assert Path(packed).read_bytes() == Path(again).read_bytes()
    assert gzip.decompress(Path(answer.to_jsonl(tmp_path / "c.jsonl.gz")).read_bytes())
    assert gzip.decompress(Path(answer.to_csv(tmp_path / "d.gz")).read_bytes()).startswith(b'"pk"')
