"""The command line: a verb for every question, one line for every error."""

from __future__ import annotations

import inspect
import json
import os
import re
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import click
import pandas as pd
import pytest
from click.testing import CliRunner

from tests.helpers.logs import chain, micros, record, write_log
from workbench import Workbench
from workbench.cli import main
from workbench.sandbox import ItemStore

ROOT = Path(__file__).resolve().parents[1]
NOON = micros("2026-01-01T12:00:00")
KEY = {"pk": {"S": "x"}}
A, B = (KEY | {"n": {"N": number}} for number in ("1", "2.5"))
VERBS = sorted(main.commands)
QUESTIONS = {
    "estimate": "sql",
    "create_table": "table",
    "table_ddl": "table",
    "export_status": "baseline",
    "export_baseline": "baseline",
    "connect": "export_db",
    "estimate_query": "query",
    "create_views": "view",
    "views": "view",
    "drop_views": "view",
    "view_ddl": "view",
}
HEAVY = {"awswrangler", "matplotlib", "papermill", "faker", "boto3", "nbconvert"}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A folder without settings or a lake."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("WORKBENCH_")]:
        monkeypatch.delenv(name)
    return tmp_path


@pytest.fixture
def log(tmp_path):
    """Two items, one of which changed and went."""
    other = {"pk": {"S": "y"}}
    records = chain(KEY, [(NOON, A), (NOON + 1_000_000, B)]) + chain(
        other, [(NOON, other), (NOON + 7_200_000_000, None)]
    )
    return str(write_log(tmp_path / "log", records))


def run(*arguments: str, code: int = 0):
    ran = CliRunner().invoke(main, arguments)
    assert ran.exit_code == code, ran.output
    return ran


def failed(*arguments: str) -> str:
    """The one line an error gives."""
    ran = run(*arguments, code=1)
    assert "Traceback" not in ran.output
    assert ran.stdout == ""
    (line,) = ran.stderr.splitlines()
    assert line.startswith("Error: ")
    return line


def process(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        **options,
    )


# --- verbs


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example_that_names_it(verb):
    shown = run(verb, "--help").stdout
    assert f"Example: workbench {verb}" in shown


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_says_what_it_is(verb):
    for parameter in main.commands[verb].params:
        if parameter.param_type_name == "option":
            assert parameter.help, parameter.name


def test_every_question_of_the_workbench_has_a_verb():
    asked = {name for name, _ in inspect.getmembers(Workbench, inspect.isfunction) if not name.startswith("_")} - {
        "close",
        "explore",  # which is moved by hand, in a notebook
    }
    assert {QUESTIONS.get(name, name) for name in asked} <= set(VERBS)


def test_the_example_of_every_verb_names_options_it_has():
    verbs = [(verb, command) for verb, command in main.commands.items() if not isinstance(command, click.Group)]
    verbs += [
        (f"{verb} {name}", inner)
        for verb, command in main.commands.items()
        if isinstance(command, click.Group)
        for name, inner in command.commands.items()
    ]
    for verb, command in verbs:
        known = {option for parameter in command.params for option in parameter.opts}
        line = next(line for line in command.help.splitlines() if "Example:" in line)
        assert {word for word in line.split() if word.startswith("-") and not word[1].isdigit()} <= known, verb


def test_the_version_is_shown():
    assert "version 0." in run("--version").stdout


# --- answers


def test_history_tells_a_life_on_the_terminal_and_every_row_to_a_program(log):
    shown = run("history", "things", "--from", log, "--key", "pk=x").stdout
    assert [line.split() for line in shown.splitlines() if "→" in line] == [["~", "n", "1", "→", "2.5"]]
    rows = json.loads(run("history", "things", "--from", log, "--key", "pk=x", "--key", "pk=y", "--json").stdout)
    assert [(row["pk"], row["event_name"]) for row in rows] == [
        ("x", "INSERT"),
        ("x", "MODIFY"),
        ("y", "INSERT"),
        ("y", "REMOVE"),
    ]
    assert "'pk' is no attribute" not in shown
    assert "is no attribute of the key, which is pk" in failed("history", "things", "--from", log, "--key", "id=x")
    assert "is no NAME=VALUE" in failed("history", "things", "--from", log, "--key", "x")


def test_a_composite_key_is_given_attribute_by_attribute(tmp_path):
    records = []
    for number in ("51", "52"):
        key = {"userId": {"N": "3"}, "transactionId": {"N": number}}
        records += chain(key, [(NOON, key)])
    folder = str(write_log(tmp_path / "log", records))
    keys = ("--key", "userId=3", "--key", "transactionId=51")
    (found,) = json.loads(run("changes", "things", "--from", folder, *keys, "--json").stdout)
    assert found["transactionId"] == 51
    assert len(json.loads(run("changes", "things", "--from", folder, *keys[:2], "--json").stdout)) == 2


