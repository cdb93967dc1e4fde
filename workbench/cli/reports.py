"""The verbs about reports: a notebook run as one, and the demonstration."""

from __future__ import annotations

import json
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench import exit_codes
from workbench.cli import completing
from workbench.cli.asking import open_workbench, pairs, print_json_text, print_table
from workbench.cli.options import as_json, parameters
from workbench.cli.program import REPORTS, main, say
from workbench.text import plain

if TYPE_CHECKING:
    from workbench.reports import Report, RunRecord


class _Reports(click.Group):
    """What is done with reports; what was written ``workbench report NOTEBOOK`` is told its new spelling."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the options before the verb, of which there are none but for help."""
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as error:
            option = plain(error.option_name)
            raise click.UsageError(
                f"{option} stands after the verb: `workbench report run NOTEBOOK {option} …`"
            ) from None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb."""
        if args and self.get_command(ctx, args[0]) is None and not args[0].startswith("-"):
            named = shlex.quote(plain(args[0]))
            verbs = ", ".join(self.commands)
            raise click.UsageError(f"report has {verbs}: to run a notebook, `workbench report run {named}`")
        return super().resolve_command(ctx, args)


@main.group(cls=_Reports)
def report() -> None:
    """Run notebooks as reports, list their parameters, and write the index of all runs.

    \b
    Example: workbench report run 03_change_frequency -p table=persons
    """


@report.command()
@click.argument("names", nargs=-1, metavar="[NAME…]", shell_complete=completing.notebooks)
@parameters
@click.option(
    "--for", "asked", metavar="WINDOW", help="Such as yesterday, last-week, -7d, 2026-11, 2026-11-01..2026-11-08."
)
@click.option("--timezone", metavar="ZONE", help="Whose days and weeks the window has; else the suite's, or UTC.")
@click.option("--suite", "file", metavar="FILE", help="Of reports; else reports.toml, here or beside workbench.toml.")
@click.option("--retry-failed", is_flag=True, help="Run again those whose latest run did not complete, as it was.")
@click.option("--out", default="reports", show_default=True, metavar="PLACE", help="Folder, or s3://…, of all reports.")
@click.option("--name", help="What the report is called; else as its notebook.")
@click.option("--timeout", type=int, help="Seconds a cell may take; else the suite's, or 600.")
@as_json
def run(
    names: tuple[str, ...],
    parameters: tuple[str, ...],
    asked: str | None,
    timezone: str | None,
    file: str | None,
    retry_failed: bool,
    out: str,
    name: str | None,
    timeout: int | None,
    as_json: bool,
) -> None:
    """Run reports: those of the suite, reports.toml, or notebooks (paths, or names in notebooks/).

    Without a NAME the whole suite runs. Each run is kept in a folder of its own, OUT/NAME/2026-11-20T06-00-00Z/: a
    page, the executed notebook, figures, tables and run.json. OUT/index.html shows all.

    \b
    Example: workbench report run 03_change_frequency -p table=persons --for yesterday
    """
    from workbench import reports
    from workbench.model.times import now

    settings = click.get_current_context().obj
    suite_file = file or reports.find_suite()
    suite = reports.read_suite(suite_file) if suite_file else None
    if retry_failed:
        if parameters or asked or timezone or name:
            raise click.UsageError(
                "--retry-failed takes the parameters and the window of the run that failed: give neither"
            )
        planned = reports.plan_failed(reports.read_records(out, settings), suite, now(), names, timeout=timeout)
        if not planned:
            say(f"nothing to run again in {out}: the latest run of each report is complete", err=True)
    else:
        planned = reports.plan_named(
            names,
            suite,
            now(),
            asked=asked,
            timezone=timezone,
            parameters=pairs(parameters),
            called=name,
            timeout=timeout,
        )
    published: list[Report] = []
    try:
        for each in reports.run_reports(planned, out, settings=settings):
            published.append(each)
            if not as_json:
                say(f"{each.html} ({each.record.seconds:.1f} s)")
            if outcome := outcome_of(each.record):
                say(f"{'Note' if each.record.status.complete else 'Error'}: {outcome}; see {each.html}", err=True)
            for alert in each.record.alerts:
                say(f"Alert: {each.record.name}: {alert.rule}: {alert.says}; see {each.html}", err=True)
            if each.problem and each.problem not in outcome:
                say(f"Error: {each.problem}", err=True)
    finally:
        if as_json:
            print_json_text(json.dumps([json.loads(each.record.model_dump_json()) for each in published], indent=1))
    codes = {exit_code(each) for each in published} - {0}
    if codes:
        sys.exit(next(code for code in _GRAVEST if code in codes))


@report.command("describe")
@click.argument("notebook", shell_complete=completing.notebooks)
@as_json
def describe_notebook(notebook: str, as_json: bool) -> None:
    """List the parameters of NOTEBOOK (a path, or a name in notebooks/).

    \b
    Example: workbench report describe 03_change_frequency
    """
    import pandas as pd

    from workbench import reports

    declared = reports.describe(reports.notebook_of(notebook, Path()))
    listed = [vars(parameter) | {"default": parameter.default_text} for parameter in declared]
    print_table(pd.DataFrame(listed), as_json)


@report.command("index")
@click.option("--out", default="reports", show_default=True, metavar="PLACE", help="Folder, or s3://…, of all reports.")
def write_index(out: str) -> None:
    """Write the index of all runs anew, as after some were removed.

    \b
    Example: workbench report index --out reports
    """
    from workbench import reports

    say(reports.write_index(out, click.get_current_context().obj))


@main.verb(REPORTS)
@click.option("--out", default="reports", show_default=True, metavar="FOLDER", help="Where the reports go.")
@click.option("--changes", type=int, default=20_000, show_default=True, help="Changes of each table.")
def demo(out: str, changes: int) -> None:
    """Generate three tables, run the notebooks on them and say what was found.

    \b
    Example: workbench demo
    """
    from workbench.demo import run_demo
    from workbench.reports import shipped

    for line in run_demo(open_workbench(), shipped(), out, changes=changes):
        say(line)


def outcome_of(record: RunRecord) -> str:
    """Return what is to be said of a run, in one line; nothing where it is complete and found changes."""
    from workbench.reports import Status

    if record.status is Status.EMPTY:
        return f"{record.name}: no change is in its window"
    if record.failed_cell is None:
        return ""
    failed = record.failed_cell
    return f"{record.notebook}: cell {failed.number} ({failed.heading}) failed: {failed.error}"


def exit_code(report: Report) -> int:
    """Return with what the program ends after a run."""
    from workbench.reports import Status

    by_status = {
        Status.FAILED: exit_codes.ERROR,
        Status.REFUSED: exit_codes.REFUSED,
        Status.TIMED_OUT: exit_codes.TIMED_OUT,
        Status.DIED: exit_codes.DIED,
        Status.EMPTY: exit_codes.EMPTY,
        Status.STOPPED: exit_codes.STOPPED,
        Status.NOT_KEPT: exit_codes.NOT_PUBLISHED,
    }
    if report.problem:
        return exit_codes.NOT_PUBLISHED
    if report.record.status.complete and report.record.alerts:
        return exit_codes.ALERT
    return by_status.get(report.record.status, 0)


_GRAVEST = (
    exit_codes.NOT_PUBLISHED,
    exit_codes.DIED,
    exit_codes.TIMED_OUT,
    exit_codes.REFUSED,
    exit_codes.ERROR,
    exit_codes.ALERT,
    exit_codes.EMPTY,
)
"""Of several runs, with what the program ends: the first of these that one came to."""


main.sections[REPORTS].insert(0, "report")
