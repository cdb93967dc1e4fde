"""Finding exports of a table to S3 in a folder, by their manifests; and files of items that have none.

Their form is that of "DynamoDB table export output format"
(https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport.Output.html).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from workbench.errors import ParameterError
from workbench.log.backup_items import items_of
from workbench.log.containers import values_of
from workbench.log.exports import MANIFEST, SUMMARY, DataFile, Export, Mirror
from workbench.log.listing import files_below, list_objects
from workbench.log.objects import Object, read_lines
from workbench.paths import is_s3, local_path

_EXPORTED = re.compile(r"0?(?P<millis>\d{13})-[0-9a-f]{8}")  # the folder of an export is named by when it began


def find_exports(source: str | Path, mirror: Mirror | None = None) -> list[Export]:
    """Find the finished exports under a folder, or the one that it is, ordered by time.

    Those under an ``s3://`` prefix are found in a `mirror` of it; `choose` brings the data of what it chooses.

    A bucket may have been synced without the first parts of its keys: data files are found by name, in
    the export's ``data`` folder or, for incremental exports, in the one beside it.

    Raises
    ------
    ParameterError
        Where there is none, a manifest is damaged, or an export is in Amazon Ion.
    """
    if mirror:
        mirror.refresh()
        root = mirror.root
    elif is_s3(source):
        raise ParameterError(f'{source} is in S3: sync it and give the folder, or ask by engine="athena"')
    else:
        root = local_path(source)
    files = list(files_below(root))
    if summaries := [path for path in files if path.name == SUMMARY]:
        exports = (_read_export(summary, mirror) for summary in summaries)
        return sorted(exports, key=lambda export: (export.time, export.instant, export.folder))
    if started := next((path for path in files if path.name == "_started"), None):
        raise ParameterError(
            f"the export {started.parent} has not finished: it has no {SUMMARY} yet; sync the folder again when it has"
        )
    if backup := _backup(root):
        return [backup]
    raise ParameterError(
        f"{source} holds no export of a table to S3, for there is no {SUMMARY} in it, and no file of "
        "items: give an export's folder, AWSDynamoDB/EXPORT-ID, or one above it, synced from S3, or "
        "what `aws dynamodb scan` printed"
    )


def _backup(root: Path) -> Export | None:
    """Take the files of items under a folder, or one, for an export whose manifests are not there."""
    listed = list_objects(root)
    files = [item for item in listed if item.format not in ("parquet", "orc") and _holds_items(item)]
    if not files:
        return None
    matches = [_EXPORTED.fullmatch(part) for item in files for part in Path(item.path).parts]
    times = [int(match["millis"]) / 1e3 for match in matches if match] or [item.modified / 1e9 for item in files]
    time = datetime.fromtimestamp(max(times), UTC)
    by = "the name of its folder" if any(matches) else "when its newest file was written"
    problems = [
        f"{root.name}: items without a manifest: that they are of this table and are all of them is not known, "
        f"and they are taken to be its state at {time:%Y-%m-%d %H:%M:%S} UTC, {by}"
    ]
    problems += [
        f"{root.name}: {Path(item.path).name} is no file of items, and not read" for item in listed if item not in files
    ]
    named = tuple(DataFile(Path(item.path), None, None) for item in files)
    return Export(root, "", "", "", "full", time, None, 0, named, tuple(problems))


def _holds_items(item: Object) -> bool:
    _, first = next(values_of(read_lines(item)), (0, None))
    return any(isinstance(each, dict) and isinstance(each.get("Item"), dict) for each in islice(items_of(first), 1))


def _read_export(summary: Path, mirror: Mirror | None) -> Export:
    folder = summary.parent
    try:
        manifest = json.loads(summary.read_bytes())
        if manifest["outputFormat"] != "DYNAMODB_JSON":
            raise ParameterError(
                f"the export {folder} is in the format {manifest['outputFormat']}, which cannot be read: "
                "export the table as DynamoDB JSON"
            )
        table = re.fullmatch(r"arn:.*:table/([^/]+)", manifest["tableArn"])
        incremental = manifest.get("exportType") == "INCREMENTAL_EXPORT" or manifest.get("exportFromTime") is not None
        since = _utc(manifest["exportFromTime"]) if incremental else None
        time, items = _utc(manifest["exportToTime" if incremental else "exportTime"]), int(manifest["itemCount"])
        entries = [json.loads(line) for line in (folder / MANIFEST).read_bytes().splitlines() if line.strip()]
        files = tuple(
            DataFile(_data_file(folder, entry["dataFileS3Key"]), int(entry["itemCount"]), entry.get("md5Checksum"))
            for entry in entries
        )
        if not table:
            raise ValueError(f"tableArn is {manifest['tableArn']!r}")
        return Export(
            folder,
            table[1],
            manifest["tableArn"],
            str(manifest.get("tableId")),
            "incremental" if incremental else "full",
            time,
            since,
            items,
            files,
            tuple(_mismatches(folder, items, files)),
            mirror,
            _utc(manifest["endTime"]) if manifest.get("endTime") else None,
        )
    except ParameterError:
        raise
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        why = f"no {error}" if isinstance(error, KeyError) else error
        raise ParameterError(
            f"the manifests of the export {folder} cannot be read: {why}; sync the folder again"
        ) from error


def _utc(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _data_file(folder: Path, key: str) -> Path:
    name = key.rpartition("/")[2]
    places = [folder / "data" / name, folder.parent / "data" / name, folder / name]
    return next((path for path in places if path.is_file()), places[0])


def _mismatches(folder: Path, items: int, files: Sequence[DataFile]) -> Iterator[str]:
    """Yield a line for each place where the manifests, and the files there are, do not agree."""
    for file in files:
        if not file.path.is_file():
            yield f"{folder.name}: the data file {file.path.name}, of {file.items or 0:,} items, is missing"
    if unchecked := [file for file in files if file.md5 is None]:
        yield (
            f"{folder.name}: {MANIFEST} has no MD5 of {len(unchecked):,} data files, the first: "
            f"{unchecked[0].path.name}: whether they are whole is told by their number of items only"
        )
    if (total := sum(file.items or 0 for file in files)) != items:
        yield f"{folder.name}: {SUMMARY} counts {items:,} items, {MANIFEST} {total:,}"
    named = {file.path.name for file in files}
    for path in sorted((folder / "data").glob("*")):  # the folder that incremental exports share holds files of others
        if path.name not in named and path.is_file() and not path.name.startswith("."):
            yield f"{folder.name}: the data file {path.name} is not named by {MANIFEST}, and not read"
