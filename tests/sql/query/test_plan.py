"""What a query means, and what is refused: names, scopes, types, parameters, places in the text, what less is read."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tests.helpers.queries import Images
from workbench.errors import ParameterError
from workbench.model.times import END_OF_TIME, START_OF_TIME
from workbench.sql.query.source_text import Written
from workbench.sql.typed_attributes import Masks

TABLES = Images(
    {
        "persons": [
            {
                "pk": {"S": "a"},
                "balance": {"N": "41"},
                "person": {"M": {"age": {"N": "1"}, "first.name": {"S": "x"}, "persons": {"S": "p"}}},
                **{
                    name: {"S": name}
                    for name in ("version", "ts", "keys", "new", "item", "persons", "p", "order", "User")
                },
                **{name: {"N": "1"} for name in ("Id", "id", "ID", "first.name", 'q"t', "o'b", "_changed_at")},
                "phones": {"L": [{"M": {"number": {"S": "1"}}}]},
                "tags": {"SS": ["a", "b"]},
                "mixed": {"N": "1"},
            },
            {"pk": {"S": "b"}, "mixed": {"S": "x"}},
        ],
        "orders": [{"pk": {"S": "a"}, "sk": {"N": "1"}, "total": {"N": "1.50"}, "customer": {"S": "a"}}],
        "Odd": [{"pk": {"S": "a"}}],
        "odd": [{"pk": {"S": "a"}}],
    },
    {"orders": ("pk", "sk")},
)


def read(sql: str) -> list[tuple[str, tuple]]:
    """Return the images and paths that a query reads."""
    return [(image, path) for relation in TABLES.plan(sql).relations for image, path, _ in relation.columns]


@pytest.mark.parametrize(
    ("sql", "names"),
    [
        ("select balance, BALANCE as b, persons.balance x from persons", ["balance", "b", "x"]),
        ('select Id, "id", "ID" from persons', ["Id", "id", "ID"]),
        ("select persons from persons", ["persons"]),
        ("select p.p, p.persons, p.order from persons p", ["p", "persons", "order"]),
        ("select person.age, p.person.age a from persons p", ["person.age", "a"]),
        ('select person."first.name", "first.name" from persons', ['person."first.name"', '"first.name"']),
        ("""select "q""t", "o'b", user, version from persons""", ["""'"q\\"t"'""", """"o'b\"""", "User", "version"]),
        ("select _changed_at, item._changed_at from persons", ["_changed_at", "item._changed_at"]),
        ('select version, item.version, valid_from from "persons$versions"', ["version", "item.version", "valid_from"]),
        (
            'select ts, new.ts, old.ts, new.new, keys.pk from "persons$changes"',
            ["ts", "new.ts", "old.ts", "new.new", "pk"],
        ),
        ("select phones[1].number from persons", ["phones[1].number"]),
        ("select count(*), max(balance) from persons", ["_col0", "_col1"]),
        ("with t as (select person.age from persons) select age from t", ["age"]),
        ("with t as (select * from persons) select person.age from t", ["person.age"]),
        ("with persons as (select 1 as one from orders) select * from persons", ["one"]),
        ("with t(x, y) as (select pk, total from orders) select y from t", ["y"]),
        ("select a.pk, b.pk from persons a join orders b on a.pk = b.pk", ["a.pk", "b.pk"]),
        ("select pk from persons full join orders using (pk)", ["pk"]),
        ("select x, n from persons, unnest(tags) with ordinality as u(x, n)", ["x", "n"]),
        ("select v.i from (values (1), (2)) as v(i), orders", ["i"]),
        ("select pk from persons union select pk from orders order by pk", ["pk"]),
    ],
)
def test_names(sql, names):
    planned = TABLES.plan(sql)
    if 'q""t' in sql:  # whatever the quotes are, it can be told apart
        assert len(set(planned.names)) == 4
    else:
        assert planned.names == names


