"""Why an answer may be empty, and what a condition names that the log does not have."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType

import pandas as pd

from workbench.errors import QueryError, ScanRefused, did_you_mean
from workbench.model.attribute_paths import column_name
from workbench.model.conditions import CHANGES, COLUMN, LATEST, Condition, Contains, Relates, leaves, names
from workbench.questions.asking import Asking
from workbench.questions.large import Frame
from workbench.questions.schema_drift import drift

_TYPES: Mapping[type, str] = {Decimal: "N", str: "S", bool: "BOOL", bytes: "B"}


def hints(
    asking: Asking,
    table: str,
    df: Frame,
    condition: Condition | None = None,
    columns: Mapping[str, type] = MappingProxyType({}),
) -> list[str]:
    """Say why an answer may be empty, and what its condition names that the log does not have.

    Parameters
    ----------
    df
        The answer.
    condition
        What was asked of its rows.
    columns
        What the condition may name beside attributes.
    """
    shown = {_of_any_element(re.sub(r"^(new|old)\.", "", str(column))) for column in df.columns}
    attributes = [name for name in names(condition) if name.image != COLUMN] if condition else []
    paths = [_of_any_element(column_name(name.path)) for name in attributes]
    try:
        notes = []
        if paths and (df.empty or not all(_has(shown, path) for path in paths)):
            shapes, _ = drift(asking.ask_all("schema_drift", table))
            held = {*shapes["path"], *(() if df.empty else shown)}
            notes = [
                *_unknown(paths, held, columns, _meant_as_texts(condition, held, asking.settings.mask)),
                *(_other_types(condition, shapes) if condition and df.empty else ()),
            ]
        if df.empty and not notes:
            ((first, last),) = (row.values() for row in asking.ask_all("log_span", table).to_pylist())
            notes = [f"the log tells of changes from {first} to {last} UTC"] if first else []
    except (ScanRefused, QueryError, ValueError, LookupError):
        return []
    return notes


def _of_any_element(path: str) -> str:
    """Write a path as `schema_drift.drift` does: of whichever element of a list."""
    return re.sub(r"\[\d+\]", "[]", path)


def _has(paths: Iterable[str], path: str) -> bool:
    """Return whether a path, or one below it, is among paths."""
    return any(each == path or each.startswith((f"{path}.", f"{path}[")) for each in paths)


def _meant_as_texts(condition: Condition | None, paths: set[str], mask: Sequence[str]) -> dict[str, str]:
    """Return names that attributes are compared with, with whose: texts without quotes, as no attribute has the name.

    With a mask every such name may be a value that is not to be shown.
    """
    related = [leaf for leaf in leaves(condition) if isinstance(leaf, Relates)] if condition else []
    pairs = [(leaf.other, leaf.name) for leaf in related if mask or not (leaf.other.image or leaf.other.path[1:])]
    named = {_of_any_element(column_name(other.path)): _of_any_element(column_name(name.path)) for other, name in pairs}
    return {path: whose for path, whose in named.items() if not _has(paths, path)}


def _unknown(
    named: Iterable[str], paths: set[str], columns: Mapping[str, type], as_texts: Mapping[str, str]
) -> list[str]:
    """Say which paths are not there, and which may be meant; not what may be a value of an attribute."""
    notes = []
    for path in dict.fromkeys(named):
        if _has(paths, path):
            continue
        if path in as_texts:
            notes.append(
                f"no item in the log has the attribute that {as_texts[path]!r} is compared with: a text stands in "
                "single quotes"
            )
            continue
        alike = {each.casefold(): each for each in sorted({*paths, *columns})}
        same = alike.get(path.casefold())
        advice = f" Did you mean {same!r}?" if same else did_you_mean(path, alike.values())
        if path in {**LATEST, **CHANGES}.keys() - columns.keys():
            advice = f" It is a column of {'changes' if path in CHANGES else 'latest_state'}, not of this."
        notes.append(f"no item in the log has {path!r}.{advice}")
    return notes


def _other_types(condition: Condition, shapes: pd.DataFrame) -> list[str]:
    """Say which attributes are compared with values of a type that the log does not have of them."""
    notes = []
    for leaf in leaves(condition):
        if leaf.name.size:
            continue
        values = getattr(leaf, "values", None) or [getattr(leaf, "value", None) or getattr(leaf, "pattern", None)]
        types = {_TYPES[type(value)] for value in values if type(value) in _TYPES}
        if isinstance(leaf, Contains):  # which looks into lists and sets too
            types = {"L", *(f"{kind}S" for kind in types - {"BOOL"}), *(types & {"S"})}
        path = _of_any_element(column_name(leaf.name.path))
        held = sorted(set(shapes.loc[shapes["path"] == path, "type"]))
        if leaf.name.image != COLUMN and types and held and not types & set(held):
            notes.append(
                f"{path!r} is of type {', '.join(held)} in the log, and is compared with {', '.join(sorted(types))}"
            )
    return notes
