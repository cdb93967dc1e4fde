"""How a verb asks: a workbench of the settings given, an answer shown or written, and what to know about it said."""

from __future__ import annotations

import json
import shlex
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from workbench.cli import completing
from workbench.cli.options import SETTINGS
from workbench.cli.program import say
from workbench.exit_codes import DISAGREES, LEFT, STOPPED, TERMINATED
from workbench.text import plain, plain_json
from workbench.vocabulary import QUESTIONS

if TYPE_CHECKING:
    from datetime import datetime

    import pandas as pd

    from workbench.questions.result import Result
    from workbench.undo.applying import Applied
    from workbench.workbench import Workbench


def open_workbench(
    source: str | None = None, keys: tuple[str, ...] = (), mask: tuple[str, ...] = (), **settings: Any
) -> Workbench:
    """Open the workbench of the options before the verb and of its own; masks add to those of the setting."""
    from workbench.workbench import Workbench

    given = click.get_current_context().obj
    if mask:
        from workbench.config import load_settings

        mask = tuple(dict.fromkeys((*load_settings(**given).mask, *mask)))
    return Workbench(source, keys=keys or None, mask=mask or None, **settings, **given)


def answer(question: str, table: str, asked: Mapping[str, Any], options: Mapping[str, Any]) -> None:
    """Ask a question, and show or write the answer; end with `DISAGREES` where that says no.

    Parameters
    ----------
    question
        Its name, as `Workbench.ask` takes it.
    asked
        Its parameters.
    options
        Those of `workbench.cli.options.result_options`.
    """
    result = show(lambda wb: wb.ask(question, table, **asked), options)
    says_no = question == "data_quality" and (result.df["status"] == "failed").any()
    if says_no or (question == "reconcile" and not getattr(result, "agrees", True)):
        sys.exit(DISAGREES)


def show(ask: Callable[[Workbench], Result], options: Mapping[str, Any]) -> Result:
    """Ask, show or write the answer, say what to know about it, and return it."""
    from workbench.log.objects import grouped
    from workbench.questions import writers
    from workbench.terminal import ROWS

    options = dict(options)
    form, vertical = options.pop("format", None), options.pop("vertical", False)
    chosen = {name: value for name in ("columns", "order", "limit") if (value := options.pop(name, None)) is not None}
    rows = options.pop("rows", None) or chosen.get("limit")
    wb = open_workbench(**{name: options.pop(name) for name in SETTINGS if name in options})
    out, as_json = options.pop("out"), options.pop("as_json")
    printed = (form or "csv") if out == "-" or (form and out is None) else None
    if printed:
        if as_json:
            raise click.UsageError("--json prints, too: leave it or --out and --format out")
        out = None
    if out is not None:  # refuse what could not be written before the question is asked, which may take long
        writers.destination(out, form, overwrite=options["overwrite"], sidecar=True, session=wb.session)
    with busy():
        answered = ask(wb)
        completing.note(wb.settings, answered)
        result = answered.select(**chosen) if chosen else answered
    if out is not None:
        with warnings.catch_warnings(record=True) as warned, busy(f"writing {out}"):
            warnings.simplefilter("always", UserWarning)
            result.write(out, form, **options)
        for note in warned:
            say(f"note: {note.message}", err=True)
    if as_json:
        print_json_text(result.as_json)
    elif printed:
        print_as(result, printed, **options)
    elif not out:
        result.show(ROWS if rows is None else rows, vertical=vertical)
    told = result.shows_notes and not (as_json or printed or out)
    summary = with_age(result.read if told else result.summary, result.stats.newest_change)
    say(summary + (f" → {out}" if out else ""), err=True)
    kinds = grouped(result.stats.unreadable)
    for each in kinds[:5] + [f"and {len(kinds) - 5:,} more kinds"] * (len(kinds) > 5):
        say(f"unreadable: {each}", err=True)
    return answered


@contextmanager
def busy(name: str = "") -> Iterator[None]:
    """Show on a terminal what a verb is doing, and for how long, while the block runs: nothing is printed in it."""
    from workbench.progress import working  # tqdm, which completion does without

    context = click.get_current_context()
    with working(name or f"{context.info_name} {context.params.get('table') or ''}".strip()):
        yield


