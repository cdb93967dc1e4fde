"""What a person writes in a question over versions cannot leave its place, and a mask holds in its answer."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.helpers.logs import chain, micros, write_log
from workbench import Workbench
from workbench.errors import ParameterError, QueryError, TableNotFound

KEY = {"pk": {"S": "secret-key"}}
NOON = micros("2026-01-01T12:00:00")
STATES = [
    (NOON + 60_000_000 * at, KEY | {"status": {"S": status}, "version": {"N": str(at)}, "total": {"N": "2.50"}})
    for at, status in enumerate(["new!", "paid!", "paid!", "sent!"])
]


@pytest.fixture
def log(tmp_path):
    return write_log(tmp_path / "log", chain(KEY, STATES))


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("statsu", r"path: column 1, at 'statsu': there is no statsu in things. Did you mean 'status'"),
        ("total + statsu", r"path: column 9, at 'statsu'"),
        ("version + statsu", r"path: column 11, at 'statsu'"),
        ("status) as x, (status", r"path: column 7, at '\)'"),
        ("(select status)", "no query can stand here"),
        ("exists (select 1 from things)", "no query can stand here"),
        ("status; drop table things", "without a semicolon"),
        ("status -- and more", "without a semicolon or a comment"),
        ("status /* and more", "never closed"),
        ("max(status)", "an aggregate is of many items"),
        ("lag(status) over (order by version)", "no window function"),
        ("status, total", "cannot be read as"),
        ("status as x", "cannot be read as"),
        ("", "must be an expression"),
        ("read_text('/etc/passwd')", "there is no function 'read_text'"),
        ("status || :start", "no parameter can stand here"),
        ("array[status]", r"path: column 1, at 'array\[status\]': arrays are compared by"),
    ],
)
def test_a_path_is_one_expression_and_errors_are_about_what_was_written(log, path, said):
    with pytest.raises(ParameterError, match=said):
        Workbench(log).transitions("things", path)


@pytest.mark.parametrize(
    ("aggregate", "said"),
    [
        ("total", "it is one of sum"),
        ("sum(total) + 1", "it is one of sum"),
        ("sum(status)", "at 'status': sum takes numbers"),
        ("sum(distinct total)", "it is one of sum"),
        ("sum(max(total))", "an aggregate cannot stand in another"),
        ("sum((select 1))", "no query can stand here"),
        ("sum(toal)", "column 5, at 'toal'"),
    ],
)
def test_an_aggregate_is_one_that_there_is(log, aggregate, said):
    with pytest.raises(ParameterError, match=said):
        Workbench(log).trend("things", aggregate)


def test_an_attribute_that_is_called_like_metadata_is_meant(log):
    wb = Workbench(log)
    assert sorted(wb.transitions("things", "version").df["to"].dropna()) == [0, 1, 2, 3]
    assert wb.trend("things", "sum(version)").df["value"].tolist() == [3]
    with pytest.raises(TableNotFound):
        wb.trend("nothing", "count(*)")


def test_a_mask_holds_in_values_keys_and_texts(log):
    wb = Workbench(log, mask=("pk", "status"), mask_with="redact")
    moved, trend = wb.transitions("things", "status"), wb.trend("things", "count(*)", by="status")
    profile = wb.profile("things")
    for df in (moved.df, moved.longest, trend.df, profile.df, profile.values):
        text = df.to_string()
        assert not any(each in text for each in ("secret-key", "new!", "paid!", "sent!"))
    assert profile.df.set_index("path").loc["status", "there"] == 1
    with pytest.raises(ParameterError, match="masked"):
        wb.sql("transitions", "things", path="case when status = 'sent!' then 1 end")


def test_the_items_that_stay_are_a_table_with_a_heading(log, capsys):
    moved = Workbench(log).transitions("things", "status")
    moved.show()
    shown = capsys.readouterr().out
    assert shown.count("At each value, the items that have been there longest:\n") == 1
    assert shown.index("last_move") < shown.index("At each value") < shown.index("since")
    replace(moved, longest=moved.longest.iloc[:0]).show()
    assert "At each value" not in capsys.readouterr().out


def test_the_text_of_a_question_is_a_query_that_anybody_can_ask(log):
    wb = Workbench(log)
    for name, asked in (("transitions", {"path": "status"}), ("trend", {"aggregate": "sum(total)"}), ("profile", {})):
        assert len(wb.query(wb.sql(name, "things", **asked)).df)


@pytest.mark.parametrize("path", ['"$key"', 'things."$key"', "case when things.\"$key\" like '%secret%' then 1 end"])
def test_the_whole_key_is_no_way_around_a_mask(log, path):
    wb = Workbench(log, mask=("pk",))
    asked = (
        lambda: wb.transitions("things", path),
        lambda: wb.lifetimes("things", by=path),
        lambda: wb.trend("things", f"max({path})"),
        lambda: wb.trend("things", "count(*)", by=path),
        lambda: wb.trend("things", "count(*)", where=f"({path}) is not null"),
    )
    for ask in asked:
        with pytest.raises(ParameterError, match="holds pk, which is masked"):
            ask()
    assert len(wb.transitions("things", "status").longest)
    assert len(Workbench(log).lifetimes("things", by='"$key"').df) == 1


def test_a_sum_that_is_too_large_for_its_type_says_what_to_do(tmp_path):
    states = [(NOON, {"pk": {"S": pk}, "total": {"N": "9" * 38}}) for pk in "abc"]
    wb = Workbench(
        write_log(tmp_path / "log", [each for state in states for each in chain({"pk": state[1]["pk"]}, [state])])
    )
    for ask in (lambda of: wb.trend("things", of), lambda of: wb.query(f"select {of} from things")):
        with pytest.raises(QueryError, match=r"take it as a double, as in sum\(cast\(x as double\)\)"):
            ask("sum(total)")
        assert ask("sum(cast(total as double))").df.iloc[0, -2 if "value" in ask("count(*)").df else -1] == 3e38


@pytest.mark.parametrize("how", ["redact", "hash"])
@pytest.mark.parametrize("written", ["case when {} = 'sent!' then 1 end", "case when {} in ('sent!', 'b') then 1 end"])
def test_a_value_that_a_mask_hides_is_not_shown_of_what_was_asked(log, how, written):
    wb, of = Workbench(log, mask=("status",), mask_with=how), written.format("status")
    for result in (
        wb.transitions("things", of),
        wb.lifetimes("things", by=of),
        wb.trend("things", "count(*)", by=of),
        wb.trend("things", "count(*)", where=f"({of}) is null"),
        wb.trend("things", f"count({of})"),
    ):
        assert "sent!" not in f"{result.sql} {result.asked} {result!r} {result.summary}"
    assert wb.lifetimes("things", by="status").asked["by"] == "status"
    for refused in (
        lambda: wb.transitions("things", "split(status, 'sent!')"),
        lambda: wb.transitions("things", "status = 'sent!' + 4711"),
        lambda: wb.lifetimes("things", by="status > 4711"),
        lambda: wb.trend("things", "sum(status || 'sent!')"),
        lambda: wb.trend("things", "total || status || 'sent!'"),
        lambda: wb.trend("things", "count(*)", where="nope = status || 'sent!'"),
    ):
        with pytest.raises(ParameterError) as error:
            refused()
        assert "sent!" not in str(error.value)
        assert "4711" not in str(error.value)


def test_groups_by_numbers_are_numbers_as_in_every_frame(log):
    trend, lives = (
        answer.df["belongs_to"]
        for answer in (
            Workbench(log).trend("things", "count(*)", by="total"),
            Workbench(log).lifetimes("things", by="total"),
        )
    )
    assert trend.tolist() == [2.5]
    assert str(trend.dtype) == "float64"
    assert lives.tolist() == [2.5]
    exact = Workbench(log, numbers="decimal").trend("things", "count(*)", by="total").df["belongs_to"]
    assert list(map(type, exact)) == [Decimal]


def test_an_attribute_that_holds_a_masked_one_now_and_then_has_a_profile_without_values(tmp_path):
    mixed = [{"S": "text"}, {"L": [{"M": {"email": {"S": "secret!"}}}]}]
    records = [
        each
        for pk, value in zip("ab", mixed, strict=True)
        for each in chain({"pk": {"S": pk}}, [(NOON, {"pk": {"S": pk}, "mixed": value})])
    ]
    found = Workbench(write_log(tmp_path / "log", records), mask=("mixed.email",)).profile("things")
    assert found.df.set_index("path").loc["mixed", "types"] == "L, S"
    assert set(found.values["path"]) == {"pk"}


@pytest.mark.parametrize(
    "aggregate", ["count(*)", "sum(total)", "max(total)", "median(total)", "count(distinct total)"]
)
def test_a_trend_is_told_until_the_last_change_whichever_values_moved(aggregate, tmp_path):
    day = 86_400_000_000
    item, guest = {"pk": {"S": "a"}, "total": {"N": "1"}}, {"pk": {"S": "b"}, "total": {"N": "2"}}
    records = chain({"pk": {"S": "a"}}, [(NOON, item), (NOON + 2 * day, item | {"status": {"S": "new"}})])
    records += chain({"pk": {"S": "b"}}, [(NOON - 3 * day, guest), (NOON - 3 * day + 1, None)])
    records += chain({"pk": {"S": "c"}}, [(NOON + 4 * day, guest), (NOON + 4 * day + 1, None)])
    df = Workbench(write_log(tmp_path / "log", records)).trend("things", aggregate).df
    assert df["bucket"].dt.strftime("%m-%d").tolist() == [
        *("12-29", "12-30", "12-31", "01-01", "01-02", "01-03", "01-04", "01-05")
    ]
    assert df["items"].tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
    assert df["value"][3:].tolist() == [1] * 5
