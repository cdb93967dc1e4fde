"""Versions: every state an item was in, as a frame and in files, over a public history and small ones."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pandas as pd
import pytest
from click.testing import CliRunner

from tests.helpers.logs import chain, micros, record, write_log
from workbench import Workbench
from workbench.cli import main
from workbench.errors import ParameterError

KEY = {"pk": {"S": "x"}}
NOON = micros("2026-01-01T12:00:00")
HOUR = 3_600_000_000
A, B, C = (KEY | {"v": {"S": letter}} for letter in "ABC")


def at(hour: int) -> pd.Timestamp:
    return pd.Timestamp("2026-01-01T12:00:00Z") + pd.Timedelta(hours=hour)


def then(df: pd.DataFrame, moment: pd.Timestamp | None) -> pd.DataFrame:
    """Return the versions that held at an instant, or hold."""
    if moment is None:
        return df[df["is_current"]]
    return df[(df["valid_from"] <= moment) & (df["valid_to"].isna() | (moment < df["valid_to"]))]


def test_a_public_repository_is_right_at_all_five_instants(public_history, tmp_path):
    truth = json.loads((public_history / "truth.json").read_text())
    out = tmp_path / "versions.parquet"
    ran = CliRunner().invoke(
        main, ["versions", "git-files", "--source", str(public_history / "data"), "--out", str(out)]
    )
    assert ran.exit_code == 0, ran.output
    df = pd.read_parquet(out)
    for moment, blobs in [(None, truth["latest"]), *truth["as_of"]]:
        held = then(df, moment and pd.Timestamp(moment).tz_convert("UTC"))
        assert dict(zip(held["path"], held["blob"], strict=True)) == blobs
    assert not df.duplicated(["path", "version"]).any()
    assert not df.duplicated(["path", "valid_from"]).any()
    following = df.groupby("path")["valid_from"].shift(-1)
    assert (df["valid_to"] <= following)[following.notna()].all()
    modified = df["ended_by"] == "modify"
    assert (df["valid_to"] == following)[modified].all()
    assert df["is_current"].sum() == len(truth["latest"])


def test_a_state_holds_until_the_next_and_a_life_ends_by_removal_or_ttl(tmp_path):
    one = chain(KEY, [(NOON, A), (NOON + HOUR, B), (NOON + 2 * HOUR, None), (NOON + 3 * HOUR, C)])
    two = chain({"pk": {"S": "y"}}, [(NOON, {"pk": {"S": "y"}}), (NOON + HOUR, None)], ttl=True)
    df = Workbench(write_log(tmp_path, one + two)).versions("things").df
    assert list(df) == ["pk", "v", "valid_from", "valid_to", "version", "life", "is_current", "ended_by"]
    told = df.astype(object).where(df.notna(), None).to_numpy().tolist()
    assert told == [
        ["x", "A", at(0), at(1), 1, 1, False, "modify"],
        ["x", "B", at(1), at(2), 2, 1, False, "remove"],
        ["x", "C", at(3), None, 3, 2, True, None],
        ["y", None, at(0), at(1), 1, 1, False, "ttl"],
    ]


def test_the_window_takes_what_held_at_some_time_of_it(tmp_path):
    wb = Workbench(write_log(tmp_path, chain(KEY, [(NOON, A), (NOON + HOUR, B), (NOON + 2 * HOUR, C)])))
    asked = {"start": at(1), "end": at(2)}
    assert list(wb.versions("things", **asked).df["v"]) == ["B"]
    assert list(wb.versions("things", start=at(1) - pd.Timedelta(microseconds=1), end=at(2)).df["v"]) == ["A", "B"]
    assert list(wb.versions("things", end=at(0) + pd.Timedelta(microseconds=1)).df["v"]) == ["A"]
    assert list(wb.versions("things", where="ended_by = 'modify' and v <> 'A'").df["v"]) == ["B"]
    assert list(wb.versions("things", where="is_current = true or version <= 1").df["v"]) == ["A", "C"]
    as_then = wb.versions("things", as_of=at(1)).df
    assert list(as_then["v"]) == ["A", "B"]
    assert list(as_then["is_current"]) == [False, True]


def test_names_are_those_of_dbts_snapshots_and_an_id_is_the_same_whenever_it_is_asked(tmp_path):
    wb = Workbench(write_log(tmp_path, chain(KEY, [(NOON, A), (NOON + HOUR, B)])))
    df = wb.versions("things", names="dbt").df
    assert list(df) == ["pk", "v", "dbt_scd_id", "dbt_updated_at", "dbt_valid_from", "dbt_valid_to"]
    assert list(df["dbt_valid_from"]) == list(df["dbt_updated_at"]) == [at(0), at(1)]
    before = wb.versions("things", names="dbt", as_of=at(0)).df
    assert list(before["dbt_scd_id"]) == list(df["dbt_scd_id"][:1])
    assert df["dbt_scd_id"].is_unique
    with pytest.raises(ParameterError, match=r"names='dbd': use workbench or dbt\. Did you mean 'dbt'\?"):
        wb.versions("things", names="dbd")  # type: ignore[arg-type]


def test_a_digest_does_not_tell_a_masked_key(tmp_path):
    wb = Workbench(write_log(tmp_path, chain(KEY, [(NOON, A), (NOON + HOUR, B)])), mask=["pk"])
    with pytest.raises(ParameterError, match="made of the key, and pk is masked"):
        wb.versions("things", names="dbt")
    assert "x" not in wb.versions("things").df["pk"].to_list()
    masked = Workbench(tmp_path, mask=["v"], mask_with="redact").versions("things", names="dbt").df
    assert list(masked["v"]) == ["[masked]", "[masked]"]


def test_attributes_that_are_called_like_its_columns_are_quoted(tmp_path):
    image = KEY | {"version": {"N": "7"}, "valid_from": {"S": "never"}, "life": {"M": {"x": {"N": "1"}}}}
    image |= {"_changed_at": {"S": "then"}, "dbt_scd_id": {"S": "own"}}
    wb = Workbench(write_log(tmp_path, chain(KEY, [(NOON, image)])))
    df = wb.versions("things").df
    assert (df['"version"'][0], df["version"][0]) == (7, 1)
    assert (df['"valid_from"'][0], df["life.x"][0]) == ("never", 1)
    assert wb.versions("things", names="dbt").df['"dbt_scd_id"'][0] == "own"
    assert len(wb.versions("things", where='"version" = 7 and version = 1')) == 1
    hidden = Workbench(tmp_path, mask=["version"], mask_with="redact").versions("things").df
    assert (hidden['"version"'][0], hidden["version"][0]) == ("[masked]", 1)


def test_a_table_made_again_with_another_key_ends_what_was_before(tmp_path):
    other = {"id": {"N": "1"}}
    records = [*chain(KEY, [(NOON, A), (NOON + HOUR, B)]), record("INSERT", other, NOON + 2 * HOUR, new=other)]
    wb = Workbench(write_log(tmp_path, records))
    df = wb.versions("things").df.sort_values("valid_from", ignore_index=True)
    assert df["valid_to"].to_list() == [at(1), at(2), pd.NaT]
    assert df["ended_by"].isna().to_list() == [False, False, True]
    assert list(df["ended_by"][:2]) == ["modify", "remove"]
    told = wb.ask("items", "things").df
    assert dict(zip(told["pk"].fillna("made again"), told["deleted"], strict=True)) == {"x": True, "made again": False}
    assert len(wb.versions("things", as_of=at(1)).df) == 2
    assert wb.versions("things", as_of=at(1)).df["is_current"].to_list() == [False, True]


def test_changes_that_take_each_other_back_make_no_version_and_one_that_is_missing_shows(tmp_path):
    there_and_back = [(NOON + HOUR, B), (NOON + HOUR, A)]
    wb = Workbench(write_log(tmp_path / "whole", chain(KEY, [(NOON, A), *there_and_back])))
    assert len(wb.versions("things")) == 1
    lossy = chain(KEY, [(NOON, A), (NOON + HOUR, B), (NOON + 2 * HOUR, A)])
    wb = Workbench(write_log(tmp_path / "lossy", [lossy[0], lossy[2]]))
    assert list(wb.versions("things").df["v"]) == ["A", "A"]


def test_a_log_without_images_says_so(tmp_path):
    bare = [record("INSERT", KEY, NOON), record("MODIFY", KEY, NOON + 1)]
    rows = [
        {"event_id": each["eventID"], "event_name": each["eventName"], "table_name": "things", "keys": json.dumps(KEY)}
        | {"ts": datetime.fromtimestamp(each["dynamodb"]["ApproximateCreationDateTime"] / 1e6, UTC).isoformat()}
        | {"new_image": None, "old_image": None, "by_ttl": False, "size_bytes": 1}
        for each in bare
    ]
    (tmp_path / "log.json").write_text("\n".join(map(json.dumps, rows)))
    result = Workbench(tmp_path).versions("things")
    assert result.df.empty
    assert any("keys" in note for note in result.stats.notes), result.stats.notes


def test_a_large_answer_is_written_in_parts(tmp_path, monkeypatch):
    from workbench.questions import gathering

    monkeypatch.setattr(gathering, "PART", 7)
    records = [
        each
        for number in range(9)
        for each in chain(
            {"pk": {"S": f"p-{number}"}},
            [(NOON + n, {"pk": {"S": f"p-{number}"}, "n": {"N": str(n)}}) for n in range(5)],
        )
    ]
    result = Workbench(write_log(tmp_path / "log", records)).versions("things")
    for ending in ("parquet", "csv", "json", "xlsx"):
        result.write(tmp_path / f"versions.{ending}")
    df = pd.read_parquet(tmp_path / "versions.parquet")
    assert len(df) == 45
    assert df["n"].to_list() == [*range(5)] * 9
    assert df["pk"].is_monotonic_increasing
    pd.testing.assert_frame_equal(result.df.reset_index(drop=True), df, check_dtype=False)
