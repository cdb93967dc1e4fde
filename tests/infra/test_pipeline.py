"""What each piece of the pipeline is, by the properties CloudFormation gets."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any

import aws_cdk as cdk
import pytest
import sqlglot
from aws_cdk import assertions
from aws_cdk import aws_glue as glue

from infra_cdk.config import Config
from infra_cdk.named_query import is_windowed
from infra_cdk.stacks.catalog import explicit_table
from infra_cdk.stacks.generator import FILES as GENERATOR
from infra_cdk.variants import VARIANTS
from tests.infra.conftest import only, resources
from tests.infra.test_rules import listed, rights, statements, written
from workbench.aws.projection import count_projected
from workbench.aws.table_definitions import table_input
from workbench.sql.questions import questions

ALL = list(VARIANTS)
LOGS = [name for name in ALL if "search_only" not in VARIANTS[name]]
HOUR = "year=!{timestamp:yyyy}/month=!{timestamp:MM}/day=!{timestamp:dd}/hour=!{timestamp:HH}/"


def deliveries(made: Any) -> list[dict[str, Any]]:
    return [
        each["Properties"]["ExtendedS3DestinationConfiguration"]
        for name, each in resources(made, "AWS::KinesisFirehose::DeliveryStream").items()
        if "/DeliveryStream" in name
    ]


def delivery(made: Any) -> dict[str, Any]:
    (found,) = deliveries(made)
    return found


def processor(made: Any) -> tuple[str, dict[str, Any]]:
    (found,) = delivery(made)["ProcessingConfiguration"]["Processors"]
    return found["Type"], {each["ParameterName"]: each["ParameterValue"] for each in found["Parameters"]}


@pytest.mark.parametrize("variant", ALL)
def test_keys_rotate_and_have_an_alias(variants, variant):
    keys = resources(variants[variant], "AWS::KMS::Key").values()
    assert keys
    assert all(key["Properties"]["EnableKeyRotation"] for key in keys)
    assert len(resources(variants[variant], "AWS::KMS::Alias")) == len(keys)


@pytest.mark.parametrize("variant", ["single", "generator", "cross-account"])
def test_a_new_table_is_on_demand_encrypted_recoverable_protected_and_captured_in_microseconds(variants, variant):
    table = only(variants[variant], "AWS::DynamoDB::Table")
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["SSESpecification"]["SSEType"] == "KMS"
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert table["DeletionProtectionEnabled"] is True
    assert table["KinesisStreamSpecification"]["ApproximateCreationDateTimePrecision"] == "MICROSECOND"
    assert "TableName" not in table


def test_the_generators_table_has_the_keys_of_its_dataset(variants):
    keys = {
        name: only(variants[name], "AWS::DynamoDB::Table")["KeySchema"]
        for name in ("generator", "generator-heartrate", "generator-orders")
    }
    assert keys == {
        "generator": [{"AttributeName": "pk", "KeyType": "HASH"}],
        "generator-heartrate": [
            {"AttributeName": "sensor_id", "KeyType": "HASH"},
            {"AttributeName": "report_time", "KeyType": "RANGE"},
        ],
        "generator-orders": [{"AttributeName": "order_id", "KeyType": "HASH"}],
    }


@pytest.mark.parametrize(
    ("variant", "arn"),
    [
        ("existing-table", "arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/Orders.eu"),
        ("existing-table-arn", "arn:aws:dynamodb:eu-central-1:123456789012:table/orders"),
    ],
)
def test_an_existing_table_is_not_made_but_sent_to_the_stream_until_the_stack_goes(variants, variant, arn):
    made = variants[variant]
    assert not resources(made, "AWS::DynamoDB::Table")
    capture = only(made, "Custom::KinesisStreamingDestination")
    create, delete = (json.loads(written(capture[step])) for step in ("Update", "Delete"))
    assert create["action"] == "enableKinesisStreamingDestination"
    assert create["parameters"]["TableName"] == arn.rpartition("/")[2]
    assert create["parameters"]["EnableKinesisStreamingConfiguration"] == {
        "ApproximateCreationDateTimePrecision": "MICROSECOND"
    }
    assert delete["action"] == "disableKinesisStreamingDestination"
    assert written(capture["Create"]) == written(capture["Update"])
    allowed = {right.action: right.resource for right in rights(made) if right.action.startswith("dynamodb:")}
    assert set(allowed.values()) == {arn}
    assert set(allowed) == {f"dynamodb:{verb}KinesisStreamingDestination" for verb in ("Enable", "Disable", "Describe")}


def test_the_stream_is_encrypted_and_on_demand_or_of_so_many_shards(variants):
    for name, mode, shards, hours in (("single", "ON_DEMAND", None, 24), ("delimiter", "PROVISIONED", 2, 168)):
        stream = only(variants[name], "AWS::Kinesis::Stream")
        assert stream["StreamEncryption"]["EncryptionType"] == "KMS"
        assert stream["StreamModeDetails"] == {"StreamMode": mode}
        assert stream.get("ShardCount") == shards
        assert stream["RetentionPeriodHours"] == hours


@pytest.mark.parametrize("variant", LOGS)
def test_firehose_writes_by_the_hour_of_arrival_and_its_failures_outside_of_the_table(variants, variant):
    given = VARIANTS[variant]
    seconds, megabytes = int(given.get("buffer_seconds", 300)), int(given.get("buffer_mb", 64))
    found = deliveries(variants[variant])
    assert len(found) == (2 if VARIANTS[variant].get("stream") == "each" else 1)
    for to in found:
        assert to["Prefix"].startswith("data/")
        assert to["Prefix"].endswith("/" + HOUR)
        assert to["ErrorOutputPrefix"].startswith("errors/")
        assert "!{firehose:error-output-type}/" in to["ErrorOutputPrefix"]
        assert to["CloudWatchLoggingOptions"]["Enabled"] is True
        assert to["BufferingHints"] == {"IntervalInSeconds": seconds, "SizeInMBs": megabytes}


def test_objects_are_gzip_json_or_parquet_by_the_glue_tables_columns(variants):
    as_json, parquet = delivery(variants["single"]), delivery(variants["parquet"])
    assert (as_json["CompressionFormat"], as_json["FileExtension"]) == ("GZIP", ".json.gz")
    assert "DataFormatConversionConfiguration" not in as_json
    assert parquet["CompressionFormat"] == "UNCOMPRESSED"
    conversion = parquet["DataFormatConversionConfiguration"]
    assert conversion["Enabled"] is True
    assert conversion["OutputFormatConfiguration"] == {"Serializer": {"ParquetSerDe": {"Compression": "GZIP"}}}
    assert conversion["SchemaConfiguration"]["DatabaseName"] == "workbench"
    assert "ReadSchema" in json.dumps(resources(variants["parquet"], "AWS::IAM::Policy"))


def test_records_go_through_the_function_in_its_mode_or_through_firehoses_own_delimiter(variants):
    for name, mode in (("single", "envelope"), ("newline", "newline"), ("flat", "flat")):
        kind, given = processor(variants[name])
        assert (kind, given["BufferSizeInMBs"]) == ("Lambda", "1")
        function = only(variants[name], "AWS::Lambda::Function")
        assert function["Environment"]["Variables"] == {"MODE": mode}
        assert written(given["LambdaArn"]).endswith(":$LATEST")
        assert function["Timeout"] <= 300
    assert processor(variants["delimiter"]) == ("AppendDelimiterToRecord", {"Delimiter": "\\n"})
    assert not resources(variants["delimiter"], "AWS::Lambda::Function")


@pytest.mark.parametrize("variant", ALL)
def test_every_bucket_is_versioned_encrypted_closed_tls_only_tidied_and_owns_its_objects(variants, variant):
    buckets = resources(variants[variant], "AWS::S3::Bucket")
    more = {"reports": 1, "replica_region": 2}  # its bucket; the replica, and its access logs
    alone = {"search-only-firehose": 2, "search-only-lambda": 0, "search-only-existing": 0}
    count = 3 + sum(number for name, number in more.items() if name in VARIANTS[variant])
    assert len(buckets) == alone.get(variant, count)
    for name, bucket in buckets.items():
        given = bucket["Properties"]
        (encryption,) = given["BucketEncryption"]["ServerSideEncryptionConfiguration"]
        kind = encryption["ServerSideEncryptionByDefault"]["SSEAlgorithm"]
        assert kind == ("AES256" if "AccessLogs" in name else "aws:kms")
        assert given["VersioningConfiguration"] == {"Status": "Enabled"}
        assert set(given["PublicAccessBlockConfiguration"].values()) == {True}
        assert given["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
        tidy = given["LifecycleConfiguration"]["Rules"][0]
        assert tidy["NoncurrentVersionExpiration"] == {"NoncurrentDays": 1 if "Results" in name else 30}
        assert tidy["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 1 if "Results" in name else 7}
        if "AccessLogs" in name or variant == "disposable":  # where logs would fill again what was emptied
            assert "LoggingConfiguration" not in given
        else:
            assert given["LoggingConfiguration"]["LogFilePrefix"] in ("lake/", "results/", "reports/", "replica/")
    for policy in resources(variants[variant], "AWS::S3::BucketPolicy").values():
        denied = [each["Condition"] for each in statements(policy) if each["Effect"] == "Deny"]
        assert {"Bool": {"aws:SecureTransport": "false"}} in denied


def test_the_log_moves_to_cheaper_storage_where_that_is_asked_for(variants):
    assert lake_rules(variants["parquet"])["archive"] == {
        "Id": "archive",
        "Prefix": "data/",
        "Status": "Enabled",
        "Transitions": [{"StorageClass": "STANDARD_IA", "TransitionInDays": 90}],
    }


def lake_rules(made: Any) -> dict[str, dict[str, Any]]:
    rules = only(made, "AWS::S3::Bucket", "Lake")["LifecycleConfiguration"]["Rules"]
    return {rule["Id"]: rule for rule in rules}


def test_only_what_is_tagged_as_compacted_moves_to_the_archive_and_nothing_is_deleted(variants):
    rules = lake_rules(variants["reports"])
    assert rules["archive-compacted"] == {
        "Id": "archive-compacted",
        "Prefix": "data/",
        "Status": "Enabled",
        "TagFilters": [{"Key": "workbench-archive", "Value": "compacted"}],
        "Transitions": [{"StorageClass": "GLACIER_IR", "TransitionInDays": 7}],
    }
    assert set(rules) == {"tidy", "checkpoints", "compacted", "archive-compacted"}
    assert set(lake_rules(variants["private"])) == {"tidy", "checkpoints", "compacted"}


@pytest.mark.parametrize("variant", LOGS)
@pytest.mark.parametrize("folder", ["checkpoints", "compacted"])
def test_what_is_made_of_the_log_never_expires_and_the_versions_of_what_was_removed_go_the_next_day(
    variants, variant, folder
):
    rules = lake_rules(variants[variant])
    assert rules[folder] == {
        "Id": folder,
        "Prefix": f"{folder}/",
        "Status": "Enabled",
        "ExpiredObjectDeleteMarker": True,
        "NoncurrentVersionExpiration": {"NoncurrentDays": 1},
    }
    assert "ExpirationInDays" not in rules["tidy"]


@pytest.mark.parametrize("variant", LOGS)
@pytest.mark.parametrize("output", ["Checkpoints", "Compacted"])
def test_checkpoints_and_compacted_days_are_in_the_lake_beside_the_log(variants, variant, output):
    (told,) = [
        template["Outputs"][output]
        for template in variants[variant].templates.values()
        if output in template.get("Outputs", {})
    ]
    assert re.fullmatch(rf"s3://\$\{{StorageLake\w+\}}/{output.lower()}/", written(told["Value"]))
    for name, table in resources(variants[variant], "AWS::Glue::Table").items():
        if "/Iceberg" not in name and "/Schema" not in name:  # the columns of all logs, without objects
            assert "/data/" in written(table["Properties"]["TableInput"]["StorageDescriptor"]["Location"])


@pytest.mark.parametrize("variant", LOGS)
def test_an_analyst_reads_the_log_its_errors_and_its_checkpoints_and_lists_nothing_else_of_the_lake(variants, variant):
    (policy,) = [
        each["Properties"]["PolicyDocument"]
        for name, each in resources(variants[variant], "AWS::IAM::ManagedPolicy").items()
        if "Analyst" in name
    ]
    may = {each["Sid"]: each for each in policy["Statement"]}
    assert {written(each).partition("}")[2] for each in may["ReadLog"]["Resource"]} == {
        "/data/*",
        "/errors/*",
        "/checkpoints/*",
        "/compacted/*",
    }
    folders = ["data", "errors", "checkpoints", "compacted"]
    assert may["ListLog"]["Condition"] == {
        "StringLike": {"s3:prefix": [*folders, *(f"{folder}/*" for folder in folders)]}
    }
    listing = {sid for sid, each in may.items() if "s3:ListBucket" in each["Action"]}
    assert listing == {"ListLog", "ListResults"}
    assert "StorageLake" not in json.dumps(may["ListResults"])
    assert {
        action
        for each in policy["Statement"]
        for action in listed(each["Action"])
        if re.search("checkpoints|compacted", json.dumps(each["Resource"]))
    } == {"s3:GetObject"}


@pytest.mark.parametrize("variant", LOGS)
def test_who_maintains_the_log_writes_what_is_made_of_it_and_may_tag_its_objects_where_there_is_an_archive(
    variants, variant
):
    (policy,) = [
        each["Properties"]
        for name, each in resources(variants[variant], "AWS::IAM::ManagedPolicy").items()
        if "Maintainer" in name
    ]
    may = {each["Sid"]: each for each in policy["PolicyDocument"]["Statement"]}
    assert set(policy) & {"Roles", "Users", "Groups"} == set()  # it is attached to nobody
    assert {written(each).partition("}")[2] for each in may["WriteMade"]["Resource"]} == {
        "/checkpoints/*",
        "/compacted/*",
    }
    assert ("TagCompacted" in may) == (VARIANTS[variant].get("archive", "none") != "none")
    if "TagCompacted" in may:
        tag = may["TagCompacted"]
        assert tag["Action"] == "s3:PutObjectTagging"
        assert written(tag["Resource"]).endswith("}/data/items/*")
        assert set(tag["Condition"]) == {"StringEquals"}
        ((key, value),) = {
            (each["Key"], each["Value"]) for each in lake_rules(variants[variant])["archive-compacted"]["TagFilters"]
        }
        assert tag["Condition"]["StringEquals"] == {f"s3:RequestObjectTag/{key}": value}


@pytest.mark.parametrize(
    ("variant", "layout", "stored"),
    [
        ("single", "envelope", "json"),
        ("parquet", "envelope", "parquet"),
        ("newline", "raw", "json"),
        ("delimiter", "raw", "json"),
        ("cross-account", "envelope", "json"),
    ],
)
def test_the_table_is_the_one_that_workbench_table_create_makes(variants, variant, layout, stored):
    made = only(variants[variant], "AWS::Glue::Table")["TableInput"]
    location = written(made["StorageDescriptor"]["Location"])
    assert re.fullmatch(r"s3://\$\{StorageLake\w+\}/data/items/", location)
    expected = table_input("items", location, layout=layout, stored=stored, first_year=2025)
    assert (
        json.loads(json.dumps(made), object_hook=lambda each: written(each) if "Fn::Join" in each else each) == expected
    )
    folders = delivery(variants[variant])["Prefix"].removeprefix("data/items/").rstrip("/")
    parts = re.split(r"!\{timestamp:(\w+)\}", folders)  # texts, and letters between them
    form = "".join(each if number % 2 else each and f"'{each}'" for number, each in enumerate(parts))
    assert expected["Parameters"]["projection.arrival.format"] == form
    assert expected["Parameters"]["storage.location.template"] == location + "${arrival}/"
    assert expected["Parameters"]["projection.arrival.range"] == "year=2025/month=01/day=01/hour=00,NOW"


def test_a_query_looks_into_the_folders_from_the_day_that_is_given_on(tmp_path):
    database = glue.CfnDatabase(cdk.Stack(), "Database", catalog_id="1", database_input={})
    made = explicit_table(database.stack, database, Config(first_day="2026-11-26"), "bucket")
    (described,) = assertions.Template.from_stack(made.stack).find_resources("AWS::Glue::Table").values()
    parameters = described["Properties"]["TableInput"]["Parameters"]
    assert parameters["projection.arrival.range"] == "year=2026/month=11/day=26/hour=00,NOW"
    assert count_projected(["arrival"], parameters, datetime(2026, 12, 3, 23, 59)) == 8 * 24


def test_firehose_and_the_lake_of_two_accounts_have_one_table(variants):
    tables = resources(variants["cross-account-parquet"], "AWS::Glue::Table").values()
    columns = [table["Properties"]["TableInput"]["StorageDescriptor"]["Columns"] for table in tables]
    assert len(columns) == 2
    assert columns[0] == columns[1]


def test_a_crawler_looks_at_the_data_alone_and_its_partitions_take_the_tables_schema(variants):
    for name, schedule, prefix, tables in (
        ("crawler", {"ScheduleExpression": "cron(15 3 * * ? *)"}, None, 0),
        ("flat", None, None, 0),
        ("both-catalogs", None, "crawled_", 1),
    ):
        crawler = only(variants[name], "AWS::Glue::Crawler")
        (target,) = crawler["Targets"]["S3Targets"]
        assert written(target["Path"]).endswith("}/data/")
        told = json.loads(crawler["Configuration"])
        assert told["CrawlerOutput"]["Partitions"] == {"AddOrUpdateBehavior": "InheritFromTable"}
        assert told["Grouping"]["TableLevelConfiguration"] == 3  # bucket, data, table
        assert (crawler.get("Schedule"), crawler.get("TablePrefix")) == (schedule, prefix)
        assert len(resources(variants[name], "AWS::Glue::Table")) == tables
        assert crawler["CrawlerSecurityConfiguration"] == "workbench-crawler"


@pytest.mark.parametrize("variant", LOGS)
def test_the_workgroup_enforces_its_limits_and_results_are_encrypted_and_expire(variants, variant):
    group = only(variants[variant], "AWS::Athena::WorkGroup")["WorkGroupConfiguration"]
    assert group["EnforceWorkGroupConfiguration"] is True
    assert group["EngineVersion"] == {"SelectedEngineVersion": "Athena engine version 3"}
    assert group["BytesScannedCutoffPerQuery"] == 100 * 10**9
    assert group["ResultConfiguration"]["EncryptionConfiguration"]["EncryptionOption"] == "SSE_KMS"
    rules = only(variants[variant], "AWS::S3::Bucket", "Results")["LifecycleConfiguration"]["Rules"]
    assert rules[0]["ExpirationInDays"] == 7


@pytest.mark.parametrize("variant", [name for name in LOGS if VARIANTS[name].get("transform") != "flat"])
def test_every_question_is_a_named_query_that_athena_can_parse(variants, variant):
    queries = [each["Properties"] for each in resources(variants[variant], "AWS::Athena::NamedQuery").values()]
    more = {
        "generator": "names of persons",
        "generator-heartrate": "heart rates over 120",
        "generator-orders": "status of orders",
        "private": "names of persons",
        "governed": "flattened view",
    }
    assert {each["Name"].partition(": ")[2] for each in queries} == {
        *questions(),
        *([more[variant]] if variant in more else []),
    }
    for query in queries:
        sql = query["QueryString"]
        assert len(sql.encode()) < 262_144
        parsed = sqlglot.parse_one(sql, dialect="athena")
        tables = {
            (table.db, table.name)
            for table in parsed.find_all(sqlglot.exp.Table)
            if table.db and not isinstance(table.parent, sqlglot.exp.Create)
        }
        assert len(tables) == 1
        assert tables.pop()[0] == query["Database"]
        assert "{" not in re.sub(r"'(?:[^']|'')*'|--.*", "", sql)
        assert query["Description"].endswith("?")
        name = query["Name"].partition(": ")[2]
        lately = is_windowed(name) if name in questions() else name == "heart rates over 120"
        assert ("interval '7' day" in sql, "/* all of the log" in sql) == (lately, not lately)


def test_the_other_account_may_write_this_log_by_firehoses_role_alone(variants):
    made = variants["cross-account"]
    role = only(made, "AWS::IAM::Role", "Delivery")["RoleName"]
    stacks = {stack: list(statements(template["Resources"])) for stack, template in made.templates.items()}
    foreign = [each for each in stacks["WorkbenchConsumer"] if "123456789012" in json.dumps(each.get("Principal", {}))]
    assert {each["Sid"] for each in foreign} == {"ProducerWrites", "ProducerLooks", "ProducerEncrypts"}
    for each in foreign:
        condition = written(each["Condition"]["ArnEquals"]["aws:PrincipalArn"])
        assert condition == f"arn:${{AWS::Partition}}:iam::123456789012:role/{role}"
    bucket = only(made, "AWS::S3::Bucket", "Lake")["BucketName"]
    assert written(delivery(made)["BucketARN"]) == f"arn:${{AWS::Partition}}:s3:::{bucket}"
    assert "EncryptionConfiguration" not in delivery(made)  # the bucket's own default
    (key,) = [each for each in stacks["WorkbenchProducer"] if each.get("Sid") == "KeyOfBucket"]
    alias = only(made, "AWS::KMS::Alias", "WorkbenchConsumer")["AliasName"]
    assert key["Condition"]["ForAnyValue:StringEquals"] == {"kms:ResourceAliases": alias}


def test_neither_of_two_accounts_refers_to_what_the_other_must_have_made(variants):
    for template in variants["cross-account-parquet"].templates.values():
        assert "Fn::ImportValue" not in json.dumps(template)
        assert set(template.get("Parameters", {})) <= {"BootstrapVersion"}


@pytest.mark.parametrize("variant", ALL)
def test_destroy_leaves_what_holds_data_unless_told_otherwise(variants, variant):
    kinds = ("AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key")
    policies = {each["DeletionPolicy"] for kind in kinds for each in resources(variants[variant], kind).values()}
    assert policies == {"Delete" if variant == "disposable" else "Retain"}
    emptied = resources(variants[variant], "Custom::S3AutoDeleteObjects")
    assert len(emptied) == (3 if variant == "disposable" else 0)


@pytest.mark.parametrize("variant", ALL)
def test_who_asks_reads_partitions_that_are_registered_and_the_console_shows_what_there_is(variants, variant):
    found = resources(variants[variant], "AWS::IAM::ManagedPolicy")
    for like, needed in (
        ("AthenaAnalyst", {"glue:BatchGetPartition"}),
        (
            "AthenaConsole",
            {
                "athena:GetDataCatalog",
                "athena:GetTableMetadata",
                "athena:ListDataCatalogs",
                "athena:ListDatabases",
                "athena:ListTableMetadata",
                "athena:ListWorkGroups",
            },
        ),
    ):
        policies = [each["Properties"] for name, each in found.items() if like in name]
        assert len(policies) == (0 if VARIANTS[variant].get("search_only") else 1)
        for policy in policies:
            assert needed <= {action for each in statements(policy) for action in each["Action"]}
    for crawler in resources(variants[variant], "AWS::IAM::Policy").items():
        if "CrawlerRole" in crawler[0]:
            assert any(each["Action"] == "glue:GetSecurityConfiguration" for each in statements(crawler[1]))


@pytest.mark.parametrize("variant", ALL)
def test_firehose_is_made_after_its_rights(variants, variant):
    for stream in resources(variants[variant], "AWS::KinesisFirehose::DeliveryStream").values():
        assert any("RoleDefaultPolicy" in name for name in stream["DependsOn"])


@pytest.mark.parametrize("variant", ALL)
def test_no_change_is_sent_before_everything_that_reads_at_the_latest_is_there(variants, variant):
    for template in variants[variant].templates.values():
        of: dict[str, list[str]] = {}
        for name, each in template["Resources"].items():
            of.setdefault(each["Type"], []).append(name)
        begins = of.get("Custom::KinesisStreamingDestination", []) or of.get("AWS::DynamoDB::Table", [])
        for name in begins:
            after = template["Resources"][name].get("DependsOn", [])
            assert set(of.get("AWS::KinesisFirehose::DeliveryStream", [])) <= set(after)
    with_stream = resources(variants[variant], "AWS::Kinesis::Stream")
    assert bool(with_stream) is bool(resources(variants[variant], "AWS::KinesisFirehose::DeliveryStream"))


@pytest.mark.parametrize("variant", ALL)
def test_logs_are_encrypted_and_end(variants, variant):
    groups = resources(variants[variant], "AWS::Logs::LogGroup").values()
    assert all(each["Properties"]["KmsKeyId"] and each["Properties"]["RetentionInDays"] == 30 for each in groups)


def test_the_generator_may_read_and_write_its_table_alone(variants):
    function = only(variants["generator"], "AWS::Lambda::Function", "Generator")
    assert function["Environment"]["Variables"]["DATASET"] == "persons"
    assert function["Handler"].rpartition(".")[0].replace(".", "/") + ".py" in GENERATOR
    items = {
        right.action: right.resource for right in rights(variants["generator"]) if right.action.startswith("dynamodb:")
    }
    assert set(items) == {"dynamodb:BatchGetItem", "dynamodb:BatchWriteItem"}
    assert all(re.fullmatch(r"\$\{SourceTable\w+\.Arn\}", each) for each in items.values())