def test_changes_and_latest_take_a_condition(log):
    where = ("--where", "n > 1 and new.n is not null")
    (found,) = json.loads(run("changes", "things", "--from", log, *where, "--event", "MODIFY", "--json").stdout)
    assert (found["new.n"], found["old.n"]) == (2.5, 1)
    ran = run("changes", "things", "--from", log, "--limit", "1", "--json")
    assert (json.loads(ran.stdout)[0]["event_name"], "the newest of 4" in ran.stderr) == ("REMOVE", True)
    (found,) = json.loads(run("latest", "things", "--from", log, "--where", "n >= 2.5", "--json").stdout)
    assert found["pk"] == "x"
    assert "expected" in failed("latest", "things", "--from", log, "--where", "n >=")
    assert "one image only" in failed("latest", "things", "--from", log, "--where", "new.n > 1")


def test_diff_says_how_many_items_differ_and_shows_them(log):
    shown = run("diff", "things", "2026-01-01T12:00", "2026-01-01T13:00", "--from", log).stdout
    assert shown.splitlines()[0] == "things: 1 changed; 1 items the same"
    assert shown.splitlines()[-1].split() == ["x", "changed", "n", "changed", "1", "2.5", "N", "N"]


def test_quality_exits_with_3_where_the_log_is_not_complete(log, tmp_path):
    assert run("quality", "things", "--from", log).stdout.startswith("things: the log can be trusted")
    gap = chain(KEY, [(NOON, A), (NOON + 1, B), (NOON + 2, A), (NOON + 3, None)])
    folder = str(write_log(tmp_path / "gap", [gap[0], gap[2]]))
    shown = run("quality", "things", "--from", folder, code=3).stdout
    assert "failed  missing changes: 1 (50.00% of changes)" in shown
    assert "→ look for it in Firehose's error prefix" in shown


def test_reconcile_and_baseline_work_on_the_item_store_and_the_exit_code_says_whether_they_agree(elsewhere):
    run("generate", "persons", "--items", "30", "--changes", "90")
    assert "persons: no difference" in run("reconcile", "persons").stdout
    folder = run("baseline", "start", "persons", "--to", "exports").stdout.strip()
    assert "no difference" in run("reconcile", "persons", "--against", folder).stdout
    with ItemStore(".workbench/store.sqlite") as store:
        store.put_item("persons", {"pk": "planted"})
        store.delivered("persons", list(store.pending("persons"))[-1][0])
    assert "persons: 1 missing" in run("reconcile", "persons", code=3).stdout
    assert "from the export of" in run("latest", "persons", "--baseline", "exports").stderr


def test_export_writes_any_answer_masked_with_what_it_is_from_beside_it(log, tmp_path):
    out = tmp_path / "history.csv"
    run("export", "history", "things", str(out), "--from", log, "--key", "pk=x", "--mask", "n", "--mask-with", "redact")
    df = pd.read_csv(out)
    assert df.loc[df["path"] == "n", "after"].tolist() == ["[masked]", "[masked]"]
    beside = json.loads((tmp_path / "history.csv.meta.json").read_text())
    assert (beside["question"], beside["table"], beside["rows"]) == ("item_history", "things", len(df))
    asked = ("export", "latest", "things", str(tmp_path / "latest.json"), "--from", log)
    run(*asked, "-p", "as_of=2026-01-01T12:00:00Z", "-p", "include_deleted=true")
    assert "exists already" in failed(*asked)
    assert json.loads((tmp_path / "latest.json.meta.json").read_text())["window"]["as_of"].startswith(
        "2026-01-01T12:00"
    )
    run("export", "changes", "things", "newest.json", "--from", log, "-p", "limit=1", "-p", "events=INSERT")
    assert len(json.loads(Path("newest.json").read_text())) == 1
    ran = run("export", "changes", "things", "x.json", "--from", log, "-p", "limit=few", code=2)
    assert "'few' is not a valid integer" in ran.stderr
    ran = run("export", "frequency", "things", "x.csv", "--from", log, "-p", "evry=1h", code=2)
    assert "'evry' is none; there are: every, start" in ran.stderr


def test_latest_reads_any_folder_of_logs_with_nothing_else_configured(log, tmp_path):
    out = tmp_path / "out.parquet"
    ran = run("latest", "things", "--from", log, "--as-of", "2026-01-01T12:00:00Z", "--out", str(out))
    df = pd.read_parquet(out)
    assert df["pk"].tolist() == ["x", "y"]
    assert df["n"].iloc[0] == 1
    assert ran.stdout == ""
    assert "2 rows from 1 object (" in ran.stderr
    assert str(out) in ran.stderr


