"""One change in, one answer out: an item goes through a small pipeline to the log; where it gets stuck is said.

Firehose is a pump here: it writes what has changed in moto's table into the bucket, while somebody waits.
"""

from __future__ import annotations

import base64
import gzip
import json
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from click.testing import CliRunner

from tests.helpers.aws.clients import session_of
from tests.helpers.aws.lake import BUCKET, athena, declare
from tests.helpers.aws.server import AwsServer
from workbench import Workbench
from workbench.aws.dynamodb_values import plain_image
from workbench.aws.table_definitions import table_input
from workbench.checks.check import Check
from workbench.cli import main
from workbench.errors import ConfigError, ParameterError, StoreError
from workbench.model.canonical import canonical_json
from workbench.model.records import canonical_change
from workbench.questions import aws_smoke

STEPS = ["table", "rights", "write", "arrival", "item_history", "latest_state", "delete"]
STREAM = "arn:aws:kinesis:eu-central-1:123456789012:stream/changes"


class Pump:
    """The pipeline: what changed in the table becomes an object, when somebody has waited so often."""

    def __init__(self, server: AwsServer, types: dict[str, str]) -> None:
        self.session, self.types, self.before = session_of(server), types, dict[str, dict[str, Any]]()
        self.items: list[dict[str, Any]] = []
        self.waits, self.delivers_after, self.now, self.fails, self.envelope = 0, 2, 0.0, False, True

    def sleep(self, seconds: float) -> None:
        self.waits, self.now = self.waits + 1, self.now + seconds
        changed = self._changes()
        self.items += [record["dynamodb"].get("NewImage", {}) for record in changed]
        if changed and self.delivers_after is not None:
            self._store(changed)

    def _changes(self) -> list[dict[str, Any]]:
        if self.delivers_after is None or self.waits % self.delivers_after:
            return []
        there = {canonical_json({name: each[name] for name in self.types}): each for each in items(self.session)}
        made = []
        for key in sorted(self.before.keys() | there.keys()):
            old, new = self.before.get(key), there.get(key)
            if old != new:
                images = {name: _twice(image) for name, image in (("NewImage", new), ("OldImage", old)) if image}
                micros = int(datetime.now(UTC).timestamp() * 1e6)
                made.append(
                    {
                        "awsRegion": "eu-central-1",
                        "eventID": str(uuid.uuid4()),
                        "eventName": "INSERT" if old is None else "REMOVE" if new is None else "MODIFY",
                        "userIdentity": None,
                        "recordFormat": "application/json",
                        "tableName": "things",
                        "eventSource": "aws:dynamodb",
                        "dynamodb": {
                            "ApproximateCreationDateTime": micros,
                            "ApproximateCreationDateTimePrecision": "MICROSECOND",
                            "Keys": _twice(json.loads(key)),
                            "SizeBytes": 10,
                            **images,
                        },
                    }
                )
        self.before = there
        return made

    def _store(self, records: list[dict[str, Any]]) -> None:
        arrival = datetime.now(UTC)
        if self.fails:
            text = "".join(
                json.dumps(
                    {
                        "errorCode": "Lambda.FunctionError",
                        "errorMessage": "ValueError: a value is quoted here",
                        "rawData": base64.b64encode(json.dumps(each).encode()).decode(),
                    }
                )
                + "\n"
                for each in records
            )
            key = f"errors/things/processing-failed/changes-1-{arrival:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4()}"
        else:
            text = "".join(json.dumps(canonical_change(each)) + "\n" for each in records)
            name = f"changes-1-{arrival:%Y-%m-%d-%H-%M-%S}-{uuid.uuid4()}.json.gz"
            key = f"data/things/{arrival:year=%Y/month=%m/day=%d/hour=%H}/{name}"
        self.session.client("s3").put_object(Bucket=BUCKET, Key=key, Body=gzip.compress(text.encode()))


def _twice(image: dict[str, Any]) -> dict[str, Any]:
    """Binary as Kinesis has it: base64 twice."""
    return {
        name: {"B": base64.b64encode(value["B"].encode()).decode()} if "B" in value else value
        for name, value in image.items()
    }


def items(session: Any) -> list[dict[str, Any]]:
    """What is in the table; moto's segments know no binary keys."""
    return [plain_image(each) for each in session.client("dynamodb").scan(TableName="things")["Items"]]


