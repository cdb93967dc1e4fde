"""Turns the change records Firehose sends into the lines it stores (standard library and `records.py` only).

`MODE` in the environment says how a line looks:

- ``envelope``: the columns of `workbench.model.records.COLUMNS`, keys and images as texts of canonical DynamoDB JSON;
- ``newline``: the record as it came, once it is known to be one, and a line feed;
- ``flat``: the event's metadata and one plain column an attribute, those of maps with dotted names;
- ``iceberg``: the columns of ``envelope``, the time in microseconds since 1970, as Firehose wants it for a table of
  Iceberg, which takes one object a record: https://docs.aws.amazon.com/firehose/latest/dev/apache-iceberg-destination-supp.html

With `FOLDERS` = ``log`` in the environment a record is answered with the name of its table's log, too: Firehose writes
it to that log's folder, which needs nobody to have told of the table.
https://docs.aws.amazon.com/firehose/latest/dev/dynamic-partitioning-partitioning-keys.html

A record that cannot be read is answered ProcessingFailed: Firehose stores it, as it came, under the error prefix, and
the others go their way. Firehose allows 6 MB of response, and sends a batch that got a larger one again and again:
https://docs.aws.amazon.com/firehose/latest/dev/data-transformation.html. Records that would not fit fail likewise.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from workbench.errors import RecordRefused
from workbench.model.records import (
    METADATA,
    canonical_change,
    layout_of_record,
    log_name,
    parse_objects,
    plain_name,
    table_name,
)

LARGEST_RESPONSE = 6_000_000
"""Bytes; Lambda's limit is 6 MB, as 6 * 1024 * 1024."""
NAMED_FAILURES = 20
"""So many failures, and reasons, are named in the log; the rest of a batch is counted."""
LONGEST_REASON = 200
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# Names of an attribute that would be read as a result's own, or as those of another layout, beside METADATA's.
_TAKEN = frozenset({"_changed_at", "_deleted_at", "_by_ttl", "dynamodb", "new_image", "old_image"})
_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def handler(event: Mapping[str, Any], context: object) -> dict[str, list[dict[str, Any]]]:
    """Answer every record of a batch, in its order, and log one line that says how many failed, and why."""
    write, by_log = LINES[os.environ.get("MODE", "envelope")], os.environ.get("FOLDERS") == "log"
    answers: list[dict[str, Any]] = [
        {"recordId": record["recordId"], "result": "ProcessingFailed"} for record in event["records"]
    ]
    spare = LARGEST_RESPONSE - 20 - sum(len(_text(answer)) + 3 for answer in answers)
    failures: list[tuple[str, str]] = []
    for record, answer in zip(event["records"], answers, strict=True):
        try:
            tables: set[str] | None = set() if by_log else None
            done: dict[str, Any] = {
                "result": "Ok",
                "data": base64.b64encode(transform(record.get("data"), write, tables)).decode(),
            }
            if tables:
                done["metadata"] = {"partitionKeys": {"log": _log_of(tables)}}
            size = len(done["data"]) + (len(_text(done["metadata"])) + 12 if tables else 0)
            if size > spare:
                raise RecordRefused(f"no room for it in a response of {LARGEST_RESPONSE:,} bytes")
            spare -= size
            answer |= done
        except Exception as error:  # whatever it is, the rest of the batch is not lost for it
            why = str(error) if isinstance(error, RecordRefused) else f"{type(error).__name__}: {error}"
            failures.append((record["recordId"], why[:LONGEST_REASON]))
    _log(event, failures)
    return {"records": answers}


def transform(data: object, write: Any, tables: set[str] | None = None) -> bytes:
    """Write the lines of one record, which holds one change, or, where they were joined on the way, several.

    The tables that the changes are of are added to `tables`, where that is given.
    """
    try:
        text = base64.b64decode(str(data), validate=True).decode("utf-8")
    except (binascii.Error, ValueError) as error:
        raise RecordRefused(f"not UTF-8 text in base64: {error}") from error
    lines = []
    for value in parse_objects(text):
        if isinstance(value, RecordRefused):
            raise value
        lines.append(write(value, text))
        if tables is not None:
            is_raw = layout_of_record(value) == "raw"  # else it is a row, whose table is the one it will be read as
            tables.add(table_name(value) if is_raw else canonical_change(value)["table_name"])
    if not lines:
        raise RecordRefused("empty")
    if write is _newline:
        return text.strip().encode() + b"\n"
    if write is _iceberg and len(lines) > 1:
        raise RecordRefused(f"{len(lines)} changes in one record: a row of Iceberg is one")
    return "".join(f"{line}\n" for line in lines).encode()


