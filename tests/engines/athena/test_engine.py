"""Athena through awswrangler: what it costs, what goes wrong, and that nothing is left behind."""

from __future__ import annotations

import gzip
import json
import os
import re
import signal
import subprocess
import sys
import time
from base64 import b64decode
from datetime import timedelta
from pathlib import Path

import awswrangler as wr
import pytest
from click.testing import CliRunner

from tests.helpers import lakes
from tests.helpers.aws.clients import session_of
from tests.helpers.aws.lake import BUCKET, DATABASE, athena, declare, lake, place
from tests.helpers.logs import chain, write_log
from tests.helpers.questions import LATER, same
from workbench import Workbench
from workbench.aws.table_definitions import table_input
from workbench.cli import main
from workbench.errors import ConfigError, ParameterError, QueryError, ScanRefused, TableNotFound, WorkbenchError
from workbench.reports import run_report
from workbench.sandbox import ItemStore, dynamodb_writer

ROOT = Path(__file__).parents[3]


@pytest.fixture
def wb(empty, tmp_path):
    """A workbench over a log of the default layout."""
    lake(empty, tmp_path / "log")
    with_athena = athena(empty)
    yield with_athena
    with_athena.close()


def results(server) -> list[str]:
    found = session_of(server).client("s3").list_objects_v2(Bucket="results")
    return [item["Key"] for item in found.get("Contents", [])]


def refused(error: type[WorkbenchError], ask) -> str:
    with pytest.raises(error) as caught:
        ask()
    assert "\n" not in str(caught.value), "one line"
    return str(caught.value)


# --- what an answer says


def test_an_answer_tells_what_it_took_and_leaves_nothing_behind(wb, empty):
    result = wb.latest_state("things")
    assert len({query.id for query in result.stats.queries} & set(empty.queries)) == 2  # and what counts bad lines
    sizes = sum(item.size for item in wb._engine.catalog.objects(wb._engine.catalog.table("things")))
    assert result.stats.bytes == sizes
    assert result.stats.scanned >= sizes
    assert result.stats.cost == pytest.approx(
        sum(max(query.scanned, 10_000_000) for query in result.stats.queries) / 1e12 * 5
    )
    assert wb.spent.cost == result.stats.spent >= result.stats.cost
    assert "scanned" in result.summary
    assert "so far" in result.summary
    assert results(empty) == []
    before = wb.spent.queries
    wb.changes("things", start=LATER)
    assert wb.spent.queries > before


def test_the_configuration_of_awswrangler_is_left_alone(wb):
    before = wr.config.to_pandas().astype(str)
    wb.tables()
    wb.latest_state("things")
    assert wr.config.to_pandas().astype(str).equals(before)


def test_tables_show_the_logs_of_the_database_and_no_others(wb, empty):
    session_of(empty).client("glue").create_table(
        DatabaseName=DATABASE,
        TableInput={
            "Name": "orders",
            "StorageDescriptor": {"Columns": [{"Name": "id", "Type": "string"}], "Location": "s3://lake/x/"},
        },
    )
    (row,) = wb.tables().to_dict("records")
    assert (row["table"], row["layout"], row["objects"] > 5) == ("things", "envelope", True)
    assert "holds no change log" in refused(TableNotFound, lambda: wb.latest_state("orders"))
    assert "Did you mean 'things'?" in refused(TableNotFound, lambda: wb.latest_state("thing"))


def test_a_table_may_have_another_name_and_hold_several_tables(empty, tmp_path):
    made = lakes.records(3, changes=30)
    others = [(arrival, json.loads(json.dumps(change)) | {"tableName": "Others"}) for arrival, change in made]
    for _, change in others:
        change["eventID"] += "-other"
    lakes.write(tmp_path, [*made, *others], "envelope")
    declare(empty, table_input("all_changes", place(empty, tmp_path), first_year=2026))
    wb = athena(empty, table_names={"things": "all_changes", "Others": "all_changes"})
    assert wb.tables()["table"].tolist() == ["Others", "things"]
    for name in ("things", "Others"):
        expected = Workbench(tmp_path).latest_state(name).df
        same(wb.latest_state(name).df, expected)
    wb.close()


