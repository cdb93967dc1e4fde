"""Reports on a schedule: what is deployed, what the image is made of, and a run of it, on an Athena that answers."""

from __future__ import annotations

import copy
import fnmatch
import json
import os
import runpy
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient

pytest.importorskip("moto.server", reason="pip install -e '.[dev]'")

from infra_cdk.config import Config
from infra_cdk.stacks.reports import Scheduled, scheduled
from infra_cdk.stacks.storage import ARCHIVED
from tests.helpers.aws.server import AwsServer
from tests.helpers.logs import chain, micros
from tests.infra.conftest import only, resources
from tests.infra.test_rules import Right, rights, written
from workbench import exit_codes
from workbench.aws.table_definitions import table_input

REPORTS = ["private", "reports", "cross-account-reports", "governed"]
NOON = micros("2026-01-01T12:00:00")
# What an operation is called in policies, where not after itself: https://docs.aws.amazon.com/service-authorization/
CALLED = {
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:ListObjects": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
    "s3:HeadBucket": "s3:ListBucket",
    "s3:CreateMultipartUpload": "s3:PutObject",
    "s3:UploadPart": "s3:PutObject",
    "s3:CompleteMultipartUpload": "s3:PutObject",
    "s3:DeleteObjects": "s3:DeleteObject",
}


def schedules(made: Any) -> list[dict[str, Any]]:
    return [each["Properties"] for each in resources(made, "AWS::Scheduler::Schedule").values()]


def task_rights(made: Any, role: str) -> list[Right]:
    """What a role of the reports may do."""
    (policy,) = [{name: each} for name, each in resources(made, "AWS::IAM::Policy").items() if f"Reports{role}" in name]
    template = {"it": {"Resources": policy}}
    return list(rights(type(made)(made.folder, template, [])))


@pytest.mark.parametrize("variant", REPORTS)
def test_each_schedule_runs_the_workbench_in_its_time_zone_and_tries_again_before_it_gives_up(variants, variant):
    zone = "Europe/Berlin" if variant == "reports" else "UTC"
    found = schedules(variants[variant])
    commands = []
    for each in found:
        assert each["ScheduleExpressionTimezone"] == zone
        target = each["Target"]
        assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 7200, "MaximumRetryAttempts": 3}
        assert "DeadLetters" in json.dumps(target["DeadLetterConfig"])
        assert target["EcsParameters"]["LaunchType"] == "FARGATE"
        network = target["EcsParameters"]["NetworkConfiguration"]["AwsvpcConfiguration"]
        private = variant in ("private", "cross-account-reports")
        assert network["AssignPublicIp"] == ("DISABLED" if private else "ENABLED")
        (override,) = json.loads(target["Input"])["containerOverrides"]
        commands.append((each["ScheduleExpression"], override["command"]))
    log = "persons" if variant == "private" else "items"
    assert commands == [
        ("cron(0 4 * * ? *)", ["compact", "compact", log, *(["--archive"] if variant == "reports" else [])]),
        ("cron(0 5 * * ? *)", ["checkpoint", "checkpoint", log]),
        (
            "cron(0 6 * * ? *)",
            [
                "changes",
                "report",
                "run",
                "03_change_frequency",
                "-p",
                f"table={log}",
                "-p",
                "every=1d",
                "-p",
                "start=-7d",
            ],
        ),
        ("cron(30 6 ? * MON *)", ["quality", "quality", log, "--start=-8d"]),
    ]


def test_schedules_are_told_in_one_setting():
    config = Config(
        table="Orders", schedules="a: rate(1 hour) checkpoint {table}; b: cron(0 1 * * ? *) report x -p 'y=1 2'"
    )
    assert [(each.name, each.when, list(each.command)) for each in scheduled(config)] == [
        ("a", "rate(1 hour)", ["checkpoint", "orders"]),
        ("b", "cron(0 1 * * ? *)", ["report", "x", "-p", "y=1 2"]),
    ]


@pytest.mark.parametrize(
    ("archive", "more"), [("none", []), ("GLACIER_IR", ["--archive"]), ("DEEP_ARCHIVE", ["--archive"])]
)
def test_who_compacts_tags_for_the_archive_that_there_is_and_says_so_once(archive, more):
    told = "a: rate(1 day) compact {table}; b: rate(1 day) compact {table} --archive; c: rate(1 day) quality {table}"
    a, b, c = (each.command for each in scheduled(Config(table="Orders", archive=archive, schedules=told)))
    assert (a, b, c) == (["compact", "orders", *more], ["compact", "orders", "--archive"], ["quality", "orders"])


