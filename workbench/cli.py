"""The command line: parsing and printing only; one verb a public function."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import click
import pandas as pd
from rich.console import Console
from rich.table import Table
from rich.text import Text

from workbench.errors import RecordRefused, WorkbenchError
from workbench.result import Result

_ROWS = 20  # shown on a terminal; --out and --json give all
_COLUMNS = 8


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (WorkbenchError, RecordRefused, OSError) as error:
            if isinstance(error, BrokenPipeError):  # the reader of a pipe has seen enough: click ends quietly
                raise
            if ctx.params.get("debug"):
                raise
            raise click.ClickException(" ".join(str(error).split())) from error


def _common(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--from", "source", metavar="PATH", help="Folder, file or glob of change logs; else the lake."),
        click.option("--key", "keys", multiple=True, metavar="NAME", help="Key attribute of a flat log; may repeat."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs."),
    ):
        command = option(command)
    return command


def _result_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--out", metavar="FILE", help="Write all rows to FILE.(parquet|csv|xlsx|json)."),
        click.option("--overwrite", is_flag=True, help="Replace FILE where it exists."),
    ):
        command = option(command)
    return _common(command)


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--debug", is_flag=True, help="Show the traceback of an error.")
@click.version_option(package_name="workbench")
def main(debug: bool) -> None:
    """Ask a DynamoDB table's change log: what is in it, what was in it, what changes and how often."""


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
def tables(source: str | None, keys: tuple[str, ...], as_json: bool) -> None:
    """List the tables there are.

    \b
    Example: workbench tables --from ~/synced-bucket/data
    """
    _print(_workbench(source, keys).tables(), as_json)


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
@click.option("--layout", type=click.Choice(["envelope", "parquet", "raw"]), default="envelope", show_default=True,
              help="Form of the delivered objects.")  # fmt: skip
@click.option("--replace", is_flag=True, help="Make the table anew.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")
def generate(dataset: str, start: str | None, end: str | None, as_json: bool, **options: Any) -> None:
    """Make a realistic table (persons or heartrate) and its change log in the lake.

    \b
    Example: workbench generate persons --items 2000 --changes 20000 --seed 7
    """
    from workbench.workbench import instant

    span = {"start": instant(start) if start else None, "end": instant(end) if end else None}
    made = _workbench().generate(dataset, **options, **span)
    if as_json:
        click.echo(json.dumps(vars(made)))
        return
    how = "kept as it was, made before with" if made.kept else f"made in {made.seconds:.1f} s:"
    click.echo(f"{made.table}: {how} {made.changes:,} changes of {made.items:,} items, {made.deliveries:,} deliveries "
               f"in {made.objects:,} objects")  # fmt: skip


@main.command()
@click.argument("table")
@click.option("--as-of", metavar="TIME", help="An instant, ISO 8601, UTC where it names no zone.")
@click.option("--include-deleted", is_flag=True, help="Show items that are gone too, with when.")
@_result_options
def latest(table: str, as_of: str | None, include_deleted: bool, source: str | None, keys: tuple[str, ...],
           **show: Any) -> None:  # fmt: skip
    """Show what is in TABLE, or what was in it at an instant.

    \b
    Example: workbench latest persons --as-of 2026-11-18T12:00Z --out persons.parquet
    """
    _checked(**show)
    _show(_workbench(source, keys).latest_state(table, as_of=as_of, include_deleted=include_deleted), **show)


@main.command()
@click.argument("table")
@click.option("--every", default="1h", show_default=True, help="1min 5min 15min 30min 1h 3h 6h 12h 1d 1w 1mo.")
@click.option("--start", metavar="TIME", help="Changes from here on.")
@click.option("--end", metavar="TIME", help="Changes before.")
@click.option("--by", type=click.Choice(["event", "key"]), default="event", show_default=True,
              help="Over time, or the most changed items.")  # fmt: skip
@click.option("--timezone", default="UTC", show_default=True, help="Zone of the buckets, like Europe/Berlin.")
@click.option("--limit", type=int, default=20, show_default=True, help="Items, with --by key.")
@_result_options
def frequency(table: str, source: str | None, keys: tuple[str, ...], as_json: bool, out: str | None, overwrite: bool,
              **asked: Any) -> None:  # fmt: skip
    """Count the changes of TABLE over time, or by item.

    \b
    Example: workbench frequency persons --every 1d --timezone Europe/Berlin
    """
    _checked(out=out, overwrite=overwrite)
    _show(
        _workbench(source, keys).change_frequency(table, **asked),
        out=out,
        overwrite=overwrite,
        as_json=as_json,
    )


