"""Tables of one name, on Athena as on files: refused, chosen and ended alike."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from tests import lakes
from tests.aws.conftest import athena, declare, place
from tests.questions import same
from tests.test_identity import AT, REMADE, global_table, old_envelope, put, text, two_accounts
from workbench import Workbench
from workbench.errors import ParameterError, TableNotFound

QUESTIONS: dict[str, Callable[[Workbench], pd.DataFrame]] = {
    "latest": lambda wb: wb.latest_state("orders").df,
    "as of": lambda wb: wb.latest_state("orders", as_of=AT + timedelta(seconds=50)).df,
    "with deleted": lambda wb: wb.latest_state("orders", include_deleted=True).df,
    "diff": lambda wb: wb.diff("orders", AT + timedelta(seconds=3)).df,
    "changes": lambda wb: wb.changes("orders").df,
    "frequency": lambda wb: wb.change_frequency("orders").df,
}  # fmt: skip


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
    for number, (made, settings) in enumerate([(global_table(), {"log_region": "us-east-1"}),
                                               (two_accounts(), {"log_account": "222222222222"})]):  # fmt: skip
        empty.reset()
        engines = both(empty, tmp_path / str(number), made, **settings)
        same(*(QUESTIONS[question](wb) for wb in reversed(engines)))


def test_older_envelopes_and_a_region_that_is_not_there_are_told_alike(empty, tmp_path):
    made = [old_envelope(put(text(pk="a"), 0, 1)), put(text(pk="b"), 1, 2)]
    for settings in ({}, {"log_region": "eu-central-1"}):
        empty.reset()
        files, on_athena = both(empty, tmp_path / str(len(settings)), made, "envelope", **settings)
        same(QUESTIONS["latest"](on_athena), QUESTIONS["latest"](files))
        note = "1 changes do not tell their Region: they count as of eu-central-1"
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
