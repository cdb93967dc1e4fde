"""Latest state and as-of, by the contract of `changes`."""

from __future__ import annotations

import gzip
import json
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pandas as pd
import pytest
from click.testing import CliRunner

from tests.helpers.logs import chain, micros, record, write_log
from workbench import Workbench
from workbench.cli import main
from workbench.errors import ParameterError, TableNotFound

KEY = {"pk": {"S": "x"}}
NOON = micros("2026-01-01T12:00:00")
A, B, C, D = (KEY | {"v": {"S": letter}} for letter in "ABCD")


def state(folder: Path, **asked) -> pd.DataFrame:
    return Workbench(folder).latest_state("things", **asked).df


def test_changes_of_one_instant_are_settled_by_their_images_and_not_by_their_ids(tmp_path):
    for last in (D, A):
        records = chain(KEY, [(NOON, A), (NOON + 5, B), (NOON + 5, C), (NOON + 5, last)], ids=["4", "9", "2", "1"])
        result = Workbench(write_log(tmp_path, reversed(records))).latest_state("things")
        assert list(result.df["v"]) == [last["v"]["S"]]
        assert result.stats.ambiguous_ties == 0


def test_a_cycle_within_an_instant_leaves_the_state_before_it_however_deep(tmp_path):
    there_and_back = [(NOON + 1, B), (NOON + 1, A), (NOON + 2, C), (NOON + 2, A), (NOON + 3, None), (NOON + 3, A)]
    write_log(tmp_path, chain(KEY, [(NOON, A), *there_and_back]))
    assert list(state(tmp_path)["v"]) == ["A"]
    assert Workbench(tmp_path).latest_state("things").stats.ambiguous_ties == 0


def test_where_a_record_of_the_instant_is_missing_the_event_id_decides_and_the_tie_is_counted(tmp_path):
    records = chain(KEY, [(NOON, A), (NOON + 5, B), (NOON + 5, C), (NOON + 5, D)], ids=["1", "7", "3", "5"])
    del records[2]  # B -> C is lost: A -> B and C -> D do not follow on
    for number, order in enumerate([records, records[::-1]]):
        result = Workbench(write_log(tmp_path / str(number), order)).latest_state("things")
        assert list(result.df["v"]) == ["B"]
        assert result.stats.ambiguous_ties == 1


def test_a_cycle_that_does_not_follow_on_from_what_was_before_is_counted(tmp_path):
    before = chain(KEY, [(NOON, C)])
    cycle = chain(KEY, [(NOON + 1, A), (NOON + 1, B), (NOON + 1, A)], ids=["1", "5", "3"])[1:]
    result = Workbench(write_log(tmp_path, before + cycle)).latest_state("things")
    assert list(result.df["v"]) == ["B"]
    assert result.stats.ambiguous_ties == 1


def test_an_item_that_came_and_went_in_its_first_instant_is_gone_and_counted(tmp_path):
    write_log(tmp_path, chain(KEY, [(NOON, A), (NOON, None)], ids=["9", "1"]))
    result = Workbench(tmp_path).latest_state("things")
    assert result.df.empty
    assert result.stats.ambiguous_ties == 1


def test_a_change_delivered_late_and_twice_counts_by_its_own_time(tmp_path):
    first, second = chain(KEY, [(NOON, A), (NOON + 1, B)])
    write_log(tmp_path / "year=2026/month=01/day=01/hour=12", [second])
    write_log(tmp_path / "year=2026/month=01/day=03/hour=00", [first, second, first])
    assert list(state(tmp_path)["v"]) == ["B"]
    assert list(state(tmp_path, as_of="2026-01-01T12:00:00Z")["v"]) == ["A"]


def test_an_instant_includes_the_changes_made_at_it_and_reads_its_time_zone(tmp_path):
    write_log(tmp_path, chain(KEY, [(NOON, A), (NOON + 1, B)]))
    assert list(state(tmp_path, as_of="2026-01-01T12:00:00")["v"]) == ["A"]
    assert list(state(tmp_path, as_of="2026-01-01T13:00:00.000001+01:00")["v"]) == ["B"]
    with pytest.raises(ParameterError, match="not an instant"):
        state(tmp_path, as_of="noon")


def test_deleted_items_are_gone_and_shown_with_when_on_request(tmp_path):
    gone = chain(KEY, [(NOON, A), (NOON + 7, None)], ttl=True)
    back = chain({"pk": {"S": "y"}}, [(NOON, {"pk": {"S": "y"}}), (NOON + 1, None), (NOON + 2, {"pk": {"S": "y"}})])
    write_log(tmp_path, gone + back)
    assert list(state(tmp_path)["pk"]) == ["y"]
    everything = state(tmp_path, include_deleted=True)
    assert list(everything["pk"]) == ["x", "y"]
    assert everything["_deleted_at"][0] == pd.Timestamp("2026-01-01T12:00:00.000007Z")
    assert pd.isna(everything["_deleted_at"][1])
    assert list(everything["_by_ttl"]) == [True, False]


