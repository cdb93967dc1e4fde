"""The set-up check on AWS: every part is a line, a refused one names the permission, and the others go on."""

from __future__ import annotations

import gzip
import json
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import requests

from tests.helpers.aws.clients import overhear
from tests.helpers.lakes import in_four_columns
from workbench.aws.session import Session, open_session
from workbench.aws.table_definitions import table_input
from workbench.checks import account as checks_aws
from workbench.checks import machine
from workbench.config import Settings, load_settings

REGION, KINESIS = "eu-central-1", "arn:aws:kinesis:eu-central-1:123456789012:stream/changes"
RECORD = json.dumps({"event_id": "1", "event_name": "INSERT", "keys": "{}"})


@pytest.fixture
def settings(aws_server: str, monkeypatch: pytest.MonkeyPatch, tmp_path) -> Settings:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    requests.post(f"{aws_server}/moto-api/reset", timeout=10)
    return load_settings(
        engine="athena",
        region=REGION,
        endpoint=aws_server,
        database="logs",
        output="s3://results/tmp/",
        max_scan_bytes="10GB",
    )


Answer = Callable[..., Any]


class Account:
    """An account with all of the pipeline, for one table, in which operations can be answered otherwise."""

    def __init__(self, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
        self.settings, self.answers = settings, dict[str, Answer]()
        self.session: Session = open_session(settings)
        monkeypatch.setattr(checks_aws, "open_session", lambda _: self.session)
        client = self.session.client
        for bucket in ("lake", "results"):
            client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        client("glue").create_database(DatabaseInput={"Name": "logs"})
        client("glue").create_table(DatabaseName="logs", TableInput=table_input("persons", "s3://lake/data/persons/"))
        client("dynamodb").create_table(
            TableName="persons",
            BillingMode="PAY_PER_REQUEST",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
        )
        client("dynamodb").update_continuous_backups(
            TableName="persons", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True}
        )
        role = "arn:aws:iam::123456789012:role/delivery"
        client("firehose").create_delivery_stream(
            DeliveryStreamName="to-lake",
            DeliveryStreamType="KinesisStreamAsSource",
            KinesisStreamSourceConfiguration={"KinesisStreamARN": KINESIS, "RoleARN": role},
            ExtendedS3DestinationConfiguration={
                "BucketARN": "arn:aws:s3:::lake",
                "RoleARN": role,
                "Prefix": "data/persons/year=!{timestamp:yyyy}/",
                "BufferingHints": {"IntervalInSeconds": 300},
                "ErrorOutputPrefix": "errors/persons/!{firehose:error-output-type}/",
            },
        )
        self.destination(DestinationStatus="ACTIVE", ApproximateCreationDateTimePrecision="MICROSECOND")
        self.answer("athena", "GetWorkGroup", lambda: {"WorkGroup": self.workgroup()})
        self.deliver(RECORD + "\n" + RECORD + "\n")

    def workgroup(self, **more: Any) -> dict[str, Any]:
        config = {
            "EngineVersion": {"EffectiveEngineVersion": "Athena engine version 3"},
            "ResultConfiguration": {"OutputLocation": "s3://results/tmp/"},
        } | more
        return {"Name": "primary", "State": "ENABLED", "Configuration": config}

    def destination(self, **told: Any) -> None:
        each = {"StreamArn": KINESIS} | told
        self.answer(
            "dynamodb",
            "DescribeKinesisStreamingDestination",
            lambda: {"TableName": "persons", "KinesisDataStreamDestinations": [each]},
        )

    def answer(self, service: str, operation: str, told: Answer) -> None:
        """Have an operation answered: by a response, an error of (code, message), or None to let it through."""

        self.answers[operation] = told

        def before(**_: Any) -> Any:
            response = self.answers[operation]()
            if isinstance(response, tuple):
                code, message = response
                return SimpleNamespace(status_code=400), {"Error": {"Code": code, "Message": message}}
            return response and (SimpleNamespace(status_code=200), response)

        overhear(self.session, f"before-call.{service}.{operation}", before, unique_id=operation)

    def deny(self, service: str, operation: str, message: str = "Access Denied") -> None:
        code = "AccessDenied" if service == "s3" else "AccessDeniedException"
        self.answer(service, operation, lambda: (code, message))

    def deliver(self, text: str, **more: Any) -> str:
        key = f"data/persons/{datetime.now(UTC):year=%Y/month=%m/day=%d/hour=%H}/{time.monotonic_ns()}.json.gz"
        self.session.client("s3").put_object(Bucket="lake", Key=key, Body=gzip.compress(text.encode()), **more)
        return key

    def metric(self, namespace: str, name: str, value: float, **dimensions: str) -> None:
        self.session.client("cloudwatch").put_metric_data(
            Namespace=namespace,
            MetricData=[
                {
                    "MetricName": name,
                    "Value": value,
                    "Timestamp": datetime.now(UTC) - timedelta(minutes=7),
                    "Dimensions": [{"Name": key, "Value": value} for key, value in dimensions.items()],
                }
            ],
        )

    def check(self, **changed: Any) -> pd.DataFrame:
        settings = self.settings.model_copy(update=changed)
        found = pd.DataFrame([vars(check) for check in checks_aws.check_aws(settings)]).set_index("check")
        assert found.index.is_unique
        assert found.loc[found["status"] != "ok", "remedy"].str.len().min() != 0  # what is not ok has a remedy
        return found


