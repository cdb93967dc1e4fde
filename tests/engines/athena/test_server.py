"""The test server does what Athena does, as far as awswrangler and the questions can tell."""

from __future__ import annotations

import gzip
import io
import json
import threading
import time

import awswrangler as wr
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from botocore.exceptions import ClientError

from tests.helpers.aws import serde
from tests.helpers.aws.server import AwsServer
from workbench.aws.session import Session

OPENX, HIVE = "org.openx.data.jsonserde.JsonSerDe", "org.apache.hive.hcatalog.data.JsonSerDe"
PARQUET = "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"
OUTPUT = "s3://lake/output/"


class Lab:
    """Tables and queries on a test server."""

    def __init__(self, server: AwsServer) -> None:
        self.server = server
        self.session = Session("testing", "testing", region_name="eu-central-1")
        self.session.endpoint = server.endpoint
        self.s3, self.athena, self.glue = (self.session.client(name) for name in ("s3", "athena", "glue"))

    def put(self, key: str, data: str | bytes) -> None:
        self.s3.put_object(Bucket="lake", Key=key, Body=data.encode() if isinstance(data, str) else data)

    def table(
        self,
        columns: dict[str, str],
        objects: dict[str, str | bytes],
        *,
        serde: str = OPENX,
        options: dict[str, str] | None = None,
        keys: dict[str, str] | None = None,
        parameters: dict[str, str] | None = None,
        registered: tuple[tuple[str, ...], ...] = (),
    ) -> None:
        """Make the table `t` over objects under ``t/``."""
        for key, data in objects.items():
            self.put(f"t/{key}", data)
        stored = {
            "Columns": [{"Name": name, "Type": kind} for name, kind in columns.items()],
            "Location": "s3://lake/t/",
            "SerdeInfo": {"SerializationLibrary": serde, "Parameters": options or {}},
        }
        names = list(keys or {})
        self.glue.create_table(
            DatabaseName="d",
            TableInput={
                "Name": "t",
                "StorageDescriptor": stored,
                "Parameters": parameters or {},
                "PartitionKeys": [{"Name": name, "Type": kind} for name, kind in (keys or {}).items()],
            },
        )
        for values in registered:
            folder = "/".join(f"{name}={value}" for name, value in zip(names, values, strict=True))
            self.glue.create_partition(
                DatabaseName="d",
                TableName="t",
                PartitionInput={
                    "Values": list(values),
                    "StorageDescriptor": stored | {"Location": f"s3://lake/t/{folder}"},
                },
            )

    def lines(self, columns: dict[str, str], *lines: str, **options: object) -> None:
        """Make the table `t` of one object with these lines."""
        self.table(columns, {"a.json": "".join(f"{line}\n" for line in lines)}, **options)  # type: ignore[arg-type]

    def start(self, sql: str, **options: object) -> str:
        given = {"database": "d", "s3_output": OUTPUT, "boto3_session": self.session} | options
        return str(wr.athena.start_query_execution(sql, **given))  # type: ignore[arg-type, call-overload]

    def run(self, sql: str, **options: object) -> dict:
        """Run a query until it has ended, however it does."""
        identity = self.start(sql, **options)
        while True:
            found = wr.athena.get_query_execution(identity, boto3_session=self.session)
            if found["Status"]["State"] in ("SUCCEEDED", "FAILED", "CANCELLED"):
                return dict(found)
            time.sleep(0.01)

    def rows(self, sql: str) -> list[tuple[str | None, ...]]:
        found = self.run(sql)
        assert found["Status"]["State"] == "SUCCEEDED", found["Status"]["StateChangeReason"]
        pages = self.athena.get_paginator("get_query_results").paginate(QueryExecutionId=found["QueryExecutionId"])
        rows = [row["Data"] for page in pages for row in page["ResultSet"]["Rows"]]
        return [tuple(value.get("VarCharValue") for value in row) for row in rows[1:]]

    def value(self, sql: str) -> str | None:
        [(found,)] = self.rows(f"select {sql}")
        return found

    def failure(self, sql: str) -> str:
        found = self.run(sql)["Status"]
        assert found["State"] == "FAILED", found
        return str(found["StateChangeReason"])


@pytest.fixture(scope="module")
def opened():
    with AwsServer() as server:
        yield Lab(server)  # making clients takes longer than most tests


