"""Several tables in one deployment: what they share, what each has, and that one more changes nothing for the others."""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from infra_cdk import costs
from infra_cdk.config import Config
from infra_cdk.stacks.reports import scheduled
from infra_cdk.synth import Synthesised, synthesise
from infra_cdk.variants import VARIANTS
from tests.helpers.aws import fixtures
from tests.helpers.aws.lake import BUCKET, athena, declare, place
from tests.helpers.aws.server import AwsServer
from tests.helpers.logs import chain, micros, write_log
from tests.infra.conftest import Invoke, event, only, resources, store
from tests.infra.test_pipeline import HOUR, deliveries, delivery
from tests.infra.test_rules import rights, statements, written
from tests.infra.test_transform import same
from workbench import Workbench
from workbench.sql.questions import questions

server, credentials = fixtures.server, fixtures.credentials  # of the emulators; the latter for every test
TABLES = [name for name in VARIANTS if "tables" in VARIANTS[name]]
LOGS = ["customers", "orders_eu"]
MODES = {"envelope": "tables", "newline": "cross-account-tables"}
NOON = micros("2026-01-01T12:00:00")


def nested(made: Synthesised, log: str, stack: str = "Workbench") -> dict[str, dict[str, Any]]:
    """The resources of a table's nested stack."""
    (template,) = [
        template for name, template in made.templates.items() if name.startswith(f"{stack}Log{log.replace('_', '')}")
    ]
    return template["Resources"]