@main.command()
@click.argument("question")
@click.argument("table")
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="NAME=VALUE", help="May repeat.")
def sql(question: str, table: str, parameters: tuple[str, ...]) -> None:
    """Print the SQL of a QUESTION over TABLE, in Athena's dialect, ready to paste.

    \b
    Example: workbench sql latest_state persons -p as_of=2026-11-18T12:00Z
    """
    click.echo(_workbench().sql(question, table, **_pairs(parameters)))


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
    from workbench import reports

    path = _notebook(notebook)
    if describe:
        listed = [vars(parameter) | {"default": str(parameter.default)} for parameter in reports.describe(path)]
        _print(pd.DataFrame(listed), as_json)
        return
    made = reports.run_report(path, _pairs(parameters), **options)
    if as_json:
        click.echo(json.dumps(vars(made), default=str))
    else:
        click.echo(f"{made.html} ({made.seconds:.1f} s)")
    if made.failed_cell:
        number, heading, why = made.failed_cell
        raise click.ClickException(f"{path.name}: cell {number} ({heading}) failed: {why}; see {made.html}")


@main.command()
@click.option("--out", default="reports", show_default=True, metavar="FOLDER", help="Where the reports go.")
@click.option("--changes", type=int, default=20_000, show_default=True, help="Changes of each table.")
def demo(out: str, changes: int) -> None:
    """Generate both tables, run the four notebooks on them and say what was found.

    \b
    Example: workbench demo
    """
    from workbench.demo import run_demo

    for line in run_demo(_workbench(), Path("notebooks"), Path(out), changes=changes):
        click.echo(line)


def _workbench(source: str | None = None, keys: tuple[str, ...] = ()) -> Any:
    from workbench.workbench import Workbench  # heavy; --help does without

    return Workbench(source, keys=keys or None)


def _notebook(name: str) -> Path:
    path = Path(name)
    return path if path.suffix == ".ipynb" or path.exists() else Path("notebooks") / f"{name}.ipynb"


def _pairs(given: tuple[str, ...]) -> Mapping[str, str]:
    for pair in given:
        if "=" not in pair:
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint="-p")
    return dict(pair.split("=", 1) for pair in given)


def _checked(*, out: str | None, overwrite: bool, **_: Any) -> None:
    """Refuse a file that could not be written before the question is asked, which may take long."""
    from workbench import export

    if out:
        export.destination(out, overwrite=overwrite)


def _show(result: Result, *, out: str | None, overwrite: bool, as_json: bool) -> None:
    from workbench import export

    if out:
        export.write(result.df, out, overwrite=overwrite)
    if as_json:
        _print(result.df, True)
    elif not out:
        _print(result.df, False)
    click.echo(result.summary + (f" → {out}" if out else ""), err=True)
    for found in result.stats.unreadable[:5]:
        place = f"{found.object}:{found.line}" if found.line else found.object
        click.echo(f"unreadable: {place}: {found.reason}", err=True)
    if (more := len(result.stats.unreadable) - 5) > 0:
        click.echo(f"unreadable: and {more:,} more lines", err=True)


def _print(df: pd.DataFrame, as_json: bool) -> None:
    from workbench import export

    if as_json:
        click.echo(export.to_json(df))
        return
    console = Console(width=None if sys.stdout.isatty() else 160)
    shown = df.head(_ROWS)
    if len(df.columns) > _COLUMNS:  # the first that hold something, and the last, which says when
        *filled, last = [name for name in df.columns if not len(df) or shown[name].notna().any()]
        shown = shown[[*filled[: _COLUMNS - 1], last]]
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name in shown.columns:
        numeric = pd.api.types.is_numeric_dtype(shown[name]) and not pd.api.types.is_bool_dtype(shown[name])
        table.add_column(Text(str(name)), justify="right" if numeric else "left", overflow="ellipsis",
                         no_wrap=len(shown.columns) > 4)  # fmt: skip
    for row in zip(*(shown[name].astype(object) for name in shown.columns), strict=True):
        table.add_row(*(Text(_cell(value)) for value in row))
    console.print(table)
    rest = [f"{len(df) - _ROWS:,} more rows"] * (len(df) > _ROWS)
    rest += [f"{len(df.columns) - len(shown.columns)} more columns"] * (len(shown.columns) < len(df.columns))
    if rest:
        console.print(Text(f"… {', '.join(rest)}", style="dim"))


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    if value is pd.NA or value is pd.NaT or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S%z").replace("+0000", "Z")
    if isinstance(value, frozenset):
        return "{" + ", ".join(map(str, sorted(value))) + "}"
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    return f"{value:.4g}" if isinstance(value, float) and abs(value) < 1 else str(value)
