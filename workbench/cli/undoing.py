"""The verbs that take back: `undo` plans the writes, `apply` makes them."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from workbench.cli import completing
from workbench.cli.asking import busy, items, open_workbench, print_json_text, say_applied, show, with_age
from workbench.cli.options import (
    SETTINGS,
    as_json,
    attribute_option,
    file_options,
    item_options,
    log_options,
    mask_options,
    window_options,
)
from workbench.cli.program import QUESTIONS, main, say
from workbench.model.records import EVENTS

if TYPE_CHECKING:
    from workbench.questions.undo import Undo
    from workbench.workbench import Workbench

_APPLYING = ("rate", "limit", "max_changed", "sha", "yes", "why", "journal")
_PAGE = (".html", ".htm")


def applying_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Say how a plan is applied."""
    for option in (
        click.option("--rate", type=float, metavar="UNITS", help="Write units a second, at most."),
        click.option("--limit", type=int, metavar="N", help="Only the next N writes: a canary."),
        click.option(
            "--max-changed",
            metavar="N|SHARE",
            help="Stop when more items than N, or such a share as 1%, have changed meanwhile.",
        ),
        click.option("--sha", metavar="SHA256", help="Of the plan that was reviewed; another is refused."),
        click.option("--yes", is_flag=True, help="Do not ask: it is to be written."),
        click.option("--why", metavar="TEXT", help="A reason, for the journal."),
    ):
        command = option(command)
    return command


@main.verb(QUESTIONS)
@click.argument("table", shell_complete=completing.tables)
@click.option("--to", metavar="TIME", help="Back to this instant: ISO 8601, UTC where it names no zone, or -2h.")
@window_options
@attribute_option("--where", metavar="CONDITION", help="Only changes, or with --to items, of which it holds.")
@click.option("--events", "--event", "events", multiple=True, type=click.Choice(EVENTS), help="Only this; may repeat.")
@click.option(
    "--actor-is", "--actor", "actor_is", metavar="NAME", help="Only what this one wrote; ATTRIBUTE=NAME says where."
)
@item_options
@click.option(
    "--on-conflict",
    type=click.Choice(["keep", "before", "fail"]),
    default="keep",
    show_default=True,
    help="Where a change that stays wrote after one taken back.",
)
@attribute_option("--kept", multiple=True, metavar="PATH", help="Attribute that stays as it is; may repeat.")
@attribute_option("--bump", multiple=True, metavar="PATH", help="A version: becomes one more than now; may repeat.")
@attribute_option("--delta", multiple=True, metavar="PATH", help="A counter: taken back by its difference; may repeat.")
@click.option("--ttl", metavar="HOW", help="Items that have expired: keep, drop, or +7d; ATTRIBUTE:HOW says where.")
@click.option(
    "--lists",
    type=click.Choice(["whole", "index"]),
    default="whole",
    show_default=True,
    help="As one value, or by index.",
)
@click.option("--mark", metavar="ATTRIBUTE[=TEXT]", help="Attribute that every write sets.")
@click.option("--live/--no-live", default=None, help="Whether items are read in the table itself.")
@click.option(
    "--journal", metavar="FILE", help="Take back the undo that this journal is of; with --apply, its journal."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["elements", "batch"]),
    default="elements",
    show_default=True,
    help="Of --out PLAN.jsonl; batch is unconditional.",
)
@click.option(
    "--apply", "plan", metavar="PLAN", shell_complete=completing.files, help="Apply this plan; see `workbench apply`."
)
@applying_options
@file_options
@mask_options
@log_options
def undo(table: str, plan: str | None, form: str, key: tuple[str, ...], prefix: bool, **options: Any) -> None:
    """Plan the writes that take items of TABLE back, to an instant or before some changes; nothing is written.

    --out PLAN.jsonl keeps the plan to be applied, --out PLAN.html shows it to whoever decides, and other endings are
    those of any answer.

    \b
    Example: workbench undo persons --start -1d --where "new.balance < 500" --out plan.jsonl
    """
    how = {name: options.pop(name) for name in _APPLYING if name != "journal"}
    settings = {name: options.pop(name) for name in SETTINGS if name in options}
    if plan is not None:
        _refuse_choosing(plan, table)
        applied(lambda: open_workbench(**settings), plan, {**how, "journal": options["journal"]}, options["as_json"])
        return
    if given := [name for name, value in how.items() if value]:
        raise click.UsageError(f"--{given[0].replace('_', '-')} is of --apply PLAN")
    out, as_json = options.pop("out"), options.pop("as_json")
    written = {name: options.pop(name) for name in ("overwrite", "nested", "excel")}
    asked = options | items(key, prefix)
    kind = Path(str(out or "")).suffix.lower()
    if form == "batch" and kind != ".jsonl":
        raise click.UsageError("--format is of --out PLAN.jsonl")
    if out is None or kind not in (".jsonl", *_PAGE):
        show(lambda wb: wb.undo(table, **asked), {**settings, **written, "out": out, "as_json": as_json})
        return
    with busy():
        planned = open_workbench(**settings).undo(table, **asked)
    if as_json:
        print_json_text(planned.as_json)
    else:
        planned.show()
    _keep(planned, out, kind, form, written["overwrite"])
    summary = planned.summary if as_json else planned.read
    say(with_age(summary, planned.stats.newest_change) + f" → {out}", err=True)