def test_milliseconds_and_microseconds_of_one_table_are_told_apart_by_record(tmp_path):
    old = record("INSERT", KEY, NOON, new=A, millis=True)
    new = record("MODIFY", KEY, NOON + 400, new=B, old=A)
    write_log(tmp_path, [new, old])
    df = state(tmp_path)
    assert list(df["v"]) == ["B"]
    assert df["_changed_at"][0] == pd.Timestamp("2026-01-01T12:00:00.000400Z")


def test_composite_and_numeric_keys_are_equal_as_numbers_and_in_any_order(tmp_path):
    one = {"user": {"N": "3"}, "when": {"N": "1E+2"}}
    same = {"when": {"N": "100.0"}, "user": {"N": "3"}}
    write_log(
        tmp_path,
        [record("INSERT", one, NOON, new=one | A), record("MODIFY", same, NOON + 1, new=same | B, old=one | A)],
    )
    df = state(tmp_path)
    assert df[["user", "when", "v"]].to_numpy().tolist() == [[3, 100, "B"]]
    assert df["user"].dtype == "Int64"


def test_columns_are_there_with_their_types_where_nothing_was_there_yet(tmp_path):
    write_log(tmp_path, chain(KEY, [(NOON, A | {"n": {"N": "1"}})]))
    now, before = state(tmp_path), state(tmp_path, as_of="2020-01-01")
    assert before.empty
    assert list(before.dtypes.items()) == list(now.dtypes.items())


@pytest.mark.parametrize("layout", ["raw", "joined", "envelope", "parquet", "flat"])
def test_every_layout_is_recognised_and_gives_the_same_answer(tmp_path, layout):
    write_log(tmp_path, chain(KEY, [(NOON, A), (NOON + 1, B)]), layout)
    wb = Workbench(tmp_path)
    assert list(wb.latest_state("things").df["v"]) == ["B"]
    assert list(wb.tables()["layout"]) == [{"joined": "raw", "parquet": "envelope"}.get(layout, layout)]


def test_tables_of_one_folder_are_kept_apart_and_a_wrong_name_is_helped(tmp_path):
    write_log(tmp_path, [*chain(KEY, [(NOON, A)]), *chain(KEY, [(NOON, B)], table="others")])
    wb = Workbench(tmp_path)
    assert list(wb.tables()["table"]) == ["others", "things"]
    assert list(wb.latest_state("others").df["v"]) == ["B"]
    with pytest.raises(TableNotFound, match=r"but of: others, things\. Did you mean 'things'\?"):
        wb.latest_state("thing")


def test_objects_that_come_go_or_change_between_two_questions_are_noticed(tmp_path):
    wb = Workbench(tmp_path)
    write_log(tmp_path, chain(KEY, [(NOON, A)]), name="1")
    assert list(wb.latest_state("things").df["v"]) == ["A"]
    write_log(tmp_path, [record("MODIFY", KEY, NOON + 1, new=B, old=A)], name="2")
    assert list(wb.latest_state("things").df["v"]) == ["B"]
    write_log(tmp_path, [record("MODIFY", KEY, NOON + 1, new=C, old=A)], name="2")
    assert list(wb.latest_state("things").df["v"]) == ["C"]
    (tmp_path / "2.json.gz").unlink()
    assert list(wb.latest_state("things").df["v"]) == ["A"]


def test_unreadable_lines_are_named_and_the_good_ones_around_them_answered(tmp_path):
    good = [json.dumps(each) for each in chain(KEY, [(NOON, A), (NOON + 1, B)])]
    wrong = json.dumps(record("INSERT", KEY, NOON + 9, new=C) | {"eventName": "UPSERT"})
    no_image = json.dumps(record("MODIFY", KEY, NOON + 9))
    (tmp_path / "log.json").write_text("\n".join([good[0], "{half", wrong, "", no_image, good[1], good[1][:50]]))
    result = Workbench(tmp_path).latest_state("things")
    assert list(result.df["v"]) == ["B"]
    assert [(found.line, found.reason.split(":")[0]) for found in result.stats.unreadable] == [
        (2, "not JSON at character 2"),
        (3, "eventName is a str, not one of INSERT, MODIFY, REMOVE"),
        (5, "MODIFY without a new image"),
        (7, "not JSON at character 42"),
    ]
    assert {found.object for found in result.stats.unreadable} == {str(tmp_path / "log.json")}


