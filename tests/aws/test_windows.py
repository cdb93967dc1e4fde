"""Questions with a window on Athena's path: what they answer where partitions are passed over, or hold nothing."""

from __future__ import annotations

import pytest

from tests.aws.conftest import athena, lake, place
from tests.questions import same
from tests.test_baseline import START, items, write_export
from workbench import Workbench

NOTHING = {"before": ("2020-01-01", "2020-01-02"), "after": ("2031-01-01", "2031-01-02")}
WINDOWED = {
    "changes": lambda wb, start, end: wb.changes("things", start=start, end=end).df,
    "changes where": lambda wb, start, end: wb.changes("things", start=start, end=end, where="new.age > 1").df,
    "frequency": lambda wb, start, end: wb.change_frequency("things", start=start, end=end).df,
    "by attribute": lambda wb, start, end: wb.change_frequency("things", start=start, end=end, by="attribute").df,
    "by key": lambda wb, start, end: wb.change_frequency("things", start=start, end=end, by="key").df,
    "concentration": lambda wb, start, end: wb.change_frequency("things", start=start, end=end, by="concentration").df,
    "interval": lambda wb, start, end: wb.change_frequency("things", start=start, end=end, by="interval").df,
    "history": lambda wb, start, end: wb.item_history("things", start=start, end=end).df,
    "history of an item": lambda wb, start, end: wb.item_history("things", {"pk": "p-1", "sk": 1}, end=end).df,
    "diff": lambda wb, start, end: wb.diff("things", start, end).df,
    "as of": lambda wb, start, end: wb.latest_state("things", as_of=start).df,
    "quality": lambda wb, start, end: wb.data_quality("things", start=start, end=end).df,
    "quality's lag": lambda wb, start, end: wb.data_quality("things", start=start, end=end).lag,
    "quality's drift": lambda wb, start, end: wb.data_quality("things", start=start, end=end).drift,
}  # fmt: skip


@pytest.fixture(scope="module")
def both(server, tmp_path_factory):
    """The same log on both engines, of which a window leaves nothing."""
    server.reset()
    on_files = Workbench(lake(server, tmp_path_factory.mktemp("log")))
    on_athena = athena(server, late_arrival="0s")
    yield on_files, on_athena
    on_files.close()
    on_athena.close()


@pytest.mark.parametrize("window", ["before", "after"])
@pytest.mark.parametrize("question", WINDOWED)
def test_a_window_without_objects_has_an_answer_without_rows(both, question, window):
    on_files, on_athena = both
    found = WINDOWED[question](on_athena, *NOTHING[window])
    same(found, WINDOWED[question](on_files, *NOTHING[window]))


def test_a_baseline_older_than_the_log_is_the_answer_before_the_log(empty, tmp_path):
    folder = lake(empty, tmp_path / "log")
    write_export(tmp_path / "bucket", [items({"pk": "a", "sk": 1, "n": 1}, {"pk": "b", "sk": 2})], START)
    place(empty, tmp_path / "bucket", "exports")
    on_files, on_athena = (
        Workbench(folder, baseline=str(tmp_path / "bucket")),
        athena(empty, baseline="s3://lake/exports/"),
    )
    found = on_athena.latest_state("things", as_of="2026-06-01")
    same(found.df, on_files.latest_state("things", as_of="2026-06-01").df)
    assert found.df["pk"].tolist() == ["a", "b"]
    on_athena.close()
    on_files.close()