@pytest.fixture
def account(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Account:
    return Account(settings, monkeypatch)


def test_an_account_where_all_is_well_is_ok_line_by_line(account):
    found = account.check()
    assert found["status"].unique().tolist() == ["ok"], found[found["status"] != "ok"].to_string()
    assert found.index.tolist() == [
        "credentials",
        "region",
        "workgroup",
        "scan limit",
        "result encryption",
        "results",
        "database",
        "table persons",
        "data of persons",
        "partitions of persons",
        "reading persons",
        "stream of persons",
        "point-in-time recovery of persons",
        "replication of persons",
        "undo of persons",
        "Firehose to-lake",
        "delivery by to-lake",
        "errors of to-lake",
    ]
    assert "envelope, json, partitions arrival, projected" in found.loc["table persons", "detail"]
    assert "their times in microseconds" in found.loc["stream of persons", "detail"]


def test_nothing_is_left_behind(account):
    account.check()
    assert account.session.client("s3").list_objects_v2(Bucket="results")["KeyCount"] == 0


def test_the_check_runs_for_the_engine_that_is_set(account):
    found = machine.run_checks(account.settings)
    assert found["check"].tolist()[:5] == ["Python", "libraries", "Jupyter kernel", "DuckDB", "credentials"]
    assert "item store" not in found["check"].tolist()
    libraries = found.set_index("check").loc["libraries", "detail"]
    assert "boto3" in libraries
    assert "awswrangler" in libraries


def test_the_whole_takes_seconds_even_where_every_request_is_slow(account):
    under_way, at_once = set(), [0]

    def slowly(**_: Any) -> None:
        under_way.add(threading.get_ident())
        at_once[0] = max(at_once[0], len(under_way))
        time.sleep(0.15)
        under_way.discard(threading.get_ident())

    overhear(account.session, "before-call", slowly)
    found = account.check()
    assert (found["status"] == "ok").all()
    assert at_once[0] > 1  # requests are made side by side


# credentials


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId"])
def test_credentials_that_are_not_valid_are_one_line_and_nothing_else_is_tried(account, code):
    account.answer("sts", "GetCallerIdentity", lambda: (code, "The security token included in the request is expired"))
    found = account.check()
    assert found.loc["credentials", "status"] == "failed"
    assert code in found.loc["credentials", "detail"]
    assert "aws sso login" in found.loc["credentials", "remedy"]
    rest = found.drop(index="credentials")
    assert set(rest["detail"]) == {"not tried: there are no valid credentials"}
    assert {"workgroup", "database", "results"} <= set(rest.index)


def test_no_credentials_at_all_are_told(account, monkeypatch):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    account.session = open_session(account.settings)
    found = account.check()
    assert "Unable to locate credentials" in found.loc["credentials", "detail"]
    assert found["status"].tolist().count("warning") == len(found) - 1


def test_a_role_that_may_not_be_assumed_is_told(account):
    role = "arn:aws:iam::123456789012:role/analyst"
    account.settings = account.settings.model_copy(update={"role": role})
    account.session = open_session(account.settings)
    account.deny("sts", "AssumeRole")
    found = account.check()
    assert found.loc["credentials", "remedy"] == f"ask for the permission sts:AssumeRole on {role}"


def test_a_setting_that_is_wrong_is_told(account, monkeypatch):
    monkeypatch.setattr(checks_aws, "open_session", open_session)
    found = account.check(profile="nobody")
    assert "nobody" in found.loc["credentials", "detail"]
    assert "aws configure list-profiles" in found.loc["credentials", "remedy"]


def test_where_only_sts_does_not_answer_the_others_are_asked(account):
    from botocore.exceptions import EndpointConnectionError

    def unreachable(**_: Any) -> None:
        raise EndpointConnectionError(endpoint_url="https://sts")

    overhear(account.session, "before-call.sts", unreachable)
    found = account.check()
    assert found.loc["credentials", "status"] == "warning"
    assert "proxy" in found.loc["credentials", "remedy"]
    assert found.loc["reading persons", "status"] == "ok"


# refusals


@pytest.mark.parametrize(
    ("service", "operation", "check", "status", "permission"),
    [
        ("athena", "GetWorkGroup", "workgroup", "failed", "athena:GetWorkGroup on workgroup/primary"),
        ("glue", "GetDatabase", "database", "failed", "glue:GetDatabase on database/logs"),
        ("glue", "GetTables", "change log", "failed", "glue:GetTables on database/logs and table/logs/*"),
        ("glue", "GetTable", "partitions of persons", "failed", "glue:GetTable on table/logs/persons"),
        ("s3", "PutObject", "results", "failed", "s3:PutObject on arn:aws:s3:::results/tmp/*"),
        ("s3", "DeleteObject", "removal of results", "warning", "s3:DeleteObject on arn:aws:s3:::results/tmp/*"),
        ("s3", "ListObjectsV2", "data of persons", "failed", "s3:ListBucket on arn:aws:s3:::lake"),
        ("s3", "GetObject", "reading persons", "failed", "s3:GetObject on arn:aws:s3:::lake/data/persons/*"),
        (
            "dynamodb",
            "DescribeKinesisStreamingDestination",
            "stream of persons",
            "warning",
            "dynamodb:DescribeKinesisStreamingDestination on table/persons",
        ),
        (
            "dynamodb",
            "DescribeContinuousBackups",
            "point-in-time recovery of persons",
            "warning",
            "dynamodb:DescribeContinuousBackups on table/persons",
        ),
        ("cloudwatch", "ListMetrics", "replication of persons", "warning", "cloudwatch:ListMetrics on *"),
        ("cloudwatch", "GetMetricData", "delivery by to-lake", "warning", "cloudwatch:GetMetricData on *"),
        ("firehose", "ListDeliveryStreams", "Firehose of persons", "warning", "firehose:ListDeliveryStreams on *"),
        (
            "firehose",
            "DescribeDeliveryStream",
            "Firehose of persons",
            "warning",
            "firehose:DescribeDeliveryStream on *",
        ),
    ],
)
def test_a_refused_part_names_the_permission_and_the_others_go_on(
    account, service, operation, check, status, permission
):
    account.deny(service, operation)
    found = account.check()
    assert found.loc[check, "status"] == status
    assert permission in found.loc[check, "remedy"]
    other = "workgroup" if service != "athena" else "reading persons"
    assert found.loc[other, "status"] == "ok"
    assert len(found) >= 8


def test_aws_own_words_on_what_is_missing_win(account):
    key = "arn:aws:kms:eu-central-1:123456789012:key/1"
    account.deny(
        "s3",
        "GetObject",
        f"User: arn:aws:iam::123456789012:user/a is not authorized to perform: kms:Decrypt "
        f"on resource: {key} because no identity-based policy allows the kms:Decrypt action",
    )
    assert account.check().loc["reading persons", "remedy"] == f"ask for the permission kms:Decrypt on {key}"


def test_a_page_in_place_of_an_answer_is_one_line(account):
    account.answer("cloudwatch", "ListMetrics", lambda: ("502", "<html>\n<h1>Bad\ngateway</h1>" + "\nx" * 1_000))
    line = account.check().loc["replication of persons", "detail"]
    assert "\n" not in line
    assert len(line) < 500


def test_lake_formation_is_named_where_it_refuses(account):
    account.deny("glue", "GetTables", "Insufficient Lake Formation permission(s) on logs")
    assert "lakeformation grant-permissions" in account.check().loc["change log", "remedy"]


def test_a_part_that_breaks_is_a_failed_line(account, monkeypatch):
    monkeypatch.setattr(checks_aws, "check_data", lambda *_: 1 / 0)
    found = account.check()
    assert "ZeroDivisionError" in found.loc["data of persons", "detail"]
    assert found.loc["stream of persons", "status"] == "ok"


# workgroup and results


@pytest.mark.parametrize(
    ("config", "check", "status", "told"),
    [
        ({"EngineVersion": {"EffectiveEngineVersion": "Athena engine version 2"}}, "workgroup", "failed", "version 3"),
        ({"ManagedQueryResultsConfiguration": {"Enabled": True}}, "workgroup", "failed", "storage of Athena's own"),
        ({"BytesScannedCutoffPerQuery": 5 * 10**9}, "scan limit", "ok", "stops a query at 5.00 GB"),
        (
            {"EnforceWorkGroupConfiguration": True, "ResultConfiguration": {"OutputLocation": "s3://results/own/"}},
            "result location",
            "warning",
            "output=s3://results/tmp/ is not used",
        ),
        (
            {"ResultConfiguration": {"EncryptionConfiguration": {"EncryptionOption": "CSE_KMS"}}},
            "result encryption",
            "failed",
            "cannot be read back",
        ),
    ],
)
def test_what_a_workgroup_is_set_to_matters(account, config, check, status, told):
    account.answer("athena", "GetWorkGroup", lambda: {"WorkGroup": account.workgroup(**config)})
    found = account.check()
    assert found.loc[check, "status"] == status
    assert told in found.loc[check, "detail"]


def test_a_disabled_workgroup_and_one_that_is_not_there_are_told(account):
    account.answer("athena", "GetWorkGroup", lambda: {"WorkGroup": account.workgroup() | {"State": "DISABLED"}})
    assert "--state ENABLED" in account.check().loc["workgroup", "remedy"]
    account.answer("athena", "GetWorkGroup", lambda: ("InvalidRequestException", "WorkGroup primary is not found."))
    assert "list-work-groups" in account.check().loc["workgroup", "remedy"]


def test_without_a_place_for_results_or_a_limit_it_says_so(account):
    account.answer("athena", "GetWorkGroup", lambda: {"WorkGroup": account.workgroup(ResultConfiguration={})})
    found = account.check(output=None, max_scan_bytes=None)
    assert found.loc["result location", "status"] == "failed"
    assert found.loc["scan limit", "status"] == "warning"
    assert "results" not in found.index


def test_results_in_a_bucket_that_is_not_there_are_told(account):
    assert "there is no bucket nowhere" in account.check(output="s3://nowhere/").loc["results", "detail"]


def test_a_bucket_of_another_region_is_told(account):
    account.answer("s3", "PutObject", lambda: ("PermanentRedirect", "use the specified endpoint"))
    assert "another region" in account.check().loc["results", "detail"]


# tables and data


def test_a_database_that_is_not_there_and_one_without_logs_are_told(account):
    assert "no Glue database 'none'" in account.check(database="none").loc["database", "detail"]
    assert account.check(database=None).loc["database", "status"] == "failed"
    account.session.client("glue").create_database(DatabaseInput={"Name": "empty"})
    assert "workbench table create" in account.check(database="empty").loc["change log", "remedy"]


def test_a_table_without_objects_and_one_of_old_objects_are_told(account):
    late = account.check(late_arrival="0s").loc["data of persons"]
    assert late["status"] == "warning"
    assert "nothing has changed since, or nothing is delivered" in late["detail"]
    s3 = account.session.client("s3")
    for each in s3.list_objects_v2(Bucket="lake")["Contents"]:
        s3.delete_object(Bucket="lake", Key=each["Key"])
    found = account.check()
    assert "no object under s3://lake/data/persons/" in found.loc["data of persons", "detail"]
    assert "reading persons" not in found.index


def test_old_data_is_found_further_back(account):
    s3 = account.session.client("s3")
    for each in s3.list_objects_v2(Bucket="lake")["Contents"]:
        s3.delete_object(Bucket="lake", Key=each["Key"])
    old = datetime.now(UTC) - timedelta(days=20)
    s3.put_object(Bucket="lake", Key=f"data/persons/{old:year=%Y/month=%m/day=%d/hour=%H}/a.json", Body=RECORD.encode())
    s3.put_object(Bucket="lake", Key=f"data/persons/{old:year=%Y/month=%m/day=%d/hour=%H}/_SUCCESS", Body=b"x")
    starts = []
    overhear(
        account.session,
        "provide-client-params.s3.ListObjectsV2",
        lambda params, **_: starts.append(params.get("StartAfter")),
    )
    assert "a.json can be read" in account.check().loc["reading persons", "detail"]
    assert len([start for start in starts if start]) == 4


@pytest.mark.parametrize(
    ("text", "status", "told"),
    [
        (RECORD + RECORD + "\n" + RECORD + "\n", "failed", "1 of 2 lines"),
        (RECORD * 3, "failed", "1 of 1 lines"),
        (RECORD + "\n" + RECORD, "ok", "one record a line"),
        ("a,b\n1,2\n", "failed", "no JSON objects"),
        ((RECORD + "\n") * 60_000, "ok", "one record a line"),
    ],
)
def test_records_joined_on_a_line_are_told(account, text, status, told):
    account.deliver(text)
    line = account.check().loc["reading persons"]
    assert (line["status"], told in line["detail"]) == (status, True), line["detail"]


def test_the_newest_partition_must_be_registered_where_none_is_projected(account):
    made = in_four_columns(table_input("plain", "s3://lake/data/persons/"), 2024)
    made["Parameters"] = {key: value for key, value in made["Parameters"].items() if "projection" not in key}
    glue = account.session.client("glue")
    glue.create_table(DatabaseName="logs", TableInput=made)
    found = account.check()
    assert found.loc["partitions of plain", "status"] == "failed"
    assert "MSCK REPAIR TABLE logs.plain" in found.loc["partitions of plain", "remedy"]
    values = f"{datetime.now(UTC):%Y/%m/%d/%H}".split("/")
    glue.create_partition(
        DatabaseName="logs",
        TableName="plain",
        PartitionInput={"Values": values, "StorageDescriptor": made["StorageDescriptor"]},
    )
    assert account.check().loc["partitions of plain", "status"] == "ok"


def test_a_projection_that_ends_before_the_present_is_told(account):
    glue = account.session.client("glue")
    older = in_four_columns(table_input("older", "s3://lake/data/persons/"), 2010)
    ended = table_input("ended", "s3://lake/data/persons/", first_year=2010, until="year=2019/month=12/day=31/hour=23")
    for made in (older, ended):
        glue.create_table(DatabaseName="logs", TableInput=made)
    found = account.check()
    assert "arrival is projected from year=2010/" in found.loc["partitions of ended", "detail"]
    assert (
        "'projection.arrival.range' = 'year=2010/month=01/day=01/hour=00,NOW'"
        in found.loc["partitions of ended", "remedy"]
    )
    assert "year is projected from 2010 to 2019" in found.loc["partitions of older", "detail"]
    assert found.loc["partitions of persons", "status"] == "ok"


def test_the_key_that_encrypts_is_checked(account):
    key = account.session.client("kms").create_key()["KeyMetadata"]["Arn"]
    account.deliver(RECORD, ServerSideEncryption="aws:kms", SSEKMSKeyId=key)
    found = account.check()
    assert found.loc["KMS key of persons", "detail"] == f"{key} is enabled, and decrypts"
    assert "SSE-KMS" in found.loc["reading persons", "detail"]
    account.session.client("kms").disable_key(KeyId=key.rpartition("/")[2])
    assert "is Disabled" in account.check().loc["KMS key of persons", "detail"]
    account.deny("kms", "DescribeKey")
    assert account.check().loc["KMS key of persons", "status"] == "ok"


# pipeline


def test_the_stream_of_a_table_must_be_active(account):
    account.destination(DestinationStatus="DISABLED")
    line = account.check().loc["stream of persons"]
    assert line["status"] == "failed"
    assert "enable-kinesis-streaming-destination --table-name persons" in line["remedy"]
    account.destination(DestinationStatus="ENABLING")
    assert account.check().loc["stream of persons", "status"] == "warning"
    account.answer(
        "dynamodb",
        "DescribeKinesisStreamingDestination",
        lambda: {"TableName": "persons", "KinesisDataStreamDestinations": []},
    )
    found = account.check()
    assert "none is logged" in found.loc["stream of persons", "detail"]
    assert "Firehose to-lake" not in found.index


def test_a_table_of_another_account_is_a_warning_only(account):
    account.answer(
        "dynamodb",
        "DescribeKinesisStreamingDestination",
        lambda: ("ResourceNotFoundException", "Requested resource not found"),
    )
    found = account.check()
    assert found.loc["stream of persons", "status"] == "warning"
    assert "table_names=" in found.loc["stream of persons", "remedy"]


def test_who_may_apply_an_undo_is_told_by_writes_that_are_never_made(account):
    client = account.session.client("dynamodb")
    line = account.check().loc["undo of persons"]
    assert (line["status"], line["remedy"]) == ("ok", "")
    assert line["detail"] == "this identity may apply one: it may put, update and delete items"
    assert client.scan(TableName="persons")["Items"] == []
    mine = {"pk": {"S": "workbench check"}, "kept": {"S": "x"}}  # nor where an item has the key that is tried
    client.put_item(TableName="persons", Item=mine)
    assert account.check().loc["undo of persons", "detail"].startswith("this identity may apply one")
    assert client.scan(TableName="persons")["Items"] == [mine]


@pytest.mark.parametrize(
    ("key", "kinds"), [({"pk": "N"}, "N"), ({"pk": "B", "sk": "S"}, "BS"), ({"pk": "S", "sk": "N"}, "SN")]
)
def test_who_may_apply_an_undo_is_told_of_tables_of_all_keys(account, key, kinds):
    client = account.session.client("dynamodb")
    client.delete_table(TableName="persons")
    client.create_table(
        TableName="persons",
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": n, "KeyType": t} for n, t in zip(key, ("HASH", "RANGE"), strict=False)],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": kind} for name, kind in key.items()],
    )
    assert account.check().loc["undo of persons", "detail"].startswith("this identity may apply one")
    assert client.scan(TableName="persons")["Items"] == []


