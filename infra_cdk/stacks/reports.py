"""Reports, checkpoints and compaction on a schedule: a container of the workbench, and a bucket for reports."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_ecs as ecs
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_scheduler as scheduler
from aws_cdk import aws_scheduler_targets as targets
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra_cdk.bundling import REPOSITORY
from infra_cdk.config import Config
from infra_cdk.stacks.athena import Athena
from infra_cdk.stacks.encryption import bucket_key_use
from infra_cdk.stacks.functions import log_group
from infra_cdk.stacks.network import Network
from infra_cdk.stacks.storage import Storage, private_bucket, tidy

_CPU, _MEMORY = 1024, 4096  # 1 vCPU, 4 GB: pandas holds answers, Athena does the work
_CONTAINER = "workbench"
_INDEX = "reports/index.html"
_WINDOW = cdk.Duration.minutes(30)
_TO_END = cdk.Duration.seconds(120)  # the most there is: a report that is stopped is published


@dataclass(frozen=True)
class Scheduled:
    """One line of the setting `schedules`: its name, when it runs, and what `workbench` is told."""

    name: str
    when: str
    command: Sequence[str]

    @property
    def daily(self) -> bool:
        """Whether it runs at least once every day: no day of month or week and no month is named, nor a longer rate."""
        kind, _, given = self.when.rstrip(")").partition("(")
        if kind == "cron":
            return set(given.split()[2:]) <= {"*", "?"}
        number, unit = given.split()
        return {"minute": 1, "hour": 60, "day": 1440}[unit.rstrip("s")] * int(number) <= 1440


def scheduled(config: Config, *, each: bool | None = None) -> list[Scheduled]:
    """Read the setting `schedules`: all lines, those alone that are run for each of several tables, or the others.

    >>> scheduled(Config(table="Orders", schedules="daily: rate(1 day) quality {table}"))
    [Scheduled(name='daily', when='rate(1 day)', command=['quality', 'orders'])]
    """
    lines = re.findall(r"([a-z][a-z0-9-]*):\s*((?:cron|rate)\([^)]+\))\s+([^;]+)", config.schedules)
    return [
        Scheduled(
            f"{name}-{config.log_name}" if each else name,
            when,
            _archiving(shlex.split(told if config.several else told.replace("{table}", config.log_name)), config),
        )
        for name, when, told in lines
        if each in (None, "{table}" in told)
    ]


def _archiving(command: list[str], config: Config) -> list[str]:
    """Have who compacts days tag their objects, where there is a storage class for them."""
    archive = config.archive != "none" and command[0] == "compact" and "--archive" not in command
    return [*command, "--archive"] if archive else command


class Reports(Construct):
    """`bucket`, `cluster`, `task`, its `log`, a schedule each of `scheduled`; `dead_letters`: what could not begin."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        *,
        config: Config,
        key: kms.IKey,
        storage: Storage,
        athena: Athena,
        network: Network,
    ) -> None:
        super().__init__(scope, id)
        self.bucket = _bucket(self, config, storage)
        rights = [
            *(right for right in athena.rights() if right.sid != "StageBaseline"),
            *athena.maintenance_rights(),
            iam.PolicyStatement(
                sid="KeepReports",
                actions=["s3:PutObject"],
                resources=[self.bucket.arn_for_objects(key) for key in ("reports/*/*", _INDEX)],
            ),
            iam.PolicyStatement(  # of which the index is made, and to see whether another has written it
                sid="ReadRecords",
                actions=["s3:GetObject"],
                resources=[self.bucket.arn_for_objects(key) for key in ("reports/*/run.json", _INDEX)],
            ),
            iam.PolicyStatement(sid="ListReports", actions=["s3:ListBucket"], resources=[self.bucket.bucket_arn]),
            bucket_key_use(self, key.key_arn, self.bucket.bucket_arn, "Decrypt", "GenerateDataKey", sid="KeyOfReports"),
        ]
        tasks = iam.ServicePrincipal("ecs-tasks.amazonaws.com")
        role = iam.Role(self, "TaskRole", assumed_by=tasks, description=f"{config.name}: asks the log for reports")
        runs = iam.Role(self, "RunRole", assumed_by=tasks, description=f"{config.name}: pulls the image and logs")
        for right in rights:
            role.add_to_policy(right)
        image = ecr_assets.DockerImageAsset(
            self,
            "Image",
            directory=str(REPOSITORY),
            platform=ecr_assets.Platform.LINUX_AMD64,
            ignore_mode=cdk.IgnoreMode.DOCKER,
            display_name="workbench",
        )
        self.log = log_group(self, "Log", config, key)
        self.cluster = ecs.Cluster(
            self,
            "Cluster",
            vpc=network.vpc,
            enable_fargate_capacity_providers=True,
            container_insights_v2=ecs.ContainerInsights.ENABLED,
        )
        self.task = ecs.FargateTaskDefinition(
            self,
            "Task",
            cpu=_CPU,
            memory_limit_mib=_MEMORY,
            task_role=role,
            execution_role=runs.without_policy_updates(),
            runtime_platform=ecs.RuntimePlatform(
                operating_system_family=ecs.OperatingSystemFamily.LINUX, cpu_architecture=ecs.CpuArchitecture.X86_64
            ),
        )
        self.task.add_container(
            _CONTAINER,
            image=ecs.ContainerImage.from_docker_image_asset(image),
            logging=ecs.LogDriver.aws_logs(stream_prefix="reports", log_group=self.log),
            stop_timeout=_TO_END,
            environment={
                "WORKBENCH_ENGINE": "athena",
                "WORKBENCH_DATABASE": config.database,
                "WORKBENCH_WORKGROUP": config.slug,
                "WORKBENCH_CHECKPOINTS": storage.checkpoints,
                "WORKBENCH_COMPACTED": storage.compacted,
                "REPORTS_BUCKET": self.bucket.bucket_name,
            },
        )
        pull = [
            iam.PolicyStatement(sid="LogIn", actions=["ecr:GetAuthorizationToken"], resources=["*"]),  # has no other
            iam.PolicyStatement(
                sid="Pull",
                resources=[image.repository.repository_arn],
                actions=["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"],
            ),
            iam.PolicyStatement(
                sid="OwnLog", actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[self.log.log_group_arn]
            ),
        ]
        for right in pull:
            runs.add_to_policy(right)
        group = network.group("ReportsGroup", "The tasks that make reports")
        for service in ("athena", "glue", "s3"):
            network.reach(service, group, role, rights)
        for service in ("ecr.api", "ecr.dkr", "logs"):
            network.reach(service, group, runs, pull)
        network.let_layers_through()
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            enforce_ssl=True,
            encryption=sqs.QueueEncryption.SQS_MANAGED,
            retention_period=cdk.Duration.days(14),
        )
        self._network, self._group, self._starts = network, group, self._starter(config, role, runs)
        for line in scheduled(config, each=False if config.several else None):
            self._schedule(self, config, line)

    def schedule_each(self, scope: Construct, config: Config) -> None:
        """Run for one of several tables what is run for each, in a scope of its own.

        A task each, at some time within the window, so that those of twenty tables do not all start at once: a new
        account may run six vCPUs. https://docs.aws.amazon.com/AmazonECS/latest/developerguide/service-quotas.html
        """
        for line in scheduled(config, each=True):
            self._schedule(scope, config, line, within=_WINDOW)

    def _schedule(self, scope: Construct, config: Config, each: Scheduled, within: cdk.Duration | None = None) -> None:
        scheduler.Schedule(
            scope,
            f"At-{each.name}",
            description=f"{config.name}: workbench {shlex.join(each.command)}"[:512],
            schedule=scheduler.ScheduleExpression.expression(each.when, cdk.TimeZone.of(config.timezone)),
            time_window=scheduler.TimeWindow.flexible(within) if within else None,
            target=targets.EcsRunFargateTask(
                self.cluster,
                task_definition=self.task,
                vpc_subnets=self._network.subnets,
                security_groups=[self._group],
                assign_public_ip=not self._network.private,
                role=self._starts.without_policy_updates(),
                retry_attempts=3,
                max_event_age=cdk.Duration.hours(2),
                dead_letter_queue=self.dead_letters,
                input=scheduler.ScheduleTargetInput.from_object(
                    {"containerOverrides": [{"name": _CONTAINER, "command": [each.name, *each.command]}]}
                ),
            ),
        )

    def _starter(self, config: Config, *roles: iam.Role) -> iam.Role:
        """Make the role by which the scheduler starts this task, with these roles, and nothing else."""
        own = {"StringEquals": {"aws:SourceAccount": cdk.Aws.ACCOUNT_ID}}
        starter = iam.Role(
            self,
            "StartRole",
            description=f"{config.name}: starts reports",
            assumed_by=iam.ServicePrincipal("scheduler.amazonaws.com", conditions=own),
        )
        for right in (
            iam.PolicyStatement(
                sid="Start",
                actions=["ecs:RunTask"],
                resources=[self.task.task_definition_arn],
                conditions={"ArnEquals": {"ecs:cluster": self.cluster.cluster_arn}},
            ),
            iam.PolicyStatement(
                sid="AsThese",
                actions=["iam:PassRole"],
                resources=[role.role_arn for role in roles],
                conditions={"StringEquals": {"iam:PassedToService": "ecs-tasks.amazonaws.com"}},
            ),
            iam.PolicyStatement(sid="GiveUp", actions=["sqs:SendMessage"], resources=[self.dead_letters.queue_arn]),
        ):
            starter.add_to_policy(right)
        return starter


