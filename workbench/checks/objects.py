"""What the checks of places in S3 share: what a refusal means, how an object is encrypted, whether its key is fine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from workbench.aws.errors import aws_words, error_code, is_denied
from workbench.checks.check import Check
from workbench.checks.clients import Clients
from workbench.checks.refusal import refusal
from workbench.errors import ConfigError
from workbench.paths import split_s3_uri

if TYPE_CHECKING:
    from types_boto3_s3.type_defs import GetObjectOutputTypeDef

ASKING_FAILED = (ClientError, BotoCoreError, ConfigError)
"""What a question to AWS may fail with, from here or from `workbench.aws`."""


def check_key(clients: Clients, check: str, response: GetObjectOutputTypeDef) -> Iterator[Check]:
    """Check the KMS key that encrypts an object which was read, so that decrypting is allowed."""
    key = response.get("SSEKMSKeyId")
    if not key:
        return
    try:
        description = clients.kms.describe_key(KeyId=key)["KeyMetadata"]
    except ASKING_FAILED as error:
        why = "may not be described" if is_denied(error) else f"cannot be described ({aws_words(error)})"
        yield Check(check, "ok", f"{key} decrypts; it {why}")
        return
    if description.get("KeyState", "Enabled") == "Enabled":
        yield Check(check, "ok", f"{key} is enabled, and decrypts")
    else:
        yield Check(
            check,
            "failed",
            f"{key} is {description['KeyState']}: what it encrypts is lost with it",
            f"aws kms enable-key --key-id {key} (or cancel-key-deletion)",
        )


def bucket_refusal(check: str, error: Exception, bucket: str, resource: str) -> Check:
    """Turn an error of S3 into a check that says what it means and what mends it.

    Parameters
    ----------
    resource
        What was asked for, as a policy names it.
    """
    code = error_code(error)
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


def encryption(response: GetObjectOutputTypeDef) -> str:
    """Return how an object that was read is encrypted, in brackets; '' where it is not told."""
    kind = response.get("ServerSideEncryption")
    return f" ({'SSE-KMS' if kind and 'kms' in kind else 'SSE-S3'})" if kind else ""


def bucket_and_prefix(location: str) -> tuple[str, str]:
    """Return the bucket and the prefix of a place in S3; the prefix is empty, or ends with ``/``.

    Raises
    ------
    ConfigError
        Where it is none.

    >>> bucket_and_prefix("s3://bucket/athena"), bucket_and_prefix("s3://bucket/")
    (('bucket', 'athena/'), ('bucket', ''))
    """
    bucket, prefix = split_s3_uri(location, ConfigError)
    return bucket, f"{prefix.rstrip('/')}/" if prefix.rstrip("/") else ""


def halves(message: str) -> tuple[str, str]:
    """Take what is wrong and what mends it apart, in the message of one of our errors.

    >>> halves("no Glue database: set database=")
    ('no Glue database', 'set database=')
    """
    detail, _, remedy = message.partition(": ")
    return (detail, remedy) if remedy else (message, "workbench config shows the settings and where they are from")