@pytest.mark.parametrize(
    ("when", "daily"),
    [
        ("cron(0 4 * * ? *)", True),
        ("cron(0 0/6 ? * * *)", True),
        ("cron(0 4 ? * MON *)", False),
        ("cron(0 4 1 * ? *)", False),
        ("rate(1 day)", True),
        ("rate(2 days)", False),
        ("rate(24 hours)", True),
        ("rate(36 hours)", False),
        ("rate(30 minutes)", True),
    ],
)
def test_which_schedules_run_every_day_is_told(when, daily):
    assert Scheduled("compact", when, ["compact", "orders"]).daily is daily


@pytest.mark.parametrize("variant", REPORTS)
def test_the_tasks_ask_athena_and_may_put_reports_and_replace_the_index_but_delete_none_of_them(variants, variant):
    made = variants[variant]
    (container,) = only(made, "AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    environment = {each["Name"]: each["Value"] for each in container["Environment"]}
    assert environment["WORKBENCH_ENGINE"] == "athena"
    assert container["StopTimeout"] == 120
    assert "/compacted/" in json.dumps(environment["WORKBENCH_COMPACTED"])
    assert (
        environment["WORKBENCH_DATABASE"]
        == environment["WORKBENCH_WORKGROUP"]
        == ("private" if variant == "private" else "workbench")
    )
    on_reports = {
        (right.action, right.resource.partition("}")[2])
        for right in task_rights(made, "TaskRole")
        if "ReportsBucket" in right.resource
    }
    assert on_reports == {
        ("s3:PutObject", "/reports/*/*"),
        ("s3:PutObject", "/reports/index.html"),
        ("s3:GetObject", "/reports/*/run.json"),
        ("s3:GetObject", "/reports/index.html"),
        ("s3:ListBucket", ""),
    }
    writes = {
        (right.action, right.resource.partition("}")[2])
        for right in task_rights(made, "TaskRole")
        if not right.action.partition(":")[2].startswith(("Get", "List", "BatchGet"))
    }
    assert {action for action, _ in writes} == {
        "athena:StartQueryExecution",
        "athena:StopQueryExecution",
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:PutObject",
        "kms:Decrypt",
        "kms:GenerateDataKey",
        "glue:CreateTable",
        "glue:CreatePartition",
        "glue:DeletePartition",
        *(["s3:PutObjectTagging"] if variant == "reports" else []),  # which has an archive
    }
    assert {where for action, where in writes if action == "s3:DeleteObject"} == {
        "/results/*",
        "/checkpoints/*",
        "/compacted/*",
    }


@pytest.mark.parametrize("variant", REPORTS)
@pytest.mark.parametrize("folder", ["checkpoints", "compacted"])
def test_the_tasks_write_what_is_made_of_this_log_and_of_no_other_and_no_other_role_does(variants, variant, folder):
    made = variants[variant]
    (container,) = only(made, "AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    (place,) = [each["Value"] for each in container["Environment"] if each["Name"] == f"WORKBENCH_{folder.upper()}"]
    output = folder.title()
    (told,) = [each["Outputs"][output] for each in made.templates.values() if output in each.get("Outputs", {})]
    assert written(place) == written(told["Value"])
    log, database = ("persons", "private") if variant == "private" else ("items", "workbench")
    may = task_rights(made, "TaskRole")
    assert {right.action for right in may if right.resource.endswith(f"/{folder}/*")} == {
        "s3:AbortMultipartUpload",
        "s3:DeleteObject",
        "s3:GetObject",
        "s3:ListMultipartUploadParts",
        "s3:PutObject",
    }
    registered = {
        right.resource.rpartition(":")[2]
        for right in may
        if right.action.startswith("glue:") and not right.action.startswith(("glue:Get", "glue:BatchGet"))
    }
    tables = {f"table/{database}/{log}_{made_of}" for made_of in ("checkpoints", "compacted")}
    assert registered == {"catalog", f"database/{database}"} | tables
    roles = {name for name, each in resources(made, "AWS::IAM::Policy").items() if f"/{folder}/*" in json.dumps(each)}
    assert all("ReportsTaskRole" in name for name in roles)
    assert len(roles) == 1


@pytest.mark.parametrize("variant", REPORTS)
def test_who_starts_tasks_may_start_this_one_in_its_roles_and_nothing_else(variants, variant):
    found = {right.action: right.resource for right in task_rights(variants[variant], "StartRole")}
    assert set(found) == {"ecs:RunTask", "iam:PassRole", "sqs:SendMessage"}
    assert "Task" in found["ecs:RunTask"]


def refused(statement: dict[str, Any], key: str, *conditions: str) -> bool:
    """Whether a statement that denies is about putting an object whole, under conditions that are asked of S3."""
    places = [written(each).rpartition(":::")[2].partition("/")[2] for each in named(statement)]
    at = any(fnmatch.fnmatchcase(key, place) for place in places)
    asked = {"s3:ObjectCreationOperation"} | {f"s3:{each}" for each in conditions}
    null = all((name not in asked) == (value == "true") for name, value in statement["Condition"]["Null"].items())
    whole = all(name in asked and value == "true" for name, value in statement["Condition"]["Bool"].items())
    return at == ("Resource" in statement) and null and whole


def named(statement: dict[str, Any]) -> list[Any]:
    places = statement.get("Resource", statement.get("NotResource"))
    return places if isinstance(places, list) else [places]


RUN, INDEX = "reports/changes/2026-11-20T06-00-00Z/run.json", "reports/index.html"


@pytest.mark.parametrize(
    ("key", "conditions", "is_refused"),
    [
        (RUN, [], True),
        (RUN, ["if-match"], True),
        (RUN, ["if-none-match"], False),
        ("elsewhere/index.html", ["if-match"], True),
        (INDEX, [], True),
        (INDEX, ["if-match"], False),
        (INDEX, ["if-none-match"], False),
    ],
)
@pytest.mark.parametrize("variant", REPORTS)
def test_the_bucket_of_reports_refuses_to_replace_what_is_there_but_the_index_by_who_knows_which(
    variants, variant, key, conditions, is_refused
):
    policy = next(
        each["Properties"]["PolicyDocument"]
        for name, each in resources(variants[variant], "AWS::S3::BucketPolicy").items()
        if "ReportsBucket" in name
    )
    statements = [each for each in policy["Statement"] if each.get("Sid") in ("WrittenOnce", "IndexReplacedKnowingly")]
    for each in statements:
        assert (each["Effect"], each["Action"], each["Principal"]) == ("Deny", "s3:PutObject", {"AWS": "*"})
    assert len(statements) == 2
    assert any(refused(each, key, *conditions) for each in statements) is is_refused


def instructions() -> list[str]:
    text = Path("Dockerfile").read_text().replace("\\\n", " ")
    return [" ".join(line.split()) for line in text.splitlines() if line and not line.startswith("#")]


def test_the_image_is_pinned_runs_as_nobody_special_and_has_no_tools_to_build_with():
    lines = instructions()
    stages = [number for number, line in enumerate(lines) if line.startswith("FROM python:3.11-slim")]
    last = lines[stages[-1] :]
    assert len(stages) == 2
    assert any("--constraint constraints.txt ." in line and "lab" not in line for line in lines[: stages[1]])
    assert sum("pip uninstall" in line for line in lines) == 2
    assert not any("apt-get" in line or "pip install" in line for line in last)
    users = [line for line in last if line.startswith("USER")]
    assert users == ["USER workbench"]
    assert last.index(users[0]) > max(number for number, line in enumerate(last) if line.startswith("RUN"))
    assert "COPY notebooks notebooks" in last


def test_the_images_context_holds_what_its_file_copies_and_nothing_else(variants):
    made = variants["reports"]
    (image,) = json.loads((made.folder / "Workbench.assets.json").read_text())["dockerImages"].values()
    context = made.folder / image["source"]["directory"]
    copied = list(
        dict.fromkeys(
            part
            for line in instructions()
            if line.startswith("COPY") and "--from" not in line
            for part in line.split()[1:-1]
        )
    )
    assert copied == [
        "pyproject.toml",
        "constraints.txt",
        "README.md",
        "workbench",
        "notebooks",
        "infra_cdk/container/run.py",
    ]
    assert all((context / part).exists() for part in copied)
    files = [str(path.relative_to(context)) for path in context.rglob("*") if path.is_file()]
    allowed = [
        "pyproject.toml",
        "constraints.txt",
        "README.md",
        "workbench/*",
        "notebooks/*.ipynb",
        "infra_cdk/container/run.py",
        "Dockerfile",
        ".dockerignore",
    ]
    assert [name for name in files if not any(fnmatch.fnmatch(name, each) for each in allowed)] == []
    assert not any("__pycache__" in name for name in files)


def asked(aws: AwsServer) -> set[str]:
    """The actions that were asked for, as policies call them."""
    return {CALLED.get(each, each) for each in (f"{service}:{operation}" for service, operation in aws.requests)}


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsServer]:
    with AwsServer() as running:
        yield running


@pytest.fixture(scope="module")
def ran(aws: AwsServer, variants: Any, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Runs of the image's program, with the variables of its task, where a lake is."""
    key = {"aws_access_key_id": "testing", "aws_secret_access_key": "testing"}
    s3, glue = (
        boto3.client(name, endpoint_url=aws.endpoint, region_name="eu-central-1", **key) for name in ("s3", "glue")
    )
    for bucket in ("lake", "results", "reports"):
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    folder = tmp_path_factory.mktemp("log")
    things = [
        chain({"pk": {"S": f"p-{n}"}}, [(NOON + n, {"pk": {"S": f"p-{n}"}, "v": {"N": str(n)}})]) for n in range(9)
    ]
    log = "".join(json.dumps(change) + "\n" for changes in things for change in changes)
    s3.put_object(Bucket="lake", Key="data/items/year=2026/month=01/day=01/hour=12/changes.json", Body=log.encode())
    glue.create_database(DatabaseInput={"Name": "workbench"})
    glue.create_table(
        DatabaseName="workbench",
        TableInput=table_input("items", "s3://lake/data/items/", layout="raw", stored="json", first_year=2025),
    )
    group = only(variants["reports"], "AWS::Athena::WorkGroup")
    aws.workgroups[group["Name"]] = copy.deepcopy(aws.workgroups["primary"])
    aws.workgroups[group["Name"]]["Configuration"] |= {
        "EnforceWorkGroupConfiguration": group["WorkGroupConfiguration"]["EnforceWorkGroupConfiguration"],
        "ResultConfiguration": {"OutputLocation": "s3://results/results/"},
    }
    (container,) = only(variants["reports"], "AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    environment = {each["Name"]: each["Value"] for each in container["Environment"]} | {
        "REPORTS_BUCKET": "reports",
        "WORKBENCH_CHECKPOINTS": "s3://lake/checkpoints/",
        "WORKBENCH_COMPACTED": "s3://lake/compacted/",
    }
    tool = folder / "workbench"  # as the package installs it
    tool.write_text(f"#!{sys.executable}\nimport sys\nfrom workbench.cli import main\nsys.exit(main())\n")
    tool.chmod(0o755)

    def run(*command: str, **more: str) -> tuple[subprocess.CompletedProcess[str], list[str]]:
        before = {each["Key"] for each in s3.list_objects_v2(Bucket="reports").get("Contents", [])}
        done = subprocess.run(
            [sys.executable, "infra_cdk/container/run.py", *command],
            capture_output=True,
            text=True,
            timeout=240,
            env=environment
            | {
                "AWS_ENDPOINT_URL": aws.endpoint,
                "AWS_REGION": "eu-central-1",  # as ECS has it
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",
                "HOME": str(folder),
                "PATH": f"{folder}:{os.environ['PATH']}",
                "PYTHONPATH": os.getcwd(),
                **more,
            },
        )
        after = {each["Key"] for each in s3.list_objects_v2(Bucket="reports").get("Contents", [])}
        return done, sorted(after - before)

    run.s3, run.glue = s3, glue  # type: ignore[attr-defined]
    return run


def test_a_report_asks_athena_and_is_a_run_of_its_own_in_the_index(aws, ran, variants):
    aws.requests.clear()
    told = ("changes", "report", "run", "03_change_frequency", "-p", "table=items", "-p", "every=1d")
    done, made = ran(*told)
    assert done.returncode == 0, done.stderr
    (page,) = [name for name in made if fnmatch.fnmatch(name, "reports/changes/20??-??-??T??-??-??Z/report.html")]
    run = page.rpartition("/")[0]
    assert {f"{run}/notebook.ipynb", f"{run}/run.json", "reports/index.html"} < {*made}
    stored = ran.s3.get_object(Bucket="reports", Key=page)
    assert stored["ContentType"] == "text/html; charset=utf-8"
    assert b"<html" in stored["Body"].read()
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said["report"], said["exit_code"]) == ("changes", 0)
    assert said["kept"] == [f"s3://reports/{page}"]
    assert aws.started  # by Athena, not on this machine
    may = {right.action for right in task_rights(variants["reports"], "TaskRole")}
    assert asked(aws) - may == set()
    done, made = ran(*told)  # into the index that there is
    assert done.returncode == 0, done.stderr
    assert "reports/index.html" not in made
    index = ran.s3.get_object(Bucket="reports", Key="reports/index.html")["Body"].read().decode()
    (again,) = {name.split("/")[2] for name in made}
    assert f"changes/{again}/report.html" in index
    assert f"{run.removeprefix('reports/')}/report.html" in index


def test_a_checkpoint_is_made_by_the_tasks_rights_and_an_answer_begins_with_it_by_an_analysts(aws, ran, variants):
    may = task_rights(variants["reports"], "TaskRole")
    aws.requests.clear()
    for _ in range(2):  # the second replaces the first
        done, made = ran("checkpoint", "checkpoint", "items", "--keep", "1")
        assert done.returncode == 0, done.stderr
    assert [name.rpartition("/")[2] for name in made] == ["checkpoint.txt"]
    assert {"glue:CreateTable", "glue:DeletePartition", "s3:DeleteObject"} < asked(aws)
    assert asked(aws) - {right.action for right in may} == set()
    kept = [each["Key"] for each in ran.s3.list_objects_v2(Bucket="lake", Prefix="checkpoints/")["Contents"]]
    (folder,) = {key.rpartition("/")[0] for key in kept}
    assert fnmatch.fnmatch(folder, "checkpoints/items/checkpoint=*")
    (table,) = {
        right.resource.rpartition("/")[2]
        for right in may
        if right.action == "glue:CreateTable" and right.resource.endswith("_checkpoints")
    }
    (there,) = ran.glue.get_partitions(DatabaseName="workbench", TableName=table)["Partitions"]
    assert there["Values"] == [folder.rpartition("=")[2]]

    aws.requests.clear()
    before = len(aws.started)
    done, (name,) = ran("state", "latest", "items", "--json")
    assert done.returncode == 0, done.stderr
    assert ran.s3.get_object(Bucket="reports", Key=name)["Body"].read().count(b'"p-') == 9
    assert any(f'"{table}"' in each["QueryString"] for each in aws.started[before:])
    analysts = {right.action for right in rights(variants["reports"]) if right.kind == "AWS::IAM::ManagedPolicy"}
    assert asked(aws) - analysts == set()


def test_days_are_compacted_and_their_objects_tagged_by_the_tasks_rights_and_answers_read_them_by_an_analysts(
    aws, ran, variants
):
    (command,) = [each.command for each in scheduled(Config(archive="GLACIER_IR")) if each.name == "compact"]
    aws.requests.clear()
    done, made = ran("compact", *command)
    assert done.returncode == 0, done.stderr
    assert [name.rpartition("/")[2] for name in made] == ["compact.txt"]
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said["report"], said["exit_code"]) == ("compact", 0)  # what the alarm goes by
    may = {right.action for right in task_rights(variants["reports"], "TaskRole")}
    assert {"glue:CreateTable", "glue:CreatePartition", "s3:PutObjectTagging"} < asked(aws)
    assert asked(aws) - may == set()
    (table,) = {
        right.resource.rpartition("/")[2]
        for right in task_rights(variants["reports"], "TaskRole")
        if right.action == "glue:CreateTable" and right.resource.endswith("_compacted")
    }
    assert ran.glue.get_partitions(DatabaseName="workbench", TableName=table)["Partitions"]
    tags = [
        ran.s3.get_object_tagging(Bucket="lake", Key=each["Key"])["TagSet"]
        for each in ran.s3.list_objects_v2(Bucket="lake", Prefix="data/")["Contents"]
    ]
    assert tags == [[{"Key": name, "Value": value}] for name, value in ARCHIVED.items()]

    aws.requests.clear()
    before = len(aws.started)
    done, _ = ran("frequency", "change_frequency", "items", "--json")
    assert done.returncode == 0, done.stderr
    assert any(f'"{table}"' in each["QueryString"] for each in aws.started[before:])
    analysts = {
        right.action
        for name, each in resources(variants["reports"], "AWS::IAM::ManagedPolicy").items()
        if "Analyst" in name
        for right in rights(type(variants["reports"])(Path(), {"it": {"Resources": {name: each}}}, []))
    }
    assert asked(aws) - analysts == set()


