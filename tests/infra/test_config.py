"""Config: what CDK context may say, and the one line when it says something else."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

pytest.importorskip("aws_cdk", reason="pip install -e '.[infra]'")

from infra_cdk.config import Config, read_config
from workbench.errors import ConfigError

README = Path("infra_cdk/README.md")
ADMIN = "arn:aws:iam::123456789012:role/DataLakeAdmin"
ACCOUNTS = {"variant": "cross-account", "producer_account": "123456789012", "consumer_account": "210987654321"}


def test_settings_come_as_texts_from_the_command_line_and_as_values_from_cdk_json():
    assert read_config({"stream_shards": "2", "keep": "no"}) == read_config({"stream_shards": 2, "keep": False})


def test_the_cdks_own_context_is_passed_over():
    assert (
        read_config({"aws:cdk:enable-path-metadata": True, "@aws-cdk/core:x": True, "availability-zones:account=1": []})
        == Config()
    )


def test_a_config_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        Config().name = "Other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("context", "message"),
    [
        ({"formt": "json"}, "there is no setting 'formt' (-c formt=…). Did you mean 'format'?"),
        ({"format": "parket"}, "format=parket: give one of json, parquet. Did you mean 'parquet'?"),
        ({"stream_shards": "two"}, "stream_shards=two: give a whole number"),
        ({"buffer_seconds": "901"}, "buffer_seconds=901: give 0 to 900"),
        ({"keep": "maybe"}, "keep=maybe: give true or false"),
        ({"table": "a/b"}, "table=a/b: give something like orders"),
        ({"name": "my stack"}, "name=my stack: give something like Orders"),
        (
            {"name": "Primary"},
            "name=Primary: Athena and Glue have a workgroup and a database of this name; take another",
        ),
        (
            {"crawler_schedule": "daily", "catalog": "both"},
            "crawler_schedule=daily: give something like cron(15 3 * * ? *)",
        ),
        (
            {"crawler_schedule": "cron(15 3 * * ? *)"},
            "crawler_schedule needs catalog=crawler or both; catalog is table",
        ),
        (
            {"format": "parquet", "transform": "flat", "catalog": "crawler"},
            "format=parquet needs transform=envelope, whose columns Firehose can convert, not flat",
        ),
        ({"format": "parquet", "buffer_mb": "5"}, "format=parquet needs buffer_mb=64 or more"),
        (
            {"transform": "flat"},
            "transform=flat needs catalog=crawler, not table: which columns there are, only the items tell",
        ),
        (
            {"table": "orders", "generator": "persons"},
            "generator writes into a new table: leave out table or generator",
        ),
        (
            {"reports": "true", "archive": "GLACIER_IR", "schedules": "a: rate(1 day) checkpoint {table}"},
            "archive=GLACIER_IR moves what is compacted, and no schedule compacts: add "
            "compact: cron(0 4 * * ? *) compact {table} to schedules, or leave out archive",
        ),
        (
            {"format": "iceberg"},
            "format=iceberg: the log itself stays objects that nobody rewrites, for which object a change came in tells "
            "when it arrived, and what came twice or cannot be read; Iceberg's optimizers join files and expire "
            "snapshots. iceberg=true delivers the same changes into an Iceberg table beside it",
        ),
        (
            {"iceberg": "true", "lake_formation": "arn:aws:iam::123456789012:role/Analyst"},
            "iceberg and lake_formation: nothing grants Firehose and Glue's optimizers the Iceberg table; leave out one "
            "of the two",
        ),
        ({"production": "true", "keep": "false"}, "keep=false would delete a production log: leave out one of the two"),
        (
            {"production": "true", "stream_retention_hours": "72"},
            "production=true needs alarm_email: somebody has to be told before the stream forgets changes",
        ),
        (
            {"production": "true", "alarm_email": "a@example.com", "stream_retention_hours": "71"},
            "production=true needs stream_retention_hours=72 or more, not 71: what is not delivered over a weekend would "
            "be lost",
        ),
        (
            {"production": "true", "alarm_email": "a@example.com", "stream_retention_hours": "72", "alarms": "false"},
            "alarm_email needs alarms=true",
        ),
        (
            {"variant": "cross-account", "producer_account": "123456789012"},
            "variant=cross-account needs producer_account, consumer_account and region",
        ),
        (
            {
                "variant": "cross-account",
                "producer_account": "123456789012",
                "consumer_account": "210987654321",
                "region": "eu-west-1",
                "table": "arn:aws:dynamodb:eu-central-1:123456789012:table/orders",
            },
            "table=arn:aws:dynamodb:eu-central-1:123456789012:table/orders: not in region eu-west-1 of producer_account "
            "123456789012",
        ),
        (
            {"generator": "persons", "sort_key": "at:N"},
            "partition_key and sort_key are a new table's without a generator: leave them out",
        ),
        ({"sort_key": "pk:N"}, "sort_key=pk:N: the partition key has this name"),
        (
            {"network": "private", "transform": "delimiter"},
            "network=private has nothing to run in it: transform=delimiter has no function",
        ),
        (
            {"search": "lambda", "table": "orders"},
            "search=lambda needs the existing table's table_stream, and a new table has its own",
        ),
        ({"search_only": "true"}, "search_only=true needs search=firehose or search=lambda"),
        (
            {"search": "lambda", "search_only": "true", "search_rotation": "OneDay"},
            "search_rotation needs a Kinesis stream: with search=lambda and search_only=true there is none; leave out "
            "search_rotation",
        ),
        (
            {"search": "lambda", "search_only": "true", "stream_shards": "2"},
            "stream_shards needs a Kinesis stream: with search=lambda and search_only=true there is none; leave out "
            "stream_shards",
        ),
        ({"search": "firehose", "search_nodes": "3"}, "search_nodes=3: give 1, or an even number, for two zones"),
        (
            {"schedules": "daily report x"},
            "schedules=daily report x: give something like quality: cron(30 6 ? * MON *) quality {table} --start=-8d",
        ),
        (
            {"table": "orders", "table_key": "arn:aws:kms:eu-central-1:123456789012:key/1"},
            "table_key is an existing table's, for undo and search=lambda: give table and one of them, or leave it out",
        ),
        (
            {"undo": "true", "table_key": "arn:aws:kms:eu-central-1:123456789012:key/1"},
            "table_key is an existing table's, for undo and search=lambda: give table and one of them, or leave it out",
        ),
        *(
            (
                {name: "arn:aws:iam::123456789012:role/Analyst"},
                "lake_formation and lake_formation_admin go together: Lake Formation decides for those alone whom an "
                "administrator of the data lake opts in; give both, or neither",
            )
            for name in ("lake_formation", "lake_formation_admin")
        ),
        (
            {"name": "N" * 30, "replica_region": "ap-southeast-1"},
            f"name={'N' * 30}: the replica's bucket, {'n' * 30}-replica-ACCOUNT-ap-southeast-1, would have more than "
            "the 63 characters that a bucket's name may have; give a shorter name",
        ),
        (
            ACCOUNTS | {"name": "N" * 30, "region": "us-isof-south-1"},
            f"name={'N' * 30}: the bucket {'n' * 30}-lake-210987654321-us-isof-south-1 would have more than the 63 "
            "characters a bucket's name may have; give a shorter name",
        ),
        *(
            (
                {"table": "t" * (longest + 1), "search": search},
                f"the log's name, {'t' * (longest + 1)}, has {longest + 1} characters, and names of queries, tables and "
                f"indexes are made from it: give log=…, of {longest} at most",
            )
            for longest, search in ((101, "none"), (72, "firehose"))
        ),
        ({"first_day": "26.11.2026"}, "first_day=26.11.2026: give something like 2026-11-26"),
        ({"first_day": "2026-02-30"}, "first_day=2026-02-30: there is no such day"),
        (
            {"first_day": "2026-11-26", "first_year": "2026"},
            "first_day and first_year say the same: leave out one of the two",
        ),
        ({"alarms": "false", "alarm_email": "a@example.com"}, "alarm_email needs alarms=true"),
        (
            {"transform": "flat", "catalog": "crawler", "view": "pk:S"},
            "view is for the other layouts: flat is a column an attribute",
        ),
        ({"view": "pk"}, "view=pk: give something like pk:S,person.age:N,paid:BOOL"),
        ({"view": "pk:L"}, "view=pk:L: give something like pk:S,person.age:N,paid:BOOL"),
        *(
            (
                {"view": f"pk:S,{one}:S,{other}:N"},
                f"view=pk:S,{one}:S,{other}:N: {other} and {one} are both the column {column}, since names of columns have "
                "no case and dots become _; leave one of them out",
            )
            for one, other, column in [
                ("Email", "email", "email"),
                ("a.b_c", "a_b.c", "a_b_c"),
                ("x", "x", "x"),
                ("a.B", "A_b", "a_b"),
            ]
        ),
        (
            {"view": "image:S"},
            "view=image:S: image and the whole item are both the column image, since names of columns "
            "have no case and dots become _; leave one of them out",
        ),
        (
            {"view": "changed.At:N"},
            "view=changed.At:N: changed.At and the time of the last change are both the column "
            "changed_at, since names of columns have no case and dots become _; leave one of them out",
        ),
        (
            {"view": "a..b:S"},
            "view=a..b:S: 'a..b' is no attribute path: quote a name that holds dots or quotes, like "
            'person."first.name"',
        ),
        ({"stream": "each"}, "stream=each is for several tables: give tables, or leave it out"),
        ({"tables": "orders,"}, "tables=orders,: give something like orders,customers"),
        *(
            (
                {"tables": "orders,customers"} | one,
                f"{name} is one table's: leave out {name}, or give one table by table=…",
            )
            for one in (
                {"table": "orders"},
                {"log": "sales"},
                {"generator": "persons"},
                {"sort_key": "at:N"},
                {"search": "lambda"},
                {"view": "pk:S"},
            )
            for name in one
        ),
        (
            {"tables": "Orders, customers, orders"},
            "tables: Orders and orders would both be the log orders; deploy one of them on its own, by -c name=… "
            "-c table=…",
        ),
        (
            {"tables": "orders,123"},
            "tables: '123' makes no name for a Glue table; deploy it on its own, by table=… and log=…",
        ),
        (
            {
                "tables": "arn:aws:dynamodb:eu-central-1:123456789012:table/orders,"
                "arn:aws:dynamodb:us-east-1:123456789012:table/customers"
            },
            "tables: a stream takes changes of its own account and Region alone; deploy once for each of "
            "eu-central-1/123456789012, us-east-1/123456789012",
        ),
        (
            {"tables": "orders,customers", "transform": "delimiter"},
            "transform=delimiter has nothing that tells tables apart in a shared stream: take transform=newline, which "
            "stores the same, or stream=each",
        ),
        *(
            (
                {
                    "tables": "orders,customers",
                    "stream": stream,
                    "format": "parquet",
                    "lake_formation": "arn:aws:iam::123456789012:role/Analyst",
                    "lake_formation_admin": "arn:aws:iam::123456789012:role/Admin",
                },
                "tables with format=parquet and lake_formation: nothing grants Firehose the columns it converts to; "
                "leave out one of the three",
            )
            for stream in ("shared", "each")
        ),
        ({"tables": "orders", "buffer_mb": "5"}, "a shared stream needs buffer_mb=64 or more"),
        ({"tables": "orders", "buffer_seconds": "0"}, "a shared stream needs buffer_seconds=60 or more"),
        (
            {"tables": ",".join(f"table-{number}" for number in range(201))},
            "tables: 201 are too many for one deployment; give 200 at most",
        ),
        *(
            (
                {
                    "variant": "cross-account",
                    "producer_account": "123456789012",
                    "consumer_account": "210987654321",
                    "region": "eu-central-1",
                }
                | more,
                message,
            )
            for more, message in [
                (
                    {"tables": "orders,customers", "stream": "each"},
                    "stream=each needs variant=single: the other account knows Firehose by one role's name",
                ),
                (
                    {"tables": "customers,arn:aws:dynamodb:eu-west-1:123456789012:table/orders"},
                    "tables=arn:aws:dynamodb:eu-west-1:123456789012:table/orders: not in region eu-central-1 of "
                    "producer_account 123456789012",
                ),
            ]
        ),
        ({"table": "123"}, "table '123' makes no name for a Glue table: give log=…"),
    ],
)
def test_a_bad_value_is_one_line_that_says_what_would_do(context, message):
    with pytest.raises(ConfigError) as error:
        read_config(context)
    assert str(error.value) == message


@pytest.mark.parametrize(
    "context",
    [
        {"transform": "newline"},
        {"lambda_memory": "1024"},
        {"format": "parquet"},
        {"buffer_mb": "5"},
        {"buffer_seconds": "60"},
        {"catalog": "both"},
        {"first_year": "2026"},
        {"first_day": "2026-11-26"},
        {"scan_cutoff_gb": "5"},
        {"results_days": "1"},
        {"archive_days": "90"},
        {"archive": "GLACIER_IR"},
        {"iceberg": "true"},
        {"reports": "true"},
        {"schedules": "a: rate(1 day) tables"},
        {"timezone": "Europe/Berlin"},
        {"scan_alarm_gb": "5"},
        {"replica_region": "eu-west-1"},
        {"view": "pk:S"},
        {"lake_formation": "arn:aws:iam::123456789012:role/Analyst", "lake_formation_admin": ADMIN},
        {"exports": "true"},
        {"undo": "true"},
    ],
    ids=lambda context: next(iter(context)),
)
@pytest.mark.parametrize("search", ["firehose", "lambda"])
def test_what_needs_the_log_cannot_be_had_without_it(context, search):
    name = next(iter(context))
    assert read_config({"search": search} | context)
    with pytest.raises(ConfigError) as error:
        read_config({"search": search, "search_only": "true"} | context)
    assert str(error.value) == f"{name} needs the log: leave out {name} or search_only"


def test_only_search_by_dynamodb_streams_does_without_a_kinesis_stream():
    assert [Config(search=search, search_only=True).streams for search in ("firehose", "lambda")] == [True, False]
    assert Config(search="lambda").streams


def run_app(context: dict[str, str], out: Path) -> subprocess.CompletedProcess[str]:
    """Run the app as the CDK's command does, where there is neither Node nor Docker nor an account."""
    told = json.loads(Path("infra_cdk/cdk.json").read_text())
    program, *arguments = told["app"].split()
    assert program == "python"
    return subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        cwd="infra_cdk",
        timeout=120,
        env={"PATH": "/nowhere", "CDK_CONTEXT_JSON": json.dumps(told["context"] | context), "CDK_OUTDIR": str(out)},
    )


