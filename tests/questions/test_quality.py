"""Can the log be trusted? What is odd in a log is found, and nothing else."""

from __future__ import annotations

import base64
import json
import random
import tempfile
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers import lakes
from tests.helpers.logs import chain, record, write_log
from tests.helpers.profiles import examples
from tests.helpers.trust import LOGS, NOON, image, key, made, micros
from tests.log.test_exports import lines, write_export
from tests.properties.test_audit import POOL, STEPS, workbench_of
from tests.properties.test_replay import history
from workbench import Workbench
from workbench.cli import main
from workbench.errors import ParameterError
from workbench.questions.quality import Quality


def odd(told: Quality) -> dict[str, tuple[str, int, float, str]]:
    """The findings that are not ok."""
    rows = told.df[told.df["status"] != "ok"].to_dict("records")
    return {row["finding"]: (row["status"], row["count"], row["share"], *row["examples"][:1]) for row in rows}


def agrees(told: Quality, wanted: dict[str, tuple[str, int, float, str]]) -> None:
    found = odd(told)
    assert found.keys() == wanted.keys()
    for name, (status, count, share, example) in wanted.items():
        assert found[name][:2] == (status, count), name
        assert found[name][2] == pytest.approx(share)
        assert example in found[name][3]


@pytest.mark.parametrize("name", LOGS)
def test_what_is_odd_is_found_and_nothing_else(tmp_path, name):
    delivered, wanted = LOGS[name]
    wb = Workbench(lakes.write(tmp_path, delivered(), "raw"))
    agrees(wb.data_quality("things"), wanted)
    wb.close()


def test_a_log_with_times_that_cannot_be_is_not_trusted(tmp_path):
    wb = Workbench(lakes.write(tmp_path, LOGS["ahead"][0](), "raw"))
    told = wb.data_quality("things")
    assert told.verdict == (
        "things: the log has times that cannot be: do not rely on its order (changes dated after they arrived)"
    )
    assert told.lag["longest"].max() < timedelta(hours=1), "what cannot be does not bend the lag"


@pytest.mark.parametrize(
    ("folder", "after", "count"),
    [
        ("2026/01/01/12", timedelta(minutes=74), 0),
        ("2026/01/01/12", timedelta(minutes=76), 1),
        ("dt=2026-01-01", timedelta(hours=12, minutes=14), 0),
        ("dt=2026-01-01", timedelta(hours=12, minutes=16), 1),
        ("2025/12/31/07", timedelta(0), 1),
        ("nothing", timedelta(0), 0),
        ("nothing", timedelta(days=3), 1),
    ],
)
def test_how_late_in_an_object_a_change_may_be_goes_by_what_tells_its_arrival(tmp_path, folder, after, count):
    write_log(tmp_path / folder, [change for _, change in made("a", NOON + after)])
    told = Workbench(tmp_path).data_quality("things").df.set_index("finding")
    assert told.loc["changes dated after they arrived", "count"] == count


# --- freshness


def fresh(wb: Workbench, **asked) -> tuple[str, str]:
    row = wb.data_quality("things", **asked).df.set_index("finding").loc["freshness"]
    return row["status"], row["meaning"]


def at(monkeypatch, moment) -> None:
    monkeypatch.setattr("workbench.questions.examination.now", lambda: moment)


def test_an_old_log_is_said_to_be_one(tmp_path, monkeypatch):
    wb = Workbench(lakes.write(tmp_path, made("a", NOON, NOON + timedelta(hours=1)), "raw"))
    at(monkeypatch, NOON + timedelta(days=7))
    assert fresh(wb) == (
        "ok",
        "the newest change was made at 2026-01-01 13:00:00 UTC, the newest object arrived at 2026-01-01 13:00:05 UTC",
    )
    at(monkeypatch, NOON + timedelta(days=324))
    assert fresh(wb)[0] == "warning"
    assert fresh(wb)[1].endswith(": longer ago than 7 d")
    assert wb.data_quality("things").verdict == "things: the log can be trusted within limits (freshness)"
    assert fresh(wb, end=NOON + timedelta(days=1))[0] == "ok", "who asks about the past wants no news"
    assert fresh(wb, start=NOON + timedelta(days=1), max_age="1h")[0] == "failed", "no change at all"


