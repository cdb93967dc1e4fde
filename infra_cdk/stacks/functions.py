"""Lambda functions and log groups, as all of them are made here: encrypted logs, and no right that is not given."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from aws_cdk import custom_resources as custom
from constructs import Construct

from infra_cdk.bundling import ARCHITECTURE, RUNTIME
from infra_cdk.config import Config


def log_group(scope: Construct, id: str, config: Config, key: kms.IKey) -> logs.LogGroup:
    """Make an encrypted log group that keeps its logs for `config.log_days`."""
    return logs.LogGroup(
        scope, id, encryption_key=key, retention=_retention(config.log_days), removal_policy=cdk.RemovalPolicy.DESTROY
    )


def sdk_calls(scope: Construct, id: str, *, config: Config, key: kms.IKey, **more: Any) -> custom.AwsCustomResource:
    """Make calls of AWS's API when the stack is made, changed and deleted, for what CloudFormation has no resource of.

    The CDK makes all of them by one function, which the first that is made describes: they describe it alike.
    """
    stack = cdk.Stack.of(scope)
    made = stack.node.try_find_child("CallsLog")
    log = made if isinstance(made, logs.LogGroup) else log_group(stack, "CallsLog", config, key)
    return custom.AwsCustomResource(
        scope, id, install_latest_aws_sdk=False, timeout=cdk.Duration.minutes(5), log_group=log, **more
    )


def function(
    scope: Construct,
    id: str,
    *,
    config: Config,
    key: kms.IKey,
    code: lambda_.Code,
    handler: str,
    description: str,
    environment: Mapping[str, str],
    memory: int,
    timeout: cdk.Duration,
    role: iam.Role | None = None,
    **more: Any,
) -> lambda_.Function:
    """Make a Lambda function, whose role may write its own log and nothing else, but be in a VPC it is placed in."""
    group = log_group(scope, f"{id}Log", config, key)
    role = role or iam.Role(
        scope,
        f"{id}Role",
        assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"),
        description=f"{config.name}: {description}",
    )
    role.add_to_policy(
        iam.PolicyStatement(
            sid="OwnLog", actions=["logs:CreateLogStream", "logs:PutLogEvents"], resources=[group.log_group_arn]
        )
    )
    if "vpc" in more:
        # Lambda makes its network interfaces by this role, and knows no narrower resource:
        # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
        role.add_to_policy(
            iam.PolicyStatement(
                sid="Interfaces",
                resources=["*"],
                actions=[
                    "ec2:AssignPrivateIpAddresses",
                    "ec2:CreateNetworkInterface",
                    "ec2:DeleteNetworkInterface",
                    "ec2:DescribeNetworkInterfaces",
                    "ec2:DescribeSubnets",
                    "ec2:UnassignPrivateIpAddresses",
                ],
            )
        )
    return lambda_.Function(
        scope,
        id,
        runtime=RUNTIME,
        architecture=ARCHITECTURE,
        code=code,
        handler=handler,
        description=description,
        environment=dict(environment),
        memory_size=memory,
        timeout=timeout,
        role=role,
        log_group=group,
        **more,
    )


def _retention(days: int) -> logs.RetentionDays:
    """Return the shortest retention CloudWatch offers that is not shorter."""
    offered = {
        1: "ONE_DAY",
        3: "THREE_DAYS",
        5: "FIVE_DAYS",
        7: "ONE_WEEK",
        14: "TWO_WEEKS",
        30: "ONE_MONTH",
        60: "TWO_MONTHS",
        90: "THREE_MONTHS",
        180: "SIX_MONTHS",
        365: "ONE_YEAR",
        731: "TWO_YEARS",
        1827: "FIVE_YEARS",
        3653: "TEN_YEARS",
    }
    return logs.RetentionDays[offered[min(number for number in offered if number >= days)]]
