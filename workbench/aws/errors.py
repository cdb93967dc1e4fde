"""What AWS refuses, in one line: what was not possible, AWS's own words, and the permission or command that mends it.

Whatever asks AWS does so inside `explained`, whatever it asks by (boto3 or awswrangler):

>>> from botocore.exceptions import ClientError
>>> with explained("s3://logs/a.json cannot be read", "s3:GetObject"):
...     raise ClientError({"Error": {"Code": "AccessDenied", "Message": "Access Denied"}}, "GetObject")
Traceback (most recent call last):
    ...
workbench.errors.StoreError: s3://logs/a.json cannot be read: GetObject: AccessDenied Access Denied;
    the permission is s3:GetObject

botocore and the standard library are all it needs: the Lambda that writes test data runs this file too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)

from workbench.errors import TOO_LARGE, StoreError, WorkbenchError

THROTTLED = ("ProvisionedThroughputExceededException", "ThrottlingException", "RequestLimitExceeded")
"""Codes of requests that DynamoDB takes when they are made again later."""
_DENIED = {
    "AccessDenied",
    "AccessDeniedException",
    "AuthorizationErrorException",
    "403",
    "UnauthorizedOperation",
    "UnauthorizedException",
    "KMS.AccessDeniedException",
}
_INVALID = {
    "ExpiredToken",
    "ExpiredTokenException",
    "RequestExpired",
    "InvalidClientTokenId",
    "InvalidAccessKeyId",
    "UnrecognizedClientException",
    "SignatureDoesNotMatch",
    "InvalidSignatureException",
    "AuthFailure",
    "InvalidToken",
    "UnauthorizedSSOToken",
}
# Operations that are called otherwise in policies: https://docs.aws.amazon.com/service-authorization/latest/reference/
_ACTIONS = {
    "ListObjectsV2": "s3:ListBucket",
    "HeadObject": "s3:GetObject",
    "HeadBucket": "s3:ListBucket",
    "GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "GetMetricData": "cloudwatch:GetMetricData",
    "ListMetrics": "cloudwatch:ListMetrics",
    "GetWorkGroup": "athena:GetWorkGroup",
    "DescribeKey": "kms:DescribeKey",
    "AssumeRole": "sts:AssumeRole",
    "DescribeTable": "dynamodb:DescribeTable",
    "DescribeKinesisStreamingDestination": "dynamodb:DescribeKinesisStreamingDestination",
    "DescribeContinuousBackups": "dynamodb:DescribeContinuousBackups",
    "ListDeliveryStreams": "firehose:ListDeliveryStreams",
    "DescribeDeliveryStream": "firehose:DescribeDeliveryStream",
}
_SERVICES = {
    "Object": "s3",
    "Bucket": "s3",
    "Database": "glue",
    "Table": "glue",
    "Partition": "glue",
    "Item": "dynamodb",
    "QueryExecution": "athena",
}

_LOG_IN = "aws sso login (or aws configure), then again; profile= or AWS_PROFILE chooses another profile"
_LOOK_AT_THE_NETWORK = "look at the network: proxy (HTTPS_PROXY), VPC endpoint, region=, endpoint="
_CHECK = "`workbench check` names the missing permission"
_ASK_LATER = "Athena takes no more queries now: ask again in a minute"
_BY_WORDS = {
    "TABLE_NOT_FOUND": "`workbench tables` lists the tables there are",
    "COLUMN_NOT_FOUND": "the table's columns have changed or are not a change log's: `workbench table show NAME`",
    "MISSING_COLUMN_NAME": "name each column of the result: … as name",
    "HIVE_METASTORE_ERROR": "`workbench table show NAME` prints the table's definition",
    "HIVE_BAD_DATA": "a column's type is not what the objects hold: register the log by `workbench table create`",
    "HIVE_CURSOR_ERROR": "an object cannot be read: look at the one named, or register the log by "
    "`workbench table create`, which counts bad lines instead",
    "NUMERIC_VALUE_OUT_OF_RANGE": TOO_LARGE,
    "EXCEEDED_MEMORY_LIMIT": "ask for a narrower window, or fewer items",
    "exhausted resources": "ask for a narrower window, or try again when the service is less busy",
    "Bytes scanned limit": "the workgroup's cutoff stopped it: ask for a narrower window, or raise the cutoff",
    "Access Denied": _CHECK,
    "AccessDenied": _CHECK,
    "not authorized": _CHECK,
    "ExpiredToken": _LOG_IN,
    "security token included in the request is expired": _LOG_IN,
    "Unable to locate credentials": _LOG_IN,
    "TooManyRequests": _ASK_LATER,
    "ThrottlingException": _ASK_LATER,
}


@contextmanager
def explained(
    trouble: str,
    *permissions: str,
    on: str = "",
    raises: type[WorkbenchError] = StoreError,
    advice: str = "",
    when: Mapping[str, str | WorkbenchError] | None = None,
    note: str = "",
) -> Iterator[None]:
    """Raise an error of AWS in this block as one of ours, in one line; what is no error of AWS passes through.

    Parameters
    ----------
    trouble
        What is not possible then, and where: ``s3://bucket/a.json cannot be read``.
    permissions
        What the identity needs for it, such as ``s3:GetObject``. Where AWS names another one as missing, it is that.
    on
        The resource for which it needs them.
    raises
        The class of the error.
    advice
        What to do, where no permissions are given; without it, what the words of the error suggest.
    when
        What to do by the error's code, or the error to raise in its stead.
    note
        What else to say, at the end: such as what was done before.

    Raises
    ------
    WorkbenchError
        Of the class `raises`.

    Examples
    --------
    >>> with explained("the table cannot be made", when={"AlreadyExistsException": "choose another name"}):
    ...     raise ClientError({"Error": {"Code": "AlreadyExistsException", "Message": "Table there"}}, "CreateTable")
    Traceback (most recent call last):
        ...
    workbench.errors.StoreError: the table cannot be made: CreateTable: AlreadyExistsException Table there;
        choose another name
    """
    try:
        yield
    except Exception as error:
        if not is_aws_error(error):
            raise
        special = (when or {}).get(error_code(error), "")
        if isinstance(special, WorkbenchError):
            raise special from error
        to_do = special or remedy(error, permissions, on, advice)
        raise raises("; ".join(filter(None, (f"{trouble}: {aws_words(error)}", to_do, note)))) from error


def remedy(error: Exception, permissions: Sequence[str] = (), on: str = "", advice: str = "") -> str:
    """Return what mends an error of AWS, as the end of a sentence; '' where nobody knows.

    Parameters
    ----------
    permissions, on, advice
        See `explained`.

    >>> remedy(NoCredentialsError())
    'aws sso login (or aws configure), then again; profile= or AWS_PROFILE chooses another profile'
    """
    if is_unauthenticated(error):
        return _LOG_IN
    if is_unreachable(error):
        return _LOOK_AT_THE_NETWORK
    if is_denied(error) and "Lake Formation" in str(error):
        return f"ask for it in Lake Formation: aws lakeformation grant-permissions … {on}".rstrip()
    if named := _named_permission(error, on):
        return f"the permission is {named}"
    if permissions:
        *others, last = permissions
        listed = f"{', '.join(others)} and {last}" if others else last
        return f"the permission{'s are' if others else ' is'} {listed}" + (f" on {on}" if on else "")
    return advice or remedy_by_words(aws_words(error))


def remedy_by_words(words: str) -> str:
    """Return what to do about a query that failed, by what Athena says of it; '' where nobody knows.

    >>> remedy_by_words("TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.logs.person' does not exist")
    '`workbench tables` lists the tables there are'
    """
    return next((to_do for sign, to_do in _BY_WORDS.items() if sign.lower() in words.lower()), "")


def aws_words(error: Exception) -> str:
    """Return AWS's own words of an error, in one line: the operation, the code and the message.

    >>> aws_words(ClientError({"Error": {"Code": "NoSuchBucket", "Message": "no such bucket"}}, "PutObject"))
    'PutObject: NoSuchBucket no such bucket'
    """
    if isinstance(error, ClientError):
        response = error.response.get("Error", {})
        return f"{error.operation_name}: {response.get('Code', '')} {response.get('Message', '')}".strip()
    return f"{type(error).__name__}: {error}".splitlines()[0]


def error_code(error: BaseException | None) -> str:
    """Return the code of an error that AWS answered with, such as ``AccessDenied``; '' where it is another error."""
    return str(error.response.get("Error", {}).get("Code", "")) if isinstance(error, ClientError) else ""


def is_aws_error(error: BaseException) -> bool:
    """Return whether an error is one of AWS, or of the libraries that ask it."""
    return isinstance(error, ClientError | BotoCoreError) or type(error).__module__ == "awswrangler.exceptions"


def is_denied(error: BaseException | None) -> bool:
    """Return whether a permission is missing."""
    return error_code(error) in _DENIED


def is_unauthenticated(error: Exception) -> bool:
    """Return whether there are no credentials, or none that are valid now."""
    return error_code(error) in _INVALID or isinstance(
        error, NoCredentialsError | PartialCredentialsError | CredentialRetrievalError | SSOError | TokenRetrievalError
    )


def is_unreachable(error: Exception) -> bool:
    """Return whether there was no answer at all."""
    return isinstance(error, ConnectionError | HTTPClientError)


def missing_permission(error: ClientError, resource: str = "") -> str:
    """Name the missing permission, such as ``glue:GetTables on database/logs``: as AWS says, else by the operation.

    >>> missing_permission(ClientError({"Error": {"Code": "AccessDenied", "Message": ""}}, "HeadObject"), "s3://a/b")
    's3:GetObject on s3://a/b'
    """
    if named := _named_permission(error, resource):
        return named
    operation = error.operation_name
    service = next((service for name, service in _SERVICES.items() if re.search(f"{name}s?$", operation)), "")
    action = _ACTIONS.get(operation) or (f"{service}:{operation}" if service else operation)
    return action + (f" on {resource}" if resource else "")


def _named_permission(error: Exception, resource: str) -> str:
    """Return the permission that AWS says is missing, and for what; '' where it does not say."""
    message = str(error.response.get("Error", {}).get("Message", "")) if isinstance(error, ClientError) else ""
    named = re.search(r"not authorized to perform: (\w+:\w+)(?: on (?:the )?resource: \"?([^\s\",]+))?", message)
    if not named:
        return ""
    on = named[2] or resource
    return named[1] + (f" on {on}" if on else "")
