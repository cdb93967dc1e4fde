"""The pipeline deployed to a local CloudFormation emulator that enforces IAM: what its roles need they may, no more.

ministack runs in an environment of its own, which uv makes, for it needs other versions than the workbench.
"""

from __future__ import annotations

import io
import json
import os
import signal
import socket
import subprocess
import sys
import time
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config as Tries
from botocore.exceptions import BotoCoreError, ClientError

from infra_cdk.synth import Synthesised, synthesise
from infra_cdk.variants import VARIANTS
from workbench.model.item_writes import writes_of

MINISTACK = "ministack==1.5.33"
# Types it does not have, and calls of the CDK's own function, whose Node.js it does not run; alarms it has, but not of
# metric math. Everything else is deployed as it is.
UNSUPPORTED = {
    "AWS::Athena::NamedQuery",
    "AWS::EC2::FlowLog",
    "AWS::ECS::ClusterCapacityProviderAssociations",
    "Custom::PolicyIsKnown",
    "Custom::Trigger",
}
REGION = "eu-central-1"
Client = Callable[..., Any]


@pytest.fixture(scope="module")
def aws(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """Make clients of an emulator that enforces policies, over TLS, without which the buckets refuse everything."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    home = tmp_path_factory.mktemp("ministack")
    with (home / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "uv", "tool", "run", "--from", MINISTACK, "ministack"],
            cwd=home,
            stdout=log,
            stderr=log,
            start_new_session=True,
            env=os.environ | {"GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "AUTH": "true", "USE_SSL": "1"},
        )

    def client(service: str, **key: str) -> Any:
        who = key or {"aws_access_key_id": "test", "aws_secret_access_key": "test"}  # root
        with warnings.catch_warnings(action="ignore"):
            return boto3.client(
                service,
                endpoint_url=f"https://127.0.0.1:{port}",
                region_name=REGION,
                verify=False,
                config=Tries(retries={"total_max_attempts": 1}),
                **who,
            )

    try:
        for _ in range(120):
            with suppress(BotoCoreError, ClientError):
                client("sts").get_caller_identity()
                break
            if server.poll() is not None:
                pytest.skip(f"{MINISTACK} does not start: {(home / 'log').read_text()[-300:]}")
            time.sleep(0.5)
        yield client
    finally:
        with suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)  # asked kindly, it waits for its clients' connections to end
        server.wait()


@pytest.fixture(scope="module")
def stack(aws: Client, variants: Mapping[str, Synthesised]) -> dict[str, str]:
    """The deployed `single` variant: its outputs, and the physical names of its resources by logical ones."""
    return deploy(aws, variants["single"])


def deploy(aws: Client, made: Synthesised) -> dict[str, str]:
    ((name, template),) = made.templates.items()
    template = json.loads(json.dumps(template)) | {"Rules": {}, "Parameters": {}}
    template["Resources"] = {key: each for key, each in template["Resources"].items() if supported(each)}
    for each in template["Resources"].values():
        each["DependsOn"] = [other for other in each.get("DependsOn", []) if other in template["Resources"]]
    bucket = f"cdk-hnb659fds-assets-{account(aws)}-{REGION}"
    with suppress(ClientError):
        aws("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    for asset in made.folder.glob("asset.*"):
        if (asset / "Dockerfile").exists():  # an image, which nobody is to run here
            continue
        aws("s3").put_object(Bucket=bucket, Key=f"{asset.name.removeprefix('asset.')}.zip", Body=zipped(asset))
    aws("s3").put_object(Bucket=bucket, Key=f"{name}.json", Body=json.dumps(template).encode())
    cloudformation = aws("cloudformation")
    cloudformation.create_stack(
        StackName=name,
        Capabilities=["CAPABILITY_NAMED_IAM"],
        TemplateURL=f"https://s3.{REGION}.amazonaws.com/{bucket}/{name}.json",
    )
    for _ in range(120):
        told = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        if not told["StackStatus"].endswith("IN_PROGRESS"):
            break
        time.sleep(0.25)
    assert told["StackStatus"] == "CREATE_COMPLETE", cloudformation.describe_stack_events(StackName=name)
    listed = cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]
    return {each["LogicalResourceId"]: each["PhysicalResourceId"] for each in listed} | {
        each["OutputKey"]: each["OutputValue"] for each in told["Outputs"]
    }


def supported(resource: Mapping[str, Any]) -> bool:
    return resource["Type"] not in UNSUPPORTED and "Metrics" not in resource.get("Properties", {})


def zipped(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for path in folder.rglob("*"):
            archive.write(path, path.relative_to(folder))
    return buffer.getvalue()


def physical(stack: Mapping[str, str], like: str) -> str:
    (found,) = {
        value
        for name, value in stack.items()
        if name.startswith(like) and name[len(like) :].isalnum() and len(name) == len(like) + 8
    }
    return found


def allowed(*calls: Callable[[], Any]) -> list[bool]:
    """Whether each call is allowed; another error than that is one of the test."""
    answers = []
    with warnings.catch_warnings(action="ignore"):
        for call in calls:
            try:
                call()
                answers.append(True)
            except ClientError as error:
                if error.response["Error"]["Code"] not in ("AccessDenied", "AccessDeniedException"):
                    raise
                answers.append(False)
    return answers


def user(aws: Client, name: str, *policies: Mapping[str, Any], arns: tuple[str, ...] = ()) -> dict[str, str]:
    """Make a user with a role's policies: the emulator has no services that could assume the role."""
    iam = aws("iam")
    iam.create_user(UserName=name)
    for number, policy in enumerate(policies):
        iam.put_user_policy(UserName=name, PolicyName=str(number), PolicyDocument=json.dumps(policy))
    for arn in arns:
        iam.attach_user_policy(UserName=name, PolicyArn=arn)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    return {"aws_access_key_id": key["AccessKeyId"], "aws_secret_access_key": key["SecretAccessKey"]}


def may(aws: Client, name: str, resource: str, *actions: str) -> set[str]:
    """Return which actions a user's policies allow on a resource, for requests whose resource the emulator mistakes."""
    answer = aws("iam").simulate_principal_policy(
        PolicySourceArn=f"arn:aws:iam::{account(aws)}:user/{name}", ActionNames=actions, ResourceArns=[resource]
    )
    return {each["EvalActionName"] for each in answer["EvaluationResults"] if each["EvalDecision"] == "allowed"}


def may_write(aws: Client, name: str, table: str) -> set[str]:
    """Return what a user may do to a table of the catalog: the emulator looks at the database alone."""
    actions = (
        "CreateTable",
        "UpdateTable",
        "DeleteTable",
        "BatchDeleteTable",
        "CreatePartition",
        "UpdatePartition",
        "BatchCreatePartition",
        "DeletePartition",
        "BatchDeletePartition",
    )
    table = f"arn:aws:glue:{REGION}:{account(aws)}:table/{table}"
    return {each.removeprefix("glue:") for each in may(aws, name, table, *(f"glue:{each}" for each in actions))}


def account(aws: Client) -> str:
    return aws("sts").get_caller_identity()["Account"]


def policies_of(aws: Client, role: str) -> list[dict[str, Any]]:
    iam = aws("iam")
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    return [iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"] for name in names]


pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Unverified HTTPS request")]


def test_every_type_but_those_the_emulator_lacks_is_deployed(aws, stack, variants):
    template = variants["single"].templates["Workbench"]["Resources"]
    assert {name for name, each in template.items() if supported(each)} <= set(stack)
    assert {each["Type"] for each in template.values() if not supported(each)} == {
        "AWS::Athena::NamedQuery",
        "AWS::CloudWatch::Alarm",
    }
    assert stack["Database"] == "workbench"
    described = aws("dynamodb").describe_table(TableName=stack["TableName"])["Table"]
    assert described["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"


def test_a_second_copy_is_deployed_beside_the_first(aws, stack, tmp_path):
    second = deploy(aws, synthesise({"name": "Second"}, tmp_path))
    assert {second[name] for name in ("LakeBucket", "TableName", "Database", "WorkGroup")}.isdisjoint(stack.values())


def test_firehose_may_read_its_stream_call_its_function_and_write_its_two_folders_and_nothing_else(aws, stack):
    me = user(aws, "firehose", *policies_of(aws, physical(stack, "DeliveryRole")))
    s3, kinesis, function = (aws(service, **me) for service in ("s3", "kinesis", "lambda"))
    lake, results, stream = stack["LakeBucket"], physical(stack, "StorageResults"), stack["StreamName"]
    name = physical(stack, "Transform")
    assert (
        allowed(
            lambda: s3.put_object(Bucket=lake, Key="data/items/year=2026/x.json.gz", Body=b"x"),
            lambda: s3.put_object(Bucket=lake, Key="errors/items/processing-failed/x", Body=b"x"),
            lambda: s3.list_objects_v2(Bucket=lake),
            lambda: kinesis.describe_stream(StreamName=stream),
            lambda: kinesis.list_shards(StreamName=stream),
            lambda: kinesis.get_shard_iterator(
                StreamName=stream, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
            ),
            lambda: function.get_function_configuration(FunctionName=name, Qualifier="$LATEST"),
            lambda: function.invoke(FunctionName=name, Qualifier="$LATEST", Payload=b'{"records": []}'),
        )
        == [True] * 8
    )
    assert (
        allowed(
            lambda: s3.put_object(Bucket=lake, Key="data/others/x", Body=b"x"),
            lambda: s3.put_object(Bucket=lake, Key="x", Body=b"x"),
            lambda: s3.put_object(Bucket=results, Key="results/x", Body=b"x"),
            lambda: s3.delete_object(Bucket=lake, Key="data/items/year=2026/x.json.gz"),
            lambda: s3.put_bucket_policy(Bucket=lake, Policy="{}"),
            lambda: kinesis.put_record(StreamName=stream, Data=b"x", PartitionKey="x"),
            lambda: function.get_function(FunctionName=name),
            lambda: aws("dynamodb", **me).scan(TableName=stack["TableName"]),
            lambda: aws("glue", **me).get_table(DatabaseName=stack["Database"], Name="items"),
        )
        == [False] * 9
    )


def test_an_analyst_may_ask_and_read_and_nothing_else(aws, stack):
    me = user(aws, "analyst", arns=(stack["AnalystPolicy"],))
    s3, glue, athena = (aws(service, **me) for service in ("s3", "glue", "athena"))
    lake, results, group = stack["LakeBucket"], physical(stack, "StorageResults"), stack["WorkGroup"]
    kept = "checkpoints/items/checkpoint=1/_checkpoint.parquet"
    for key in ("data/items/there", kept):
        aws("s3").put_object(Bucket=lake, Key=key, Body=b"x")
    assert (
        allowed(
            lambda: s3.get_object(Bucket=lake, Key="data/items/there"),
            lambda: s3.list_objects_v2(Bucket=lake, Prefix="data/items/"),
            lambda: s3.get_object(Bucket=lake, Key=kept),
            lambda: s3.list_objects_v2(Bucket=lake, Prefix="checkpoints/items/"),
            lambda: s3.put_object(Bucket=results, Key="results/x", Body=b"x"),
            lambda: s3.delete_object(Bucket=results, Key="results/x"),
            lambda: glue.get_table(DatabaseName=stack["Database"], Name="items"),
            lambda: glue.get_tables(DatabaseName=stack["Database"]),
            lambda: athena.get_work_group(WorkGroup=group),
            lambda: athena.start_query_execution(QueryString="select 1", WorkGroup=group),
        )
        == [True] * 10
    )
    assert (
        allowed(
            lambda: s3.list_objects_v2(Bucket=lake),
            lambda: s3.list_objects_v2(Bucket=lake, Prefix="exports/"),
            lambda: s3.put_object(Bucket=lake, Key="checkpoints/items/checkpoint=2/x.parquet", Body=b"x"),
            lambda: s3.delete_object(Bucket=lake, Key=kept),
            lambda: s3.put_object(Bucket=lake, Key="data/items/x", Body=b"x"),
            lambda: s3.delete_object(Bucket=lake, Key="data/items/there"),
            lambda: s3.get_object(Bucket=results, Key="elsewhere"),
            lambda: athena.start_query_execution(QueryString="select 1", WorkGroup="primary"),
            lambda: athena.update_work_group(WorkGroup=group, Description="x"),
            lambda: glue.update_table(DatabaseName=stack["Database"], TableInput={"Name": "items"}),
            lambda: aws("dynamodb", **me).scan(TableName=stack["TableName"]),
            lambda: aws("kinesis", **me).describe_stream(StreamName=stack["StreamName"]),
            lambda: aws("lambda", **me).invoke(FunctionName=physical(stack, "Transform")),
            lambda: aws("iam", **me).list_roles(),
        )
        == [False] * 14
    )
    assert may_write(aws, "analyst", f"{stack['Database']}/items_checkpoints") == set()
    assert may_write(aws, "analyst", f"{stack['Database']}/workbench_baseline_1") == {"CreateTable", "DeleteTable"}


def test_the_transform_function_may_not_touch_the_data_it_is_sent(aws, stack):
    # nor its own log, here: the emulator names a log group without the :* that AWS has at the end of it
    me = user(aws, "transform", *policies_of(aws, physical(stack, "TransformRole")))
    logs, own = aws("logs", **me), physical(stack, "TransformLog")
    assert (
        allowed(
            lambda: logs.delete_log_group(logGroupName=own),
            lambda: logs.create_log_stream(logGroupName=physical(stack, "DeliveryLog"), logStreamName="a"),
            lambda: aws("s3", **me).list_objects_v2(Bucket=stack["LakeBucket"]),
            lambda: aws("kinesis", **me).describe_stream(StreamName=stack["StreamName"]),
            lambda: aws("dynamodb", **me).scan(TableName=stack["TableName"]),
        )
        == [False] * 5
    )


@pytest.fixture(scope="module")
def reporting(aws: Client, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The deployed `reports` variant, with the policy of who applies undos."""
    context = VARIANTS["reports"] | {"name": "Reporting", "undo": "true"}
    return deploy(aws, synthesise(context, tmp_path_factory.mktemp("reports")))


def test_a_report_may_ask_the_log_and_put_what_it_made_and_nothing_else(aws, reporting):
    me = user(aws, "reports", *policies_of(aws, physical(reporting, "ReportsTaskRole")))
    s3, glue, athena = (aws(service, **me) for service in ("s3", "glue", "athena"))
    lake, results, reports = reporting["LakeBucket"], physical(reporting, "StorageResults"), reporting["ReportsBucket"]
    group, database = reporting["WorkGroup"], reporting["Database"]
    aws("s3").put_object(Bucket=lake, Key="data/items/there", Body=b"x")
    aws("s3").put_object(Bucket=reports, Key="reports/other/there", Body=b"x", IfNoneMatch="*")
    assert (
        allowed(
            lambda: athena.get_work_group(WorkGroup=group),
            lambda: athena.start_query_execution(QueryString="select 1", WorkGroup=group),
            lambda: glue.get_table(DatabaseName=database, Name="items"),
            lambda: glue.get_tables(DatabaseName=database),
            lambda: s3.get_object(Bucket=lake, Key="data/items/there"),
            lambda: s3.list_objects_v2(Bucket=lake, Prefix="data/items/"),
            lambda: s3.put_object(Bucket=results, Key="results/x", Body=b"x"),
            lambda: s3.get_object(Bucket=results, Key="results/x"),
            lambda: s3.delete_object(Bucket=results, Key="results/x"),
            lambda: s3.put_object(Bucket=reports, Key="reports/daily/now/run.json", Body=b"x", IfNoneMatch="*"),
            lambda: s3.get_object(Bucket=reports, Key="reports/daily/now/run.json"),
            lambda: s3.list_objects_v2(Bucket=reports, Prefix="reports/"),
            lambda: s3.put_object(Bucket=reports, Key="reports/index.html", Body=b"x", IfNoneMatch="*"),
            lambda: s3.put_object(
                Bucket=reports,
                Key="reports/index.html",
                Body=b"y",
                IfMatch=s3.head_object(Bucket=reports, Key="reports/index.html")["ETag"],
            ),
        )
        == [True] * 14
    )
    assert (
        allowed(
            lambda: s3.get_object(Bucket=reports, Key="reports/other/there"),
            lambda: s3.delete_object(Bucket=reports, Key="reports/other/there"),
            lambda: s3.put_object(Bucket=reports, Key="reports/elsewhere", Body=b"x", IfNoneMatch="*"),
            lambda: s3.put_object(Bucket=lake, Key="data/items/x", Body=b"x"),
            lambda: s3.delete_object(Bucket=lake, Key="data/items/there"),
            lambda: athena.start_query_execution(QueryString="select 1", WorkGroup="primary"),
            lambda: glue.delete_table(DatabaseName=database, Name="items"),
            lambda: aws("dynamodb", **me).scan(TableName=reporting["TableName"]),
            lambda: aws("kinesis", **me).describe_stream(StreamName=reporting["StreamName"]),
            lambda: aws("sqs", **me).list_queues(),
        )
        == [False] * 10
    )


def test_a_task_may_keep_checkpoints_of_the_log_and_remove_old_ones_and_change_nothing_else(aws, reporting):
    me = user(aws, "keeper", *policies_of(aws, physical(reporting, "ReportsTaskRole")))
    s3, glue = aws("s3", **me), aws("glue", **me)
    lake, database = reporting["LakeBucket"], reporting["Database"]
    place, log = "checkpoints/items/checkpoint=1/", "data/items/year=2026/there"
    aws("s3").put_object(Bucket=lake, Key=log, Body=b"x")
    described = {
        "Name": "items_checkpoints",
        "PartitionKeys": [{"Name": "checkpoint", "Type": "string"}],
        "StorageDescriptor": {
            "Columns": [{"Name": "keys", "Type": "string"}],
            "Location": f"s3://{lake}/checkpoints/items/",
        },
    }
    partition = {"Values": ["1"], "StorageDescriptor": {"Location": f"s3://{lake}/{place}"}}
    names = {"DatabaseName": database, "TableName": "items_checkpoints"}

    def upload(key: str) -> None:
        """Write an object in parts, as Athena's UNLOAD does."""
        number = s3.create_multipart_upload(Bucket=lake, Key=key)["UploadId"]
        part = s3.upload_part(Bucket=lake, Key=key, UploadId=number, PartNumber=1, Body=b"x")
        s3.list_parts(Bucket=lake, Key=key, UploadId=number)
        s3.complete_multipart_upload(
            Bucket=lake, Key=key, UploadId=number, MultipartUpload={"Parts": [{"PartNumber": 1, "ETag": part["ETag"]}]}
        )

    def give_up(key: str) -> None:
        number = s3.create_multipart_upload(Bucket=lake, Key=key)["UploadId"]
        s3.abort_multipart_upload(Bucket=lake, Key=key, UploadId=number)

    assert (
        allowed(
            lambda: upload(f"{place}part.parquet"),
            lambda: give_up(f"{place}other.parquet"),
            lambda: s3.put_object(Bucket=lake, Key=f"{place}_checkpoint.parquet", Body=b"x"),
            lambda: s3.list_objects_v2(Bucket=lake, Prefix="checkpoints/items/"),
            lambda: s3.get_object(Bucket=lake, Key=f"{place}_checkpoint.parquet"),
            lambda: glue.create_table(DatabaseName=database, TableInput=described),
            lambda: glue.create_partition(**names, PartitionInput=partition),
            lambda: glue.get_partitions(**names),
            lambda: glue.delete_partition(**names, PartitionValues=["1"]),
            lambda: s3.delete_object(Bucket=lake, Key=f"{place}part.parquet"),
            lambda: s3.delete_objects(Bucket=lake, Delete={"Objects": [{"Key": f"{place}_checkpoint.parquet"}]}),
        )
        == [True] * 11
    )
    assert not aws("s3").list_objects_v2(Bucket=lake, Prefix=place).get("Contents")
    version = aws("s3").list_object_versions(Bucket=lake, Prefix=place)["Versions"][0]
    assert (
        allowed(
            lambda: upload("data/items/year=2026/part.parquet"),
            lambda: s3.put_object(Bucket=lake, Key=log, Body=b"y"),
            lambda: s3.delete_object(Bucket=lake, Key=log),
            lambda: s3.put_object(Bucket=lake, Key="errors/items/x", Body=b"x"),
            lambda: s3.put_object(Bucket=lake, Key="exports/x", Body=b"x"),
            lambda: s3.put_object(Bucket=lake, Key="x", Body=b"x"),
            lambda: s3.delete_object(Bucket=lake, Key=version["Key"], VersionId=version["VersionId"]),
            lambda: s3.list_objects_v2(Bucket=lake),
            lambda: s3.list_objects_v2(Bucket=lake, Prefix="exports/"),
            lambda: glue.update_table(DatabaseName=database, TableInput=described),
            lambda: glue.update_table(DatabaseName=database, TableInput=described | {"Name": "items"}),
            lambda: glue.delete_table(DatabaseName=database, Name="items_checkpoints"),
            lambda: glue.delete_database(Name=database),
        )
        == [False] * 13
    )
    assert may_write(aws, "keeper", f"{database}/items_checkpoints") == {
        "CreateTable",
        "CreatePartition",
        "DeletePartition",
    }
    for table in ("items", "others_checkpoints", "items_checkpoints_2", "workbench_baseline_1"):
        assert may_write(aws, "keeper", f"{database}/{table}") == set()
    assert aws("s3").get_object(Bucket=lake, Key=log)["Body"].read() == b"x"


@pytest.mark.parametrize("who", ["task", "maintainer"])
def test_who_compacts_keeps_days_reads_the_tags_of_the_log_and_replaces_no_object(aws, reporting, who):
    inline = policies_of(aws, physical(reporting, "ReportsTaskRole")) if who == "task" else []
    managed = () if who == "task" else (reporting["AnalystPolicy"], reporting["MaintenancePolicy"])
    me = user(aws, f"compacts-{who}", *inline, arns=managed)
    s3, glue = aws("s3", **me), aws("glue", **me)
    lake, database = reporting["LakeBucket"], reporting["Database"]
    day, log = "compacted/items/day=2026-01-01/made=1/", f"data/items/year=2026/of-{who}"
    for key in (log, "data/others/there"):
        aws("s3").put_object(Bucket=lake, Key=key, Body=b"x")
    stored = {"Columns": [{"Name": "keys", "Type": "string"}], "Location": f"s3://{lake}/{day}"}
    keys = [{"Name": name, "Type": "string"} for name in ("day", "made")]
    table = {"Name": "items_compacted", "PartitionKeys": keys, "StorageDescriptor": stored}
    names = {"DatabaseName": database, "TableName": "items_compacted"}

    def make_table() -> None:
        with suppress(glue.exceptions.AlreadyExistsException):
            glue.create_table(DatabaseName=database, TableInput=table)

    assert (
        allowed(
            lambda: s3.put_object(Bucket=lake, Key=f"{day}x.parquet", Body=b"x"),
            lambda: s3.get_object(Bucket=lake, Key=f"{day}x.parquet"),
            lambda: s3.list_objects_v2(Bucket=lake, Prefix="compacted/items/"),
            make_table,
            lambda: glue.create_partition(
                **names, PartitionInput={"Values": ["2026-01-01", who], "StorageDescriptor": stored}
            ),
            lambda: glue.delete_partition(**names, PartitionValues=["2026-01-01", who]),
            lambda: s3.delete_object(Bucket=lake, Key=f"{day}x.parquet"),
            lambda: s3.get_object_tagging(Bucket=lake, Key=log),
        )
        == [True] * 8
    )
    assert (
        allowed(
            lambda: s3.get_object_tagging(Bucket=lake, Key="data/others/there"),
            lambda: s3.put_object(Bucket=lake, Key=log, Body=b"y"),
            lambda: s3.delete_object(Bucket=lake, Key=log),
        )
        == [False] * 3
    )
    writes = may_write(aws, f"compacts-{who}", f"{database}/items_compacted")
    assert writes == {"CreateTable", "CreatePartition", "DeletePartition"}


def test_who_starts_reports_may_give_up_into_its_queue_and_read_nothing(aws, reporting):
    me = user(aws, "starter", *policies_of(aws, physical(reporting, "ReportsStartRole")))
    queue = physical(reporting, "ReportsDeadLetters")
    assert allowed(lambda: aws("sqs", **me).send_message(QueueUrl=queue, MessageBody="x")) == [True]
    assert (
        allowed(
            lambda: aws("sqs", **me).receive_message(QueueUrl=queue),
            lambda: aws("s3", **me).list_objects_v2(Bucket=reporting["ReportsBucket"]),
            lambda: aws("athena", **me).start_query_execution(QueryString="select 1", WorkGroup=reporting["WorkGroup"]),
            lambda: aws("ecs", **me).list_clusters(),
        )
        == [False] * 4
    )


def test_who_exports_may_store_below_exports_alone(aws, reporting):
    me = user(aws, "exporter", arns=(reporting["ExportPolicy"],))
    s3, lake = aws("s3", **me), reporting["LakeBucket"]
    assert (
        allowed(
            lambda: aws("dynamodb", **me).describe_table(TableName=reporting["TableName"]),
            lambda: s3.put_object(Bucket=lake, Key="exports/items/x", Body=b"x"),
        )
        == [True] * 2
    )
    assert (
        allowed(
            lambda: aws("dynamodb", **me).scan(TableName=reporting["TableName"]),
            lambda: s3.put_object(Bucket=lake, Key="data/items/x", Body=b"x"),
        )
        == [False] * 2
    )


def test_who_applies_undos_may_write_items_of_the_one_table_and_nothing_else(aws, reporting, stack):
    me = user(aws, "undoer", arns=(reporting["UndoPolicy"],))
    table, other, dynamodb = reporting["TableName"], stack["TableName"], aws("dynamodb", **me)
    key = {"pk": {"S": "p-1"}}
    now, after = {**key, "age": {"N": "41"}, "gone": {"S": ""}}, {**key, "age": {"N": "40"}}
    for before, wanted in ((None, now), (now, after), (after, None)):
        (write,) = writes_of(table, ["pk"], before, wanted)
        ask = getattr(dynamodb, f"{write.kind.lower()}_item")
        assert allowed(lambda ask=ask, write=write: ask(**write.element()[write.kind])) == [True]
        assert dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True).get("Item") == wanted
    assert (
        allowed(
            lambda: dynamodb.batch_get_item(RequestItems={table: {"Keys": [key]}}),
            lambda: dynamodb.describe_table(TableName=table),
        )
        == [True] * 2
    )
    assert (
        allowed(
            lambda: dynamodb.scan(TableName=table),
            lambda: dynamodb.batch_write_item(RequestItems={table: [{"DeleteRequest": {"Key": key}}]}),
            lambda: dynamodb.delete_table(TableName=table),
            lambda: dynamodb.put_item(TableName=other, Item=key),
            lambda: dynamodb.get_item(TableName=other, Key=key),
            lambda: aws("s3", **me).list_objects_v2(Bucket=reporting["LakeBucket"]),
            lambda: aws("athena", **me).start_query_execution(QueryString="select 1", WorkGroup=reporting["WorkGroup"]),
            lambda: aws("kms", **me).describe_key(KeyId=physical(reporting, "Key")),
        )
        == [False] * 8
    )


@pytest.fixture(params=["firehose", "lambda"])
def searching(request, aws: Client, tmp_path: Path) -> tuple[str, dict[str, str]]:
    """Search instead of a log, deployed either way: which, and its outputs and names."""
    context = {"search": request.param, "search_only": "true", "name": f"Search{request.param}"}
    return request.param, deploy(aws, synthesise(context, tmp_path))


def test_search_without_a_log_is_deployed_and_who_writes_it_reads_no_more_than_the_changes(aws, searching):
    way, stack = searching
    table = aws("dynamodb").describe_table(TableName=stack["TableName"])["Table"]
    assert [name for name in stack if name.startswith(("StorageLake", "SourceStream"))] == [] or way == "firehose"
    if way == "lambda":
        me = user(aws, "indexer", *policies_of(aws, physical(stack, "SearchFunctionRole")))
        queue, reading = (
            physical(stack, "SearchDeadLetters"),
            {f"dynamodb:{each}" for each in ("DescribeStream", "GetRecords", "GetShardIterator")},
        )
        assert may(aws, "indexer", table["LatestStreamArn"], *reading, "dynamodb:PutItem") == reading
        assert allowed(lambda: aws("sqs", **me).send_message(QueueUrl=queue, MessageBody="x")) == [True]
    else:
        me = user(aws, "indexing", *policies_of(aws, physical(stack, "SearchDeliveryRole")))
        s3, function, lake = aws("s3", **me), physical(stack, "SearchFunction"), stack["SearchBucket"]
        assert (
            allowed(
                lambda: s3.put_object(Bucket=lake, Key="search/items/2026/01/01/12/x.gz", Body=b"x"),
                lambda: aws("kinesis", **me).list_shards(StreamName=stack["StreamName"]),
                lambda: aws("lambda", **me).get_function_configuration(FunctionName=function, Qualifier="$LATEST"),
            )
            == [True] * 3
        )
        assert (
            allowed(
                lambda: s3.put_object(Bucket=lake, Key="search/others/x", Body=b"x"),
                lambda: s3.put_object(Bucket=lake, Key="data/items/x", Body=b"x"),
                lambda: s3.delete_object(Bucket=lake, Key="search/items/2026/01/01/12/x.gz"),
                lambda: aws("kinesis", **me).put_record(StreamName=stack["StreamName"], Data=b"x", PartitionKey="x"),
            )
            == [False] * 4
        )
    assert (
        allowed(
            lambda: aws("dynamodb", **me).scan(TableName=stack["TableName"]),
            lambda: aws("dynamodb", **me).put_item(TableName=stack["TableName"], Item={"pk": {"S": "x"}}),
            lambda: aws("s3", **me).list_buckets(),
        )
        == [False] * 3
    )