@pytest.fixture
def lab(opened):
    lab = opened
    lab.server.reset()
    lab.s3.create_bucket(Bucket="lake", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    lab.glue.create_database(DatabaseInput={"Name": "d"})
    return lab


def parquet(**columns) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


# Queries and their life


def test_awswrangler_reads_an_unloaded_answer_with_null_apart_from_empty_text(lab):
    lab.lines({"i": "bigint", "s": "string"}, '{"i":1,"s":""}', '{"i":2}')
    df = wr.athena.read_sql_query(
        "select * from t",
        database="d",
        ctas_approach=False,
        unload_approach=True,
        s3_output=OUTPUT,
        boto3_session=lab.session,
        athena_query_wait_polling_delay=0.05,
    )
    found = df.sort_values("i", ignore_index=True)
    assert found["i"].tolist() == [1, 2]
    assert found["s"][0] == ""
    assert pd.isna(found["s"][1])


@pytest.mark.filterwarnings("ignore:The copy keyword is deprecated")  # awswrangler 3.17's, with pandas 3
def test_awswrangler_reads_the_csv_of_a_select(lab):
    lab.lines({"i": "bigint", "d": "double"}, '{"i":1,"d":1.5}', '{"i":2}')
    df = wr.athena.read_sql_query(
        "select i, d, timestamp '2026-01-01 00:00:00.123' as ts from t order by i",
        database="d",
        ctas_approach=False,
        s3_output=OUTPUT,
        boto3_session=lab.session,
        athena_query_wait_polling_delay=0.05,
    )
    assert df["i"].tolist() == [1, 2]
    assert df["d"].tolist()[0] == 1.5
    assert pd.isna(df["d"][1])
    assert df["ts"][0] == pd.Timestamp("2026-01-01 00:00:00.123")


def test_a_query_is_queued_runs_and_succeeds(lab):
    lab.server.faults.slow(2)
    identity, states = lab.start("select 1 as x"), []
    while "SUCCEEDED" not in states:
        state = wr.athena.get_query_execution(identity, boto3_session=lab.session)["Status"]["State"]
        states += [state] * (state not in states)
        time.sleep(0.005)
    assert states == ["QUEUED", "RUNNING", "SUCCEEDED"]


def test_an_execution_tells_times_bytes_and_the_engine(lab):
    lab.lines({"i": "bigint"}, '{"i":1}')
    found = lab.run("select i from t", workgroup="primary")
    figures = found["Statistics"]
    assert figures["DataScannedInBytes"] == len('{"i":1}\n')
    assert figures["TotalExecutionTimeInMillis"] >= figures["QueryQueueTimeInMillis"] > 0
    assert {"EngineExecutionTimeInMillis", "QueryPlanningTimeInMillis"} <= set(figures)
    assert figures["ResultReuseInformation"] == {"ReusedPreviousResult": False}
    assert (found["StatementType"], found["WorkGroup"]) == ("DML", "primary")
    assert found["EngineVersion"]["EffectiveEngineVersion"] == "Athena engine version 3"
    assert found["ResultConfiguration"]["OutputLocation"] == f"{OUTPUT}{found['QueryExecutionId']}.csv"


def test_results_come_in_pages_with_types_and_without_a_value_where_it_is_null(lab):
    lab.lines({"i": "bigint", "s": "string"}, *(f'{{"i":{number}}}' for number in range(1200)))
    found = lab.run("select i, s from t order by i")
    first = lab.athena.get_query_results(QueryExecutionId=found["QueryExecutionId"])
    assert len(first["ResultSet"]["Rows"]) == 1000
    assert [each["Type"] for each in first["ResultSet"]["ResultSetMetadata"]["ColumnInfo"]] == ["bigint", "varchar"]
    assert first["ResultSet"]["Rows"][1]["Data"] == [{"VarCharValue": "0"}, {}]
    rest = lab.athena.get_query_results(QueryExecutionId=found["QueryExecutionId"], NextToken=first["NextToken"])
    assert len(rest["ResultSet"]["Rows"]) == 201
    assert "NextToken" not in rest


def test_the_same_token_starts_no_second_query(lab):
    first, second = (lab.start("select 1 as x", client_request_token="t" * 32) for _ in range(2))
    assert first == second
    assert len(lab.server.queries) == 1
    with pytest.raises(ClientError, match="Idempotent"):
        lab.start("select 2 as x", client_request_token="t" * 32)


def test_queries_are_listed_and_described_together(lab):
    identities = [lab.run(f"select {number} as x")["QueryExecutionId"] for number in range(3)]
    assert lab.athena.list_query_executions()["QueryExecutionIds"] == identities[::-1]
    found = lab.athena.batch_get_query_execution(QueryExecutionIds=[*identities, "none"])
    assert [each["Query"] for each in found["QueryExecutions"]] == [f"select {number} as x" for number in range(3)]
    assert found["UnprocessedQueryExecutionIds"][0]["QueryExecutionId"] == "none"


def test_a_stopped_query_ends_cancelled_though_it_computes(lab):
    identity = lab.start(
        "select count(*) as n from unnest(sequence(1, 100000)) as a(x) "
        "cross join unnest(sequence(1, 100000)) as b(y) where x * y % 7 = 3"
    )
    time.sleep(0.3)
    wr.athena.stop_query_execution(identity, boto3_session=lab.session)
    assert lab.server.stopped == [identity]
    state = wr.athena.get_query_execution(identity, boto3_session=lab.session)["Status"]
    assert state["State"] == "CANCELLED"
    thread = lab.server.queries[identity].thread
    thread.join(10)
    assert not thread.is_alive()


def test_a_result_is_reused_where_that_is_asked_for(lab):
    lab.lines({"i": "bigint"}, '{"i":1}')
    reuse = {"ResultReuseByAgeConfiguration": {"Enabled": True, "MaxAgeInMinutes": 5}}
    first, second = (lab.run("select i from t", result_reuse_configuration=reuse) for _ in range(2))
    assert not first["Statistics"]["ResultReuseInformation"]["ReusedPreviousResult"]
    assert second["Statistics"]["ResultReuseInformation"]["ReusedPreviousResult"]
    assert second["Statistics"]["DataScannedInBytes"] == 0


def test_what_is_no_sql_is_refused_at_the_start(lab):
    with pytest.raises(ClientError, match=r"InvalidRequestException.*mismatched input"):
        lab.start("selec 1")


def test_reset_leaves_nothing(lab):
    lab.run("select 1 as x")
    lab.server.faults.fail("no")
    lab.server.reset()
    assert (lab.server.started, lab.server.requests, len(lab.server.faults)) == ([], [], 0)
    assert lab.s3.list_buckets()["Buckets"] == []


# Workgroups


def test_a_workgroup_without_output_location_needs_one_of_the_request(lab):
    with pytest.raises(ClientError, match="No output location provided"):
        lab.athena.start_query_execution(QueryString="select 1 as x")


def test_a_workgroup_that_enforces_its_output_location_overrides_the_request(lab):
    settings = lab.server.workgroups["primary"]["Configuration"]
    settings |= {"EnforceWorkGroupConfiguration": True, "ResultConfiguration": {"OutputLocation": "s3://lake/own/"}}
    found = lab.athena.start_query_execution(
        QueryString="select 1 as x", ResultConfiguration={"OutputLocation": OUTPUT}
    )
    execution = lab.athena.get_query_execution(QueryExecutionId=found["QueryExecutionId"])["QueryExecution"]
    assert execution["ResultConfiguration"]["OutputLocation"].startswith("s3://lake/own/")


def test_a_workgroup_that_manages_results_has_no_output_location(lab):
    lab.server.workgroups["primary"]["Configuration"]["ManagedQueryResultsConfiguration"] = {"Enabled": True}
    found = lab.athena.start_query_execution(QueryString="select 1 as x")["QueryExecutionId"]
    assert lab.athena.get_query_execution(QueryExecutionId=found)["QueryExecution"]["ResultConfiguration"] == {}


def test_the_cutoff_of_a_workgroup_cancels_a_query(lab):
    lab.lines({"i": "bigint"}, '{"i":1}')
    lab.server.workgroups["primary"]["Configuration"]["BytesScannedCutoffPerQuery"] = 3
    found = lab.run("select i from t")["Status"]
    assert (found["State"], found["StateChangeReason"]) == ("CANCELLED", "Bytes scanned limit was exceeded")


def test_workgroups_are_shown_and_an_unknown_one_is_refused(lab):
    lab.server.workgroups["old"] = {**lab.server.workgroups["primary"], "State": "DISABLED"}
    assert [each["Name"] for each in lab.athena.list_work_groups()["WorkGroups"]] == ["old", "primary"]
    with pytest.raises(ClientError, match="is not found"):
        lab.athena.get_work_group(WorkGroup="none")
    with pytest.raises(ClientError, match="disabled"):
        lab.start("select 1 as x", workgroup="old")


# UNLOAD


def unload(sql: str, target: str = "s3://lake/target/") -> str:
    return f"UNLOAD ({sql}) TO '{target}' WITH (format = 'PARQUET', compression = 'SNAPPY')"


def test_unload_writes_several_files_in_no_order(lab):
    lab.lines({"i": "bigint"}, *(f'{{"i":{number}}}' for number in range(100)))
    assert lab.run(unload("select i from t order by i"))["Status"]["State"] == "SUCCEEDED"
    paths = wr.s3.list_objects("s3://lake/target/", boto3_session=lab.session)
    found = wr.s3.read_parquet(paths, boto3_session=lab.session)["i"].tolist()
    assert len(paths) > 1
    assert found != sorted(found)
    assert sorted(found) == list(range(100))


def test_unload_of_nothing_writes_no_file(lab):
    lab.lines({"i": "bigint"}, '{"i":1}')
    assert lab.run(unload("select i from t where i > 1"))["Status"]["State"] == "SUCCEEDED"
    assert wr.s3.list_objects("s3://lake/target/", boto3_session=lab.session) == []


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        (
            "select timestamp '2026-01-01 00:00:00.123456' as ts",
            "NOT_SUPPORTED: Incorrect timestamp precision for timestamp(6); the configured precision is MILLISECONDS",
        ),
        ("select cast('2026-01-01' as timestamp(6)) as ts", "Incorrect timestamp precision for timestamp(6)"),
        ("select 1 as x, 2 as X", "DUPLICATE_COLUMN_NAME: line 1:1: Column name 'x' specified more than once"),
        ("select * from (values (1)) as a (x) cross join (values (1)) as b (x)", "DUPLICATE_COLUMN_NAME"),
        ("select 1", "MISSING_COLUMN_NAME: line 1:1: Column name not specified at position 1"),
        ("select null as x", "NOT_SUPPORTED: Unsupported Hive type: unknown"),
        ("select json_parse('1') as x", "NOT_SUPPORTED: Unsupported Hive type: json"),
    ],
)
def test_unload_refuses_what_parquet_cannot_hold(lab, sql, words):
    assert words in lab.failure(unload(sql))
    assert wr.s3.list_objects("s3://lake/target/", boto3_session=lab.session) == []


