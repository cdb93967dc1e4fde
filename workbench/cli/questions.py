"""The verbs that ask: each question of `Workbench` under its name, and `export` and `sql` of any."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING, Any, BinaryIO

import click
from click.shell_completion import CompletionItem

from workbench.cli import completing
from workbench.cli.asking import answer, busy, items, open_workbench, pairs, parameters_of, show
from workbench.cli.options import (
    SETTINGS,
    answer_options,
    attribute_option,
    item_options,
    parameters,
    result_options,
    window_options,
)
from workbench.cli.program import QUESTIONS, main, say
from workbench.errors import did_you_mean
from workbench.model.records import EVENTS
from workbench.vocabulary import ALIASES, COUNTED_BY, question_name
from workbench.vocabulary import QUESTIONS as QUESTION_NAMES

if TYPE_CHECKING:
    from workbench.questions.result import Result
    from workbench.workbench import Workbench


class Instants(click.Command):
    """A command whose arguments may be instants like -2d, which are no options."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments, those that begin with a minus and a digit as values."""
        try:
            return super().parse_args(ctx, [f" {each}" if re.match(r"-\d", each) else each for each in args])
        except click.UsageError as error:
            raise click.UsageError(re.sub(r"(?<=[(,']) (?=-\d)", "", error.message), error.ctx) from error


@main.verb(QUESTIONS)
@click.argument("table", shell_complete=completing.tables)
@click.option("--as-of", metavar="TIME", help="An instant: ISO 8601, UTC where it names no zone, -7d or yesterday.")
@click.option("--include-deleted", is_flag=True, help="Show items that are gone too, with when.")
@attribute_option("--where", metavar="CONDITION", help='Only items of which it holds: "person.age > 40".')
@result_options
def latest_state(table: str, as_of: str | None, include_deleted: bool, where: str | None, **options: Any) -> None:
    """Show what is in TABLE, or what was in it at an instant.

    \b
    Example: workbench latest_state persons --as-of -2d --out persons.parquet
    """
    answer("latest_state", table, {"as_of": as_of, "include_deleted": include_deleted, "where": where}, options)


@main.verb(QUESTIONS)
@click.argument("table", shell_complete=completing.tables)
@click.option(
    "--key",
    multiple=True,
    metavar="NAME=VALUE",
    shell_complete=completing.keys,
    help="The item's key; once for each attribute of it.",
)
@click.option("--as-of", metavar="TIME", help="An instant: ISO 8601, UTC where it names no zone, -7d or yesterday.")
@result_options
def get(table: str, key: tuple[str, ...], as_of: str | None, **options: Any) -> None:
    """Show one item of TABLE as it is or was; without --key, the one that changed most.

    \b
    Example: workbench get persons --key pk=p-000003 --as-of -2d
    """
    answer("get", table, {"key": items(key, False)["key"], "as_of": as_of}, options)


@main.verb(QUESTIONS, cls=Instants)
@click.argument("table", shell_complete=completing.tables)
@click.argument("older_than")
@attribute_option("--where", metavar="CONDITION", help="Only items of which it holds.")
@result_options
def stale(table: str, older_than: str, where: str | None, **options: Any) -> None:
    """Show the items of TABLE that have not changed since OLDER_THAN, an instant or a length of time such as 365d.

    \b
    Example: workbench stale persons yesterday --where "active = true"
    """
    answer("stale", table, {"older_than": older_than, "where": where}, options)


@main.verb(QUESTIONS)
@click.argument("table", shell_complete=completing.tables)
@window_options
@click.option("--events", "--event", "events", multiple=True, type=click.Choice(EVENTS), help="Only this; may repeat.")
@attribute_option("--where", metavar="CONDITION", help="Only changes of which it holds, for either image.")
@click.option("--limit", type=int, help="Only the newest so many.")
@item_options
@answer_options
def changes(
    table: str,
    start: str | None,
    end: str | None,
    events: tuple[str, ...],
    where: str | None,
    limit: int | None,
    key: tuple[str, ...],
    prefix: bool,
    **options: Any,
) -> None:
    """List the changes of TABLE in a window of time.

    \b
    Example: workbench changes heartrate --events MODIFY --where "HeartRate > 120 and old.HeartRate <= 120"
    """
    asked = {"start": start, "end": end, "events": events, "where": where} | items(key, prefix)
    printed = not (options["as_json"] or options["out"] or options["format"])

    def ask(wb: Workbench) -> Result:
        from workbench.terminal import ROWS

        few = printed and not (options["columns"] or wb.settings.mask)  # which are matched with the columns of all
        newest = limit if limit is not None else ROWS if few else None
        return wb.changes(table, **asked, limit=None if options["order"] == "oldest" else newest)

    show(ask, options | ({"limit": limit} if options["order"] == "oldest" else {"rows": limit}))