def _log_of(tables: set[str]) -> str:
    if len(logs := {log_name(table) for table in tables}) > 1:
        raise RecordRefused(f"changes of several tables in one record: {', '.join(sorted(tables))}")
    return logs.pop()


def _envelope(value: Any, text: str) -> str:
    return _text(canonical_change(value))


def _iceberg(value: Any, text: str) -> str:
    change = canonical_change(value)
    since = datetime.fromisoformat(f"{change['ts']}+00:00") - _EPOCH
    return _text(change | {"ts": since // timedelta(microseconds=1)})


def _newline(value: Any, text: str) -> str:
    canonical_change(value)  # or raises
    return text


def _flat(value: Any, text: str) -> str:
    change = canonical_change(value)
    metadata = ("event_id", "event_name", "table_name", "ts", "keys", "size_bytes", "by_ttl")
    columns = {name: _text(change[name]) for name in metadata if change[name] is not None}
    untold: dict[str, Any] = {}
    for path, attribute in _attributes(json.loads(change["new_image"] or change["old_image"] or change["keys"])):
        name = column_name(path)
        columns[name] = _plain(attribute)
        if not _tells(attribute):
            untold[name] = attribute
    if untold:  # the values whose type plain JSON has no way to say
        columns["attribute_values"] = _text(_text(untold))
    return "{" + ",".join(f"{_text(name)}:{written}" for name, written in columns.items()) + "}"


LINES = {"envelope": _envelope, "newline": _newline, "flat": _flat, "iceberg": _iceberg}


def column_name(path: tuple[str, ...]) -> str:
    """Join the names of an attribute path as `workbench.model.attribute_paths` does; quote names of metadata."""
    return ".".join(_quoted(name, top=len(path) == 1) for name in path)


def _quoted(name: str, *, top: bool) -> str:
    taken = top and (name in _TAKEN or plain_name(name) in METADATA)
    if name and not taken and not set(name) & {".", '"', "["}:
        return name
    return '"' + name.replace('"', '""') + '"'


def _attributes(image: Mapping[str, Any], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for name, value in image.items():
        if value.get("M"):
            yield from _attributes(value["M"], (*above, name))
        else:
            yield (*above, name), value


def _plain(value: Mapping[str, Any]) -> str:
    """Write an attribute's value as plain JSON: numbers with all their digits, sets as lists, binary as base64."""
    ((kind, inner),) = value.items()
    if kind == "N":
        return str(inner)
    if kind == "NULL":
        return "null"
    if kind == "NS":
        return "[" + ",".join(inner) + "]"
    if kind == "L":
        return "[" + ",".join(map(_plain, inner)) + "]"
    if kind == "M":
        return "{" + ",".join(f"{_text(name)}:{_plain(each)}" for name, each in inner.items()) + "}"
    return _text(inner)


def _tells(value: Mapping[str, Any], *, inside: bool = False) -> bool:
    """Whether plain JSON says what the value is: it has no sets and no binary, and a null column is an absent one."""
    ((kind, inner),) = value.items()
    if kind in ("L", "M"):
        return all(_tells(each, inside=True) for each in (inner if kind == "L" else inner.values()))
    return kind in ("S", "N", "BOOL") or (kind == "NULL" and inside and inner is True)


def _log(event: Mapping[str, Any], failures: list[tuple[str, str]]) -> None:
    line: dict[str, Any] = {
        "level": "WARN" if failures else "INFO",
        "message": "transformed",
        "records": len(event["records"]),
        "failed": len(failures),
        "stream": str(event.get("sourceKinesisStreamArn", "")).rpartition("/")[2],
    }
    if failures:
        line["reasons"] = dict(Counter(reason for _, reason in failures).most_common(NAMED_FAILURES))
        line["failures"] = [{"recordId": name, "reason": why} for name, why in failures[:NAMED_FAILURES]]
    print(json.dumps(line, ensure_ascii=False))
