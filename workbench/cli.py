"""The command line: parsing and printing only; one verb a public function."""

from __future__ import annotations

import inspect
import io
import json
import os
import re
import shlex
import sys
import warnings
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import click
import pandas as pd
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from workbench.errors import RecordRefused, WorkbenchError
from workbench.model.records import EVENTS
from workbench.text import count, plain, plain_json
from workbench.version import __version__

_ROWS = 20  # shown on a terminal; --out and --json give all
_COLUMNS = 8
_DISAGREES = 3  # exit code; 1 is an error, 2 a wrong use
STOPPED = 130  # exit code of a program that Ctrl-C ends
KINDS = ("event", "attribute", "key", "concentration", "interval")
_QUESTIONS = {
    "latest": "latest_state",
    "changes": "changes",
    "history": "item_history",
    "diff": "diff",
    "frequency": "change_frequency",
    "quality": "data_quality",
    "reconcile": "reconcile",
}


class _Group(click.Group):
    def main(self, *arguments: Any, **more: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):  # what it cannot write is escaped, and ends nothing
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="backslashreplace")
        return super().main(*arguments, **more)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            click.echo("Stopped.", err=True)
            sys.exit(STOPPED)
        except (WorkbenchError, RecordRefused, OSError) as error:
            if isinstance(error, BrokenPipeError):  # the reader of a pipe has seen enough: click ends quietly
                raise
            if ctx.params.get("debug"):
                raise
            said = _said(error, ctx.obj or {}) if isinstance(error, OSError) else str(error)
            raise click.ClickException(plain(" ".join(said.split()))) from error


def _said(error: OSError, given: Mapping[str, Any]) -> str:
    """Say what the system refused, and by which setting the place is chosen."""
    if not isinstance(error.filename, str) or not error.strerror:
        return str(error)
    from workbench.config import load_settings

    place, settings = Path(error.filename).absolute(), load_settings(**given)
    for name in ("checkpoints", "home"):
        chosen = getattr(settings, name)
        if chosen and place.is_relative_to(Path(chosen).absolute()):
            return (
                f"{place}: {error.strerror}; the setting {name} says where: set it (WORKBENCH_{name.upper()}) to a "
                "folder you may write to"
            )
    return f"{place}: {error.strerror}"