@pytest.mark.parametrize(
    ("sql", "paths"),
    [
        ("select persons.persons from persons", [("image", ("persons",))]),
        ("select person.persons from persons person", [("image", ("persons",))]),
        ("select person.person.persons from persons person", [("image", ("person", "persons"))]),
        ("select item.item from persons", [("image", ("item",))]),
        ("select phones[1].number from persons", [("image", ("phones", 0, "number"))]),
        ('select keys.pk, new.keys from "persons$changes"', [("keys", ("pk",)), ("new_image", ("keys",))]),
        ("select 1 from persons where exists (select 1 from orders where customer = balance || '')", None),
        ("select count(*) from persons", []),
        ("select pk from persons where attribute_exists(balance)", [("image", ("pk",)), ("image", ("balance",))]),
    ],
)
def test_only_what_is_named_is_read(sql, paths):
    if paths is None:
        with pytest.raises(ParameterError, match="texts are joined"):
            read(sql)
    else:
        assert sorted(read(sql), key=str) == sorted(paths, key=str)


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("select agee from persons p", "line 1, column 8, at 'agee': there is no agee in p"),
        ("select\n  person.agee\nfrom persons", "line 2, column 3, at 'person': there is no person.agee in persons"),
        ("select person.agee from persons", "Did you mean 'person.age'?"),
        ("select pk from person", "Did you mean 'persons'?"),
        ('select pk from "persons$change"', "Did you mean 'persons$changes'?"),
        ("select iD from persons", '"ID" or "Id" or "id"'),
        ("select pk from ODD", "'Odd' or 'odd'"),
        ("select pk from persons, orders", "it is in persons and orders"),
        ("select pk from orders, orders", "'orders' stands in FROM twice"),
        ("select phones[0].number from persons", "elements are counted from 1"),
        ("select phones[-1].number from persons", "elements are counted from 1"),
        ("select (select person from persons).age from orders", "not supported"),
        ("select p.age from (select person as p from persons)", "has no members"),
        ("select balance as b from persons where b > 1", "there is no b in persons"),
        ("select balance as b, count(*) from persons group by b", "GROUP BY knows no names given in SELECT"),
        ("select balance, count(*) from persons group by pk", "it must be in GROUP BY"),
        ("select pk from persons having count(*) > 1", "it must be in GROUP BY"),
        ("select pk from persons where count(*) > 1", "use HAVING"),
        ("select max(count(*)) from persons", "an aggregate cannot stand in another"),
        ("select 1 a, 2 a from persons", "several columns are called 'a'"),
        ("select pk from persons order by 2", "columns are numbered from 1 to 1"),
        ("select distinct pk from persons order by balance", "ORDER BY takes columns"),
        ("select pk, balance from persons union select pk from orders", "one query has 2 columns"),
        ("select pk from persons union select total from orders", "is a text in one query"),
        ("select balance from persons join orders using (balance)", "there is no balance in orders"),
        ("select null from orders union all select null from orders", "cannot be a column"),
        ("select array_agg(_changed_at) as x from orders", "x is array(timestamp), which cannot be a column"),
        ("select changed(pk) from persons", 'of a "T$changes"'),
        ("select to_utf8(pk) from persons", "there is no function 'to_utf8'"),
        ("select arbitrary (pk) from persons", "there is no function 'arbitrary'"),
        ("\ufeffselect agee from persons", "line 1, column 8, at 'agee'"),
    ],
)
def test_errors_point_at_the_place(sql, told):
    with pytest.raises(ParameterError) as refused:
        TABLES.plan(sql)
    assert told in str(refused.value)
    assert "\n" not in str(refused.value)


VALUES = {
    "text": "'x'",
    "number": "1",
    "condition": "true",
    "date": "date '2026-01-01'",
    "array": "array[1]",
    "binary": "cast(null as varbinary)",
}
COMPARED = [
    "{} = {}",
    "{} < {}",
    "{} <> {}",
    "{} in ({})",
    "{} between {} and null",
    "nullif({}, {})",
    "coalesce({}, {})",
]


@pytest.mark.parametrize("how", COMPARED)
@pytest.mark.parametrize("one", ["text", "number", "condition", "date", "array"])
@pytest.mark.parametrize("other", ["text", "number", "condition", "date", "array"])
def test_what_is_not_alike_is_not_compared(how, one, other):
    sql = f"select {how.format(VALUES[one], VALUES[other])} as x from orders"
    if one == other and (one != "array" or how.startswith("coalesce")):
        TABLES.plan(sql)
    else:
        with pytest.raises(ParameterError, match=r"^line 1, column \d+"):
            TABLES.plan(sql)