def test_what_a_verb_prints_is_kept_as_text(ran):
    done, made = ran("quality", "quality", "items")
    assert done.returncode == 0, done.stderr
    (name,) = made
    assert fnmatch.fnmatch(name, "reports/quality/20??-??-??T??-??-??Z/quality.txt")
    stored = ran.s3.get_object(Bucket="reports", Key=name)
    assert "items" in stored["Body"].read().decode()
    assert stored["ContentType"] == "text/plain; charset=utf-8"


def test_a_report_whose_cell_fails_is_kept_too_and_the_exit_code_says_so(ran):
    done, made = ran("broken", "report", "run", "03_change_frequency", "-p", "table=nothere")
    assert done.returncode == exit_codes.ERROR
    assert {"report.html", "notebook.ipynb", "run.json"} <= {name.rpartition("/")[2] for name in made}
    assert "nothere" in done.stderr
    (page,) = json.loads(done.stdout.splitlines()[-1])["kept"]
    assert page.startswith("s3://reports/reports/broken/")


def test_a_wrong_command_and_a_bucket_that_is_not_there_are_failures_too(ran):
    done, made = ran("wrong", "report", "run", "no_such_notebook")
    assert done.returncode != 0
    assert made == []
    done, made = ran("before", "report", "03_change_frequency", "-p", "table=items")
    assert "workbench report run 03_change_frequency" in done.stderr
    assert (done.returncode, made) == (2, [])
    done, _ = ran("quality", "quality", "items", REPORTS_BUCKET="not-there")
    assert done.returncode == exit_codes.NOT_PUBLISHED
    assert "not-there" in json.loads(done.stdout.splitlines()[-1])["error"]