def test_unload_takes_milliseconds_decimals_nested_values_and_bytes(lab):
    sql = (
        "select cast('2026-01-01 00:00:00.123' as timestamp(3)) as ts, cast('1.50' as decimal(38, 2)) as dec, "
        "array['a', null] as a, cast(row(1, 'x') as row(n bigint, s varchar)) as r, to_utf8('x') as b, "
        "count_if(true) as n, sum(1) as total"
    )
    assert lab.run(unload(sql))["Status"]["State"] == "SUCCEEDED"
    [path] = wr.s3.list_objects("s3://lake/target/", boto3_session=lab.session)
    bucket, _, key = path.removeprefix("s3://").partition("/")
    table = pq.read_table(io.BytesIO(lab.s3.get_object(Bucket=bucket, Key=key)["Body"].read()))
    [row] = table.to_pylist()
    assert row["ts"] == pd.Timestamp("2026-01-01 00:00:00.123")
    assert str(row["dec"]) == "1.50"
    assert (row["a"], row["r"], row["b"]) == (["a", None], {"n": 1, "s": "x"}, b"x")
    assert (table.schema.field("n").type, table.schema.field("total").type) == (pa.int64(), pa.int64())


def test_unload_refuses_a_target_with_objects(lab):
    lab.put("target/old", "x")
    assert "HIVE_PATH_ALREADY_EXISTS" in lab.failure(unload("select 1 as x"))


