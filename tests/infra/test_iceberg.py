"""The second delivery, into an Iceberg table: what is deployed, and what its function writes."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from infra_cdk.config import Config, read_config
from tests.infra.conftest import Invoke, event, only, resources, stored
from tests.infra.test_rules import listed, written
from tests.infra.test_transform import KINDS
from tests.infra.test_watch import alarms
from workbench.errors import ConfigError
from workbench.model.records import COLUMNS, canonical_change


def table(made: Any) -> dict[str, Any]:
    return only(made, "AWS::Glue::Table", "/Iceberg")


def destination(made: Any) -> dict[str, Any]:
    return only(made, "AWS::KinesisFirehose::DeliveryStream", "/IcebergDelivery")["IcebergDestinationConfiguration"]


def allowed(made: Any, role: str) -> dict[str, set[str]]:
    """What a role may do, by action."""
    (policy,) = [each for name, each in resources(made, "AWS::IAM::Policy").items() if f"/Iceberg{role}" in name]
    may: dict[str, set[str]] = {}
    for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
        for action in listed(statement["Action"]):
            may.setdefault(action, set()).update(written(each) for each in listed(statement["Resource"]))
    return may


def test_the_table_has_the_columns_of_a_change_and_a_partition_a_day(variants):
    found = table(variants["iceberg"])
    assert "TableInput" not in found  # with it, an update makes a plain table of it
    assert found["Name"] == "items_iceberg"
    given = found["OpenTableFormatInput"]["IcebergInput"]
    assert (given["MetadataOperation"], given["Version"]) == ("CREATE", "2")
    described = given["IcebergTableInput"]
    columns = {each["Name"]: each["Type"] for each in described["Schema"]["Fields"]}
    assert tuple(columns) == COLUMNS
    assert set(columns.values()) == {"string", "timestamp", "long", "boolean"}
    assert columns["ts"] == "timestamp"
    assert not any(each["Required"] for each in described["Schema"]["Fields"])
    (partition,) = described["PartitionSpec"]["Fields"]
    numbers = {each["Id"]: each["Name"] for each in described["Schema"]["Fields"]}
    assert (numbers[partition["SourceId"]], partition["Transform"]) == ("ts", "day")
    assert written(described["Location"]).endswith("}/iceberg/items/")


def test_every_change_is_appended_once_more_through_a_function_of_its_own(variants):
    made = variants["iceberg"]
    to = destination(made)
    assert to["AppendOnly"] is True
    (into,) = to["DestinationTableConfigurationList"]
    assert into == {"DestinationDatabaseName": "workbench", "DestinationTableName": table(made)["Name"]}
    assert written(to["CatalogConfiguration"]["CatalogArn"]).endswith(":catalog")
    (processor,) = to["ProcessingConfiguration"]["Processors"]
    function = only(made, "AWS::Lambda::Function", "/IcebergTransform")
    assert function["Environment"]["Variables"]["MODE"] == "iceberg"
    assert "IcebergTransform" in json.dumps(processor)
    streams = [
        each["Properties"]["KinesisStreamSourceConfiguration"]["KinesisStreamARN"]
        for each in resources(made, "AWS::KinesisFirehose::DeliveryStream").values()
    ]
    assert streams[0] == streams[1]
    # the log's own delivery and its table are those of the default
    assert resources(made, "AWS::Glue::Table").keys() > resources(variants["single"], "AWS::Glue::Table").keys()
    log = only(made, "AWS::KinesisFirehose::DeliveryStream", "/DeliveryStream")
    assert log == only(variants["single"], "AWS::KinesisFirehose::DeliveryStream", "/DeliveryStream")


def test_what_cannot_be_written_is_kept_outside_of_the_table_and_of_the_logs_own_errors_and_told_of(variants):
    made = variants["iceberg"]
    to = destination(made)
    assert to["s3BackupMode"] == "FailedDataOnly"
    kept = to["S3Configuration"]["ErrorOutputPrefix"]
    assert kept.startswith("iceberg-errors/items/!{firehose:error-output-type}/")
    rule = only(made, "AWS::Events::Rule", "WatchIcebergErrors")
    (prefix,) = [each["prefix"] for each in rule["EventPattern"]["detail"]["object"]["key"]]
    assert kept.startswith(prefix)
    fresh = alarms(made)["IcebergFreshness"]
    assert (fresh["Namespace"], fresh["MetricName"]) == ("AWS/Firehose", "DeliveryToIceberg.DataFreshness")
    assert {"IcebergTransformErrors", "IcebergTransformSlow", "IcebergTransformThrottled"} < set(alarms(made))


@pytest.mark.parametrize("role", ["DeliveryRole", "OptimizerRole"])
def test_who_writes_the_table_writes_its_files_and_its_entry_in_the_catalog_and_no_other(variants, role):
    may = allowed(variants["iceberg"], role)
    for action in ("s3:GetObject", "s3:DeleteObject"):
        assert {each.partition("}")[2] for each in may[action]} == {"/iceberg/items/*"}
    errors = {"/iceberg-errors/items/*"} if role == "DeliveryRole" else set()
    assert {each.partition("}")[2] for each in may["s3:PutObject"]} == {"/iceberg/items/*"} | errors
    assert {each.rpartition(":")[2] for each in may["glue:UpdateTable"]} == {
        "catalog",
        "database/workbench",
        "table/workbench/items_iceberg",
    }
    assert not [action for action in may if action in ("glue:CreateTable", "glue:DeleteTable")]


def test_glue_joins_small_files_and_removes_what_is_no_longer_needed(variants):
    made = variants["iceberg"]
    found = {
        each["Properties"]["Type"]: each["Properties"] for each in resources(made, "AWS::Glue::TableOptimizer").values()
    }
    assert set(found) == {"compaction", "retention", "orphan_file_deletion"}
    for kind, each in found.items():
        assert each["TableName"] == table(made)["Name"]
        configured = each["TableOptimizerConfiguration"]
        assert configured["Enabled"] is True
        # each takes its own configuration and refuses another: cloudformation-coverage-roadmap#2257
        assert (
            set(configured) - {"Enabled", "RoleArn"}
            == {
                "compaction": set(),
                "retention": {"RetentionConfiguration"},
                "orphan_file_deletion": {"OrphanFileDeletionConfiguration"},
            }[kind]
        )
    logs = allowed(made, "OptimizerRole")["logs:PutLogEvents"]
    assert {each.rpartition("/aws-glue/")[2] for each in logs} == {
        f"iceberg-{kind}/logs:*" for kind in ("compaction", "retention", "orphan-file-deletion")
    }
    rules = only(made, "AWS::S3::Bucket", "Lake")["LifecycleConfiguration"]["Rules"]
    (removed,) = [rule for rule in rules if rule.get("Prefix") == "iceberg/"]
    assert removed["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1}


def test_who_reads_the_table_reads_nothing_else(variants):
    (policy,) = [
        each["Properties"]["PolicyDocument"]["Statement"]
        for name, each in resources(variants["iceberg"], "AWS::IAM::ManagedPolicy").items()
        if "/IcebergReader" in name
    ]
    actions = {action for each in policy for action in listed(each["Action"])}
    assert actions == {
        "glue:GetDatabase",
        "glue:GetTable",
        "glue:GetTables",
        "kms:Decrypt",
        "s3:GetBucketLocation",
        "s3:GetObject",
        "s3:ListBucket",
    }
    (files,) = [each["Resource"] for each in policy if each["Action"] == "s3:GetObject"]
    assert written(files).endswith("}/iceberg/items/*")


def test_a_row_has_every_column_and_its_time_in_microseconds(invoke: Invoke):
    ((response,), (line,)) = invoke([event(KINDS)], "iceberg", "IcebergTransform")
    assert line["failed"] == 0
    for answer, change in zip(response["records"], KINDS, strict=True):
        text = base64.b64decode(answer["data"]).decode()
        row, canonical = json.loads(text), canonical_change(change)
        assert tuple(row) == COLUMNS  # a column that a record lacks is an error of Firehose's
        at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=row["ts"])
        assert at.strftime("%Y-%m-%d %H:%M:%S.%f") == canonical["ts"]
        assert row | {"ts": canonical["ts"]} == canonical
    assert stored(response).count(b"\n") == len(KINDS)


def test_records_that_were_joined_fail_and_the_rest_goes_its_way(invoke: Invoke):
    joined = "".join(json.dumps(change) for change in KINDS[:2])
    ((response,), (line,)) = invoke([event([KINDS[0], joined, KINDS[1]])], "iceberg", "IcebergTransform")
    assert [each["result"] for each in response["records"]] == ["Ok", "ProcessingFailed", "Ok"]
    assert line["reasons"] == {"2 changes in one record: a row of Iceberg is one": 1}


def test_two_accounts_cannot_have_it():
    accounts = {"producer_account": "123456789012", "consumer_account": "210987654321", "region": "eu-central-1"}
    with pytest.raises(ConfigError, match="iceberg needs variant=single"):
        Config(variant="cross-account", iceberg=True, **accounts)
    assert read_config({"iceberg": "true"}).iceberg
