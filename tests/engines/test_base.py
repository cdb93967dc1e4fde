"""An engine is a class over the base: one of a few lines answers what the others answer, and nobody asks which it is."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from tests.helpers.questions import same
from workbench import Workbench
from workbench.config import ENGINES
from workbench.engines import Answer, Engine, Listed, register
from workbench.engines.base import as_question, matching
from workbench.engines.ingest import register_functions
from workbench.errors import ConfigError, ParameterError
from workbench.log.contents import Schema
from workbench.log.listing import list_objects
from workbench.log.objects import SCHEMA
from workbench.log.reader import read_changes
from workbench.sql.dialects import to_duckdb
from workbench.sql.filters import EVERYTHING


class ListEngine(Engine):
    """Reads every change anew, line by line, and keeps nothing."""

    def listed(self):
        return [Listed("persons", "envelope", list_objects(self._settings.source))], ()

    def keys(self, table, *, whole=False):
        changes = self._changes()
        types = {name: kind for name, value in json.loads(changes[0]["keys"]).items() for kind in value}
        times = [each["ts"] for each in changes]
        return [Schema(types, min(times), max(times))]

    def ask(self, asked, table, *, where=EVERYTHING, over="log", after=None, **values):
        question, rows = as_question(asked), pa.Table.from_pylist(self._changes(), schema=SCHEMA)
        if over == "baseline":
            rows = rows.slice(0, 0)
        rows = rows.append_column("arrival", pa.nulls(len(rows), pa.timestamp("us")))
        with duckdb.connect(config={"integer_division": True}) as con:
            register_functions(con)
            con.register("deliveries", rows)
            relation = "(select * from deliveries)"
            text = question.compose(values, deliveries=relation, matching=matching(question, where))
            return Answer(con.sql(to_duckdb(text)).to_arrow_table(), text, 0.0, 0, 0, ())

    def _changes(self):
        changes = (each for item in list_objects(self._settings.source) for each in read_changes(item, ()))
        return [each | {"ts": datetime.fromisoformat(each["ts"])} for each in changes]


@pytest.fixture
def lists(monkeypatch):
    """The name of the engine, known for a while."""
    monkeypatch.setattr("workbench.config.ENGINES", ENGINES)
    monkeypatch.setitem(ENGINES, "lists", "")
    register("lists", f"{__name__}:ListEngine")
    return "lists"


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    with closing(Workbench(home=tmp_path_factory.mktemp("home"))) as wb:
        wb.generate("persons", items=40, changes=300, end=datetime(2026, 11, 18, tzinfo=UTC))
    return Path(wb.settings.lake, "data", "persons")


ASKED = {
    "latest_state": lambda wb: wb.latest_state("persons"),
    "as of": lambda wb: wb.latest_state("persons", as_of="2026-11-15", include_deleted=True),
    "where": lambda wb: wb.latest_state("persons", where="person.age > 40"),
    "changes": lambda wb: wb.changes("persons", events="MODIFY", start="2026-11-14", end="2026-11-16"),
    "item_history": lambda wb: wb.item_history("persons"),
    "diff": lambda wb: wb.diff("persons", "2026-11-14", "2026-11-16"),
    "by event": lambda wb: wb.change_frequency("persons", every="1d"),
    "by attribute": lambda wb: wb.change_frequency("persons", by="attribute"),
    "by key": lambda wb: wb.change_frequency("persons", by="key", limit=3),
    "concentration": lambda wb: wb.change_frequency("persons", by="concentration"),
    "interval": lambda wb: wb.change_frequency("persons", by="interval"),
}


@pytest.mark.parametrize("question", ASKED)
def test_an_engine_of_a_few_lines_gives_the_answers_of_the_others(question, lists, log):
    with closing(Workbench(log)) as wb, closing(Workbench(log, engine=lists)) as other:
        expected, answered = ASKED[question](wb).df, ASKED[question](other).df
        assert len(expected)
        same(answered, expected)


def test_what_an_engine_does_not_say_has_a_default(lists, log):
    with closing(Workbench(log, engine=lists)) as wb:
        assert wb.tables()["table"].tolist() == ["persons"]
        assert wb.spent.queries == 0
        assert wb.estimate("latest_state", "persons").objects == wb.tables()["objects"].sum() > 0
        assert '"persons"' in wb.sql("change_frequency", "persons")
        with pytest.raises(ConfigError, match="keeps no checkpoints"):
            wb.checkpoint("persons")
        with pytest.raises(ConfigError, match="no catalog"):
            wb.table_ddl("persons")


def test_a_name_that_is_no_engine_is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"engine.*duckdb, athena"):
        Workbench(tmp_path, engine="postgres")


def test_a_filter_for_a_question_that_takes_none_is_refused(log):
    with closing(Workbench(log)) as wb, pytest.raises(ParameterError, match="takes no where"):
        wb.sql("hot_keys", "persons", where="person.age > 40")