@pytest.mark.parametrize("variant", REPORTS)
def test_who_pulls_the_image_may_pull_it_and_write_the_tasks_log(variants, variant):
    found = {right.action: right.resource for right in task_rights(variants[variant], "RunRole")}
    assert set(found) == {
        "ecr:GetAuthorizationToken",
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }
    assert "container-assets" in written(found["ecr:BatchGetImage"])


def test_reports_are_kept_in_the_region_that_ecs_names(monkeypatch, tmp_path):
    for name in ("AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_REGION", "eu-west-2")
    asked: list[str] = []
    monkeypatch.setattr(BaseClient, "_make_api_call", lambda self, *_: asked.append(self.meta.region_name))
    (tmp_path / "changes.txt").write_text("1")
    kept = runpy.run_path("infra_cdk/container/run.py")["keep"]
    began = datetime(2026, 11, 20, 6, tzinfo=UTC)
    assert kept(b"1", "s3://reports/reports/changes", "changes", began) == (
        "s3://reports/reports/changes/2026-11-20T06-00-00Z/changes.txt"
    )
    assert asked == ["eu-west-2"]


@pytest.mark.parametrize(
    ("told", "more"),
    [
        (
            ["report", "run", "03_change_frequency", "-p", "table=items"],
            ["--out", "s3://r", "--name", "daily", "--json"],
        ),
        (["report", "run", "-p", "every=1d", "02_latest_state"], ["--out", "s3://r", "--name", "daily", "--json"]),
        (["report", "run", "02_latest_state", "03_change_frequency"], ["--out", "s3://r", "--json"]),
        (["report", "run", "02_latest_state", "--name", "state"], ["--out", "s3://r", "--json"]),
        (["report", "index"], ["--out", "s3://r"]),
        (["report", "describe", "02_latest_state"], []),
        (["quality", "items"], []),
    ],
)
def test_what_the_workbench_is_told_of_where_reports_go(told, more):
    assert runpy.run_path("infra_cdk/container/run.py")["command"]("daily", told, "s3://r") == [
        "workbench",
        *told,
        *more,
    ]


def test_a_task_that_is_stopped_lets_its_report_end_by_itself(tmp_path):
    tool = tmp_path / "workbench"
    tool.write_text("#!/bin/sh\ntrap 'echo ended; exit 143' TERM\necho begun >&2\nwhile :; do sleep 0.05; done\n")
    tool.chmod(0o755)
    source = Path("infra_cdk/container/run.py").resolve()
    program = f"import runpy, sys; sys.exit(runpy.run_path({str(source)!r})['run'](['workbench'], sys.stdout.buffer))"
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "PYTHONPATH": os.getcwd()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stderr
        assert running.stderr.readline() == "begun\n"
        running.terminate()
        printed, _ = running.communicate(timeout=60)
    assert (printed, running.returncode) == ("ended\n", 143)
