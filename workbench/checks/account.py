"""Checks on AWS: may this identity ask, is everything there, does the log still grow? Nothing is left behind."""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from workbench.aws.catalog import Catalog
from workbench.aws.errors import aws_words, is_denied, is_unauthenticated, is_unreachable
from workbench.aws.log_tables import LogTable
from workbench.aws.session import Session, open_session
from workbench.checks.check import Check
from workbench.checks.clients import Clients, make_clients
from workbench.checks.pipeline import check_pipeline, delivery_streams
from workbench.checks.refusal import refusal
from workbench.config import Settings
from workbench.errors import ConfigError
from workbench.model.times import duration
from workbench.paths import is_hidden, split_s3_uri

if TYPE_CHECKING:
    from types_boto3_firehose.type_defs import DeliveryStreamDescriptionTypeDef
    from types_boto3_glue import GlueClient
    from types_boto3_s3 import S3Client
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef, ListObjectsV2RequestPaginateTypeDef, ObjectTypeDef
    from types_boto3_sts import STSClient

_DEPENDENT = ("workgroup", "results", "database", "change log", "pipeline")
_LOOK_BACK = (
    timedelta(hours=2),
    timedelta(days=1, hours=2),
    timedelta(days=8),
    timedelta(days=32),
    timedelta(days=366),
)
_LISTED = 20_000
_HEAD = 2**20  # bytes read of an object
_OWN_ERRORS = (ClientError, BotoCoreError, ConfigError)


def check_aws(settings: Settings, catalog: Callable[[Session, Settings], Catalog] = Catalog) -> list[Check]:
    """Try every part that a question on Athena needs, and the pipeline that fills the log.

    A small object is written to where results go, and removed.
    """
    try:
        session = open_session(settings)
        clients = make_clients(session)
        who = _identity(clients.sts, session, settings)
    except ConfigError as error:
        who = Check("credentials", "failed", *_halves(str(error)))
    except (ClientError, BotoCoreError) as error:
        # Where only STS cannot be reached, as in a VPC without an endpoint for it, the others are asked.
        who = refusal("credentials", error, settings.role or "", "warning" if is_unreachable(error) else "failed")
    if who.status == "failed":
        return [
            who,
            *(Check(name, "warning", "not tried: there are no valid credentials", who.remedy) for name in _DEPENDENT),
        ]
    with ThreadPoolExecutor(16) as pool:
        group = pool.submit(_workgroup, clients, settings)
        listed = pool.submit(_tables, clients, settings, catalog, session)
        streams = pool.submit(_delivery_streams, clients)
        group_checks, output = group.result()
        results = pool.submit(_safe, "results", _results, clients, output) if output else None
        table_checks, logs = listed.result()
        delivery = streams.result()
        each = [
            pool.submit(_safe, f"{part} of {log.only or log.name}", check, clients, log, *more)
            for log in logs
            for part, check, *more in (("data", _data, settings), ("pipeline", _pipeline, delivery))
        ]
        found = [who, _region(session), *group_checks, *(results.result() if results else ()), *table_checks]
        return _once([*found, *(check for part in each for check in part.result())])


def _once(checks: Iterable[Check]) -> list[Check]:
    """Name a part once that is checked for several tables, such as the Firehose they share."""
    found: dict[str, Check] = {}
    for check in checks:
        if check.check not in found or found[check.check].status == "ok":
            found[check.check] = check
    return list(found.values())


def _safe(name: str, part: Callable[..., list[Check]], *arguments: object) -> list[Check]:
    try:
        return part(*arguments)
    except Exception as error:  # a check that breaks is a failed check
        return [Check(name, "failed", f"{type(error).__name__}: {error}".splitlines()[0], "workbench --debug check")]


def _identity(sts: STSClient, session: Session, settings: Settings) -> Check:
    told = sts.get_caller_identity()
    credentials = session.get_credentials()
    detail = f"{told['Arn']} in account {told['Account']}, from {credentials.method if credentials else 'nowhere'}"
    if told["Arn"].endswith(":root"):
        return Check(
            "credentials",
            "warning",
            f"{detail}: the account's root user may do everything",
            "use a role of an analyst: role=, or another profile",
        )
    return Check("credentials", "ok", detail)


