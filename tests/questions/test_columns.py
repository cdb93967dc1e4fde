"""The columns of each answer are declared once: frames have these and their types, and masks leave them as they are."""

from __future__ import annotations

import pandas as pd
import pytest

from tests.helpers.logs import chain, micros, write_log
from workbench.questions import columns, findings
from workbench.questions.masking import mask
from workbench.questions.quality import VERDICTS
from workbench.workbench import Workbench

NOON = micros("2026-01-01T12:00:00")
HOUR = 3_600_000_000


@pytest.fixture(scope="module")
def wb(tmp_path_factory) -> Workbench:
    """Two items, of which a change is lost."""
    folder = tmp_path_factory.mktemp("columns")
    records = []
    for number in range(2):
        key = {"pk": {"S": f"p-{number}"}}
        records += chain(key, [(NOON + at * HOUR, key | {"n": {"N": str(at)}}) for at in range(4)])
    del records[1]
    write_log(folder / "log" / "2026/01/01/17", records)
    return Workbench(folder / "log", home=folder / "home")


def answers(wb: Workbench) -> dict[str, tuple[pd.DataFrame, object]]:
    quality, moves = wb.data_quality("things"), wb.transitions("things", "n")
    undone = wb.undo("things", start="2026-01-01T14:30Z")
    frequency = {by: wb.change_frequency("things", by=by).df for by in ("event", "key", "concentration", "interval")}
    return {
        "changes": (wb.changes("things").df.drop(columns=["new.pk", "new.n", "old.pk", "old.n"]), columns.CHANGE),
        "history": (wb.item_history("things").df, columns.HISTORY),
        "diff": (wb.diff("things", "2026-01-01T13:00Z").df, columns.COMPARISON),
        "event": (frequency["event"], columns.BUCKETS),
        "key": (frequency["key"], columns.HOT_KEYS),
        "concentration": (frequency["concentration"], columns.CONCENTRATION),
        "interval": (frequency["interval"], columns.INTERVALS),
        "attribute": (wb.change_frequency("things", by="attribute").df, columns.ATTRIBUTES),
        "over time": (wb.change_frequency("things", by="attribute", every="1d").df, columns.ATTRIBUTE_BUCKETS),
        "gaps": (quality.gaps, columns.GAPS),
        "drift": (quality.drift, columns.DRIFT),
        "lag": (quality.lag, columns.LAG),
        "findings": (quality.df, columns.FINDINGS),
        "versions": (wb.versions("things").df.drop(columns="n"), columns.VERSION),
        "snapshots": (wb.versions("things", names="dbt").df.drop(columns="n"), columns.SNAPSHOT),
        "transitions": (moves.df, columns.TRANSITIONS),
        "stays": (moves.longest, columns.STAYS),
        "trend": (wb.trend("things", "count(*)", every="1d").df, columns.TREND),
        "trend by": (wb.trend("things", "max(n)", every="1d", by="n").df, columns.TREND_BY),
        "lifetimes": (wb.lifetimes("things").df, columns.LIFETIMES),
        "undo": (undone.df, columns.UNDO),
        "undo, by attribute": (undone.paths, columns.UNDO_PATHS),
    }


def test_an_answer_has_the_columns_that_are_declared_with_their_types(wb):
    listed = answers(wb)
    assert {id(declared) for _, declared in listed.values()} == set(map(id, columns.ANSWERS))
    for name, (df, declared) in listed.items():
        assert len(df), name
        own = df.drop(columns="pk", errors="ignore")
        values = {"from", "to", "value", "belongs_to"} & {*declared}  # of attributes, and of their types
        kinds = {column: "object" if column in values else str(kind) for column, kind in own.dtypes.items()}
        assert kinds == dict(declared), name


def test_a_mask_leaves_the_columns_of_an_answer_as_they_are(wb):
    for name, (df, declared) in answers(wb).items():
        masked = mask(df, list(declared), "redact")
        for column in declared:
            if column not in ("before", "after"):
                assert masked[column].equals(df[column]), (name, column)


def test_the_findings_are_told_apart_and_each_says_what_to_do():
    names = [finding.name for finding in findings.FINDINGS if isinstance(finding.name, str)]
    assert len(set(names)) == len(names) == len(findings.FINDINGS) - 1
    for finding in findings.FINDINGS:
        assert callable(finding.status) or finding.status in VERDICTS
        assert finding.remedy or finding.status == "ok"
