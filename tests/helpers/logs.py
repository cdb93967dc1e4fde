"""Small change logs made in the test: records, and folders of them in any layout."""

from __future__ import annotations

import gzip
import json
import uuid
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from workbench.log.objects import PARQUET
from workbench.model.records import canonical_change


def record(
    event: str,
    key: dict[str, Any],
    micros: int,
    *,
    new: dict | None = None,
    old: dict | None = None,
    event_id: str | None = None,
    table: str = "things",
    ttl: bool = False,
    millis: bool = False,
) -> dict[str, Any]:
    """A record as Kinesis Data Streams for DynamoDB writes it, without its precision field when in milliseconds."""
    change: dict[str, Any] = {"ApproximateCreationDateTime": micros // 1000 if millis else micros, "Keys": key}
    if not millis:
        change["ApproximateCreationDateTimePrecision"] = "MICROSECOND"
    change |= {"NewImage": new} if new is not None else {}
    change |= {"OldImage": old} if old is not None else {}
    return {
        "awsRegion": "eu-central-1",
        "eventID": event_id or str(uuid.uuid4()),
        "eventName": event,
        "userIdentity": {"type": "Service", "principalId": "dynamodb.amazonaws.com"} if ttl else None,
        "recordFormat": "application/json",
        "tableName": table,
        "dynamodb": change | {"SizeBytes": 10},
        "eventSource": "aws:dynamodb",
    }


def write_log(folder: Path, records: Iterable[dict[str, Any]], layout: str = "raw", name: str = "object") -> Path:
    """Write raw records as one object of a layout: raw, joined (no newlines), envelope, parquet or flat."""
    folder.mkdir(parents=True, exist_ok=True)
    records = list(records)
    if layout == "parquet":
        rows = [canonical_change(row) for row in records]
        pq.write_table(pa.Table.from_pylist(rows, schema=PARQUET), folder / f"{name}.parquet")
        return folder
    shape = {"envelope": canonical_change, "flat": flat}.get(layout, lambda row: row)
    lines = [json.dumps(shape(row), ensure_ascii=False) for row in records]
    text = "".join(lines) if layout == "joined" else "".join(line + "\n" for line in lines)
    if layout == "joined":
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
    else:
        (folder / f"{name}.json.gz").write_bytes(gzip.compress(text.encode()))
    return folder


def flat(row: dict[str, Any]) -> dict[str, Any]:
    """A single-level row of texts and numbers, as a flattening Lambda would write it."""
    change = canonical_change(row)
    image = json.loads(change["new_image"] or change["old_image"] or change["keys"])
    plain = {name: next(iter(value.values())) for name, value in image.items()}
    return {name: change[name] for name in ("event_id", "event_name", "table_name", "ts", "keys", "by_ttl")} | plain


def micros(text: str) -> int:
    """Microseconds since 1970 of an instant."""
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


def chain(
    key: dict[str, Any], states: Sequence[tuple[int, dict | None]], ids: Sequence[str] | None = None, **more: Any
):
    """Records that take one item from state to state: (microseconds, image or None)."""
    old, made = None, []
    for number, (at, new) in enumerate(states):
        event = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
        made.append(record(event, key, at, new=new, old=old, event_id=ids[number] if ids else None, **more))
        old = new
    return made
