"""The objects of a change log in S3: which arrived in a window of time, and what their beginnings tell of the log."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from workbench.aws.crawled_columns import Sample
from workbench.aws.errors import explained
from workbench.aws.log_tables import Listing, LogTable
from workbench.aws.session import Session
from workbench.config import Settings
from workbench.errors import QueryError
from workbench.log.arrivals import (
    OFFSETS,
    ChangeTimes,
    Witness,
    Zone,
    infer_zone,
    named_zone,
    sample_times,
    times_of,
)
from workbench.log.contents import Part, merged
from workbench.log.objects import Object, Unreadable, arrival_of, stored_object
from workbench.log.reader import read_changes
from workbench.paths import is_hidden, split_s3_uri

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import ListObjectsV2RequestPaginateTypeDef, ObjectTypeDef

Change = dict[str, Any]
"""One change, by the columns of `workbench.model.records.COLUMN_TYPES`."""
_LONG_AGO = datetime.min.replace(tzinfo=UTC)
_PAGE = 1000  # objects that S3 lists at a time
_NEWEST = 3  # objects that tell whether a crawler's columns hold what there is
# Which Athena skips: https://docs.aws.amazon.com/athena/latest/ug/querying-glacier.html
_ARCHIVED = (
    "GLACIER",
    "DEEP_ARCHIVE",
)
_HEAD = 1 << 20  # bytes of the objects that are looked into


class LogObjects:
    """Lists the objects of change logs, and looks into some of them, each once."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self.session, self._keys = session, settings.keys
        self._zone = named_zone(settings.arrival_zone) if settings.arrival_zone else None
        self._some: dict[str, list[Object]] = {}
        self._looked: dict[str, dict[str, ChangeTimes | None]] = {}
        self._parts: dict[str, tuple[Part, ...]] = {}
        self._samples: dict[str, Sample] = {}

    def objects(self, log: LogTable, start: datetime | None = None, end: datetime | None = None) -> list[Object]:
        """List the objects of a table that arrived from the partition of `start` to that of `end`."""
        return self.listing(log, start, end).objects

    def listing(self, log: LogTable, start: datetime | None = None, end: datetime | None = None) -> Listing:
        """List the objects of a table that arrived between two times, and those that no partition has."""
        zone = self._zone or Zone(early=timedelta(days=1))
        listed = self._listed(log, *log.partitions.between(log.location, *zone.local(start, end)))
        some = [*{item.path: item for item in (*self._first(log), *listed) if not item.archived}.values()]
        seen = sample_times(some, self._looked.setdefault(log.location, {}), self._look)
        settled = self._settled(log, seen, listed)
        if log.partitions.sort and not settled.partitions.units:
            listed = self._listed(log)
        covering = Listing(settled, [], span=settled.zone.local(start, end))
        objects: list[Object] = []
        unread: list[Object] = []
        for item in listed:
            if dated := covering.dated(item):
                (unread if settled.values(item) is None else objects).append(dated)
        return replace(covering, log=self._sampled(settled, objects), objects=objects, unread=tuple(unread))

    def below(self, place: str) -> list[Object]:
        """List the objects below a place, but those with hidden names."""
        return [*self._below(place)]

    def look_for_names(self, log: LogTable, objects: Sequence[Object]) -> LogTable:
        """Look into objects for names, and members, that a crawler's columns do not tell."""
        if log.sample:
            for item in objects:
                if item.path not in log.sample.looked and not item.archived:
                    log.sample.look(item.path, item.arrival, self._head(item))
        return log

    def _sampled(self, log: LogTable, objects: Sequence[Object]) -> LogTable:
        """Compare the newest objects with the columns, each object once."""
        sample = self._samples.setdefault(log.name, Sample(log.columns, log.layout))
        if sample.columns != log.columns:  # a crawler has run
            sample = self._samples[log.name] = Sample(log.columns, log.layout)
        if not sample.is_needed:
            return log
        newest = sorted(objects, key=lambda item: (item.arrival or _LONG_AGO, item.modified, item.path))[-_NEWEST:]
        for item in reversed(newest):
            if item.path not in sample.looked:
                sample.look(item.path, item.arrival, self._head(item))
        return replace(log, sample=sample)

    def parts(self, log: LogTable, item: Object) -> list[Part]:
        """Return what the beginning of an object holds of a log; nothing where it was not looked into."""
        return [part for part in self._parts.get(item.path, ()) if log.only in (None, part.table)]

    def looked_through(self, item: Object) -> bool:
        """Return whether all of an object was looked into."""
        return item.path in self._parts and item.size <= _HEAD

    def _settled(self, log: LogTable, seen: Sequence[tuple[Object, ChangeTimes]], listed: Sequence[Object]) -> LogTable:
        """Find out, by objects, what the partitions mean, and in which zone they are."""
        read = [(values, times) for item, times in seen if (values := log.values(item)) is not None]
        log = replace(log, partitions=log.partitions.settled(read))
        log = replace(log, named=all(map(log.agrees, listed)))
        if self._zone:
            return replace(log, zone=self._zone)
        witnesses = [Witness(*witness, times) for item, times in seen if (witness := log.witness(item))]
        stored = [
            witness[0] - datetime.fromtimestamp(item.modified / 1e9, UTC).replace(tzinfo=None)
            for item in listed
            if (witness := log.witness(item))
        ]
        return replace(log, zone=infer_zone(witnesses, max(stored, default=OFFSETS[0])))

    def _listed(self, log: LogTable, after: str = "", until: str = "", most: int | None = None) -> list[Object]:
        """List the objects below a table's location, and those of partitions that lie elsewhere."""
        top = log.location.rstrip("/") + "/"
        places = [place for place in log.partitions.registered if not place.startswith(top)]
        within = {log.location: (after, until)}
        each = (item for place in (log.location, *places) for item in self._below(place, *within.get(place, ())))
        return list(islice(each, most))

    def _first(self, log: LogTable) -> list[Object]:
        """List some objects of a log once more, that it be known what its folders mean, whatever a window leaves."""
        if log.location not in self._some:
            self._some[log.location] = self._listed(log, most=_PAGE) if log.partitions.sort else []
        return self._some[log.location]

    def _below(self, location: str, after: str = "", until: str = "") -> Iterator[Object]:
        bucket, prefix = split_s3_uri(location, QueryError)
        prefix = prefix.rstrip("/") + "/" if prefix else ""
        options: ListObjectsV2RequestPaginateTypeDef = {"Bucket": bucket, "Prefix": prefix}
        if after:
            options["StartAfter"] = after.removeprefix(f"s3://{bucket}/")
        pages = self.session.client("s3").get_paginator("list_objects_v2")
        with explained(f"the objects of {location} cannot be listed", "s3:ListBucket", on=bucket, raises=QueryError):
            for page in pages.paginate(**options):
                for item in page.get("Contents", []):
                    if until and f"s3://{bucket}/{item['Key']}" > until:
                        return
                    if item["Size"] and not any(
                        not part or is_hidden(part) for part in item["Key"][len(prefix) :].split("/")
                    ):
                        yield _object(bucket, item)

    def _look(self, item: Object) -> ChangeTimes | None:
        """Return the times of the changes at the beginning of an object; None where none can be read."""
        return times_of(self._head(item))

    def _head(self, item: Object) -> list[Change]:
        """Return the changes at the beginning of an object."""
        if item.format == "parquet" and item.size > _HEAD:
            return []
        bucket, key = split_s3_uri(item.path)
        try:
            response = self.session.client("s3").get_object(Bucket=bucket, Key=key, Range=f"bytes=0-{_HEAD - 1}")
            head = response["Body"].read()
        except (ClientError, BotoCoreError):
            return []
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, key.rpartition("/")[2])
            path.write_bytes(head)
            changes = [
                each for each in read_changes(stored_object(path), self._keys) if not isinstance(each, Unreadable)
            ]
        self._parts[item.path] = merged(map(_part, changes))
        return changes


def _object(bucket: str, item: ObjectTypeDef) -> Object:
    key = item["Key"]
    kind: Literal["json", "gzip", "parquet"] = (
        "parquet" if key.endswith(".parquet") else "gzip" if key.endswith(".gz") else "json"
    )
    modified = int(item["LastModified"].timestamp() * 1e9)
    archived = item.get("StorageClass") in _ARCHIVED
    return Object(f"s3://{bucket}/{key}", item["Size"], modified, kind, arrival_of(key), archived)


def _part(change: Change) -> Part:
    ts = datetime.fromisoformat(change["ts"])
    types = {name: kind for name, value in json.loads(change["keys"]).items() for kind in value}
    keys = json.dumps(types, ensure_ascii=False, separators=(",", ":"))
    return Part(change["table_name"], change["aws_region"], change["account_id"], keys, 1, ts, ts)
