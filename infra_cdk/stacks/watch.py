"""Watching it: a dashboard, alarms, and the topic that tells of them."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import jsii
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kinesis as kinesis
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra_cdk.config import Config
from infra_cdk.stacks.delivery import Delivery
from infra_cdk.stacks.iceberg import Iceberg
from infra_cdk.stacks.reports import Reports, Scheduled, scheduled
from infra_cdk.stacks.search import Search
from infra_cdk.stacks.source import Source

_MINUTES = cdk.Duration.minutes(5)
_HOUR_MS = 3_600_000
_ABOVE = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
_BELOW = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD


class Watch(Construct):
    """`topic` and `dashboard`; each part of the pipeline is watched by the method named after it."""

    def __init__(self, scope: Construct, id: str, *, config: Config, key: kms.Key) -> None:
        super().__init__(scope, id)
        self.config = config
        self.topic = sns.Topic(
            self,
            "Topic",
            master_key=key,
            enforce_ssl=True,
            display_name=f"{config.name}: the changes of {config.what}"[:100],
        )
        # EventBridge asks without telling its account, so that no condition may name it:
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html#eb-sns-permissions
        for service, only in (
            ("cloudwatch", {"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}}),
            ("events", {}),
        ):
            teller = iam.ServicePrincipal(f"{service}.amazonaws.com")
            self.topic.add_to_resource_policy(
                iam.PolicyStatement(
                    sid=f"Tell{service.title()}",
                    principals=[teller],
                    actions=["sns:Publish"],
                    resources=[self.topic.topic_arn],
                    conditions=only,
                )
            )
            key.add_to_resource_policy(
                iam.PolicyStatement(
                    sid=f"Encrypt{service.title()}",
                    principals=[teller],
                    actions=["kms:Decrypt", "kms:GenerateDataKey"],
                    resources=["*"],
                    conditions=only,
                )
            )
        if config.alarm_email:
            self.topic.add_subscription(subscriptions.EmailSubscription(config.alarm_email))
        self.dashboard = cloudwatch.Dashboard(self, "Dashboard", default_interval=cdk.Duration.days(1))

    def source(self, source: Source) -> None:
        """Watch what captures the changes: what DynamoDB could not replicate is lost, and stays unseen otherwise.

        Its metrics have a second dimension whose value is not documented, hence queries, not metrics by name.
        https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/metrics-dimensions.html
        """
        failed, lag, slowed = self.table(self, source.table.table_name)
        age, full, slow = self.stream(self, source.stream)
        self._row("Capture", [failed, slowed], [lag, age], [full, slow])

    def table(self, scope: Construct, table: str) -> tuple[cloudwatch.IMetric, cloudwatch.IMetric, cloudwatch.IMetric]:
        """Watch a table: what was not replicated, for how long, and how often replication was slowed down."""
        failed = _asked("AWS/DynamoDB", "SUM(FailedToReplicateRecordCount)", "TableName, DelegatedOperation", table)
        lag = _asked("AWS/DynamoDB", "MAX(AgeOfOldestUnreplicatedRecord)", "TableName, DelegatedOperation", table)
        slowed = _asked("AWS/DynamoDB", "SUM(ThrottledPutRecordCount)", "TableName, DelegatedOperation", table)
        which = "" if self.config.search_only else "; reconcile finds which"
        self._alarm(
            "NotReplicated",
            failed,
            0,
            "DynamoDB left changes out of the stream: what is made of it has a gap "
            f"there. Items of more than 34 KB may be too large{which}",
            scope=scope,
        )
        self._alarm(
            "ReplicationLag",
            lag,
            _HOUR_MS,
            "Changes wait an hour for the stream; after 168 hours DynamoDB stops replicating",
            scope=scope,
        )
        return failed, lag, slowed

    def stream(
        self, scope: Construct, stream: kinesis.Stream
    ) -> tuple[cloudwatch.IMetric, cloudwatch.IMetric, cloudwatch.IMetric]:
        """Watch a stream: how late it is read, and where it or its readers are slowed down."""
        age, full, slow = (
            stream.metric(name, statistic=statistic, period=_MINUTES)
            for name, statistic in (
                ("GetRecords.IteratorAgeMilliseconds", "Maximum"),
                ("WriteProvisionedThroughputExceeded", "Sum"),
                ("ReadProvisionedThroughputExceeded", "Sum"),
            )
        )
        keeps = self.config.stream_retention_hours
        self._alarm(
            "IteratorAge",
            age,
            keeps * _HOUR_MS // 4,
            f"Records are read so late that a quarter of the time the stream keeps them, {keeps} h, is over",
            scope=scope,
        )
        self._alarm("StreamFull", full, 0, "The stream has too few shards for what is written", periods=3, scope=scope)
        self._alarm("StreamRead", slow, 0, "The stream has more readers than its shards serve", periods=3, scope=scope)
        return age, full, slow

    def shared(self, stream: kinesis.Stream) -> None:
        """Watch a stream that several tables share."""
        age, full, slow = self.stream(self, stream)
        self._row("Stream", [age], [full, slow])

    def delivery(self, delivery: Delivery, scope: Construct | None = None) -> None:
        """Watch Firehose; what a scope of its own is given for, `tables` shows."""
        fresh, success, behind = _firehose(
            delivery.name, "DeliveryToS3.DataFreshness", "DeliveryToS3.Success", "KinesisMillisBehindLatest"
        )
        late = max(900, 3 * self.config.buffer_seconds)
        self._alarm(
            "Freshness",
            fresh,
            late,
            f"The oldest record Firehose has not stored is older than {late} s",
            periods=2,
            scope=scope,
        )
        self._alarm(
            "DeliveryFailed", success, 1, "Firehose could not write objects into the lake", below=True, scope=scope
        )
        if scope is None:
            self._row("Delivery", [fresh], [success], [behind])

    def folders(self, delivery: Delivery) -> None:
        """Watch how many folders a shared stream writes to at a time: what is of more goes to ``errors/``.

        https://docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
        """
        exceeded, count = _firehose(delivery.name, "PartitionCountExceeded", "PartitionCount")
        self._alarm(
            "TooManyFolders",
            exceeded,
            0,
            "Firehose has more tables to write than it has room for: ask AWS for more active partitions",
        )
        self._row("Folders", [count, exceeded])

    def tables(self, *, shared: bool) -> None:
        """Show what several tables have each, by queries that need not know which: a table more changes nothing here.

        Whatever else of the account goes to Kinesis is shown too. Alarms are made for each table (`table`).
        """
        by_table = [
            _by("AWS/DynamoDB", value, "TableName, DelegatedOperation", "TableName")
            for value in (
                "SUM(FailedToReplicateRecordCount)",
                "SUM(ThrottledPutRecordCount)",
                "MAX(AgeOfOldestUnreplicatedRecord)",
            )
        ]
        self._row("Capture, by table", *([metric] for metric in by_table))
        if not shared:
            self._row(
                "Streams",
                [_by("AWS/Kinesis", 'MAX("GetRecords.IteratorAgeMilliseconds")', *["StreamName"] * 2)],
                [
                    _by("AWS/Kinesis", f"SUM({slowed}ProvisionedThroughputExceeded)", *["StreamName"] * 2)
                    for slowed in ("Write", "Read")
                ],
            )
            self._row(
                "Deliveries",
                [_by("AWS/Firehose", 'MAX("DeliveryToS3.DataFreshness")', *["DeliveryStreamName"] * 2)],
                [_by("AWS/Firehose", 'AVG("DeliveryToS3.Success")', *["DeliveryStreamName"] * 2)],
            )

    def function(self, function: lambda_.Function, name: str) -> None:
        """Watch a function: its errors, its throttles, and how near it comes to its timeout."""
        errors, throttles = function.metric_errors(period=_MINUTES), function.metric_throttles(period=_MINUTES)
        duration = function.metric_duration(period=_MINUTES, statistic="p99")
        limit = function.timeout.to_milliseconds() if function.timeout else _MINUTES.to_milliseconds()
        self._alarm(f"{name}Errors", errors, 0, f"The function {name} failed; its log says why")
        self._alarm(f"{name}Throttled", throttles, 0, f"The function {name} was throttled", periods=3)
        self._alarm(f"{name}Slow", duration, 0.8 * limit, f"The function {name} comes near its timeout")
        self._row(f"Function {name}", [errors, throttles], [duration], [function.metric_invocations(period=_MINUTES)])

    def queries(self) -> None:
        """Watch what Athena scans: queries that end otherwise than well are paid for too."""
        scanned = _asked(
            "AWS/Athena",
            "SUM(ProcessedBytes)",
            "QueryState, QueryType, WorkGroup",
            self.config.slug,
            "WorkGroup",
            cdk.Duration.hours(1),
        )
        limit = self.config.scan_alarm_gb
        self._alarm("Scanned", scanned, limit * 10**9, f"Queries scanned more than {limit} GB in an hour")
        self._row("Queries", [scanned])

    def search(self, search: Search, lake: s3.Bucket | None) -> None:
        """Watch the domain, what brings documents there, and the bucket of those that could not be indexed."""
        red = search.domain.metric_cluster_status_red(period=_MINUTES)
        space = search.domain.metric_free_storage_space(period=_MINUTES, statistic="Minimum")  # MB
        self._alarm("SearchRed", red, 0, "The domain has lost a shard")
        self._alarm(
            "SearchFull",
            space,
            1024 * self.config.search_volume_gb / 5,
            "A disk of the domain has less than a fifth left",
            below=True,
        )
        self._row("Search", [red], [space])
        self.function(search.function, "Search")
        if search.stream is not None:
            kind = "DeliveryToAmazonOpenSearchService"
            fresh, success = _firehose(search.stream.ref, f"{kind}.DataFreshness", f"{kind}.Success")
            self._alarm("SearchFreshness", fresh, 900, "Documents are not indexed after 15 minutes", periods=2)
            self._alarm(
                "SearchFailed", success, 1, "Firehose could not index documents; they are under search/", below=True
            )
            self._row("Search delivery", [fresh], [success])
        if search.stream is not None and lake is not None:  # AWS writes "-failed/" and "_failed/" of the same folder
            self._objects(
                "SearchRefused",
                lake,
                {"wildcard": f"search/{self.config.log_name}/*failed/*"},
                "documents that could not be indexed are in",
            )
        if search.dead_letters is not None:
            age = search.function.metric("IteratorAge", statistic="Maximum", period=_MINUTES)
            self._alarm("SearchLate", age, _HOUR_MS, "Documents are an hour behind the table")
            self._row("Search lag", [age], [self._letters("SearchLetters", search.dead_letters)])

    def iceberg(self, iceberg: Iceberg, lake: s3.Bucket) -> None:
        """Watch the second delivery, into the Iceberg table, and what could not be written there."""
        kind = "DeliveryToIceberg"
        fresh, success = _firehose(iceberg.stream.ref, f"{kind}.DataFreshness", f"{kind}.Success")
        late = max(900, 3 * self.config.buffer_seconds)
        self._alarm("IcebergFreshness", fresh, late, f"Changes are not in the Iceberg table after {late} s", periods=2)
        self._row("Iceberg delivery", [fresh], [success])
        self.function(iceberg.transform, "IcebergTransform")
        self._objects(
            "IcebergErrors", lake, {"prefix": "iceberg-errors/"}, "changes that could not be put into Iceberg are in"
        )

    def reports(self, reports: Reports) -> None:
        """Tell of tasks that did not begin, or ended with another exit code than 0."""
        ends = [{"containers": {"exitCode": [{"anything-but": 0}]}}, {"stopCode": ["TaskFailedToStart"]}]
        failed = {"clusterArn": [reports.cluster.cluster_arn], "lastStatus": ["STOPPED"], "$or": ends}
        rule = self._tell(
            "ReportFailed",
            "aws.ecs",
            "ECS Task State Change",
            failed,
            f"{self.config.name}: a report failed: {events.EventField.from_path('$.detail.taskArn')} "
            f"({events.EventField.from_path('$.detail.stoppedReason')}); its log and what it made of the "
            "report say why",
        )
        self._row("Reports", [_matched(rule)], [self._letters("ReportLetters", reports.dead_letters)])
        for each in _compacting(self.config, each=False if self.config.several else None):
            ended = logs.MetricFilter(
                self,
                f"Ended-{each.name}",
                log_group=reports.log,
                metric_namespace="Workbench",
                metric_name=f"{self.config.slug} {each.name} exit code",
                metric_value="$.exit_code",
                filter_pattern=logs.FilterPattern.string_value("$.report", "=", each.name),
            ).metric(statistic="Minimum", period=cdk.Duration.days(1))
            self._compaction(self, each, ended)
            self._row(f"Compaction: {each.name}", [ended])
        first = self.config.logs[0]
        if self.config.several and (compacting := _compacting(first, each=True)):
            # One filter for all, with a metric for each: a log group has a hundred filters at most.
            # https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/cloudwatch_limits_cwl.html
            logs.MetricFilter(
                self,
                "Ended",
                log_group=reports.log,
                metric_namespace="Workbench",
                metric_name=self._exit_code,
                metric_value="$.exit_code",
                filter_pattern=logs.FilterPattern.any(
                    *(
                        logs.FilterPattern.string_value("$.report", "=", each.name.removesuffix(first.log_name) + "*")
                        for each in compacting
                    )
                ),
                dimensions={"Report": "$.report"},
            )
            self._row("Compaction", [_by("Workbench", f'MIN("{self._exit_code}")', "Report", "Report")])

    def compaction(self, scope: Construct, config: Config) -> None:
        """Watch the compaction of one of several tables, by its own metric of what `reports` finds in their log."""
        for each in _compacting(config, each=True):
            ended = cloudwatch.Metric(
                namespace="Workbench",
                metric_name=self._exit_code,
                dimensions_map={"Report": each.name},
                statistic="Minimum",
                period=cdk.Duration.days(1),
            )
            self._compaction(scope, each, ended)

    @property
    def _exit_code(self) -> str:
        return f"{self.config.slug} exit code"

    def _compaction(self, scope: Construct, compact: Scheduled, ended: cloudwatch.IMetric) -> None:
        """Tell where days stay as they are: none of a day's runs ended well, two days long, or none ran at all.

        The metric is the exit code in the line that each run ends with (container/run.py). A new alarm begins in
        INSUFFICIENT_DATA, and comes back to it, and tells, when nothing has ended in the days it looks at.
        https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
        """
        alarm = cloudwatch.Alarm(
            scope,
            f"Behind-{compact.name}",
            metric=ended,
            threshold=0,
            evaluation_periods=2,
            alarm_description=f"Days have not been compacted for two days: the log of the task {compact.name} says "
            "why. Answers stay right; what they read grows",
            comparison_operator=_ABOVE,
            treat_missing_data=cloudwatch.TreatMissingData.MISSING,
        )
        for tell in (alarm.add_alarm_action, alarm.add_insufficient_data_action, alarm.add_ok_action):
            tell(actions.SnsAction(self.topic))

    def errors(self, lake: s3.Bucket) -> None:
        """Tell of objects that come into ``errors/``."""
        self._objects("Errors", lake, {"prefix": "errors/"}, "records that could not be stored as changes are in")

    def _objects(self, id: str, lake: s3.Bucket, key: dict[str, str], message: str) -> None:
        """Tell of objects of the lake, of each once, for Firehose writes one in minutes."""
        bucket = lake.node.default_child
        assert isinstance(bucket, s3.CfnBucket)
        # not the L2's property, which brings a function along to set it
        bucket.add_property_override("NotificationConfiguration.EventBridgeConfiguration.EventBridgeEnabled", True)
        rule = self._tell(
            id,
            "aws.s3",
            "Object Created",
            {"bucket": {"name": [lake.bucket_name]}, "object": {"key": [key]}},
            f"{self.config.name}: {message} {events.EventField.from_path('$.detail.object.key')}",
        )
        self._row(f"Objects: {' '.join(key.values())}", [_matched(rule)])

    def _tell(self, id: str, source: str, kind: str, detail: dict[str, Any], message: str) -> events.Rule:
        return events.Rule(
            self,
            id,
            description=f"{self.config.name}: {id}",
            event_pattern=events.EventPattern(source=[source], detail_type=[kind], detail=detail),
            targets=[_Telling(self.topic, message)],
        )

    def _letters(self, id: str, queue: sqs.Queue) -> cloudwatch.IMetric:
        waiting = queue.metric_approximate_number_of_messages_visible(period=_MINUTES)
        self._alarm(id, waiting, 0, "Something was given up after its retries: the queue's messages say what")
        return waiting

    def _alarm(
        self,
        id: str,
        metric: cloudwatch.IMetric,
        threshold: float,
        why: str,
        *,
        periods: int = 1,
        below: bool = False,
        scope: Construct | None = None,
    ) -> None:
        alarm = cloudwatch.Alarm(
            scope or self,
            id,
            metric=metric,
            threshold=threshold,
            evaluation_periods=periods,
            alarm_description=why,
            comparison_operator=_BELOW if below else _ABOVE,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
        )
        alarm.add_alarm_action(actions.SnsAction(self.topic))
        alarm.add_ok_action(actions.SnsAction(self.topic))

    def _row(self, title: str, *graphs: list[cloudwatch.IMetric]) -> None:
        self.dashboard.add_widgets(
            *(cloudwatch.GraphWidget(title=title, left=graph, width=24 // len(graphs), height=5) for graph in graphs)
        )


@jsii.implements(events.IRuleTarget)
class _Telling:
    """The topic as what an event goes to; the CDK's own target would grant more than is needed here."""

    def __init__(self, topic: sns.Topic, message: str) -> None:
        self._told = events.RuleTargetConfig(arn=topic.topic_arn, input=events.RuleTargetInput.from_text(message))

    def bind(self, rule: Any, id: str | None = None) -> events.RuleTargetConfig:
        return self._told


