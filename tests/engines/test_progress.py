"""The first reading of a log shows how far it is; later questions, also of other processes, show nothing."""

from __future__ import annotations

import duckdb
import pytest

from workbench import Workbench
from workbench.engines import staging
from workbench.engines.bars import hide_bar
from workbench.progress import Reading


@pytest.mark.parametrize("store", [True, False])
def test_a_reading_tells_its_objects_changes_and_bytes_once(tmp_path, monkeypatch, store):
    bars = []

    class Recorded(Reading):
        def update(self, objects, changes, size):
            super().update(objects, changes, size)
            bars.append((objects, changes, size))

    monkeypatch.setattr("workbench.progress.Reading", Recorded)
    wb = Workbench(home=tmp_path, store=store)
    made = wb.generate("persons", items=20, changes=200, progress=False)
    rows = wb.tables().set_index("table").loc["persons"]
    answer = wb.latest_state("persons").df
    assert sum(objects for objects, _, _ in bars) == made.objects == rows["objects"]
    assert sum(changes for _, changes, _ in bars) >= made.changes
    assert sum(size for _, _, size in bars) == rows["bytes"]
    bars.clear()
    assert wb.latest_state("persons").df.equals(answer)
    assert bars == []
    assert Workbench(home=tmp_path, store=store).latest_state("persons").df.equals(answer)
    assert (bars == []) is store


def test_duckdb_draws_no_bar_of_its_own(tmp_path, monkeypatch):
    wb = Workbench(home=tmp_path)
    wb.generate("persons", items=20, changes=200, progress=False)
    during = []
    read = staging.StagedLog._read_into

    def looked_at(self, *given):
        during.append(self._con.execute("select current_setting('enable_progress_bar')").fetchall()[0][0])
        return read(self, *given)

    monkeypatch.setattr(staging.StagedLog, "_read_into", looked_at)
    wb.latest_state("persons")
    assert set(during) == {False}


def test_a_kernel_where_duckdb_has_no_bar_to_set_reads_all_the_same():
    class Kernel:
        """DuckDB in a kernel without ipywidgets: what it draws cannot be set."""

        def execute(self, text):
            if text.startswith("set "):
                raise duckdb.InvalidInputException("Could not change the progress bar setting")
            return self

    hide_bar(Kernel())