def _bucket(scope: Construct, config: Config, storage: Storage) -> s3.Bucket:
    """Make a bucket in which reports are written once: who does not ask S3 to refuse what is there, is refused.

    The index alone is replaced, by who says what it is to replace.
    https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes-enforce.html
    """
    bucket = private_bucket(
        scope,
        "Bucket",
        config,
        server_access_logs_prefix="reports/",
        **storage.encrypted,
        lifecycle_rules=[tidy(config)],
    )
    index = [bucket.arn_for_objects(_INDEX)]
    bucket.add_to_resource_policy(_refused("WrittenOnce", ["s3:if-none-match"], not_resources=index))
    bucket.add_to_resource_policy(
        _refused("IndexReplacedKnowingly", ["s3:if-none-match", "s3:if-match"], resources=index)
    )
    return bucket


def _refused(sid: str, unless: Sequence[str], **places: Sequence[str]) -> iam.PolicyStatement:
    """Refuse to put objects, but where one of some conditions is asked for."""
    return iam.PolicyStatement(
        sid=sid,
        effect=iam.Effect.DENY,
        principals=[iam.AnyPrincipal()],
        actions=["s3:PutObject"],
        conditions={"Null": dict.fromkeys(unless, "true"), "Bool": {"s3:ObjectCreationOperation": "true"}},
        resources=places.get("resources"),
        not_resources=places.get("not_resources"),
    )
