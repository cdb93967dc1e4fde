"""Change logs in the S3 and Glue of the test server."""

from __future__ import annotations

from pathlib import Path

from tests.helpers import lakes
from tests.helpers.aws.clients import session_of
from tests.helpers.aws.server import AwsServer
from workbench import Workbench

BUCKET, DATABASE = "lake", "logs"


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