def _region(session: Session) -> Check:
    name = session.region_name
    if session.endpoint:
        return Check("region", "ok", f"{name}, at {session.endpoint}")
    if any(
        name in session.get_available_regions("athena", partition) for partition in session.get_available_partitions()
    ):
        return Check("region", "ok", name)
    return Check(
        "region",
        "warning",
        f"{name} is none in which this boto3 knows Athena",
        "set region= or AWS_REGION to where the bucket is",
    )


def _workgroup(clients: Clients, settings: Settings) -> tuple[list[Check], str | None]:
    """Check the workgroup, and return where results go."""
    name, update = settings.workgroup, f"aws athena update-work-group --work-group {settings.workgroup}"
    try:
        told = clients.athena.get_work_group(WorkGroup=name)["WorkGroup"]
    except _OWN_ERRORS as error:
        if isinstance(error, ClientError) and not (is_denied(error) or is_unauthenticated(error)):
            return [
                Check(
                    "workgroup",
                    "failed",
                    aws_words(error),
                    "set workgroup= to one that `aws athena list-work-groups` shows",
                )
            ], settings.output
        return [refusal("workgroup", error, f"workgroup/{name}")], settings.output
    config = told.get("Configuration", {})
    result = config.get("ResultConfiguration", {})
    engine = config.get("EngineVersion", {}).get("EffectiveEngineVersion", "")
    own, enforced = result.get("OutputLocation"), bool(config.get("EnforceWorkGroupConfiguration"))
    checks = []
    if told.get("State") == "DISABLED":
        checks.append(Check("workgroup", "failed", f"{name} is disabled", f"{update} --state ENABLED"))
    elif engine.endswith("version 2"):
        checks.append(
            Check(
                "workgroup",
                "failed",
                f"{name} runs {engine}; the questions need version 3",
                f"{update} --configuration-updates "
                "\"EngineVersion={SelectedEngineVersion='Athena engine version 3'}\"",
            )
        )
    elif config.get("ManagedQueryResultsConfiguration", {}).get("Enabled"):
        checks.append(
            Check(
                "workgroup",
                "failed",
                f"{name} keeps results in storage of Athena's own, which cannot be read",
                "use another workgroup, workgroup=, or one with managed query results off",
            )
        )
    else:
        checks.append(
            Check(
                "workgroup",
                "ok",
                f"{name}, {engine or 'engine version not told'}" + (", its settings enforced" if enforced else ""),
            )
        )
    limit = config.get("BytesScannedCutoffPerQuery")
    if limit or settings.max_scan_bytes:
        parts = [f"Athena stops a query at {limit / 1e9:,.2f} GB"] if limit else []
        parts += [f"none over {settings.max_scan_bytes / 1e9:,.2f} GB is started"] if settings.max_scan_bytes else []
        checks.append(Check("scan limit", "ok", "; ".join(parts)))
    else:
        checks.append(
            Check(
                "scan limit",
                "warning",
                "a query may scan, and cost, any amount",
                "set max_scan_bytes=10GB, or the workgroup's BytesScannedCutoffPerQuery",
            )
        )
    output = own if enforced and own else settings.output or own
    if output is None:
        checks.append(
            Check(
                "result location",
                "failed",
                f"neither output= nor the workgroup {name} says where results go",
                "set output=s3://BUCKET/PREFIX/",
            )
        )
    elif settings.output and output.rstrip("/") != settings.output.rstrip("/"):
        checks.append(
            Check(
                "result location",
                "warning",
                f"the workgroup enforces {output}: output={settings.output} is not used",
                f"set output={output}",
            )
        )
    kind = result.get("EncryptionConfiguration", {}).get("EncryptionOption")
    if kind == "CSE_KMS":
        checks.append(
            Check(
                "result encryption",
                "failed",
                "results are encrypted by the client (CSE_KMS): they cannot be read back",
                f"{update} with EncryptionOption=SSE_KMS",
            )
        )
    else:
        checks.append(
            Check("result encryption", "ok", f"{kind} by the workgroup" if kind else "as the bucket encrypts")
        )
    return checks, output


