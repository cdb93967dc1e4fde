"""Checks of Athena's workgroup, and of the place where results go: it is written to, read, and left as it was."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import ClientError

from workbench.aws.errors import aws_words, is_denied, is_unauthenticated
from workbench.checks.check import Check
from workbench.checks.clients import Clients
from workbench.checks.objects import ASKING_FAILED, bucket_and_prefix, bucket_refusal, check_key, encryption, halves
from workbench.checks.refusal import refusal
from workbench.config import Settings
from workbench.errors import ConfigError

if TYPE_CHECKING:
    from types_boto3_athena.type_defs import WorkGroupTypeDef


def check_workgroup(clients: Clients, settings: Settings) -> tuple[list[Check], str | None]:
    """Check the workgroup; return the checks, and where results go, None where that is not said."""
    name = settings.workgroup
    try:
        group = clients.athena.get_work_group(WorkGroup=name)["WorkGroup"]
    except ASKING_FAILED as error:
        if isinstance(error, ClientError) and not (is_denied(error) or is_unauthenticated(error)):
            remedy = "set workgroup= to one that `aws athena list-work-groups` shows"
            return [Check("workgroup", "failed", aws_words(error), remedy)], settings.output
        return [refusal("workgroup", error, f"workgroup/{name}")], settings.output
    configuration = group.get("Configuration", {})
    own = configuration.get("ResultConfiguration", {}).get("OutputLocation")
    enforced = bool(configuration.get("EnforceWorkGroupConfiguration"))
    output = own if enforced and own else settings.output or own
    checks = [_usable(group), _scan_limit(group, settings), *_result_location(name, output, settings)]
    return [*checks, _result_encryption(group)], output


def _usable(group: WorkGroupTypeDef) -> Check:
    """Check that the questions can run in a workgroup, and that their results can be read."""
    name, configuration = group["Name"], group.get("Configuration", {})
    engine = configuration.get("EngineVersion", {}).get("EffectiveEngineVersion", "")
    if group.get("State") == "DISABLED":
        return Check("workgroup", "failed", f"{name} is disabled", f"{_update(name)} --state ENABLED")
    if engine.endswith("version 2"):
        return Check(
            "workgroup",
            "failed",
            f"{name} runs {engine}; the questions need version 3",
            f"{_update(name)} --configuration-updates "
            "\"EngineVersion={SelectedEngineVersion='Athena engine version 3'}\"",
        )
    if configuration.get("ManagedQueryResultsConfiguration", {}).get("Enabled"):
        return Check(
            "workgroup",
            "failed",
            f"{name} keeps results in storage of Athena's own, which cannot be read",
            "use another workgroup, workgroup=, or one with managed query results off",
        )
    enforced = ", its settings enforced" if configuration.get("EnforceWorkGroupConfiguration") else ""
    return Check("workgroup", "ok", f"{name}, {engine or 'engine version not told'}{enforced}")


def _scan_limit(group: WorkGroupTypeDef, settings: Settings) -> Check:
    """Check that a query cannot cost any amount."""
    limit = group.get("Configuration", {}).get("BytesScannedCutoffPerQuery")
    if limit or settings.max_scan_bytes:
        parts = [f"Athena stops a query at {limit / 1e9:,.2f} GB"] if limit else []
        parts += [f"none over {settings.max_scan_bytes / 1e9:,.2f} GB is started"] if settings.max_scan_bytes else []
        return Check("scan limit", "ok", "; ".join(parts))
    return Check(
        "scan limit",
        "warning",
        "a query may scan, and cost, any amount",
        "set max_scan_bytes=10GB, or the workgroup's BytesScannedCutoffPerQuery",
    )


def _result_location(name: str, output: str | None, settings: Settings) -> Iterator[Check]:
    """Check that it is said where results go, and that the setting holds."""
    if output is None:
        yield Check(
            "result location",
            "failed",
            f"neither output= nor the workgroup {name} says where results go",
            "set output=s3://BUCKET/PREFIX/",
        )
    elif settings.output and output.rstrip("/") != settings.output.rstrip("/"):
        yield Check(
            "result location",
            "warning",
            f"the workgroup enforces {output}: output={settings.output} is not used",
            f"set output={output}",
        )


def _result_encryption(group: WorkGroupTypeDef) -> Check:
    """Check that results are encrypted such that they can be read back."""
    results = group.get("Configuration", {}).get("ResultConfiguration", {})
    kind = results.get("EncryptionConfiguration", {}).get("EncryptionOption")
    if kind == "CSE_KMS":
        return Check(
            "result encryption",
            "failed",
            "results are encrypted by the client (CSE_KMS): they cannot be read back",
            f"{_update(group['Name'])} with EncryptionOption=SSE_KMS",
        )
    return Check("result encryption", "ok", f"{kind} by the workgroup" if kind else "as the bucket encrypts")


def _update(name: str) -> str:
    return f"aws athena update-work-group --work-group {name}"


def check_results(clients: Clients, output: str) -> list[Check]:
    """Write, read and remove a small object where results go."""
    try:
        bucket, prefix = bucket_and_prefix(output)
    except ConfigError as error:
        return [Check("results", "failed", *halves(str(error)))]
    key, s3, body = f"{prefix}workbench-check-{uuid.uuid4().hex}", clients.s3, b"workbench check"
    place, checks = f"arn:aws:s3:::{bucket}/{prefix}*", list[Check]()
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=body)
    except ASKING_FAILED as error:
        return [bucket_refusal("results", error, bucket, place)]
    try:
        response = s3.get_object(Bucket=bucket, Key=key)
        response["Body"].read()
        checks.append(Check("results", "ok", f"{output} can be written and read{encryption(response)}"))
        checks += check_key(clients, "KMS key of results", response)
    except ASKING_FAILED as error:
        checks.append(bucket_refusal("results", error, bucket, place))
    try:
        s3.delete_object(Bucket=bucket, Key=key)
    except ASKING_FAILED as error:
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