def test_a_large_answer_comes_in_parts(wb, monkeypatch):
    monkeypatch.setattr("workbench.engines.athena._BATCH", 7)
    parts = list(wb._engine.batches("changes", "things", start=lakes.START, end=lakes.START + timedelta(days=9)))
    assert len(parts) > 5
    assert sum(len(part.rows) for part in parts) == len(wb.changes("things").df)


def test_an_earlier_result_is_taken_again_where_that_is_wished(empty, tmp_path):
    lake(empty, tmp_path)
    wb = athena(empty, result_reuse="1h")
    first = wb.latest_state("things")
    started = len(empty.started)
    again = wb.latest_state("things")
    same(again.df, first.df)
    assert len(empty.started) == started
    assert [query.reused for query in again.stats.queries] == [True]
    wb.close()


# --- lines that are no change records


def test_lines_that_are_no_change_records_are_counted_and_named(empty, tmp_path):
    folder = lakes.write(tmp_path / "log", lakes.records(1), "envelope")
    damaged = sorted(folder.rglob("*.gz"))[2]
    lines = gzip.decompress(damaged.read_bytes()).decode().splitlines()
    lines[1:1] = ["not json", '{"event_id": "x"}']
    damaged.write_bytes(gzip.compress("\n".join(lines).encode()))
    declare(empty, table_input("things", place(empty, folder), first_year=2026))
    wb, on_files = athena(empty), Workbench(folder)
    found, expected = wb.latest_state("things"), on_files.latest_state("things")
    same(found.df, expected.df)
    assert [(each.line, each.reason) for each in found.stats.unreadable] == [
        (each.line, each.reason) for each in expected.stats.unreadable
    ]
    assert len(found.stats.unreadable) == 2
    assert {each.object.startswith(f"s3://{BUCKET}/") for each in found.stats.unreadable} == {True}
    same(
        wb.data_quality("things").df[["finding", "status", "count"]],
        on_files.data_quality("things").df[["finding", "status", "count"]],
    )
    counted = [each for each in empty.started if "group by path, table_name" in each["QueryString"]]
    assert len(counted) == 1, "an object is counted once"
    wb.close()


def test_an_image_that_is_no_json_costs_its_change_only(empty, tmp_path):
    good = chain({"pk": {"S": "x"}}, [(1_763_500_000_000_000, {"pk": {"S": "x"}, "n": {"N": "1"}})])
    bad = chain({"pk": {"S": "y"}}, [(1_763_500_000_000_000, {"pk": {"S": "y"}})])
    folder = write_log(tmp_path, good + bad, "envelope")
    path = folder / "object.json.gz"
    text = (
        gzip.decompress(path.read_bytes())
        .decode()
        .replace('\\"pk\\":{\\"S\\":\\"y\\"}}", "old', '\\"pk\\":{\\"S\\":\\"y", "old')
    )
    path.write_bytes(gzip.compress(text.encode()))
    declare(empty, table_input("things", place(empty, folder), partitions="none"))
    wb = athena(empty)
    found = wb.latest_state("things")
    assert found.df["pk"].tolist() == ["x"]
    assert len(found.stats.unreadable) == 1
    wb.close()


# --- cost


def test_a_window_reads_its_partitions_only_and_loses_nothing_late(wb, empty):
    whole = wb.estimate("changes", "things")
    part = wb.estimate("changes", "things", start=LATER, end="2026-11-18T14:00Z")
    assert 0 < part.bytes < whole.bytes
    before = len(empty.queries)
    asked = wb.changes("things", start=LATER, end="2026-11-18T14:00Z")
    scanned = [query.scanned for query in asked.stats.queries]
    assert asked.stats.bytes < whole.bytes
    assert max(scanned) <= asked.stats.bytes
    assert len(empty.queries) > before
    assert any("24h after the window" in note for note in asked.stats.notes)


