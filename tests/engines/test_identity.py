"""One name may stand for several tables: of two Regions or accounts, or made again with another key."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest
from click.testing import CliRunner

from tests.helpers.logs import record, write_log
from tests.log.test_exports import items, write_export
from workbench import Workbench
from workbench.cli import main
from workbench.errors import ParameterError, TableNotFound
from workbench.model.keys import read_keys
from workbench.model.records import ORIGIN, canonical_change

AT = datetime(2026, 1, 2, 9, tzinfo=UTC)
MICROS = int(AT.timestamp()) * 1_000_000
SECOND = 1_000_000
ARN = "arn:aws:dynamodb:{}:{}:table/orders/stream/2026-01-01T00:00:00.000"


def put(key: dict, second: float, value: int, *, old: int | None = None, **more) -> dict:
    """A change of `orders` that leaves a value; the same key and second is the same change."""
    image, event = key | {"v": {"N": str(value)}}, "INSERT" if old is None else "MODIFY"
    made = record(
        event,
        key,
        MICROS + int(second * SECOND),
        new=image,
        table="orders",
        old=None if old is None else key | {"v": {"N": str(old)}},
        event_id=f"{sorted(key.items())} {second} {more}",
    )
    return made | more


def text(**key: str) -> dict:
    return {name: {"S": value} for name, value in key.items()}


def old_envelope(change: dict) -> dict:
    """An envelope as it was before it told its Region."""
    return {name: value for name, value in canonical_change(change).items() if name not in ORIGIN}


def global_table() -> list[dict]:
    """The changes of two items, as each of two Regions logs them."""
    return [
        put(text(pk=key), second + late, value, old=old, awsRegion=region)
        for region, late in (("eu-west-1", 0), ("us-east-1", 0.9))
        for key, second, value, old in (("a", 0, 1, None), ("a", 5, 2, 1), ("b", 1, 7, None))
    ]


def two_accounts() -> list[dict]:
    """Two tables of one name, which have nothing but their name in common."""
    return [
        put(text(pk="a"), number, number, eventSourceARN=ARN.format("eu-central-1", account))
        for number, account in enumerate(("111111111111", "222222222222"))
    ]


# Tables made again with another key: the changes, the keys of both, and where the new one begins.
REMADE = {
    "other names": (
        [put(text(id="1"), 0, 1), put(text(id="2"), 1, 2), put(text(pk="1", sk="x"), 100, 9)],
        ["id=1", "pk=1 sk=x"],
    ),
    "hidden by the alphabet": (
        [put(text(zid="1"), 0, 1), put(text(zid="2"), 1, 2), put(text(pk="1", sk="x"), 100, 9)],
        ["zid=1", "pk=1 sk=x"],
    ),
    "N, then S": (
        [put({"pk": {"N": "1"}}, 0, 1), put({"pk": {"N": "2"}}, 1, 2), put(text(pk="1"), 100, 9)],
        ["pk=1"] * 2,
    ),
    "S, then N": (
        [put(text(pk="x"), 0, 1), put(text(pk="y"), 1, 2), put({"pk": {"N": "1"}}, 100, 9)],
        ["pk=x", "pk=1"],
    ),
    "a sort key more": (
        [put(text(pk="1"), 0, 1), put(text(pk="2"), 1, 2), put(text(pk="1", sk="%_!"), 100, 9)],
        ["pk=2", "pk=1 sk='%_!'"],
    ),
}


@pytest.mark.parametrize("layout", ["raw", "envelope", "parquet"])
def test_a_log_of_two_regions_is_refused_naming_them_and_one_chosen_is_answered(layout, tmp_path):
    write_log(tmp_path, global_table(), layout)
    wb = Workbench(tmp_path)
    for ask in (wb.latest_state, wb.changes, wb.item_history, wb.change_frequency, wb.data_quality, wb.checkpoint):
        with pytest.raises(ParameterError, match=r"2 Regions.*eu-west-1 \(3 from.*us-east-1 \(3 .*--log-region"):
            ask("orders")
    chosen = Workbench(tmp_path, log_region="us-east-1")
    assert chosen.change_frequency("orders", every="1d").df["changes"].tolist() == [3]
    assert not chosen.item_history("orders", "pk=a").df["missing"].any()
    assert chosen.data_quality("orders").verdict == "orders: the log can be trusted"
    assert chosen.latest_state("orders").df["v"].tolist() == [2, 7]
    with pytest.raises(TableNotFound, match="Region eu-north-1, but of: eu-west-1, us-east-1"):
        Workbench(tmp_path, log_region="eu-north-1").latest_state("orders")


def test_two_accounts_are_two_tables_and_the_command_line_chooses(tmp_path):
    write_log(tmp_path, two_accounts())
    asked = ["latest", "orders", "--from", str(tmp_path), "--json"]
    refused = CliRunner().invoke(main, asked)
    assert refused.exit_code == 1
    assert "2 accounts" in refused.output
    assert "--log-account" in refused.output
    assert '"v":1' in CliRunner().invoke(main, [*asked, "--log-account", "222222222222"]).output.replace(" ", "")


def test_older_envelopes_count_as_of_the_one_region_there_is_and_of_none_where_there_are_two(tmp_path):
    write_log(tmp_path, [old_envelope(put(text(pk="a"), 0, 1))], name="old")
    assert Workbench(tmp_path).latest_state("orders").stats.notes == ()
    write_log(tmp_path, [put(text(pk="b"), 1, 2, awsRegion="eu-west-1")], "envelope", name="new")
    for settings in ({}, {"log_region": "eu-west-1"}):
        told = Workbench(tmp_path, **settings).latest_state("orders")
        assert told.df["pk"].tolist() == ["a", "b"]
        assert told.stats.notes == ("1 change of unknown Region, taken to be of eu-west-1",)
    write_log(tmp_path, [put(text(pk="c"), 2, 3, awsRegion="us-east-1")], name="other")
    told = Workbench(tmp_path, log_region="us-east-1").latest_state("orders")
    assert told.df["pk"].tolist() == ["c"]
    assert told.stats.notes == ("left out: 1 change of unknown Region",)


def test_tables_of_one_name_are_listed_apart(tmp_path):
    write_log(tmp_path / "west", global_table()[:3], name="west")
    write_log(tmp_path / "east", global_table()[3:], name="east")
    write_log(tmp_path, [change | {"tableName": "others"} for change in two_accounts()], name="accounts")
    write_log(tmp_path, [old_envelope(put(text(pk="a"), 0, 1) | {"tableName": "one"})], name="old")
    write_log(tmp_path, [put(text(pk="b"), 0, 1, awsRegion="eu-north-1") | {"tableName": "one"}], name="new")
    found = Workbench(tmp_path).tables()
    told = found[["table", "aws_region", "account_id", "objects"]].astype(object)
    assert told.where(found[told.columns].notna(), None).values.tolist() == [
        ["one", "eu-north-1", None, 2],
        ["orders", "eu-west-1", None, 1],
        ["orders", "us-east-1", None, 1],
        ["others", "eu-central-1", "111111111111", 1],
        ["others", "eu-central-1", "222222222222", 1],
    ]


def test_a_region_chosen_of_a_log_that_tells_none_is_said_to_choose_nothing(tmp_path):
    write_log(tmp_path, [old_envelope(put(text(pk="a"), 0, 1))])
    told = Workbench(tmp_path, log_region="eu-west-1").latest_state("orders")
    assert "log_region=eu-west-1 chooses nothing" in told.summary


def test_a_checkpoint_of_one_region_is_none_of_another_nor_hides_that_there_are_two(tmp_path):
    settings = {"checkpoints": str(tmp_path / "checkpoints"), "late_arrival": "1s"}
    made = global_table()
    write_log(tmp_path / "log", made[:3], name="a-1-2026-01-02-09-30-00-a")
    Workbench(tmp_path / "log", **settings).checkpoint("orders")
    write_log(tmp_path / "log", made[3:], name="b-1-2026-01-02-09-30-00-b")
    with pytest.raises(ParameterError, match="2 Regions"):
        Workbench(tmp_path / "log", **settings).latest_state("orders")
    for region in ("eu-west-1", "us-east-1"):
        wb = Workbench(tmp_path / "log", log_region=region, **settings)
        wb.checkpoint("orders")
        told = wb.latest_state("orders")
        assert told.df["_changed_at"].max() == pd.Timestamp(
            MICROS + (5 if region[0] == "e" else 5.9) * SECOND, unit="us", tz="UTC"
        )
        assert any("checkpoint" in note for note in told.stats.notes)


@pytest.mark.parametrize("layout", ["raw", "parquet"])
@pytest.mark.parametrize("kind", REMADE)
def test_a_state_is_that_of_the_table_that_was_alive_then(kind, layout, tmp_path):
    changes, keys = REMADE[kind]
    late = put({name: {sort: "3"} for name, value in changes[0]["dynamodb"]["Keys"].items() for sort in value}, 2, 3)
    write_log(tmp_path, [*changes, late], layout)
    wb = Workbench(tmp_path)
    told = wb.latest_state("orders")
    assert told.df["v"].tolist() == [9]
    assert "made again with another key" in told.summary
    assert "2026-01-02 09:01:40" in told.summary
    before = wb.latest_state("orders", as_of=AT.replace(second=50))
    assert sorted(before.df["v"]) == [1, 2, 3]
    assert "made again" not in before.summary
    assert list(before.df.columns[: len(changes[0]["dynamodb"]["Keys"])]) == sorted(changes[0]["dynamodb"]["Keys"])
    gone = wb.latest_state("orders", include_deleted=True).df
    assert gone["_deleted_at"].dropna().unique().tolist() == [pd.Timestamp("2026-01-02 09:01:40", tz="UTC")]
    assert gone["_deleted_at"].notna().sum() == 3
    for key in keys:
        assert len(wb.item_history("orders", key).df) >= 1
    assert wb.diff("orders", AT.replace(second=50)).items == {"added": 1, "removed": 3, "changed": 0, "same": 0}
    quality = wb.data_quality("orders")
    assert "made again" in quality.verdict
    finding = quality.df.set_index("finding").loc["tables made again with another key"]
    assert (finding["status"], finding["count"]) == ("warning", 1)
    assert any("from 2026-01-02 09:00:00 to 2026-01-02 09:00:02" in example for example in finding["examples"])


def test_a_checkpoint_after_the_table_was_made_again_gives_the_same_states(tmp_path):
    changes, _ = REMADE["other names"]
    write_log(tmp_path / "log", changes, name="a-1-2026-01-02-09-30-00-a")
    wb = Workbench(tmp_path / "log", checkpoints=str(tmp_path / "checkpoints"), late_arrival="1s")
    wb.checkpoint("orders")
    write_log(tmp_path / "log", [put(text(id="3"), 2, 3)], name="late-1-2026-01-02-09-40-00-b")
    told = wb.latest_state("orders")
    assert any("checkpoint" in note for note in told.stats.notes)
    assert told.df["v"].tolist() == [9]


def test_keys_of_two_tables_at_the_same_time_are_refused(tmp_path):
    write_log(tmp_path, [put(text(id="1"), 0, 1), put(text(pk="1"), 1, 2), put(text(id="2"), 2, 3)])
    with pytest.raises(ParameterError, match=r"two keys at the same time.*id \(S\) from .*:00 to .*:02 and pk \(S\)"):
        Workbench(tmp_path).latest_state("orders")


def test_a_key_is_of_any_schema_it_fits_and_an_unknown_one_names_them_all():
    schemas = [{"pk": "S"}, {"pk": "N"}, {"id": "N"}]
    assert read_keys("pk=1", schemas) == ['{"pk":{"S":"1"}}', '{"pk":{"N":"1"}}']
    assert read_keys("id=1", schemas) == ['{"id":{"N":"1"}}']
    with pytest.raises(ParameterError, match="no attribute of the key, which is pk, or before pk, or before id"):
        read_keys("nr=1", schemas)


def exported(folder, value: int, region: str, account: str = "111111111111") -> None:
    """An export of `orders` of a Region, with one item more than the log tells of."""
    arn = f"arn:aws:dynamodb:{region}:{account}:table/orders"
    write_export(folder, [items({"pk": "z", "v": value})], AT - timedelta(hours=1), tableArn=arn, name=f"01-{region}")


@pytest.mark.parametrize("chosen", [{}, {"log_region": "eu-west-1"}])
def test_an_export_of_another_region_or_account_is_not_the_baseline_and_said(chosen, tmp_path):
    arn = ARN.format("eu-west-1", "111111111111")
    made = [
        change | {"eventSourceARN": arn} for change in global_table() if chosen or change["awsRegion"] == "eu-west-1"
    ]
    write_log(tmp_path / "log", made)
    for number, (region, account) in enumerate([("us-east-1", "111111111111"), ("eu-west-1", "222222222222")]):
        exports = tmp_path / f"exports {number}"
        exported(exports, 8, region, account)
        wb = Workbench(tmp_path / "log", baseline=str(exports), **chosen)
        told = wb.latest_state("orders")
        assert told.df["pk"].tolist() == ["a", "b"]
        said = f"full, of 'orders', 2026-01-02 08:00:00 UTC (arn:aws:dynamodb:{region}:{account}:table/orders, while "
        assert f"{said}the log is of eu-west-1 of 111111111111)" in told.summary
        assert any(said in note for note in wb.data_quality("orders").stats.notes)
        with pytest.raises(ParameterError, match=r"no full export of 'orders' to compare with.*while the log is of"):
            wb.reconcile("orders", against=exports)
        wb.close()


def test_of_exports_of_two_regions_the_chosen_ones_is_the_baseline(tmp_path):
    write_log(tmp_path / "log", global_table())
    for number, region in enumerate(("eu-west-1", "us-east-1")):
        exported(tmp_path / "exports", number, region)
    for number, region in enumerate(("eu-west-1", "us-east-1")):
        wb = Workbench(tmp_path / "log", baseline=str(tmp_path / "exports"), log_region=region)
        assert wb.latest_state("orders").df[["pk", "v"]].values.tolist() == [["a", 2], ["b", 7], ["z", number]]
        wb.close()
