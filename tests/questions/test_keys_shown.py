"""Keys of every type in every frame: in DynamoDB's order, under one name, written for people."""

from __future__ import annotations

import base64
from decimal import Decimal

import pandas as pd
import pytest
from click.testing import CliRunner

from tests.helpers.logs import record, write_log
from workbench import Workbench
from workbench.cli import main
from workbench.model.keys import key_order
from workbench.model.records import canonical_keys

MICROS = 1_767_344_400_000_000
ORDERS = {  # in the order DynamoDB has them
    "N": [
        "-100000000000000000000000000000000000001",
        "-2",
        "0.5",
        "9",
        "10",
        "100000000000000000000000000000000000001",
    ],
    "B": [b"", b"\x00", b"a", b"a\x00", b"\x7f", b"\x80", b"\xff"][1:],
    "S": ["A", "a", "a0", "b", "é", "\uffee", "\U0001f600"],
}


def keys(kind: str) -> list[dict]:
    values = [base64.b64encode(each).decode() if kind == "B" else each for each in ORDERS[kind]]
    return [{"k": {kind: value}} for value in values]


def twice(key: dict) -> dict:
    """As Kinesis has it."""
    return {
        name: {
            kind: base64.b64encode(value.encode()).decode() if kind == "B" else value for kind, value in typed.items()
        }
        for name, typed in key.items()
    }


def log(folder, kind: str) -> Workbench:
    made = []
    for number, key in enumerate(reversed(keys(kind))):
        for again in range(2):
            image = [twice(key) | {"v": {"N": str(each)}} for each in (again - 1, again)]
            made.append(
                record(
                    "MODIFY" if again else "INSERT",
                    twice(key),
                    MICROS + 10 * again,
                    new=image[1],
                    old=image[0] if again else None,
                    event_id=f"{number}{again}",
                )
            )
    write_log(folder, made)
    return Workbench(folder)


@pytest.mark.parametrize("kind", ORDERS)
def test_every_answer_has_the_keys_in_dynamodbs_order(kind, tmp_path):
    wb, expected = log(tmp_path, kind), [Decimal(each) if kind == "N" else each for each in ORDERS[kind]]
    answers = [
        wb.latest_state("things").df,
        wb.changes("things", events="INSERT").df,
        wb.diff("things", "2026-01-02T09:00:00.000005Z").df,
        wb.item_history("things", [{"k": value} for value in expected]).df.drop_duplicates("k"),
    ]
    for df in answers:
        assert df["k"].tolist() == expected
    texts = [canonical_keys(key) for key in keys(kind)]
    assert sorted(texts, key=key_order) == texts


def test_binary_is_printed_in_hex_wherever_it_stands(tmp_path):
    blob, blobs = {"B": "gA=="}, {"BS": ["gA==", "AQ=="]}
    image = twice({"k": blob}) | {
        "set": {"BS": [base64.b64encode(each.encode()).decode() for each in blobs["BS"]]},
        "list": {"L": [twice({"k": blob})["k"], {"M": twice({"k": blob})}]},
    }
    write_log(tmp_path, [record("INSERT", twice({"k": blob}), MICROS, new=image)])
    for verb in ("latest", "changes", "history"):
        told = CliRunner().invoke(main, [verb, "things", "--from", str(tmp_path)]).stdout
        assert "0x80" in told
        assert "0x01" in told
        assert "b'" not in told


def test_an_absent_text_is_na_in_every_frame_and_null_and_empty_are_not(tmp_path):
    items = [{"pk": {"S": str(n)}} | more for n, more in enumerate([{}, {"t": {"S": ""}}, {"t": {"S": "x"}}])]
    write_log(tmp_path, [record("INSERT", {"pk": item["pk"]}, MICROS, new=item) for item in items])
    wb = Workbench(tmp_path)
    state = wb.latest_state("things").df["t"]
    assert state.tolist() == [pd.NA, "", "x"] or state[0] is pd.NA
    assert state[1:].tolist() == ["", "x"]
    assert wb.changes("things").df["new.t"].tolist()[0] is pd.NA
    history = wb.item_history("things", "pk=0").df
    for name in ("path", "change", "before", "after", "before_type", "after_type"):
        assert history[name].tolist() == [pd.NA] or history[name][0] is pd.NA


def test_items_that_changed_equally_often_come_in_the_order_of_their_keys_and_the_cut_is_the_same_each_time(tmp_path):
    keys = [{"pk": {"N": number}} for number in ("10", "9", "-1", "2.5")]
    write_log(tmp_path, [record("INSERT", key, 1_760_000_000_000_000, new=key) for key in keys])
    wb = Workbench(tmp_path)
    assert wb.change_frequency("things", by="key").df["pk"].tolist() == [-1, 2.5, 9, 10]
    assert wb.change_frequency("things", by="key", limit=3).df["pk"].tolist() == [-1, 2.5, 10]
    wb.close()
