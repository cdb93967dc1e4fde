"""Search: an OpenSearch domain, and what brings the latest state of every item there."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kinesisfirehose as firehose
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_logs as logs
from aws_cdk import aws_opensearchservice as opensearch
from aws_cdk import aws_sqs as sqs
from aws_cdk import custom_resources as custom
from aws_cdk import triggers
from constructs import Construct

from infra_cdk.bundling import modules, package
from infra_cdk.config import Config
from infra_cdk.stacks.delivery import Destination, calling, logging, processors, reading, writing
from infra_cdk.stacks.encryption import removal, stream_key_use
from infra_cdk.stacks.functions import function, log_group, sdk_calls
from infra_cdk.stacks.network import Network
from infra_cdk.stacks.source import Source

FILES = modules("workbench.model.records") | {
    f"search/{name}.py": f"infra_cdk/lambdas/search/{name}.py"
    for name in ("documents", "domain", "firehose", "setup", "streams")
}

_WAIT = cdk.Duration.minutes(3)


class Search(Construct):
    """`domain`, and `function`, which writes into it: called by `stream` (Firehose), or by DynamoDB Streams.

    The index of states has an item's latest state, the last change by its time; `stream` adds an index of changes.
    `dead_letters` tells which batches of DynamoDB Streams were given up.
    """

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: Config,
        key: kms.IKey,
        source: Source,
        destination: Destination | None,
        network: Network | None,
    ) -> None:
        super().__init__(scope, id)
        self._config, self._key, self._network = config, key, network
        self._group = network.group("SearchGroup", "The domain") if network else None
        master = iam.Role(
            self,
            "SetupRole",
            assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
            description=f"{config.name}: prepares the domain",
        )
        self.domain = self._domain(master)
        self.stream: firehose.CfnDeliveryStream | None = None
        self.dead_letters: sqs.Queue | None = None
        by_firehose = config.search == "firehose"
        self.function = self._function(
            "Function",
            "firehose" if by_firehose else "streams",
            "Indexes the latest state of items",
            {},
            ["Post"],
            [f"{config.log_name}-state/_bulk"],
        )
        writers = {"WRITER_ROLE": _arn(self.function), "REPLICAS": "1" if config.search_nodes > 1 else "0"}
        if by_firehose:
            assert destination, "Firehose keeps what it cannot index in a bucket"
            role, self.stream = self._deliver(source.stream, destination)
            source.begin_after(self.stream)
            writers["DELIVERY_ROLE"] = role.role_arn
        else:
            self._listen(source.table)
        self._prepare(master, writers)

    def _domain(self, master: iam.IRole) -> opensearch.Domain:
        config, network = self._config, self._network
        many = config.search_nodes > 1
        slow = {name: log_group(self, f"{name}Log", config, self._key) for name in ("App", "SlowSearch", "SlowIndex")}
        allowed = logs.ResourcePolicy(
            self,
            "DomainLogs",
            policy_statements=[
                iam.PolicyStatement(
                    principals=[iam.ServicePrincipal("es.amazonaws.com")],
                    # https://docs.aws.amazon.com/opensearch-service/latest/developerguide/createdomain-configure-slow-logs.html
                    actions=["logs:CreateLogStream", "logs:PutLogEvents", "logs:PutLogEventsBatch"],
                    resources=[group.log_group_arn for group in slow.values()],
                    conditions={"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}},
                )
            ],
        )
        domain = opensearch.Domain(
            self,
            "Domain",
            version=opensearch.EngineVersion.OPENSEARCH_2_19,
            removal_policy=removal(config),
            capacity=opensearch.CapacityConfig(
                data_nodes=config.search_nodes,
                multi_az_with_standby_enabled=False,
                data_node_instance_type=config.search_instance,
            ),
            ebs=opensearch.EbsOptions(volume_size=config.search_volume_gb, volume_type=ec2.EbsDeviceVolumeType.GP3),
            zone_awareness=opensearch.ZoneAwarenessConfig(enabled=many, availability_zone_count=2 if many else None),
            encryption_at_rest=opensearch.EncryptionAtRestOptions(enabled=True, kms_key=self._key),
            node_to_node_encryption=True,
            enforce_https=True,
            tls_security_policy=opensearch.TLSSecurityPolicy.TLS_1_2_PFS,
            fine_grained_access_control=opensearch.AdvancedSecurityOptions(master_user_arn=master.role_arn),
            logging=opensearch.LoggingOptions(
                app_log_enabled=True,
                app_log_group=slow["App"],
                slow_search_log_enabled=True,
                slow_search_log_group=slow["SlowSearch"],
                slow_index_log_enabled=True,
                slow_index_log_group=slow["SlowIndex"],
            ),
            suppress_logs_resource_policy=True,
            enable_auto_software_update=True,
            vpc=network.vpc if network else None,
            security_groups=[self._group] if self._group else None,
            vpc_subnets=[ec2.SubnetSelection(subnets=network.vpc.isolated_subnets[: 2 if many else 1])]
            if network
            else None,
        )
        self._wait(allowed, domain)
        return domain

    def _wait(self, allowed: logs.ResourcePolicy, domain: opensearch.Domain) -> None:
        """Make the domain some minutes after the policy of its logs, without which it is refused.

        The policy is not known everywhere at once: https://github.com/aws-cloudformation/cloudformation-coverage-roadmap/issues/1769.
        How long it takes is not told; AWS says to wait several minutes:
        https://docs.aws.amazon.com/opensearch-service/latest/developerguide/handling-errors.html#troubleshooting-audit-logs-error
        """
        place = self._network.place(self._network.group("SearchWaitGroup", "Calls nobody")) if self._network else {}
        waiting = function(
            self,
            "Wait",
            config=self._config,
            key=self._key,
            code=lambda_.Code.from_inline(
                f"import time\n\n\ndef handler(*_):\n    time.sleep({_WAIT.to_seconds():.0f})\n"
            ),
            handler="index.handler",
            description="Waits until the policy of the domain's logs is known",
            environment={},
            memory=128,
            timeout=_WAIT.plus(cdk.Duration.minutes(1)),
            **place,
        )
        call = custom.AwsSdkCall(
            service="Lambda",
            action="invoke",
            parameters={"FunctionName": waiting.function_name, "InvocationType": "RequestResponse"},
            output_paths=["StatusCode"],
            physical_resource_id=custom.PhysicalResourceId.of("waited"),
        )
        invoke = iam.PolicyStatement(actions=["lambda:InvokeFunction"], resources=[waiting.function_arn])
        waited = sdk_calls(
            self,
            "Waited",
            config=self._config,
            key=self._key,
            resource_type="Custom::PolicyIsKnown",
            on_create=call,
            policy=custom.AwsCustomResourcePolicy.from_statements([invoke]),
        )
        waited.node.add_dependency(allowed)
        domain.node.add_dependency(waited)

    def _function(
        self,
        id: str,
        module: str,
        description: str,
        environment: Mapping[str, str],
        verbs: Sequence[str],
        paths: Sequence[str],
        role: iam.Role | None = None,
    ) -> lambda_.Function:
        """Make a function that may send such requests to such paths of the domain, and no other."""
        place = {}
        if self._network and self._group:
            group = self._network.group(f"Search{id}Group", description)
            group.connections.allow_to(self._group, ec2.Port.HTTPS, "To the domain")
            place = self._network.place(group)
        made = function(
            self,
            id,
            config=self._config,
            key=self._key,
            code=package(FILES),
            handler=f"search.{module}.handler",
            description=description,
            memory=512,
            timeout=cdk.Duration.minutes(3),
            role=role,
            **place,
            environment={
                "ENDPOINT": f"https://{self.domain.domain_endpoint}",
                "INDEX": self._config.log_name,
                **environment,
            },
        )
        made.add_to_role_policy(
            iam.PolicyStatement(
                sid="Domain",
                actions=[f"es:ESHttp{verb}" for verb in verbs],
                resources=[f"{self.domain.domain_arn}/{path}" for path in paths],
            )
        )
        return made

    def _prepare(self, master: iam.Role, writers: Mapping[str, str]) -> None:
        """Prepare the domain when it is deployed, and again when the function that does so changes."""
        log = self._config.log_name
        roles = [f"{log}_states", f"{log}_changes", f"{log}_readers"]
        setup = self._function(
            "Setup",
            "setup",
            "Prepares the domain",
            writers,
            ["Put"],
            [f"_plugins/_security/api/{kind}/{name}" for kind in ("roles", "rolesmapping") for name in roles]
            + [f"_index_template/{log}", f"{log}-state"],
            role=master,
        )
        triggers.Trigger(self, "Prepare", handler=setup, timeout=cdk.Duration.minutes(3), execute_after=[self.domain])
        cdk.CfnOutput(cdk.Stack.of(self), "SearchEndpoint", value=self.domain.domain_endpoint, description="OpenSearch")
        cdk.CfnOutput(
            cdk.Stack.of(self),
            "SearchSetup",
            value=setup.function_name,
            description='Says who may read: {"readers": [ARN of a role, …]}',
        )

    def _listen(self, table: dynamodb.ITable) -> None:
        """Have batches of DynamoDB Streams brought to the function, until they are done or too old."""
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            retention_period=cdk.Duration.days(14),
        )
        self.function.add_event_source(
            sources.DynamoEventSource(
                table,
                starting_position=lambda_.StartingPosition.TRIM_HORIZON,
                batch_size=500,
                retry_attempts=20,
                max_batching_window=cdk.Duration.seconds(5),
                max_record_age=cdk.Duration.hours(23),
                bisect_batch_on_error=True,
                report_batch_item_failures=True,
                on_failure=sources.SqsDlq(self.dead_letters),
            )
        )

    def _deliver(
        self, source: kinesis.IStream, destination: Destination
    ) -> tuple[iam.Role, firehose.CfnDeliveryStream]:
        config, stack, domain = self._config, cdk.Stack.of(self), self.domain.domain_arn
        log = config.log_name
        role = iam.Role(
            self,
            "DeliveryRole",
            description=f"{config.name}: Firehose delivers to the domain",
            assumed_by=iam.ServicePrincipal(
                "firehose.amazonaws.com", conditions={"StringEquals": {"sts:ExternalId": stack.account}}
            ),
        )
        group = log_group(self, "DeliveryLog", config, self._key)
        stream = logs.LogStream(
            self,
            "DeliveryStreamLog",
            log_group=group,
            log_stream_name="Delivery",
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        entering, ports = self._entering()
        for statement in (
            reading(source),
            stream_key_use(self, self._key.key_arn, source.stream_arn),
            *writing(destination, config, "search"),
            *calling(self.function),
            logging(stack, group),
            # https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-es
            iam.PolicyStatement(
                sid="Describe",
                resources=[domain],
                actions=["es:DescribeDomain", "es:DescribeDomainConfig", "es:DescribeDomains"],
            ),
            iam.PolicyStatement(
                sid="Index",
                actions=["es:ESHttpPost", "es:ESHttpPut"],
                resources=[f"{domain}/_bulk", f"{domain}/{log}-changes*"],
            ),
            iam.PolicyStatement(
                sid="Look",
                actions=["es:ESHttpGet"],
                resources=[
                    f"{domain}/{path}"
                    for path in (
                        "_all/_settings",
                        "_cluster/stats",
                        "_nodes",
                        "_nodes/stats",
                        "_nodes/*/stats",
                        "_stats",
                        f"{log}-changes*",
                    )
                ],
            ),
            *entering,
        ):
            role.add_to_policy(statement)
        to = firehose.CfnDeliveryStream
        delivery = to(
            self,
            "Delivery",
            delivery_stream_type="KinesisStreamAsSource",
            kinesis_stream_source_configuration=to.KinesisStreamSourceConfigurationProperty(
                kinesis_stream_arn=source.stream_arn, role_arn=role.role_arn
            ),
            amazonopensearchservice_destination_configuration=to.AmazonopensearchserviceDestinationConfigurationProperty(
                role_arn=role.role_arn,
                domain_arn=domain,
                index_name=f"{log}-changes",
                index_rotation_period=config.search_rotation,
                document_id_options={"defaultDocumentIdFormat": "FIREHOSE_DEFAULT"},  # the same when it is sent again
                buffering_hints={"intervalInSeconds": 60, "sizeInMBs": 5},
                retry_options={"durationInSeconds": 7200},
                s3_backup_mode="AllDocuments" if config.search_backup == "all" else "FailedDocumentsOnly",
                s3_configuration=to.S3DestinationConfigurationProperty(
                    bucket_arn=destination.bucket_arn,
                    role_arn=role.role_arn,
                    prefix=f"search/{log}/",
                    error_output_prefix=f"search/{log}/",
                    compression_format="GZIP",
                    buffering_hints={"intervalInSeconds": 300, "sizeInMBs": 5},
                    encryption_configuration={"kmsEncryptionConfig": {"awskmsKeyArn": destination.key_arn}},
                    cloud_watch_logging_options={
                        "enabled": True,
                        "logGroupName": group.log_group_name,
                        "logStreamName": stream.log_stream_name,
                    },
                ),
                cloud_watch_logging_options={
                    "enabled": True,
                    "logGroupName": group.log_group_name,
                    "logStreamName": stream.log_stream_name,
                },
                processing_configuration={"enabled": True, "processors": processors(self.function, role)},
                vpc_configuration=ports(role) if ports else None,
            ),
        )
        delivery.node.add_dependency(role)
        return role, delivery

    def _entering(self) -> tuple[Sequence[iam.PolicyStatement], Callable[[iam.Role], dict[str, object]] | None]:
        """Allow Firehose to have network interfaces in these subnets, and say where they are."""
        if not (self._network and self._group):
            return (), None
        group = self._network.group("SearchDeliveryGroup", "Firehose, on its way to the domain")
        group.connections.allow_to(self._group, ec2.Port.HTTPS, "To the domain")
        subnets = [subnet.subnet_id for subnet in self._network.vpc.isolated_subnets]
        arn = functools.partial(cdk.Stack.of(self).format_arn, service="ec2")
        interfaces = arn(resource="network-interface", resource_name="*")
        rights = (
            iam.PolicyStatement(
                sid="DescribeNetwork",
                resources=["*"],
                actions=[  # they know no resource
                    "ec2:DescribeNetworkInterfaces",
                    "ec2:DescribeSecurityGroups",
                    "ec2:DescribeSubnets",
                    "ec2:DescribeVpcAttribute",
                    "ec2:DescribeVpcs",
                ],
            ),
            iam.PolicyStatement(
                sid="Enter",
                actions=["ec2:CreateNetworkInterface"],
                resources=[
                    interfaces,
                    arn(resource="security-group", resource_name=group.security_group_id),
                    *(arn(resource="subnet", resource_name=subnet) for subnet in subnets),
                ],
            ),
            iam.PolicyStatement(
                sid="Interfaces",
                resources=[interfaces],
                actions=["ec2:CreateNetworkInterfacePermission", "ec2:DeleteNetworkInterface"],
            ),
        )
        return rights, lambda role: {
            "roleArn": role.role_arn,
            "subnetIds": subnets,
            "securityGroupIds": [group.security_group_id],
        }


def _arn(made: lambda_.Function) -> str:
    assert made.role is not None
    return made.role.role_arn
