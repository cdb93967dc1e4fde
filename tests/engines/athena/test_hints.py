"""What an empty answer says is the same on Athena."""

from __future__ import annotations

from tests.helpers.aws.lake import athena, lake
from tests.questions.test_hints import SPAN, delivered, notes


def test_conditions_on_columns_and_what_an_empty_answer_says(empty, tmp_path):
    lake(empty, tmp_path, "raw", made=delivered())
    wb = athena(empty)
    assert wb.changes("things", where="ts > '2026-01-01 12:30' or by_ttl = true").df["event_id"].tolist() == [
        "b1",
        "a1",
        "a2",
    ]
    assert wb.changes("things", where="size_bytes > 9.5 and event_id like 'b%'").df["event_id"].tolist() == ["b0", "b1"]
    told = wb.latest_state("things", include_deleted=True, where="_deleted_at < '2026-01-02' and _by_ttl = true")
    assert told.df["pk"].tolist() == ["b"]
    assert notes(wb.latest_state("things", where="V = 1")) == ["no item in the log has 'V'. Did you mean 'v'?"]
    assert SPAN in notes(wb.item_history("things", "pk=never"))
    wb.close()
