"""cdk-nag's AWS Solutions rules, checked at every synthesis; a finding passes only with its reason, given here."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
import cdk_nag
import jsii


@dataclass(frozen=True)
class Reason:
    """Why a finding of a rule, at constructs whose path matches, is no defect."""

    rule: str
    """Regular expression for the whole of the rule's id, such as ``AwsSolutions-IAM5\\[Resource::.*\\]``."""
    path: str
    """Regular expression for the construct's whole path below its stack."""
    why: str


REASONS: tuple[Reason, ...] = (
    Reason(
        "AwsSolutions-KDS3",
        r"Source/Stream/Resource",
        "The stream is encrypted with the pipeline's own key, whose use can be granted and withdrawn.",
    ),
    Reason(
        "AwsSolutions-KDF1",
        r"Delivery/Stream|(Search|Iceberg)/Delivery",
        "Firehose's own encryption cannot be set where the source is a Kinesis stream, which is encrypted.",
    ),
    Reason(
        r"AwsSolutions-IAM5\[Resource::.*/(data|errors)/(\w+|\*)/\*\]",
        r"Delivery/Role/DefaultPolicy/Resource",
        "Firehose names the objects it writes; the rights end at this log's two folders.",
    ),
    Reason(
        r"AwsSolutions-IAM5\[Resource::.*:key/\*\]",
        r"Delivery/Role/DefaultPolicy/Resource",
        "The other account's key may not be made yet: its alias, in a condition, tells which.",
    ),
    Reason(
        r"AwsSolutions-IAM5\[Resource::.*/(data|errors|checkpoints|compacted|results)/\*\]",
        r"Athena/Analyst/Resource",
        "Queries read objects and write results whose names are not known before.",
    ),
    Reason(
        r"AwsSolutions-IAM5\[Resource::.*:glue:.*:table/\w+/(workbench_baseline_)?\*\]",
        r"Athena/Analyst/Resource",
        "Every table of this one database may be read, for a crawler finds more; baselines have names by chance.",
    ),
    Reason(
        r"AwsSolutions-IAM5\[Resource::.*(/data/\*|:table/\w+/\*|:/aws-glue/crawlers\*)\]",
        r"Catalog/CrawlerRole/DefaultPolicy/Resource",
        "A crawler reads what it finds, names the tables after it, and writes to log groups that Glue names.",
    ),
    Reason(
        r"AwsSolutions-IAM5\[Resource::\*\]",
        r"(Transform|Generator|Search/(Setup|Function|Delivery|Wait))Role/DefaultPolicy/Resource",
        "Interfaces in a VPC are made by the role of who runs there, and described, as streams are, by actions "
        "that know no resource; each is named in tests/infra/test_rules.py.",
    ),
    Reason(
        r"AwsSolutions-IAM5\[Resource::\*\]",
        r"Reports/RunRole/DefaultPolicy/Resource",
        "ecr:GetAuthorizationToken has no resource.",
    ),
    Reason(
        r"AwsSolutions-IAM5\[Resource::.*(/((checkpoints|compacted)/|data/(\w+|\*)/)\*|:table/\w+/\*_(checkpoints|compacted))\]",
        r"Athena/Maintainer/Resource",
        "UNLOAD names the objects it writes; the tag of one is put on objects of this log alone.",
    ),
    Reason(
        r"AwsSolutions-IAM5\[Resource::.*(/(data|data/(\w+|\*)|errors|checkpoints|compacted|results)/\*"
        r"|/reports/\*/(\*|run\.json)|:glue:.*:table/\w+/\*(_checkpoints|_compacted)?)\]",
        r"Reports/TaskRole/DefaultPolicy/Resource",
        "Reports ask as analysts do, and write objects whose names have the time in them.",
    ),
    Reason(
        r"AwsSolutions-IAM5\[Resource::\*\]",
        r"(Athena/Analyst|Reports/TaskRole/DefaultPolicy)/Resource",
        "lakeformation:GetDataAccess has no resource.",
    ),
    Reason(
        r"AwsSolutions-IAM5\[Resource::.*/iceberg(-errors)?/\w+/\*\]",
        r"Iceberg/((OptimizerRole|DeliveryRole)/DefaultPolicy|Reader)/Resource",
        "Firehose and Glue name the files of the table; the rights end at this log's folder.",
    ),
    Reason(
        r"AwsSolutions-IAM5\[Resource::.*:log-group:/aws-glue/iceberg-[a-z-]+/logs:\*\]",
        r"Iceberg/OptimizerRole/DefaultPolicy/Resource",
        "The streams of the log groups that Glue has for its optimizers.",
    ),
    Reason(
        r"AwsSolutions-IAM5\[Resource::\*\]",
        r"(Athena/Console|Catalog/CrawlerRole/DefaultPolicy|Exporter|ExportReader)/Resource",
        "What lists workgroups, catalogs and exports, and reads a crawler's security configuration, has no resource; "
        "each is named in tests/infra/test_rules.py.",
    ),
    Reason(
        "AwsSolutions-S1",
        r"(Storage/(AccessLogs|Lake|Results)|Reports/Bucket|AccessLogs|Replica)/Resource",
        "keep=false alone, where logs would fill again what is emptied; tests/infra/test_pipeline.py holds the others.",
    ),
    Reason("AwsSolutions-ECS2", r"Reports/Task/Resource", "Its variables are names of what is asked; no secret."),
    Reason("AwsSolutions-SQS3", r"(Reports|Search)/DeadLetters/Resource", "It is a dead-letter queue."),
    Reason(
        r"AwsSolutions-OS[13]",
        r"Search/Domain/Resource",
        "Requests are signed, and the domain says role by role what these may do; network=private has it in a VPC, "
        "where security groups, not lists of addresses, say who reaches it.",
    ),
    Reason(
        "AwsSolutions-OS5",
        r"Search/Domain/Resource",
        "The domain has no policy of its own: unsigned requests are refused, and who is allowed by IAM is asked for "
        "by fine-grained access control.",
    ),
    Reason(
        "AwsSolutions-OS[47]",
        r"Search/Domain/Resource",
        "The index can be made again from the log: a small domain needs no masters of its own, nor two zones; "
        "search_nodes gives it two.",
    ),
    Reason(
        r"AwsSolutions-IAM5\[Resource::.*(/search/\w+/\*|/\w+-changes\*|/_nodes/\*/stats|:network-interface/\*)\]",
        r"Search/DeliveryRole/DefaultPolicy/Resource",
        "Firehose names objects, indexes of a period and its interfaces in the VPC, and asks how the nodes are.",
    ),
    Reason(
        r"AwsSolutions-IAM5\[Resource::.*/data/\*\]",
        r"(LakeFormation/Role|ReplicationRole)/DefaultPolicy/Resource",
        "The objects of the log, below one prefix.",
    ),
    Reason(
        r"AwsSolutions-IAM5\[Resource::.*:key/\*\]",
        r"ReplicationRole/DefaultPolicy/Resource",
        "The other Region's key is known by its alias alone, which is a condition.",
    ),
    Reason(
        r"AwsSolutions-IAM5\[Resource::.*/exports?/\*\]",
        r"(Exporter|ExportReader)/Resource",
        "DynamoDB names the exports of the one table, and their objects below one prefix.",
    ),
    Reason(
        r"AwsSolutions-IAM4\[.*AWSLambdaBasicExecutionRole\]",
        r"(AWS679f53fac002430cb0da5b7982bd2287|"
        r"Custom::S3AutoDeleteObjectsCustomResourceProvider)/.*",
        "The CDK's own function, which runs when the stack changes; it may write logs beyond its own.",
    ),
)


