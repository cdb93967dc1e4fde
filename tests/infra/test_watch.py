"""Watching it: what there is an alarm for, whom it tells, and that it can tell."""

from __future__ import annotations

import fnmatch
import json
import re
from typing import Any

import pytest

from infra_cdk.variants import VARIANTS
from tests.infra.conftest import only, resources
from tests.infra.test_rules import written

WATCHED = [name for name, context in VARIANTS.items() if context.get("alarms") != "false"]
LOGS = [name for name in WATCHED if "search_only" not in VARIANTS[name]]
SINGLE = [name for name in LOGS if not name.startswith("cross-account")]


def alarms(made: Any) -> dict[str, dict[str, Any]]:
    return {
        re.sub(r"^.*/Watch|[0-9A-F]{8}$", "", name): each["Properties"]
        for name, each in resources(made, "AWS::CloudWatch::Alarm").items()
    }


def query(alarm: dict[str, Any]) -> str:
    return written(alarm["Metrics"][0]["Expression"])


@pytest.mark.parametrize("variant", SINGLE)
def test_whatever_can_go_wrong_between_table_and_lake_has_an_alarm(variants, variant):
    found = alarms(variants[variant])
    expected = {
        "NotReplicated",
        "ReplicationLag",
        "IteratorAge",
        "StreamFull",
        "StreamRead",
        "Freshness",
        "DeliveryFailed",
        "Scanned",
    }
    if VARIANTS[variant].get("transform") != "delimiter":
        expected |= {"TransformErrors", "TransformThrottled", "TransformSlow"}
    assert expected <= set(found)


@pytest.mark.parametrize("variant", WATCHED)
def test_every_alarm_tells_the_topic_when_it_comes_and_when_it_goes_and_says_what_it_means(variants, variant):
    made = variants[variant]
    topics = {json.dumps({"Ref": name.partition("/")[2]}) for name in resources(made, "AWS::SNS::Topic")}
    for name, alarm in alarms(made).items():
        assert {json.dumps(each) for each in alarm["AlarmActions"]} <= topics
        assert alarm["AlarmActions"] == alarm["OKActions"]
        assert len(alarm["AlarmDescription"]) > 20
        behind = name.startswith("Behind")  # where nothing is heard, nothing is done
        assert alarm["TreatMissingData"] == ("missing" if behind else "notBreaching")
        assert alarm.get("InsufficientDataActions") == (alarm["AlarmActions"] if behind else None)


def test_alarms_are_of_the_metrics_that_aws_has(variants):
    found = alarms(variants["single"])
    names = {
        name: (
            each.get("Namespace"),
            each.get("MetricName"),
            each["Statistic"] if "Statistic" in each else each.get("ExtendedStatistic"),
        )
        for name, each in found.items()
        if "MetricName" in each
    }
    assert names == {
        "IteratorAge": ("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", "Maximum"),
        "StreamFull": ("AWS/Kinesis", "WriteProvisionedThroughputExceeded", "Sum"),
        "StreamRead": ("AWS/Kinesis", "ReadProvisionedThroughputExceeded", "Sum"),
        "Freshness": ("AWS/Firehose", "DeliveryToS3.DataFreshness", "Maximum"),
        "DeliveryFailed": ("AWS/Firehose", "DeliveryToS3.Success", "Average"),
        "TransformErrors": ("AWS/Lambda", "Errors", "Sum"),
        "TransformThrottled": ("AWS/Lambda", "Throttles", "Sum"),
        "TransformSlow": ("AWS/Lambda", "Duration", "p99"),
    }
    schema = "FROM SCHEMA(\"AWS/DynamoDB\", TableName, DelegatedOperation) WHERE TableName = '${SourceTable947B4A28}'"
    assert query(found["NotReplicated"]) == f"SELECT SUM(FailedToReplicateRecordCount) {schema}"
    assert query(found["ReplicationLag"]) == f"SELECT MAX(AgeOfOldestUnreplicatedRecord) {schema}"
    assert query(found["Scanned"]) == (
        'SELECT SUM(ProcessedBytes) FROM SCHEMA("AWS/Athena", QueryState, QueryType, '
        "WorkGroup) WHERE WorkGroup = 'workbench'"
    )


