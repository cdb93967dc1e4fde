"""The package around awswrangler by itself: a table that is no change log, asked by `workbench.aws` alone."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

from tests.helpers.aws.clients import session_of
from tests.helpers.aws.fixtures import credentials  # noqa: F401
from tests.helpers.aws.lake import BUCKET, DATABASE, declare, place
from workbench import aws
from workbench.aws import Athena, Catalog, S3Files, open_session, spent
from workbench.aws.table_definitions import table_input
from workbench.config import Settings, load_settings
from workbench.errors import ConfigError, ExportError, QueryError, StoreError, TableNotFound
from workbench.model.records import COLUMNS

ROOT = Path(__file__).parents[2]
ORDERS = [
    {"id": "a", "city": "Berlin", "amount": 12.5, "note": ""},
    {"id": "b", "city": "Berlin", "amount": 7.5, "note": None},
    {"id": "c", "city": "Oslo", "amount": 1.0, "note": "gift"},
]


@pytest.fixture
def settings(empty, tmp_path) -> Settings:
    """Settings of a database with a table of orders."""
    path = tmp_path / "orders" / "part-0.json.gz"
    path.parent.mkdir()
    path.write_bytes(gzip.compress("".join(json.dumps(order) + "\n" for order in ORDERS).encode()))
    location = place(empty, tmp_path / "orders", "data/orders")
    columns = {"id": "string", "city": "string", "amount": "double", "note": "string"}
    stored = {
        "Columns": [{"Name": name, "Type": kind} for name, kind in columns.items()],
        "Location": location,
        "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
        "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
        "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"},
    }
    declare(empty, {"Name": "orders", "TableType": "EXTERNAL_TABLE", "StorageDescriptor": stored})
    return load_settings(
        engine="athena",
        endpoint=empty.endpoint,
        region="eu-central-1",
        database=DATABASE,
        output="s3://results/athena/",
        price_per_tb=5,
    )


@pytest.fixture
def athena(settings):
    with Athena(open_session(settings), settings) as opened:
        yield opened


def test_a_table_that_is_no_change_log_is_asked_by_the_package_alone(athena, settings, empty):
    df = athena.read("select city, sum(amount) as total from orders group by city order by city")
    assert df.to_dict("list") == {"city": ["Berlin", "Oslo"], "total": [20.0, 1.0]}
    with pytest.raises(TableNotFound, match="holds no change log"):
        Catalog(open_session(settings), settings).table("orders")
    assert session_of(empty).client("s3").list_objects_v2(Bucket="results")["KeyCount"] == 0


@pytest.mark.parametrize("spelled", ["ICEBERG", "iceberg"])
def test_an_iceberg_table_of_changes_is_no_log_and_what_to_ask_is_said(settings, empty, spelled):
    columns = [{"Name": name, "Type": "string"} for name in COLUMNS]
    changes = table_input("items", f"s3://{BUCKET}/data/items/")
    iceberg = {
        "Name": "items_iceberg",
        "TableType": "EXTERNAL_TABLE",
        "Parameters": {"table_type": spelled, "metadata_location": f"s3://{BUCKET}/iceberg/items/metadata/0.json"},
        "StorageDescriptor": {"Columns": columns, "Location": f"s3://{BUCKET}/iceberg/items"},
    }
    for table in (changes, iceberg):
        declare(empty, table)
    catalog = Catalog(open_session(settings), settings)
    assert [log.name for log in catalog.tables()] == ["items"]
    with pytest.raises(TableNotFound) as refused:
        catalog.table("items_iceberg")
    assert str(refused.value) == (
        f"{DATABASE}.items_iceberg is an Iceberg table, whose files are rewritten: what arrived when, came twice or cannot "
        "be read is not to be told from it. Ask the change log it was made beside, or of"
    )


def test_an_empty_text_stays_apart_from_null_and_a_semicolon_is_no_error(athena):
    rows = athena.read_arrow("select id, note from orders;\n")
    assert dict(zip(*rows.to_pydict().values(), strict=True)) == {"a": "", "b": None, "c": "gift"}


def test_a_query_without_rows_has_the_columns_it_names(athena):
    rows = athena.read_arrow("select id, amount as price from orders where city = 'Rome'")
    assert (rows.num_rows, rows.column_names) == (0, ["id", "price"])
    assert athena.read_arrow("select * from orders where city = 'Rome'").column_names == []


def test_what_queries_took_is_counted_and_each_costs_ten_megabytes_at_least(athena):
    for _ in range(2):
        athena.read("select id from orders")
    took = spent(athena.finished)
    assert (took.queries, took.cost) == (2, pytest.approx(2 * 5 * 10 / 1e6))
    assert took.scanned == sum(query.scanned for query in athena.finished) > 0
    assert athena.cost(2_000_000_000) == 0.01


def test_several_queries_run_side_by_side_and_are_read_in_parts(athena):
    one, other = athena.run(["select id from orders", "select 1 as x"])
    assert sum(part.num_rows for part in athena.batches(one, rows=2)) == 3
    assert pa.concat_tables(athena.batches(other)).to_pydict() == {"x": [1]}
    assert [athena.clean(query) for query in (one, other)] == [None, None]


def test_a_query_that_takes_too_long_is_stopped(settings, empty):
    empty.faults.slow(60)
    hasty = settings.model_copy(update={"query_timeout": "50ms"})
    with Athena(open_session(hasty), hasty) as athena, pytest.raises(QueryError, match="took longer than"):
        athena.read("select id from orders")
    assert [query.state for query in empty.queries.values()] == ["CANCELLED"]


def test_a_failed_query_says_what_athena_says_and_what_to_do(athena):
    with pytest.raises(QueryError, match=r"^Athena: query .* failed: TABLE_NOT_FOUND.*`workbench tables`"):
        athena.read("select id from order_lines")
    with pytest.raises(QueryError, match="name each column"):
        athena.read("select count(*) from orders")


def test_files_in_s3_are_written_whole_listed_looked_for_and_removed(settings, empty, tmp_path):
    files, (path, other) = S3Files(open_session(settings)), (tmp_path / "one", tmp_path / "other")
    path.write_text("one")
    for name in ("a [1]/x.txt", "a 1/y.txt"):
        files.put(path, f"s3://{BUCKET}/{name}")
    assert files.list(f"s3://{BUCKET}/a [1]/") == ["x.txt"]  # no pattern
    files.download(f"s3://{BUCKET}/a [1]/x.txt", other)
    assert other.read_text() == "one"
    assert (files.exists(f"s3://{BUCKET}/a [1]/x.txt"), files.exists(f"s3://{BUCKET}/b")) == (True, False)
    with pytest.raises(ExportError, match="exists already"):
        files.put(path, f"s3://{BUCKET}/a [1]/x.txt", overwrite=False)
    files.remove(f"s3://{BUCKET}/a [1]/", first="x.txt")
    assert (files.list(f"s3://{BUCKET}/a [1]/"), files.list(f"s3://{BUCKET}/a 1/")) == ([], ["y.txt"])


def test_each_way_of_asking_aws_that_is_refused_names_the_permission(settings, empty, tmp_path):
    files, (path,) = S3Files(open_session(settings)), (tmp_path / "one",)
    path.write_text("one")
    uri = f"s3://{BUCKET}/x"
    asked = {
        "ListObjectsV2": (lambda: files.list(f"s3://{BUCKET}/x/"), rf"the permission is s3:ListBucket on {BUCKET}$"),
        "PutObject": (lambda: files.put(path, uri), "the permissions are s3:PutObject and kms:GenerateDataKey"),
    }
    for operation, (ask, needed) in asked.items():
        empty.faults.deny(f"s3://{BUCKET}", operation=operation)
        with pytest.raises(StoreError, match=needed) as caught:
            ask()
        assert "\n" not in str(caught.value)


def test_a_workgroup_that_is_not_there_is_refused_with_the_command_that_lists_them(settings):
    unknown = settings.model_copy(update={"workgroup": "nobodys"})
    with Athena(open_session(unknown), unknown) as athena, pytest.raises(ConfigError, match="aws athena list-work-gro"):
        athena.read("select 1 as x")


def test_every_public_name_is_there_and_none_is_imported_before_it_is_asked_for():
    assert all(getattr(aws, name).__name__ == name for name in aws.__all__)
    assert set(aws.__all__) == set(aws._MODULES)
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        aws.Nothing  # noqa: B018
    text = "import sys, workbench.aws; print(sorted({'awswrangler', 'boto3', 'pandas'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", text], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