def _results(clients: Clients, output: str) -> list[Check]:
    """Write, read and remove a small object where results go."""
    try:
        bucket, prefix = _place(output)
    except ConfigError as error:
        return [Check("results", "failed", *_halves(str(error)))]
    key, s3, body = f"{prefix}workbench-check-{uuid.uuid4().hex}", clients.s3, b"workbench check"
    place, checks = f"arn:aws:s3:::{bucket}/{prefix}*", list[Check]()
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    except _OWN_ERRORS as error:
        return [_bucket_refusal("results", error, bucket, place)]
    try:
        told = s3.get_object(Bucket=bucket, Key=key)
        told["Body"].read()
        checks.append(Check("results", "ok", f"{output} can be written and read{_encryption(told)}"))
        checks += _key(clients, "KMS key of results", told)
    except _OWN_ERRORS as error:
        checks.append(_bucket_refusal("results", error, bucket, place))
    try:
        s3.delete_object(Bucket=bucket, Key=key)
    except _OWN_ERRORS as error:
        refused = refusal("removal of results", error, place, "warning")
        checks.append(
            Check(
                refused.check,
                "warning",
                f"{refused.detail}: temporary objects stay, such as {key}",
                f"{refused.remedy}, or a lifecycle rule that expires {output}",
            )
        )
    return checks


def _tables(
    clients: Clients, settings: Settings, catalog: Callable[[Session, Settings], Catalog], session: Session
) -> tuple[list[Check], list[LogTable]]:
    database = settings.database
    if not database:
        return [
            Check(
                "database",
                "failed",
                "no Glue database is set",
                "set database= to one that `aws glue get-databases` shows",
            )
        ], []
    checks = []
    try:
        clients.glue.get_database(Name=database)
        checks.append(Check("database", "ok", database))
    except _OWN_ERRORS as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "EntityNotFoundException":
            return [
                Check(
                    "database",
                    "failed",
                    f"there is no Glue database {database!r} in this account and region",
                    "set database= to one that `aws glue get-databases` shows, or deploy infra_cdk",
                )
            ], []
        checks.append(refusal("database", error, f"database/{database}"))
    try:
        logs: list[LogTable] = catalog(session, settings).tables()
    except _OWN_ERRORS as error:
        return [*checks, refusal("change log", error, f"database/{database} and table/{database}/*")], []
    if not logs:
        checks.append(
            Check(
                "change log",
                "warning",
                f"the database {database} has no table over a change log",
                "workbench table create NAME s3://BUCKET/PREFIX/",
            )
        )
    return checks, logs


def _data(clients: Clients, log: LogTable, settings: Settings) -> list[Check]:
    """Check a table, its newest object, and the partition that has it."""
    name = log.only or log.name
    by = ", ".join(column for column, _ in log.partitions.columns)
    parts = f"partitions {by}, {'projected' if log.projected else 'registered'}" if by else "no partitions"
    checks = [
        Check(
            f"table {name}",
            "ok",
            f"{log.database}.{log.name}: {log.layout}, {log.stored}, {parts}, over {log.location}",
        )
    ]
    try:
        bucket, prefix = _place(log.location)
    except ConfigError as error:
        return [*checks, Check(f"data of {name}", "failed", *_halves(str(error)))]
    try:
        newest, whole = _newest(clients.s3, log, bucket, prefix)
    except _OWN_ERRORS as error:
        return [*checks, _bucket_refusal(f"data of {name}", error, bucket, f"arn:aws:s3:::{bucket}")]
    if newest is None:
        checks.append(
            Check(
                f"data of {name}",
                "warning",
                f"there is no object under {log.location}",
                "change an item, and look at the lines of its stream and of Firehose",
            )
        )
        return checks
    age, late = datetime.now(UTC) - newest["LastModified"], duration(settings.late_arrival).to_pytimedelta()
    detail = f"the newest object is of {newest['LastModified']:%Y-%m-%d %H:%M} UTC"
    detail += "" if whole else f", of the first {_LISTED:,}"
    if age > late and whole:
        checks.append(
            Check(
                f"data of {name}",
                "warning",
                f"{detail}: nothing has changed since, or nothing is delivered",
                "change an item, and look at the lines of its stream and of Firehose",
            )
        )
    else:
        checks.append(Check(f"data of {name}", "ok", detail))
    checks += _partition(clients.glue, log, newest["Key"][len(prefix) :], name)
    try:
        told = clients.s3.get_object(Bucket=bucket, Key=newest["Key"], Range=f"bytes=0-{_HEAD - 1}")
        body = told["Body"].read()
    except _OWN_ERRORS as error:
        return [*checks, _bucket_refusal(f"reading {name}", error, bucket, f"arn:aws:s3:::{bucket}/{prefix}*")]
    checks.append(_content(name, newest["Key"], body, _encryption(told), log.stored))
    return [*checks, *_key(clients, f"KMS key of {name}", told)]


