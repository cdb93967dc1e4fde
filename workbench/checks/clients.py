"""The clients that the checks ask by: typed, patient for seconds only, and one of a service for all threads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.config import Config

from workbench.aws.session import Session

if TYPE_CHECKING:
    from types_boto3_athena import AthenaClient
    from types_boto3_cloudwatch import CloudWatchClient
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_firehose import FirehoseClient
    from types_boto3_glue import GlueClient
    from types_boto3_kms import KMSClient
    from types_boto3_s3 import S3Client
    from types_boto3_sts import STSClient

_QUICK = Config(
    connect_timeout=5, read_timeout=15, retries={"mode": "standard", "max_attempts": 2}, max_pool_connections=20
)


@dataclass(frozen=True)
class Clients:
    """A client of each service that is checked."""

    sts: STSClient
    athena: AthenaClient
    glue: GlueClient
    s3: S3Client
    kms: KMSClient
    dynamodb: DynamoDBClient
    firehose: FirehoseClient
    cloudwatch: CloudWatchClient


def make_clients(session: Session) -> Clients:
    """Make the clients, here and now: clients may be shared among threads, sessions may not."""
    return Clients(
        sts=session.client("sts", config=_QUICK),
        athena=session.client("athena", config=_QUICK),
        glue=session.client("glue", config=_QUICK),
        s3=session.client("s3", config=_QUICK),
        kms=session.client("kms", config=_QUICK),
        dynamodb=session.client("dynamodb", config=_QUICK),
        firehose=session.client("firehose", config=_QUICK),
        cloudwatch=session.client("cloudwatch", config=_QUICK),
    )
