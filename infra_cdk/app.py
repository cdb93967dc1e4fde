"""The app: reads the settings from CDK context and makes the stacks. ``cdk deploy`` in this folder runs it."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # run as a file, as cdk.json does: the CDK wants this folder to be the working directory
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import infra_cdk  # noqa: F401, I001  (before aws_cdk: says which Node to take)

import aws_cdk as cdk

from infra_cdk.config import Config, read_config
from infra_cdk.nag import REASONS, Reason, Rules
from infra_cdk.stacks.governance import Replica
from infra_cdk.stacks.pipeline import Consumer, Pipeline, Producer, TablesPipeline, TablesProducer
from infra_cdk.stacks.search_only import SearchOnly
from workbench.errors import ConfigError


def build(
    context: Mapping[str, Any] | None = None, outdir: str | None = None, *, reasons: Sequence[Reason] = REASONS
) -> tuple[cdk.App, Rules]:
    """Make the app, and the rules it is checked against when it is synthesised."""
    app = cdk.App(context=dict(context or {}), outdir=outdir, analytics_reporting=False)
    config = read_config(app.node.get_all_context())
    if config.variant == "cross-account":
        producer = TablesProducer if config.several else Producer
        producer(app, f"{config.name}Producer", config=config, env=_in(config.producer_account, config))
        lake: cdk.Stack = Consumer(
            app, f"{config.name}Consumer", config=config, env=_in(config.consumer_account, config)
        )
    else:
        stack = SearchOnly if config.search_only else TablesPipeline if config.several else Pipeline
        lake = stack(app, config.name, config=config, env=_place(config))
    if config.replica_region:  # replication cannot be switched on before its destination is there
        account = None if cdk.Token.is_unresolved(lake.account) else lake.account
        lake.add_stack_dependency(
            Replica(
                app,
                f"{config.name}Replica",
                config=config,
                env=cdk.Environment(account=account, region=config.replica_region),
            )
        )
    rules = Rules(app, reasons)
    cdk.Validations.of(app).add_plugins(rules)
    return app, rules


def _in(account: str, config: Config) -> cdk.Environment:
    return cdk.Environment(account=account, region=config.region)


def _place(config: Config) -> cdk.Environment:
    """Return where an existing table is, else where the CDK's caller is; without either, any place does."""
    region, account = config.table_place or (None, None)
    return cdk.Environment(
        account=account or os.environ.get("CDK_DEFAULT_ACCOUNT"), region=region or os.environ.get("CDK_DEFAULT_REGION")
    )


def main() -> None:
    """Synthesise where the CDK wants it; a wrong setting is one line."""
    try:
        app, _ = build()
    except ConfigError as error:
        sys.exit(f"infra_cdk: {error}")
    app.synth()


if __name__ == "__main__":
    main()
