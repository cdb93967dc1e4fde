"""Checks: each part is tried, nothing is changed, and what is wrong comes with what mends it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pandas as pd
import pytest

from workbench.checks import machine
from workbench.config import Settings, load_settings
from workbench.errors import ConfigError


def settings(home: Path, source: Path | None = None) -> Settings:
    return load_settings(home=home, source=None if source is None else str(source))


def status(found: pd.DataFrame, check: str) -> str:
    return str(found.set_index("check").loc[check, "status"])


def test_a_new_machine_is_ready_but_has_no_data_yet_and_stays_untouched(tmp_path):
    found = machine.run_checks(settings(tmp_path / "new"))
    assert set(found["status"]) <= {"ok", "warning"}
    assert status(found, "change log") == "warning"
    assert "workbench generate" in found.set_index("check").loc["change log", "remedy"]
    assert not (tmp_path / "new").exists()


def test_whatever_is_not_ok_has_a_remedy(tmp_path):
    found = machine.run_checks(settings(tmp_path, tmp_path / "nowhere"))
    assert status(found, "change log") != "ok"
    assert found.loc[found["status"] != "ok", "remedy"].str.len().min() > 0


def test_a_sound_item_store_is_ok_and_a_damaged_one_fails(tmp_path):
    store = tmp_path / "store.sqlite"
    with sqlite3.connect(store) as connection:
        connection.execute("CREATE TABLE t (value TEXT PRIMARY KEY)")
        connection.executemany("INSERT INTO t VALUES (?)", ([f"{value:09}"] for value in range(5000)))
    connection.close()
    assert status(machine.run_checks(settings(tmp_path)), "item store") == "ok"
    damaged = bytearray(store.read_bytes())
    damaged[4096:9000] = b"\x07" * 4904
    store.write_bytes(damaged)
    assert status(machine.run_checks(settings(tmp_path)), "item store") == "failed"


def test_a_home_that_is_a_file_in_the_way_is_told(tmp_path):
    (tmp_path / "home").write_text("")
    found = machine.run_checks(settings(tmp_path / "home"))
    assert status(found, "home folder") == "failed"


def test_a_check_that_breaks_is_a_failed_check(tmp_path, monkeypatch):
    monkeypatch.setattr(machine, "LIBRARIES", ("pandas", "no-such-library"))
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _: 1 / 0)
    found = machine.run_checks(settings(tmp_path))
    assert status(found, "libraries") == status(found, "free disk") == "failed"


def test_the_verdict_names_what_failed_and_what_to_do_first():
    found = pd.DataFrame(
        [("DuckDB", "failed", "no answer", "pip install duckdb"), ("free disk", "warning", "1 GB", "make clean")],
        columns=["check", "status", "detail", "remedy"],
    )
    with pytest.raises(ConfigError, match=r"not ready: DuckDB failed.*Do: pip install duckdb"):
        machine.require_ready(found)
    assert machine.require_ready(found[1:]) == "Ready: 0 of 1 checks are ok; to mind: free disk."


def test_the_table_marks_by_sign_and_escapes_what_it_shows():
    found = pd.DataFrame([("x", "failed", "<script>", "")], columns=["check", "status", "detail", "remedy"])
    html = machine.show_checks(found).to_html()
    assert "✗ failed" in html
    assert "<script>" not in html
