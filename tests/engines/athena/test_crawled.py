"""A crawler's columns older than the data: what they do not hold is said, counted, and never taken for absent or NULL."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.helpers import lakes
from tests.helpers.aws.lake import athena, declare, place
from tests.helpers.logs import chain
from tests.helpers.questions import same
from tests.log.test_reader import NOON
from workbench import Workbench

KEY = {"Pk": {"S": "x"}}
OLD = KEY | {"Balance": {"S": "1"}, "Person": {"M": {"Name": {"S": "a"}}}}
FRESH = OLD | {"Fresh": {"S": "f"}, "Person": {"M": {"Name": {"S": "b"}, "Email": {"S": "e"}}}}
OTHER_TYPE = OLD | {"Balance": {"N": "2"}}


def crawled(server, folder: Path, states: list[dict[str, Any]], seen: int) -> tuple[Workbench, Workbench]:
    """A log on both engines, of which a crawler saw the first changes only."""
    made = chain(
        KEY, [(NOON + at, state) for at, state in enumerate(states)], ids=[str(at) for at in range(len(states))]
    )
    folder.mkdir(exist_ok=True)
    for at, change in enumerate(made):
        (folder / f"{at}.json").write_text(json.dumps(change) + "\n")
    before = [(lakes.START, change) for change in made[:seen]]
    declare(server, lakes.glue_table("things", place(server, folder), "struct", before, "none"), "none")
    return Workbench(folder), athena(server)


def test_a_new_attribute_is_named_by_every_answer_and_quality_does_not_trust_the_log(empty, tmp_path):
    _, wb = crawled(empty, tmp_path, [OLD, FRESH], 1)
    for found in (wb.latest_state("things"), wb.changes("things"), wb.change_frequency("things")):
        (note,) = [note for note in found.stats.notes if "columns do not hold" in note]
        assert "Fresh (S)" in note
        assert "Person.Email (S)" in note
        assert "run the crawler again, or register an explicit table" in note
    quality = wb.data_quality("things")
    assert quality.df.set_index("finding").loc["lost attributes", ["status", "count"]].tolist() == ["failed", 2]
    assert "can be trusted" not in quality.verdict
    wb.close()


def test_a_value_whose_type_the_columns_lack_is_unreadable_and_not_null(empty, tmp_path):
    _, wb = crawled(empty, tmp_path, [OLD, OTHER_TYPE], 1)
    found = wb.latest_state("things")
    assert found.df["Balance"].tolist() == ["1"], "the last change that could be read"
    (line,) = found.stats.unreadable
    assert "types that the table's columns do not hold" in line.reason
    assert any("Balance as N" in note for note in found.stats.notes)
    assert "can be trusted" not in wb.data_quality("things").verdict
    wb.close()


def test_names_are_those_of_dynamodb_in_answers_conditions_and_keys(empty, tmp_path):
    on_files, wb = crawled(empty, tmp_path, [OLD, FRESH, OTHER_TYPE, OLD | {"Balance": {"NULL": True}}], 4)
    for ask in (
        lambda wb: wb.latest_state("things", where="Person.Name = 'a'"),
        lambda wb: wb.latest_state(
            "things", as_of="2026-01-01T12:00:00.000001Z", where="Person.Email = 'e' and Fresh like 'f%'"
        ),
        lambda wb: wb.changes("things", key={"Pk": "x"}, where="new.Balance = 2 or old.Balance = 2"),
        lambda wb: wb.item_history("things", {"Pk": "x"}),
    ):
        found, expected = ask(wb), ask(on_files)
        same(found.df, expected.df)
        assert len(found.df)
        assert not found.stats.unreadable
        assert not any("columns" in note for note in found.stats.notes)
    wb.close()
    on_files.close()