@pytest.mark.parametrize("kind", ["parquet", "csv", "xlsx", "json"])
def test_latest_writes_each_kind_and_never_over_another_file(log, tmp_path, kind):
    out = str(tmp_path / f"out.{kind}")
    run("latest", "things", "--from", log, "--out", out)
    assert "exists already" in failed("latest", "things", "--from", log, "--out", out)
    run("latest", "things", "--from", log, "--out", out, "--overwrite")


def test_latest_prints_a_table_for_people_and_json_for_programs(log):
    assert "x" in run("latest", "things", "--from", log).stdout
    (row,) = json.loads(run("latest", "things", "--from", log, "--json").stdout, parse_float=Decimal)
    assert (row["pk"], row["n"], row["_changed_at"]) == ("x", Decimal("2.5"), "2026-01-01T12:00:01+00:00")


def test_deleted_items_are_shown_on_request(log):
    rows = json.loads(run("latest", "things", "--from", log, "--include-deleted", "--json").stdout)
    assert {row["pk"]: row.get("_deleted_at") for row in rows} == {"x": None, "y": "2026-01-01T14:00:00+00:00"}


def test_frequency_counts_over_time_and_by_item(log):
    hours = json.loads(run("frequency", "things", "--from", log, "--timezone", "Asia/Kolkata", "--json").stdout)
    assert [(row["bucket"], row["changes"]) for row in hours] == [
        ("2026-01-01T17:00:00+05:30", 3),
        ("2026-01-01T18:00:00+05:30", 0),
        ("2026-01-01T19:00:00+05:30", 1),
    ]
    items = json.loads(run("frequency", "things", "--from", log, "--by", "key", "--limit", "1", "--json").stdout)
    assert [(row["pk"], row["changes"], row["share"]) for row in items] == [("x", 2, 0.5)]
    (window,) = json.loads(
        run(
            "frequency",
            "things",
            "--from",
            log,
            "--every",
            "1d",
            "--start",
            "2020-01-01",
            "--end",
            "2020-01-02",
            "--json",
        ).stdout
    )
    assert window["changes"] == 0


def test_tables_of_a_folder_are_listed(log):
    (row,) = json.loads(run("tables", "--from", log, "--json").stdout)
    assert (row["table"], row["layout"], row["objects"]) == ("things", "raw", 1)


def test_sql_prints_text_that_can_be_pasted():
    shown = run("sql", "latest_state", "persons", "-p", "as_of=2026-01-01T12:00Z").stdout
    assert "timestamp '2026-01-01 12:00:00.000000'" in shown
    assert '"persons"' in shown


def test_a_key_of_a_flat_log_can_be_named(tmp_path):
    row = {"eventID": "1", "eventName": "INSERT", "tableName": "t", "ts": "2026-01-01T12:00:00Z", "id": "00123", "v": 1}
    (tmp_path / "flat.json").write_text(json.dumps(row))
    (found,) = json.loads(
        run("latest", "t", "--from", str(tmp_path / "flat.json"), "--key-name", "id", "--json").stdout
    )
    assert (found["id"], found["v"]) == ("00123", 1)


def test_a_long_answer_is_cut_for_people_and_whole_for_programs(tmp_path):
    items = [{"pk": {"S": f"{n:03}"}} for n in range(30)]
    log = str(write_log(tmp_path / "log", [record("INSERT", item, NOON, new=item) for item in items]))
    assert "10 more rows" in run("latest", "things", "--from", log).stdout
    assert len(json.loads(run("latest", "things", "--from", log, "--json").stdout)) == 30


def test_markup_in_a_value_is_shown_as_it_is(tmp_path):
    item = KEY | {"v": {"S": "[bold]x[/nothing]"}}
    log = str(write_log(tmp_path / "log", [record("INSERT", KEY, NOON, new=item)]))
    assert "[bold]x[/nothing]" in run("latest", "things", "--from", log).stdout


def test_unreadable_lines_are_named_on_stderr_and_the_others_answered(tmp_path):
    good = [json.dumps(each) for each in chain(KEY, [(NOON, A), (NOON + 1, B)])]
    path = tmp_path / "log.json"
    path.write_text("\n".join([good[0], *["{half"] * 7, good[1]]))
    ran = run("latest", "things", "--from", str(path), "--json")
    assert json.loads(ran.stdout)[0]["n"] == 2.5
    named = [line for line in ran.stderr.splitlines() if line.startswith("unreadable: ")]
    assert len(named) == 1, "one reason, one line"
    assert named[0].startswith(f"unreadable: {path}:2: not JSON")
    assert named[0].endswith(" (and 6 more such lines)")
    assert "7 unreadable lines" in ran.stderr, "each is counted"