# Names


def test_an_unknown_table_is_named(lab):
    assert lab.failure("select * from nope") == (
        "TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.d.nope' does not exist"
    )
    assert "line 2:6: Table 'awsdatacatalog.e.nope'" in lab.failure("select *\nfrom e.nope")


def test_an_unknown_column_is_named_with_its_place(lab):
    lab.lines({"i": "bigint"}, '{"i":1}')
    assert lab.failure("select i,\n  nope from t") == "COLUMN_NOT_FOUND: line 2:3: Column 'nope' cannot be resolved"


def test_a_column_is_not_compared_with_a_literal_of_another_kind(lab):
    lab.table({"i": "bigint"}, {"y=1/a.json": '{"i":1}'}, keys={"y": "string"}, registered=(("1",),))
    assert "TYPE_MISMATCH" in lab.failure("select i from t where y = 1")
    assert "Cannot apply operator: bigint = varchar(1)" in lab.failure("select i from t where i = '1'")
    assert lab.rows("select i from t where y = '1'") == [("1",)]


def test_tables_are_found_whatever_the_case_and_joined_with_themselves(lab):
    lab.lines({"i": "bigint"}, '{"i":1}', '{"i":2}')
    assert lab.rows('select a.I from "d"."T" as a join t as b on a.i = b.i + 1') == [("2",)]


# The SerDes


def test_the_path_is_a_column_that_a_star_leaves_out(lab):
    lab.lines({"i": "bigint"}, '{"i":1}')
    assert lab.rows("select * from t") == [("1",)]
    assert lab.rows('select *, "$path" as p from t') == [("1", "s3://lake/t/a.json")]


def test_hidden_objects_are_passed_over_and_folders_read_through(lab):
    line = '{"i":%d}\n'
    lab.table(
        {"i": "bigint"},
        {
            "a.json": line % 1,
            "_b.json": line % 2,
            ".c.json": line % 3,
            "_d/e.json": line % 4,
            "f/g.json.gz": gzip.compress((line % 5).encode()),
            "h.json": "",
        },
    )
    assert sorted(lab.rows("select i from t")) == [("1",), ("5",)]


def test_a_truncated_gzip_object_fails_the_query(lab):
    lab.table({"i": "bigint"}, {"a.json.gz": gzip.compress(b'{"i":1}\n' * 1000)[:-9]})
    assert lab.failure("select i from t").startswith("HIVE_CURSOR_ERROR: Failed to read file at s3://lake/t/a.json.gz")


def test_a_malformed_line_is_a_row_of_nulls_or_fails_the_query(lab):
    lines = ['{"i":1,"s":"x"}', '{"i":2,"s":']
    lab.lines({"i": "bigint", "s": "string"}, *lines, options={"ignore.malformed.json": "true"})
    assert lab.rows("select i, s from t") == [("1", "x"), (None, None)]
    lab.glue.delete_table(DatabaseName="d", Name="t")
    lab.lines({"i": "bigint", "s": "string"}, *lines)
    assert "HIVE_CURSOR_ERROR: Failed to read file at s3://lake/t/a.json: Row is not a valid JSON Object" in (
        lab.failure("select i, s from t")
    )


