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
    return writing_function(
        scope,
        "Transform",
        config.transform,
        "Turns change records into what the log stores",
        config=config,
        key=key,
        network=network,
    )


def writing_function(
    scope: Construct, id: str, mode: str, description: str, *, config: Config, key: kms.IKey, network: Network | None
) -> lambda_.Function:
    """Make a function that writes records in one of the handler's modes."""
    place = network.place(network.group(f"{id}Group", f"The function {id}")) if network else {}
    return function(
        scope,
        id,
        config=config,
        key=key,
        code=package(FILES),
        handler="handler.handler",
        description=description,
        environment={"MODE": mode} | ({"FOLDERS": "log"} if config.shared else {}),
        memory=config.lambda_memory,
        timeout=cdk.Duration.minutes(3),  # Firehose waits for 5 minutes
        **place,
    )