def test_of_many_kinds_of_unreadable_lines_the_first_are_named(tmp_path):
    write_log(tmp_path, chain(KEY, [(NOON, A), (NOON + 1, B)]))
    for number in range(7):
        (tmp_path / f"{number}.json").write_text("{half")
    named = [line for line in run("latest", "things", "--from", str(tmp_path)).stderr.splitlines() if "unread" in line]
    assert [f"{tmp_path / str(at)}.json:1: not JSON" in line for at, line in enumerate(named[1:6])] == [True] * 5
    assert named[6] == "unreadable: and 2 more kinds"


# --- errors


@pytest.mark.parametrize("setting", ["home", "checkpoints"])
def test_a_place_that_may_not_be_written_names_its_setting(tmp_path, monkeypatch, setting):
    log = str(write_log(tmp_path / "log", chain(KEY, [(NOON, A)])))
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    if setting == "checkpoints":
        monkeypatch.setenv("WORKBENCH_CHECKPOINTS", str(tmp_path / "kept"))
    (tmp_path / {"home": "home", "checkpoints": "kept"}[setting]).write_text("a file where a folder should be")
    ran = run("checkpoint", "things", "--from", log, code=1)
    assert len(ran.stderr.splitlines()) == 1
    assert "Errno" not in ran.stderr
    assert f"the setting {setting} says where: set it (WORKBENCH_{setting.upper()}) to a folder" in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        (["latest", "thing", "--from", "LOG"], "Did you mean 'things'?"),
        (["latest", "things", "--from", "nowhere"], "nowhere does not exist"),
        (["latest", "things", "--from", "LOG", "--as-of", "noon"], "'noon' is not an instant: write it like"),
        (["latest", "things", "--from", "LOG", "--out", "x.txt"], "use one of .parquet"),
        (["frequency", "things", "--from", "LOG", "--every", "1x"], "every='1x' is no bucket"),
        (["frequency", "things", "--from", "LOG", "--timezone", "Mars"], "'Mars' is no time zone"),
        (
            ["frequency", "things", "--from", "LOG", "--start", "2026-01-02", "--end", "2026-01-01"],
            "the window is empty",
        ),
        (["sql", "latest_stat", "things"], "Did you mean 'latest_state'?"),
        (["sql", "latest_state", "things", "-p", "as_off=2026-01-01"], "as_off"),
    ],
)
def test_an_error_is_one_line_that_says_what_to_do(log, arguments, what):
    assert what in failed(*(log if each == "LOG" else each for each in arguments))


@pytest.mark.process
def test_debug_shows_the_traceback(log):
    ran = CliRunner().invoke(main, ["--debug", "latest", "thing", "--from", log])
    assert ran.exit_code == 1
    assert type(ran.exception).__name__ == "TableNotFound"
    shown = process("-c", "from workbench.cli import main; main()", "--debug", "latest", "thing", "--from", log)
    assert shown.returncode == 1
    assert "Traceback" in shown.stderr


def test_a_wrong_parameter_is_a_mistake_of_usage():
    assert "'as_of' is not NAME=VALUE" in run("sql", "latest_state", "persons", "-p", "as_of", code=2).output
    assert "No such option" in run("latest", "things", "--nothing", code=2).output