def test_a_question_over_the_budget_never_reaches_athena_and_names_what_would_fit(wb, empty):
    whole = wb.estimate("changes", "things").bytes
    limited = athena(empty, max_scan_bytes=str(whole // 2))
    told = refused(ScanRefused, lambda: limited.change_frequency("things"))
    assert "max_scan_bytes" in told
    start = told.partition("start=")[2].split(" ")[0]
    assert empty.started == []
    assert len(limited.change_frequency("things", start=start).df)
    assert "raise max_scan_bytes" in refused(ScanRefused, lambda: limited.latest_state("things"))
    limited.close()


def test_only_partitions_that_hold_objects_are_looked_for(wb, empty):
    wb.latest_state("things")
    assert all('"arrival" ' in each["QueryString"] or "limit 1" in each["QueryString"] for each in empty.started)


# --- what goes wrong


def test_throttled_requests_are_tried_again(wb, empty):
    empty.faults.throttle(3)
    assert len(wb.latest_state("things").df)


def test_a_query_that_failed_for_a_transient_reason_is_started_again(wb, empty):
    empty.faults.fail("INTERNAL_ERROR: worker lost", retryable=True)
    assert len(wb.latest_state("things").df)
    assert len(results(empty)) == 0


@pytest.mark.parametrize(
    ("reason", "advice"),
    [
        ("Query exhausted resources at this scale factor", "narrower window"),
        ("HIVE_BAD_DATA: Error parsing field value", "workbench table create"),
        ("COLUMN_NOT_FOUND: line 1:8: Column 'x' cannot be resolved", "workbench table show"),
    ],
)
def test_a_failed_query_keeps_athenas_words_and_says_what_to_do(wb, empty, reason, advice):
    empty.faults.fail(reason, times=9)
    told = refused(QueryError, lambda: wb.latest_state("things"))
    assert reason in told
    assert advice in told
    assert results(empty) == []


def test_a_cancelled_query_is_an_error(wb, empty):
    empty.faults.cancel("Query cancelled by user", times=9)
    assert "cancelled by user" in refused(QueryError, lambda: wb.latest_state("things"))


def test_expired_credentials_are_one_line_that_says_so(wb, empty):
    empty.faults.expire()
    assert "expired" in refused(WorkbenchError, lambda: wb.latest_state("things"))


def test_results_that_cannot_be_read_are_an_error_that_names_them(wb, empty):
    empty.faults.deny("s3://results/")
    told = refused(QueryError, lambda: wb.latest_state("things"))
    assert "s3://results/athena/workbench/" in told
    assert "workbench check" in told


def test_a_truncated_result_is_no_answer(wb, empty):
    empty.faults.truncate("s3://results/")
    assert "cannot be read" in refused(QueryError, lambda: wb.latest_state("things"))


def test_a_query_that_takes_too_long_is_stopped(empty, tmp_path):
    lake(empty, tmp_path)
    wb = athena(empty)
    wb._engine.keys("things")  # counts the newest hour; the rest is counted beside the question
    wb._engine._queries._settings = wb.settings.model_copy(update={"query_timeout": "1s"})
    empty.faults.slow(60, times=2)
    assert "took longer than 1s" in refused(QueryError, lambda: wb.latest_state("things"))
    assert len(empty.stopped) == 2
    wb.close()


_ASK = """
import signal
import sys
from workbench import Workbench
signal.signal(signal.SIGINT, signal.default_int_handler)  # a job in the background ignores it, and so do its children
wb = Workbench(engine="athena", endpoint=sys.argv[1], region="eu-central-1", database="logs", output="s3://results/athena/")
wb.latest_state("things")
"""


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_process_that_ends_stops_its_query_at_athena(wb, empty, sign):
    empty.faults.slow(120, times=3)
    process = subprocess.Popen(
        [sys.executable, "-c", _ASK, empty.endpoint],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stderr=subprocess.DEVNULL,
    )
    until = time.monotonic() + 60
    while not any(query.state == "RUNNING" for query in empty.queries.values()) and time.monotonic() < until:
        time.sleep(0.05)
    time.sleep(0.3)  # the answer has reached the process, which now waits
    process.send_signal(sign)
    process.wait(30)
    running = list(empty.queries)
    while set(running) - set(empty.stopped) and time.monotonic() < until:
        time.sleep(0.05)
    assert set(empty.stopped) == set(running) != set()


# --- workgroups and settings


def test_settings_of_the_workgroup_are_respected(wb, empty):
    group = empty.workgroups["primary"]["Configuration"]
    group |= {
        "EnforceWorkGroupConfiguration": True,
        "ResultConfiguration": {"OutputLocation": "s3://results/enforced/"},
    }
    assert len(wb.latest_state("things").df)
    assert all("s3://results/enforced/workbench/" in each["QueryString"] for each in empty.started)


@pytest.mark.parametrize(
    ("configuration", "told"),
    [
        ({"EngineVersion": {"EffectiveEngineVersion": "Athena engine version 2"}}, "version 3"),
        ({"ManagedQueryResultsConfiguration": {"Enabled": True}}, "turn managed results off"),
    ],
)
def test_workgroups_that_cannot_serve_are_refused_with_the_remedy(wb, empty, configuration, told):
    empty.workgroups["primary"]["Configuration"] |= configuration
    assert told in refused(ConfigError, lambda: wb.latest_state("things"))
    assert empty.started == []


def test_without_a_place_for_results_the_remedy_is_named(empty, tmp_path):
    lake(empty, tmp_path)
    empty.workgroups["primary"]["Configuration"].pop("ResultConfiguration", None)
    told = refused(ConfigError, lambda: athena(empty, output=None).latest_state("things"))
    assert "output=s3://" in told


def test_settings_that_are_missing_are_named(empty, monkeypatch):
    assert "database=" in refused(ConfigError, lambda: athena(empty, database=None).tables())
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv("AWS_REGION", raising=False)
    assert "no AWS region" in refused(ConfigError, lambda: athena(empty, region=None).tables())
    assert "cannot be read" in refused(ConfigError, lambda: athena(empty, database="nowhere").tables())


def test_a_role_is_assumed_where_one_is_set(empty, tmp_path):
    lake(empty, tmp_path)
    wb = athena(empty, role="arn:aws:iam::123456789012:role/analyst")
    assert len(wb.tables()) == 1
    assert ("sts", "AssumeRole") in empty.requests


# --- the catalog


@pytest.mark.parametrize(
    ("layout", "scheme", "first"),
    [
        ("envelope", lakes.SCHEMES[0], "year=2026/month=11/day=17/hour=20"),
        ("raw", "2026/11/18/09", "2026/11/17/20"),
        ("envelope, Parquet", "dt=", "2026-11-17"),
        ("envelope", "none", ""),
    ],
)
def test_a_bucket_without_a_catalog_entry_gets_one(empty, tmp_path, layout, scheme, first):
    folder = lakes.write(tmp_path, lakes.records(1, changes=60), layout, scheme)
    location = place(empty, folder)
    session_of(empty).client("glue").create_database(DatabaseInput={"Name": DATABASE})
    wb, on_files = athena(empty), Workbench(folder)
    made = wb.create_table("things", location)
    assert made == wb.table_ddl("things")
    assert f"`{DATABASE}`.`things`" in made
    assert re.findall(r"'projection\.\w+\.range' = '(.*),NOW\+14HOURS'", made) == ([first] if first else [])
    same(wb.latest_state("things", as_of=LATER).df, on_files.latest_state("things", as_of=LATER).df)
    same(wb.changes("things", start=LATER).df, on_files.changes("things", start=LATER).df)
    assert "is there already" in refused(ParameterError, lambda: wb.create_table("things", location))
    wb.close()


def test_a_public_history_is_right_at_five_instants(empty, public_history):
    truth = json.loads((public_history / "truth.json").read_text())
    declare(
        empty, table_input("git_files", place(empty, public_history / "data", "history"), layout="raw", first_year=2018)
    )
    wb = athena(empty, table_names={"git-files": "git_files"})
    for at, blobs in [(None, truth["latest"]), *truth["as_of"]]:
        df = wb.latest_state("git-files", as_of=at).df
        assert dict(zip(df["path"], df["blob"], strict=True)) == blobs
    wb.close()


# --- notebooks


@pytest.fixture
def settings(empty, tmp_path, monkeypatch):
    """What a scheduled run on AWS has in its environment, and the notebooks' parameters."""
    monkeypatch.chdir(tmp_path)
    for name, value in {"ENDPOINT": empty.endpoint, "REGION": "eu-central-1", "OUTPUT": "s3://results/athena/"}.items():
        monkeypatch.setenv(f"WORKBENCH_{name}", value)
    return {"engine": "athena", "database": DATABASE, "max_scan_bytes": "1GB"}


@pytest.mark.parametrize(
    "name", ["00_setup_check", "02_latest_state", "03_change_frequency", "04_item_history", "05_data_quality"]
)
def test_notebooks_run_unchanged_on_athena(wb, empty, settings, name):
    settings |= {} if name == "00_setup_check" else {"table": "things"}
    made = run_report(ROOT / "notebooks" / f"{name}.ipynb", settings, out="reports")
    assert made.record.failed_cell is None
    assert [key for key in results(empty) if "/workbench/" in key] == []


def test_the_notebook_that_generates_writes_to_dynamodb(empty, settings, tmp_path):
    embedded = Workbench(home=tmp_path / "home")
    for name in ("persons", "heartrate", "orders"):
        embedded.generate(name, items=20, changes=60)
        location = place(empty, tmp_path / "home" / "lake" / "data" / name, f"data/{name}")
        declare(empty, table_input(name, location, first_year=2026))
        dynamodb_writer.write(session_of(empty), name, items=5, changes=10, create=True, progress=False)
    embedded.close()
    made = run_report(
        ROOT / "notebooks" / "01_generate_data.ipynb", settings | {"items": 20, "changes": 60}, out="reports"
    )
    assert made.record.failed_cell is None
    made = run_report(ROOT / "notebooks" / "06_time_travel.ipynb", settings, out="reports")
    assert made.record.failed_cell is None, made.record.failed_cell
    scanned = session_of(empty).client("dynamodb").scan(TableName="persons", Select="COUNT")["Count"]
    assert scanned > 5


# --- the table itself


def test_reconcile_finds_what_differs_between_the_log_and_the_table(empty, tmp_path):
    """The log of an embedded table, whose items are put into DynamoDB, but for one that is changed and one that is not."""
    embedded = Workbench(home=tmp_path)
    embedded.generate("persons", items=40, changes=120)
    declare(empty, table_input("persons", place(empty, tmp_path / "lake" / "data" / "persons"), first_year=2026))
    dynamodb_writer.write(session_of(empty), "persons", items=1, changes=1, create=True, progress=False)
    client = session_of(empty).client("dynamodb")
    for item in client.scan(TableName="persons")["Items"]:
        client.delete_item(TableName="persons", Key={"pk": item["pk"]})
    with ItemStore(embedded.settings.item_store) as store:
        images = {key: json.loads(image) for key, image in store.images("persons")}
    gone, changed, *_ = sorted(images)
    for key, image in images.items():
        if key != gone:
            item = {name: {"B": b64decode(value["B"])} if "B" in value else value for name, value in image.items()}
            client.put_item(TableName="persons", Item=item | ({"planted": {"S": "x"}} if key == changed else {}))
    wb = athena(empty)
    found = wb.reconcile("persons", lag="1s")
    assert {(row["item"], row["pk"]) for row in found.df.to_dict("records")} == {
        ("extra", json.loads(gone)["pk"]["S"]),
        ("differing", json.loads(changed)["pk"]["S"]),
    }
    assert not found.agrees
    written = found.to_csv("s3://results/found.csv")
    assert written == "s3://results/found.csv"
    assert "results" not in [key.split("/")[0] for key in results(empty)]
    assert set(results(empty)) >= {"found.csv", "found.csv.meta.json"}
    wb.close()
    embedded.close()


def test_a_baseline_in_s3_reaches_items_the_log_never_saw(empty, tmp_path):
    """An export of the embedded table, of which the log that Athena reads has only the second half."""
    embedded = Workbench(home=tmp_path)
    embedded.generate("persons", items=30, changes=90)
    folder = embedded.export_baseline("persons", tmp_path / "exports")
    data = tmp_path / "lake" / "data" / "persons"
    for path in sorted(each for each in data.rglob("*") if each.is_file())[:-3]:
        path.unlink()
    declare(empty, table_input("persons", place(empty, data, "data/persons"), first_year=2026))
    place(empty, folder.parents[1], "exports")
    wb, on_files = (
        athena(empty, baseline="s3://lake/exports/"),
        Workbench(home=tmp_path, baseline=str(tmp_path / "exports")),
    )
    expected = on_files.latest_state("persons")
    assert len(expected.df) > len(athena(empty).latest_state("persons").df)
    same(wb.latest_state("persons").df, expected.df)
    one = expected.df["pk"].iloc[0]
    same(wb.item_history("persons", {"pk": one}).df, on_files.item_history("persons", {"pk": one}).df)
    names = [each["Name"] for each in session_of(empty).client("glue").get_tables(DatabaseName=DATABASE)["TableList"]]
    assert len(names) == 2, "the state has a table for as long as the workbench is open"
    wb.close()
    names = [each["Name"] for each in session_of(empty).client("glue").get_tables(DatabaseName=DATABASE)["TableList"]]
    assert names == ["persons"]
    assert results(empty) == []
    for each in (embedded, on_files):
        each.close()


# --- the command line


def test_the_command_line_asks_athena_as_its_options_say(empty, tmp_path, monkeypatch):
    folder = lakes.write(tmp_path / "log", lakes.records(1, changes=40), "envelope")
    location = place(empty, folder)
    session_of(empty).client("glue").create_database(DatabaseInput={"Name": DATABASE})
    monkeypatch.chdir(tmp_path)
    for name, value in {"ENDPOINT": empty.endpoint, "REGION": "eu-central-1", "OUTPUT": "s3://results/athena/"}.items():
        monkeypatch.setenv(f"WORKBENCH_{name}", value)

    def run(*arguments: str, code: int = 0) -> str:
        ran = CliRunner().invoke(main, ["--engine", "athena", "--database", DATABASE, *arguments])
        assert ran.exit_code == code, ran.output
        return ran.stdout or ran.stderr

    assert run("table", "create", "things", location).startswith("CREATE EXTERNAL TABLE")
    assert "projection.arrival.range" in run("table", "show", "things")
    assert json.loads(run("tables", "--json"))[0]["table"] == "things"
    assert run("sql", "latest_state", "things", "--estimate").startswith("at most ")
    assert empty.started == []
    expected = Workbench(folder).latest_state("things").df
    assert [row["pk"] for row in json.loads(run("latest", "things", "--json"))] == expected["pk"].tolist()
    assert "more than max_scan_bytes" in run("--max-scan-bytes", "10", "latest", "things", code=1)
    assert {row["check"] for row in json.loads(run("check", "--json"))} >= {"credentials", "workgroup", "table things"}
    assert "athena" in run("config")
    assert "no catalog" in CliRunner().invoke(main, ["table", "show", "things"]).stderr