def test_the_app_is_synthesised_without_node_docker_or_an_account(tmp_path):
    done = run_app({"table": "orders"}, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "Workbench.template.json").exists()


def test_the_app_ends_with_that_line_and_no_traceback(tmp_path):
    done = run_app({"variant": "singel"}, tmp_path)
    assert done.returncode == 1
    assert done.stderr.strip() == (
        "infra_cdk: variant=singel: give one of single, cross-account. Did you mean 'single'?"
    )


def test_the_log_is_called_after_the_table():
    assert Config(table="Orders-EU.v2").log_name == "orders_eu_v2"
    assert Config(table="arn:aws:dynamodb:eu-central-1:123456789012:table/Orders").log_name == "orders"
    assert Config(table="Orders", log="sales").log_name == "sales"
    assert Config(generator="heartrate").log_name == "heartrate"


def test_several_tables_are_one_each_in_an_order_of_their_own():
    config = Config(tables="old.eu, arn:aws:dynamodb:eu-central-1:123456789012:table/New", undo=True, stream="each")
    assert config.logs == [Config(table=table, undo=True) for table in sorted(config.tables.split(", "))]
    assert [each.log_name for each in config.logs] == ["new", "old_eu"]
    assert config.table_place == ("eu-central-1", "123456789012")
    assert Config(table="old").logs == [Config(table="old")]


def test_the_readme_has_every_setting_with_its_default():
    text = README.read_text(encoding="utf-8")
    for each in fields(Config):
        default = str(each.default).lower() if isinstance(each.default, bool) else str(each.default)
        assert f"| `{each.name}` | {f'`{default}`' if default else ''} |" in text, each.name