REFUSED = [
    "",
    "   ",
    "-- nothing",
    "select 1; select 2",
    "select pk from persons; drop table persons",
    "select pk from persons; -- x\nselect 1",
    "select 1 from persons /* ; */; delete from persons",
    "select pk from '/etc/passwd'",
    'select pk from "/etc/passwd"',
    "from 'x.parquet'",
    "from persons",
    "from persons select pk",
    "table persons",
    "values (1)",
    "select * from read_csv('/etc/passwd')",
    "select * from read_text('/etc/passwd')",
    "select * from glob('*')",
    "select * from parquet_scan('x')",
    "select * from query('select 1')",
    "select * from duckdb_settings()",
    "select * from pragma_version()",
    "select * from information_schema.tables",
    "select * from main.persons",
    "select * from a.b.c",
    'select * from "$r1"',
    "select getenv('HOME') from persons",
    "select read_text('x') from persons",
    "select query('select 1') from persons",
    "select pg_read_file('x') from persons",
    "select current_setting('threads') from persons",
    "select current_user from persons",
    "select version() from persons",
    "select random() from persons",
    "select uuid() from persons",
    "set threads = 1",
    "pragma version",
    "attach 'x.db'",
    "install httpfs",
    "load httpfs",
    "copy persons to 'x.csv'",
    "copy (select 1) to 'x.csv'",
    "call pragma_version()",
    "explain select pk from persons",
    "explain analyze select pk from persons",
    "describe persons",
    "show tables",
    "use x",
    "create table x as select * from persons",
    "insert into persons values (1)",
    "update persons set balance = 1",
    "delete from persons",
    "unload (select pk from persons) to 's3://x/'",
    "prepare x from select 1",
    "execute immediate 'select 1'",
    "select pk from persons natural join orders",
    "select pk from persons tablesample bernoulli (10)",
    "select * from persons pivot (max(balance) for pk in ('a'))",
    "select * from persons match_recognize (partition by pk measures a.pk as x pattern (a) define a as pk > 1)",
    "select pk into x from persons",
    "select pk from persons for update",
    "select pk, count(*) from persons group by all",
    "select pk from persons where balance = ?",
    "select pk from persons where balance = @x",
    "select pk from persons where balance = $1",
    "with recursive t as (select 1 a union all select a + 1 from t) select a from t, persons",
    "select person.* from persons",
    "select * exclude (pk) from persons",
    "select * replace (1 as pk) from persons",
    "select columns('p.*') from persons",
    "select distinct on (pk) pk from persons",
    "select pk from persons qualify row_number() over (order by pk) = 1",
    "select x.pk from persons x cross join lateral (select 1 from orders) o",
    "select unnest(tags) from persons",
    "select row(1, 2) from persons",
    "select {'a': 1} from persons",
    "select pk from persons limit all",
    "select pk from persons limit 1 + 1",
    "select pk from persons fetch first 1 rows only",
    "select pk from persons for timestamp as of '2026-11-18'",
    "select pk from persons for timestamp as of ts",
    "select pk from persons for timestamp as of (select timestamp '2026-11-18 00:00:00')",
    "select pk from persons for version as of 1",
    "select pk from \"persons$changes\" for timestamp as of timestamp '2026-11-18 00:00:00'",
    "select pk, from persons",
    "select 1_000 from persons",
    "select pk from persons where pk = 'a\0b'",
    "select pk from persons where pk = '\ud800'",
    "select pk from persons where '",
    'select pk from persons where "',
    "select pk from persons /* never closed",
    "select " + "(" * 3000 + "1" + ")" * 3000 + " from persons",
    "select " + "1 + " * 2000 + "1 from persons",
    "select " + "not " * 2000 + "true from persons",
    "select pk from persons " + "union all select pk from persons " * 300,
    "select * from " + "(select * from " * 100 + "persons" + ")" * 100,
    "x" * 200_000,
]


@pytest.mark.parametrize("sql", REFUSED, ids=lambda sql: sql[:40].encode("utf-8", "replace").decode())
def test_anything_else_is_refused_in_a_line(sql):
    with pytest.raises(ParameterError) as refused:
        TABLES.plan(sql)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    "sql",
    [
        "select pk from persons;",
        "select pk from persons; -- hm",
        "select pk from persons; /* hm */ ; -- hm\n",
        "select /* hm */ pk -- why\nfrom persons",
        "(select pk from persons)",
        "\ufeffselect pk\r\nfrom persons\r\n",
    ],
)
def test_comments_and_a_last_semicolon_are_no_matter(sql):
    planned = TABLES.plan(sql)
    assert "hm" not in TABLES.text(planned, "duckdb")