@jsii.implements(cdk.IPolicyValidationPlugin)
class Rules:
    """A validation plugin: cdk-nag's findings without those a reason is given for.

    Attributes
    ----------
    findings
        Rule and construct path of what is left; then synthesis fails.
    used
        How many findings each reason was given for. One that is for none, in any variant, is to be deleted.
    """

    def __init__(self, app: cdk.App, reasons: Sequence[Reason] = REASONS) -> None:
        self._checks = cdk_nag.AwsSolutionsChecks(app)
        self._reasons = reasons
        self.findings: list[tuple[str, str]] = []
        self.used: Counter[Reason] = Counter()

    @property
    def name(self) -> str:
        """Name of the report."""
        return "AwsSolutions, with reasons"

    @property
    def version(self) -> str | None:
        """Say nothing of a version."""
        return None

    @property
    def rule_ids(self) -> list[str] | None:
        """Say nothing of single rules."""
        return None

    def validate(self, context: Any) -> cdk.PolicyValidationPluginReport:
        """Return what cdk-nag finds and no reason is given for; the CDK calls this when it synthesises."""
        report = self._checks.validate(context)
        left: list[cdk.PolicyViolation] = []
        for violation in report.violations:
            kept = [
                each
                for each in violation.violating_resources
                if not self._has_reason(violation.rule_name, each.construct_path or "")
            ]
            self.findings += [(violation.rule_name, each.construct_path or "") for each in kept]
            if kept:
                left.append(
                    cdk.PolicyViolation(
                        rule_name=violation.rule_name,
                        description=violation.description,
                        severity=violation.severity,
                        violating_resources=kept,
                    )
                )
        return cdk.PolicyValidationPluginReport(success=not left, violations=left)

    def _has_reason(self, rule: str, path: str) -> bool:
        below = re.sub(r"^Log-\w+/", "", path.partition("/")[2])  # a nested stack's parts are those of a stack
        for reason in self._reasons:
            if re.fullmatch(reason.rule, rule) and re.fullmatch(reason.path, below):
                self.used[reason] += 1
                return True
        return False
