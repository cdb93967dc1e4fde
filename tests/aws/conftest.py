"""A test server, and change logs in its S3 and Glue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path

import pytest

from tests import lakes
from tests.aws.server import AwsServer
from workbench import Workbench
from workbench.aws import athena as queries
from workbench.aws.session import Session

BUCKET, DATABASE = "lake", "logs"


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    with AwsServer() as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def impatient() -> Iterator[None]:
    """Look at queries often: they take milliseconds here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queries, "_DELAYS", (0.01, 0.02, 0.04, 0.08))
        yield


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    """What no request leaves this machine with."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "WORKBENCH_HOME", "WORKBENCH_SOURCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")


@lru_cache(maxsize=4)
def session_of(server: AwsServer) -> Session:
    session = Session("testing", "testing", region_name="eu-central-1")
    session.endpoint = server.endpoint
    return session


def athena(server: AwsServer, **settings) -> Workbench:
    given = {
        "endpoint": server.endpoint,
        "region": "eu-central-1",
        "database": DATABASE,
        "output": "s3://results/athena/",
    }
    return Workbench(engine="athena", **(given | settings))


def place(server: AwsServer, folder: Path, prefix: str = "data/things") -> str:
    """Put a folder's files into the bucket, and return their location."""
    s3 = session_of(server).client("s3")
    there = {each["Name"] for each in s3.list_buckets()["Buckets"]}
    for bucket in {BUCKET, "results"} - there:
        s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        s3.upload_file(str(path), BUCKET, f"{prefix}/{path.relative_to(folder)}")
    return f"s3://{BUCKET}/{prefix}/"


def declare(server: AwsServer, table: dict, scheme: str = lakes.SCHEMES[0]) -> None:
    """Make a Glue table, and the partitions a crawler would register."""
    glue = session_of(server).client("glue")
    if DATABASE not in [each["Name"] for each in glue.get_databases()["DatabaseList"]]:
        glue.create_database(DatabaseInput={"Name": DATABASE})
    glue.create_table(DatabaseName=DATABASE, TableInput=table)
    if scheme != "crawled":
        return
    location = table["StorageDescriptor"]["Location"]
    s3, below = session_of(server).client("s3"), location.removeprefix(f"s3://{BUCKET}/")
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=below)
    keys = [item["Key"] for page in pages for item in page.get("Contents", [])]
    for folder in sorted({key[len(below) :].rpartition("/")[0] for key in keys}):
        where = table["StorageDescriptor"] | {"Location": f"{location}{folder}/"}
        glue.create_partition(
            DatabaseName=DATABASE,
            TableName=table["Name"],
            PartitionInput={"Values": folder.split("/"), "StorageDescriptor": where},
        )


@pytest.fixture
def empty(server) -> AwsServer:
    server.reset()
    return server


def lake(
    server: AwsServer,
    folder: Path,
    layout: str = "envelope",
    scheme: str = lakes.SCHEMES[0],
    seed: int = 1,
    made: list | None = None,
    name: str = "things",
) -> Path:
    """Put one history into a folder and, the same objects, behind a Glue table; return the folder."""
    plain = layout == "flat"
    made = lakes.records(seed, plain=plain, ties=not plain) if made is None else made
    lakes.write(folder, made, layout, scheme)
    location = place(
        server, folder, f"{scheme.strip('=').replace('/', '-')}/{layout.replace(', ', '-').replace(' ', '-')}/{name}"
    )
    declare(server, lakes.glue_table(name, location, layout, made, scheme), scheme)
    return folder


NOW = datetime(2026, 11, 20, tzinfo=UTC)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print question by layout: whether Athena's path gives DuckDB's answer."""
    found: dict[tuple[str, str], str] = {}
    for outcome, sign in (("passed", "="), ("failed", "differs"), ("error", "error")):
        for report in terminalreporter.stats.get(outcome, []):
            if "test_questions.py::test_the_answer_is_that" in report.nodeid and (
                report.when == "call" or outcome == "error"
            ):
                case = report.nodeid.partition("[")[2].rstrip("]")
                layout = max((each for each in lakes.LAYOUTS if case.startswith(each)), key=len)
                found[case[len(layout) + 1 :], layout] = sign
    if not found:
        return
    layouts = [each for each in lakes.LAYOUTS if each in {layout for _, layout in found}]
    terminalreporter.section("Athena's path beside DuckDB, '=' the same answer, types included")
    terminalreporter.write_line(f"{'':24}" + "".join(f"{each:22}" for each in layouts))
    for question in dict.fromkeys(question for question, _ in found):
        terminalreporter.write_line(
            f"{question:24}" + "".join(f"{found.get((question, each), ''):22}" for each in layouts)
        )
