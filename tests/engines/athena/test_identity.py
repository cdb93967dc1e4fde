"""Tables of one name, on Athena as on files: refused, chosen and ended alike."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from tests.engines.test_identity import AT, REMADE, exported, global_table, old_envelope, put, text, two_accounts
from tests.helpers import lakes
from tests.helpers.aws.lake import BUCKET, athena, declare, place
from tests.helpers.questions import same
from workbench import Workbench
from workbench.errors import ParameterError, TableNotFound

QUESTIONS: dict[str, Callable[[Workbench], pd.DataFrame]] = {
    "latest": lambda wb: wb.latest_state("orders").df,
    "as of": lambda wb: wb.latest_state("orders", as_of=AT + timedelta(seconds=50)).df,
    "with deleted": lambda wb: wb.latest_state("orders", include_deleted=True).df,
    "diff": lambda wb: wb.diff("orders", AT + timedelta(seconds=3)).df,
    "changes": lambda wb: wb.changes("orders").df,
    "frequency": lambda wb: wb.change_frequency("orders").df,
}


def both(server, folder: Path, made: list[dict], layout: str = "raw", **settings) -> tuple[Workbench, Workbench]:
    """A log on both engines."""
    arrived = [(AT + timedelta(minutes=5), change) for change in made]
    lakes.write(folder, arrived, layout)
    declare(server, lakes.glue_table("orders", place(server, folder, "data/orders"), layout, arrived, lakes.SCHEMES[0]))
    return Workbench(folder, **settings), athena(server, **settings)


@pytest.mark.parametrize("made", [global_table, two_accounts])
@pytest.mark.parametrize("layout", ["raw", "envelope", "struct", "envelope, Parquet"])
def test_a_mixture_is_refused_alike_whatever_is_asked(empty, tmp_path, made, layout):
    engines = both(empty, tmp_path, made(), layout)
    for ask in (QUESTIONS["frequency"], QUESTIONS["latest"]):
        with pytest.raises(ParameterError) as one:
            ask(engines[0])
        with pytest.raises(ParameterError) as other:
            ask(engines[1])
        assert str(one.value) == str(other.value)


@pytest.mark.parametrize("question", QUESTIONS)
def test_one_region_or_account_chosen_has_the_same_answers(empty, tmp_path, question):
    for number, (made, settings) in enumerate(
        [(global_table(), {"log_region": "us-east-1"}), (two_accounts(), {"log_account": "222222222222"})]
    ):
        empty.reset()
        engines = both(empty, tmp_path / str(number), made, **settings)
        same(*(QUESTIONS[question](wb) for wb in reversed(engines)))


def test_older_envelopes_and_a_region_that_is_not_there_are_told_alike(empty, tmp_path):
    made = [old_envelope(put(text(pk="a"), 0, 1)), put(text(pk="b"), 1, 2)]
    for settings in ({}, {"log_region": "eu-central-1"}):
        empty.reset()
        files, on_athena = both(empty, tmp_path / str(len(settings)), made, "envelope", **settings)
        same(QUESTIONS["latest"](on_athena), QUESTIONS["latest"](files))
        note = "1 change of unknown Region, taken to be of eu-central-1"
        assert note in on_athena.latest_state("orders").stats.notes
    with pytest.raises(TableNotFound, match="but of: eu-central-1"):
        athena(empty, log_region="eu-north-1").latest_state("orders")


@pytest.mark.parametrize("kind", REMADE)
def test_a_table_made_again_with_another_key_has_the_same_answers(empty, tmp_path, kind):
    made, keys = REMADE[kind]
    files, on_athena = both(empty, tmp_path, made)
    for ask in QUESTIONS.values():
        same(ask(on_athena), ask(files))
    for key in keys:
        same(on_athena.item_history("orders", key).df, files.item_history("orders", key).df)
    assert "made again with another key" in on_athena.latest_state("orders").summary
    assert "made again" in on_athena.data_quality("orders").verdict


def test_a_mixture_is_noticed_by_the_query_that_counts_unreadable_lines_and_no_other(empty, tmp_path):
    _, wb = both(empty, tmp_path, [put(text(pk="a"), 0, 1)])
    wb.latest_state("orders")
    assert len(wb._engine.finished) == 2
    wb.change_frequency("orders", by="key")
    assert len(wb._engine.finished) == 3


def test_where_nothing_is_counted_a_mixture_is_noticed_without_a_query(empty, tmp_path):
    for number, made in enumerate((global_table, two_accounts)):
        empty.reset()
        files, wb = both(empty, tmp_path / str(number), made(), count_unreadable=False)
        for ask in (QUESTIONS["latest"], QUESTIONS["frequency"]):
            with pytest.raises(ParameterError) as found:
                ask(wb)
            with pytest.raises(ParameterError) as expected:
                ask(files)
            assert str(found.value) == str(expected.value)
        assert not wb._engine.finished


def test_where_nothing_is_counted_what_was_not_looked_into_is_said(empty, tmp_path, monkeypatch):
    _, wb = both(empty, tmp_path, [put(text(pk="a"), 0, 1)], count_unreadable=False)
    said = "1 objects were not looked into for tables of other Regions, accounts or keys: count_unreadable is off"
    assert said not in wb.change_frequency("orders").stats.notes
    monkeypatch.setattr("workbench.aws.log_objects._HEAD", 100)
    wb = athena(empty, count_unreadable=False)
    assert said in wb.change_frequency("orders").stats.notes
    assert len(wb._engine.finished) == 1


def test_tables_of_one_name_are_listed_apart_on_both_engines_at_no_query(empty, tmp_path, monkeypatch):
    hours = [(AT + timedelta(hours=number), change) for number, change in enumerate(global_table())]
    lakes.write(tmp_path, hours, "raw")
    declare(empty, lakes.glue_table("orders", place(empty, tmp_path, "data/orders"), "raw", hours, lakes.SCHEMES[0]))
    wb, told = athena(empty), ["table", "aws_region", "account_id", "objects", "bytes", "first_arrival", "last_arrival"]
    same(wb.tables()[told], Workbench(tmp_path).tables()[told])
    assert wb.tables().attrs["notes"] == []
    assert not wb._engine.finished
    monkeypatch.setattr("workbench.log.arrivals._LOOKED_INTO", 2)
    few = athena(empty).tables()
    assert few["aws_region"].tolist() == ["eu-west-1", "us-east-1"]
    assert few["objects"].tolist() == [5, 5]
    assert few.attrs["notes"] == [
        "orders: of 4 of its 6 objects it is not known whose changes they hold: they count for each of its Regions and "
        "accounts",
        "the Regions and accounts of orders are those of a few objects, for listing runs no query: a question looks into "
        "all it reads",
    ]


def test_a_region_that_the_newest_hour_does_not_hold_can_be_chosen(empty, tmp_path):
    made = [(AT + timedelta(hours=number), change) for number, change in enumerate(global_table())]
    lakes.write(tmp_path, made, "raw")
    declare(empty, lakes.glue_table("orders", place(empty, tmp_path, "data/orders"), "raw", made, lakes.SCHEMES[0]))
    settings = {"log_region": "eu-west-1"}
    found, expected = (
        wb.item_history("orders", "pk=a").df for wb in (athena(empty, **settings), Workbench(tmp_path, **settings))
    )
    same(found, expected)


def test_a_checkpoint_of_one_region_is_none_of_another(empty, tmp_path):
    settings = {"checkpoints": f"s3://{BUCKET}/checkpoints/", "late_arrival": "1s"}
    both(empty, tmp_path, global_table())
    athena(empty, log_region="eu-west-1", **settings).checkpoint("orders")
    with pytest.raises(ParameterError, match="2 Regions"):
        athena(empty, **settings).latest_state("orders")
    for region in ("eu-west-1", "us-east-1"):
        told = athena(empty, log_region=region, **settings).latest_state("orders")
        same(told.df, Workbench(tmp_path, log_region=region).latest_state("orders").df)
        assert any("from the checkpoint" in note for note in told.stats.notes) is (region == "eu-west-1")


def test_an_export_of_another_region_is_not_the_baseline_on_athena_either(empty, tmp_path):
    files, _ = both(empty, tmp_path / "log", global_table()[:3])
    exported(tmp_path / "exports", 8, "us-east-1")
    place(empty, tmp_path / "exports", "exports")
    told = athena(empty, baseline=f"s3://{BUCKET}/exports/").latest_state("orders")
    same(told.df, files.latest_state("orders").df)
    assert "table/orders, while the log is of eu-west-1)" in told.summary