# What Trino 435 gives for these lines, with columns n bigint, s string, st struct<pk:struct<s:string>>.
@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('{"N":1,"S":{"B": {"S":"x"}, "a":1.50}}', ("1", '{"B":{"S":"x"},"a":1.50}', None)),
        (
            '{"n":3,"s":{"a":1e2,"b":true,"c":null,"d":[1, 2],"e":-0.0,"f":0.0000001}}',
            ("3", '{"a":1E+2,"b":true,"c":null,"d":[1,2],"e":0.0,"f":1E-7}', None),
        ),
        (
            r'{"n":4,"s":{"z":"ö \u001f \/ \" \n 😀 \ud83d\ude00 </x>"}}',
            ("4", r'{"z":"ö \u001f / \" \n 😀 😀 <\/x>"}', None),
        ),
        ('{"n":5,"s":"x"}{"n":6,"s":"second on the line"}', ("5", "x", None)),
        ('{"n":"17","s":12.50}', ("17", "12.50", None)),
        ('{"n":"abc","s":true}', (None, "true", None)),
        ('{"n":23.7,"s":""}', ("23", "", None)),
        ('{"n":99999999999999999999}', (None, None, None)),
        ('{"n":16,"ST":{"Pk":{"S":"low"}}}', ("16", None, "low")),
        ("{'n':25,s:bare}", ("25", "bare", None)),
        ('{"n":0x1f,"s":[1,,2]}', ("31", "[1,null,2]", None)),
        ('{"n":1,"s":"tab\traw"}', ("1", "tab\traw", None)),
        ('{"n":1,"s":"\\ud83d x"}', ("1", "? x", None)),
        ("not json", (None, None, None)),
        ("", (None, None, None)),
    ],
)
def test_openx_reads_a_line_as_trino_does(lab, line, found):
    lab.lines({"n": "bigint", "s": "string", "st": "struct<pk:struct<s:string>>"}, line)
    assert lab.rows("select n, s, st.pk.s from t") == [found]


@pytest.mark.parametrize("line", ['{"st":"text"}', '{"n":[1]}', '{"n":{"a":1}}', '{"st":{"pk":"scalar"}}'])
def test_openx_fails_on_a_value_of_another_shape(lab, line):
    lab.lines({"n": "bigint", "st": "struct<pk:struct<s:string>>"}, line, options={"ignore.malformed.json": "true"})
    assert "HIVE_CURSOR_ERROR" in lab.failure("select n, st from t")


def test_openx_takes_names_that_differ_by_case_for_a_duplicate_key(lab):
    lab.lines({"n": "bigint"}, '{"n":1,"x":{"Id":1,"id":2}}')
    assert 'Duplicate key "id"' in lab.failure("select n from t")


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ('{"N":1,"s":12.50,"St":{"pk":{"S":"x"}}} trailing', ("1", "12.50", "x")),
        ('{"n":23.7,"s":true}', ("23", "true", None)),
        ('{"n":1,"n":2}', ("2", None, None)),
    ],
)
def test_hive_json_reads_a_line_as_trino_does(lab, line, found):
    lab.lines({"n": "bigint", "s": "string", "st": "struct<pk:struct<s:string>>"}, line, serde=HIVE)
    assert lab.rows("select n, s, st.pk.s from t") == [found]


@pytest.mark.parametrize("line", ['{"s":{"a":1}}', '{"n":"17"}', "not json", "", '{"n":1'])
def test_hive_json_fails_on_what_does_not_fit(lab, line):
    lab.lines({"n": "bigint", "s": "string"}, line, serde=HIVE)
    assert lab.failure("select n, s from t").startswith("HIVE_CURSOR_ERROR: Failed to read file at s3://lake/t/a.json")


def test_parquet_is_read_by_name_whatever_the_case_with_milliseconds(lab):
    body = parquet(
        Id=pa.array([1, None], pa.int64()),
        gone=["x", "y"],
        S=["", None],
        TS=pa.array([1_767_323_045_678_900, None], pa.timestamp("us")),
        st=pa.array([{"Pk": {"S": "x"}}, None]),
        l=pa.array([["a", None], None]),
    )
    lab.table(
        {
            "s": "string",
            "id": "bigint",
            "ts": "timestamp",
            "st": "struct<pk:struct<s:string>>",
            "l": "array<string>",
            "other": "string",
        },
        {"a.parquet": body},
        serde=PARQUET,
    )
    assert lab.rows(
        "select id, s, cast(ts as varchar), st.pk.s, array_join(l, ',', '~'), other from t order by id"
    ) == [("1", "", "2026-01-02 03:04:05.679", "x", "a,~", None), (None,) * 6]


def test_parquet_of_another_type_is_bad_data(lab):
    lab.table({"id": "string"}, {"a.parquet": parquet(id=[1])}, serde=PARQUET)
    assert lab.failure("select id from t").startswith("HIVE_BAD_DATA: Field id's type INT64")