def _newest(s3: S3Client, log: LogTable, bucket: str, prefix: str) -> tuple[ObjectTypeDef | None, bool]:
    """Find the newest object, looking back further and further, and tell whether all there may be were seen."""
    now = datetime.now(UTC)
    folders = [log.partitions.folder(now - back) for back in _LOOK_BACK]
    pages = s3.get_paginator("list_objects_v2")
    for start in [*filter(None, folders), ""]:
        request: ListObjectsV2RequestPaginateTypeDef = {
            "Bucket": bucket,
            "Prefix": prefix,
            "PaginationConfig": {"MaxItems": _LISTED},
        }
        if start:
            request["StartAfter"] = prefix + start
        found = [each for page in pages.paginate(**request) for each in page.get("Contents", [])]
        objects = [
            each
            for each in found
            if each["Size"] and not any(not part or is_hidden(part) for part in each["Key"][len(prefix) :].split("/"))
        ]
        if objects:
            return max(objects, key=lambda each: (each["LastModified"], each["Key"])), len(found) < _LISTED
    return None, True


def _partition(glue: GlueClient, log: LogTable, below: str, name: str) -> list[Check]:
    """Check that Athena sees the partition of the newest object."""
    columns, check = log.partitions.columns, f"partitions of {name}"
    if not columns:
        return []
    try:
        if log.projected:
            told = glue.get_table(DatabaseName=log.database, Name=log.name)["Table"].get("Parameters", {})
            return [_projection(check, told, [column for column, _ in columns])]
        values = [part.partition("=")[2] or part for part in below.split("/")[: len(columns)]]
        glue.get_partition(DatabaseName=log.database, TableName=log.name, PartitionValues=values)
    except _OWN_ERRORS as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "EntityNotFoundException":
            return [
                Check(
                    check,
                    "failed",
                    f"{below.rpartition('/')[0]} is not registered: Athena does not see what is in it",
                    f"MSCK REPAIR TABLE {log.database}.{log.name}, or a table with projected partitions: "
                    "workbench table create",
                )
            ]
        return [refusal(check, error, f"table/{log.database}/{log.name}")]
    return [Check(check, "ok", f"{'/'.join(values)}, the newest object's, is registered")]


def _projection(check: str, told: Mapping[str, str], columns: Iterable[str]) -> Check:
    year = datetime.now(UTC).year
    for column in columns:
        first, _, last = told.get(f"projection.{column}.range", "").partition(",")
        kind = told.get(f"projection.{column}.type")
        years = [text.strip()[:4] for text in (first, last)]
        if (
            (kind == "date" or (kind == "integer" and column == "year"))
            and all(text.isdecimal() for text in years)
            and not int(years[0]) <= year <= int(years[1])
        ):
            return Check(
                check,
                "failed",
                f"{column} is projected from {first} to {last}: Athena finds nothing of {year}, and says nothing",
                f"ALTER TABLE … SET TBLPROPERTIES ('projection.{column}.range' = "
                f"'{first},{'NOW' if kind == 'date' else year + 10}')",
            )
    return Check(check, "ok", "projected, and the present is in their range")