def test_a_truncated_object_is_named_and_what_can_be_read_of_it_answered(tmp_path):
    items = [{"pk": {"S": f"p-{n}"}} for n in range(3000)]
    write_log(tmp_path, [record("INSERT", item, NOON, new=item) for item in items[:1500]], name="whole")
    write_log(tmp_path, [record("INSERT", item, NOON, new=item) for item in items[1500:]], name="cut")
    whole = (tmp_path / "cut.json.gz").read_bytes()
    (tmp_path / "cut.json.gz").write_bytes(whole[: len(whole) // 2])
    result = Workbench(tmp_path).latest_state("things")
    assert 1500 < len(result.df) < 3000
    assert "truncated" in result.stats.unreadable[-1].reason
    assert {found.object for found in result.stats.unreadable} == {str(tmp_path / "cut.json.gz")}


def test_an_image_that_is_no_dynamodb_json_is_refused_and_the_change_before_it_answers(tmp_path):
    records = chain(KEY, [(NOON, A), (NOON + 1, B)])
    records[1]["dynamodb"]["NewImage"] = {"pk": "x", "v": "plain"}
    result = Workbench(write_log(tmp_path, records)).latest_state("things")
    assert list(result.df["v"]) == ["A"]
    assert "attribute 'pk'" in result.stats.unreadable[0].reason


def test_published_records_are_read_with_every_type_they_hold(shared):
    wb = Workbench(shared / "data" / "records.jsonl")
    df = wb.latest_state("kelsey-rockset-testing").df
    assert df["binary"][0] == bytes.fromhex("d77db5")
    assert df["number set"][0] == {0, 1}
    assert df["map.a"][0] == "some-string"
    assert df["null"][0] is None
    assert list(wb.latest_state("flight").df["flight_number"]) == [' "BA28"']
    assert list(
        Workbench(shared / "data" / "concatenated-no-newline.json").latest_state("businfo").df["RemainSeatCnt"]
    ) == ["45", "45"]


def test_a_public_repository_is_right_at_all_five_instants(public_history, tmp_path):
    truth = json.loads((public_history / "truth.json").read_text())
    for number, (at, blobs) in enumerate([(None, truth["latest"]), *truth["as_of"]]):
        out = tmp_path / f"{number}.parquet"
        options = ["--as-of", at] if at else []
        ran = CliRunner().invoke(
            main, ["latest", "git-files", "--from", str(public_history / "data"), *options, "--out", str(out)]
        )
        assert ran.exit_code == 0, ran.output
        df = pd.read_parquet(out)
        assert dict(zip(df["path"], df["blob"], strict=True)) == blobs


def test_the_query_people_copy_brings_deleted_items_back_and_doubles_ties(public_history):
    """The seed query of many posts: the last INSERT or MODIFY, by a correlated MAX over the new image's key."""
    truth = json.loads((public_history / "truth.json").read_text())["latest"]
    con = duckdb.connect()
    con.execute(
        f"create table log as select * from read_json('{public_history}/data/**/*.gz', columns={{eventName: 'VARCHAR', "
        "dynamodb: 'STRUCT(ApproximateCreationDateTime BIGINT, NewImage JSON)'}, format='newline_delimited')"
    )
    rows = con.execute("""
        select dynamodb.NewImage->>'$.path.S' from log as a
        where eventName in ('INSERT', 'MODIFY') and dynamodb.ApproximateCreationDateTime = (
            select max(b.dynamodb.ApproximateCreationDateTime) from log as b
            where b.eventName in ('INSERT', 'MODIFY')
              and b.dynamodb.NewImage->>'$.path.S' = a.dynamodb.NewImage->>'$.path.S')
    """).fetchall()
    con.close()
    paths = [path for (path,) in rows]
    assert set(paths) - set(truth), "deleted items come back"
    assert len(paths) > len(set(paths)), "ties and duplicates are doubled"
    df = Workbench(public_history / "data").latest_state("git-files").df
    assert sorted(df["path"]) == sorted(truth)


def test_a_gzip_object_of_nothing_and_hidden_files_are_no_trouble(tmp_path):
    write_log(tmp_path, chain(KEY, [(NOON, A)]))
    (tmp_path / "empty.json.gz").write_bytes(gzip.compress(b""))
    (tmp_path / "_SUCCESS").write_text("")
    (tmp_path / ".part").write_text("half")
    result = Workbench(tmp_path).latest_state("things")
    assert (len(result.df), result.stats.unreadable) == (1, ())


def test_a_key_of_two_types_is_that_of_two_tables(tmp_path):
    text, number = {"pk": {"S": "1"}}, {"pk": {"N": "1"}}
    write_log(tmp_path, [record("INSERT", text, NOON, new=text), record("INSERT", number, NOON, new=number)])
    with pytest.raises(ParameterError, match=r"two keys at the same time, so of two tables: pk \(.\) from"):
        state(tmp_path)


def test_the_change_log_of_an_empty_folder_says_so(tmp_path):
    with pytest.raises(TableNotFound, match="holds no change records"):
        state(tmp_path)
    with pytest.raises(ParameterError, match="does not exist"):
        state(tmp_path / "nowhere")


def test_the_sql_shown_runs_as_text_with_its_instant_filled_in(tmp_path):
    write_log(tmp_path, chain(KEY, [(NOON, A)]))
    result = Workbench(tmp_path).latest_state("things", as_of=datetime(2026, 1, 2, tzinfo=UTC))
    assert "timestamp '2026-01-02 00:00:00.000000'" in result.sql
    assert result.sql.startswith("-- What is in the table")


def test_a_change_sent_twice_is_no_tie_where_old_images_are_not_known(tmp_path):
    records = chain(KEY, [(NOON, A), (NOON + 1, B)])
    write_log(tmp_path, [*records, records[-1]], "flat")
    result = Workbench(tmp_path).latest_state("things")
    assert result.stats.ambiguous_ties == 0
    assert len(result.df) == 1
