"""The Glue catalog: a database, an explicit table over the log, and a crawler where one is wanted."""

from __future__ import annotations

import json

import aws_cdk as cdk
from aws_cdk import aws_glue as glue
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra_cdk.config import Config
from infra_cdk.stacks.encryption import bucket_key_use
from workbench.aws.table_definitions import table_input

# A table is the folder below data/: tables whose objects differ stay one, new columns are added, and partitions take
# the table's own schema, or a column that is new in one would make them unreadable together.
_CRAWLED = {
    "Version": 1.0,
    "Grouping": {"TableGroupingPolicy": "CombineCompatibleSchemas", "TableLevelConfiguration": 3},
    "CrawlerOutput": {
        "Partitions": {"AddOrUpdateBehavior": "InheritFromTable"},
        "Tables": {"AddOrUpdateBehavior": "MergeNewColumns"},
    },
}


class Catalog(Construct):
    """`database`, `table` (None where only a crawler makes one), `crawler` and its role (None where there is none).

    The tables of several logs are not here, but in a nested stack each: see `explicit_table`.
    """

    def __init__(self, scope: Construct, id: str, *, config: Config, bucket_name: str) -> None:
        super().__init__(scope, id)
        self.config = config
        self.database = glue.CfnDatabase(
            self,
            "Database",
            catalog_id=cdk.Aws.ACCOUNT_ID,
            database_input={"name": config.database, "description": f"{config.name}: logs of item changes"},
        )
        self.crawler: glue.CfnCrawler | None = None
        self.crawler_role: iam.Role | None = None
        self.table: glue.CfnTable | None = None
        if config.catalog != "crawler" and not config.several:
            self.table = explicit_table(self, self.database, config, bucket_name)

    def crawl(self, *, bucket_arn: str, bucket_name: str, key: kms.IKey) -> None:
        """Add the crawler, with the right to read the log, and to write tables of this database."""
        config, stack = self.config, cdk.Stack.of(self)
        role = iam.Role(
            self,
            "CrawlerRole",
            assumed_by=iam.ServicePrincipal("glue.amazonaws.com"),
            description=f"{config.name}: crawls the change log",
        )
        for statement in (
            iam.PolicyStatement(sid="ReadLog", actions=["s3:GetObject"], resources=[f"{bucket_arn}/data/*"]),
            iam.PolicyStatement(
                sid="ListLog",
                actions=["s3:ListBucket"],
                resources=[bucket_arn],
                conditions={"StringLike": {"s3:prefix": ["data", "data/*"]}},
            ),
            iam.PolicyStatement(sid="FindBucket", actions=["s3:GetBucketLocation"], resources=[bucket_arn]),
            bucket_key_use(self, key.key_arn, bucket_arn, "Decrypt"),
            iam.PolicyStatement(
                sid="WriteTables",
                actions=[
                    "glue:BatchCreatePartition",
                    "glue:BatchGetPartition",
                    "glue:BatchUpdatePartition",
                    "glue:CreatePartition",
                    "glue:CreateTable",
                    "glue:GetDatabase",
                    "glue:GetPartition",
                    "glue:GetPartitions",
                    "glue:GetTable",
                    "glue:GetTables",
                    "glue:UpdatePartition",
                    "glue:UpdateTable",
                ],
                resources=[
                    stack.format_arn(service="glue", resource=part)
                    for part in ("catalog", f"database/{config.database}", f"table/{config.database}/*")
                ],
            ),
            iam.PolicyStatement(
                sid="Log",
                actions=["logs:AssociateKmsKey", "logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
                resources=[
                    stack.format_arn(
                        service="logs",
                        resource="log-group",
                        resource_name="/aws-glue/crawlers*",
                        arn_format=cdk.ArnFormat.COLON_RESOURCE_NAME,
                    )
                ],
            ),
            # Its security configuration is read by the crawler's own role; the action has no resource:
            # https://docs.aws.amazon.com/glue/latest/dg/console-security-configurations.html
            iam.PolicyStatement(sid="Security", actions=["glue:GetSecurityConfiguration"], resources=["*"]),
        ):
            role.add_to_policy(statement)
        secure = glue.CfnSecurityConfiguration(
            self,
            "CrawlerSecurity",
            name=f"{config.slug}-crawler",
            encryption_configuration={
                "cloudWatchEncryption": {"cloudWatchEncryptionMode": "SSE-KMS", "kmsKeyArn": key.key_arn},
                "jobBookmarksEncryption": {"jobBookmarksEncryptionMode": "CSE-KMS", "kmsKeyArn": key.key_arn},
                "s3Encryptions": [{"s3EncryptionMode": "SSE-KMS", "kmsKeyArn": key.key_arn}],
            },
        )
        self.crawler = glue.CfnCrawler(
            self,
            "Crawler",
            role=role.role_arn,
            database_name=config.database,
            configuration=json.dumps(_CRAWLED),
            crawler_security_configuration=secure.name,
            targets={"s3Targets": [{"path": f"s3://{bucket_name}/data/"}]},
            schema_change_policy={"updateBehavior": "UPDATE_IN_DATABASE", "deleteBehavior": "LOG"},
            recrawl_policy={"recrawlBehavior": "CRAWL_EVERYTHING"},
            schedule={"scheduleExpression": config.crawler_schedule} if config.crawler_schedule else None,
            table_prefix="crawled_" if config.catalog == "both" else None,
        )
        self.crawler.node.add_dependency(self.database, secure, role)
        self.crawler_role = role


def explicit_table(scope: Construct, database: glue.CfnDatabase, config: Config, bucket_name: str) -> glue.CfnTable:
    """Make the table that `workbench table create` would make, over the log's folder."""
    described = table_input(
        config.log_name,
        f"s3://{bucket_name}/data/{config.log_name}/",
        layout=config.layout,
        stored="parquet" if config.format == "parquet" else "json",
        first_year=config.first_year,
        first=config.begin,
    )
    table = glue.CfnTable(scope, "Table", catalog_id=cdk.Aws.ACCOUNT_ID, database_name=config.database)
    table.add_property_override("TableInput", described)
    table.add_resource_dependency(database)
    return table
