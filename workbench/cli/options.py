"""Options that several verbs share, called what the parameter of `Workbench` is; older spellings stay good."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import click

from workbench.cli import completing

Verb = Callable[..., Any]
SETTINGS = ("source", "keys", "baseline", "log_region", "log_account", "mask", "mask_with", "actor")
"""Those of `result_options` that are settings; the others say how an answer is shown or written."""
OF_ANSWERS = (*SETTINGS, "out", "overwrite", "nested", "excel", "as_json", "columns", "order", "vertical", "format")
"""What the verb of a question takes beside the question's own parameters."""
ROWS = "ROWS"
"""What tells the limit of an answer's rows from a limit of the question's own."""
FORMATS = ("csv", "tsv", "json", "jsonl", "parquet", "xlsx")
"""What an answer is printed as for programs, or written to a file whose ending does not tell."""
attribute_option = partial(click.option, shell_complete=completing.attributes)
"""An option whose value is an attribute, or begins with one."""
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
parameters = click.option(
    "-p",
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    shell_complete=completing.parameters,
    help="May repeat.",
)


def log_options(command: Verb) -> Verb:
    """Say which log is asked."""
    for option in (
        click.option(
            "--source",
            "--from",
            "source",
            metavar="PATH",
            shell_complete=completing.files,
            help="Folder, file or glob of change logs; else the lake.",
        ),
        click.option(
            "--keys",
            "--key-name",
            "keys",
            multiple=True,
            metavar="NAME",
            help="Key attribute of a flat log or an export; may repeat.",
        ),
        click.option(
            "--baseline", metavar="FOLDER", shell_complete=completing.files, help="Exports to S3: states to begin with."
        ),
        click.option("--log-region", metavar="REGION", help="Of tables of one name in a log: that of this Region."),
        click.option("--log-account", metavar="ID", help="Of tables of one name in a log: that of this account."),
        as_json,
    ):
        command = option(command)
    return command


def file_options(command: Verb) -> Verb:
    """Say where an answer is written."""
    for option in (
        click.option(
            "--out",
            metavar="FILE",
            shell_complete=completing.files,
            help="Write all rows to FILE.(parquet|csv|tsv|xlsx|json|jsonl), also .csv.gz; - prints them.",
        ),
        click.option("--overwrite", is_flag=True, help="Replace FILE where it exists."),
        click.option("--nested", is_flag=True, help="Write maps as they are, not as a column an attribute."),
        click.option(
            "--excel",
            "--excel-csv",
            "excel",
            is_flag=True,
            help="Write FILE.csv for Excel: marked as UTF-8, and without what it would run as a formula.",
        ),
    ):
        command = option(command)
    return command


def result_options(command: Verb) -> Verb:
    """Say which log is asked, what is hidden in the answer, how it is shown, and where it is written."""
    limit = click.option("--limit", type=click.IntRange(min=0), metavar=ROWS, help="Only the first so many rows.")
    return answer_options(limit(command))


def answer_options(command: Verb) -> Verb:
    """Say what `result_options` does, of a verb whose ``--limit`` is another one."""
    for option in (
        click.option(
            "--columns",
            metavar="A,B",
            shell_complete=completing.columns,
            help="Only these; an attribute stands for what is below it, too.",
        ),
        click.option("--order", type=click.Choice(["newest", "oldest"]), help="Which rows are first, by their time."),
        click.option("--vertical", is_flag=True, help="Print rows one below the other, a line for each value."),
        click.option(
            "--format",
            type=click.Choice(FORMATS),
            help="Print all rows so; with --out, what FILE is, whatever it ends in.",
        ),
    ):
        command = option(command)
    actor = attribute_option(
        "--actor", metavar="PATH", help="Attribute that tells who wrote: shown beside every change."
    )
    return log_options(actor(mask_options(file_options(command))))


def mask_options(command: Verb) -> Verb:
    """Say what is hidden."""
    for option in (
        attribute_option(
            "--mask",
            multiple=True,
            metavar="PATH",
            help="Hide this attribute's values, beside those of the setting; may repeat.",
        ),
        click.option("--mask-with", type=click.Choice(["hash", "redact"]), help="How; else by the setting."),
    ):
        command = option(command)
    return command


def item_options(command: Verb) -> Verb:
    """Say which items are meant."""
    for option in (
        click.option(
            "--key",
            multiple=True,
            metavar="NAME=VALUE",
            shell_complete=completing.keys,
            help="An item's key; once for each attribute, and again for another item.",
        ),
        click.option("--prefix", is_flag=True, help="The last --key is what the items' begin with."),
    ):
        command = option(command)
    return command


def window_options(command: Verb) -> Verb:
    """Say which window of time is meant."""
    for option in (
        click.option(
            "--start", metavar="TIME", help="From here on: ISO 8601, UTC where it names no zone, or -7d, today."
        ),
        click.option("--end", metavar="TIME", help="Changes before."),
    ):
        command = option(command)
    return command
