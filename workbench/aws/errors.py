"""What AWS refuses, read: the permission that is missing, or what else to do."""

from __future__ import annotations

import re

from botocore.exceptions import (
    ClientError,
    ConnectionError,
    CredentialRetrievalError,
    HTTPClientError,
    NoCredentialsError,
    PartialCredentialsError,
    SSOError,
    TokenRetrievalError,
)

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
_BY_NAME = {"Object": "s3", "Bucket": "s3", "Database": "glue", "Table": "glue", "Partition": "glue"}


def is_denied(error: Exception) -> bool:
    """Tell whether a permission is missing."""
    return isinstance(error, ClientError) and error.response.get("Error", {}).get("Code") in _DENIED


def is_unauthenticated(error: Exception) -> bool:
    """Tell whether there are no credentials, or none that are valid now."""
    if isinstance(error, ClientError):
        return error.response.get("Error", {}).get("Code") in _INVALID
    return isinstance(
        error, NoCredentialsError | PartialCredentialsError | CredentialRetrievalError | SSOError | TokenRetrievalError
    )


def is_unreachable(error: Exception) -> bool:
    """Tell whether there was no answer at all."""
    return isinstance(error, ConnectionError | HTTPClientError)


def missing(error: ClientError, resource: str = "") -> str:
    """Name the missing permission, such as ``glue:GetTables on database/logs``: as AWS says, else by the operation."""
    message = error.response.get("Error", {}).get("Message", "")
    told = re.search(r"not authorized to perform: (\w+:\w+)(?: on (?:the )?resource: \"?([^\s\",]+))?", message)
    if told:
        return told[1] + (f" on {told[2] or resource}" if told[2] or resource else "")
    operation = error.operation_name
    service = next((service for name, service in _BY_NAME.items() if re.search(f"{name}s?$", operation)), "")
    action = _ACTIONS.get(operation) or (f"{service}:{operation}" if service else operation)
    return action + (f" on {resource}" if resource else "")