class _Instants(click.Command):
    """A command whose arguments may be instants like -2d, which are no options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        return super().parse_args(ctx, [f" {each}" if re.match(r"-\d", each) else each for each in args])


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--from", "source", metavar="PATH", help="Folder, file or glob of change logs; else the lake."),
        click.option(
            "--key-name",
            "keys",
            multiple=True,
            metavar="NAME",
            help="Key attribute of a flat log or an export; may repeat.",
        ),
        click.option("--baseline", metavar="FOLDER", help="Exports to S3: states to begin with."),
        click.option("--log-region", metavar="REGION", help="Of tables of one name in a log: that of this Region."),
        click.option("--log-account", metavar="ID", help="Of tables of one name in a log: that of this account."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs."),
    ):
        command = option(command)
    return command


def _result_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--out", metavar="FILE", help="Write all rows to FILE.(parquet|csv|xlsx|json)."),
        click.option("--overwrite", is_flag=True, help="Replace FILE where it exists."),
        click.option("--nested", is_flag=True, help="Write maps as they are, not as a column an attribute."),
        click.option(
            "--excel-csv",
            "excel",
            is_flag=True,
            help="Write FILE.csv for Excel: marked as UTF-8, and without what it would run as a formula.",
        ),
        click.option(
            "--mask",
            multiple=True,
            metavar="PATH",
            help="Hide this attribute's values, beside those of the setting; may repeat.",
        ),
        click.option("--mask-with", type=click.Choice(["hash", "redact"]), help="How; else by the setting."),
    ):
        command = option(command)
    return _common(command)


def _item_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--key",
            multiple=True,
            metavar="NAME=VALUE",
            help="An item's key; once for each attribute, and again for another item.",
        ),
        click.option("--prefix", is_flag=True, help="The last --key is what the items' begin with."),
    ):
        command = option(command)
    return command


def _window_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option(
            "--start", metavar="TIME", help="From here on: ISO 8601, UTC where it names no zone, or -7d, today."
        ),
        click.option("--end", metavar="TIME", help="Changes before."),
    ):
        command = option(command)
    return command


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.option("--config", "file", metavar="FILE", help="File of settings; else the nearest workbench.toml upwards.")
@click.option("--engine", type=click.Choice(["duckdb", "athena"]), help="Where questions are answered; else duckdb.")
@click.option("--database", help="Glue database, on athena.")
@click.option("--workgroup", help="Athena workgroup; else primary.")
@click.option("--profile", help="Profile of the AWS configuration.")
@click.option("--region", help="AWS Region.")
@click.option("--max-scan-bytes", metavar="SIZE", help="Refuse queries that would scan more, such as 10GB.")
@click.version_option(__version__)
@click.pass_context
def main(ctx: click.Context, /, debug: bool, file: str | None, **settings: Any) -> None:
    """Ask a DynamoDB table's change log: what is in it, what was in it, what changes and how often.

    These options come before the verb; `workbench config` shows all settings, and where they are from.
    """
    ctx.obj = settings
    if file:
        from workbench.config import CONFIG

        before = os.environ.get(CONFIG, "")  # empty is unset
        os.environ[CONFIG] = str(Path(file).absolute() if file[:1] != "~" else file)
        ctx.call_on_close(lambda: os.environ.update({CONFIG: before}))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def check(as_json: bool) -> None:
    """Check that this machine and the lake are ready.

    \b
    Example: workbench check
    """
    found = _workbench().check()
    _print(found, as_json)
    if (found["status"] == "failed").any():
        sys.exit(1)


@main.command()
@_common
def tables(as_json: bool, **where: Any) -> None:
    """List the tables there are.

    \b
    Example: workbench tables --from ~/synced-bucket/data
    """
    df = _workbench(**where).tables()
    unknown = [] if as_json else [name for name in ("aws_region", "account_id") if df[name].isna().all()]
    _print(df.drop(columns=unknown), as_json)
    for note in df.attrs.get("notes", []):
        _say(note, err=True)


@main.command()
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
@click.option(
    "--layout",
    type=click.Choice(["envelope", "parquet", "raw"]),
    default="envelope",
    show_default=True,
    help="Form of the delivered objects.",
)
@click.option("--replace", is_flag=True, help="Make the table anew.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def generate(dataset: str, start: str | None, end: str | None, as_json: bool, **options: Any) -> None:
    """Make a realistic table (persons or heartrate) and its change log in the lake.

    \b
    Example: workbench generate persons --items 2000 --changes 20000 --seed 7 --replace
    """
    from workbench.model.times import instant

    span = {"start": instant(start) if start else None, "end": instant(end) if end else None}
    made = _workbench().generate(dataset, **options, **span)
    _say(json.dumps(vars(made)) if as_json else made)


@main.command()
@click.argument("table")
@click.option("--as-of", metavar="TIME", help="An instant: ISO 8601, UTC where it names no zone, -7d or yesterday.")
@click.option("--include-deleted", is_flag=True, help="Show items that are gone too, with when.")
@click.option("--where", metavar="CONDITION", help='Only items of which it holds: "person.age > 40".')
@_result_options
def latest(table: str, as_of: str | None, include_deleted: bool, where: str | None, **show: Any) -> None:
    """Show what is in TABLE, or what was in it at an instant.

    \b
    Example: workbench latest persons --as-of -2d --out persons.parquet
    """
    asked = {"as_of": as_of, "include_deleted": include_deleted, "where": where}
    _answer("latest_state", table, asked, show)


@main.command()
@click.argument("table")
@_window_options
@click.option("--event", "events", multiple=True, type=click.Choice(EVENTS), help="Only this; may repeat.")
@click.option("--where", metavar="CONDITION", help="Only changes of which it holds, for either image.")
@click.option("--limit", type=int, help="Only the newest so many.")
@_item_options
@_result_options
def changes(
    table: str,
    start: str | None,
    end: str | None,
    events: tuple[str, ...],
    where: str | None,
    limit: int | None,
    key: tuple[str, ...],
    prefix: bool,
    **show: Any,
) -> None:
    """List the changes of TABLE in a window of time.

    \b
    Example: workbench changes heartrate --event MODIFY --where "HeartRate > 120 and old.HeartRate <= 120"
    """
    asked = {"start": start, "end": end, "events": events, "where": where, "limit": limit}
    asked |= {"key": shlex.join(key) or None, "prefix": prefix}
    _answer("changes", table, asked, show)


@main.command()
@click.argument("table")
@_item_options
@_window_options
@_result_options
def history(table: str, key: tuple[str, ...], prefix: bool, start: str | None, end: str | None, **show: Any) -> None:
    """Tell what happened to items of TABLE, attribute by attribute; without --key, to the one that changed most.

    \b
    Example: workbench history persons --key pk=p-000003
    """
    asked = {"key": shlex.join(key) or None, "prefix": prefix, "start": start, "end": end}
    _answer("item_history", table, asked, show, _print_history)


@main.command(cls=_Instants)
@click.argument("table")
@click.argument("before")
@click.argument("after", required=False)
@_item_options
@_result_options
def diff(table: str, before: str, after: str | None, key: tuple[str, ...], prefix: bool, **show: Any) -> None:
    """Compare TABLE, or items of it, at two instants: BEFORE, and AFTER or now.

    \b
    Example: workbench diff persons -2d --out diff.xlsx
    """
    asked = {"before": before, "after": after, "key": shlex.join(key) or None, "prefix": prefix}
    _answer("diff", table, asked, show, _print_comparison)


@main.command()
@click.argument("table")
@click.option("--every", help="1min 5min 15min 30min 1h 3h 6h 12h 1d 1w 1mo; by event 1h where not given.")
@_window_options
@click.option(
    "--by",
    type=click.Choice(KINDS),
    default="event",
    show_default=True,
    help="Over time, by attribute, the most changed items, how unequal, how long in between.",
)
@click.option("--timezone", default="UTC", show_default=True, help="Zone of buckets and window, like Europe/Berlin.")
@click.option("--limit", type=int, default=20, show_default=True, help="Items, with --by key.")
@_result_options
def frequency(
    table: str, every: str | None, start: str | None, end: str | None, by: str, timezone: str, limit: int, **show: Any
) -> None:
    """Count the changes of TABLE over time, by attribute or by item.

    \b
    Example: workbench frequency persons --every 1d --timezone Europe/Berlin
    """
    asked = {"every": every, "start": start, "end": end, "by": by, "timezone": timezone, "limit": limit}
    _answer("change_frequency", table, asked, show)


@main.command()
@click.argument("table")
@_window_options
@click.option("--late-arrival", default="24h", show_default=True, help="How late changes may arrive.")
@click.option("--max-age", metavar="LENGTH", help="How old the newest change may be, like 1h; an older log fails.")
@_result_options
def quality(
    table: str, start: str | None, end: str | None, late_arrival: str, max_age: str | None, **show: Any
) -> None:
    """Tell whether the log of TABLE can be trusted; the exit code is 3 where it is not complete, or too old.

    \b
    Example: workbench quality persons --late-arrival 6h
    """
    asked = {"start": start, "end": end, "late_arrival": late_arrival, "max_age": max_age}
    if (_answer("data_quality", table, asked, show, _print_quality).df["status"] == "failed").any():
        sys.exit(_DISAGREES)


@main.command()
@click.argument("table")
@click.option(
    "--against",
    default="live",
    show_default=True,
    metavar="live|FOLDER",
    help="The table as it is, or an export of it.",
)
@click.option("--lag", default="15min", show_default=True, help="Younger changes may still be on their way.")
@click.option("--wait", is_flag=True, help="On DynamoDB: look at what differs again when the lag is over.")
@click.option("--segments", type=int, default=4, show_default=True, help="On DynamoDB: segments scanned side by side.")
@click.option("--rate", type=float, metavar="UNITS", help="On DynamoDB: read capacity units a second at most.")
@_result_options
def reconcile(table: str, against: str, lag: str, wait: bool, segments: int, rate: float | None, **show: Any) -> None:
    """Compare what the log of TABLE leads to with the table itself; the exit code is 3 where they do not agree.

    \b
    Example: workbench reconcile persons --against exports
    """
    asked = {"against": against, "lag": lag, "wait": wait, "segments": segments, "rate": rate}
    if not _answer("reconcile", table, asked, show, _print_comparison).agrees:
        sys.exit(_DISAGREES)


@main.command()
@click.argument("question", type=click.Choice(sorted(_QUESTIONS)))
@click.argument("table")
@click.argument("file")
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="May repeat.")
@_item_options
@_result_options
def export(
    question: str, table: str, file: str, parameters: tuple[str, ...], key: tuple[str, ...], prefix: bool, **show: Any
) -> None:
    """Write the answer to a QUESTION about TABLE to FILE.(parquet|csv|xlsx|json), with FILE.meta.json beside it.

    \b
    Example: workbench export latest persons persons.xlsx -p as_of=-2d --mask person.email --overwrite
    """
    method = _QUESTIONS[question]
    taken = inspect.signature(getattr(_face(), method)).parameters
    asked = {name: _typed(name, value, taken) for name, value in _pairs(parameters).items()}
    if (key or prefix) and "key" not in taken:
        raise click.BadParameter(f"{question} is asked of all items", param_hint="--key")
    asked |= {"key": shlex.join(key) or asked.get("key"), "prefix": prefix} if key or prefix else {}
    _answer(method, table, asked, show | {"out": file})


@main.command()
@click.argument("table")
@click.option("--keep", type=int, default=14, show_default=True, help="So many checkpoints stay, the newest.")
@_common
def checkpoint(table: str, keep: int, as_json: bool, **where: Any) -> None:
    """Keep what the log of TABLE has come to: later answers read that and the new objects only.

    \b
    Example: workbench checkpoint persons
    """
    made = _workbench(**where).checkpoint(table, keep=keep)
    told = {
        "table": made.table,
        "since": made.since.isoformat(),
        "made": made.made.isoformat(),
        "place": made.place,
        "objects": len(made.objects),
        "bytes": made.bytes,
        "unreadable": len(made.unreadable),
    }
    _say(json.dumps(told) if as_json else str(made))


@main.group()
def baseline() -> None:
    """Make exports of tables, to begin with or to reconcile with.

    \b
    Example: workbench baseline start persons
    """


@baseline.command()
@click.argument("table")
@click.option("--to", default="exports", show_default=True, metavar="FOLDER|s3://…", help="Where it goes.")
def start(table: str, to: str) -> None:
    """Export TABLE as it is now: the embedded one in the form of DynamoDB's export to S3, or by DynamoDB itself.

    \b
    Example: workbench baseline start persons --to exports
    """
    _say(_workbench().export_baseline(table, to))


@baseline.command()
@click.argument("table")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def status(table: str, as_json: bool) -> None:
    """Tell how far DynamoDB is with the exports of TABLE.

    \b
    Example: workbench baseline status persons
    """
    _print(_workbench().export_status(table), as_json)


@main.command()
@click.argument("question")
@click.argument("table")
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="May repeat.")
@click.option("--estimate", is_flag=True, help="Print what it would scan, and cost, instead.")
def sql(question: str, table: str, parameters: tuple[str, ...], estimate: bool) -> None:
    """Print the SQL of a QUESTION over TABLE, in Athena's dialect, ready to paste.

    \b
    Example: workbench sql latest_state persons -p as_of=-2d
    """
    wb = _workbench()
    _say((wb.estimate if estimate else wb.sql)(question, table, **_pairs(parameters)))


@main.group()
def table() -> None:
    """Register change logs in the Glue catalog, and show their definitions.

    \b
    Example: workbench table create persons s3://my-bucket/data/persons/
    """


@table.command()
@click.argument("name")
@click.argument("location")
@click.option("--first-year", type=int, help="The first year of the log; else that of its first object.")
def create(name: str, location: str, first_year: int | None) -> None:
    """Register the change log under LOCATION, s3://…, as the table NAME; its layout is read off its objects.

    \b
    Example: workbench table create persons s3://my-bucket/data/persons/
    """
    _say(_workbench().create_table(name, location, first_year=first_year))


@table.command()
@click.argument("name")
def show(name: str) -> None:
    """Print the statement that makes the table NAME.

    \b
    Example: workbench table show persons
    """
    _say(_workbench().table_ddl(name))


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def config(as_json: bool) -> None:
    """Show every setting, its value, and where that is from.

    \b
    Example: workbench config --json
    """
    from workbench.config import explain, find_file

    found = explain(**click.get_current_context().obj)
    if as_json:
        _print(found, True)
        return
    console = _console()
    console.print(_text(f"settings of {find_file() or 'no file: there is no workbench.toml here or above'}"))
    for row in found.to_dict("records"):
        console.print(
            Text.assemble((f"{row['setting']:17}", "bold"), plain(f"{row['value']:25}"), (plain(row["source"]), "dim"))
        )


@main.command()
@click.argument("notebook")
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="May repeat.")
@click.option("--out", default="reports", show_default=True, metavar="FOLDER", help="Where the report goes.")
@click.option("--name", help="Name of the two files; else the notebook's.")
@click.option("--timeout", type=int, default=600, show_default=True, help="Seconds a cell may take.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier report.")
@click.option("--describe", is_flag=True, help="List the notebook's parameters instead.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def report(notebook: str, parameters: tuple[str, ...], describe: bool, as_json: bool, **options: Any) -> None:
    """Run NOTEBOOK (a path, or a name in notebooks/) as a report: the executed notebook and one HTML file.

    \b
    Example: workbench report 03_change_frequency -p table=persons -p every=1d --out reports
    """
    from workbench.reports import run

    path = _notebook(notebook)
    if describe:
        listed = [vars(parameter) | {"default": str(parameter.default)} for parameter in run.describe(path)]
        _print(pd.DataFrame(listed), as_json)
        return
    made = run.run_report(path, _pairs(parameters), settings=click.get_current_context().obj, **options)
    if as_json:
        _say(json.dumps(vars(made), default=str))
    else:
        _say(f"{made.html} ({made.seconds:.1f} s)")
    if made.failed_cell:
        number, heading, why = made.failed_cell
        raise click.ClickException(f"{path.name}: cell {number} ({heading}) failed: {why}; see {made.html}")


@main.command()
@click.option("--out", default="reports", show_default=True, metavar="FOLDER", help="Where the reports go.")
@click.option("--changes", type=int, default=20_000, show_default=True, help="Changes of each table.")
def demo(out: str, changes: int) -> None:
    """Generate both tables, run the notebooks on them and say what was found.

    \b
    Example: workbench demo
    """
    from workbench.demo import run_demo
    from workbench.reports.run import shipped

    for line in run_demo(_workbench(), shipped(), out, changes=changes):
        _say(line)


def _face() -> Any:
    from workbench.workbench import Workbench  # heavy; --help does without

    return Workbench


def _workbench(
    source: str | None = None, keys: tuple[str, ...] = (), mask: tuple[str, ...] = (), **settings: Any
) -> Any:
    given = click.get_current_context().obj
    if mask:
        from workbench.config import load_settings

        mask = tuple(dict.fromkeys((*load_settings(**given).mask, *mask)))
    return _face()(source, keys=keys or None, mask=mask or None, **settings, **given)


def _answer(
    method: str,
    table: str,
    asked: Mapping[str, Any],
    show: Mapping[str, Any],
    printed: Callable[[Any], None] | None = None,
) -> Any:
    """Ask a question, and show or write the answer."""
    from workbench.log.objects import grouped
    from workbench.questions import writers

    show = dict(show)
    ours = ("source", "keys", "baseline", "log_region", "log_account", "mask", "mask_with")
    wb = _workbench(**{name: show.pop(name) for name in ours})
    out, as_json = show.pop("out"), show.pop("as_json")
    if out:  # refuse what could not be written before the question is asked, which may take long
        writers.destination(out, overwrite=show["overwrite"], sidecar=True, session=wb.session)
    result = getattr(wb, method)(table, **asked)
    if out:
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always", UserWarning)
            result.write(out, **show)
        for note in warned:
            _say(f"note: {note.message}", err=True)
    if as_json:
        _print(result.df, True)
    elif not out:
        (printed or (lambda result: _print(result.df, False)))(result)
    _say(_ago(result.summary, result.stats.newest_change) + (f" → {out}" if out else ""), err=True)
    kinds = grouped(result.stats.unreadable)
    for each in kinds[:5] + [f"and {len(kinds) - 5:,} more kinds"] * (len(kinds) > 5):
        _say(f"unreadable: {each}", err=True)
    return result


def _ago(summary: str, newest: datetime | None) -> str:
    """Say in a summary how long ago the newest change was made."""
    from workbench.model.times import now
    from workbench.text import words

    if newest is None or (age := now() - newest) < timedelta(0):
        return summary
    told = f"newest change {newest:%Y-%m-%d %H:%M:%S} UTC"
    return summary.replace(told, f"{told}, {words(age)} ago", 1)


def _typed(name: str, value: str, taken: Mapping[str, inspect.Parameter]) -> Any:
    if name not in taken or name in ("self", "table", "key"):
        names = ", ".join(each for each in taken if each not in ("self", "table", "key"))
        raise click.BadParameter(f"{name!r} is none; there are: {names}", param_hint="-p")
    kinds: Mapping[str, Any] = {"bool": click.BOOL, "int": click.INT}
    kind = kinds.get(str(taken[name].annotation).split()[0], click.STRING)
    return kind.convert(value, click.Option(["-p"]), None)


def _notebook(name: str) -> Path:
    path = Path(name)
    if path.suffix == ".ipynb" or path.exists():
        return path
    from workbench.reports import run

    own = Path("notebooks") / f"{name}.ipynb"
    return own if own.exists() else run.shipped() / own.name


def _pairs(given: tuple[str, ...]) -> Mapping[str, str]:
    for pair in given:
        if "=" not in pair:
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint="-p")
    return dict(pair.split("=", 1) for pair in given)


def _print_history(result: Any) -> None:
    from workbench.questions import timeline

    _console().print(timeline.to_text(result.df))


def _print_comparison(result: Any) -> None:
    _console().print(_text(result.verdict, style="bold"))
    if len(result.df):
        _print(result.df, False)


def _print_quality(result: Any) -> None:
    console, styles = _console(), {"ok": "green", "note": "cyan", "warning": "yellow", "failed": "red"}
    console.print(_text(result.verdict, style="bold"))
    for row in result.df.to_dict("records"):
        said = f": {row['count']:,} ({row['share']:.2%} of {row['of']})" if row["count"] and row["of"] else ""
        said = said or (f": {row['meaning']}" if not row["of"] else "")
        console.print(
            Text.assemble((f"{row['status']:8}", styles[row["status"]]), (row["finding"], "bold"), plain(said))
        )
        lines = [*[row["meaning"]] * bool(row["of"]), *row["examples"], f"→ {row['remedy']}"]
        lines = lines if row["status"] != "ok" else []
        for line in lines:
            console.print(Padding(_text(line, style="dim" if line == row["meaning"] else ""), (0, 0, 0, 8)))


def _say(text: object, *, err: bool = False) -> None:
    """Print a message, or a text of ours of several lines; what stands in it from data is shown and does not act."""
    click.echo(plain(str(text), keep="\n"), file=sys.stderr if err else sys.stdout)


def _text(text: str, style: str = "") -> Text:
    """Make a cell or a heading of a text, which may be from data."""
    return Text(plain(text), style=style)


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else 160, highlight=False)


def _print(df: pd.DataFrame, as_json: bool) -> None:
    from workbench.questions import writers

    if as_json:
        ascii_only = "utf" not in str(sys.stdout.encoding).lower()
        click.echo(plain_json(writers.to_json(df), ascii_only=ascii_only), file=sys.stdout)
        return
    console = _console()
    shown = df.head(_ROWS)
    if len(df.columns) > _COLUMNS:  # the first that hold something, and the last, which says when
        *filled, last = [name for name in df.columns if not len(df) or shown[name].notna().any()]
        shown = shown[[*filled[: _COLUMNS - 1], last]]
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in shown.columns:
        numeric = pd.api.types.is_numeric_dtype(shown[name]) and not pd.api.types.is_bool_dtype(shown[name])
        table.add_column(
            _text(str(name)),
            justify="right" if numeric else "left",
            overflow="ellipsis",
            no_wrap=len(shown.columns) > 4,
        )
    for row in zip(*(shown[name].astype(object) for name in shown.columns), strict=True):
        table.add_row(*(_text(_cell(value)) for value in row))
    console.print(table)
    rest = [count(len(df) - _ROWS, "more row")] * (len(df) > _ROWS)
    rest += [count(len(df.columns) - len(shown.columns), "more column")] * (len(shown.columns) < len(df.columns))
    if rest:
        console.print(_text(f"… {', '.join(rest)}", style="dim"))


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    if value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S%z").replace("+0000", "Z")
    if isinstance(value, frozenset):
        return "{" + ", ".join(map(_cell, sorted(value))) + "}"
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, timedelta):
        from workbench.text import words

        return words(value)
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_cell(inner)}" for name, inner in value.items()) + "}"
    return f"{value:.4g}" if isinstance(value, float) and abs(value) < 1 else str(value)
