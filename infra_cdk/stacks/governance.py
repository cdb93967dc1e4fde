"""Who governs the lake and the table, each where it is asked for: Lake Formation, a replica, exports, undos."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lakeformation as lakeformation
from aws_cdk import aws_s3 as s3
from constructs import Construct

from infra_cdk.config import Config
from infra_cdk.stacks.catalog import Catalog
from infra_cdk.stacks.encryption import bucket_key_use, encryption_key, table_key_use
from infra_cdk.stacks.source import Source
from infra_cdk.stacks.storage import private_bucket, tidy


class LakeFormation(Construct):
    """The log, registered with Lake Formation, and who may read it there: `config.lake_formation`, and `also`.

    The rights of IAM stay (hybrid access): who is not named here reads by them until `IAMAllowedPrincipals` is revoked.
    https://docs.aws.amazon.com/lake-formation/latest/dg/hybrid-access-mode.html
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: Config,
        key: kms.IKey,
        lake: s3.IBucket,
        catalog: Catalog,
        also: iam.IRole | None = None,
    ) -> None:
        super().__init__(scope, id)
        role = iam.Role(
            self,
            "Role",
            assumed_by=iam.ServicePrincipal("lakeformation.amazonaws.com"),
            description=f"{config.name}: reads the log for who Lake Formation lets",
        )
        for right in (
            iam.PolicyStatement(sid="ReadLog", actions=["s3:GetObject"], resources=[f"{lake.bucket_arn}/data/*"]),
            iam.PolicyStatement(sid="ListLog", actions=["s3:ListBucket"], resources=[lake.bucket_arn]),
            bucket_key_use(self, key.key_arn, lake.bucket_arn, "Decrypt"),
        ):
            role.add_to_policy(right)
        location = lakeformation.CfnResource(
            self,
            "Location",
            resource_arn=f"{lake.bucket_arn}/data/",
            use_service_linked_role=False,
            hybrid_access_enabled=True,
            role_arn=role.role_arn,
        )
        location.node.add_dependency(role)
        # Lake Formation has no say in what UNLOAD writes, nor in what is not registered, as checkpoints/ is not: who
        # makes them needs the right to make their table, which then is its own.
        # https://docs.aws.amazon.com/athena/latest/ug/security-athena-lake-formation.html
        readers = {f"Reader{number}": arn.strip() for number, arn in enumerate(config.lake_formation.split(","))}
        if also is not None:
            readers["Reports"] = also.role_arn
        database = {"catalogId": cdk.Aws.ACCOUNT_ID, "name": config.database}
        tables = {"catalogId": cdk.Aws.ACCOUNT_ID, "databaseName": config.database, "tableWildcard": {}}
        for name, arn in readers.items():
            making = ["CREATE_TABLE"] if name == "Reports" else []
            for what, resource, permissions in (
                ("Database", {"database": database}, [*making, "DESCRIBE"]),
                ("Tables", {"table": tables}, ["DESCRIBE", "SELECT"]),
            ):
                grant = lakeformation.CfnPrincipalPermissions(
                    self,
                    f"{name}{what}",
                    principal={"dataLakePrincipalIdentifier": arn},
                    resource=resource,
                    permissions=permissions,
                    permissions_with_grant_option=[],
                )
                grant.node.add_dependency(location, catalog.database)


class Replica(cdk.Stack):
    """The bucket in the second Region that the log is replicated to, and its key."""

    def __init__(self, scope: Construct, id: str, *, config: Config, **more: object) -> None:
        super().__init__(scope, id, description=f"A replica of the log of item changes of {config.what}", **more)  # type: ignore[arg-type]
        key = encryption_key(self, config, alias=f"{config.slug}/replica")
        logs = private_bucket(
            self,
            "AccessLogs",
            config,
            encryption=s3.BucketEncryption.S3_MANAGED,
            lifecycle_rules=[tidy(config, expiration=cdk.Duration.days(365))],
        )
        private_bucket(
            self,
            "Replica",
            config,
            bucket_name=_replica_name(config, self.account),
            encryption=s3.BucketEncryption.KMS,
            encryption_key=key,
            bucket_key_enabled=True,
            server_access_logs_bucket=logs,
            server_access_logs_prefix="replica/",
            lifecycle_rules=[tidy(config)],
        )