def test_the_types_of_glue_are_read(lab):
    line = (
        '{"d":1234567890123456789012345678.12345678905,"m":{"A":1},"dt":"2026-01-02","a":[{"X":1}],"bi":"eA==",'
        '"f":1.1,"sm":70000,"b":"TRUE","ts":"2026-01-02T03:04:05.6789Z","o":"2026-01-02 03:04:05+0200"}'
    )
    lab.lines(
        {
            "d": "decimal(38,10)",
            "m": "map<string,int>",
            "dt": "date",
            "a": "array<struct<x:int>>",
            "bi": "binary",
            "f": "float",
            "sm": "smallint",
            "b": "boolean",
            "ts": "timestamp",
            "o": "timestamp",
        },
        line,
    )
    sql = (
        "select cast(d as varchar), m['A'], dt, a[1].x, to_hex(bi), cast(f as varchar), sm, b, "
        "cast(ts as varchar), cast(o as varchar) from t"
    )
    assert lab.rows(sql) == [
        (
            "1234567890123456789012345678.1234567891",
            "1",
            "2026-01-02",
            "1",
            "78",
            "1.1E0",
            None,
            "true",
            "2026-01-02 03:04:05.679",
            "2026-01-02 01:04:05.000",
        )
    ]


def test_a_large_log_is_read_once_and_again_from_memory(lab, monkeypatch):
    reads, read = [], serde.read
    monkeypatch.setattr(serde, "read", lambda *given: reads.append(given) or read(*given))
    image = {f"attribute{number}": {"S": "x" * 60} for number in range(20)}
    line = json.dumps({"eventid": "e", "dynamodb": {"NewImage": image, "SizeBytes": 7}})
    lab.lines({"eventid": "string", "dynamodb": "struct<newimage:string,sizebytes:bigint>"}, *[line] * 20_000)
    for _ in range(2):
        assert lab.rows("select count(*), sum(length(dynamodb.newimage)) from t")[0][0] == "20000"
        assert len(reads) == 1


# Partitions


def test_only_the_partitions_that_the_condition_lets_through_are_read(lab):
    keys, values = {"year": "string", "month": "int"}, (("2025", "12"), ("2026", "1"), ("2026", "2"))
    lab.table(
        {"i": "bigint"},
        {f"year={year}/month={month}/a.json": f'{{"i":{month}}}\n' for year, month in values},
        keys=keys,
        registered=values,
    )
    size = len('{"i":1}\n')
    for condition, months in [
        ("year = '2026'", {"1", "2"}),
        ("year >= '2026' and month > 1", {"2"}),
        ("(year = '2025' or month = 1) and i > 1", {"12"}),
        ("true", {"1", "2", "12"}),
        ("year = '2024'", set()),
    ]:
        found = lab.run(f"select month from t where {condition}")
        read = 2 if "or month" in condition else len(months)
        assert found["Statistics"]["DataScannedInBytes"] in (read * size, read * size + 1), condition
        assert {month for (month,) in lab.rows(f"select month from t where {condition}")} == months


def test_an_object_that_is_not_read_does_no_harm(lab):
    lab.table(
        {"i": "bigint"},
        {"dt=1/a.json": '{"i":1}', "dt=2/a.json": "{"},
        keys={"dt": "string"},
        registered=(("1",), ("2",)),
    )
    assert lab.rows("select i from t where dt = '1'") == [("1",)]
    assert "HIVE_CURSOR_ERROR" in lab.failure("select i from t where i = 1")


def test_a_projection_reads_what_is_in_its_range_and_written_in_its_form(lab):
    parameters = {
        "projection.enabled": "true",
        "projection.year.type": "integer",
        "projection.year.range": "2025,2026",
        "projection.month.type": "integer",
        "projection.month.range": "1,12",
        "projection.month.digits": "2",
        "storage.location.template": "s3://lake/t/${year}/${month}/",
    }
    places = ["2025/12", "2026/01", "2026/1", "2027/01", "2026/13", "other"]
    lab.table(
        {"i": "bigint"},
        {f"{place}/a.json": '{"i":1}' for place in places},
        parameters=parameters,
        keys={"year": "int", "month": "string"},
        registered=(("2027", "01"),),
    )
    assert sorted(lab.rows("select year, month from t")) == [("2025", "12"), ("2026", "01")]
    assert lab.run("select i from t where year = 2026")["Statistics"]["DataScannedInBytes"] == len('{"i":1}')


def test_a_projection_of_dates_ends_now(lab):
    parameters = {
        "projection.enabled": "true",
        "projection.dt.type": "date",
        "projection.dt.format": "yyyy/MM/dd/HH",
        "projection.dt.range": "2026/01/01/00,NOW",
        "projection.dt.interval.unit": "HOURS",
        "projection.kind.type": "enum",
        "projection.kind.values": "a,b",
        "storage.location.template": "s3://lake/t/${kind}/${dt}",
    }
    places = ["a/2026/01/02/03", "b/2026/01/02/03", "c/2026/01/02/03", "a/2025/01/02/03", "a/9999/01/01/00"]
    lab.table(
        {"i": "bigint"},
        {f"{place}/x.json": '{"i":1}' for place in places},
        parameters=parameters,
        keys={"kind": "string", "dt": "string"},
    )
    assert sorted(lab.rows("select kind, dt from t")) == [("a", "2026/01/02/03"), ("b", "2026/01/02/03")]


def test_an_injected_partition_must_be_named(lab):
    parameters = {"projection.enabled": "true", "projection.id.type": "injected"}
    lab.table({"i": "bigint"}, {"id=x/a.json": '{"i":1}'}, parameters=parameters, keys={"id": "string"})
    assert "CONSTRAINT_VIOLATION" in lab.failure("select i from t")
    assert lab.rows("select i from t where id = 'x'") == [("1",)]


