"""A table's exports to S3 on AWS: asking for one, how far it is, and bringing those under a prefix here.

>>> from workbench.aws import open_session
>>> session = open_session(load_settings(region="eu-central-1"))  # doctest: +SKIP
>>> arn = start_export(session, "persons", "s3://bucket/exports/")  # doctest: +SKIP
>>> export_status(session, "persons", arn)[["status", "location"]]  # doctest: +SKIP
        status                                              location
0  IN_PROGRESS  s3://bucket/exports/AWSDynamoDB/01764144000000-0a1b2c3d/
"""

from __future__ import annotations

import re
import shutil
import tempfile
import weakref
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import boto3

from workbench.aws.dynamodb import describe, explained_table
from workbench.aws.files import S3Files
from workbench.errors import ParameterError, StoreError
from workbench.log import export_manifests, exports
from workbench.model.times import START_OF_TIME, Moment, instant
from workbench.paths import is_s3, split_s3_uri, write_atomically

if TYPE_CHECKING:
    import pandas as pd
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_dynamodb.type_defs import (
        ExportDescriptionTypeDef,
        ExportTableToPointInTimeInputTypeDef,
        IncrementalExportSpecificationTypeDef,
    )

_MANIFESTS = (exports.SUMMARY, exports.MANIFEST)
_STATUS = {
    "export": "str",
    "table": "str",
    "kind": "str",
    "status": "str",
    "since": "datetime64[us, UTC]",
    "time": "datetime64[us, UTC]",
    "started": "datetime64[us, UTC]",
    "ended": "datetime64[us, UTC]",
    "items": "Int64",
    "billed_bytes": "Int64",
    "location": "str",
    "problem": "str",
}
_TIMES = ("since", "time", "started", "ended")
_EXPORT_ID = re.compile(r"\d+-[0-9a-f]{8}")
_THREADS = 8
_LIKE = "write it like s3://bucket/exports/"


def start_export(
    session: boto3.Session,
    table: str,
    to: str,
    *,
    at: Moment | None = None,
    since: Moment | None = None,
    kms_key: str | None = None,
) -> str:
    """Ask DynamoDB to export a table to S3, and return the export's ARN; `export_status` tells how far it is.

    An export takes no read capacity, and at least some minutes. It costs by the table's size.

    Parameters
    ----------
    to
        Where to, ``s3://bucket/prefix/``; the export is ``AWSDynamoDB/EXPORT-ID`` below it.
    at
        The instant, of the last 35 days; now where not given.
    since
        Export the changes from that instant, inclusive, to `at`, exclusive, between 15 minutes and 24 hours.
    kms_key
        Encrypt by this key instead of as the bucket does.

    Raises
    ------
    ParameterError
        Where `to` is no place in S3.
    StoreError
        Where point-in-time recovery is off, or DynamoDB refuses; the message says what to do.
    """
    bucket, prefix = split_s3_uri(to, advice=_LIKE)
    prefix = prefix.rstrip("/")
    client, arn = session.client("dynamodb"), _arn(session, table)
    request: ExportTableToPointInTimeInputTypeDef = {
        "TableArn": arn,
        "S3Bucket": bucket,
        "ExportFormat": "DYNAMODB_JSON",
    }
    if prefix:
        request["S3Prefix"] = prefix
    if kms_key:
        request["S3SseAlgorithm"], request["S3SseKmsKeyId"] = "KMS", kms_key
    if since:
        window: IncrementalExportSpecificationTypeDef = {
            "ExportFromTime": instant(since),
            "ExportViewType": "NEW_AND_OLD_IMAGES",
        }
        if at:
            window["ExportToTime"] = instant(at)
        request["ExportType"], request["IncrementalExportSpecification"] = "INCREMENTAL_EXPORT", window
    elif at:
        request["ExportTime"] = instant(at)
    recovery_is_off = StoreError(
        f"table {table!r} cannot be exported: its point-in-time recovery is off. Do `aws dynamodb "
        f"update-continuous-backups --table-name {table} --point-in-time-recovery-specification "
        "PointInTimeRecoveryEnabled=true`, and ask again"
    )
    # https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport_Requesting.html
    objects = f"{bucket}/{prefix}/*" if prefix else f"{bucket}/*"
    needed = (
        f"the permissions are dynamodb:ExportTableToPointInTime on {arn}; s3:AbortMultipartUpload, s3:PutObject and "
        f"s3:PutObjectAcl on s3://{objects}; where a KMS key of your own encrypts there, kms:Decrypt and "
        "kms:GenerateDataKey on it"
    )
    with explained_table(
        table, when={"PointInTimeRecoveryUnavailableException": recovery_is_off, "AccessDeniedException": needed}
    ):
        return client.export_table_to_point_in_time(**request)["ExportDescription"]["ExportArn"]