def test_it_is_no_fault_that_an_analyst_may_not_apply_an_undo(account):
    for operation in ("PutItem", "UpdateItem", "DeleteItem"):
        account.deny("dynamodb", operation)
    line = account.check().loc["undo of persons"]
    assert (line["status"], line["remedy"]) == ("ok", "")
    assert line["detail"].startswith(
        "this identity may plan one and not apply it, "
        "without dynamodb:PutItem, dynamodb:UpdateItem, dynamodb:DeleteItem; "
    )
    account.deny(
        "dynamodb",
        "DeleteItem",
        "User: a is not authorized to perform: kms:Decrypt on resource: arn:aws:kms:eu-central-1:123456789012:key/1",
    )
    assert "UpdateItem, kms:Decrypt on arn:aws:kms:" in account.check().loc["undo of persons", "detail"]
    account.deny("dynamodb", "DescribeTable")
    assert "without dynamodb:DescribeTable; " in account.check().loc["undo of persons", "detail"]


def test_that_an_undo_could_not_be_tried_is_told(account):
    account.answer("dynamodb", "PutItem", lambda: ("ProvisionedThroughputExceededException", "slow down"))
    line = account.check().loc["undo of persons"]
    assert line["status"] == "warning"
    assert "slow down" in line["detail"]


