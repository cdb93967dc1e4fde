"""What AWS refused, as a check that says what mends it."""

from __future__ import annotations

import textwrap

from botocore.exceptions import ClientError

from workbench.aws.errors import aws_words, is_aws_error, is_denied, is_unauthenticated, missing_permission, remedy
from workbench.checks.check import Check, Status


def refusal(check: str, error: Exception, resource: str = "", status: Status = "failed") -> Check:
    """Turn an error into a check that says what it means and what mends it.

    Parameters
    ----------
    error
        One of AWS, or one of ours that comes of one.
    resource
        What was asked for, as AWS or a policy names it.
    status
        Of the check; without valid credentials it is failed whatever this says.

    >>> denied = ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, "GetObject")
    >>> refusal("results", denied, "arn:aws:s3:::bucket/*").remedy
    'ask for the permission s3:GetObject on arn:aws:s3:::bucket/*'
    """
    cause = error if is_aws_error(error) else error.__cause__ or error
    assert isinstance(cause, Exception)
    detail = textwrap.shorten(aws_words(cause), 400, placeholder=" …")  # one line, also of a page of a proxy
    if is_unauthenticated(cause):
        return Check(check, "failed", detail, remedy(cause))
    if isinstance(cause, ClientError) and is_denied(cause) and "Lake Formation" not in str(cause):
        needed = missing_permission(cause, resource)
        return Check(check, status, f"not allowed: {detail}", f"ask for the permission {needed}")
    return Check(check, status, detail, remedy(cause, on=resource, advice="workbench --debug check"))
