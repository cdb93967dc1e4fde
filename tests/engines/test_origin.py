"""Where a change was made: its Region and account, in every layout, and as NULL where a record does not tell."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.helpers.logs import record, write_log
from workbench.config import load_settings
from workbench.engines.duckdb import DuckDBEngine
from workbench.log.objects import PARQUET
from workbench.model.records import ORIGIN, canonical_change

MICROS = 1_760_000_000_000_000
ARN = "arn:aws:dynamodb:eu-west-1:123456789012:table/things/stream/2026-01-01T00:00:00.000"
TOLD = [
    ({}, ("eu-central-1", None)),
    ({"awsRegion": None}, (None, None)),
    ({"eventSourceARN": ARN}, ("eu-central-1", "123456789012")),
    ({"awsRegion": None, "eventSourceARN": ARN}, ("eu-west-1", "123456789012")),
    ({"awsRegion": 5, "eventSourceARN": "arn:aws:s3:::bucket"}, (None, None)),
    ({"awsRegion": {"a": 1}, "eventSourceARN": [ARN]}, (None, None)),
    ({"awsRegion": True, "eventSourceARN": "arn:aws:dynamodb:::table/things"}, (None, None)),
]


def inserted(key: str = "a", **more):
    image = {"pk": {"S": key}, "n": {"N": "1"}}
    return record("INSERT", {"pk": {"S": key}}, MICROS, new=image, event_id=f"e-{key}") | more


def origins(folder):
    """What the engine's readers tell of each change, in the order of the keys."""
    engine = DuckDBEngine(load_settings(source=str(folder), checkpoints="off"))
    deliveries, _ = engine._whole("things")
    rows = engine._con.sql(f"select keys, aws_region, account_id from {deliveries} order by keys").to_arrow_table()
    return [tuple(row[name] for name in ORIGIN) for row in rows.to_pylist()]


@pytest.mark.parametrize(("more", "expected"), TOLD)
def test_a_record_tells_its_region_and_where_it_has_a_streams_arn_its_account(more, expected, tmp_path):
    assert tuple(canonical_change(inserted(**more))[name] for name in ORIGIN) == expected
    assert canonical_change(canonical_change(inserted(**more))) == canonical_change(inserted(**more))
    for layout in ("raw", "joined", "envelope", "parquet"):
        write_log(tmp_path / layout, [inserted(**more)], layout)
        assert origins(tmp_path / layout) == [expected], layout
    tmp_path.joinpath("slow.json").write_text(json.dumps(inserted(**more)) + "\nno JSON\n")
    assert origins(tmp_path / "slow.json") == [expected], "read line by line"


@pytest.mark.parametrize("layout", ["envelope", "parquet"])
def test_envelopes_without_the_columns_are_envelopes_beside_those_that_have_them(layout, tmp_path):
    old = {name: value for name, value in canonical_change(inserted("a")).items() if name not in ORIGIN}
    if layout == "parquet":
        schema = pa.schema([field for field in PARQUET if field.name not in ORIGIN])
        tmp_path.joinpath("old").mkdir()
        pq.write_table(pa.Table.from_pylist([old], schema=schema), tmp_path / "old" / "old.parquet")
    else:
        write_log(tmp_path / "old", [old], "raw")
    assert origins(tmp_path / "old") == [(None, None)]
    write_log(tmp_path, [inserted("b", eventSourceARN=ARN)], layout)
    assert origins(tmp_path) == [(None, None), ("eu-central-1", "123456789012")]
