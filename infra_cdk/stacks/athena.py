"""Athena: a workgroup with a limit to what a query scans, the workbench's questions, and the rights to ask them."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_athena as athena
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra_cdk.config import Config
from infra_cdk.named_query import named_query
from infra_cdk.stacks.catalog import Catalog
from infra_cdk.stacks.encryption import bucket_key_use
from infra_cdk.stacks.storage import ARCHIVED, Storage
from infra_cdk.views import extra_queries
from workbench.sql.questions import load_question, questions

_READ = ("data", "errors", "checkpoints", "compacted")  # the lake's folders that are asked
_MADE = ("checkpoints", "compacted")  # those whose contents are made of the log


class Athena(Construct):
    """`workgroup`, the named queries in it, and three policies that are attached to nobody.

    `analyst` is that of people and programs who ask; `maintainer` is what those need beside who make checkpoints and
    compact days, by hand or on a machine of their own.
    `console` is what Athena's console and BI tools need beside `analyst`, to show what there is.
    """

    def __init__(
        self, scope: Construct, id: str, *, config: Config, key: kms.IKey, storage: Storage, catalog: Catalog
    ) -> None:
        super().__init__(scope, id)
        results = storage.add_results()
        self._given = config, key, storage.lake.bucket_arn, results.bucket_arn
        self.workgroup = athena.CfnWorkGroup(
            self,
            "WorkGroup",
            name=config.slug,
            description=f"{config.name}: the log of {config.what}",
            recursive_delete_option=True,  # what it holds is the history of queries
            work_group_configuration={
                "enforceWorkGroupConfiguration": True,
                "publishCloudWatchMetricsEnabled": True,
                "requesterPaysEnabled": False,
                "bytesScannedCutoffPerQuery": config.scan_cutoff_gb * 10**9,
                "engineVersion": {"selectedEngineVersion": "Athena engine version 3"},
                "resultConfiguration": {
                    "outputLocation": f"s3://{results.bucket_name}/results/",
                    "expectedBucketOwner": cdk.Stack.of(self).account,
                    "encryptionConfiguration": {"encryptionOption": "SSE_KMS", "kmsKey": key.key_arn},
                },
            },
        )
        if not config.several:
            name_queries(self, config, self.workgroup, catalog)
        self.analyst = iam.ManagedPolicy(
            self, "Analyst", description=f"{config.name}: ask the log of item changes", statements=self.rights()
        )
        self.maintainer = iam.ManagedPolicy(
            self,
            "Maintainer",
            description=f"{config.name}: make checkpoints and compact days of the log",
            statements=self.maintenance_rights(),
        )
        self.console = iam.ManagedPolicy(
            self, "Console", description=f"{config.name}: see the log in tools", statements=self._console()
        )

    def rights(self) -> list[iam.PolicyStatement]:
        """Return what who asks the log may do."""
        config, key, lake, results = self._given
        stack = cdk.Stack.of(self)
        rights = [
            iam.PolicyStatement(
                sid="Ask",
                resources=[stack.format_arn(service="athena", resource="workgroup", resource_name=config.slug)],
                actions=[
                    "athena:BatchGetNamedQuery",
                    "athena:BatchGetQueryExecution",
                    "athena:GetNamedQuery",
                    "athena:GetQueryExecution",
                    "athena:GetQueryResults",
                    "athena:GetWorkGroup",
                    "athena:ListNamedQueries",
                    "athena:ListQueryExecutions",
                    "athena:StartQueryExecution",
                    "athena:StopQueryExecution",
                ],
            ),
            iam.PolicyStatement(
                sid="ReadCatalog",
                actions=[
                    "glue:BatchGetPartition",  # what is registered, as a crawler's and checkpoints' partitions are
                    "glue:GetDatabase",
                    "glue:GetPartition",
                    "glue:GetPartitions",
                    "glue:GetTable",
                    "glue:GetTables",
                ],
                resources=[
                    stack.format_arn(service="glue", resource=part)
                    for part in ("catalog", f"database/{config.database}", f"table/{config.database}/*")
                ],
            ),
            iam.PolicyStatement(  # the state of an export, for as long as a Workbench asks it
                sid="StageBaseline",
                actions=["glue:CreateTable", "glue:DeleteTable"],
                resources=[
                    stack.format_arn(service="glue", resource=part)
                    for part in (
                        "catalog",
                        f"database/{config.database}",
                        f"table/{config.database}/workbench_baseline_*",
                    )
                ],
            ),
            iam.PolicyStatement(
                sid="ReadLog", actions=["s3:GetObject"], resources=[f"{lake}/{folder}/*" for folder in _READ]
            ),
            iam.PolicyStatement(
                sid="ListLog",
                actions=["s3:ListBucket"],
                resources=[lake],
                conditions={"StringLike": {"s3:prefix": [*_READ, *(f"{folder}/*" for folder in _READ)]}},
            ),
            iam.PolicyStatement(
                sid="WriteResults",
                resources=[f"{results}/results/*"],
                actions=[
                    "s3:AbortMultipartUpload",
                    "s3:DeleteObject",
                    "s3:GetObject",
                    "s3:ListMultipartUploadParts",
                    "s3:PutObject",
                ],
            ),
            iam.PolicyStatement(sid="ListResults", actions=["s3:ListBucket"], resources=[results]),
            iam.PolicyStatement(
                sid="Buckets",
                resources=[lake, results],
                actions=["s3:GetBucketLocation", "s3:ListBucketMultipartUploads"],
            ),
            bucket_key_use(self, key.key_arn, lake, "Decrypt"),
            bucket_key_use(self, key.key_arn, results, "Decrypt", "GenerateDataKey", sid="KeyOfResults"),
        ]
        if config.lake_formation:
            # https://docs.aws.amazon.com/athena/latest/ug/lf-athena-user-permissions.html; it has no resource
            rights.append(
                iam.PolicyStatement(sid="AskLakeFormation", actions=["lakeformation:GetDataAccess"], resources=["*"])
            )
        return rights

    def _console(self) -> list[iam.PolicyStatement]:
        """Return what Athena's console, and tools that use its drivers, do beside asking.

        https://docs.aws.amazon.com/athena/latest/ug/example-policies-workgroup.html,
        https://docs.aws.amazon.com/athena/latest/ug/datacatalogs-example-policies.html, and for `default`, which every
        connection looks at, https://docs.aws.amazon.com/athena/latest/ug/fine-grained-access-to-glue-resources.html
        """
        config, stack = self._given[0], cdk.Stack.of(self)
        return [
            iam.PolicyStatement(  # they have no resource
                sid="Choose", actions=["athena:ListDataCatalogs", "athena:ListWorkGroups"], resources=["*"]
            ),
            iam.PolicyStatement(
                sid="Show",
                resources=[stack.format_arn(service="athena", resource="datacatalog", resource_name="AwsDataCatalog")],
                actions=[
                    "athena:GetDataCatalog",
                    "athena:GetDatabase",
                    "athena:GetTableMetadata",
                    "athena:ListDatabases",
                    "athena:ListTableMetadata",
                ],
            ),
            iam.PolicyStatement(
                sid="Databases",
                actions=["glue:GetDatabase", "glue:GetDatabases"],
                resources=[
                    stack.format_arn(service="glue", resource=part)
                    for part in ("catalog", "database/default", f"database/{config.database}")
                ],
            ),
            iam.PolicyStatement(
                sid="Watch",
                resources=[stack.format_arn(service="athena", resource="workgroup", resource_name=config.slug)],
                actions=["athena:GetQueryResultsStream", "athena:GetQueryRuntimeStatistics"],
            ),
        ]

    def maintenance_rights(self) -> list[iam.PolicyStatement]:
        """Return what who makes checkpoints and compacts days may do beside: write, register, and remove old ones.

        UNLOAD writes by the rights of who asks: https://docs.aws.amazon.com/athena/latest/ug/unload.html
        """
        config, key, lake, _ = self._given
        rights = [
            iam.PolicyStatement(
                sid="WriteMade",
                resources=[f"{lake}/{folder}/*" for folder in _MADE],
                actions=["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:ListMultipartUploadParts", "s3:PutObject"],
            ),
            iam.PolicyStatement(
                sid="RegisterMade",
                actions=["glue:CreatePartition", "glue:CreateTable", "glue:DeletePartition"],
                resources=[
                    cdk.Stack.of(self).format_arn(service="glue", resource=part)
                    for part in (
                        "catalog",
                        f"database/{config.database}",
                        *(f"table/{config.database}/{config.any_log}_{folder}" for folder in _MADE),
                    )
                ],
            ),
            bucket_key_use(self, key.key_arn, lake, "GenerateDataKey", sid="KeyOfMade"),
        ]
        if config.archive != "none":
            # An object's tags are put all at once: those it has are read before, and may be put again beside this one.
            # https://docs.aws.amazon.com/AmazonS3/latest/userguide/tagging-and-policies.html
            objects = [f"{lake}/data/{config.any_log}/*"]
            rights += [
                iam.PolicyStatement(sid="ReadTags", actions=["s3:GetObjectTagging"], resources=objects),
                iam.PolicyStatement(
                    sid="TagCompacted",
                    actions=["s3:PutObjectTagging"],
                    resources=objects,
                    conditions={
                        "StringEquals": {f"s3:RequestObjectTag/{tag}": value for tag, value in ARCHIVED.items()}
                    },
                ),
            ]
        return rights


def name_queries(scope: Construct, config: Config, workgroup: athena.CfnWorkGroup, catalog: Catalog) -> None:
    """Name the workbench's questions of one log; of `flat`, which they do not read, none."""
    if config.layout == "flat":
        return
    queries = {
        name: (
            load_question(name).title,
            named_query(
                name,
                database=config.database,
                table=config.log_name,
                layout=config.layout,
                crawled=config.catalog == "crawler",
            ),
        )
        for name in questions()
    }
    for name, (asked, sql) in {**queries, **extra_queries(config)}.items():
        query = athena.CfnNamedQuery(
            scope,
            name.title().replace("_", "").replace(" ", ""),
            name=f"{config.log_name}: {name}",
            description=asked,
            database=config.database,
            work_group=workgroup.name,
            query_string=sql,
        )
        query.node.add_dependency(workgroup, catalog.database)