def test_a_log_that_often_is_silent_for_long_may_be_so_again(tmp_path, monkeypatch):
    wb = Workbench(lakes.write(tmp_path, made("a", NOON, NOON + timedelta(days=30)), "raw"))
    at(monkeypatch, NOON + timedelta(days=119))
    assert fresh(wb)[0] == "ok"
    at(monkeypatch, NOON + timedelta(days=121))
    assert fresh(wb)[0] == "warning"


def test_an_age_that_is_asked_for_fails(tmp_path, monkeypatch):
    wb = Workbench(lakes.write(tmp_path, made("a", NOON), "raw"))
    at(monkeypatch, NOON + timedelta(minutes=59))
    assert fresh(wb, max_age="1h")[0] == "ok"
    at(monkeypatch, NOON + timedelta(minutes=61))
    assert fresh(wb, max_age="1h")[0] == "failed"
    assert "older than it may be" in wb.data_quality("things", max_age="1h").verdict
    with pytest.raises(ParameterError, match="no length of time"):
        wb.data_quality("things", max_age="soon")


# --- shares


@given(steps=STEPS, pool=POOL, seed=st.integers(0, 2**32 - 1))
@examples(10)
def test_a_share_is_of_what_it_says_and_no_more_than_all(steps, pool, seed):
    rng = random.Random(seed)
    records, _ = history(steps, pool, rng, apart=False)
    records = [each for each in records if rng.random() < 0.7]
    if not records:
        return
    with workbench_of(records * rng.randint(1, 3), rng) as wb, tempfile.TemporaryDirectory() as other:
        for source in (wb, Workbench(other)):
            if source is not wb:  # with lines that are none
                write_log(Path(other), [*records, *({"no": "record"} for _ in range(rng.randint(1, 9)))])
            told = source.data_quality("things")
            assert told.df["share"].between(0, 1).all(), told.df[["finding", "count", "share", "of"]]
            assert told.drift["share"].between(0, 1).all()
            start = wb.changes("things").df["ts"].sample(random_state=seed).iloc[0]
            assert source.data_quality("things", start=start).df["share"].between(0, 1).all()
            source.close()


# --- a baseline


@pytest.fixture
def exported(tmp_path):
    """A workbench over a log of changes at these seconds, from an export of items at noon."""

    def make(items: dict[str, object], *changes: tuple[str, int, object, object], source: str = "log") -> Workbench:
        records = [
            record(
                "MODIFY",
                key(name),
                micros(NOON) + second * 1_000_000,
                old=image(name, old),
                new=image(name, new),
                event_id=f"{name}{second}",
            )
            for name, second, old, new in changes
        ]
        log = write_log(tmp_path / source, records)
        folder = write_export(
            tmp_path / f"exports of {source}",
            [lines([{"Item": image(name, value)} for name, value in items.items()])],
            NOON,
        )
        return Workbench(log, baseline=str(folder))

    return make


def test_a_beginning_that_the_baseline_knows_is_no_finding(exported):
    wb = exported({"a": 1, "b": 5}, ("a", 10, 1, 2), ("b", -10, 4, 5), ("b", 20, 5, 6))
    told = wb.data_quality("things")
    assert odd(told) == {}
    assert told.stats.notes[0].startswith("from the export of 2026-01-01 12:00:00 UTC on")
    assert told.gaps.empty