def test_parquet_scans_the_columns_in_use(lab):
    body = parquet(i=list(range(1000)), s=[f"text {number}" for number in range(1000)])
    lab.table({"i": "bigint", "s": "string"}, {"a.parquet": body}, serde=PARQUET)
    one, all_ = (lab.run(f"select {columns} from t")["Statistics"]["DataScannedInBytes"] for columns in ("i", "*"))
    assert 0 < one < all_ == len(body)


# Trino's semantics; each value is what Trino 435 gives


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        (
            r"""json_format(json_parse('{"b":1.0,"a":"ö \u001f \/ 😀","c":[1e2, null]}'))""",
            r'{"a":"ö \u001F / \uD83D\uDE00","b":1.0,"c":[100.0,null]}',
        ),
        ("""json_format(json_parse('{"a":1,"a":2}'))""", '{"a":2}'),
        ("""json_format(json_parse('{"😀":1,"ﬀ":2,"B":3}'))""", '{"B":3,"\\uD83D\\uDE00":1,"ﬀ":2}'),
        ("json_format(try(json_parse('{')))", None),
        ("json_format(cast('a\"b' as json))", r'"a\"b"'),
        ("json_format(cast(transform(array['b'], m -> cast(m as varchar)) as json))", '["b"]'),
        ("""json_extract_scalar('{"*":{"S":1.50},"q":{}}', '$["*"]["S"]')""", "1.50"),
        ("""json_extract_scalar('{"a":{}}', '$.a')""", None),
        ("array_join(array['a', null, 'b'], ',')", "a,b"),
        ("array_join(array_sort(array['b', null, 'a']), ',', '~')", "a,b,~"),
        ("array_join(array_distinct(array['b', null, 'a', 'b', null]), ',', '~')", "b,~,a"),
        ("cast(contains(array['a', null], 'b') as varchar)", None),
        ("array_join(regexp_extract_all('a1,b2', '([a-z])([0-9])', 2), '|')", "1|2"),
        ("regexp_extract('abc', 'z')", None),
        ("regexp_extract('xay', '(x)(z)?a', 2)", None),
        ("cast(regexp_like('a' || chr(10), 'a$') as varchar)", "true"),
        ("regexp_replace('abc', '(b)', '[$1]')", "a[b]c"),
        ("cast(double '1.0' as varchar)", "1.0E0"),
        ("cast(double '123456789.125' as varchar)", "1.23456789125E8"),
        ("cast(decimal '1.50' as varchar)", "1.50"),
        ("cast(timestamp '2026-11-18 12:00:00.123456' as varchar)", "2026-11-18 12:00:00.123456"),
        ("cast(timestamp '2026-11-18 12:00:00.120000' as varchar)", "2026-11-18 12:00:00.120000"),
        ("cast(cast('2026-11-18 12:00' as timestamp) as varchar)", "2026-11-18 12:00:00.000"),
        ("cast(try_cast('2026-01-01T00:00:00' as timestamp(6)) as varchar)", None),
        ("cast(try_cast('1.5' as bigint) as varchar)", None),
        ("cast(try_cast('nan' as double) as varchar)", None),
        ("cast(cast(double '2.5' as bigint) as varchar)", "3"),
        (
            "cast(cast(from_unixtime_nanos(1700000000123456789) at time zone 'UTC' as timestamp(6)) as varchar)",
            "2023-11-14 22:13:20.123457",
        ),
        ("cast(7 / 2 as varchar)", "3"),
        ("cast(-7 / 2 as varchar)", "-3"),
        ("cast(try(1 / 0) as varchar)", None),
        ("greatest('a', null)", None),
        ("split_part('a,b', ',', 3)", None),
        ("cast(date_diff('day', timestamp '2026-01-01 12:00:00', timestamp '2026-01-02 11:00:00') as varchar)", "0"),
        ("from_utf8(from_base64('eA'))", "x"),
        ("to_hex(from_base64(to_base64(to_utf8('ü'))))", "C3BC"),
        ("from_utf8(from_base64('/w=='))", "\ufffd"),
        ("to_hex(md5(to_utf8('x')))", "9DD4E461268C8034F5C8564E155C67A6"),
        ("to_hex(xxhash64(to_utf8('')))", "EF46DB3751D8E999"),
        ("cast(crc32(to_utf8('x')) as varchar)", "2363233923"),
        ("lpad('7', 2, '0')", "07"),
        ("array_join(map_keys(map(array['a', 'b'], array[1, 2])), ',')", "a,b"),
        ("cast(element_at(map(array['a'], array[1]), 'z') as varchar)", None),
        ("cast(cardinality(map(array['a'], array[1])) as varchar)", "1"),
        ("max_by(x, y) from (values (null, 2), ('a', 1)) as v (x, y)", None),
        ("array_join(max_by(x, y, 2), ',', '~') from (values (null, 2), ('a', 1)) as v (x, y)", "~,a"),
    ],
)
def test_a_value_is_the_one_trino_gives(lab, sql, found):
    assert lab.value(sql) == found


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("select json_parse('{') as x", "INVALID_FUNCTION_ARGUMENT: Cannot convert value to JSON: '{'"),
        ("select cast('1.5' as bigint) as x", "INVALID_CAST_ARGUMENT: Cannot cast '1.5' to BIGINT"),
        ("select cast('abc' as timestamp) as x", "INVALID_CAST_ARGUMENT: Value cannot be cast to timestamp: abc"),
        ("select 1 / 0 as x", "DIVISION_BY_ZERO: Division by zero"),
        ("select nope(1) as x", "FUNCTION_NOT_FOUND: line 1:1: Function 'nope' not registered"),
    ],
)
def test_what_trino_refuses_fails_in_its_words(lab, sql, words):
    assert lab.failure(sql) == words


