"""Who governs the lake and the table, each where it is asked for: Lake Formation, a replica, exports, undos."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lakeformation as lakeformation
from aws_cdk import aws_s3 as s3
from aws_cdk import custom_resources as custom
from constructs import Construct

from infra_cdk.config import Config
from infra_cdk.stacks.catalog import Catalog
from infra_cdk.stacks.delivery import Delivery
from infra_cdk.stacks.encryption import bucket_key_use, encryption_key, table_key_use
from infra_cdk.stacks.functions import sdk_calls
from infra_cdk.stacks.source import Source
from infra_cdk.stacks.storage import private_bucket, tidy


class LakeFormation(Construct):
    """The log, registered with Lake Formation, and who may read it there: `config.lake_formation`, and `also`.

    Readers are opted in, so that Lake Formation decides for them. The rights of IAM stay for all others (hybrid
    access), but for the making and altering of tables over the log; who writes the catalog is granted that, so that it
    also goes on when `IAMAllowedPrincipals` is revoked. https://docs.aws.amazon.com/lake-formation/latest/dg/hybrid-access-mode.html
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
        delivery: Delivery | None = None,
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
        # Who makes a table over a place that is registered needs a right to that place. Of several tables, which come
        # later too, it is who deploys: an administrator of the data lake has it to every place.
        # https://docs.aws.amazon.com/lake-formation/latest/dg/implicit-permissions.html
        if catalog.table:
            location.node.add_dependency(catalog.table)
        self._location = location
        self._catalog = catalog
        self._database = {"catalogId": cdk.Aws.ACCOUNT_ID, "name": config.database}
        self._tables = {"catalogId": cdk.Aws.ACCOUNT_ID, "databaseName": config.database, "tableWildcard": {}}
        # Lake Formation has no say in what UNLOAD writes, nor in what is not registered, as checkpoints/ is not: who
        # makes them needs the right to make their table, which then is its own.
        # https://docs.aws.amazon.com/athena/latest/ug/security-athena-lake-formation.html
        readers = {f"Reader{number}": arn.strip() for number, arn in enumerate(config.lake_formation.split(","))}
        if also is not None:
            readers["Reports"] = also.role_arn
        opted = []
        for name, arn in readers.items():
            making = ["CREATE_TABLE"] if name == "Reports" else []
            self._grant(f"{name}Database", arn, {"database": self._database}, *making, "DESCRIBE")
            self._grant(f"{name}Tables", arn, {"table": self._tables}, "DESCRIBE", "SELECT")
            opted += [self._opt_in(f"{name}{what}In", arn, what, config, key) for what in ("Database", "Table")]
        for before, after in itertools.pairwise(opted):  # two at once are a ConcurrentModificationException
            after.node.add_dependency(before)
        if catalog.crawler_role:  # what it makes is its own
            arn, place = (
                catalog.crawler_role.role_arn,
                {"catalogId": cdk.Aws.ACCOUNT_ID, "resourceArn": location.resource_arn},
            )
            self._grant("CrawlerPlace", arn, {"dataLocation": place}, "DATA_LOCATION_ACCESS")
            self._grant("CrawlerDatabase", arn, {"database": self._database}, "CREATE_TABLE", "DESCRIBE")
            self._grant("CrawlerTables", arn, {"table": self._tables}, "ALTER", "DESCRIBE")
        if delivery and config.format == "parquet":
            # Firehose reads the columns when it is made, and is refused without this:
            # https://github.com/aws-solutions-library-samples/guidance-for-claude-code-with-amazon-bedrock/issues/379
            reads = self._grant("DeliveryTables", delivery.role.role_arn, {"table": self._tables}, "DESCRIBE", "SELECT")
            delivery.stream.node.add_dependency(reads)

    def _grant(self, id: str, principal: str, resource: dict[str, object], *permissions: str) -> Construct:
        grant = lakeformation.CfnPrincipalPermissions(
            self,
            id,
            principal={"dataLakePrincipalIdentifier": principal},
            resource=resource,
            permissions=list(permissions),
            permissions_with_grant_option=[],
        )
        grant.node.add_dependency(self._location, self._catalog.database)
        return grant

    def _opt_in(self, id: str, principal: str, what: str, config: Config, key: kms.IKey) -> Construct:
        """Have Lake Formation decide for a principal, which only an administrator of the data lake may say.

        CloudFormation cannot say it:
        https://docs.aws.amazon.com/lake-formation/latest/APIReference/API_CreateLakeFormationOptIn.html,
        https://docs.aws.amazon.com/lake-formation/latest/dg/notes-hybrid.html
        """
        tables = {"CatalogId": cdk.Aws.ACCOUNT_ID, "DatabaseName": config.database, "TableWildcard": {}}
        database = {"CatalogId": cdk.Aws.ACCOUNT_ID, "Name": config.database}

        def call(action: str, ignored: str) -> custom.AwsSdkCall:
            return custom.AwsSdkCall(
                service="LakeFormation",
                action=action,
                parameters={
                    "Principal": {"DataLakePrincipalIdentifier": principal},
                    "Resource": {what: database if what == "Database" else tables},
                },
                assumed_role_arn=config.lake_formation_admin,
                ignore_error_codes_matching=ignored,
                physical_resource_id=custom.PhysicalResourceId.of(f"{principal} {config.database} {what}"),
            )

        opted = sdk_calls(
            self,
            id,
            config=config,
            key=key,
            resource_type="Custom::LakeFormationOptIn",
            on_update=call("createLakeFormationOptIn", "AlreadyExistsException"),
            on_delete=call("deleteLakeFormationOptIn", "EntityNotFoundException"),
            policy=custom.AwsCustomResourcePolicy.from_statements(
                [iam.PolicyStatement(actions=["sts:AssumeRole"], resources=[config.lake_formation_admin])]
            ),
        )
        opted.node.add_dependency(self._location, self._catalog.database)
        return opted


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
            bucket_name=config.replica_bucket(self.account),
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
    there = f"arn:{cdk.Aws.PARTITION}:s3:::{config.replica_bucket(stack.account)}"
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


