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
import uuid
import zlib
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from workbench.errors import StoreError
from workbench.paths import write_atomically
from workbench.sandbox.database import Snapshot
from workbench.sandbox.item_store import ItemStore


def export_table(store: ItemStore, table: str, folder: Path, *, files: int = 2) -> Path:
    """Write a full export of a table to ``AWSDynamoDB/EXPORT-ID`` in a folder, and return that path.

    Every file is written whole (`workbench.paths.write_atomically`), the summary last: an export that was
    broken off has no ``manifest-summary.json``, as one that has not finished.

    Parameters
    ----------
    files
        Data files to spread the items over, by their partition key.

    Raises
    ------
    StoreError
        Where there is no such table, or the files cannot be written.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder, ItemStore(Path(folder, "store.sqlite")) as store:
    ...     store.create_table("persons", {"pk": "S"})
    ...     store.put_item("persons", {"pk": "p-1", "age": 41})
    ...     export = export_table(store, "persons", Path(folder))
    ...     sorted(path.name for path in export.iterdir() if path.is_file() and path.suffix == ".json")
    ['manifest-files.json', 'manifest-summary.json']
    """
    partition_key, *_ = store.key_names(table)
    if files < 1:
        raise StoreError(f"table {table!r}: an export has 1 data file or more, not {files}")
    started = datetime.now(UTC)
    export_id = f"{int(started.timestamp() * 1000):014d}-{uuid.uuid4().hex[:8]}"
    key = f"AWSDynamoDB/{export_id}"
    export_folder = folder / key
    try:
        (export_folder / "data").mkdir(parents=True)
        (export_folder / "_started").touch()
        with store.snapshot() as snapshot:
            entries, size = _write_items(snapshot, table, partition_key, export_folder / "data", files)
        arn = f"arn:aws:dynamodb:local:000000000000:table/{table}"
        summary = {
            "version": "2020-06-30",
            "exportArn": f"{arn}/export/{export_id}",
            "startTime": _timestamp(started),
            "endTime": _timestamp(datetime.now(UTC)),
            "tableArn": arn,
            "tableId": str(uuid.uuid5(uuid.NAMESPACE_URL, arn)),
            "exportTime": _timestamp(snapshot.moment),
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
        _write_manifest(export_folder / "manifest-files.json", "".join(line + "\n" for line in lines))
        _write_manifest(export_folder / "manifest-summary.json", json.dumps(summary))
    except (OSError, sqlite3.Error) as error:
        raise StoreError(f"table {table!r} could not be exported to {folder}: {error}") from error
    return export_folder


def _write_items(
    snapshot: Snapshot, table: str, partition_key: str, folder: Path, files: int
) -> tuple[list[dict[str, Any]], int]:
    """Spread the items over data files; return what the manifest says of each, and the items' size."""
    names = [f"{base64.b32encode(os.urandom(16)).decode().lower().rstrip('=')}.json.gz" for _ in range(files)]
    counts, size = [0] * files, 0
    with ExitStack() as stack:
        parts = [stack.enter_context(write_atomically(folder / name)) for name in names]
        opened = [stack.enter_context(gzip.open(part, "wb", compresslevel=6)) for part in parts]
        for key, image, item_size in snapshot.items(table):
            number = zlib.crc32(orjson.dumps(orjson.loads(key)[partition_key])) % files
            opened[number].write(b'{"Item":%s}\n' % image)
            counts[number] += 1
            size += item_size
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


def _timestamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
