"""The function through which Firehose sends every record before it stores it."""

from __future__ import annotations

import aws_cdk as cdk
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra_cdk.bundling import modules, package
from infra_cdk.config import Config
from infra_cdk.stacks.functions import function
from infra_cdk.stacks.network import Network

FILES = {"handler.py": "infra_cdk/lambdas/transform/handler.py"} | modules("workbench.model.records")


def transform_function(
    scope: Construct, config: Config, key: kms.IKey, network: Network | None = None
) -> lambda_.Function | None:
    """Make the function, or none where Firehose's own delimiter does. In a network, it reaches nothing."""
    if config.transform == "delimiter":
        return None
    place = network.place(network.group("TransformGroup", "The transform function")) if network else {}
    return function(
        scope,
        "Transform",
        config=config,
        key=key,
        code=package(FILES),
        handler="handler.handler",
        description="Turns change records into what the log stores",
        environment={"MODE": config.transform},
        memory=config.lambda_memory,
        timeout=cdk.Duration.minutes(3),  # Firehose waits for 5 minutes
        **place,
    )
