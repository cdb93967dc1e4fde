"""Views of Athena's over a log: their rows are what queries answer, and nothing else is replaced or removed."""

from __future__ import annotations

import json

import awswrangler as wr
import duckdb
import pytest
import sqlglot
from click.testing import CliRunner
from sqlglot import exp

from tests.helpers import lakes
from tests.helpers.aws.clients import session_of
from tests.helpers.aws.lake import DATABASE, athena, lake, place
from tests.helpers.logs import chain, micros
from workbench import Workbench
from workbench.aws.athena import Athena
from workbench.cli import main
from workbench.errors import ConfigError, ParameterError
from workbench.questions.query import Tables, masks_of
from workbench.questions.views import statements
from workbench.sql.query import plan

NAMES = ["things_changes", "things_latest", "things_versions"]
NOON = micros("2026-11-18T12:00:00.123456")
KEY = {"pk": {"S": "x"}}


@pytest.fixture
def wb(empty, tmp_path):
    """A workbench over a log of the default layout."""
    lake(empty, tmp_path / "log")
    with_athena = athena(empty, home=tmp_path / "home")
    yield with_athena
    with_athena.close()


def read(wb: Workbench, view: str) -> list[dict]:
    """The rows of a view, by their columns; times by their texts alone."""
    with Athena(wb.session, wb.settings) as queries:
        rows = queries.read_arrow(f'select * from "{DATABASE}"."{view}"').to_pylist()
    return [{name: value for name, value in row.items() if f"{name}_text" not in row} for row in rows]


def answered(wb: Workbench, sql: str) -> list[str]:
    """The rows of a query, times as texts."""
    planned = plan(sql, {}, Tables(wb._engine), masks=masks_of(wb.settings))
    rows = wb._engine.query(planned, masks_of(wb.settings)).rows
    times = {column.name for column in planned.columns if column.kind == "timestamp"}
    return sorted(
        repr([str(value) if name in times and value is not None else value for name, value in row.items()])
        for row in rows.to_pylist()
    )


@pytest.mark.parametrize("layout", ["raw", "struct"])
def test_views_have_the_rows_of_queries(empty, tmp_path, layout):
    lake(empty, tmp_path / "log", layout)
    wb = athena(empty, home=tmp_path / "home")
    made = wb.create_views("things")
    assert made["view"].tolist() == NAMES
    assert made["relation"].tolist() == ["changes", "latest", "versions"]
    for view, relation in zip(NAMES, ("things$changes", "things", "things$versions"), strict=True):
        rows = read(wb, view)
        assert rows
        assert sorted(repr([*row.values()]) for row in rows) == answered(wb, f'select * from "{relation}"'), view
    assert made["columns"].tolist() == [
        len(
            session_of(empty)
            .client("glue")
            .get_table(DatabaseName=DATABASE, Name=name)["Table"]["StorageDescriptor"]["Columns"]
        )
        for name in NAMES
    ]
    assert wb.tables()["table"].tolist() == ["things"], "a view is no log"
    wb.close()


def test_a_view_shows_what_comes_later(empty, tmp_path, wb):
    wb.create_views("things")
    before = len(read(wb, "things_latest"))
    later = [  # but not later than now, up to which partitions are projected
        (lakes.START + lakes.timedelta(days=4), change)
        for change in chain({"pk": {"S": "new"}, "sk": {"N": "1"}}, [(NOON, {"pk": {"S": "new"}, "sk": {"N": "1"}})])
    ]
    place(empty, lakes.write(tmp_path / "later", later, "envelope"), "year=-month=-day=-hour/envelope/things")
    found = session_of(empty).client("glue").get_table(DatabaseName=DATABASE, Name="things")["Table"]
    assert "year=-month=-day=-hour/envelope/things" in found["StorageDescriptor"]["Location"]
    assert len(read(wb, "things_latest")) == before + 1


def test_only_views_that_were_made_here_are_replaced_and_removed(empty, wb):
    wb.create_views("things")
    wb.create_views("things")
    assert wb.views()["view"].tolist() == wb.views("things")["view"].tolist() == NAMES
    assert wb.views("others").empty
    glue = session_of(empty).client("glue")
    assert wb.drop_views("things")["view"].tolist() == NAMES
    assert [each["Name"] for each in glue.get_tables(DatabaseName=DATABASE)["TableList"]] == ["things"]
    with pytest.raises(ParameterError, match="no view of 'things' that was made here; there is none at all"):
        wb.drop_views("things")
    theirs = {"Name": "things_latest", "TableType": "VIRTUAL_VIEW", "StorageDescriptor": {"Columns": []}}
    glue.create_table(DatabaseName=DATABASE, TableInput=theirs)
    with pytest.raises(ParameterError, match=r"logs\.things_latest is there already, and was made by somebody else"):
        wb.create_views("things")
    assert wb.views().empty, "none is made where one cannot be"
    wb.create_views("things", replace=True)
    glue.delete_table(DatabaseName=DATABASE, Name="things_changes")
    glue.create_table(
        DatabaseName=DATABASE, TableInput=theirs | {"Name": "things_changes", "TableType": "EXTERNAL_TABLE"}
    )
    with pytest.raises(ParameterError, match="is a table: nothing replaces it"):
        wb.create_views("things", replace=True)


