"""Streams without images on Athena: every question answers, or refuses, as on files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from tests.helpers.aws.lake import athena, lake
from tests.helpers.questions import QUESTIONS, same
from tests.questions.test_stream_views import LACK, MICROS, TYPES, changes
from workbench import Workbench
from workbench.errors import WorkbenchError

AT = datetime.fromtimestamp(MICROS / 1e6, UTC)
ASKED = {name: ask for name, ask in QUESTIONS.items() if not name.startswith(("quality", "transitions", "trend"))} | {
    "as of": lambda wb: wb.latest_state("things", as_of=AT + timedelta(seconds=2)).df,
    "history of an item": lambda wb: wb.item_history("things", "pk=a").df,
    "diff": lambda wb: wb.diff("things", AT, AT + timedelta(seconds=4)).df,
}
for name in (
    "changes of an item",
    "one item",
    "one item then",
    "versions as dbt",
    "profile's values",
):  # by a key, or of an attribute, that these items do not have
    del ASKED[name]
REFUSED = {"before it began", "latest", "as of", "with deleted", "diff", "latest where", "latest with members", "stale"}
REFUSED |= {"lifetimes", "profile"}


def answered(ask, wb: Workbench) -> pd.DataFrame | str:
    try:
        found: pd.DataFrame = ask(wb)
    except WorkbenchError as error:
        return str(error)
    return found


@pytest.mark.parametrize(
    ("kind", "layout"),
    [
        *(pytest.param(kind, "raw", marks=[pytest.mark.deep] * (kind != "KEYS_ONLY")) for kind in LACK),
        pytest.param("KEYS_ONLY", "envelope", marks=pytest.mark.deep),
        ("NEW_IMAGE", "envelope, Parquet"),
        ("OLD_IMAGE", "struct"),
    ],
)
def test_every_question_is_answered_or_refused_as_on_files(empty, tmp_path, kind, layout):
    made = [(AT + timedelta(minutes=5), change) for change in changes(kind)]
    assert TYPES[kind] != TYPES["NEW_AND_OLD_IMAGES"]
    files, wb = Workbench(lake(empty, tmp_path, layout, made=made)), athena(empty)
    refused = set()
    for name, ask in ASKED.items():
        found, expected = answered(ask, wb), answered(ask, files)
        if isinstance(expected, str):
            refused.add(name)
            assert found == expected, name
            assert kind in found
        else:
            assert isinstance(found, pd.DataFrame), name
            same(found, expected)
    assert refused <= REFUSED
    assert wb.change_frequency("things").df["changes"].sum() == 5
    assert wb.change_frequency("things", by="key").df["share"].tolist() == [0.6, 0.4]
    for told in (
        wb.changes("things"),
        wb.item_history("things", "pk=a"),
        wb.change_frequency("things", by="attribute"),
    ):
        assert LACK[kind] in told.summary
    same(wb.data_quality("things").df, files.data_quality("things").df)