@main.verb(QUESTIONS)
@click.argument("table", shell_complete=completing.tables)
@item_options
@window_options
@click.option("--as-of", metavar="TIME", help="From the changes until then: what held then has no end.")
@attribute_option("--where", metavar="CONDITION", help="Only states of which it holds.")
@click.option(
    "--names",
    type=click.Choice(["workbench", "dbt"]),
    default="workbench",
    show_default=True,
    help="How columns beside attributes are called.",
)
@result_options
def versions(
    table: str,
    key: tuple[str, ...],
    prefix: bool,
    start: str | None,
    end: str | None,
    as_of: str | None,
    where: str | None,
    names: str,
    **options: Any,
) -> None:
    """Show every state that items of TABLE were in, from when to when.

    \b
    Example: workbench versions persons --names dbt --out persons_snapshot.parquet
    """
    asked = {"start": start, "end": end, "as_of": as_of, "where": where, "names": names}
    answer("versions", table, asked | items(key, prefix), options)


@main.verb(QUESTIONS)
@click.argument("table", shell_complete=completing.tables)
@item_options
@window_options
@result_options
def item_history(
    table: str, key: tuple[str, ...], prefix: bool, start: str | None, end: str | None, **options: Any
) -> None:
    """Tell what happened to items of TABLE, attribute by attribute; without --key, to the one that changed most.

    \b
    Example: workbench item_history persons --key pk=p-000003
    """
    answer("item_history", table, items(key, prefix) | {"start": start, "end": end}, options)


@main.verb(QUESTIONS, cls=Instants)
@click.argument("table", shell_complete=completing.tables)
@click.argument("before")
@click.argument("after", required=False)
@item_options
@click.option(
    "--against",
    metavar="TABLE",
    shell_complete=completing.tables,
    help="Another table, at AFTER or at the same instant; else TABLE itself.",
)
@click.option("--against-source", metavar="PATH", help="The other table's log: a folder, or a workbench.toml.")
@click.option(
    "--key-map",
    "--map",
    "key_map",
    multiple=True,
    metavar="NAME=OTHER",
    help="A key attribute and what the other table calls it; may repeat.",
)
@result_options
def diff(
    table: str,
    before: str,
    after: str | None,
    key: tuple[str, ...],
    prefix: bool,
    against: str | None,
    against_source: str | None,
    key_map: tuple[str, ...],
    **options: Any,
) -> None:
    """Compare TABLE, or items of it, at two instants: BEFORE, and AFTER or now; or with another table.

    \b
    Example: workbench diff persons -2d --out diff.xlsx
    """
    asked = {"before": before, "after": after, "against": against, "against_source": against_source}
    answer("diff", table, asked | {"key_map": shlex.join(key_map) or None} | items(key, prefix), options)


@main.verb(QUESTIONS)
@click.argument("table", shell_complete=completing.tables)
@click.option("--every", help="1min 5min 15min 30min 1h 3h 6h 12h 1d 1w 1mo; by event 1h where not given.")
@window_options
@click.option(
    "--by",
    type=click.Choice(COUNTED_BY),
    default="event",
    show_default=True,
    help="Over time, by attribute, the most changed items, how unequal, how long in between.",
)
@click.option("--timezone", default="UTC", show_default=True, help="Zone of buckets and window, like Europe/Berlin.")
@click.option("--limit", type=int, help="With --by key, so many items (20 where not given); else rows.")
@answer_options
def change_frequency(
    table: str,
    every: str | None,
    start: str | None,
    end: str | None,
    by: str,
    timezone: str,
    limit: int | None,
    **options: Any,
) -> None:
    """Count the changes of TABLE over time, by attribute or by item.

    \b
    Example: workbench change_frequency persons --every 1d --timezone Europe/Berlin
    """
    asked = {"every": every, "start": start, "end": end, "by": by, "timezone": timezone}
    by_key = {"limit": 20 if limit is None else limit} if by == "key" else {}
    shown = {"rows": limit} if by == "key" else {"limit": limit}
    answer("change_frequency", table, asked | by_key, options | shown)


@main.verb(QUESTIONS)
@click.argument("table", shell_complete=completing.tables)
@click.argument("path", shell_complete=completing.attributes)
@window_options
@click.option(
    "--limit",
    type=int,
    default=10,
    show_default=True,
    help="Of the items at each value, so many that are there longest.",
)
@answer_options
def transitions(table: str, path: str, start: str | None, end: str | None, limit: int, **options: Any) -> None:
    """Tell between which values the attribute at PATH moves in TABLE, how long it stays, and which items are where.

    \b
    Example: workbench transitions orders status --start -30d
    """
    answer("transitions", table, {"path": path, "start": start, "end": end, "limit": limit}, options)


