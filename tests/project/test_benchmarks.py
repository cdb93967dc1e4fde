"""The benchmarks run, on a small log; what their logs are said to be, they are; the pages show the figures kept."""

from __future__ import annotations

import importlib.util
import json
import sys
from decimal import Decimal
from fractions import Fraction

import duckdb
import numpy as np
import pytest

from benchmarks.__main__ import changes_of, main
from benchmarks.figures import FILE, PAGES, block, filled, in_text, write
from benchmarks.logs import LAYOUTS, histories, made_log
from benchmarks.measuring import measured
from benchmarks.sizes import FORMS, GROUPS, compacted_day, shares, touched
from benchmarks.subjects import SUBJECTS, Answer, Place, Subject
from workbench import Workbench
from workbench.model.canonical import canonical_json


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("benchmark")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_log_holds_real_histories_and_the_truth_of_them(folder, layout, tmp_path):
    log = made_log(folder, 2_000, layout)
    wb = Workbench(log.data, home=tmp_path)
    changes = wb.changes("persons").df
    assert (len(changes), log.records, log.objects) == (2_000, 2_040, len(log.paths)) == (2_000, 2_040, 21)
    assert changes["pk"].nunique() == log.items
    df = wb.latest_state("persons").df
    truth = duckdb.sql(f"select pk, version, ledger, image from read_parquet('{log.truth}') order by pk").fetchall()
    assert df["pk"].tolist() == [pk for pk, *_ in truth]
    assert df["version"].tolist() == [int(version) for _, version, *_ in truth]
    ledgers = [ledger and Decimal(ledger) for _, _, ledger, _ in truth]
    assert df["ledger"].astype(object).where(df["ledger"].notna(), None).tolist() == ledgers
    assert any(ledgers)
    assert all(canonical_json(json.loads(image)) == image for *_, image in truth)


def test_a_log_is_made_once_and_the_same_by_the_same_seed(folder, tmp_path):
    log = made_log(folder, 2_000)
    assert made_log(folder, 2_000) == log
    again = made_log(tmp_path, 2_000)
    assert [path.read_bytes() for path in again.paths] == [path.read_bytes() for path in log.paths]
    other = made_log(tmp_path, 2_000, seed=14)
    assert [path.read_bytes() for path in other.paths] != [path.read_bytes() for path in log.paths]


def test_forms_of_a_log_are_told_by_their_bytes_with_and_without_images(folder):
    found = shares(folder, 2_000)
    assert tuple(found) == FORMS
    assert found["in order, ZSTD"] < found["in order, SNAPPY"] < found["Parquet, SNAPPY"]
    assert found["Parquet, GZIP"] < found["Parquet, SNAPPY"]
    assert all(few < every for every, few in list(found.values())[1:])
    assert found["in order, ZSTD"] < found["compacted, ZSTD"] < found["Parquet, ZSTD"]


def test_a_compacted_day_has_each_change_once_with_its_deliveries_and_an_item_is_in_few_of_its_groups(folder):
    log, day = made_log(folder, 2_000, "parquet"), compacted_day(folder, 2_000)
    deliveries = [each for row in day.column("deliveries").to_pylist() for each in row]
    assert (len(day), len(deliveries)) == (log.changes, log.records)
    assert {each[20:] for each in deliveries} == {path.relative_to(log.data).as_posix() for path in log.paths}
    assert {each[20:].partition("-1-")[2][:19] for each in deliveries} == {
        each[:19].replace(" ", "-").replace(":", "-") for each in deliveries
    }
    found = touched(folder, 2_000)
    assert [*found] == [*GROUPS]
    assert 0 < found[1_000] < 1 == found[10_000]