def export_status(session: boto3.Session, table: str, export: str | None = None) -> pd.DataFrame:
    """Return how far a table's exports are: those of the last 90 days, or one by its ARN.

    Returns
    -------
    pandas.DataFrame
        Newest first: export (its ARN), table, kind (full, incremental), status (IN_PROGRESS, COMPLETED, FAILED), since
        (where the window of an incremental one begins), time (of the state, or the end of the window), started, ended
        (UTC, NaT where not known), items, billed_bytes, location (its folder, for ``baseline=`` and for `reconcile`),
        problem.

    Raises
    ------
    StoreError
        Where there is no such table or export, or DynamoDB refuses.
    """
    import pandas as pd

    client = session.client("dynamodb")
    arn = export.rpartition("/export/")[0] if export else _arn(session, table)
    needed = (
        "the permissions are dynamodb:ListExports on * (it has no resource) and dynamodb:DescribeExport on "
        f"{arn}/export/*"
    )
    with explained_table(table, when={"AccessDeniedException": needed}):
        arns = [export] if export else list(_arns(client, arn))
        descriptions = [client.describe_export(ExportArn=arn)["ExportDescription"] for arn in arns]
    descriptions.sort(key=lambda description: description.get("StartTime") or START_OF_TIME, reverse=True)
    df = pd.DataFrame([_row(table, description) for description in descriptions], columns=list(_STATUS))
    return df.assign(**{name: pd.to_datetime(df[name], utc=True) for name in _TIMES}).astype(_STATUS)


class Mirror:
    """The exports under a prefix in S3, in a temporary folder that goes with the process.

    Their manifests are there; a data file is empty until `fetch` brings it.
    """

    def __init__(self, source: str, session: boto3.Session) -> None:
        bucket, prefix = split_s3_uri(source, advice=_LIKE)
        prefix = prefix.rstrip("/")
        above, _, last = prefix.rpartition("/")
        # The data of an incremental export is not in its folder, but in one beside it.
        alone = _EXPORT_ID.fullmatch(last) is not None
        self._bucket, self._prefix, self._files = bucket, above if alone else prefix, S3Files(session, ParameterError)
        self._below = (f"{last}/", "data/") if alone else ("",)
        root = tempfile.mkdtemp(prefix="workbench-exports-")
        weakref.finalize(self, shutil.rmtree, root, ignore_errors=True)
        self.root = Path(root, bucket, self._prefix)
        self.root.mkdir(parents=True)
        self._here: set[Path] = set()

    def refresh(self) -> None:
        """List the prefix again, and bring the manifests that are new; an export's never change."""
        top = self._uri(self.root)
        names = [below + name for below in self._below for name in self._files.list(top + below)]
        files = [self.root / name for name in names if name and not name.endswith("/")]
        for file in files:
            if file.name not in _MANIFESTS and not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.touch()
        self.fetch(file for file in files if file.name in _MANIFESTS)

    def fetch(self, files: Iterable[Path]) -> None:
        """Bring the files that are not here yet and were listed."""
        missing = [file for file in files if file not in self._here and (file.name in _MANIFESTS or file.exists())]
        with ThreadPoolExecutor(_THREADS) as pool:
            list(pool.map(self._bring, missing))

    def _bring(self, file: Path) -> None:
        uri = self._uri(file)
        try:
            with write_atomically(file) as part:
                self._files.download(uri, part)
        except OSError as error:
            raise ParameterError(f"{uri} cannot be brought to {file.parent}: {error.strerror or error}") from error
        self._here.add(file)

    def _uri(self, path: Path) -> str:
        below = path.relative_to(self.root).as_posix()
        parts = filter(None, (self._bucket, self._prefix, "" if path == self.root else below))
        return f"s3://{'/'.join(parts)}" + ("/" if path == self.root else "")


@lru_cache(maxsize=8)
def mirror(source: str, session: boto3.Session) -> Mirror:
    """Return the mirror of a prefix, the same one as before, so that no data file is brought twice."""
    return Mirror(source, session)


def find_exports(source: str | Path, session: boto3.Session) -> list[exports.Export]:
    """Find the finished exports under a folder or an ``s3://`` prefix; of those in S3 only the manifests are brought.

    See `workbench.log.export_manifests.find_exports`.
    """
    return export_manifests.find_exports(source, mirror(str(source), session) if is_s3(source) else None)


def _arns(client: DynamoDBClient, arn: str) -> Iterator[str]:
    page = client.list_exports(TableArn=arn)  # boto3 has no paginator for it
    yield from (summary["ExportArn"] for summary in page["ExportSummaries"])
    while page.get("NextToken"):
        page = client.list_exports(TableArn=arn, NextToken=page["NextToken"])
        yield from (summary["ExportArn"] for summary in page["ExportSummaries"])


def _row(table: str, description: ExportDescriptionTypeDef) -> dict[str, object]:
    window = description.get("IncrementalExportSpecification") or {}
    manifest, bucket = description.get("ExportManifest"), description.get("S3Bucket")
    prefix = f"{description['S3Prefix'].strip('/')}/" if description.get("S3Prefix") else ""
    export_id = description["ExportArn"].rpartition("/")[2]
    folder = manifest.rpartition("/")[0] if manifest else f"{prefix}AWSDynamoDB/{export_id}"
    problem = " ".join(filter(None, (description.get("FailureCode"), description.get("FailureMessage"))))
    return {
        "export": description["ExportArn"],
        "table": table,
        "kind": "incremental" if description.get("ExportType") == "INCREMENTAL_EXPORT" else "full",
        "status": description["ExportStatus"],
        "since": window.get("ExportFromTime"),
        "time": window.get("ExportToTime") or description.get("ExportTime"),
        "started": description.get("StartTime"),
        "ended": description.get("EndTime"),
        "items": description.get("ItemCount"),
        "billed_bytes": description.get("BilledSizeBytes"),
        "location": f"s3://{bucket}/{folder}/",
        "problem": problem,
    }


def _arn(session: boto3.Session, table: str) -> str:
    if table.startswith("arn:"):
        return table
    if (description := describe(session, table)) is None:
        raise StoreError(
            f"there is no table {table!r} in DynamoDB in {session.region_name}: name another table, region or profile"
        )
    return description["TableArn"]