def _compacting(config: Config, *, each: bool | None) -> list[Scheduled]:
    return [line for line in scheduled(config, each=each) if line.command[0] == "compact" and line.daily]


def _firehose(name: str, *metrics: str) -> list[cloudwatch.IMetric]:
    return [
        cloudwatch.Metric(
            namespace="AWS/Firehose",
            metric_name=metric,
            dimensions_map={"DeliveryStreamName": name},
            period=_MINUTES,
            statistic="Average" if metric.endswith(".Success") else "Maximum",
        )
        for metric in metrics
    ]


def _asked(
    namespace: str,
    value: str,
    dimensions: str,
    name: str,
    dimension: str = "TableName",
    period: cdk.Duration = _MINUTES,
) -> cloudwatch.IMetric:
    """Make a metric of a Metrics Insights query, which needs but one of the dimensions to be known."""
    return cloudwatch.MathExpression(
        expression=f"SELECT {value} FROM SCHEMA(\"{namespace}\", {dimensions}) WHERE {dimension} = '{name}'",
        using_metrics={},
        period=period,
        label=value.partition("(")[2].rstrip(")"),
    )


def _by(namespace: str, value: str, dimensions: str, dimension: str) -> cloudwatch.IMetric:
    """Make a metric of a Metrics Insights query with a line for each value of a dimension."""
    return cloudwatch.MathExpression(
        expression=f'SELECT {value} FROM SCHEMA("{namespace}", {dimensions}) GROUP BY {dimension}',
        using_metrics={},
        period=_MINUTES,
        label="",
    )


def _matched(rule: events.Rule) -> cloudwatch.IMetric:
    return cloudwatch.Metric(
        namespace="AWS/Events",
        metric_name="MatchedEvents",
        statistic="Sum",
        period=_MINUTES,
        dimensions_map={"RuleName": rule.rule_name},
    )