# Faults


def test_a_throttled_start_is_tried_again_by_botocore(lab):
    lab.server.faults.throttle(2, code="TooManyRequestsException")
    assert lab.run("select 1 as x")["Status"]["State"] == "SUCCEEDED"
    assert lab.server.requests.count(("athena", "StartQueryExecution")) == 3
    assert len(lab.server.started) == 1


@pytest.mark.parametrize("retryable", [True, False])
def test_a_query_fails_for_a_reason_and_says_whether_to_try_again(lab, retryable):
    lab.server.faults.fail("GENERIC_INTERNAL_ERROR: no luck", retryable=retryable)
    found = lab.run("select 1 as x")["Status"]
    assert (found["State"], found["StateChangeReason"]) == ("FAILED", "GENERIC_INTERNAL_ERROR: no luck")
    assert found["AthenaError"]["Retryable"] is retryable
    assert found["AthenaError"]["ErrorMessage"] == "GENERIC_INTERNAL_ERROR: no luck"
    assert found["AthenaError"]["ErrorCategory"] == (1 if retryable else 2)
    assert lab.run("select 1 as x")["Status"]["State"] == "SUCCEEDED"


def test_a_query_is_cancelled(lab):
    lab.server.faults.cancel("Query cancelled by an administrator")
    assert lab.run("select 1 as x")["Status"]["State"] == "CANCELLED"


@pytest.mark.parametrize(
    ("service", "operation", "call"),
    [
        ("athena", "GetQueryExecution", lambda client: client.get_query_execution(QueryExecutionId="x")),
        ("s3", "GetObject", lambda client: client.get_object(Bucket="lake", Key="x")),
        ("sts", "GetCallerIdentity", lambda client: client.get_caller_identity()),
        ("dynamodb", "ListTables", lambda client: client.list_tables()),
    ],
)
def test_credentials_expire_for_one_operation_of_any_protocol(lab, service, operation, call):
    lab.server.faults.expire(operation)
    with pytest.raises(ClientError) as raised:
        call(lab.session.client(service))
    assert raised.value.response["Error"]["Code"].startswith("ExpiredToken")
    assert lab.s3.list_buckets()["Buckets"]


def test_a_slow_query_runs_until_it_is_stopped(lab):
    lab.server.faults.slow(3600)  # longer than any test may take
    identity = lab.start("select 1 as x")
    threading.Timer(0.2, lambda: lab.athena.stop_query_execution(QueryExecutionId=identity)).start()
    with pytest.raises(wr.exceptions.QueryCancelled):
        wr.athena.wait_query(identity, boto3_session=lab.session, athena_query_wait_polling_delay=0.05)
    assert lab.server.stopped == [identity]


def test_objects_under_a_prefix_are_denied(lab):
    lab.put("output/x", "x")
    lab.server.faults.deny("s3://lake/output/")
    with pytest.raises(ClientError, match="AccessDenied"):
        lab.s3.get_object(Bucket="lake", Key="output/x")
    lab.put("other/x", "x")
    assert lab.s3.get_object(Bucket="lake", Key="other/x")["Body"].read() == b"x"


def test_a_result_object_is_truncated(lab):
    lab.server.faults.truncate("s3://lake/target/")
    lab.run(unload("select 1 as x"))
    with pytest.raises((pa.ArrowInvalid, OSError)):
        wr.s3.read_parquet("s3://lake/target/", boto3_session=lab.session)


def test_requests_are_counted_by_service_and_operation(lab):
    lab.put("a", "x")
    lab.s3.list_objects_v2(Bucket="lake")
    lab.session.client("dynamodb").list_tables()
    lab.session.client("sts").get_caller_identity()
    lab.session.client("kms").list_keys()
    lab.session.client("firehose").list_delivery_streams()
    lab.session.client("kinesis").list_streams()
    lab.session.client("cloudwatch").list_metrics()
    assert lab.server.requests[-8:] == [
        ("s3", "PutObject"),
        ("s3", "ListObjectsV2"),
        ("dynamodb", "ListTables"),
        ("sts", "GetCallerIdentity"),
        ("kms", "ListKeys"),
        ("firehose", "ListDeliveryStreams"),
        ("kinesis", "ListStreams"),
        ("monitoring", "ListMetrics"),
    ]
    assert lab.session.client("sts").get_caller_identity()["Account"] == "123456789012"
