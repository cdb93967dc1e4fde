"""Conditions on attributes as SQL over DynamoDB JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any

from workbench.errors import ParameterError
from workbench.model.conditions import (
    COLUMN,
    And,
    Compares,
    Condition,
    Equals,
    IsAbsent,
    IsNull,
    Leaf,
    Like,
    Name,
    Not,
    Or,
    names_columns,
    names_images,
)
from workbench.model.records import canonical_number
from workbench.sql.literals import literal


def condition(tree: Condition, *, new: str, old: str | None = None) -> str:
    """Write a condition as SQL over columns that hold images as DynamoDB JSON text.

    The SQL selects every row for which `workbench.model.conditions.holds` is true, and may select more: numbers
    are compared as doubles, which keep their order but not all of their digits, and of binary, which may be encoded
    twice, only that it is there. Ask `holds` about the rows that come back.

    Parameters
    ----------
    new, old
        The columns, as SQL. Without `old` there is one image, as in the latest state.

    Raises
    ------
    ParameterError
        Where the condition names ``new.`` or ``old.``, and there is one image only.

    >>> from workbench.model.conditions import parse
    >>> print(condition(parse("age > 40"), new="image"))
    (image is not null
     and coalesce(try_cast(json_extract_scalar(image, '$["age"]["N"]') as double) >= double '40.0', false))
    """
    if old is None and names_images(tree):
        raise ParameterError("new. and old. name the images of a change, and here is one image only: leave them out")
    return _read(tree, new, old, lambda columns: _condition(tree, columns, True))


def surely(tree: Condition, *, new: str, old: str | None = None) -> str:
    """Write a condition as SQL that selects only rows for which `workbench.model.conditions.holds` is true.

    It may select fewer: not those for which doubles do not tell it, and none for what is asked of binary. It takes what
    `condition` takes.

    >>> from workbench.model.conditions import parse
    >>> print(surely(parse("age > 40"), new="image"))
    (image is not null
     and not (not coalesce(try_cast(json_extract_scalar(image, '$["age"]["N"]') as double) > double '40.0', false)))
    """
    return _read(tree, new, old, lambda columns: f"not ({_condition(tree, columns, False)})")


def _read(tree: Condition, new: str, old: str | None, selected: Callable[[Mapping[str, str]], str]) -> str:
    """Select rows by either image, or by the columns alone where there is none."""
    columns = {"": new, "new": new, "old": old or new}
    readings = [f"{image} is not null and {selected(columns | {'': image})}" for image in (new, old) if image]
    if names_columns(tree):
        none = f"{new} is null" + (f" and {old} is null" if old else "")
        readings.append(f"{none} and {selected(columns)}")
    return "(" + " or ".join(readings) + ")"


def _condition(tree: Condition, columns: Mapping[str, str], meant: bool) -> str:
    """Select at least the rows where the tree is `meant`: negation is pushed down to the leaves."""
    match tree:
        case Not(part):
            return _condition(part, columns, not meant)
        case And(parts) | Or(parts):
            every = [_condition(part, columns, meant) for part in parts]
            return " and ".join(every) if isinstance(tree, And) is meant else "(" + " or ".join(every) + ")"
        case leaf:
            if leaf.name.image == COLUMN:
                return ("" if meant else "not ") + _of_column(leaf)
            return ("" if meant else "not ") + _leaf(leaf, columns[leaf.name.image], meant)


_COLUMNS = {"_changed_at": "ts", "_deleted_at": "case when image is null then ts end", "_by_ttl": "by_ttl"}


def _of_column(leaf: Leaf) -> str:
    """Write a comparison with a column of the answer."""
    name = str(leaf.name.path[0])
    column = _COLUMNS.get(name, name)
    match leaf:
        case IsAbsent():
            return f"({column} is null)"
        case IsNull():
            return "false"
        case Like(_, pattern):
            return f"coalesce({column} like {literal(pattern)} escape '!', false)"
        case Compares(_, operator, value):
            return f"coalesce({column} {operator} {literal(value)}, false)"
        case Equals(_, values):
            return f"coalesce({column} in {literal(values)}, false)"


def _leaf(leaf: Equals | Compares | Like | IsAbsent | IsNull, column: str, wide: bool) -> str:
    """Select at least (`wide`) or at most the rows where a leaf holds; never NULL, which `not` would keep."""
    match leaf:
        case IsAbsent(name):
            return f"{json_path(column, name)} is null"
        case IsNull(name):
            return f"{json_path(column, name, 'NULL')} is not null"
        case Like(name, pattern):
            return f"coalesce({json_path(column, name, 'S')} like {literal(pattern)} escape '!', false)"
        case Compares(name, operator, value):
            if isinstance(value, Decimal):  # where two doubles are equal, either number may be the greater one
                operator = operator[0] + ("=" if wide else "")
            return _compared(column, name, [value], operator, wide)
        case Equals(name, values):
            kinds = {type(value): [each for each in values if type(each) is type(value)] for value in values}
            tests = [_compared(column, name, each, "in", wide) for each in kinds.values()]
            return tests[0] if len(tests) == 1 else "(" + " or ".join(tests) + ")"


def _compared(column: str, name: Name, values: list[Any], operator: str, wide: bool) -> str:
    """Compare an attribute with values of one type."""
    kind = {str: "S", bool: "BOOL", Decimal: "N", bytes: "B"}[type(values[0])]
    left = json_path(column, name, kind)
    if kind == "B":
        return f"{left} is not null" if wide else "false"
    written: list[object] = values
    if kind == "BOOL":
        written = [literal(value) for value in values]
    elif kind == "N" and operator == "in" and not wide:  # the same digits are the same number; doubles may not be
        written = [canonical_number(str(value)) for value in values]
    elif kind == "N":
        left, written = f"try_cast({left} as double)", [float(value) for value in values]
    return f"coalesce({left} {operator} {literal(written if operator == 'in' else written[0])}, false)"


def json_path(column: str, name: Name, kind: str | None = None) -> str:
    """Write the way to an attribute: its value of one type as text, or, without `kind`, whatever it is.

    A name in `["…"]` has a backslash before quotes and backslashes, as Trino's JsonPathTokenizer reads it
    (https://github.com/trinodb/trino, io.trino.operator.scalar). DuckDB takes the name * for all names, and has
    no empty one: these two are looked up in a map.
    """
    source, path, parents = column, "$", {str: '["M"]', int: '["L"]'}
    for number, step in enumerate(name.path):
        path += parents[type(step)] if number else ""
        if step in ("*", ""):
            source = f"try_cast(json_extract({source}, {literal(path)}) as map(varchar, json))"
            source, path = f"element_at({source}, {literal(step)})", "$"
        elif isinstance(step, int):
            path += f"[{step}]"
        else:
            path += '["' + step.replace("\\", "\\\\").replace('"', '\\"') + '"]'
    if kind:
        kind_path = f'{path}["{kind}"]'
        return f"json_extract_scalar({source}, {literal(kind_path)})"
    return source if path == "$" else f"json_extract({source}, {literal(path)})"
