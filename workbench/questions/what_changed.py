"""The changes of a table as people read them: the newest first, and of each what it changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from numbers import Number
from typing import Any

import pandas as pd

from workbench.questions.cells import is_absent
from workbench.questions.columns import ACTOR
from workbench.questions.large import first_of, whole_of
from workbench.questions.result import Result, is_about
from workbench.questions.timeline import change_text, value_text

WHAT = "what changed"
"""The column that tells it."""
_LONG = 2_000  # characters of a value that has lines of its own
_SIDES = ("old.", "new.")


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class ChangeList(Result):
    """The changes of a table; shows the newest first, and a column that tells what each changed.

    Attributes
    ----------
    total
        How many changes there are; `df` has the newest of them, where a limit was given.
    """

    total: int = 0

    def _for_people(self, rows: int) -> pd.DataFrame:
        shown = self._first(rows)
        return shown if "columns" in self.chosen else with_what_changed(shown, len(self.keys), self._names_asked)

    @property
    def unlike_shown(self) -> str:
        """How `df`, and files of it, differ from the table that is shown: in columns, and in the order of rows."""
        columns = [] if "columns" in self.chosen else ["all columns"]
        return ", ".join(columns if "order" in self.chosen else [*columns, "the oldest change first"])

    @property
    def _whole(self) -> bool:
        return True

    def _first(self, rows: int) -> pd.DataFrame:
        """Return the first rows as they are shown: the newest, unless an order was chosen."""
        if "order" in self.chosen:
            return whole_of(first_of(self._frame, rows))
        return self.df.iloc[::-1].head(rows)

    def _print(self, rows: int, vertical: bool) -> None:
        if "columns" not in self.chosen and (vertical or len(self) == 1):
            from workbench.terminal import print_rest, print_rows

            shown = self._first(rows)
            print_rows(list(attribute_by_attribute(shown, len(self.keys))))
            print_rest(self._more(rows), 0)
            return
        super()._print(rows, vertical)

    def _more(self, rows: int) -> int:
        return max(self.total, len(self)) - min(rows, len(self))


def with_what_changed(df: pd.DataFrame, keys: int, asked: Sequence[str] = ()) -> pd.DataFrame:
    """Return changes as people read them: the key, when, which event, who, and what changed.

    Parameters
    ----------
    df
        As `Workbench.changes` has them.
    keys
        How many of its first columns are those of the key.
    asked
        Attributes that are told first, and also where they did not change.

    Examples
    --------
    >>> columns = ["pk", "ts", "event_name", "by_ttl", "old.balance", "new.balance", "new.visits"]
    >>> at = pd.Timestamp("2026-11-01 12:00", tz="UTC")
    >>> df = pd.DataFrame([["a", at, "MODIFY", False, 288, 672, 2]], columns=columns)
    >>> with_what_changed(df, 1)["what changed"].item()
    'balance 288 → 672; +visits 2'
    """
    columns = [*df.columns[:keys], "ts", "event_name", *([ACTOR] if ACTOR in df.columns[keys:] else [])]
    shown = df[columns].copy()
    shown["event_name"] = df["event_name"].where(~df["by_ttl"].astype(bool), "TTL")
    shown[WHAT] = ["; ".join(_texts(event, values, asked)) for event, values in _attributes(df, keys)]
    return shown.astype({WHAT: "string"})


def attribute_by_attribute(df: pd.DataFrame, keys: int) -> Iterator[list[tuple[str, Any]]]:
    """Yield, of each change, all that is known of it: names and values, what changed before what did not."""
    own = [at for at, name in enumerate(df.columns) if at < keys or not str(name).startswith(_SIDES)]
    for at, (event, values) in enumerate(_attributes(df, keys)):
        lines = [(str(df.columns[column]), df.iat[at, column]) for column in own]
        changed = {path: pair for path, pair in values.items() if not _same(*pair)}
        for path, (old, new) in changed.items():
            one = value_text(old if is_absent(new) else new, long=_LONG)
            lines.append((path, change_text("", old, new, long=_LONG).strip() if event == "MODIFY" else one))
        lines += [(path, value_text(new, long=_LONG)) for path, (_, new) in values.items() if path not in changed]
        yield lines


def _attributes(df: pd.DataFrame, keys: int) -> Iterator[tuple[str, dict[str, tuple[Any, Any]]]]:
    """Yield the event of each change, and the values before and after of each attribute that is in an image."""
    names = set(map(str, df.columns[:keys]))
    columns: dict[str, dict[str, pd.Series]] = {}
    for name in map(str, df.columns[keys:]):
        side, path = name[:4], name[4:]
        if side in _SIDES and path not in names:
            columns.setdefault(path, {})[side] = df[name].astype(object)
    absent = pd.Series([pd.NA] * len(df), dtype=object)
    sides = {path: tuple((held.get(side, absent)).tolist() for side in _SIDES) for path, held in columns.items()}
    for at, event in enumerate(df["event_name"]):
        pairs = {path: (old[at], new[at]) for path, (old, new) in sides.items()}
        yield event, {path: pair for path, pair in pairs.items() if not all(map(is_absent, pair))}


def _texts(event: str, values: Mapping[str, tuple[Any, Any]], asked: Sequence[str]) -> Iterator[str]:
    """Yield what a change did to its attributes, those asked about first."""
    unknown = event == "MODIFY" and all(is_absent(old) for old, _ in values.values())
    for path in sorted(values, key=lambda path: not any(is_about(path, name) for name in asked)):
        old, new = values[path]
        if unknown or (_same(old, new) and any(is_about(path, name) for name in asked)):
            yield f"{path} = {value_text(new)}"
        elif not _same(old, new):
            yield change_text(path, old, new)


def _same(old: Any, new: Any) -> bool:
    """Return whether two values are equal as DynamoDB compares them: of one type, numbers as numbers."""
    if is_absent(old) or is_absent(new):
        return is_absent(old) and is_absent(new)
    if _kind(old) != _kind(new):
        return False
    if isinstance(old, dict):
        return old.keys() == new.keys() and all(_same(value, new[name]) for name, value in old.items())
    if isinstance(old, list):
        return len(old) == len(new) and all(map(_same, old, new))
    return bool(old == new)


def _kind(value: Any) -> str:
    number = isinstance(value, Number) and not isinstance(value, bool)
    return "number" if number else type(value).__name__
