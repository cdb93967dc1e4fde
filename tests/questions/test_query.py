"""Queries of a person's own, end to end: a public repository's truth, and masks that hold wherever a value is seen."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from tests.helpers.logs import chain, write_log
from tests.log.test_exports import items, write_export
from workbench import Workbench
from workbench.errors import ParameterError

NOON = 1_767_268_800_000_000


def test_a_public_repository_is_right_at_all_five_instants(public_history, tmp_path):
    truth = json.loads((public_history / "truth.json").read_text())
    wb = Workbench(public_history / "data", home=tmp_path)
    versions = 'select path, blob from "git-files$versions" where '
    then = "valid_from <= timestamp '{0}' and (valid_to > timestamp '{0}' or valid_to is null)"
    for at, blobs in [(None, truth["latest"]), *truth["as_of"]]:
        as_of = "for timestamp as of :at" if at else ""
        state = wb.query(f'select path, blob from "git-files" {as_of}', **({"at": at} if at else {})).df
        assert dict(zip(state["path"], state["blob"], strict=True)) == blobs
        wall = at and at.replace("T", " ").removesuffix("Z").removesuffix("+00:00")
        held = wb.query(versions + (then.format(wall) if at else "is_current")).df
        assert dict(zip(held["path"], held["blob"], strict=True)) == blobs
        assert len(held) == len(blobs)
    wb.close()


@pytest.fixture(params=["redact", "hash"])
def masked(request, tmp_path):
    states = [
        {"secret": {"S": text}, "open": {"N": str(number)}} for number, text in enumerate(["hidden one", "hidden two"])
    ]
    key = {"pk": {"S": "a"}}
    write_log(tmp_path / "log", chain(key, [(NOON + at, key | state) for at, state in enumerate(states)]))
    other = {"pk": {"S": "b"}}
    write_log(tmp_path / "log", chain(other, [(NOON, other | states[0])]), name="other")
    salt = {"mask_salt": "pepper"} if request.param == "hash" else {}
    with_mask = Workbench(tmp_path / "log", home=tmp_path / "home", mask=["secret"], mask_with=request.param, **salt)
    yield with_mask
    with_mask.close()


def test_a_mask_holds_in_every_part_of_a_query(masked):
    for sql in (
        "select * from things",
        "select secret, count(*) as n from things group by secret",
        "select pk from things order by secret",
        "select min(secret), max(secret) from things",
        "select array_agg(secret) as x from things",
        "select case when secret = 'hidden one' then 'yes' else 'no' end as x from things",
        'select new.secret, old.secret as before from "things$changes"',
        'select secret from "things$versions"',
        "with t as (select secret as s from things) select s from t where s like 'hidden%'",
        "select length(secret) as n from things where secret = :value",
    ):
        given = {"value": "hidden one"} if ":value" in sql else {}
        result = masked.query(sql, **given)
        seen = " ".join([str(result.df.to_numpy().tolist()), result.sql, str(result.asked), repr(result)])
        assert "hidden" not in seen, sql
        assert "pepper" not in seen, sql
    assert masked.query("select pk from things where secret = 'hidden one'").df.empty


def test_an_error_of_a_query_tells_no_value(masked, tmp_path):
    for sql in (
        "select nope from things where secret = 'hidden one'",
        "select secret from things where cast('hidden one' as bigint) = 1",
        "select secret from things where secret > 4711",
        "select secret from things where secret in ('hidden one', 4711)",
    ):
        with pytest.raises(ParameterError) as refused:
            masked.query(sql)
        assert "hidden" not in str(refused.value)
        assert "4711" not in str(refused.value)


def test_what_is_shown_alike_is_not_compared(tmp_path, masked):
    compared = (
        'select count(*) as n from "things$changes" where changed(secret) and old.pk is not null',
        'select count(*) as n from "things$changes" where old.secret <> new.secret',
    )
    for sql in compared:
        sql = sql.replace("old.pk", "old.open")
        if masked.query("select secret from things").df["secret"].nunique() > 1:
            assert list(masked.query(sql).df["n"]) == [1]
        else:
            with pytest.raises(ParameterError, match="shown alike"):
                masked.query(sql)


@pytest.mark.parametrize("store", [True, False])
def test_tables_that_share_a_log_have_keys_of_their_own(store, tmp_path):
    ours, theirs = {"pk": {"S": "a"}}, {"id": {"N": "1"}, "sort": {"S": "b"}}
    records = [*chain(ours, [(NOON, ours)]), *chain(theirs, [(NOON, theirs)], table="others")]
    wb = Workbench(write_log(tmp_path / "log", records), home=tmp_path / "home", store=store)
    assert list(wb.query("select * from things").df) == ["pk", "_changed_at"]
    assert list(wb.query("select * from others").df) == ["id", "sort", "_changed_at"]
    assert wb.profile("others").df["path"].tolist() == ["id", "sort"]
    with pytest.raises(ParameterError, match="there is no pk in others"):
        wb.query("select pk from others")
    wb.close()


def test_what_states_stand_on_is_said_of_queries_and_questions_as_of_latest_state(tmp_path):
    one, other = {"pk": {"S": "a"}}, {"id": {"N": "1"}}
    records = [*chain(one, [(NOON, one)]), *chain(other, [(NOON + 3_600_000_000, other)])]
    wb = Workbench(write_log(tmp_path / "log", records), home=tmp_path / "home")
    expected = wb.latest_state("things").stats.notes
    assert expected[0].startswith("made again with another key")
    for told in (
        wb.query("select count(*) as n from things"),
        wb.query('select count(*) as n from "things$versions"'),
        wb.transitions("things", "pk"),
        wb.trend("things", "count(*)"),
        wb.lifetimes("things"),
        wb.profile("things"),
    ):
        assert told.stats.notes[-len(expected) :] == expected, told
    assert not wb.query('select count(*) as n from "things$changes"').stats.notes


def test_a_baseline_that_is_not_used_is_said(tmp_path):
    key, made = {"pk": {"S": "a"}}, datetime(2025, 12, 1, tzinfo=UTC)
    log = write_log(tmp_path / "log", chain(key, [(NOON, key)]))
    arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/others"
    write_export(tmp_path / "exports", [items({"pk": "a"})], made, tableArn=arn)
    wb = Workbench(log, home=tmp_path / "home", baseline=str(tmp_path / "exports"))
    for told in (wb.latest_state("things"), wb.query("select pk from things"), wb.trend("things", "count(*)")):
        assert "the baseline is not used" in " ".join(told.stats.notes)