def _refuse_choosing(plan: str, table: str) -> None:
    """Refuse what would choose among the writes of a plan, which is applied as it is, and another table's plan."""
    from workbench.questions.undo import refuse_another_table

    context = click.get_current_context()
    taken = {"table", "plan", "as_json", *_APPLYING, *SETTINGS}
    for option in context.command.params:
        name = str(option.name)
        if name not in taken and context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{option.opts[0]} is of planning, and --apply makes all of {plan}: leave it out")
    refuse_another_table(plan, table)


def _keep(planned: Undo, out: str, kind: str, form: Any, overwrite: bool) -> None:
    """Write a plan to a file, and say what whoever applies it has to know."""
    if kind in _PAGE:
        planned.to_html(out, overwrite=overwrite)
        return
    place = planned.save(out, format=form, overwrite=overwrite)
    if form == "batch":
        say(
            f"warning: the writes in {out} are unconditional: what was changed since the plan is overwritten; "
            "leave --format out, and `workbench apply` makes them on their conditions",
            err=True,
        )
        return
    from workbench.undo.plan_file import sha_of

    say(f"its SHA-256 is {sha_of(place)}: workbench apply {out} --sha {sha_of(place)[:16]}", err=True)


@main.verb(QUESTIONS)
@click.argument("plan", shell_complete=completing.files)
@applying_options
@click.option("--journal", metavar="FILE", help="Where it is written down; else PLAN.journal.")
@click.option(
    "--source",
    "--from",
    "source",
    metavar="PATH",
    shell_complete=completing.files,
    help="The log that the plan is of; else the lake.",
)
@as_json
def apply(plan: str, source: str | None, as_json: bool, **how: Any) -> None:
    """Make the writes of a PLAN, each on its condition; again, it goes on where it was stopped.

    The exit code is 4 where some are left, or were not made since their items have changed.

    \b
    Example: workbench apply plan.jsonl --limit 10
    """
    applied(lambda: open_workbench(source), plan, how, as_json)


def applied(opened: Callable[[], Workbench], plan: str, how: Mapping[str, Any], as_json: bool) -> None:
    """Apply a plan, having asked on a terminal whether it is to be, and say what came of it."""
    wb = opened()
    if not how["yes"]:
        from workbench.questions.undo import outlook

        said = outlook(plan)
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise click.UsageError(f"{said}: look at it, and say --yes")
        from workbench.undo.plan_file import sha_of

        seen = sha_of(Path(plan))
        say(said, err=True)
        click.confirm("Write it?", abort=True, err=True)
        how = {**how, "sha": how["sha"] or seen}  # it may have been written anew while they thought about it
    with busy():
        made = wb.apply(plan, **{**how, "max_changed": share(how["max_changed"]), "yes": True})
    say_applied(made, as_json)


def share(text: str | None) -> float | None:
    """Read a number, or a share such as 1%; of all or more it is none.

    >>> share("1%"), share("20"), share("100%")
    (0.01, 20.0, None)
    """
    if text is None:
        return None
    try:
        number = float(text.removesuffix("%"))
        if not number >= 0:
            raise ValueError(text)
        if text.endswith("%"):
            return number / 100 if number < 100 else None
        return number
    except ValueError:
        raise click.BadParameter(f"{text!r} is no number, and no share like 1%", param_hint="--max-changed") from None
