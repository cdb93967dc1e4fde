"""What a log holds under a table's name: of which Region and account, with which keys, and when.

One name may stand for several tables: for those of two Regions or accounts, and for one that was removed and made again
with another key. The first are chosen among, never mixed; of the second, the one that was alive then is meant.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from workbench.errors import ParameterError, TableNotFound
from workbench.model.records import ORIGIN
from workbench.text import count


@dataclass(frozen=True)
class Part:
    """The changes of one table, Region, account and key schema."""

    table: str
    aws_region: str | None
    account_id: str | None
    keys: str
    """The key attributes and their types S, N or B, as a JSON object."""
    changes: int
    """How often one was delivered."""
    first: datetime
    last: datetime
    """UTC, without a zone."""


@dataclass(frozen=True)
class Schema:
    """A key, and from when to when changes carry it."""

    types: Mapping[str, str]
    """The key attributes and their types S, N or B."""
    first: datetime
    last: datetime

    @property
    def called(self) -> str:
        """The key in words for people."""
        return ", ".join(f"{name} ({kind})" for name, kind in self.types.items())


@dataclass(frozen=True)
class Table:
    """The one table a question is about, of all that have its name."""

    origin: Mapping[str, str]
    """Values that its changes have in aws_region and account_id, where others have others."""
    parts: tuple[Part, ...]
    notes: tuple[str, ...]
    place: Mapping[str, str] = field(default_factory=dict)
    """Its aws_region and account_id, where they are known or chosen."""

    @property
    def schemas(self) -> list[Schema]:
        """The keys it has had, the newest first."""
        schemas: dict[str, Schema] = {}
        for part in self.parts:
            schema = schemas.get(part.keys, Schema(json.loads(part.keys), part.first, part.last))
            schemas[part.keys] = replace(schema, first=min(schema.first, part.first), last=max(schema.last, part.last))
        return [schemas[keys] for keys in sorted(schemas, key=lambda keys: (schemas[keys].last, keys), reverse=True)]


def merged(parts: Iterable[Part]) -> tuple[Part, ...]:
    """Add up the parts of one table, Region, account and key.

    >>> noon = datetime(2026, 11, 18, 12)
    >>> part = Part("persons", "eu-central-1", None, '{"pk":"S"}', 3, noon, noon)
    >>> [each.changes for each in merged([part, part])]
    [6]
    """
    totals: dict[tuple[str | None, ...], Part] = {}
    for part in parts:
        name = part.table, part.aws_region, part.account_id, part.keys
        other = totals.get(name, replace(part, changes=0))
        totals[name] = replace(
            part,
            changes=part.changes + other.changes,
            first=min(part.first, other.first),
            last=max(part.last, other.last),
        )
    return tuple(totals.values())


def choice(region: str | None, account: str | None) -> str:
    """Return words for what the settings choose, for what is kept of one and must not be taken for another's.

    >>> choice("eu-central-1", None)
    ' log_region=eu-central-1'
    """
    given = {"log_region": region, "log_account": account}
    return "".join(f" {setting}={value}" for setting, value in given.items() if value)


def placing(parts: Sequence[Part]) -> Callable[[Part], tuple[str | None, str | None]]:
    """Return the function that gives a part's Region and account, the parts of one table being known.

    Changes that do not tell theirs count as of the only one that others tell.
    """
    named = [{value for part in parts if (value := getattr(part, column)) is not None} for column in ORIGIN]
    region, account = (next(iter(values)) if len(values) == 1 else None for values in named)
    return lambda part: (part.aws_region or region, part.account_id or account)


def one_table(
    parts: Sequence[Part],
    table: str,
    region: str | None,
    account: str | None,
    *,
    whole: bool = True,
    counted: bool = True,
) -> Table:
    """Choose the table that a name, and where need be a Region and an account, stand for.

    Older envelopes do not tell their Region: they count as of the only one that others tell. Where not the `whole` log
    was looked into, there may be changes of the Region or account chosen elsewhere; where not all were `counted`, there
    are more.

    Raises
    ------
    ParameterError
        Where several are left; the message names them, and the settings that choose.
    TableNotFound
        Where there is none of that Region or account.

    >>> noon = datetime(2026, 11, 18, 12)
    >>> parts = [Part("persons", "eu-central-1", None, '{"pk":"S"}', 3, noon, noon)]
    >>> one_table(parts, "persons", None, None).schemas[0].called
    'pk (S)'
    """
    origin: dict[str, str] = {}
    place: dict[str, str] = {}
    notes: list[str] = []
    least = "" if counted else "at least "
    for column, chosen, called, setting in (
        ("aws_region", region, "Region", "log_region"),
        ("account_id", account, "account", "log_account"),
    ):
        named = sorted({value for part in parts if (value := getattr(part, column)) is not None})
        silent = sum(part.changes for part in parts if getattr(part, column) is None)
        if only := chosen or (named[0] if len(named) == 1 else None):
            place[column] = only
        if chosen and not whole and chosen not in named:
            origin[column], parts = chosen, ()
            continue
        if chosen and not named:
            notes += [f"{setting}={chosen} chooses nothing: the log does not tell {called}s"] if parts else []
            continue
        if chosen and chosen not in named:
            raise TableNotFound(
                f"the log holds no changes of {table!r} of the {called} {chosen}, but of: {', '.join(named)}"
            )
        if len(named) > 1 and not chosen:
            each = (
                f"{value} ({least}{_counted_span([part for part in parts if getattr(part, column) == value])})"
                for value in named
            )
            raise ParameterError(
                f"{table!r} is a table of {len(named)} {called}s in this log: {', '.join(each)}; "
                f"choose one by --{setting.replace('_', '-')} ({setting}=)"
            )
        if silent and len(named) == 1:
            notes.append(f"{least}{count(silent, 'change')} of unknown {called}, taken to be of {named[0]}")
        elif silent and named:
            notes.append(f"left out: {least}{count(silent, 'change')} of unknown {called}")
        if chosen and (len(named) > 1 or not silent):
            origin[column] = chosen
            parts = [part for part in parts if getattr(part, column) == chosen]
    # One stream of several tables has a folder for Orders-EU and orders_eu alike: `workbench.model.records.log_name`.
    if len(tables := sorted({part.table for part in parts if part.table})) > 1:
        mixed = ", ".join(tables)
        notes.append(f"changes of {len(tables)} tables are read as those of one ({mixed}): set table_names for each")
    chosen_table = Table(origin, tuple(parts), tuple(notes), place)
    _refuse_interleaved(chosen_table.schemas, table)
    return chosen_table


def alive_at(schemas: Sequence[Schema], at: datetime | None) -> Schema:
    """Return the key of the table that was there at an instant; `schemas` are newest first.

    >>> noon = datetime(2026, 11, 18, 12)
    >>> alive_at([Schema({"id": "N"}, noon, noon), Schema({"pk": "S"}, noon - noon.resolution, noon)], None).types
    {'id': 'N'}
    """
    moment = at.astimezone(UTC).replace(tzinfo=None) if at else None
    return next((each for each in schemas if moment is None or each.first <= moment), schemas[-1])


def remade(schemas: Sequence[Schema]) -> list[str]:
    """Say of a table that it was made again with another key, newest first; nothing of one that was not.

    >>> noon = datetime(2026, 11, 18, 12)
    >>> remade([Schema({"pk": "S"}, noon, noon)])
    []
    """
    if len(schemas) < 2:
        return []
    newest, *older = schemas
    return [
        f"made again with another key: {newest.called} since {_shown_time(newest.first)}",
        *(f"before, {each.called} from {_shown_time(each.first)} to {_shown_time(each.last)}" for each in older),
    ]


def _refuse_interleaved(schemas: Sequence[Schema], table: str) -> None:
    before: Schema | None = None
    for each in sorted(schemas, key=lambda schema: schema.first):
        if before and each.first <= before.last:
            named = (f"{one.called} from {_shown_time(one.first)} to {_shown_time(one.last)}" for one in (before, each))
            raise ParameterError(
                f"{table!r} has changes of two keys at the same time, so of two tables: "
                f"{' and '.join(named)}; give the folder of one by --source (source=)"
            )
        before = each


def _counted_span(parts: Sequence[Part]) -> str:
    count = sum(part.changes for part in parts)
    first, last = min(each.first for each in parts), max(each.last for each in parts)
    return f"{count:,} from {_shown_time(first)} to {_shown_time(last)}"


def _shown_time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S}"