def test_names_and_times_are_those_that_views_can_have(empty, tmp_path):
    item = KEY | {"Id": {"N": "1"}, "id": {"N": "2"}, 'q"t': {"S": "it's"}, "first.name": {"S": "Ada"}}
    lake(empty, tmp_path / "log", made=[(lakes.START, each) for each in chain(KEY, [(NOON, item)])])
    wb = athena(empty, home=tmp_path / "home")
    wb.create_views("things")
    (row,) = read(wb, "things_latest")
    assert row == {
        "pk": "x",
        '"first.name"': "Ada",
        "id": 1,
        "id_2": 2,
        '"q""t"': "it's",
        "_changed_at_text": "2026-11-18 12:00:00.123456",
    }
    with Athena(wb.session, wb.settings) as queries:
        sql = f'select cast(_changed_at as varchar) as at from "{DATABASE}".things_latest'
        assert queries.read_arrow(sql).column("at").to_pylist()[0].startswith("2026-11-18 12:00:00.123")
    made = statements(wb._asking, "things")
    assert wb.view_ddl("things") == "\n\n".join(f"{statement};" for _, statement in made.values())
    for _, statement in made.values():
        tree = sqlglot.parse_one(statement, read="athena")
        assert isinstance(tree, exp.Create)
        names = tree.expression.named_selects
        assert names == [name.lower() for name in names]
        assert len({*names}) == len(names)
    wb.close()


def test_columns_of_metadata_keep_their_names_beside_attributes_that_are_called_so(empty, tmp_path):
    item = KEY | {"Valid_From": {"N": "3"}, "VALID_FROM_text": {"S": "soon"}}
    lake(empty, tmp_path / "log", made=[(lakes.START, each) for each in chain(KEY, [(NOON, item)])])
    wb = athena(empty, home=tmp_path / "home")
    wb.create_views("things")
    (row,) = read(wb, "things_versions")
    assert (row["valid_from_2"], row["valid_from_text_2"]) == (3, "soon")
    assert row["valid_from_text"] == "2026-11-18 12:00:00.123456"
    wb.close()


def test_masks_hold_in_views_or_are_refused(empty, tmp_path):
    lake(empty, tmp_path / "log")
    wb = athena(empty, home=tmp_path / "home", mask=("name", "address.city"), mask_with="redact")
    wb.create_views("things")
    rows = read(wb, "things_versions")
    assert {row["name"] for row in rows} == {"[masked]", None}
    assert {row["address.city"] for row in rows} == {"[masked]", None}
    wb.close()
    salted = athena(empty, home=tmp_path / "home", mask=("name",), mask_with="hash", mask_salt="pepper")
    with pytest.raises(ParameterError, match="would show mask_salt to all who may see it"):
        salted.create_views("things")
    for settings in ({"known_at": "2026-11-18T00:00:00Z"}, {"baseline": str(tmp_path)}):
        with pytest.raises(ParameterError, match=r"leave out (known_at|baseline)"):
            athena(empty, home=tmp_path / "home", **settings).create_views("things")


def test_the_embedded_lake_says_what_there_is_instead():
    for ask in (
        Workbench().views,
        lambda: Workbench().create_views("things"),
        lambda: Workbench().drop_views("things"),
    ):
        with pytest.raises(ConfigError, match="set engine=athena"):
            ask()


def test_the_verbs_make_list_show_and_remove(empty, tmp_path, monkeypatch):
    lake(empty, tmp_path / "log")
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("WORKBENCH_ENDPOINT", empty.endpoint)
    monkeypatch.setenv("WORKBENCH_OUTPUT", "s3://results/athena/")
    where = ["--engine", "athena", "--database", DATABASE, "--region", "eu-central-1"]

    def run(*arguments: str) -> str:
        ran = CliRunner().invoke(main, [*where, "view", *arguments])
        assert ran.exit_code == 0, ran.output
        return ran.stdout

    made = json.loads(run("create", "things", "--json"))
    assert [each["view"] for each in made] == NAMES
    assert json.loads(run("list", "--json")) == made
    assert run("show", "things").count('create or replace view "logs"."things_') == 3
    assert json.loads(run("drop", "things", "--json")) == made
    assert json.loads(run("list", "--json")) == []
    assert not wr.s3.list_objects("s3://results/athena/", boto3_session=session_of(empty)), "nothing is left behind"


def test_a_file_of_duckdbs_holds_what_athena_answers(empty, tmp_path):
    folder = lake(empty, tmp_path / "log")
    wb, here = athena(empty, home=tmp_path / "home"), Workbench(folder, home=tmp_path / "here")
    ours = here.connect()
    with duckdb.connect(str(wb.export_db(tmp_path / "things.duckdb")), read_only=True) as theirs:
        for asked in ("from things", 'from "things$changes"', 'from "things$versions"', 'from "things$items"'):
            assert theirs.sql(asked).types == ours.sql(asked).types
            found = [sorted(map(repr, con.sql(asked).fetchall())) for con in (theirs, ours)]
            assert found[0] == found[1], asked
            assert found[0]
        assert theirs.sql("select count(*) from things_as_of('2026-11-18 12:00:00')").fetchall() == (
            ours.sql("select count(*) from things_as_of('2026-11-18 12:00:00')").fetchall()
        )
        assert theirs.sql("select newest_change from workbench_tables").fetchall() == (
            ours.sql("select newest_change from workbench_tables").fetchall()
        )
    wb.close()