def test_a_folder_that_may_not_be_read_is_one_line_too(log, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(13, "Permission denied", log)

    monkeypatch.setattr("workbench.workbench.Workbench.tables", denied)
    assert "Permission denied" in failed("tables", "--from", log)


# --- start


@pytest.mark.process
def test_help_and_the_package_import_nothing_that_no_question_needs():
    show = f"import sys; print(sorted(set(sys.modules) & {HEAVY!r}))"
    for script in (
        "import workbench.cli",
        "from workbench import Workbench; Workbench()",
        "from workbench.cli import main; main(['latest', '--help'], standalone_mode=False)",
    ):
        ran = process("-c", f"{script}; {show}", check=True)
        assert ran.stdout.splitlines()[-1] == "[]", script


@pytest.mark.process
def test_a_process_of_its_own_answers_and_fails_as_it_should(log):
    start = ("-c", "from workbench.cli import main; main()")
    good = process(*start, "latest", "things", "--from", log, "--json")
    assert (good.returncode, json.loads(good.stdout)[0]["pk"]) == (0, "x")
    bad = process(*start, "latest", "thing", "--from", log)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert bad.stderr.startswith("Error: ")
    assert len(bad.stderr.splitlines()) == 1


def test_a_file_that_cannot_be_written_is_refused_before_the_question_is_asked(tmp_path):
    (tmp_path / "there.csv").write_text("mine")
    for out, why in (("answer.txt", "cannot write 'txt'"), ("there.csv", "exists already")):
        ran = CliRunner().invoke(main, ["latest", "things", "--from", "/nowhere", "--out", str(tmp_path / out)])
        assert ran.exit_code == 1
        assert why in ran.output


def test_an_instant_like_minus_two_days_is_an_argument_and_no_option(log):
    ran = run("diff", "things", "-20000d", "-1h30m", "--from", log)
    assert ran.exit_code == 0
    assert run("diff", "things", "-20000d", "now", "--from", log).stdout == ran.stdout
    assert "No such option" in run("diff", "things", "-d2", "--from", log, code=2).stderr


def test_a_window_of_frequency_is_of_its_time_zone(tmp_path):
    write_log(
        tmp_path,
        chain(
            {"pk": {"S": "x"}},
            [
                (micros(f"2026-11-{text}"), {"pk": {"S": "x"}, "n": {"N": str(number)}})
                for number, text in enumerate(["19T22:59", "19T23:00", "20T22:59", "20T23:00"])
            ],
        ),
    )
    asked = ("frequency", "things", "--from", str(tmp_path), "--timezone", "Europe/Berlin", "--every", "1d", "--json")
    ran = run(*asked, "--start", "2026-11-20", "--end", "2026-11-21")
    assert [(row["bucket"], row["changes"]) for row in json.loads(ran.stdout)] == [("2026-11-20T00:00:00+01:00", 2)]
    printed = run(*asked[:-1], "--start", "2026-11-19 23:00:00 UTC")
    assert "2026-11-20 00:00:00+0100" in printed.stdout


def test_a_query_is_read_from_a_file_as_editors_write_it(tmp_path):
    log = str(write_log(tmp_path / "log", chain(KEY, [(NOON, A)])))
    query = tmp_path / "q.sql"
    query.write_bytes(b"\xef\xbb\xbfselect count(*) as items\r\nfrom things; -- all of them\r\n")
    assert "items\n    1" in run("query", "--file", str(query), "--from", log).stdout
    for text in ("select 1 where 'é' = 'é'".encode("latin-1"), "select 1".encode("utf-16")):
        query.write_bytes(text)
        assert "it is no text in UTF-8 (at byte" in run("query", "--file", str(query), "--from", log, code=2).stderr


def test_a_query_may_begin_with_a_comment_which_is_no_option(log):
    for comment in ("-- how many?", "--how many = all?"):
        asked = ["query", f"{comment}\nselect count(*) as items from things", "--from", log]
        assert "items\n    1" in run(*asked).stdout
    assert "line 2, column 8, at 'nope'" in failed("query", "-- what?\nselect nope from things", "--from", log)
    assert "No such option" in run("query", "--nope", "--from", log, code=2).stderr


@pytest.mark.process
@pytest.mark.parametrize(
    "verb", [["--help"], ["--version"], ["config"], ["changes", "things", "--format", "csv"]], ids=" ".join
)
def test_a_full_disk_behind_standard_output_is_one_line(log, verb):
    if not Path("/dev/full").exists():
        pytest.skip("there is no /dev/full here")
    where = ["--source", log] if verb[0] == "changes" else []
    with open("/dev/full", "w") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "workbench", *verb, *where],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
    assert ran.returncode == 1
    (line,) = [line for line in ran.stderr.splitlines() if not re.match(r"\d+ rows? from", line)]
    assert re.fullmatch("Error: .*could not be written: No space left on device", line)


def test_an_instant_too_many_is_named_as_it_was_given(log):
    ran = run("diff", "things", "-2d", "-1d", "-3d", code=2)
    assert "(-3d)" in ran.stderr


def test_what_costs_nothing_is_not_told_and_notes_are_told_once(elsewhere):
    Workbench().generate("persons", items=20, changes=200, progress=False)
    ran = run("undo", "persons", "--to", "-3d")
    assert "write unit" in ran.stdout
    assert not re.search(r"\$|cent\b", ran.output)
    notes = [line.removeprefix("note: ") for line in ran.stdout.splitlines() if line.startswith("note: ")]
    assert [note for note in notes if note in ran.stderr] == []
    assert "$" not in run("changes", "persons").output
    assert "$" not in run("sql", "latest_state", "persons", "--estimate").output
