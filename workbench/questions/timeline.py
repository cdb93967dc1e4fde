"""The history of items as a timeline, for notebooks and for the terminal."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import pandas as pd
from rich.cells import cell_len
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from workbench.errors import ParameterError
from workbench.model.attribute_paths import column_name
from workbench.questions.cells import is_absent
from workbench.questions.columns import ACTOR
from workbench.questions.html import fragment
from workbench.text import count, moment, plain, words

_COLOURS = {
    "added": "green",
    "removed": "red",
    "changed": "yellow",
    "INSERT": "green",
    "REMOVE": "red",
    "TTL": "red",
    "MODIFY": "yellow",
    "BASELINE": "cyan",
}
_FOLD = 8  # attributes of a change that a notebook shows, the others at a click
_LONG = 100  # characters of a value shown
_BRIEF = 40  # of one in a line beside others
_CONTEXT = 20  # of them beside what differs
_LONGEST = 2_000  # characters of a value in its tool tip
_PATH = 24  # columns of a terminal that a path takes at least
_EMPTY = "No change of this item is in the log."
_NOTHING = {"INSERT": "nothing but its key", "BASELINE": "nothing but its key", "MODIFY": "changed no attribute"}
_KINDS = {
    "added": ("+", "added", ""),
    "members added": ("~", "added", "+"),
    "removed": ("−", "removed", ""),
    "members removed": ("~", "removed", "−"),
}


@dataclass(frozen=True)
class _Value:
    """A value as it is shown, and the whole of it where that is more."""

    text: str
    whole: str = ""


@dataclass(frozen=True)
class _Attribute:
    """An attribute change: how it is called, its sign and colour, its values and its types where they differ."""

    change: str
    sign: str
    colour: str
    path: str
    before: _Value | None
    after: _Value | None
    types: str


@dataclass(frozen=True)
class _Change:
    at: str
    event: str
    remark: str
    attributes: Sequence[_Attribute]


def to_html(df: pd.DataFrame, *, limit: int = 200) -> str:
    """Return a history (see `Workbench.item_history`) as HTML that needs nothing outside itself.

    Parameters
    ----------
    limit
        The most changes shown; of more, the first and the last ones.

    Raises
    ------
    ParameterError
        For a limit below 1.

    Examples
    --------
    >>> from workbench.questions.history import history
    >>> row = {"keys": '{"pk":{"S":"a"}}', "event_id": "1", "event_name": "INSERT", "by_ttl": False, "old_image": None}
    >>> row |= {"ts": pd.Timestamp("2026-11-01 12:00", tz="UTC"), "new_image": '{"pk":{"S":"a"},"n":{"N":"1"}}'}
    >>> "<time>2026-11-01 12:00:00</time>" in to_html(history([row], ["pk"]))
    True
    """
    return fragment("timeline", parts=_parts(df, limit), empty="" if len(df) else _EMPTY, fold=_FOLD)


def to_text(df: pd.DataFrame, *, limit: int = 50) -> Group:
    """Return a history for a terminal, in colour where it has some; `limit` and errors as of `to_html`."""
    lines: list[RenderableType] = []
    styles = {"life": "bold", "missing": "bold red"}
    for kind, part in _parts(df, limit):
        if kind == "item":
            lines += [""] * bool(lines) + [Text(part[0], style="bold underline"), Text(part[1], style="dim")]
        elif kind == "change":
            event = (f"{part.event:8}", f"bold {_COLOURS[part.event]}")
            lines.append(_hanging("", Text.assemble(f"{part.at:26}  ", event, "  ", (part.remark, "dim"))))
            lines += [_hanging(f"    {each.sign}", _line(each), _COLOURS[each.colour]) for each in part.attributes]
        elif kind == "left out":
            lines.append(Text(f"  … {count(part, 'change')} in between not shown …", style="dim"))
        else:
            lines.append(_hanging("!" if kind == "missing" else "", Text(part, style=styles[kind])))
    return Group(*(lines or [_EMPTY]))


def _hanging(sign: str, text: Text, style: str = "bold red") -> Table:
    """Set a text beside its sign, so that its further lines do not run below the sign."""
    grid = Table.grid(padding=(0, 1, 0, 0))
    grid.add_column(width=max(len(sign), 1), style=style)
    grid.add_column(overflow="fold")
    grid.add_row(sign, text)
    return grid


def _line(each: _Attribute) -> Text:
    line = Text.assemble((each.path, "bold"), " " * max(_PATH - cell_len(each.path), 2))
    if each.before:
        line.append(each.before.text, "red" if each.colour == "removed" else "dim")
    if each.before and each.after:
        line.append(" → ")
    if each.after:
        line.append(each.after.text, _COLOURS[each.colour])
    return line.append(each.types and f"  ({each.types})", "dim")


def _parts(df: pd.DataFrame, limit: int) -> Iterator[tuple[str, Any]]:
    """Yield the parts of a timeline by kind: item (key, summary), life, missing (texts), left out (count), change."""
    if limit < 1:
        raise ParameterError(f"limit={limit}: a timeline shows at least one change")
    df = df.reset_index(drop=True)
    names = list(df.columns[: list(df.columns).index("life")])
    item, number = _numbered(df[names]), _numbered(df[[*names, "ts", "event_id"]])
    total, head = int(number.max()) if len(df) else 0, limit // 2
    tail = limit - head
    shown = (number <= head) | (number > total - tail)
    numbers, times = number.groupby(item).agg(["min", "max"]), df["ts"].groupby(item).agg(["min", "max"])
    lives, life_before = df["life"].groupby(item).nunique(), df["life"].shift().where(item == item.shift())
    shown_item, life = 0, 0
    for at, rows in groupby(_rows(df[shown], item[shown], number[shown], life_before[shown]), key=lambda row: row[1]):
        change = list(rows)
        which, _, before, first = change[0]
        if total > limit and at == total - tail + 1:
            yield "left out", total - limit
        if which != shown_item:
            changes = int(numbers["max"][which] - numbers["min"][which]) + 1
            yield "item", (_key(first, names), _summary(changes, times["min"][which], times["max"][which]))
            shown_item, life = which, 0
        if first["life"] != life and (lives[which] > 1 or first["life"] > 1):
            yield "life", _life(first, before)
        life = first["life"]
        if first["missing"]:
            yield "missing", _missing(first)
        event = "TTL" if first["by_ttl"] else first["event_name"]
        attributes = [_attribute(row) for *_, row in change if isinstance(row["path"], str)]
        yield "change", _Change(moment(first["ts"]), event, _remark(first, attributes), attributes)


def _numbered(df: pd.DataFrame) -> pd.Series:
    """Return the number of the run of equal rows that each row is in, from 1 on."""
    df = df.astype(object).where(df.notna(), "")  # which no key is
    return df.ne(df.shift()).any(axis="columns").cumsum()


def _rows(df: pd.DataFrame, *beside: pd.Series) -> Iterator[tuple[Any, ...]]:
    columns = [df[name].astype(object) for name in df.columns]  # to_dict would make None of NA
    rows = (dict(zip(df.columns, row, strict=True)) for row in zip(*columns, strict=True))
    return zip(*beside, rows, strict=True)


def _key(row: Mapping[str, Any], names: Sequence[str]) -> str:
    return ", ".join(f"{_seen(name)} = {_text(row[name])}" for name in names if not pd.isna(row[name]))


def _summary(changes: int, first: pd.Timestamp, last: pd.Timestamp) -> str:
    return f"{count(changes, 'change')} · {moment(first)}{f' to {moment(last)}' if changes > 1 else ''} UTC"


def _life(row: Mapping[str, Any], life_before: float) -> str:
    # Of a window of time, or beside what is left out, the first change shown may be in the middle of a life.
    begins = row["event_name"] == "INSERT" if pd.isna(life_before) else row["life"] != life_before
    away = begins and not pd.isna(row["since_previous"])
    return f"Life {row['life']}" + (f" · made again after {_length(row)} away" if away else "")


def _missing(row: Mapping[str, Any]) -> str:
    if row["event_name"] == "BASELINE":
        return "A change is missing here: the export does not have what the change before it left."
    if pd.isna(row["since_previous"]):
        return "What was before is missing here: the first change in the log found the item there already."
    return "A change is missing here: the next one did not find what the one before it left."


def _remark(row: Mapping[str, Any], attributes: Sequence[_Attribute]) -> str:
    remarks = []
    if not pd.isna(row["since_previous"]):
        remarks.append(f"+{_length(row)}" if row["since_previous"] else "same instant")
    if row["by_ttl"]:
        remarks.append("its time to live was over")
    if ACTOR in row and row[ACTOR] is not pd.NA:
        remarks.append(f"by {_shortened(_text(row[ACTOR]))}")
    if row["event_name"] == "BASELINE":
        remarks.append("as an export has it")
    if not pd.isna(row["change"]) and not attributes:
        remarks.append("its images are not in the log")
    elif not attributes and row["event_name"] in _NOTHING:
        remarks.append(_NOTHING[row["event_name"]])
    return " · ".join(remarks)


def _length(row: Mapping[str, Any]) -> str:
    return words(row["since_previous"].to_pytimedelta())


def _attribute(row: Mapping[str, Any]) -> _Attribute:
    # A set that members join or leave stays: the sign of its line is ~, that of the members is + or −.
    sign, colour, members = _KINDS.get(row["change"], ("~", "changed", ""))
    before, after = ("" if row[side] is pd.NA else members + _text(row[side]) for side in ("before", "after"))
    types = f"{row['before_type']} → {row['after_type']}" if row["change"] == "type changed" else ""
    return _Attribute(
        row["change"], sign, colour, _seen(row["path"]), _value(before, after), _value(after, before), types
    )


def change_text(path: str, before: Any, after: Any, *, long: int = _BRIEF) -> str:
    """Write in a line how an attribute's value came, went or changed; of long ones where they differ.

    >>> change_text("balance", 288, 672), change_text("note", pd.NA, "hi"), change_text("note", "hi", pd.NA)
    ('balance 288 → 672', '+note "hi"', '−note "hi"')
    >>> change_text("tags", frozenset({"a", "b"}), frozenset({"b", "c"}))
    'tags −{"a"} +{"c"}'
    """
    if isinstance(before, frozenset) and isinstance(after, frozenset) and before and after:
        members = [(sign, some) for sign, some in (("−", before - after), ("+", after - before)) if some]
        return f"{_seen(path)} " + " ".join(f"{sign}{_brief(_text(some), '', long)}" for sign, some in members)
    texts = ["" if is_absent(value) else _text(value) for value in (before, after)]
    one, other = _brief(texts[0], texts[1], long), _brief(texts[1], texts[0], long)
    if not texts[0] or not texts[1]:
        return f"{'+' if not texts[0] else '−'}{_seen(path)} {one or other}"
    return f"{_seen(path)} {one} → {other}"


def value_text(value: Any, *, long: int = _BRIEF) -> str:
    """Write a value in a line, shortened where it is long; nothing where it is absent.

    >>> value_text(frozenset({2, 1})), value_text(pd.NA)
    ('{1, 2}', '')
    """
    return "" if is_absent(value) else _brief(_text(value), "", long)


def _brief(text: str, other: str, long: int) -> str:
    shown = _value(text, other, long)
    return shown.text if shown else ""


def _value(text: str, other: str, long: int = _LONG) -> _Value | None:
    """Shorten a long text to where it differs from the other one."""
    if len(text) <= long:
        return _Value(text) if text else None
    length = min(len(text), len(other))
    head = bisect_left(range(length), True, key=lambda n: text[: n + 1] != other[: n + 1])
    tail = bisect_left(range(length - head), True, key=lambda n: text[-n - 1 :] != other[-n - 1 :])
    context = min(_CONTEXT, long // 4)
    begin, end = max(head - context, 0), min(len(text) - tail + context, len(text))
    shown = text[begin:end]
    if len(shown) > long:
        shown = f"{shown[: long * 2 // 3]} … {shown[-long // 4 :]}"
    whole = text if len(text) <= _LONGEST else f"{text[:_LONGEST]} … ({len(text):,} characters)"
    return _Value("… " * (begin > 0) + shown + " …" * (end < len(text)), whole)


def shown_value(value: Any) -> str:
    """Write a value for people, shortened where it is long.

    >>> shown_value("Ann"), shown_value(frozenset({2, 1}))
    ('"Ann"', '{1, 2}')
    """
    return "absent" if value is pd.NA else _shortened(_text(value))


def _shortened(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[:_LONG]} …"


def _text(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return f'"{_seen(value)}"'
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, bytes):
        return f"0x{value.hex()}"
    if isinstance(value, frozenset):
        return "{" + ", ".join(map(_inner, sorted(value))) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inner, value)) + "]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_seen(column_name((name,)))}: {_inner(child)}" for name, child in value.items()) + "}"
    return str(value)


def _inner(value: Any) -> str:
    """Write a value within another one, where only a quote that is its own may look like one."""
    return '"' + _seen(value).replace('"', '\\"') + '"' if isinstance(value, str) else _text(value)


def _seen(text: str) -> str:
    return plain(text.replace("\\", "\\\\"))