def make(server: AwsServer, types: dict[str, str]) -> Pump:
    session = session_of(server)
    for bucket in (BUCKET, "results"):
        session.client("s3").create_bucket(
            Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
    session.client("dynamodb").create_table(
        TableName="things",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[
            {"AttributeName": name, "KeyType": kind} for name, kind in zip(types, ("HASH", "RANGE"), strict=False)
        ],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in types.items()],
    )
    declare(server, table_input("things", f"s3://{BUCKET}/data/things/", first_year=2025))
    role = "arn:aws:iam::123456789012:role/delivery"
    session.client("firehose").create_delivery_stream(
        DeliveryStreamName="to-lake",
        DeliveryStreamType="KinesisStreamAsSource",
        KinesisStreamSourceConfiguration={"KinesisStreamARN": STREAM, "RoleARN": role},
        ExtendedS3DestinationConfiguration={
            "BucketARN": f"arn:aws:s3:::{BUCKET}",
            "RoleARN": role,
            "Prefix": "data/things/year=!{timestamp:yyyy}/",
            "ErrorOutputPrefix": "errors/things/!{firehose:error-output-type}/",
        },
    )
    return Pump(server, types)


@pytest.fixture
def pump(empty: AwsServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Pump:
    made = make(empty, {"pk": "S"})
    wire(made, monkeypatch)
    monkeypatch.chdir(tmp_path)
    return made


@pytest.fixture
def wb(pump: Pump, empty: AwsServer, tmp_path: Path) -> Iterator[Workbench]:
    opened = athena(empty, home=tmp_path / "home")
    yield opened
    opened.close()


def wire(made: Pump, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let time pass by waiting only, and answer what moto does not have."""
    monkeypatch.setattr(aws_smoke, "_sleep", made.sleep)
    monkeypatch.setattr(aws_smoke, "_clock", lambda: made.now)
    monkeypatch.setattr(aws_smoke, "run_checks", lambda settings: pd.DataFrame([vars(Check("Python", "ok", "3"))]))
    told = {"KinesisDataStreamDestinations": [{"StreamArn": STREAM, "DestinationStatus": "ACTIVE"}]}
    make_clients = aws_smoke.make_clients

    def clients(session: Any) -> Any:
        found = make_clients(session)
        found.dynamodb.describe_kinesis_streaming_destination = lambda **_: told
        return found

    monkeypatch.setattr(aws_smoke, "make_clients", clients)


def steps(report: pd.DataFrame) -> dict[str, str]:
    told = report[report["check"].str.startswith("smoke: ")]
    return {name.removeprefix("smoke: "): status for name, status in zip(told["check"], told["status"], strict=True)}


def row(report: pd.DataFrame, step: str) -> Any:
    return report.set_index("check").loc[f"smoke: {step}"]


@pytest.mark.parametrize("types", [{"pk": "S"}, {"id": "N"}, {"raw": "B"}, {"device": "S", "at": "N"}], ids=str)
def test_an_item_of_each_kind_of_key_goes_in_and_comes_out_and_nothing_is_left(empty, monkeypatch, tmp_path, types):
    pump = make(empty, types)
    wire(pump, monkeypatch)
    wb = athena(empty, home=tmp_path, mask=["workbench_smoke", *types])
    report = wb.check("things", aws_smoke=True, yes=True, removal=True)
    assert steps(report) == dict.fromkeys(["report", *STEPS, "removal", "state after it", "cost"], "ok"), (
        report.to_csv()
    )
    assert report.columns.tolist() == ["check", "status", "detail", "remedy", "seconds"]
    assert row(report, "arrival")["seconds"] == 20.0  # two looks at the log
    assert pd.isna(row(report, "cost")["seconds"])
    assert items(pump.session) == []
    assert list((tmp_path / "smoke").glob("*.json")) == []
    (written,) = [image for image in pump.items if image]
    values = [text for value in written.values() for text in value.values()]
    assert not [text for text in values if text in report.to_csv()]
    if "S" in types.values():
        assert any(text.startswith("workbench-smoke-") for text in values)
    wb.close()


def test_the_report_is_written_to_a_file_that_names_no_account(pump, empty, tmp_path, monkeypatch):
    monkeypatch.setattr(
        aws_smoke,
        "run_checks",
        lambda _: pd.DataFrame([vars(Check("credentials", "ok", "arn:aws:iam::123456789012:role/analyst/ada"))]),
    )
    Path("workbench.toml").write_text(
        f'engine = "athena"\nregion = "eu-central-1"\nendpoint = "{empty.endpoint}"\n'
        'database = "logs"\noutput = "s3://results/athena/"\n'
    )
    asked = CliRunner().invoke(main, ["check", "things", "--aws-smoke"])
    assert (asked.exit_code, pump.waits) == (2, 0)
    assert "puts one item into the table 'things'" in asked.output
    assert "--yes" in asked.output
    ran = CliRunner().invoke(main, ["check", "things", "--aws-smoke", "--yes", "--json", "--out", "report.json"])
    assert ran.exit_code == 0, ran.output
    sent = Path("report.json").read_text(encoding="utf-8")
    assert json.loads(sent) == json.loads(ran.stdout)
    assert "123456789012" not in sent
    assert "ada" not in sent
    assert "arn:aws:iam::…:role/…" in sent
    assert {each["check"] for each in json.loads(sent)} >= {f"smoke: {name}" for name in STEPS}


def test_what_never_arrives_is_said_with_where_to_look_and_the_item_is_deleted(pump, wb):
    pump.delivers_after = None
    report = wb.check("things", aws_smoke=True, yes=True, wait="1min", removal=True)
    assert steps(report) == dict.fromkeys(["report", "table", "rights", "write", "delete", "cost"], "ok") | {
        "arrival": "failed"
    }
    assert row(report, "arrival")["detail"].startswith("after 1 min its INSERT is not in the log; 0 objects came")
    assert "DeliveryToS3.DataFreshness" in row(report, "arrival")["remedy"]
    assert row(report, "arrival")["seconds"] == 60
    assert items(pump.session) == []


def test_what_firehose_could_not_deliver_is_said_at_once_and_without_the_values_that_it_quotes(pump, wb):
    pump.fails = True
    report = wb.check("things", aws_smoke=True, yes=True)
    told = row(report, "arrival")
    assert told["status"] == "failed"
    assert told["detail"] == "Firehose did not deliver it, but put it under errors: Lambda.FunctionError"
    assert f"s3://{BUCKET}/errors/things/processing-failed/" in told["remedy"]
    assert pump.waits == 2
    assert "quoted here" not in report.to_csv()
    assert items(pump.session) == []


@pytest.mark.parametrize(
    ("operation", "step", "permission", "deleted"),
    [
        ("DescribeTable", "table", "dynamodb:DescribeTable", False),
        ("GetTable", "table", "glue:GetTable", False),
        ("DeleteItem", "rights", "dynamodb:DeleteItem", False),
        ("PutItem", "write", "dynamodb:PutItem", False),
        ("ListObjectsV2", "arrival", "s3:ListBucket", True),
        ("StartQueryExecution", "arrival", "athena:StartQueryExecution", True),
    ],
)
def test_what_is_not_allowed_is_named_at_its_step_and_nothing_is_left(
    pump, wb, empty, operation, step, permission, deleted
):
    empty.faults.refuse(operation, "AccessDeniedException", "no", times=float("inf"), status=403)
    report = wb.check("things", aws_smoke=True, yes=True)
    found = steps(report)
    assert [name for name, status in found.items() if status == "failed"] == [step], report.to_csv()
    assert permission in row(report, step)["remedy"]
    assert (found.get("delete") == "ok") is deleted
    empty.faults.clear()
    assert items(pump.session) == []
    assert not any(Path(wb.settings.home, "smoke").glob("*.json"))


def test_an_item_that_could_not_be_deleted_is_deleted_by_the_next_run(pump, wb, empty, monkeypatch):
    def sleep(seconds: float) -> None:
        pump.sleep(seconds)
        empty.faults.refuse("DeleteItem", "AccessDeniedException", "no", times=float("inf"))

    monkeypatch.setattr(aws_smoke, "_sleep", sleep)
    report = wb.check("things", aws_smoke=True, yes=True)
    assert row(report, "delete")["status"] == "failed"
    assert "is still in the table" in row(report, "delete")["detail"]
    assert "the next run deletes it" in row(report, "delete")["remedy"]
    empty.faults.clear()
    assert len(items(pump.session)) == 1
    wire(pump, monkeypatch)
    again = wb.check("things", aws_smoke=True, yes=True)
    assert steps(again) == dict.fromkeys(["report", "table", "item of before", *STEPS[1:], "cost"], "ok")
    assert items(pump.session) == []


def test_an_item_whose_answer_was_lost_before_a_later_try_was_refused_is_deleted(pump, wb, empty, monkeypatch):
    keep = aws_smoke._Smoke._keep

    def noted(smoke: Any, item: Any) -> None:  # what the first try writes, though it is answered by a fault
        keep(smoke, item)
        pump.session.client("dynamodb").put_item(TableName="things", Item=item.image)
        empty.faults.refuse("PutItem", "InternalServerError", "no", status=500)
        empty.faults.refuse("PutItem", "AccessDeniedException", "no", status=403)

    monkeypatch.setattr(aws_smoke._Smoke, "_keep", noted)
    report = wb.check("things", aws_smoke=True, yes=True)
    assert (row(report, "write")["status"], row(report, "delete")["detail"]) == ("failed", "the item is deleted")
    assert items(pump.session) == []
    assert not any(Path(wb.settings.home, "smoke").glob("*.json"))


def test_no_part_of_who_asked_is_left_where_a_name_has_a_comma():
    asked = "User: arn:aws:sts::123456789012:assumed-role/Analyst/doe,ada@example.com is not authorized"
    assert aws_smoke.redacted(asked) == "User: arn:aws:sts::…:assumed-role/… is not authorized"


def test_a_report_of_who_has_no_home_keeps_its_slashes(monkeypatch):
    monkeypatch.setenv("HOME", "/")
    assert aws_smoke.redacted("s3://lake/data/things") == "s3://lake/data/things"


def test_ctrl_c_deletes_the_item_and_what_a_killed_process_left_is_deleted_by_the_next(pump, wb, monkeypatch):
    left: list[tuple[Path, bytes, dict[str, Any]]] = []

    def stop(seconds: float) -> None:
        (note,) = Path(wb.settings.home, "smoke").glob("*.json")
        left.append((note, note.read_bytes(), items(pump.session)[0]))
        assert note.stat().st_mode & 0o777 == 0o600
        raise KeyboardInterrupt

    monkeypatch.setattr(aws_smoke, "_sleep", stop)
    with pytest.raises(KeyboardInterrupt):
        wb.check("things", aws_smoke=True, yes=True)
    ((note, noted, item),) = left
    assert (items(pump.session), note.exists()) == ([], False)
    client = pump.session.client("dynamodb")
    client.put_item(TableName="things", Item=item)  # as a process leaves it that is killed there
    note.write_bytes(noted)
    wire(pump, monkeypatch)
    report = wb.check("things", aws_smoke=True, yes=True)
    assert row(report, "item of before")["detail"] == "the item is deleted"
    assert (items(pump.session), note.exists()) == ([], False)
    client.put_item(TableName="things", Item=item | {aws_smoke.MARK: {"S": "of somebody else"}})
    note.write_bytes(noted)
    report = wb.check("things", aws_smoke=True, yes=True)
    assert row(report, "item of before")["detail"].endswith("nothing is deleted")
    assert [each[aws_smoke.MARK]["S"] for each in items(pump.session)] == ["of somebody else"]


def test_a_key_that_is_taken_is_left_alone_and_another_is_made_up(pump, wb, monkeypatch):
    taken = {"pk": {"S": "workbench-smoke-taken"}, "name": {"S": "Ann"}}
    pump.session.client("dynamodb").put_item(TableName="things", Item=taken)
    made, new_key = [{"pk": taken["pk"]}], aws_smoke._new_key
    monkeypatch.setattr(
        aws_smoke, "_new_key", lambda types: made[0] if len(made) < 4 and not made.append({}) else new_key(types)
    )
    report = wb.check("things", aws_smoke=True, yes=True)
    assert set(steps(report).values()) == {"ok"}
    assert items(pump.session) == [taken]


def test_it_is_refused_where_it_makes_no_sense_and_nothing_is_written(pump, wb, empty, tmp_path):
    with pytest.raises(ParameterError, match=r"puts one item into the table 'things' .*\(key pk \(S\)\).*yes=True"):
        wb.check("things", aws_smoke=True)
    with pytest.raises(ParameterError, match="needs a table; there are: things"):
        wb.check(aws_smoke=True, yes=True)
    with pytest.raises(ParameterError, match="are of aws_smoke"):
        wb.check("things")
    with pytest.raises(ParameterError, match="no length of time"):
        wb.check("things", aws_smoke=True, yes=True, wait="long")
    with pytest.raises(ParameterError, match="known_at=2026-01-01"):
        athena(empty, known_at="2026-01-01").check("things", aws_smoke=True, yes=True)
    with pytest.raises(ConfigError, match="set engine=athena"):
        Workbench(tmp_path).check("things", aws_smoke=True, yes=True)
    assert (items(pump.session), pump.waits) == ([], 0)


def test_two_runs_at_once_do_not_delete_each_others_items(pump, wb, monkeypatch):
    refused: list[str] = []

    def sleep(seconds: float) -> None:
        if not refused:  # another one, while this one waits
            with pytest.raises(StoreError, match="another process is trying the table 'things'") as error:
                wb.check("things", aws_smoke=True, yes=True)
            refused.append(str(error.value))
        pump.sleep(seconds)

    monkeypatch.setattr(aws_smoke, "_sleep", sleep)
    assert set(steps(wb.check("things", aws_smoke=True, yes=True)).values()) == {"ok"}
    assert len(refused) == 1


def test_where_the_item_cannot_be_noted_nothing_is_written(pump, empty, tmp_path):
    (tmp_path / "file").write_text("no folder")
    wb = athena(empty, home=tmp_path / "file" / "home", store="off")
    report = wb.check("things", aws_smoke=True, yes=True)
    assert steps(report) == {"report": "ok", "table": "failed", "cost": "ok"}
    assert row(report, "table")["remedy"] == "set home= to a folder that can be written"
    assert (items(pump.session), pump.waits) == ([], 0)
    wb.close()
