"""The plan of an undo for people: on a terminal, in a notebook, and as a page for whoever decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pandas as pd
from rich.console import Group, RenderableType
from rich.text import Text

from workbench.errors import ParameterError
from workbench.questions.html import fragment
from workbench.questions.timeline import shown_value
from workbench.terminal import printable
from workbench.text import count, moment, plain

if TYPE_CHECKING:
    from workbench.questions.undo import Undo

ROWS = 20
_FOLD = 8
_COLOURS = {
    "put back": "green",
    "update": "yellow",
    "delete": "red",
    "conflict": "red",
    "unknown": "cyan",
    "gone": "dim",
    "unchanged": "dim",
}
_CLASSES = {
    "put back": "insert",
    "update": "modify",
    "delete": "remove",
    "conflict": "failed",
    "unknown": "baseline",
}
_SHOWN_FIRST = ("conflict", "unknown", "delete", "put back", "update", "gone", "unchanged")


@dataclass(frozen=True)
class _Attribute:
    path: str
    now: str
    after: str
    before: str
    """Of a conflict: what there was before, and what was wrong."""
    bad: str


@dataclass(frozen=True)
class _Item:
    key: str
    action: str
    colour: str
    kind: str
    note: str
    attributes: list[_Attribute]


def to_text(undo: Undo, *, limit: int = ROWS) -> Group:
    """Return the plan for a terminal: an item with what changes of it, ``balance 672 → 288``."""
    lines: list[RenderableType] = []
    for item in _items(undo, limit):
        lines.append(Text.assemble((f"{item.action:10}", f"bold {item.colour}"), (item.key, "bold"), *_dim(item.note)))
        for each in item.attributes[:_FOLD]:
            lines.append(Text(f"          {_in_words(each)}", overflow="fold"))
        if len(item.attributes) > _FOLD:
            lines.append(printable(f"          … {count(len(item.attributes) - _FOLD, 'more attribute')}", style="dim"))
    if len(undo) > limit:
        lines.append(printable(f"… {count(len(undo) - limit, 'more item')}", style="dim"))
    lines += [printable(f"note: {note}", style="cyan") for note in undo.stats.notes]
    return Group(*lines)


def _in_words(each: _Attribute) -> str:
    moves = f"{each.now} → {each.after}" if each.after != each.now else f"{each.now} stays"
    return f"{each.path}  {moves}" + (
        f" (conflict: before {each.before}, then wrongly {each.bad})" if each.before else ""
    )


def to_html(undo: Undo, *, limit: int, level: int = 3) -> str:
    """Return the plan as HTML that needs nothing outside itself; of many items the first, conflicts before others.

    Parameters
    ----------
    level
        Of its headings: in a notebook they stand below that of a cell.

    Raises
    ------
    ParameterError
        For a limit below 1.
    """
    if limit < 1:
        raise ParameterError(f"limit={limit}: a page shows at least one item")
    about, s = undo.about, undo.stats
    conflicting = sum(each.count("conflict") > 0 for each in undo.planned)
    facts = {
        "table": about.table,
        "where": about.arn or "not looked at",
        "what": _asked(undo.asked),
        "planned": f"{about.made_at:%Y-%m-%d %H:%M:%S} UTC",
        "newest change of the log": f"{s.newest_change:%Y-%m-%d %H:%M:%S} UTC" if s.newest_change else "not known",
        "write units": f"{undo.units:,}{undo.price} (indexes and replicas not counted)",
    }
    return fragment(
        "undo",
        level=level,
        verdict=undo.verdict,
        facts={name: plain(value) for name, value in facts.items()},
        counts=[
            *((action, number, _CLASSES.get(action, "")) for action, number in undo.actions.items()),
            *([("with conflicts", conflicting, "failed")] if conflicting else []),
        ],
        notes=s.notes,
        items=[*_items(undo, limit)],
        fold=_FOLD,
        more=max(len(undo) - limit, 0),
        summary=undo.read,
    )


def page(undo: Undo, limit: int) -> str:
    """Return a whole page of the plan."""
    title = f"Undo of {undo.about.table}, planned {undo.about.made_at:%Y-%m-%d %H:%M} UTC"
    return fragment("undo_page", title=title, body=to_html(undo, limit=limit, level=2))


def _items(undo: Undo, limit: int) -> Iterator[_Item]:
    """Yield the first items, those first that somebody has to decide on."""
    from workbench.questions.undo import by_decision

    rank = {action: number for number, action in enumerate(_SHOWN_FIRST)}
    df = undo.first(rank, limit)
    names = list(df.columns[: list(df.columns).index("action")])
    for row in by_decision(df, rank).to_dict("records"):
        key = ", ".join(f"{plain(name)} = {shown_value(row[name])}" for name in names if not pd.isna(row[name]))
        yield _Item(
            key,
            row["action"],
            _COLOURS[row["action"]],
            _CLASSES.get(row["action"], ""),
            plain(row["note"]),
            [*_attributes(row)],
        )


def _attributes(row: Mapping[Any, Any]) -> Iterator[_Attribute]:
    for path in row["attributes"]:
        now, after, before, bad = (_shown(row[name], path) for name in ("now", "after", "before", "bad"))
        in_conflict = path in row["conflicts"]
        yield _Attribute(plain(path), now, after, before if in_conflict else "", bad if in_conflict else "")


def _shown(values: Mapping[str, Any], path: str) -> str:
    return shown_value(values[path]) if path in values else "absent"


def _dim(note: str) -> list[tuple[str, str]]:
    return [(f"  {note}", "dim")] if note else []


def _asked(asked: Mapping[str, Any]) -> str:
    """Say what was asked for."""
    if asked.get("to"):
        what = f"back to {moment(asked['to'])} UTC"
    elif asked.get("journal"):
        what = f"take back the undo of {asked['journal']}"
    else:
        what = "take back changes"
    left_out = {"question", "table", "to", "journal", "mask", "mask_with"}
    return what + "".join(f", {name} {_in_utc(value)}" for name, value in asked.items() if name not in left_out)


def _in_utc(value: Any) -> str:
    return f"{value:%Y-%m-%d %H:%M:%S} UTC" if isinstance(value, datetime) else str(value)