def of(found: Mapping[str, dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [each["Properties"] for each in found.values() if each["Type"] == kind]


@pytest.mark.parametrize("variant", TABLES)
def test_a_table_more_changes_no_resource_of_the_others_and_the_order_of_names_none(variants, variant, tmp_path):
    before, context = variants[variant], VARIANTS[variant]
    turned = ",".join(reversed(context["tables"].split(",")))
    after = synthesise(context | {"tables": f"audit,{turned}"}, tmp_path)
    assert set(after.templates) - set(before.templates)
    for name, template in before.templates.items():
        grown = after.templates[name]["Resources"]
        assert {id: grown.get(id) for id in template["Resources"]} == template["Resources"]
        more = {each["Type"] for id, each in grown.items() if id not in template["Resources"]}
        assert more <= {"AWS::CloudFormation::Stack"}
        assert after.templates[name].get("Outputs") == template.get("Outputs")


@pytest.mark.parametrize("variant", TABLES)
def test_of_a_hundred_tables_no_stack_has_more_resources_than_cloudformation_takes(variants, variant):
    for name, template in variants[variant].templates.items():
        count = Counter(each["Type"] == "AWS::CloudFormation::Stack" for each in template["Resources"].values())
        assert count[False] + 100 * (count[True] > 0) < 500, name


def test_all_share_one_lake_catalog_workgroup_key_function_and_stream(variants):
    made = variants["tables"]
    for kind in ("Kinesis::Stream", "KinesisFirehose::DeliveryStream", "KMS::Key", "Athena::WorkGroup", "SNS::Topic"):
        assert len(resources(made, f"AWS::{kind}")) == 1
    assert only(made, "AWS::Lambda::Function", "Transform")["Environment"]["Variables"] == {
        "MODE": "envelope",
        "FOLDERS": "log",
    }


@pytest.mark.parametrize("variant", ["tables", "cross-account-tables"])
def test_a_shared_stream_writes_to_the_folder_the_function_names_and_its_failures_to_that_of_all(variants, variant):
    to = delivery(variants[variant])
    assert to["Prefix"] == "data/!{partitionKeyFromLambda:log}/" + HOUR
    assert to["ErrorOutputPrefix"] == "errors/_all/!{firehose:error-output-type}/" + HOUR
    assert to["DynamicPartitioningConfiguration"] == {"Enabled": True, "RetryOptions": {"DurationInSeconds": 7200}}
    assert to["BufferingHints"]["SizeInMBs"] >= 64
    writing = {
        right.resource.rpartition("}")[2].rpartition(":::")[2].partition("/")[2] or right.resource
        for right in rights(variants[variant])
        if right.action == "s3:PutObject" and right.resource.endswith("/*/*")
    } - {"reports/*/*"}  # of the reports' task
    assert {re.sub(r"^.*?(data|errors)", r"\1", each) for each in writing} == {"data/*/*", "errors/*/*"}


def test_parquet_is_made_by_columns_that_are_no_tables_and_are_those_of_all(variants):
    schema = delivery(variants["tables"])["DataFormatConversionConfiguration"]["SchemaConfiguration"]
    assert schema["DatabaseName"] == "workbench_schema"
    columns = [
        each["Properties"]["TableInput"]["StorageDescriptor"]["Columns"]
        for each in resources(variants["tables"], "AWS::Glue::Table").values()
    ]
    assert len(columns) == 3
    assert columns[0] == columns[1] == columns[2]


def test_streams_of_their_own_write_as_those_of_one_table_do(variants):
    made = variants["tables-each"]
    assert len(resources(made, "AWS::Kinesis::Stream")) == 2
    assert [each["Prefix"] for each in deliveries(made)] == [f"data/{log}/{HOUR}" for log in LOGS]
    assert all("DynamicPartitioningConfiguration" not in each for each in deliveries(made))
    for log in LOGS:
        written_to = {
            right["Resource"][0]["Fn::Join"][1][1]
            for policy in of(nested(made, log), "AWS::IAM::Policy")
            for right in statements(policy)
            if right.get("Sid") == "WriteObjects"
        }
        assert written_to == {f"/data/{log}/*"}


@pytest.mark.parametrize("variant", TABLES)
def test_each_has_its_capture_that_begins_when_firehose_reads(variants, variant):
    stack = "WorkbenchProducer" if variant.startswith("cross") else "Workbench"
    for log, table in zip(LOGS, ["customers", "Orders.eu"], strict=True):
        found = nested(variants[variant], log, stack)
        (capture,) = [each for each in found.values() if each["Type"] == "Custom::KinesisStreamingDestination"]
        assert json.loads(written(capture["Properties"]["Create"]))["parameters"]["TableName"] == table
        allowed = {
            written(statement["Resource"])
            for policy in of(found, "AWS::IAM::Policy")
            for statement in statements(policy)
            if "dynamodb:EnableKinesisStreamingDestination" in statement["Action"]
        }
        assert {arn.rpartition("/")[2] for arn in allowed} == {table}
        if variant == "tables-each":
            assert any("DeliveryStream" in name for name in capture["DependsOn"])
        else:
            (stacks,) = [
                each
                for name, each in variants[variant].templates[stack]["Resources"].items()
                if each["Type"] == "AWS::CloudFormation::Stack" and log.replace("_", "") in name
            ]
            assert any("DeliveryStream" in name for name in stacks["DependsOn"])


@pytest.mark.parametrize("variant", TABLES)
def test_each_has_a_projected_table_and_the_questions_of_its_log(variants, variant):
    stack = "WorkbenchConsumer" if variant.startswith("cross") else "Workbench"
    for log in LOGS:
        found = nested(variants[variant], log, stack)
        (table,) = of(found, "AWS::Glue::Table")
        assert table["TableInput"]["Name"] == log
        assert table["TableInput"]["Parameters"]["projection.enabled"] == "true"
        assert written(table["TableInput"]["StorageDescriptor"]["Location"]).endswith(f"}}/data/{log}/") or (
            stack == "WorkbenchConsumer"
        )
        asked = of(found, "AWS::Athena::NamedQuery")
        assert {each["Name"] for each in asked} == {f"{log}: {name}" for name in questions()}
        other = next(name for name in LOGS if name != log)
        assert not any(other in each["QueryString"] for each in asked)


def test_each_is_watched_and_a_shared_stream_once(variants):
    alarms = {
        variant: Counter(
            re.sub(r"^.*Watch|[0-9A-F]{8}$", "", name)
            for name in resources(variants[variant], "AWS::CloudWatch::Alarm")
        )
        for variant in ("tables", "tables-each")
    }
    assert alarms["tables"]["NotReplicated"] == alarms["tables"]["ReplicationLag"] == 2
    assert alarms["tables"]["IteratorAge"] == alarms["tables"]["Freshness"] == alarms["tables"]["TooManyFolders"] == 1
    assert alarms["tables-each"]["IteratorAge"] == alarms["tables-each"]["Freshness"] == 2
    assert "TooManyFolders" not in alarms["tables-each"]


@pytest.mark.parametrize("variant", ["tables", "cross-account-tables"])
def test_each_is_told_of_where_its_own_days_stay_as_they_are(variants, variant):
    """One filter makes a metric for each, by the name its run has in the line that it ends with."""
    kept = only(variants[variant], "AWS::Logs::MetricFilter")
    (metric,) = kept["MetricTransformations"]
    assert kept["FilterPattern"] == '{ $.report = "compact-*" }'
    assert metric["Dimensions"] == [{"Key": "Report", "Value": "$.report"}]
    assert metric["MetricValue"] == "$.exit_code"
    behind = [
        each["Properties"]
        for name, each in resources(variants[variant], "AWS::CloudWatch::Alarm").items()
        if "Behind" in name
    ]
    assert [each["Dimensions"] for each in behind] == [[{"Name": "Report", "Value": f"compact-{log}"}] for log in LOGS]
    for each in behind:
        assert (each["Namespace"], each["MetricName"]) == (metric["MetricNamespace"], metric["MetricName"])
        assert (each["Statistic"], each["Period"], each["EvaluationPeriods"]) == ("Minimum", 86_400, 2)
        assert each["InsufficientDataActions"] == each["AlarmActions"]


def test_the_alarms_that_costs_counts_are_those_deployed(variants):
    def counted(variant: str) -> tuple[int, int]:
        found = [
            each["Properties"]
            for name, each in resources(variants[variant], "AWS::CloudWatch::Alarm").items()
            if not re.search("Behind|Report", name)  # of reports=true
        ]
        queries = sum("SELECT" in str(each.get("Metrics", "")) for each in found)
        return len(found) - queries, queries

    assert counted("tables") == (costs.SHARED_ALARMS, 1 + 2 * 2)
    functions = 3  # those of the transform function, which this variant has none of
    assert counted("tables-each") == (costs.EACH_ALARMS - functions + 2 * costs.OWN_ALARMS, 1 + 2 * 2)


def test_what_names_a_table_runs_for_each_at_times_of_their_own_and_what_names_none_once(variants):
    for log in LOGS:
        runs = of(nested(variants["tables"], log), "AWS::Scheduler::Schedule")
        told = [json.loads(written(each["Target"]["Input"]))["containerOverrides"][0]["command"] for each in runs]
        assert f"checkpoint-{log} checkpoint {log}".split() in told
        assert all(each[0].endswith(f"-{log}") and log in " ".join(each[1:]) for each in told)
        assert {each["FlexibleTimeWindow"]["Mode"] for each in runs} == {"FLEXIBLE"}
    both = Config(tables="one,two", schedules="daily: rate(1 day) checkpoint {table}; all: rate(1 day) tables")
    assert [(each.name, each.command) for each in scheduled(both, each=False)] == [("all", ["tables"])]
    assert [[each.name for each in scheduled(log, each=True)] for log in both.logs] == [["daily-one"], ["daily-two"]]


def test_who_undoes_or_exports_may_do_so_with_one_table(variants):
    for log, table in zip(LOGS, ["customers", "Orders.eu"], strict=True):
        policies = of(nested(variants["tables"], log), "AWS::IAM::ManagedPolicy")
        tables = {
            written(resource).partition(":table/")[2].partition("/")[0]
            for policy in policies
            for statement in statements(policy)
            for resource in (
                statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
            )
            if ":table/" in written(resource)
        }
        assert len(policies) == 3  # who undoes, exports, and reads exports
        assert tables == {table}


def changes(table: str, key: str) -> list[dict[str, Any]]:
    keys = {"pk": {"S": key}}
    states = [(NOON, keys | {"v": {"N": "1"}}), (NOON + 1, keys | {"v": {"N": "2"}}), (NOON + 2, None)]
    kept = [(NOON, {"pk": {"S": "kept"}} | {"of": {"S": table}})]
    return [*chain(keys, states, table=table), *chain({"pk": {"S": "kept"}}, kept, table=table)]


@pytest.mark.parametrize("mode", MODES)
def test_records_of_all_tables_go_to_the_folder_of_their_own_where_the_workbench_reads_them(
    mode, invoke: Invoke, variants, tmp_path: Path
):
    """Also of a table that nobody has told of: it is not lost, and not mixed into another's log."""
    tables = {"Orders.eu": "orders_eu", "customers": "customers", "Who-Knows": "who_knows"}
    made = {table: changes(table, "p-1") for table in tables}
    records = [each for table in tables for each in made[table]]
    sent = event([*records[::2], *records[1::2]])
    ((response,), (line,)) = invoke([sent], MODES[mode])
    assert line["failed"] == 0
    folders: dict[str, bytes] = {}
    for each in response["records"]:
        assert set(each) == {"recordId", "result", "data", "metadata"}
        ((key, log),) = each["metadata"]["partitionKeys"].items()
        assert f"!{{partitionKeyFromLambda:{key}}}/" in delivery(variants["tables"])["Prefix"]
        folders[log] = folders.get(log, b"") + base64.b64decode(each["data"])
    assert sorted(folders) == sorted(tables.values())
    for log, content in folders.items():
        store(tmp_path / "lake", log, content)
    wb = Workbench(tmp_path / "lake" / "data")
    assert sorted(wb.tables()["table"]) == sorted(tables)
    for table, log in tables.items():
        write_log(tmp_path / "raw" / "data" / log, made[table])
        raw = Workbench(tmp_path / "raw" / "data")
        same(
            [wb.latest_state(table).df, wb.changes(table).df],
            [raw.latest_state(table).df, raw.changes(table).df],
        )
        assert set(wb.latest_state(table).df["of"]) == {table}


def test_athena_reads_each_by_the_table_that_its_nested_stack_has(
    invoke: Invoke, variants, tmp_path: Path, server: AwsServer
):
    """The newline variant's tables, of one account and of objects that the function made: each has its own answers."""
    tables = {"customers": "customers", "Orders.eu": "orders_eu"}
    made = {table: changes(table, "p-1") for table in tables}
    ((response,), _) = invoke(
        [event([each for pair in zip(*made.values(), strict=True) for each in pair])], MODES["newline"]
    )
    for log in tables.values():
        answers = [each for each in response["records"] if each["metadata"]["partitionKeys"]["log"] == log]
        store(tmp_path, log, b"".join(base64.b64decode(each["data"]) for each in answers))
    place(server, tmp_path / "data", "data")
    for log in LOGS:
        (table,) = of(nested(variants[MODES["newline"]], log, "WorkbenchConsumer"), "AWS::Glue::Table")
        told = json.dumps(table["TableInput"]).replace("workbench-lake-210987654321-eu-central-1", BUCKET)
        declare(server, json.loads(told))
    wb = athena(server, table_names=tables)
    for table in tables:
        write_log(tmp_path / "raw" / table, made[table])
        raw = Workbench(tmp_path / "raw")
        same([wb.latest_state(table).df, wb.changes(table).df], [raw.latest_state(table).df, raw.changes(table).df])


def test_a_record_that_belongs_to_no_one_log_fails_alone_and_says_why(invoke: Invoke):
    good, other = changes("orders", "p-1")[0], changes("customers", "p-1")[0]
    nameless = {name: value for name, value in good.items() if name != "tableName"}
    ((response,), (line,)) = invoke([event([good, json.dumps(good) + json.dumps(other), nameless])], "tables")
    assert [each["result"] for each in response["records"]] == ["Ok", "ProcessingFailed", "ProcessingFailed"]
    assert "changes of several tables in one record: customers, orders" in line["reasons"]
    assert "metadata" not in response["records"][1]


def test_the_names_of_logs_count_for_the_room_in_a_response(invoke: Invoke):
    table = "t" * 255
    small = changes(table, "p")[0]
    ((response,), (line,)) = invoke([event([small] * 9_000)], "tables")
    assert len(json.dumps(response, separators=(",", ":"))) <= 6_000_000
    assert line["failed"] == sum(each["result"] != "Ok" for each in response["records"]) > 0