def test_point_in_time_recovery_that_is_off_is_told(account):
    account.session.client("dynamodb").update_continuous_backups(
        TableName="persons", PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )
    line = account.check().loc["point-in-time recovery of persons"]
    assert (line["status"], "update-continuous-backups" in line["remedy"]) == ("warning", True)


def test_changes_that_never_reached_kinesis_are_counted(account):
    by = {"TableName": "persons", "DelegatedOperation": "DynamoDBKinesisStreamsReplication"}
    account.metric("AWS/DynamoDB", "FailedToReplicateRecordCount", 3, **by)
    account.metric("AWS/DynamoDB", "FailedToReplicateRecordCount", 5, **by | {"TableName": "others"})
    line = account.check().loc["replication of persons"]
    assert line["status"] == "failed"
    assert line["detail"].startswith("3 changes of the last 14 days never reached Kinesis")


def test_changes_that_wait_for_kinesis_are_told(account):
    account.metric(
        "AWS/DynamoDB",
        "AgeOfOldestUnreplicatedRecord",
        3_600_000,
        TableName="persons",
        DelegatedOperation="DynamoDBKinesisStreamsReplication",
    )
    line = account.check().loc["replication of persons"]
    assert (line["status"], "60 min old" in line["detail"]) == ("warning", True)


