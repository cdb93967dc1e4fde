"""The relations for other tools: views of a DuckDB connection, and tables in a file, are what queries answer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from tests.helpers import lakes
from tests.helpers.logs import chain, micros, record, write_log
from tests.log.test_exports import lines, write_export
from tests.questions.test_stream_views import changes
from workbench import Workbench
from workbench.cli import main
from workbench.errors import ExportError, TableNotFound
from workbench.questions.query import Tables, masks_of
from workbench.sql.query import plan
from workbench.sql.query.whole import distinct

SUFFIXES = ("", "$changes", "$versions", "$items")
NOON = micros("2026-01-01T12:00:00")
KEY = {"pk": {"S": "x"}}


def rows(answer: Any) -> list[str]:
    return sorted(repr(tuple(row.values())) for row in answer.to_pylist())


def queried(wb: Workbench, sql: str) -> list[str]:
    """The rows of a query, as Arrow has them."""
    planned = plan(sql, {}, Tables(wb._engine), masks=masks_of(wb.settings))
    found = wb._engine.query(planned, masks_of(wb.settings)).rows
    for at, column in enumerate(planned.columns):
        if column.kind == "bigint":  # a sum comes wider
            found = found.set_column(at, column.name, found.column(at).cast("int64"))
    return rows(found)


@pytest.fixture
def things(tmp_path: Path) -> Path:
    """A log of every type, with ties, duplicates and late changes."""
    return lakes.write(tmp_path / "things", lakes.records(3), "raw", "none")


@pytest.mark.parametrize("layout", ["raw", "envelope, Parquet"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_views_and_files_hold_what_queries_answer(tmp_path, seed, layout):
    made = lakes.records(seed)
    wb = Workbench(lakes.write(tmp_path / "log", made, layout, "none"), home=tmp_path / "home")
    con, file = wb.connect(), duckdb.connect(str(wb.export_db(tmp_path / "file.duckdb")), read_only=True)
    for suffix in SUFFIXES:
        asked = f'select * from "things{suffix}"'
        expected = queried(wb, asked)
        assert expected
        assert rows(con.sql(asked).to_arrow_table()) == expected, suffix
        assert rows(file.sql(asked).to_arrow_table()) == expected, suffix
        assert con.sql(asked).types == file.sql(asked).types
        assert "HUGEINT" not in map(str, con.sql(asked).types)
    instants = [change["dynamodb"]["ApproximateCreationDateTime"] for _, change in made[:: len(made) // 6]]
    for at in [*instants, instants[0] - 1]:
        moment = f"make_timestamp({at}::bigint)"
        then = con.sql(f"select make_timestamp({at}::bigint)::varchar").fetchall()[0][0]
        expected = queried(wb, f"select * from things for timestamp as of timestamp '{then}'")
        own = f"select * exclude (valid_from, version, life) from things_as_of({moment})"
        without_time = sorted(each.rpartition(", datetime.datetime(")[0] for each in expected)
        for database in (con, file):
            found = [each.removesuffix(")") for each in rows(database.sql(own).to_arrow_table())]
            assert sorted(found) == without_time


def test_a_file_needs_neither_this_program_nor_the_log(things, tmp_path):
    wb = Workbench(things, home=tmp_path / "home")
    expected = wb.query("select count(*) from things").df.iloc[0, 0]
    file = wb.export_db(tmp_path / "out" / "things.duckdb", tables="things")
    assert file.stat().st_mode & 0o777 == 0o600
    assert [each.name for each in file.parent.iterdir()] == [file.name]
    for path in [*things.rglob("*.json")]:
        path.unlink()
    code = (
        "import duckdb, sys; assert 'workbench' not in sys.modules; con = duckdb.connect(sys.argv[1], read_only=True);"
        "print(con.execute('select count(*) from things').fetchone()[0],"
        "con.execute('select newest_change is not null, objects > 0, notes from workbench_tables').fetchone())"
    )
    ran = subprocess.run([sys.executable, "-I", "-c", code, str(file)], capture_output=True, text=True, cwd=tmp_path)
    assert ran.stdout == f"{expected} (True, True, None)\n", ran.stderr
    stored = file.read_bytes()[8:24]
    assert duckdb.connect().execute("select 1").fetchone()
    assert stored[:4] == b"DUCK"
    assert int.from_bytes(stored[4:12], "little") == 64, "the version of storage that DuckDB 1.0 reads"


def test_a_file_is_replaced_only_where_that_is_said_and_stays_where_writing_fails(things, tmp_path, monkeypatch):
    wb, file = Workbench(things, home=tmp_path / "home"), tmp_path / "things.duckdb"
    file.write_text("mine")
    with pytest.raises(ExportError, match="exists already"):
        wb.export_db(file)
    with pytest.raises(TableNotFound, match="Did you mean 'things'"):
        wb.export_db(file, tables="thing", overwrite=True)
    monkeypatch.setattr("workbench.questions.connecting._freshness", lambda answers: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        wb.export_db(file, overwrite=True)
    assert file.read_text() == "mine"
    assert {each.name for each in tmp_path.iterdir()} == {"things", "home", "things.duckdb"}
    assert not [*(tmp_path / "home").glob("connection-*")]
    monkeypatch.undo()
    assert wb.export_db(file, overwrite=True) == file
    assert duckdb.connect(str(file), read_only=True).sql("from things").fetchall()


@pytest.mark.parametrize("masked", [False, True])
def test_a_connection_reads_and_writes_nothing_but_its_tables(things, tmp_path, monkeypatch, masked):
    monkeypatch.chdir(tmp_path)
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n")
    wb = Workbench(things, home=tmp_path / "home", **({"mask": ("name",)} if masked else {}))
    con = wb.connect()
    before = sorted(tmp_path.rglob("*"))
    frame = con.sql("select 1 as a").df()  # noqa: F841 - which DuckDB must not find
    for sql in (
        f"select * from '{secret}'",
        f"select * from read_csv('{secret}')",
        f"select * from read_text('{things}/**')",
        f"select * from glob('{tmp_path}/*')",
        f"select * from read_parquet('{tmp_path}/home/store/*/*.parquet')",
        f"attach '{tmp_path}/other.duckdb'",
        f"copy (select 1) to '{tmp_path}/out.csv'",
        f"copy things to '{tmp_path}/home/out.parquet'",
        f"export database '{tmp_path}/all'",
        "install httpfs",
        "load httpfs",
        "set enable_external_access = true",
        f"set allowed_directories = ['{tmp_path}']",
        "set temp_directory = '/'",
        "set lock_configuration = false",
        "set allowed_configs = ['allowed_paths']",
        "reset lock_configuration",
        "select * from frame",
    ):
        with pytest.raises(duckdb.Error):
            con.execute(sql).fetchall()
    assert sorted(tmp_path.rglob("*")) == before
    con.execute("set timezone = 'UTC'")  # which ibis does
    con.execute("set python_enable_replacements = false")
    assert con.execute("select count(*) from things").fetchone() != (0,)


@pytest.mark.parametrize("how", ["redact", "hash"])
def test_masks_hold_in_views_files_and_their_definitions(tmp_path, how):
    secrets = ["Ada-secret", "Eve-secret"]
    made = [
        record(
            "INSERT",
            {"pk": {"S": secret}},
            NOON + n,
            new={
                "pk": {"S": secret},
                "m": {"M": {"email": {"S": secret}, "n": {"N": "1"}}},
                "l": {"L": [{"M": {"email": {"S": secret}}}, {"S": "plain"}]},
            },
        )
        for n, secret in enumerate(secrets)
    ]
    log = write_log(tmp_path / "log", made)
    given = {"mask": ("pk", "m.email", "l.email"), "mask_with": how, "mask_salt": "pepper-1"}
    wb = Workbench(log, home=tmp_path / "home", **given)
    con, file = wb.connect(), wb.export_db(tmp_path / "f.duckdb")
    told = ""
    for database in (con, duckdb.connect(str(file), read_only=True)):
        for suffix in SUFFIXES:
            found = database.sql(f'from "things{suffix}"').fetchall()
            assert len(found) == 2
            told += repr(found)
        told += repr(database.sql("select sql from duckdb_views()").fetchall())
        told += repr(database.sql("from duckdb_functions() where function_name = 'things_as_of'").fetchall())
        told += repr(database.sql("from workbench_tables").fetchall())
        assert database.sql('select distinct "m.n" from things').fetchall() == [(1,)]
        assert rows(database.sql("select pk from things").to_arrow_table()) == queried(wb, "select pk from things")
        assert len(database.sql("from things_as_of('2026-01-02')").fetchall()) == 2
        shown = [row[0] for row in database.sql("select pk from things").fetchall()]
        assert shown == sorted(shown), "the order of rows would tell that of keys"
    for leak in (*secrets, "pepper-1"):
        assert leak not in told
        assert leak.encode() not in file.read_bytes()


def test_names_that_differ_by_capitals_are_told_apart(tmp_path):
    assert distinct(["Id", "id", "ID", "id_2"]) == ["Id", "id_3", "ID_4", "id_2"]
    item = KEY | {"Id": {"N": "1"}, "id": {"N": "2"}, "instant": {"S": "i"}, "version": {"N": "7"}}
    wb = Workbench(write_log(tmp_path / "log", chain(KEY, [(NOON, item)])), home=tmp_path / "home")
    for con in (wb.connect(), duckdb.connect(str(wb.export_db(tmp_path / "f.duckdb")), read_only=True)):
        assert con.sql('select "Id", id_2, instant, version from things').fetchall() == [(1, 2, "i", 7)]
        then = con.sql("""select "Id", id_2, instant, version, "item.version" from things_as_of('2026-01-02')""")
        assert then.fetchall() == [(1, 2, "i", 1, 7)]
        for zone in ("America/New_York", "UTC"):
            con.execute(f"set timezone = '{zone}'")
            for instant, items in (
                ("'2026-01-01 12:59:00+01'", 0),
                ("'2026-01-01 13:00:00+01:00'", 1),
                ("'2026-01-01T12:00:00Z'", 1),
                ("timestamp '2026-01-01 11:59:59.999999'", 0),
                ("timestamp '2026-01-01 12:00:00'", 1),
                ("timestamptz '2026-01-01 12:00:00+00'", 1),
                ("timestamptz '2026-01-01 12:59:59+01'", 0),
                ("date '2026-01-01'", 0),
                ("date '2026-01-02'", 1),
                ("'2026-01-01'", 0),
            ):
                assert len(con.sql(f"select * from things_as_of({instant})").fetchall()) == items, (zone, instant)
    two = [*chain(KEY, [(NOON, KEY)], table="Things"), *chain(KEY, [(NOON, KEY)], table="things")]
    con = Workbench(write_log(tmp_path / "two", two), home=tmp_path / "home").connect()
    assert {"Things$changes", "things_2$changes"} <= {name for (name,) in con.sql("show tables").fetchall()}


def test_a_connection_keeps_the_log_as_it_was(tmp_path):
    log, home = tmp_path / "log", tmp_path / "home"
    write_log(log, chain(KEY, [(NOON, KEY | {"n": {"N": "1"}})]), name="first")
    wb = Workbench(log, home=home)
    con = wb.connect("things")
    write_log(log, chain({"pk": {"S": "y"}}, [(NOON, {"pk": {"S": "y"}, "n": {"N": "1.5"}})]), name="second")
    assert len(wb.latest_state("things")) == 2
    wb.store(clear=True)
    wb.close()
    assert con.sql("from things").fetchall()[0][:2] == ("x", 1)
    assert len(con.cursor().sql("from things").fetchall()) == 1
    later = wb.connect()
    assert len(later.sql("from things").fetchall()) == 2
    folders = [*home.glob("connection-*")]
    assert len(folders) == 2
    assert all(each.stat().st_mode & 0o77 == 0 for each in folders)
    con.close()
    del con, later
    assert not [*home.glob("connection-*")]


@pytest.mark.parametrize("settings", [{"store": "off"}, {"baseline": "exports"}])
def test_what_is_in_memory_and_what_an_export_knows_is_there_too(things, tmp_path, settings):
    if "baseline" in settings:
        moment = lakes.START - lakes.timedelta(days=1)
        item = {"pk": {"S": "before"}, "sk": {"N": "1"}, "name": {"S": "old"}}
        write_export(tmp_path / "exports", [lines([{"Item": item}])], moment)
        settings = {"baseline": str(tmp_path / "exports")}
    wb = Workbench(things, home=tmp_path / "home", **settings)
    con = wb.connect()
    for suffix in SUFFIXES:
        asked = f'select * from "things{suffix}"'
        assert rows(con.sql(asked).to_arrow_table()) == queried(wb, asked), suffix
    if "baseline" in settings:
        assert ("before",) in con.sql("select pk from things").fetchall()


def test_a_log_without_images_has_changes_and_items_alone(tmp_path):
    con = Workbench(write_log(tmp_path / "log", changes("KEYS_ONLY")), home=tmp_path / "home").connect()
    assert {name for (name,) in con.sql("show tables").fetchall()} == {
        "things$changes",
        "things$items",
        "workbench_tables",
    }
    assert "left out is what changes do not tell" in con.sql("select notes from workbench_tables").fetchall()[0][0]


def test_polars_and_arrow_read_views(things, tmp_path):
    polars = pytest.importorskip("polars")
    con = Workbench(things, home=tmp_path / "home").connect()
    frame = polars.read_database("select sk, count(*) as n from things group by sk order by sk", con)
    assert frame.columns == ["sk", "n"]
    assert frame["n"].sum() == con.sql("select count(*) from things").fetchall()[0][0]


def test_the_verb_writes_a_file_and_says_so(things, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ran = CliRunner().invoke(main, ["export-db", "t.duckdb", "--source", str(things), "--mask", "name"])
    assert ran.exit_code == 0, ran.output
    assert ran.stdout.startswith("t.duckdb: ")
    again = CliRunner().invoke(main, ["export-db", "t.duckdb", "--source", str(things)])
    assert "t.duckdb exists already" in again.stderr
    told = CliRunner().invoke(
        main, ["export-db", "t.duckdb", "--source", str(things), "--tables", "things", "--overwrite", "--json"]
    )
    assert json.loads(told.stdout) == {"file": "t.duckdb", "bytes": os.path.getsize("t.duckdb")}


def test_columns_of_metadata_keep_their_names_beside_attributes_that_differ_by_capitals(tmp_path):
    item = KEY | {"Valid_From": {"N": "3"}, "VALID_TO": {"S": "soon"}, "_Changed_At": {"S": "never"}}
    wb = Workbench(write_log(tmp_path / "log", chain(KEY, [(NOON, item), (NOON + 60_000_000, None)])))
    con, file = wb.connect(), duckdb.connect(str(wb.export_db(tmp_path / "file.duckdb")), read_only=True)
    for each in (con, file):
        shown = each.sql('select "Valid_From_2", "VALID_TO_2", valid_to - valid_from from "things$versions"').fetchall()
        assert shown == [(3, "soon", timedelta(minutes=1))]
        assert len(each.sql("select * from things_as_of('2026-01-01 12:00:30')").fetchall()) == 1
        assert not each.sql("select * from things_as_of('2026-01-01 12:01:30')").fetchall()
        assert str(each.sql("select _changed_at from things").types[0]) == "TIMESTAMP"
