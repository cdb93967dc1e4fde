"""The function that writes generated items into the table: ``{"batchSize": 5}`` writes five."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra_cdk.bundling import modules, package
from infra_cdk.config import Config
from infra_cdk.stacks.encryption import table_key_use
from infra_cdk.stacks.functions import function
from infra_cdk.stacks.network import Network
from infra_cdk.stacks.source import Source

FILES = modules("workbench.sandbox.dynamodb_writer")  # boto3 is Lambda's own
REQUIREMENTS = ("Faker",)


def generator_function(
    scope: Construct, config: Config, source: Source, key: kms.IKey, network: Network | None = None
) -> lambda_.Function | None:
    """Make the function, where one is wanted."""
    if not config.generator:
        return None
    group = network.group("GeneratorGroup", "The generator function") if network else None
    made = function(
        scope,
        "Generator",
        config=config,
        key=key,
        code=package(FILES, REQUIREMENTS),
        handler="workbench.sandbox.dynamodb_writer.handler",
        description=f"Writes generated items: {config.generator}",
        environment={"TABLE": source.table.table_name, "DATASET": config.generator},
        memory=256,
        timeout=cdk.Duration.minutes(1),
        **(network.place(group) if network and group else {}),
    )
    writing = iam.PolicyStatement(
        sid="WriteItems",
        resources=[source.table.table_arn],
        actions=["dynamodb:BatchGetItem", "dynamodb:BatchWriteItem"],
    )
    made.add_to_role_policy(writing)
    if network and group and made.role:
        network.reach("dynamodb", group, made.role, [writing])
    made.add_to_role_policy(table_key_use(scope, key.key_arn))
    return made