@pytest.mark.parametrize(
    ("metric", "value", "status", "told"),
    [
        ("DeliveryToS3.DataFreshness", 250, "ok", "was 250 s old"),
        ("DeliveryToS3.DataFreshness", 7_200, "warning", "120 min old"),
        ("DeliveryToS3.Success", 0, "failed", "some deliveries to S3 failed"),
        ("ExecuteProcessing.Success", 0.5, "warning", "the transform failed for some records"),
    ],
)
def test_what_firehose_measures_is_told(account, metric, value, status, told):
    account.metric("AWS/Firehose", metric, value, DeliveryStreamName="to-lake")
    line = account.check().loc["delivery by to-lake"]
    assert (line["status"], told in line["detail"]) == (status, True)


def test_a_firehose_of_several_tables_is_one_line_and_the_worst_of_them(account):
    made = table_input("zebras", "s3://lake/data/zebras/")
    account.session.client("glue").create_table(DatabaseName="logs", TableInput=made)
    found = account.check()
    assert found.loc["Firehose to-lake", "status"] == "warning"
    assert "the table is over s3://lake/data/zebras/" in found.loc["Firehose to-lake", "detail"]


def test_objects_under_the_error_prefix_are_counted(account):
    for number in range(3):
        account.session.client("s3").put_object(
            Bucket="lake", Key=f"errors/persons/processing-failed/{number}", Body=b"{}"
        )
    account.session.client("s3").put_object(Bucket="lake", Key="errors/others/processing-failed/1", Body=b"{}")
    line = account.check().loc["errors of to-lake"]
    assert line["status"] == "warning"
    assert line["detail"].startswith("3 objects under s3://lake/errors/persons/, 3 of the last 7 days")