def _content(name: str, key: str, body: bytes, encryption: str, stored: str) -> Check:
    """Tell whether the first of an object can be read as Athena reads it."""
    check, where = f"reading {name}", f"{key.rpartition('/')[2]} can be read{encryption}"
    if stored == "parquet" or key.endswith(".parquet"):
        if body[:4] == b"PAR1":
            return Check(check, "ok", f"{where}, and is Parquet")
        return Check(check, "failed", f"{key} is no Parquet", "declare the table as what its objects are")
    try:
        text = zlib.decompressobj(47).decompress(body) if body[:2] == b"\x1f\x8b" else body
    except zlib.error as error:
        return Check(check, "failed", f"{key} is damaged gzip: {error}", "deliver its records again")
    lines = [line for line in text.decode("utf-8", "replace").splitlines() if line.strip()]
    joined = sum(map(_is_joined, lines))
    if joined:
        return Check(
            check,
            "failed",
            f"{joined:,} of {len(lines):,} lines of {key} hold several records: "
            "Athena's JSON "
            "readers take the first and pass over the others",
            "have Firehose end each record with a newline "
            "(AppendDelimiterToRecord); what is there is read whole by the embedded engine, over a synced "
            "copy",
        )
    if lines and not lines[0].lstrip("\ufeff").startswith("{"):
        return Check(check, "failed", f"{key} holds no JSON objects", "declare the table over change records")
    return Check(check, "ok", f"{where}, one record a line")


def _is_joined(line: str) -> bool:
    try:
        _, end = json.JSONDecoder().raw_decode(line.lstrip("\ufeff \t"))
    except ValueError:
        return False
    return line.lstrip("\ufeff \t")[end:].lstrip().startswith("{")


def _key(clients: Clients, check: str, told: GetObjectOutputTypeDef) -> Iterator[Check]:
    """Check the key that encrypts an object which was read, so that decrypting is allowed."""
    key = told.get("SSEKMSKeyId")
    if not key:
        return
    try:
        about = clients.kms.describe_key(KeyId=key)["KeyMetadata"]
    except _OWN_ERRORS as error:
        told_why = "may not be described" if is_denied(error) else f"cannot be described ({aws_words(error)})"
        yield Check(check, "ok", f"{key} decrypts; it {told_why}")
        return
    if about.get("KeyState", "Enabled") == "Enabled":
        yield Check(check, "ok", f"{key} is enabled, and decrypts")
    else:
        yield Check(
            check,
            "failed",
            f"{key} is {about['KeyState']}: what it encrypts is lost with it",
            f"aws kms enable-key --key-id {key} (or cancel-key-deletion)",
        )


def _bucket_refusal(check: str, error: Exception, bucket: str, resource: str) -> Check:
    code = error.response["Error"]["Code"] if isinstance(error, ClientError) else ""
    if code in ("NoSuchBucket", "404"):
        return Check(
            check, "failed", f"there is no bucket {bucket}", "set output= or the table's location to one that is there"
        )
    if code in ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "301"):
        return Check(
            check,
            "failed",
            f"the bucket {bucket} is in another region: {aws_words(error)}",
            "set region= to that of the bucket: Athena, too, must run there",
        )
    if code.startswith("KMS.") and not is_denied(error):
        return Check(check, "failed", aws_words(error), "aws kms enable-key --key-id KEY (or cancel-key-deletion)")
    return refusal(check, error, resource)


def _encryption(told: GetObjectOutputTypeDef) -> str:
    kind = told.get("ServerSideEncryption")
    return f" ({'SSE-KMS' if kind and 'kms' in kind else 'SSE-S3'})" if kind else ""


def _delivery_streams(clients: Clients) -> list[DeliveryStreamDescriptionTypeDef] | Exception:
    try:
        return delivery_streams(clients)
    except (ClientError, BotoCoreError) as error:
        failure: Exception = error
        return failure


def _pipeline(
    clients: Clients, log: LogTable, delivery: list[DeliveryStreamDescriptionTypeDef] | Exception
) -> list[Check]:
    return list(check_pipeline(clients, log.only or log.name, log.location, delivery))


def _place(location: str) -> tuple[str, str]:
    bucket, prefix = split_s3_uri(location, ConfigError)
    return bucket, f"{prefix.rstrip('/')}/" if prefix.rstrip("/") else ""


def _halves(message: str) -> tuple[str, str]:
    """Take what is wrong and what mends it apart."""
    detail, _, remedy = message.partition(": ")
    return (detail, remedy) if remedy else (message, "workbench config shows the settings and where they are from")
