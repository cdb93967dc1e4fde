"""What AWS refused, as a check that says what mends it."""

from __future__ import annotations

import textwrap

from botocore.exceptions import BotoCoreError, ClientError

from workbench.aws.errors import is_denied, is_unauthenticated, is_unreachable, missing
from workbench.aws.session import said
from workbench.checks.check import Check, Status

_LOGIN = "aws sso login (or aws configure), then again; profile= or AWS_PROFILE chooses another profile"


def refusal(check: str, error: Exception, resource: str = "", status: Status = "failed") -> Check:
    """Turn an error into a check that says what it means and what mends it."""
    cause = error if isinstance(error, ClientError | BotoCoreError) else error.__cause__ or error
    assert isinstance(cause, Exception)
    told = textwrap.shorten(said(cause), 400, placeholder=" …")  # one line, also where a proxy answers with a page
    if is_unauthenticated(cause):
        return Check(check, "failed", told, _LOGIN)
    if isinstance(cause, ClientError) and is_denied(cause):
        if "Lake Formation" in str(cause):
            return Check(
                check,
                status,
                told,
                f"ask for it in Lake Formation: aws lakeformation grant-permissions … {resource}".rstrip(),
            )
        return Check(check, status, f"not allowed: {told}", f"ask for the permission {missing(cause, resource)}")
    if is_unreachable(cause):
        return Check(check, status, told, "look at the network: proxy (HTTPS_PROXY), VPC endpoint, region=, endpoint=")
    return Check(check, status, told, "workbench --debug check")