def export_policies(
    scope: Construct, config: Config, key: kms.IKey, table: dynamodb.ITable, lake: s3.IBucket
) -> tuple[iam.ManagedPolicy, iam.ManagedPolicy]:
    """Make the policies of who has the table exported to ``exports/`` of the lake, as a baseline, and of who reads it.

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/S3DataExport_Requesting.html
    """
    objects = f"{lake.bucket_arn}/exports/*"

    def policy(id: str, does: str, *more: iam.PolicyStatement, key_actions: Sequence[str]) -> iam.ManagedPolicy:
        return iam.ManagedPolicy(
            scope,
            id,
            description=f"{config.name}: {does}",
            statements=[
                iam.PolicyStatement(sid="List", actions=["dynamodb:ListExports"], resources=["*"]),  # has no resource
                iam.PolicyStatement(
                    sid="Follow", actions=["dynamodb:DescribeExport"], resources=[f"{table.table_arn}/export/*"]
                ),
                iam.PolicyStatement(
                    sid="Find", actions=["s3:GetBucketLocation", "s3:ListBucket"], resources=[lake.bucket_arn]
                ),
                *more,
                bucket_key_use(scope, key.key_arn, lake.bucket_arn, *key_actions),
            ],
        )

    exporter = policy(
        "Exporter",
        "export the table as a baseline",
        iam.PolicyStatement(
            sid="Export",
            resources=[table.table_arn],
            actions=[
                "dynamodb:DescribeContinuousBackups",
                "dynamodb:DescribeTable",
                "dynamodb:ExportTableToPointInTime",
            ],
        ),
        iam.PolicyStatement(
            sid="Store",
            resources=[objects],
            actions=["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject", "s3:PutObjectAcl"],
        ),
        key_actions=("Decrypt", "GenerateDataKey"),
    )
    reader = policy(
        "ExportReader",
        "read baselines",
        iam.PolicyStatement(sid="Describe", actions=["dynamodb:DescribeTable"], resources=[table.table_arn]),
        iam.PolicyStatement(sid="Read", actions=["s3:GetObject"], resources=[objects]),
        key_actions=("Decrypt",),
    )
    return exporter, reader


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