def print_as(result: Result, kind: str, **options: Any) -> None:
    """Print all rows of an answer as a file of that kind has them; on a terminal what would act is escaped."""
    if kind in ("parquet", "xlsx") and sys.stdout.isatty():
        raise click.UsageError(f"{kind} is not for a terminal: give --out FILE, or hand it on by a pipe")
    with tempfile.TemporaryDirectory() as folder:
        with busy():
            file = result.write(Path(folder, "answer"), kind, **{**options, "overwrite": True})
        if kind in ("json", "jsonl"):
            print_json_text(Path(file).read_text("utf-8").removesuffix("\n"))
        elif sys.stdout.isatty():
            say_rows(Path(file).read_text("utf-8"))
        else:
            sys.stdout.flush()
            with Path(file).open("rb") as written:
                shutil.copyfileobj(written, sys.stdout.buffer)
            sys.stdout.buffer.flush()


def say_rows(text: str) -> None:
    """Print a text of rows and tabs; what stands in it from data is shown and does not act."""
    click.echo(plain(text, keep="\n\t"), file=sys.stdout, nl=False)


def say_applied(applied: Applied, as_json: bool) -> None:
    """Say what came of a plan; end with `LEFT` where some of it is left or was not written as planned."""
    if as_json:
        print_json_text(json.dumps(applied.as_json(), indent=2, ensure_ascii=False))
    else:
        say(applied)
    for note in applied.notes:
        say(f"note: {note}", err=True)
    for report in applied.reports:
        say(f"  {report}", err=True)
    journal, plan = (shlex.quote(str(path)) for path in (applied.journal, applied.plan_file))
    say(f"written down in {journal}: workbench undo {applied.table} --journal {journal}", err=True)
    if not applied.done:
        if applied.left:
            say(f"to go on: workbench apply {plan}", err=True)
        sys.exit({"Ctrl-C": STOPPED, "SIGTERM": TERMINATED}.get(str(applied.stopped), LEFT))


def print_table(df: pd.DataFrame, as_json: bool) -> None:
    """Print a frame, for people or for programs."""
    if as_json:
        print_json(df)
        return
    from workbench.terminal import print_frame

    print_frame(df)


def print_json(df: pd.DataFrame) -> None:
    """Print a frame as JSON, all its rows; what would act on a terminal is escaped."""
    from workbench.questions import writers

    print_json_text("".join(writers.to_json(df)))


def print_json_text(text: str) -> None:
    """Print a text of JSON; what would act on a terminal is escaped."""
    ascii_only = "utf" not in str(sys.stdout.encoding).lower()
    click.echo(plain_json(text, ascii_only=ascii_only), file=sys.stdout)


def pairs(given: tuple[str, ...]) -> dict[str, str]:
    """Read the NAME=VALUE of ``-p``."""
    for pair in given:
        if "=" not in pair:
            raise click.BadParameter(f"{pair!r} is not NAME=VALUE", param_hint="-p")
    named = [pair.partition("=")[::2] for pair in given]
    values = dict(named)
    for name, _ in named:
        if [other for other, _ in named].count(name) > 1:
            raise click.BadParameter(f"{name!r} is given twice", param_hint="-p")
    return values


def items(key: tuple[str, ...], prefix: bool) -> dict[str, Any]:
    """Return the parameters `key` and `prefix` of a question from the options ``--key`` and ``--prefix``."""
    return {"key": shlex.join(key) or None, "prefix": prefix}


def parameters_of(question: str, given: Mapping[str, str]) -> dict[str, Any]:
    """Return parameters of a question that are given as text as the types its method takes, if it has one."""
    if question not in QUESTIONS:
        return dict(given)
    import inspect

    from workbench.workbench import Workbench

    taken = {
        name: parameter
        for name, parameter in inspect.signature(getattr(Workbench, question)).parameters.items()
        if name not in ("self", "table", "key")
    }
    kinds: Mapping[str, click.ParamType[Any]] = {"bool": click.BOOL, "int": click.INT, "float": click.FLOAT}
    values = {}
    for name, value in given.items():
        if name not in taken:
            raise click.BadParameter(f"{name!r} is none; there are: {', '.join(taken)}", param_hint="-p")
        kind = kinds.get(str(taken[name].annotation).split()[0], click.STRING)
        values[name] = kind.convert(value, click.Option(["-p"]), None)
    return values


def with_age(summary: str, newest: datetime | None) -> str:
    """Say in a summary how long ago the newest change was made."""
    from datetime import timedelta

    from workbench.model.times import now
    from workbench.text import words

    if newest is None or (age := now() - newest) < timedelta(0):
        return summary
    phrase = f"newest change {newest:%Y-%m-%d %H:%M:%S} UTC"
    return summary.replace(phrase, f"{phrase}, {words(age)} ago", 1)