def test_parameters():
    def where(sql: str, **given: object) -> str:
        return TABLES.text(TABLES.plan(f"select pk from orders where {sql}", **given), "athena").rpartition("WHERE")[2]

    assert "'it''s'" in where("customer = :x", x="it's")
    for written in ("total in :x", "total in (:x)", "total in ( :x )"):
        assert "IN (1, 2)" in where(written, x=[1, 2])
    assert "IN (1, 2, 3)" in where("total in (:x, 3)", x=[1, 2])
    assert "1.50" in where("total = :x", x=Decimal("1.50"))
    assert "= 7" in where("total = :x", x=Written("7"))
    assert "'7'" in where("customer = :x", x=Written("7"))
    day = datetime(2026, 11, 18, tzinfo=UTC)
    for given in (day, "2026-11-18", Written("2026-11-18T00:00:00Z")):
        (relation,) = TABLES.plan("select pk from orders for timestamp as of :day", day=given).relations
        assert relation.as_of == day
    (relation,) = TABLES.plan(
        "select pk from orders for timestamp as of timestamp '2026-11-18 01:00:00 Europe/Berlin'"
    ).relations
    assert relation.as_of == day
    for sql, given in (("customer = :x", {}), ("customer = 'a'", {"x": 1}), ("customer = ':x'", {"x": 1})):
        with pytest.raises(ParameterError, match=r"parameter|value for"):
            where(sql, **given)
    with pytest.raises(ParameterError, match="line 1, column 50"):
        where("customer = :long and nope = 1", long="a very long text, which moves what comes after it")
    with pytest.raises(ParameterError, match="at 'total = :long'"):
        where("total = :long", long="abc")
    for sql in (None, 5, b"select 1"):
        with pytest.raises(ParameterError, match="a query is a text"):
            TABLES.plan(sql)


def asked_of(sql: str, masks: Masks = Masks()) -> list:  # noqa: B008 - is frozen
    """Return the items and the window that each relation of a query is asked of."""
    return [
        (each.only.keys, each.start > START_OF_TIME, each.end < END_OF_TIME)
        for each in TABLES.plan(sql, masks=masks).relations
    ]


ALL = ((), False, False)


@pytest.mark.parametrize(
    ("sql", "asked"),
    [
        ("select pk from persons where pk = 'a'", [(('{"pk":{"S":"a"}}',), False, False)]),
        ("select pk from persons where 'a' = pk and balance > 1", [(('{"pk":{"S":"a"}}',), False, False)]),
        ("select pk from orders where pk = 'a' and sk in (1, 2.0)", None),
        ("select pk from persons where pk = 'a' or balance = 1", [ALL]),
        ("select pk from persons where not pk = 'a'", [ALL]),
        ("select pk from persons where pk > 'a'", [ALL]),
        ("select pk from persons where pk = upper('a')", [ALL]),
        ("select p.pk from persons p left join orders o on p.pk = o.pk where o.pk = 'a'", [ALL, ALL]),
        ("select p.pk from persons p right join orders o on p.pk = o.pk where p.pk = 'a'", [ALL, ALL]),
        ("select p.pk from persons p full join orders o on p.pk = o.pk where p.pk = 'a'", [ALL, ALL]),
        ("select p.pk from persons p left join orders o on p.pk = 'a'", [ALL, ALL]),
        ("select ts from \"persons$changes\" where ts >= timestamp '2026-11-18 00:00:00'", [((), True, False)]),
        (
            "select ts from \"persons$changes\" where ts between timestamp '2026-11-18 00:00:00' and timestamp '2026-11-19 00:00:00'",
            [((), True, True)],
        ),
        ("select ts from \"persons$changes\" where not ts >= timestamp '2026-11-18 00:00:00'", [ALL]),
        ("select ts from \"persons$changes\" where ts >= timestamp '2026-11-18 00:00:00' or by_ttl", [ALL]),
        ("select new.ts from \"persons$changes\" where new.ts > 'a'", [ALL]),
        ("select 1 from \"persons$versions\" where valid_from >= timestamp '2026-11-18 00:00:00'", [ALL]),
    ],
)
def test_less_is_read_where_that_cannot_be_wrong(sql, asked):
    if asked is None:
        ((keys, *_),) = asked_of(sql)
        assert len(keys) == 2
    else:
        assert asked_of(sql) == asked


def test_items_of_a_masked_key_are_not_looked_up():
    assert asked_of("select pk from persons where pk = 'a'", Masks((("pk",),))) == [ALL]


def test_order():
    def keys(sql: str) -> list:
        return [(key.name, key.descending, key.nulls_first) for key in TABLES.plan(sql).order]

    assert keys("select pk, balance from persons") == [("o1", False, False), ("o2", False, False)]
    assert keys("select pk as balance from persons order by balance desc") == [("o1", True, False)]
    assert keys("select pk from persons order by balance nulls first") == [("h1", False, True)]
    assert keys("select pk, balance from persons order by 2 desc, 1") == [("o2", True, False), ("o1", False, False)]
    assert keys("select pk from persons order by balance + 1, pk") == [("h1", False, False), ("o1", False, False)]
    assert "LIMIT without ORDER BY" in TABLES.plan("select pk from persons limit 1").notes[0]


def test_an_attribute_of_several_types_is_told():
    (note,) = TABLES.plan("select mixed from persons").notes
    assert "varchar" in note
    assert "1" in note