def test_what_does_not_follow_from_the_baseline_is_missing(exported):
    wb = exported({"a": 1, "b": 5}, ("a", 10, 7, 8), ("b", -20, 1, 2), ("b", -10, 4, 5), ("b", 9, 5, 6), ("c", 5, 1, 2))
    told = wb.data_quality("things")
    assert {name: found[:2] for name, found in odd(told).items()} == {
        "missing changes": ("failed", 2),
        "unseen beginnings": ("failed", 1),
    }
    gaps = told.gaps.set_index("pk")
    assert gaps.loc["a", "lost_after"] == NOON
    assert gaps.loc["a", "lost_before"] == NOON + timedelta(seconds=10)
    assert gaps.loc["b", "lost_before"] == NOON - timedelta(seconds=10)


def test_a_baseline_after_the_window_is_not_asked(exported):
    wb = exported({"a": 1}, ("a", -10, 0, 1))
    told = wb.data_quality("things", end=NOON - timedelta(seconds=1)).df.set_index("finding")
    assert told.loc["unseen beginnings", "count"] == 1


def test_a_whole_log_is_whole_with_a_baseline_too(tmp_path):
    records = chain(key("a"), [(micros(NOON) + second * 1_000_000, image("a", second)) for second in range(-5, 5)])
    folder = write_export(tmp_path / "exports", [lines([{"Item": image("a", 0)}])], NOON)
    wb = Workbench(write_log(tmp_path / "log", records), baseline=str(folder))
    assert odd(wb.data_quality("things")) == {}


# --- what every answer tells


def test_every_answer_tells_its_newest_change_and_arrival(tmp_path):
    wb = Workbench(lakes.write(tmp_path, made("a", NOON, NOON + timedelta(hours=1)) + made("b", NOON), "raw"))
    last = NOON + timedelta(hours=1)
    asked = [
        wb.latest_state("things"),
        wb.latest_state("things", as_of=NOON),
        wb.changes("things", key="pk=b"),
        wb.item_history("things"),
        wb.diff("things", NOON),
        wb.change_frequency("things"),
        wb.change_frequency("things", by="attribute"),
        wb.data_quality("things"),
    ]
    for told in asked:
        assert (told.stats.newest_change, told.stats.last_arrival) == (last, last + timedelta(seconds=5))
        assert "newest change 2026-01-01 13:00:00 UTC · newest object of 2026-01-01 13:00:05 UTC" in told.summary
    wb.checkpoint("things")
    assert wb.latest_state("things").stats.newest_change == last
    wb.close()


def test_the_newest_change_is_the_tables_own(tmp_path):
    others = chain(key("x"), [(micros(NOON) + 1_000_000, image("x", 1))], table="others")
    wb = Workbench(write_log(tmp_path, [change for _, change in made("a", NOON)] + others))
    assert wb.latest_state("things").stats.newest_change == NOON
    assert wb.latest_state("others").stats.newest_change == NOON + timedelta(seconds=1)
    wb.close()


@pytest.mark.parametrize("offset", [-11, -4, 9, 14])
def test_arrivals_are_dated_in_the_zone_of_the_names(tmp_path, offset):
    """Firehose's CustomTimeZone."""
    in_utc = made("a", *(NOON + timedelta(hours=hour, minutes=hour) for hour in range(6)))
    moved = [(arrival + timedelta(hours=offset), change) for arrival, change in in_utc]
    wb = Workbench(lakes.write(tmp_path / "utc", in_utc, "raw"))
    elsewhere = lakes.write(tmp_path / "moved", moved, "raw")
    expected = wb.data_quality("things")
    for given_zone in (None, f"{offset:+03}:00"):
        other = Workbench(elsewhere, arrival_zone=given_zone)
        found = other.data_quality("things")
        pd.testing.assert_frame_equal(found.lag, expected.lag)
        assert (found.stats.first_arrival, found.stats.last_arrival) == (
            expected.stats.first_arrival,
            expected.stats.last_arrival,
        )
        assert any(f"UTC{offset:+03}:00" in note for note in found.stats.notes) is (given_zone is None)
        other.close()
    assert not any("zone" in note for note in expected.stats.notes)
    wb.close()