@main.verb(QUESTIONS)
@click.argument("table", shell_complete=completing.tables)
@click.argument("aggregate")
@click.option("--every", default="1d", show_default=True, help="1min 5min 15min 30min 1h 3h 6h 12h 1d 1w 1mo.")
@attribute_option("--by", metavar="PATH", help="An attribute that items are grouped by, as it is at that time.")
@attribute_option("--where", metavar="CONDITION", help="Only items of which it holds at that time, in SQL.")
@window_options
@click.option("--timezone", default="UTC", show_default=True, help="Zone of buckets and window, like Europe/Berlin.")
@result_options
def trend(
    table: str,
    aggregate: str,
    every: str,
    by: str | None,
    where: str | None,
    start: str | None,
    end: str | None,
    timezone: str,
    **options: Any,
) -> None:
    """Tell what an AGGREGATE over the items of TABLE is at the end of every bucket of time: "sum(balance)".

    \b
    Example: workbench trend persons "sum(balance)" --every 1w --by person.address.city
    """
    asked = {"aggregate": aggregate, "every": every, "by": by, "where": where}
    answer("trend", table, asked | {"start": start, "end": end, "timezone": timezone}, options)


@main.verb(QUESTIONS)
@click.argument("table", shell_complete=completing.tables)
@attribute_option("--by", metavar="EXPRESSION", help="What groups lives, by their first state: an attribute.")
@window_options
@click.option("--timezone", default="UTC", show_default=True, help="Zone of months and window, like Europe/Berlin.")
@result_options
def lifetimes(table: str, by: str | None, start: str | None, end: str | None, timezone: str, **options: Any) -> None:
    """Tell how long items of TABLE live: median, and how many still do, TTL told apart.

    \b
    Example: workbench lifetimes orders --by status
    """
    answer("lifetimes", table, {"by": by, "start": start, "end": end, "timezone": timezone}, options)


@main.verb(QUESTIONS)
@click.argument("table", shell_complete=completing.tables)
@attribute_option("--paths", "--path", "paths", multiple=True, metavar="PATH", help="Only this attribute; may repeat.")
@click.option(
    "--as-of", metavar="TIME", help="An instant: ISO 8601, UTC where it names no zone, -7d or yesterday; else now."
)
@click.option("--against", metavar="TIME", help="Another instant, that it is compared with.")
@click.option("--limit", type=int, default=5, show_default=True, help="Frequent values of each attribute.")
@answer_options
def profile(
    table: str, paths: tuple[str, ...], as_of: str | None, against: str | None, limit: int, **options: Any
) -> None:
    """Tell how the values of each attribute of TABLE are distributed, and what moved most since another instant.

    \b
    Example: workbench profile persons --against -30d
    """
    answer("profile", table, {"paths": paths, "as_of": as_of, "against": against, "limit": limit}, options)


@main.verb(QUESTIONS)
@click.argument("table", shell_complete=completing.tables)
@window_options
@click.option("--late-arrival", default="24h", show_default=True, help="How late changes may arrive.")
@click.option("--max-age", metavar="LENGTH", help="How old the newest change may be, like 1h; an older log fails.")
@result_options
def data_quality(
    table: str, start: str | None, end: str | None, late_arrival: str, max_age: str | None, **options: Any
) -> None:
    """Tell whether the log of TABLE can be trusted; the exit code is 3 where it is not complete, or too old.

    \b
    Example: workbench data_quality persons --late-arrival 6h
    """
    asked = {"start": start, "end": end, "late_arrival": late_arrival, "max_age": max_age}
    answer("data_quality", table, asked, options)


@main.verb(QUESTIONS)
@click.argument("table", shell_complete=completing.tables)
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
@result_options
def reconcile(
    table: str, against: str, lag: str, wait: bool, segments: int, rate: float | None, **options: Any
) -> None:
    """Compare what the log of TABLE leads to with the table itself; the exit code is 3 where they do not agree.

    \b
    Example: workbench reconcile persons --against exports
    """
    asked = {"against": against, "lag": lag, "wait": wait, "segments": segments, "rate": rate}
    answer("reconcile", table, asked, options)


class Commented(click.Command):
    """A command whose argument is SQL, which may begin with a comment, that is no option."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments: what has a space where an option has its name is a value."""
        return super().parse_args(ctx, [f" {each}" if re.match(r"--[^=]*\s", each) else each for each in args])


