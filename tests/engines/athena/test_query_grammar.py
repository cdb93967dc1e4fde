"""SELECTs made by a grammar over the relations of a log have one answer on both engines, or are refused by both alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.helpers.aws.lake import athena, lake
from workbench import Workbench
from workbench.errors import ParameterError
from workbench.model.attribute_schema import sql_type
from workbench.sql.query.functions import NUMBERS, family

THEN, LATER = "timestamp '2026-11-18 06:00:00'", "timestamp '2026-11-18 18:00:00'"
NOW = ["things", f"things for timestamp as of {THEN}", f"things for timestamp as of {LATER}"]
METADATA: Mapping[str, Mapping[str, Sequence[str]]] = {
    '"things$versions"': {
        "number": ["version", "life"],
        "text": ["ended_by"],
        "boolean": ["is_current"],
        "time": ["valid_from", "valid_to"],
    },
    '"things$changes"': {"number": ["size_bytes"], "text": ["event_name"], "boolean": ["by_ttl"], "time": ["ts"]},
    '"things$items"': {
        "number": ["changes", "lives"],
        "text": [],
        "boolean": ["deleted", "by_ttl"],
        "time": ["first_change", "last_change"],
    },
}
Columns = Mapping[str, Sequence[str]]


class Grammar:
    """Makes texts; each choice is drawn."""

    def __init__(self, data: st.DataObject, attributes: Columns) -> None:
        self._data, self._attributes = data, attributes

    def _one(self, of: Sequence[str]) -> str:
        return self._data.draw(st.sampled_from(list(of)))

    def _any(self, *makers: Callable[[], str]) -> str:
        return self._data.draw(st.sampled_from(makers))()

    def relation(self) -> tuple[str, Columns]:
        """A relation, and its columns by the kinds of their types."""
        name = self._one([*NOW, *METADATA])
        if name in NOW:
            return name, {**self._attributes, "time": ["_changed_at"]}
        own = METADATA[name]
        if name == '"things$items"':
            return name, {kind: [*own[kind], *{"text": ["pk"], "number": ["sk"]}.get(kind, [])] for kind in own}
        images = ["new.", "old."] if "changes" in name else [""]
        return name, {
            kind: [*own[kind], *(f"{image}{path}" for image in images for path in self._attributes.get(kind, []))]
            for kind in own
        }

    def column(self, kind: str, columns: Columns, alias: str) -> str:
        if not columns.get(kind):
            return {"text": "'none'", "number": "7", "boolean": "true", "time": THEN}[kind]
        return f"{alias}{self._one(columns[kind])}"

    def value(self, kind: str, columns: Columns, alias: str, depth: int = 2) -> str:
        """An expression of a kind."""
        if not depth:
            return self.column(kind, columns, alias)

        def inner(of: str) -> str:
            return self.value(of, columns, alias, depth - 1)

        def column() -> str:
            return self.column(kind, columns, alias)

        def case() -> str:
            return f"case when {self.condition(columns, alias, depth - 1)} then {inner(kind)} else {column()} end"

        makers: dict[str, list[Callable[[], str]]] = {
            "text": [
                column,
                case,
                lambda: f"upper({inner('text')})",
                lambda: f"coalesce({column()}, 'nothing')",
                lambda: f"substr({inner('text')}, 1, {self._one('123')})",
                lambda: f"{inner('text')} || '-' || {column()}",
                lambda: self._one(["'a'", "'it''s'", "''"]),
            ],
            "number": [
                column,
                case,
                lambda: f"length({inner('text')})",
                lambda: f"coalesce({column()}, 0)",
                lambda: f"abs({inner('number')})",
                lambda: f"({inner('number')} + {self._one(['1', '2.5', '-3'])})",
                lambda: f"{self._one('0123')}",
            ],
            "boolean": [column, lambda: f"({self.condition(columns, alias, depth - 1)})"],
            "time": [column, lambda: f"date_trunc('{self._one(['hour', 'day', 'month'])}', {column()})"],
        }
        return self._any(*makers[kind])

    def condition(self, columns: Columns, alias: str, depth: int = 2) -> str:
        """A condition."""
        kind = self._one(["text", "number", "time"])

        def compared() -> str:
            operator = self._one(["=", "<>", "<", ">=", "is distinct from"])
            return f"{self.value(kind, columns, alias, 1)} {operator} {self.column(kind, columns, alias)}"

        makers = [
            compared,
            lambda: f"{self.column(kind, columns, alias)} is {self._one(['', 'not '])}null",
            lambda: f"{self.column('text', columns, alias)} like '{self._one('anpm')}%'",
            lambda: f"{self.column('number', columns, alias)} between {self._one('012')} and 30",
            lambda: f"{self.column('text', columns, alias)} in ('p-1', 'a', 'MODIFY')",
        ]
        if depth:
            makers += [
                lambda: (
                    f"({self.condition(columns, alias, depth - 1)} {self._one(['and', 'or'])}"
                    f" {self.condition(columns, alias, depth - 1)})"
                ),
                lambda: f"not ({self.condition(columns, alias, depth - 1)})",
            ]
        return self._any(*makers)

    def listed(self, columns: Columns, alias: str) -> str:
        kinds = self._data.draw(
            st.lists(st.sampled_from(["text", "number", "boolean", "time"]), min_size=1, max_size=3)
        )
        return ", ".join(f"{self.value(kind, columns, alias)} as c{at}" for at, kind in enumerate(kinds))

    def plain(self) -> str:
        name, columns = self.relation()
        limit = self._one(["", " limit 3", " order by 1 desc nulls first limit 4", " order by c0"])
        if limit.endswith("4") or limit.endswith("c0"):  # rows that are equal by it may stand in any order
            return f"select {self.value('text', columns, 't.')} as c0 from {name} t where {self.condition(columns, 't.')}{limit}"
        return f"select {self.listed(columns, 't.')} from {name} t where {self.condition(columns, 't.')}{limit}"

    def grouped(self) -> str:
        name, columns = self.relation()
        key = self.value(self._one(["text", "number", "boolean", "time"]), columns, "t.")
        number, text = self.value("number", columns, "t."), self.value("text", columns, "t.")
        having = self._one(["", " having count(*) > 1", f" having max({text}) is not null"])
        return (
            f"select {key} as k, count(*) as n, sum({number}) as s, min({text}) as a, max({number}) as b,"
            f" count(distinct {text}) as d, count(*) filter (where {self.condition(columns, 't.', 1)}) as f"
            f" from {name} t group by 1{having}"
        )

    def joined(self) -> str:
        join = self._one(["join", "left join", "full join"])
        columns = self._attributes
        on = self._one(["using (pk, sk)", "on a.pk = b.pk and a.sk = b.sk"])
        return (
            f"select {self.value('text', columns, 'a.')} as x, {self.value('number', columns, 'b.')} as y"
            f" from {self._one(NOW)} a {join} {self._one(NOW)} b {on} where {self.condition(columns, 'a.')}"
        )

    def set_operation(self) -> str:
        operator = self._one(["union", "union all", "except", "intersect"])
        sides = []
        for _ in range(2):
            name, columns = self.relation()
            sides.append(
                f"select {self.value('text', columns, 't.')} as x from {name} t where {self.condition(columns, 't.', 1)}"
            )
        return f" {operator} ".join(sides)

    def with_query(self) -> str:
        name, columns = self.relation()
        within = (
            f"select {self.value('text', columns, 't.')} as x, {self.value('number', columns, 't.')} as y from {name} t"
        )
        return f"with q as ({within}) select x, count(*) as n, sum(y) as s from q where {self._one(['y > 1', 'x is null', 'true'])} group by x"

    def windowed(self) -> str:
        name, columns = self._one(NOW), self._attributes
        order = "order by t.pk, t.sk"
        return (
            f"select t.pk, t.sk, lag({self.value('text', columns, 't.')}) over (partition by {self.value('text', columns, 't.', 1)}"
            f" {order}) as before, row_number() over ({order}) as place, sum({self.value('number', columns, 't.', 1)})"
            f" over ({order} rows between unbounded preceding and current row) as so_far from {name} t"
        )

    def subquery(self) -> str:
        name, columns = self.relation()
        other = self._one(["'REMOVE'", "'INSERT'"])
        exists = f'exists (select 1 from "things$changes" c where c.pk = t.pk and c.event_name = {other})'
        among = f"{self.column('text', columns, 't.')} in (select max(u.pk) from {self._one(NOW)} u)"
        text = self.value("text", columns, "t.")
        pk = "t.keys.pk" if "changes" in name else "t.pk"
        return f"select {text} as x, count(*) as n from {name} t where {self._one([exists.replace('t.pk', pk), among])} group by 1"

    def select(self) -> str:
        """A SELECT."""
        return self._any(
            self.plain, self.grouped, self.joined, self.set_operation, self.with_query, self.windowed, self.subquery
        )


@pytest.fixture(scope="module")
def both(server, tmp_path_factory) -> Iterator[tuple[Workbench, Workbench, Columns]]:
    """The same log on both engines, and its attributes by the kinds of their types."""
    server.reset()
    on_files = Workbench(lake(server, tmp_path_factory.mktemp("log"), "raw"))
    on_athena = athena(server)
    attributes: dict[str, list[str]] = {"text": [], "number": [], "boolean": []}
    for path, held in on_files._engine.schema("things").paths():
        kind = family(sql_type(held))
        name = {"varchar": "text", "boolean": "boolean"}.get(kind, "number" if kind in NUMBERS - {"double"} else "")
        if name and held.types != {"M"}:
            attributes[name].append(".".join(f'"{step}"' for step in path))
    yield on_files, on_athena, attributes
    on_files.close()
    on_athena.close()


def asked(wb: Workbench, sql: str) -> pd.DataFrame | str:
    try:
        df: pd.DataFrame = wb.query(sql).df
    except ParameterError as error:
        return str(error)
    return df


@settings(
    max_examples=15,  # each takes a query on Athena's path, and so would each step of making a failing one smaller
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(st.data())
def test_a_select_has_one_answer(both, data):
    on_files, on_athena, attributes = both
    sql = Grammar(data, attributes).select()
    found, expected = asked(on_athena, sql), asked(on_files, sql)
    if isinstance(expected, str):
        assert found == expected, sql
    else:
        assert isinstance(found, pd.DataFrame), (sql, found)
        pd.testing.assert_frame_equal(found, expected, rtol=1e-9, obj=sql)


def test_the_grammar_is_understood(both):
    """Most of what it makes is answered, and not refused."""
    on_files, _, attributes = both
    answered = []

    @settings(max_examples=60, database=None, derandomize=True)
    @given(st.data())
    def ask(data: st.DataObject) -> None:
        answered.append(isinstance(asked(on_files, Grammar(data, attributes).select()), pd.DataFrame))

    ask()
    assert sum(answered) > 0.9 * len(answered)
