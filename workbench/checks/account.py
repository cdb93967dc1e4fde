"""Checks on AWS: may this identity ask, is everything there, does the log still grow? Nothing is left behind.

>>> for check in check_aws(load_settings(engine="athena", database="logs")):  # doctest: +SKIP
...     print(check.status, check.check, check.detail, check.remedy)
ok credentials arn:aws:iam::123456789012:role/analyst in account 123456789012, from sso
…
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from workbench.aws.catalog import Catalog
from workbench.aws.errors import error_code, is_unreachable
from workbench.aws.log_tables import LogTable
from workbench.aws.session import Session, open_session
from workbench.checks.check import Check
from workbench.checks.clients import Clients, make_clients
from workbench.checks.log_data import check_data
from workbench.checks.objects import ASKING_FAILED, halves
from workbench.checks.pipeline import check_pipeline, delivery_streams
from workbench.checks.refusal import refusal
from workbench.checks.workgroup import check_results, check_workgroup
from workbench.config import Settings
from workbench.errors import ConfigError

if TYPE_CHECKING:
    from types_boto3_firehose.type_defs import DeliveryStreamDescriptionTypeDef
    from types_boto3_sts import STSClient

_DEPENDENT = ("workgroup", "results", "database", "change log", "pipeline")


def check_aws(settings: Settings, catalog: Callable[[Session, Settings], Catalog] = Catalog) -> list[Check]:
    """Try every part that a question on Athena needs, and the pipeline that fills the log.

    A small object is written to where results go, and removed. Whether items of a table may be written, for an undo, is
    tried by writes on a condition that no item can meet.
    """
    try:
        session = open_session(settings)
        clients = make_clients(session)
        who = _identity(clients.sts, session, settings)
    except ConfigError as error:
        who = Check("credentials", "failed", *halves(str(error)))
    except (ClientError, BotoCoreError) as error:
        # Where only STS cannot be reached, as in a VPC without an endpoint for it, the others are asked.
        who = refusal("credentials", error, settings.role or "", "warning" if is_unreachable(error) else "failed")
    if who.status == "failed":
        return [
            who,
            *(Check(name, "warning", "not tried: there are no valid credentials", who.remedy) for name in _DEPENDENT),
        ]
    with ThreadPoolExecutor(16) as pool:
        group = pool.submit(check_workgroup, clients, settings)
        listed = pool.submit(_tables, clients, settings, catalog, session)
        streams = pool.submit(_delivery_streams, clients)
        group_checks, output = group.result()
        results = pool.submit(_safe, "results", check_results, clients, output) if output else None
        table_checks, logs = listed.result()
        delivery = streams.result()
        each = [
            pool.submit(_safe, f"{part} of {log.only or log.name}", check, clients, log, *more)
            for log in logs
            for part, check, *more in (("data", check_data, settings), ("pipeline", _pipeline, delivery))
        ]
        checks = [who, _region(session), *group_checks, *(results.result() if results else ()), *table_checks]
        return _once([*checks, *(check for part in each for check in part.result())])


def _once(checks: Iterable[Check]) -> list[Check]:
    """Name a part once that is checked for several tables, such as the Firehose they share."""
    by_name: dict[str, Check] = {}
    for check in checks:
        if check.check not in by_name or by_name[check.check].status == "ok":
            by_name[check.check] = check
    return list(by_name.values())


def _safe(name: str, part: Callable[..., list[Check]], *arguments: object) -> list[Check]:
    try:
        return part(*arguments)
    except Exception as error:  # a check that breaks is a failed check
        return [Check(name, "failed", f"{type(error).__name__}: {error}".splitlines()[0], "workbench --debug check")]


def _identity(sts: STSClient, session: Session, settings: Settings) -> Check:
    identity = sts.get_caller_identity()
    credentials = session.get_credentials()
    detail = (
        f"{identity['Arn']} in account {identity['Account']}, from {credentials.method if credentials else 'nowhere'}"
    )
    if identity["Arn"].endswith(":root"):
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
    except ASKING_FAILED as error:
        if error_code(error) == "EntityNotFoundException":
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
    except ASKING_FAILED as error:
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