def replicate(scope: Construct, config: Config, key: kms.IKey, lake: s3.Bucket) -> None:
    """Replicate the log to the bucket of `Replica`, whose names are known before it is there.

    What is deleted here stays there: the replica is for the day the bucket, its Region or its key is lost.
    """
    stack = cdk.Stack.of(scope)
    role = iam.Role(
        scope,
        "ReplicationRole",
        assumed_by=iam.ServicePrincipal("s3.amazonaws.com"),
        description=f"{config.name}: replicates the log",
    )
    there = f"arn:{cdk.Aws.PARTITION}:s3:::{_replica_name(config, stack.account)}"
    alias = stack.format_arn(
        service="kms", region=config.replica_region, resource="alias", resource_name=f"{config.slug}/replica"
    )
    keys = stack.format_arn(service="kms", region=config.replica_region, resource="key", resource_name="*")
    for right in (
        iam.PolicyStatement(
            sid="Settings", actions=["s3:GetReplicationConfiguration", "s3:ListBucket"], resources=[lake.bucket_arn]
        ),
        iam.PolicyStatement(
            sid="Read",
            resources=[lake.arn_for_objects("data/*")],
            actions=["s3:GetObjectVersionAcl", "s3:GetObjectVersionForReplication", "s3:GetObjectVersionTagging"],
        ),
        iam.PolicyStatement(
            sid="Replicate", resources=[f"{there}/data/*"], actions=["s3:ReplicateObject", "s3:ReplicateTags"]
        ),
        bucket_key_use(scope, key.key_arn, lake.bucket_arn, "Decrypt"),
        iam.PolicyStatement(
            sid="KeyOfReplica",
            resources=[keys],
            actions=["kms:Encrypt", "kms:GenerateDataKey"],
            conditions={
                "ForAnyValue:StringEquals": {"kms:ResourceAliases": f"alias/{config.slug}/replica"},
                "StringEquals": {"kms:ViaService": f"s3.{config.replica_region}.amazonaws.com"},
            },
        ),
    ):
        role.add_to_policy(right)
    bucket = lake.node.default_child
    assert isinstance(bucket, s3.CfnBucket)
    bucket.replication_configuration = s3.CfnBucket.ReplicationConfigurationProperty(
        role=role.role_arn,
        rules=[
            s3.CfnBucket.ReplicationRuleProperty(
                id="replica",
                status="Enabled",
                priority=1,
                filter={"prefix": "data/"},
                delete_marker_replication={"status": "Disabled"},
                source_selection_criteria={"sseKmsEncryptedObjects": {"status": "Enabled"}},
                destination={"bucket": there, "encryptionConfiguration": {"replicaKmsKeyId": alias}},
            )
        ],
    )


def export_policy(
    scope: Construct, config: Config, key: kms.IKey, table: dynamodb.ITable, lake: s3.IBucket
) -> iam.ManagedPolicy:
    """Make the policy of who has the table exported to ``exports/`` of the lake, as a baseline, and reads exports."""
    about = f"{config.name}: export the table as a baseline"
    return iam.ManagedPolicy(
        scope,
        "Exporter",
        description=about,
        statements=[
            iam.PolicyStatement(
                sid="Export",
                resources=[table.table_arn],
                actions=[
                    "dynamodb:DescribeContinuousBackups",
                    "dynamodb:DescribeTable",
                    "dynamodb:ExportTableToPointInTime",
                    "dynamodb:ListExports",
                ],
            ),
            iam.PolicyStatement(
                sid="Follow", actions=["dynamodb:DescribeExport"], resources=[f"{table.table_arn}/export/*"]
            ),
            iam.PolicyStatement(
                sid="Store",
                resources=[f"{lake.bucket_arn}/exports/*"],
                actions=["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"],
            ),
            iam.PolicyStatement(
                sid="Find", actions=["s3:GetBucketLocation", "s3:ListBucket"], resources=[lake.bucket_arn]
            ),
            bucket_key_use(scope, key.key_arn, lake.bucket_arn, "Decrypt", "GenerateDataKey"),
        ],
    )


def undo_policy(config: Config, key: kms.IKey, source: Source) -> iam.ManagedPolicy:
    """Make the policy of who applies undos: to read and write items of the one table. It is attached to nobody."""
    table_key = config.table_key if config.table else key.key_arn
    return iam.ManagedPolicy(
        source,
        "Undo",
        description=f"{config.name}: write items of the table back",
        statements=[
            iam.PolicyStatement(
                sid="WriteItems",
                resources=[source.table.table_arn],
                actions=["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
            ),
            iam.PolicyStatement(
                sid="ReadItems",
                resources=[source.table.table_arn],
                actions=[
                    "dynamodb:BatchGetItem",
                    "dynamodb:DescribeKinesisStreamingDestination",
                    "dynamodb:DescribeTable",
                    "dynamodb:DescribeTimeToLive",
                    "dynamodb:GetItem",
                ],
            ),
            *([table_key_use(source, table_key)] if table_key else []),
        ],
    )


def _replica_name(config: Config, account: str) -> str:
    return f"{config.slug}-replica-{account}-{config.replica_region}"
