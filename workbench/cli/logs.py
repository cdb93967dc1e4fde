"""The verbs about logs and tables: what is there, what makes and keeps them, whether everything is ready."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from workbench.cli import completing
from workbench.cli.asking import busy, open_workbench, print_json, print_table, say_applied
from workbench.cli.options import as_json, log_options, mask_options, window_options
from workbench.cli.program import LOGS, SETUP, main, say
from workbench.exit_codes import DISAGREES, ERROR
from workbench.text import count, size

if TYPE_CHECKING:
    import pandas as pd


@main.verb(SETUP)
@click.argument("table", required=False, shell_complete=completing.tables)
@click.option(
    "--aws-smoke", is_flag=True, help="Put an item into TABLE, wait until it is in the log, ask for it, delete it."
)
@click.option("--wait", default="20min", show_default=True, metavar="LENGTH", help="Wait for it no longer.")
@click.option("--removal", is_flag=True, help="Wait for its deletion too.")
@click.option("--yes", is_flag=True, help="Write it, without asking.")
@click.option("--out", metavar="FILE", help="Write the report to FILE.(json|csv|parquet|xlsx), to be sent.")
@click.option("--overwrite", is_flag=True, help="Replace FILE where it exists.")
@as_json
def check(table: str | None, out: str | None, overwrite: bool, as_json: bool, **how: Any) -> None:
    """Check that this machine and the lake are ready; with --aws-smoke, that a pipeline works from end to end.

    The report of --aws-smoke names no account, nobody who asked, no key and no value: it can be sent to somebody.

    \b
    Example: workbench check
    """
    wb = open_workbench()
    if out is not None:
        from workbench.questions import writers

        writers.destination(out, overwrite=overwrite, session=wb.session)
    if how["aws_smoke"] and table and not how["yes"]:
        from workbench.questions.aws_smoke import outlook

        said = outlook(wb.session, table, wb.estimate)
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise click.UsageError(f"aws-smoke {said}: look at it, and say --yes")
        say(f"This {said}.", err=True)
        how["yes"] = click.confirm("Write it?", abort=True, err=True)
    with busy():
        findings = wb.check(table, **how)
    if out is not None:
        writers.write(findings, out, overwrite=overwrite, session=wb.session)
    print_table(findings, as_json)
    if (findings["status"] == "failed").any():
        sys.exit(ERROR)


@main.verb(SETUP)
@as_json
def config(as_json: bool) -> None:
    """Show every setting, its value, and where that is from.

    \b
    Example: workbench config --json
    """
    from workbench.config import explain, find_file

    settings = explain(**click.get_current_context().obj)
    if as_json:
        print_json(settings)
        return
    from workbench.terminal import print_settings

    print_settings(settings, find_file())


@main.verb(LOGS)
@log_options
def tables(as_json: bool, **where: Any) -> None:
    """List the tables there are.

    \b
    Example: workbench tables --source ~/synced-bucket/data
    """
    wb = open_workbench(**where)
    with busy():
        df = wb.tables()
    completing.note_tables(wb.settings, map(str, df["table"]))
    unknown = [] if as_json else [name for name in ("aws_region", "account_id") if df[name].isna().all()]
    print_table(df.drop(columns=unknown), as_json)
    for note in df.attrs.get("notes", []):
        say(note, err=True)


@main.verb(LOGS)
@click.argument("dataset")
@click.option("--items", type=int, help="Different items.")
@click.option("--changes", type=int, default=10_000, show_default=True, help="Changes of them.")
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed and span, same table.")
@click.option("--start", metavar="TIME", help="Start of the span; else 7 days before its end.")
@click.option("--end", metavar="TIME", help="End of the span; else the last full hour.")
@click.option("--duplicates", type=float, default=0.01, show_default=True, help="Share delivered twice.")
@click.option("--late", type=float, default=0.01, show_default=True, help="Share delivered hours late.")
@click.option("--reordered", type=float, default=0.02, show_default=True, help="Share delivered after newer ones.")
@click.option("--same-instant", type=float, default=0.03, show_default=True, help="Share that carry one time.")
@click.option("--bad-night", is_flag=True, help="Orders: a job cancels some by mistake, to be taken back.")
@click.option(
    "--layout",
    type=click.Choice(["envelope", "parquet", "raw"]),
    default="envelope",
    show_default=True,
    help="Form of the delivered objects.",
)
@click.option("--replace", is_flag=True, help="Make the table anew.")
@as_json
def generate(dataset: str, as_json: bool, **options: Any) -> None:
    """Make a realistic table (persons, heartrate or orders) and its change log in the lake.

    \b
    Example: workbench generate persons --items 2000 --changes 20000 --seed 7 --replace
    """
    with busy():
        generated = open_workbench().generate(dataset, **options)
    say(json.dumps(vars(generated)) if as_json else generated)


@main.verb(LOGS)
@click.argument("table", shell_complete=completing.tables)
@click.option("--keep", type=int, default=14, show_default=True, help="So many checkpoints stay, the newest.")
@log_options
def checkpoint(table: str, keep: int, as_json: bool, **where: Any) -> None:
    """Keep what the log of TABLE has come to: later answers read that and the new objects only.

    \b
    Example: workbench checkpoint persons
    """
    with busy():
        checkpoint = open_workbench(**where).checkpoint(table, keep=keep)
    about = {
        "table": checkpoint.table,
        "since": checkpoint.since.isoformat(),
        "made": checkpoint.created.isoformat(),
        "place": checkpoint.place,
        "objects": len(checkpoint.objects),
        "bytes": checkpoint.bytes,
        "unreadable": len(checkpoint.unreadable),
    }
    say(json.dumps(about) if as_json else str(checkpoint))


@main.verb(LOGS)
@click.argument("table", shell_complete=completing.tables)
@click.option("--again", is_flag=True, help="Make closed days again, too.")
@click.option("--archive", is_flag=True, help="Tag the objects of compacted days, for a colder class.")
@log_options
def compact(table: str, again: bool, archive: bool, as_json: bool, **where: Any) -> None:
    """Keep closed days of the log of TABLE on Athena as few sorted files, which questions read instead.

    \b
    Example: workbench compact persons
    """
    with busy():
        made = open_workbench(**where).compact(table, again=again, archive=archive)
    if as_json or len(made):
        print_table(made, as_json)
    if not as_json:
        before, after = made["bytes"].sum(), made["compacted_bytes"].sum()
        say(f"{count(len(made), 'day')} compacted: {size(before)} in {size(after)}")
    for note in made.attrs["notes"]:
        say(note, err=True)


@main.verb(LOGS)
@click.argument("table", shell_complete=completing.tables)
@click.option("--to-table", required=True, metavar="NAME", help="The other table.")
@click.option("--as-of", metavar="TIME", help="The state at this instant; without it and a window, the state now.")
@window_options
@click.option("--rate", type=float, metavar="UNITS", help="Write units a second at most.")
@click.option("--limit", type=int, help="Only so many writes; `workbench apply` goes on.")
@click.option("--why", metavar="TEXT", help="A reason, for the journal.")
@click.option("--out", metavar="FILE", help="Of the plan; else in the setting home.")
@click.option("--journal", metavar="FILE", help="Of what was written; else the plan's name and .journal.")
@mask_options
@log_options
def replay(
    table: str,
    to_table: str,
    as_of: str | None,
    start: str | None,
    end: str | None,
    rate: float | None,
    limit: int | None,
    why: str | None,
    out: str | None,
    journal: str | None,
    as_json: bool,
    **where: Any,
) -> None:
    """Write a state of TABLE, or the changes of a window in their order, into another table.

    The exit code is 4 where something is left, or was not written as planned.

    \b
    Example: workbench replay persons --to-table persons_then --as-of -2d
    """
    with busy():
        applied = open_workbench(**where).replay(
            table,
            to_table,
            as_of=as_of,
            start=start,
            end=end,
            rate=rate,
            limit=limit,
            why=why,
            out=out,
            journal=journal,
        )
    say_applied(applied, as_json)


@main.verb(LOGS)
@click.argument("path", metavar="FILE", shell_complete=completing.files)
@click.option(
    "--tables",
    multiple=True,
    metavar="TABLE",
    shell_complete=completing.tables,
    help="This table; else all. May repeat.",
)
@click.option("--overwrite", is_flag=True, help="Replace FILE where it exists.")
@mask_options
@log_options
def export_db(path: str, tables: tuple[str, ...], overwrite: bool, as_json: bool, **where: Any) -> None:
    """Write the tables, now and over time, to a FILE of DuckDB's that needs neither Python nor the log.

    \b
    Example: workbench export_db shop.duckdb --tables persons --overwrite
    """
    with busy():
        written = open_workbench(**where).export_db(path, tables=tables or None, overwrite=overwrite)
    if as_json:
        say(json.dumps({"file": str(written), "bytes": written.stat().st_size}))
    else:
        say(f"{written}: {size(written.stat().st_size)}; open it by `duckdb {written}`")


@main.group(invoke_without_command=True)
@as_json
@click.pass_context
def store(ctx: click.Context, /, as_json: bool) -> None:
    """Show what is stored of each log, so that no object is read twice; check it, or remove it.

    \b
    Example: workbench store
    """
    if ctx.invoked_subcommand is None:
        with busy():
            stored = open_workbench().store()
        _print_stored(stored, as_json)


@store.command()
@as_json
def verify(as_json: bool) -> None:
    """Read all that is stored, and take out what is damaged: it is read again from the log.

    \b
    Example: workbench store verify
    """
    with busy():
        stored = open_workbench().store(verify=True)
    _print_stored(stored, as_json)
    if stored["damaged"].any():
        sys.exit(DISAGREES)


@store.command()
@click.argument("source", required=False, shell_complete=completing.files)
@as_json
def clear(source: str | None, as_json: bool) -> None:
    """Remove what is stored of the log SOURCE, or of all below it; without one, of every log. Only time is lost by it.

    \b
    Example: workbench store clear
    """
    with busy():
        cleared = open_workbench().store(clear=True if source is None else source)
    if as_json:
        print_table(cleared, as_json)
        return
    for log, taken in zip(cleared["log"], cleared["bytes"], strict=True):
        say(f"removed: {size(taken)} of {log}")
    if cleared.empty:
        say("nothing is stored")


def _print_stored(stored: pd.DataFrame, as_json: bool) -> None:
    if as_json:
        print_json(stored)
        return
    if len(stored):
        share = [f"{share:.0%}" if share == share else "" for share in stored["share"]]
        print_table(stored.assign(bytes=stored["bytes"].map(size), share=share), as_json)
    for note in stored.attrs["notes"]:
        say(note, err=True)


@main.group()
def baseline() -> None:
    """Make exports of tables, to begin with or to reconcile with.

    \b
    Example: workbench baseline start persons
    """


@baseline.command()
@click.argument("table", shell_complete=completing.tables)
@click.option("--to", default="exports", show_default=True, metavar="FOLDER|s3://…", help="Where it goes.")
def start(table: str, to: str) -> None:
    """Export TABLE as it is now: the embedded one in the form of DynamoDB's export to S3, or by DynamoDB itself.

    \b
    Example: workbench baseline start persons --to exports
    """
    with busy():
        made = open_workbench().export_baseline(table, to)
    say(made)


@baseline.command()
@click.argument("table", shell_complete=completing.tables)
@as_json
def status(table: str, as_json: bool) -> None:
    """Tell how far DynamoDB is with the exports of TABLE.

    \b
    Example: workbench baseline status persons
    """
    with busy():
        df = open_workbench().export_status(table)
    print_table(df, as_json)


@main.group()
def table() -> None:
    """Register change logs in the Glue catalog, and show their definitions.

    \b
    Example: workbench table create persons s3://my-bucket/data/persons/
    """


@table.command()
@click.argument("name")
@click.argument("location")
@click.option(
    "--first-year", type=int, help="Have folders looked into from this year on; else from the first there is."
)
def create(name: str, location: str, first_year: int | None) -> None:
    """Register the change log under LOCATION, s3://…, as the table NAME; its layout is read off its objects.

    \b
    Example: workbench table create persons s3://my-bucket/data/persons/
    """
    with busy():
        made = open_workbench().create_table(name, location, first_year=first_year)
    say(made)


@table.command()
@click.argument("name")
def show(name: str) -> None:
    """Print the statement that makes the table NAME.

    \b
    Example: workbench table show persons
    """
    with busy():
        made = open_workbench().table_ddl(name)
    say(made)


@main.group()
def view() -> None:
    """Make views of Athena's over a log, for BI tools; list and remove them.

    \b
    Example: workbench view create persons
    """


@view.command(name="create")
@click.argument("table", shell_complete=completing.tables)
@click.option("--replace", is_flag=True, help="Replace views of these names also where somebody else made them.")
@mask_options
@log_options
def create_view(table: str, replace: bool, as_json: bool, **where: Any) -> None:
    """Make the views TABLE_latest, TABLE_changes and TABLE_versions, with a column for every attribute of the log.

    \b
    Example: workbench view create persons
    """
    with busy():
        df = open_workbench(**where).create_views(table, replace=replace)
    print_table(df, as_json)


@view.command(name="list")
@click.argument("table", required=False, shell_complete=completing.tables)
@as_json
def list_views(table: str | None, as_json: bool) -> None:
    """List the views that were made, of TABLE or of all.

    \b
    Example: workbench view list
    """
    with busy():
        df = open_workbench().views(table)
    print_table(df, as_json)


@view.command(name="drop")
@click.argument("table", shell_complete=completing.tables)
@as_json
def drop_view(table: str, as_json: bool) -> None:
    """Remove the views of TABLE that were made.

    \b
    Example: workbench view drop persons
    """
    with busy():
        df = open_workbench().drop_views(table)
    print_table(df, as_json)


@view.command(name="show")
@click.argument("table", shell_complete=completing.tables)
@mask_options
@log_options
def show_view(table: str, as_json: bool, **where: Any) -> None:
    """Print the statements that make the views of TABLE.

    \b
    Example: workbench view show persons
    """
    with busy():
        statements = open_workbench(**where).view_ddl(table)
    say(json.dumps(statements) if as_json else statements)


main.sections[LOGS] += ["store", "baseline", "table", "view"]
