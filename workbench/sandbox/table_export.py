"""What DynamoDB's export to S3 does: writes the items a table holds at one moment, with manifests, into a folder.

The form is that of "DynamoDB table export output format"
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html).
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import os
import sqlite3
import time
import uuid
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, nullcontext
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import orjson

from workbench.errors import StoreError
from workbench.paths import write_atomically
from workbench.sandbox.item_store import ItemStore, connect

_MILLISECOND = timedelta(milliseconds=1)


def export_table(store: ItemStore, table: str, folder: Path, *, files: int = 2) -> Path:
    """Write a full export of a table to ``AWSDynamoDB/EXPORT-ID`` in a folder, and return that path.

    Every file is written under a temporary name and then renamed, the summary last: an export that was
    broken off has no ``manifest-summary.json``, as one that has not finished.

    Parameters
    ----------
    files
        Data files to spread the items over, by their partition key.

    Raises
    ------
    StoreError
        Where there is no such table, or the files cannot be written.
    """
    partition_key, *_ = store.key_names(table)
    if files < 1:
        raise StoreError(f"table {table!r}: an export has 1 data file or more, not {files}")
    began = datetime.now(UTC)
    export_id = f"{int(began.timestamp() * 1000):014d}-{uuid.uuid4().hex[:8]}"
    key = f"AWSDynamoDB/{export_id}"
    made = folder / key
    try:
        (made / "data").mkdir(parents=True)
        (made / "_started").touch()
        with _snapshot(store) as (reader, moment):
            entries, size = _write_items(reader, table, partition_key, made / "data", files)
        arn = f"arn:aws:dynamodb:local:000000000000:table/{table}"
        summary = {
            "version": "2020-06-30",
            "exportArn": f"{arn}/export/{export_id}",
            "startTime": _text(began),
            "endTime": _text(datetime.now(UTC)),
            "tableArn": arn,
            "tableId": str(uuid.uuid5(uuid.NAMESPACE_URL, arn)),
            "exportTime": _text(moment),
            "s3Bucket": "local",
            "s3Prefix": None,
            "s3SseAlgorithm": None,
            "s3SseKmsKeyId": None,
            "manifestFilesS3Key": f"{key}/manifest-files.json",
            "billedSizeBytes": size,
            "itemCount": sum(entry["itemCount"] for entry in entries),
            "outputFormat": "DYNAMODB_JSON",
        }
        lines = [json.dumps(entry | {"dataFileS3Key": f"{key}/data/{entry['dataFileS3Key']}"}) for entry in entries]
        _write_manifest(made / "manifest-files.json", "".join(line + "\n" for line in lines))
        _write_manifest(made / "manifest-summary.json", json.dumps(summary))
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"table {table!r} could not be exported to {folder}: {error}") from error
    return made


@contextmanager
def _snapshot(store: ItemStore) -> Iterator[tuple[sqlite3.Connection, datetime]]:
    """Give a connection that sees what is stored now, and the millisecond with which that ended.

    Every change up to then is seen and every later one is not: writers are held up until it is over, and
    no longer.
    """
    if store._db.in_transaction:
        raise StoreError("an export cannot be made within a bulk write: make it after")
    _, _, path = store._db.execute("pragma database_list").fetchone()
    with closing(connect(Path(path))) as reader:
        with nullcontext() if store.read_only else store._transaction():
            reader.execute("begin")
            reader.execute("select 1 from tables").fetchone()  # with its first read the snapshot is taken
            now = datetime.now(UTC)
            moment = now.replace(microsecond=now.microsecond // 1000 * 1000) + _MILLISECOND
            while datetime.now(UTC) <= moment:
                time.sleep(0.0001)
        yield reader, moment


def _write_items(
    reader: sqlite3.Connection, table: str, partition_key: str, folder: Path, files: int
) -> tuple[list[dict[str, Any]], int]:
    """Spread the items over data files; return what the manifest says of each, and the items' size."""
    names = [f"{base64.b32encode(os.urandom(16)).decode().lower().rstrip('=')}.json.gz" for _ in range(files)]
    counts, size = [0] * files, 0
    with ExitStack() as stack:
        parts = [stack.enter_context(write_atomically(folder / name)) for name in names]
        opened = [stack.enter_context(gzip.open(part, "wb", compresslevel=6)) for part in parts]
        for key, image, held in reader.execute("select key, image, size from items where name = ?", (table,)):
            number = zlib.crc32(orjson.dumps(orjson.loads(key)[partition_key])) % files
            opened[number].write(b'{"Item":%s}\n' % image)
            counts[number] += 1
            size += held
    entries = []
    for name, count in zip(names, counts, strict=True):
        with (folder / name).open("rb") as file:
            md5 = hashlib.file_digest(file, "md5").digest()
        # As S3 tags what was uploaded in parts, of which there is one: the MD5 of the parts' MD5s, and their number.
        entries.append(
            {
                "itemCount": count,
                "md5Checksum": base64.b64encode(md5).decode(),
                "etag": f"{hashlib.md5(md5).hexdigest()}-1",
                "dataFileS3Key": name,
            }
        )
    return entries, size


def _write_manifest(path: Path, text: str) -> None:
    checksum = base64.b64encode(hashlib.md5(text.encode()).digest())
    with write_atomically(path.with_suffix(".checksum")) as part:
        part.write_bytes(checksum)
    with write_atomically(path) as part:
        part.write_text(text, encoding="utf-8")


def _text(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
