"""The history of items as a timeline, for notebooks and for the terminal."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import groupby
from typing import Any

import pandas as pd
from rich.console import Group
from rich.text import Text

from workbench.frames import words

_SIGNS = {"added": "+", "members added": "+", "removed": "−", "members removed": "−"}  # else ~
_COLOURS = {"+": "green", "−": "red", "~": "yellow"}
_EVENTS = {"INSERT": "green", "MODIFY": "yellow", "REMOVE": "red", "TTL": "red", "BASELINE": "cyan"}
_FOLD = 8  # attributes of a change shown before the rest is folded away
_LONG = 100  # characters of a value shown
_LONGEST = 2_000  # characters of it that the tool tip has
_NONE = "No change of this item is in the log."


@dataclass(frozen=True)
class _Entry:
    """A change as it is told: what kind it is, when, and its attribute changes."""

    item: str
    life: int
    at: str
    event: str
    since: str
    missing: bool
    rows: Sequence[Mapping[str, Any]]


def to_html(df: pd.DataFrame, *, limit: int = 200) -> str:
    """Return a history (see `Workbench.item_history`) as self-contained HTML.

    Parameters
    ----------
    limit
        The most changes shown; of more, the first and the last ones.
    """
    parts, life = [], ("", 0)
    for entry, left_out in _entries(df, limit):
        if left_out:
            parts.append(f'<p class="wb-note">… {left_out:,} changes in between are not shown …</p>')
        if entry.item != life[0]:
            parts.append(f"<h4>{html.escape(entry.item)}</h4>")
        if (entry.item, entry.life) != life and entry.life > 1:
            parts.append(
                f'<p class="wb-note">life {entry.life}: made again {entry.since} after it was gone</p>'
            )
        life = (entry.item, entry.life)
        if entry.missing:
            parts.append(f'<p class="wb-missing">⚠ {_missing(entry)}</p>')
        lines = [_html_line(row) for row in entry.rows]
        folded = "".join(lines[_FOLD:])
        if len(lines) > _FOLD + 2:
            folded = f"<details><summary>{len(lines) - _FOLD} more attributes</summary>{folded}</details>"
        badge = f'<b class="wb-{entry.event.lower()}">{entry.event}</b>'
        head = f"<time>{entry.at}</time> {badge} <small>{_since(entry)}</small>"
        parts.append(f'<div class="wb-change"><div>{head}</div>{"".join(lines[:_FOLD])}{folded}</div>')
    style = (resources.files("workbench") / "timeline.css").read_text(encoding="utf-8")
    return f'<style>{style}</style><div class="wb-timeline">{"".join(parts) or f"<p>{_NONE}</p>"}</div>'


def to_text(df: pd.DataFrame, *, limit: int = 50) -> Group:
    """Return a history for a terminal, in colour where it has some; `limit` as in `to_html`."""
    lines, life = [], ("", 0)
    for entry, left_out in _entries(df, limit):
        if left_out:
            lines.append(Text(f"  … {left_out:,} changes in between are not shown …", style="dim"))
        if entry.item != life[0]:
            lines.append(Text(entry.item, style="bold underline"))
        if (entry.item, entry.life) != life and entry.life > 1:
            lines.append(Text(f"  life {entry.life}: made again {entry.since} after it was gone", style="bold"))
        life = (entry.item, entry.life)
        if entry.missing:
            lines.append(Text(f"  ! {_missing(entry)}", style="bold red"))
        lines.append(
            Text.assemble(
                f"  {entry.at}  ", (f"{entry.event:8}", f"bold {_EVENTS[entry.event]}"), (_since(entry), "dim")
            )
        )
        lines += [_text_line(row) for row in entry.rows]
    return Group(*(lines or [Text(_NONE)]))


def _entries(df: pd.DataFrame, limit: int) -> Iterator[tuple[_Entry, int]]:
    """Yield the changes that are shown, each with how many were left out before it."""
    names = list(df.columns[: list(df.columns).index("life")])
    columns = [df[name].astype(object) for name in df.columns]  # to_dict would make None of NA
    rows = [dict(zip(df.columns, row, strict=True)) for row in zip(*columns, strict=True)]
    changes = [list(group) for _, group in groupby(rows, key=lambda row: (*(repr(row[name]) for name in names),
                                                                          row["ts"], row["event_id"]))]  # fmt: skip
    half = limit // 2
    left_out = len(changes) - limit
    shown = changes if left_out <= 0 else changes[: limit - half] + changes[-half:]
    for number, group in enumerate(shown):
        first = group[0]
        since = "" if pd.isna(first["since_previous"]) else words(first["since_previous"].to_pytimedelta())
        entry = _Entry(
            ", ".join(f"{name} = {_value(first[name])}" for name in names), first["life"], _moment(first["ts"]),
            "TTL" if first["by_ttl"] else first["event_name"], since, first["missing"],
            [row for row in group if isinstance(row["path"], str)],
        )  # fmt: skip
        yield entry, left_out if left_out > 0 and number == limit - half else 0


def _moment(at: pd.Timestamp) -> str:
    return at.strftime("%Y-%m-%d %H:%M:%S" + (".%f" if at.microsecond else ""))


def _since(entry: _Entry) -> str:
    since = "same instant" if entry.since == "0 s" else entry.since and f"+{entry.since}"
    return since + ("" if entry.rows else "  changed no attribute" if entry.event == "MODIFY" else "")


def _missing(entry: _Entry) -> str:
    if entry.since:
        return "A change is missing here: the next one did not find what the one before it had left."
    return "What was before is missing here: the item was there already when its first change was made."


def _parts(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the sign of an attribute change, and its value before and after."""
    before, after = ("" if row[side] is pd.NA else _value(row[side]) for side in ("before", "after"))
    if row["change"] == "type changed":
        before, after = f"{before} ({row['before_type']})", f"{after} ({row['after_type']})"
    return _SIGNS.get(row["change"], "~"), before, after


def _html_line(row: Mapping[str, Any]) -> str:
    sign, before, after = _parts(row)
    shown = [
        f"<{tag}{_title(text)}>{html.escape(_short(text))}</{tag}>"
        for tag, text in (("del", before), ("ins", after))
        if text
    ]
    name = {"+": "added", "−": "removed", "~": "changed"}[sign]
    return f'<div class="wb-{name}"><b>{sign}</b> <code>{html.escape(row["path"])}</code> {" → ".join(shown)}</div>'


def _text_line(row: Mapping[str, Any]) -> Text:
    sign, before, after = _parts(row)
    line = Text.assemble((f"    {sign} ", _COLOURS[sign]), (row["path"], "bold"), "  ")
    if before:
        line.append(_short(before), "strike dim" if sign == "−" else "dim")
    if before and after:
        line.append(" → ")
    return line.append(_short(after), _COLOURS[sign] if after else "")


def _title(text: str) -> str:
    return f' title="{html.escape(text[:_LONGEST])}"' if len(text) > _LONG else ""


def _short(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[: _LONG * 2 // 3]} … {text[-_LONG // 4 :]}"


def _value(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return '"' + value.replace("\n", "\\n") + '"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, frozenset):
        return "{" + ", ".join(map(_value, sorted(value))) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}: {_value(child)}" for name, child in value.items()) + "}"
    return str(value)
