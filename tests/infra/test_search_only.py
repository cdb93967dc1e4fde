"""Search instead of a log: what is made for it, and that nothing refers to what is not there."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra_cdk.synth import synthesise
from infra_cdk.variants import VARIANTS
from tests.infra.conftest import only, resources
from tests.infra.test_rules import rights, written

ALONE = [name for name, context in VARIANTS.items() if "search_only" in context]
STREAMS = ["search-only-lambda", "search-only-existing"]


def kinds(made: Any) -> set[str]:
    return {each["Type"] for each in resources(made).values()}


@pytest.mark.parametrize("variant", ALONE)
def test_there_is_no_log_and_nothing_that_would_ask_one(variants, variant):
    made = variants[variant]
    assert {kind.split("::")[1] for kind in kinds(made)}.isdisjoint({"Athena", "Glue", "ECS", "Scheduler"})
    assert not any(
        "ExtendedS3DestinationConfiguration" in each["Properties"]
        for each in resources(made, "AWS::KinesisFirehose::DeliveryStream").values()
    )
    assert not any("Transform" in name or "/Delivery" in name for name in resources(made))
    services = {right.action.partition(":")[0] for right in rights(made)}
    assert services.isdisjoint({"athena", "glue", "lakeformation"})


@pytest.mark.parametrize("variant", ALONE)
def test_no_output_alarm_dashboard_or_description_speaks_of_a_log(variants, variant):
    (template,) = variants[variant].templates.values()
    text = json.dumps(template)
    for word in (
        "Athena",
        "athena",
        "Glue",
        "the log",
        "change log",
        "lake/data",
        "/data/",
        "errors/",
        "reconcile",
        "checkpoints",
        "compacted",
        "DeliveryToS3",
        "WORKBENCH_",
    ):
        assert word not in text, word
    of_the_log = {
        "LakeBucket",
        "Database",
        "WorkGroup",
        "AnalystPolicy",
        "MaintenancePolicy",
        "Checkpoints",
        "Compacted",
    }
    assert set(template["Outputs"]).isdisjoint(of_the_log)


@pytest.mark.parametrize("variant", STREAMS)
def test_by_dynamodb_streams_there_is_neither_a_kinesis_stream_nor_firehose_nor_a_bucket(variants, variant):
    made = variants[variant]
    assert kinds(made).isdisjoint(
        {
            "AWS::Kinesis::Stream",
            "AWS::KinesisFirehose::DeliveryStream",
            "AWS::S3::Bucket",
            "Custom::KinesisStreamingDestination",
        }
    )
    assert not [right for right in rights(made) if right.action.startswith(("kinesis:", "firehose:", "s3:"))]
    text = json.dumps(made.templates)
    assert "AWS/Kinesis" not in text
    assert "AWS/Firehose" not in text
    assert "FROM SCHEMA" not in text  # of replication into a stream
    (template,) = made.templates.values()
    assert set(template["Outputs"]) == {"TableName", "SearchEndpoint", "SearchSetup"}


def test_the_table_streams_new_images_and_sends_nothing_to_kinesis(variants):
    table = only(variants["search-only-lambda"], "AWS::DynamoDB::Table")
    assert table["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    assert "KinesisStreamSpecification" not in table


def test_an_existing_table_is_left_as_it_is(variants):
    made = variants["search-only-existing"]
    assert not resources(made, "AWS::DynamoDB::Table")
    assert not [
        right
        for right in rights(made)
        if right.action.startswith("dynamodb:")
        and right.action.partition(":")[2] not in ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
    ]
    mapping = only(made, "AWS::Lambda::EventSourceMapping")
    assert mapping["EventSourceArn"] == VARIANTS["search-existing"]["table_stream"]


def test_by_firehose_there_is_one_stream_of_documents_and_a_bucket_for_what_cannot_be_indexed(variants):
    made = variants["search-only-firehose"]
    table = only(made, "AWS::DynamoDB::Table")
    assert table["KinesisStreamSpecification"]["ApproximateCreationDateTimePrecision"] == "MICROSECOND"
    assert "StreamSpecification" not in table
    to = only(made, "AWS::KinesisFirehose::DeliveryStream")["AmazonopensearchserviceDestinationConfiguration"]
    assert to["S3BackupMode"] == "FailedDocumentsOnly"
    (lake,) = [name.partition("/")[2] for name in resources(made, "AWS::S3::Bucket") if "StorageLake" in name]
    assert to["S3Configuration"]["BucketARN"] == {"Fn::GetAtt": [lake, "Arn"]}
    (template,) = made.templates.values()
    told = template["Outputs"]
    assert set(told) == {
        "TableName",
        "StreamName",
        "DeliveryName",
        "GeneratorName",
        "SearchBucket",
        "SearchEndpoint",
        "SearchSetup",
    }
    assert told["SearchBucket"]["Value"] == {"Ref": lake}
    (tidy,) = only(made, "AWS::S3::Bucket", "StorageLake")["LifecycleConfiguration"]["Rules"]
    assert tidy["Id"] == "tidy"
    written_to = {
        right.resource.rpartition("}")[2]
        for right in rights(made)
        if right.action == "s3:PutObject" and right.kind == "AWS::IAM::Policy"
    }
    assert written_to == {"/search/persons/*"}


@pytest.mark.parametrize("variant", ALONE)
def test_with_or_without_a_log_search_is_the_same_so_that_one_can_become_the_other(variants, variant, tmp_path):
    beside = synthesise({name: each for name, each in VARIANTS[variant].items() if name != "search_only"}, tmp_path)
    alone, both = resources(variants[variant]), resources(beside)
    for part in ("Search", "Generator", "SourceTable"):
        one, other = (
            {name: each for name, each in found.items() if name.partition("/")[2].startswith(part)}
            for found in (alone, both)
        )
        if part == "SourceTable" and variant == "search-only-lambda":
            for each in other.values():  # all that is left out
                del each["Properties"]["KinesisStreamSpecification"]
        begun = [[each.get("DependsOn", []) for each in found.values()] for found in (one, other)]
        if part == "SourceTable":  # after the streams that read it, of which there is one more: the order is no change
            assert [["Delivery" in "".join(each) for each in several] for several in begun] == [
                [variant == "search-only-firehose"] * len(one),
                [variant != "search-only-existing"] * len(one),
            ]
            for each in (*one.values(), *other.values()):
                each.pop("DependsOn", None)
        assert one == other
    ours = {name for name in alone if not name.partition("/")[2].startswith(("Watch", "AWS"))}
    assert ours < set(both)


@pytest.mark.parametrize("variant", ALONE)
def test_the_dashboard_shows_the_domain_and_a_stream_only_where_there_is_one(variants, variant):
    body = written(only(variants[variant], "AWS::CloudWatch::Dashboard")["DashboardBody"])
    widgets = json.loads(body)["widgets"]
    assert len(widgets) > 5
    assert '"AWS/ES"' in body
    assert ("AWS/Kinesis" in body) is (variant == "search-only-firehose")