def test_histories_have_ties_cycles_and_lives():
    past = histories(100_000, 13)
    same = past.item[1:] == past.item[:-1]
    tied = same & (past.ts[1:] == past.ts[:-1])
    assert Fraction(int(tied.sum()), 100_000) == pytest.approx(0.01, rel=0.5)
    assert (past.ts[1:][same] >= past.ts[:-1][same]).all()
    assert (past.before[1:][same] == past.state[:-1][same]).all()
    assert (past.before[1:][~same] == 0).all()
    assert (past.state != past.before).all()
    back = tied & (past.state[1:] > 0) & (past.state[1:] < past.before[1:])
    assert back.any()
    assert (past.state == 0).any()
    counts = np.sort(np.unique(past.item, return_counts=True)[1])
    assert counts[-len(counts) // 100 :].sum() > 10 * len(counts) // 100 * np.median(counts)


@pytest.mark.process
def test_every_subject_and_every_peer_that_is_installed_runs(folder, tmp_path, capsys):
    out = tmp_path / "figures.json"
    main(["--changes", "2000", "--rounds", "1", "--folder", str(folder), "--out", str(out)])
    shown, figures = capsys.readouterr().out, json.loads(out.read_text())
    assert [log["layout"] for log in figures["logs"]] == list(LAYOUTS)
    raw = {row["name"]: row for row in figures["logs"][0]["subjects"]}
    assert list(raw) == list(SUBJECTS)
    for row in (row for log in figures["logs"] for row in log["subjects"]):
        package = SUBJECTS[row["name"]].package
        if package and importlib.util.find_spec(package.replace("-", "_")) is None:
            assert row["stopped"].startswith("not installed")
            continue
        assert "stopped" not in row, row
        assert row["of_scan"] > 0
        if not row["is_peer"] and "wrong" in row:
            assert (row["missing"], row["extra"], row["wrong"]) == (0, 0, 0), row
        assert row["title"] in shown
    assert raw["scan"]["of_scan"] == 1
    assert raw["blog"]["extra"] > 0, "it brings back what was deleted"
    assert raw["boto3"]["wrong"] + raw["boto3"]["extra"] > 0, "it takes of an instant the change that came last"
    assert raw["dynamodb_json"].get("wrong", 1) > raw["boto3"]["wrong"], "it makes floats of decimals"
    assert raw["changes"]["rows"] > 1_500


@pytest.mark.process
def test_what_takes_too_long_or_too_much_is_stopped_and_said(folder, tmp_path):
    place = Place(made_log(folder, 2_000), tmp_path, tmp_path / "out.parquet")
    assert measured(SUBJECTS["first"], place, seconds=0.001, memory=10**12) == {"stopped": "not done in 0 s"}
    assert measured(SUBJECTS["first"], place, seconds=100, memory=10**7)["stopped"].startswith("more than 0 GB")
    unknown = Subject("nothing", "", lambda place: Answer(0), ())
    assert measured(unknown, place, seconds=100, memory=10**12) == {"stopped": "failed: KeyError: 'nothing'"}


@pytest.mark.process
def test_what_takes_too_much_cpu_is_stopped_and_said(folder, tmp_path, monkeypatch):
    code = (
        "import sys; from benchmarks import measuring as m;"
        "m.SUBJECTS['busy'] = m.Subject('busy', '', lambda place: m.Answer(sum(range(10**12))), ());"
        "m.main(*sys.argv[1:])"
    )
    monkeypatch.setattr("benchmarks.measuring._COMMAND", (sys.executable, "-c", code))
    place = Place(made_log(folder, 2_000), tmp_path, tmp_path / "out.parquet")
    busy = Subject("busy", "", lambda place: Answer(0), ())
    assert measured(busy, place, seconds=1, memory=10**12) in (
        {"stopped": "not done in 1 CPU s"},
        {"stopped": "not done in 5 s"},  # on a machine that others use
    )


def test_figures_are_shown_with_what_was_stopped():
    row = {"name": "scan", "title": "DuckDB's bare scan", "is_peer": False, "seconds": 1.5, "cpu": 2, "of_scan": 1}
    log = {
        "layout": "raw",
        "changes": 2_000_000,
        "items": 3,
        "objects": 2,
        "bytes": 10**7,
        "store": 7 * 10**6,
        "rounds": 3,
    }
    log |= {
        "subjects": [
            row | {"peak": 10**8, "rows": 1},
            {"name": "pandas", "title": "pandas", "is_peer": True, "stopped": "not done in 9 s"},
        ]
    }
    figures = {"logs": [log]}
    assert in_text(log).splitlines()[-1].split() == ["pandas", "not", "done", "in", "9", "s"]
    table = block(figures, "raw 2000000 peers").splitlines()
    assert table[0].startswith(
        "| 2,000,000 changes of 3 items in 2 objects (gz, raw), 10 MB; store 0.70 of that; medians of 3 rounds | seconds |"
    )
    assert table[2:] == [
        "| DuckDB's bare scan | 1.50 | 2.00 | 1.00 | 100 | 1 |",
        "| pandas | not done in 9 s |  |  |  |  |",
    ]
    assert "pandas" not in block(figures, "raw 2000000 workbench")
    page = "a\n<!-- figures: raw 5 peers -->\nold\n<!-- end of figures -->\nb\n"
    assert "Not measured" in filled(page, figures)
    assert filled(filled(page, figures), figures) == filled(page, figures)


def test_how_many_changes_can_be_said_in_millions():
    assert [changes_of(text) for text in ("1M", "20m", "2000")] == [1_000_000, 20_000_000, 2_000]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_shows_the_figures_that_are_kept(page):
    text, figures = page.read_text(encoding="utf-8"), json.loads(FILE.read_text(encoding="utf-8"))
    assert text.count("<!-- figures: ") == text.count("<!-- end of figures -->") > 0
    assert filled(text, figures) == text, "python -m benchmarks --write fills them"


def test_a_run_is_written_to_the_pages(tmp_path, monkeypatch):
    page, file = tmp_path / "page.md", tmp_path / "figures.json"
    page.write_text("# Speed\n\n<!-- figures: machine -->\n<!-- end of figures -->\n")
    monkeypatch.setattr("benchmarks.figures.PAGES", (page,))
    monkeypatch.setattr("benchmarks.figures.FILE", file)
    machine = {"cores": 2, "memory": 24 * 10**9, "python": "3.11.2", "packages": {"duckdb": "2.0.1"}}
    figures = {"machine": machine, "logs": [{"changes": 5, "layout": "raw", "rounds": 1}]}
    write(figures)
    assert json.loads(file.read_text()) == figures
    write(figures | {"logs": [{"changes": 3, "layout": "raw"}, {"changes": 5, "layout": "raw", "rounds": 2}]})
    assert [(log["changes"], log.get("rounds")) for log in json.loads(file.read_text())["logs"]] == [(3, None), (5, 2)]
    assert "\n\n2 cores, 24 GB, Python 3.11.2, duckdb 2.0.1.\n\n" in page.read_text()