def test_the_command_line_says_how_long_ago(tmp_path, monkeypatch):
    lakes.write(tmp_path, made("a", NOON), "raw")
    monkeypatch.setattr("workbench.model.times.now", lambda: NOON + timedelta(days=324, hours=5))
    ran = CliRunner().invoke(main, ["latest", "things", "--from", str(tmp_path)])
    assert "newest change 2026-01-01 12:00:00 UTC, 324 d 5 h ago" in ran.stderr


def test_an_old_log_ends_a_schedule_with_3(tmp_path, monkeypatch):
    lakes.write(tmp_path, made("a", NOON), "raw")
    at(monkeypatch, NOON + timedelta(hours=2))
    asked = ["quality", "things", "--from", str(tmp_path), "--max-age"]
    assert CliRunner().invoke(main, [*asked, "1h"]).exit_code == 3
    assert CliRunner().invoke(main, [*asked, "3h"]).exit_code == 0


def test_what_firehose_could_not_deliver_is_a_finding(tmp_path):
    (change,), failed = [each for _, each in made("a", NOON)], [each for _, each in made("b", NOON)]
    lost = {
        "attemptsMade": 4,
        "errorCode": "Lambda.FunctionError",
        "rawData": base64.b64encode(json.dumps(failed[0]).encode()).decode(),
    }
    write_log(tmp_path / "data", [change])
    (tmp_path / "data" / "failed.json").write_text(json.dumps(lost) + "\n")
    wb = Workbench(tmp_path)
    assert odd(wb.data_quality("things")) == {"Firehose failure objects": ("failed", 1, 1 / 2)}
    wb.close()


def test_a_baseline_that_applies_to_nothing_is_said(tmp_path):
    log = write_log(tmp_path / "log", [change for _, change in made("a", NOON)])
    other = {"tableArn": "arn:aws:dynamodb:eu-central-1:123456789012:table/others"}
    write_export(tmp_path / "exports", [lines([{"Item": image("b", 1)}])], NOON, **other)
    write_export(tmp_path / "exports", [lines([])], NOON, since=NOON - timedelta(hours=1))
    wb = Workbench(log, baseline=str(tmp_path / "exports"))
    said = (
        "the baseline is not used: it holds no full export of 'things', but: incremental, of 'things', 2026-01-01 "
        "11:00:00 to 2026-01-01 12:00:00 UTC; full, of 'others', 2026-01-01 12:00:00 UTC"
    )
    assert wb.latest_state("things").stats.notes == (said,)
    assert wb.item_history("things").stats.notes == (said,)
    assert wb.data_quality("things").stats.notes == (said,)
    with pytest.raises(
        ParameterError, match="no full export of 'things' to compare with, but: incremental, of 'things'"
    ):
        wb.reconcile("things", against=tmp_path / "exports")
    wb.close()


def test_a_baseline_that_is_of_later_is_said(exported):
    wb = exported({"a": 1}, ("a", -10, 0, 1))
    (said,) = wb.latest_state("things", as_of=NOON - timedelta(seconds=5)).stats.notes
    assert said == (
        "the baseline is not used: it holds no full export of 'things' at 2026-01-01 11:59:55 UTC or "
        "before, but: full, of 'things', 2026-01-01 12:00:00 UTC"
    )


def test_a_change_of_2036_does_not_make_half_a_million_rows(tmp_path):
    wb = Workbench(lakes.write(tmp_path, LOGS["ahead"][0](), "raw"))
    for asked in ({}, {"by": "attribute", "every": "1h", "start": "2020-01-01", "end": "2037-01-01"}):
        told = wb.change_frequency("things", **asked)
        assert len(told.df) < 10
        assert "empty buckets between the others are left out" in told.summary
    assert told.df["changes"].sum() == 1
    assert wb.change_frequency("things").df["changes"].sum() == 5
    wb.close()