REPORTS = [
    name for name in WATCHED if VARIANTS[name].get("reports") == "true" and "tables" not in VARIANTS[name]
]  # of several tables: test_tables.py


@pytest.mark.parametrize("variant", REPORTS)
def test_compaction_that_fails_or_does_not_run_for_two_days_is_told_of(variants, variant):
    made = variants[variant]
    (behind,) = [alarm for name, alarm in alarms(made).items() if name.startswith("Behind")]
    kept = only(made, "AWS::Logs::MetricFilter")
    (metric,) = kept["MetricTransformations"]
    assert (behind["Namespace"], behind["MetricName"]) == (metric["MetricNamespace"], metric["MetricName"])
    assert metric["MetricValue"] == "$.exit_code"
    assert kept["FilterPattern"] == '{ $.report = "compact" }'
    assert "ReportsLog" in json.dumps(kept["LogGroupName"])
    # the best run of each of two days ended otherwise than with 0
    assert (behind["Statistic"], behind["Period"], behind["EvaluationPeriods"]) == ("Minimum", 86_400, 2)
    assert (behind["Threshold"], behind["ComparisonOperator"]) == (0, "GreaterThanThreshold")
    (container,) = only(made, "AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    assert container["LogConfiguration"]["Options"]["awslogs-group"] == kept["LogGroupName"]


def test_where_nothing_compacts_nothing_is_behind(variants):
    assert not [name for name in alarms(variants["single"]) if name.startswith("Behind")]


def test_limits_follow_what_is_set(variants):
    single, delimiter = alarms(variants["single"]), alarms(variants["delimiter"])
    assert single["Freshness"]["Threshold"] == 900
    assert single["TransformSlow"]["Threshold"] == 0.8 * 180_000
    assert single["IteratorAge"]["Threshold"] == 6 * 3_600_000
    assert delimiter["IteratorAge"]["Threshold"] == 42 * 3_600_000


@pytest.mark.parametrize("variant", WATCHED)
def test_the_topic_is_encrypted_and_who_tells_it_may_use_its_key(variants, variant):
    made = variants[variant]
    keys = json.dumps([each["Properties"]["KeyPolicy"] for each in resources(made, "AWS::KMS::Key").values()])
    for topic in resources(made, "AWS::SNS::Topic").values():
        assert topic["Properties"]["KmsMasterKeyId"]
    for policy in resources(made, "AWS::SNS::TopicPolicy").values():
        statements = policy["Properties"]["PolicyDocument"]["Statement"]
        tellers = {each["Principal"]["Service"] for each in statements if each["Effect"] == "Allow"}
        assert tellers == {"cloudwatch.amazonaws.com", "events.amazonaws.com"}
        assert [each["Condition"] for each in statements if each["Effect"] == "Deny"] == [
            {"Bool": {"aws:SecureTransport": "false"}}
        ]
    assert "EncryptCloudwatch" in keys
    assert "EncryptEvents" in keys


def test_somebody_is_told_by_mail_where_that_is_asked_for(variants):
    mail = only(variants["search-lambda"], "AWS::SNS::Subscription")
    assert (mail["Protocol"], mail["Endpoint"]) == ("email", "data@example.com")
    assert not resources(variants["single"], "AWS::SNS::Subscription")


@pytest.mark.parametrize("variant", LOGS)
def test_objects_under_errors_are_told_of(variants, variant):
    made = variants[variant]
    rule = only(made, "AWS::Events::Rule", "WatchErrors")
    detail = rule["EventPattern"]["detail"]
    lakes = [name.partition("/")[2] for name in resources(made, "AWS::S3::Bucket") if "StorageLake" in name]
    assert detail["object"] == {"key": [{"prefix": "errors/"}]}
    assert detail["bucket"] == {"name": [{"Ref": lakes[0]}]}
    assert only(made, "AWS::S3::Bucket", "StorageLake")["NotificationConfiguration"] == {
        "EventBridgeConfiguration": {"EventBridgeEnabled": True}
    }


@pytest.mark.parametrize("variant", ["search-firehose", "private-search", "search-only-firehose"])
def test_documents_that_could_not_be_indexed_are_told_of_whatever_else_is_kept_of_them(variants, variant):
    made = variants[variant]
    log = "persons" if variant == "search-only-firehose" else "items"
    detail = only(made, "AWS::Events::Rule", "WatchSearchRefused")["EventPattern"]["detail"]
    (pattern,) = detail["object"]["key"]
    to = only(made, "AWS::KinesisFirehose::DeliveryStream", "SearchDelivery")
    prefix = to["AmazonopensearchserviceDestinationConfiguration"]["S3Configuration"]["ErrorOutputPrefix"]
    for folder, told in (
        ("processing-failed", True),
        ("AmazonOpenSearchService-failed", True),
        ("AmazonOpenSearchService_failed", True),
        ("2026", False),
    ):
        assert fnmatch.fnmatchcase(f"{prefix}{folder}/01/01/12/x.gz", pattern["wildcard"]) is told, folder
    assert prefix == f"search/{log}/"
    assert only(made, "AWS::S3::Bucket", "StorageLake")["NotificationConfiguration"] == {
        "EventBridgeConfiguration": {"EventBridgeEnabled": True}
    }


def test_a_report_that_fails_or_does_not_begin_is_told_of(variants):
    made = variants["reports"]
    rule = only(made, "AWS::Events::Rule", "ReportFailed")
    detail = rule["EventPattern"]["detail"]
    assert detail["$or"] == [{"containers": {"exitCode": [{"anything-but": 0}]}}, {"stopCode": ["TaskFailedToStart"]}]
    assert "ReportsCluster" in json.dumps(detail["clusterArn"])
    (target,) = rule["Targets"]
    assert "WatchTopic" in json.dumps(target["Arn"])
    assert "$.detail.taskArn" in target["InputTransformer"]["InputPathsMap"].values()
    assert "ReportLetters" in alarms(made)


@pytest.mark.parametrize(
    ("variant", "more"),
    [
        ("search-firehose", {"SearchRed", "SearchFull", "SearchErrors", "SearchFreshness", "SearchFailed"}),
        ("search-lambda", {"SearchRed", "SearchFull", "SearchErrors", "SearchLate", "SearchLetters"}),
        (
            "search-only-firehose",
            {
                "SearchRed",
                "SearchFull",
                "SearchErrors",
                "SearchFreshness",
                "SearchFailed",
                "GeneratorErrors",
                "NotReplicated",
                "IteratorAge",
            },
        ),
        ("search-only-lambda", {"SearchRed", "SearchFull", "SearchErrors", "SearchLate", "SearchLetters"}),
    ],
)
def test_search_is_watched_where_there_is_search(variants, variant, more):
    found = set(alarms(variants[variant]))
    assert more <= found
    assert not any(name.startswith("Search") for name in alarms(variants["single"]))


@pytest.mark.parametrize("variant", WATCHED)
def test_every_metric_an_alarm_is_of_is_on_the_dashboard(variants, variant):
    made = variants[variant]
    boards = "".join(
        written(each["Properties"]["DashboardBody"]) for each in resources(made, "AWS::CloudWatch::Dashboard").values()
    )
    for name, alarm in alarms(made).items():
        assert (alarm["MetricName"] if "MetricName" in alarm else query(alarm).split(" FROM")[0]) in boards, name


def test_the_dashboard_is_json(variants):
    body = json.loads(written(only(variants["single"], "AWS::CloudWatch::Dashboard")["DashboardBody"]))
    assert len(body["widgets"]) > 10


def test_nothing_is_watched_where_that_is_not_wanted(variants):
    kinds = {each["Type"] for each in resources(variants["no-alarms"]).values()}
    assert not kinds & {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::SNS::Topic", "AWS::Events::Rule"}