def test_a_firehose_that_is_not_there_not_active_or_delivers_elsewhere_is_told(account):
    def described(**changed: Any) -> dict[str, Any]:
        s3 = {"BucketARN": "arn:aws:s3:::lake", "Prefix": "elsewhere/"}
        stream = {
            "DeliveryStreamName": "to-lake",
            "DeliveryStreamStatus": "ACTIVE",
            "Source": {"KinesisStreamSourceDescription": {"KinesisStreamARN": KINESIS}},
            "Destinations": [{"ExtendedS3DestinationDescription": s3}],
        } | changed
        return {"DeliveryStreamDescription": stream}

    told = described()
    account.answer("firehose", "DescribeDeliveryStream", lambda: told)
    found = account.check()
    assert found.loc["Firehose to-lake", "status"] == "warning"
    assert "delivers to s3://lake/elsewhere/" in found.loc["Firehose to-lake", "detail"]
    assert "no error prefix" in found.loc["errors of to-lake", "detail"]
    several = {"BucketARN": "arn:aws:s3:::lake", "Prefix": "data/!{partitionKeyFromLambda:log}/year=!{timestamp:yyyy}/"}
    told = described(Destinations=[{"ExtendedS3DestinationDescription": several}])  # as infra_cdk shares a stream
    found = account.check().loc["Firehose to-lake"]
    assert (found["status"], found["detail"]) == ("ok", "is active, delivers to s3://lake/data/ every 300 s or sooner")
    told = described(DeliveryStreamStatus="CREATING_FAILED", FailureDescription={"Details": "no role"})
    assert "CREATING_FAILED: no role" in account.check().loc["Firehose to-lake", "detail"]
    told = described(Source={})
    assert "no Firehose stream of this account reads" in account.check().loc["Firehose of persons", "detail"]