@main.verb(QUESTIONS, cls=Commented)
@click.argument("select", metavar="[SQL]", required=False)
@click.option("--file", type=click.File("rb"), metavar="Q.sql", help="The query, or - for standard input.")
@parameters
@click.option("--estimate", is_flag=True, help="Print what it would read, and cost, instead.")
@result_options
def query(
    select: str | None, file: BinaryIO | None, parameters: tuple[str, ...], estimate: bool, **options: Any
) -> None:
    """Ask the tables themselves by one SELECT, now, then and over time.

    \b
    Example: workbench query "select active, count(*) from persons for timestamp as of :day group by active" -p day=-2d
    """
    if (select is None) == (file is None):
        raise click.UsageError("give a query, as SQL or by --file")
    from workbench.sql.query.source_text import Written

    try:
        text = file.read().decode("utf-8") if file else str(select)
    except UnicodeDecodeError as error:
        raise click.BadParameter(f"it is no text in UTF-8 (at byte {error.start})", param_hint="--file") from None
    given = {name: Written(value) for name, value in pairs(parameters).items()}
    if estimate:
        with busy("estimate"):
            estimated = open_workbench(**{name: options[name] for name in SETTINGS}).estimate_query(text, **given)
        say(estimated)
    else:
        show(lambda wb: wb.query(text, **given), options)


class QuestionName(click.ParamType[str]):
    """The name of a question: of a method, also a shorter one, or of a `.sql` file."""

    name = "question"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the question's own name, or say which there are."""
        if (name := question_name(value)) in QUESTION_NAMES:
            return name
        from workbench.sql.questions import questions

        if name in (files := questions()):
            return name
        known = sorted({*QUESTION_NAMES, *ALIASES, *files})
        message = f"{value!r} is none; there are: {', '.join(known)}.{did_you_mean(value, known)}"
        raise click.BadParameter(message, ctx, param)

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Name the questions that begin so."""
        return completing.questions(ctx, param, incomplete)


@main.verb(QUESTIONS)
@click.argument("question", type=QuestionName())
@click.argument("table", shell_complete=completing.tables)
@parameters
@item_options
@result_options
def ask(
    question: str, table: str, parameters: tuple[str, ...], key: tuple[str, ...], prefix: bool, **options: Any
) -> None:
    """Ask a QUESTION about TABLE by its name, also one that has no verb of its own, such as hot_keys.

    \b
    Example: workbench ask hot_keys persons -p limit=5
    """
    answer(question, table, _asked(question, parameters, key, prefix), options)


@main.verb(QUESTIONS)
@click.argument("question", type=QuestionName())
@click.argument("table", shell_complete=completing.tables)
@click.argument("file", shell_complete=completing.files)
@parameters
@item_options
@result_options
def export(
    question: str,
    table: str,
    file: str,
    parameters: tuple[str, ...],
    key: tuple[str, ...],
    prefix: bool,
    **options: Any,
) -> None:
    """Write the answer to a QUESTION about TABLE to FILE (.parquet .csv .tsv .xlsx .json .jsonl), its origin beside it.

    \b
    Example: workbench export latest_state persons persons.xlsx -p as_of=-2d --mask person.email --overwrite
    """
    if options["out"] is not None:
        raise click.UsageError("export writes to FILE: leave --out out")
    asked = _asked(question, parameters, key, prefix)
    answer(question, table, asked, options | {"out": file})


def _asked(question: str, parameters: tuple[str, ...], key: tuple[str, ...], prefix: bool) -> dict[str, Any]:
    """Return the parameters of a question: those of ``-p``, and which items."""
    asked = parameters_of(question, pairs(parameters))
    if not key and not prefix:
        return asked
    if question == "get" and not prefix:
        return asked | {"key": items(key, prefix)["key"]}
    if question not in ("changes", "versions", "item_history", "diff"):
        raise click.BadParameter(f"{question} is asked of all items", param_hint="--key")
    return asked | items(key, prefix)


@main.verb(QUESTIONS)
@click.argument("question", shell_complete=completing.questions)
@click.argument("table", shell_complete=completing.tables)
@parameters
@click.option("--estimate", is_flag=True, help="Print what it would scan, and cost, instead.")
def sql(question: str, table: str, parameters: tuple[str, ...], estimate: bool) -> None:
    """Print the SQL of a QUESTION over TABLE, in Athena's dialect, ready to paste.

    \b
    Example: workbench sql latest_state persons -p as_of=-2d
    """
    wb = open_workbench()
    with busy():
        text = (wb.estimate if estimate else wb.sql)(question, table, **pairs(parameters))
    say(text)
