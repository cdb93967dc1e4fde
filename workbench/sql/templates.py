"""Loads a `.sql` file and fills its ``:values`` and ``{identifiers}``: the only place that writes SQL text.

Both kinds of parameter are recognised outside texts, quoted identifiers and comments only; a missing, an
unknown and an unused one raise.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import resources
from typing import Any

from workbench.errors import ParameterError, did_you_mean
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
from workbench.model.keys import KeyPart
from workbench.model.records import canonical_number

_TOKEN = re.compile(
    r"(?P<skip>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|::)|:(?P<value>[a-z_]\w*)|\{(?P<name>\w+)\}",
    re.DOTALL,
)
CHANGE = ("keys", "ts", "event_id", "event_name", "new_image", "old_image", "size_bytes", "by_ttl")
"""The columns of a change that can decide a state, and that checkpoints keep."""


def questions() -> list[str]:
    """Name the questions there is a `.sql` file for."""
    return sorted(
        entry.name[:-4] for entry in resources.files("workbench.sql").iterdir() if entry.name.endswith(".sql")
    )


def load(name: str) -> str:
    """Return the text of a question's `.sql` file, its comment included."""
    if not name.startswith("parts/") and name not in questions():
        raise ParameterError(
            f"there is no question {name!r}; there are: {', '.join(questions())}.{did_you_mean(name, questions())}"
        )
    return (resources.files("workbench.sql") / f"{name}.sql").read_text(encoding="utf-8")


def whole(name: str) -> str:
    """Return the text of a question with the parts it is made of."""
    return load(name).replace("{candidates}", load("parts/candidates"))


def template(question: str) -> str:
    """Return the text of a question given by its name, or of one that is SQL itself."""
    return question if " " in question else load(question)


def compose(question: str, values: Mapping[str, object], names: Mapping[str, str], *, row: str = "") -> str:
    """Fill a question's template with what it needs of `names`: deliveries, canonical and matching.

    With `row`, a column that tells deliveries apart, the candidates of latest_state are found by it alone and their
    images fetched after.
    """
    text = template(question)
    names = {"alive": part("alive", key_schema=key_schema())} | dict(names)
    if "{candidates}" in text:
        columns = row or ", ".join(name for name in CHANGE if name in text)
        inner = {"deliveries": names["deliveries"], "columns": columns}
        candidates = fill(load("parts/candidates"), {"as_of": values["as_of"]}, inner)
        if row:
            candidates = f"select * from {names['deliveries']} as deliveries join ({candidates}) as found using ({row})"
        names = {**names, "candidates": candidates}
        values = {name: value for name, value in values.items() if name != "as_of"}
    return fill(text, values, {name: sql for name, sql in names.items() if "{" + name + "}" in text})


def part(name: str, **names: str) -> str:
    """Return a part of a query, without its comment, filled with SQL."""
    text = "\n".join(line for line in load(f"parts/{name}").splitlines() if not line.startswith("--"))
    return fill(text, names=names)


def key_schema(keys: str = "keys") -> str:
    """Write the names and types of a key, of which there is the canonical text."""
    return part("key_schema", keys=keys)


def of_origin(origin: Mapping[str, str]) -> str:
    """Write the condition on the changes of one Region, or account; '' where there is none."""
    return " and ".join(f"{column} = {literal(value)}" for column, value in origin.items())


def like_key(types: Mapping[str, str]) -> str:
    """Write the condition on keys of some names and types, as DuckDB tests it fastest; the keys are canonical.

    A text cannot be taken for what is between two attributes: it has a backslash before its quotes.

    >>> print(like_key({"pk": "S"}))
    keys like '{"pk":{"S":"%"}}' escape '!' and not contains(keys, '"},"')
    """
    names = (re.sub("[!%_]", r"!\g<0>", json.dumps(name, ensure_ascii=False)) for name in types)
    parts = (f'{name}:{{"{kind}":"%"}}' for name, kind in zip(names, types.values(), strict=True))
    alone = """ and not contains(keys, '"},"')""" if len(types) == 1 else ""
    return f"keys like {literal('{' + ','.join(parts) + '}')} escape '!'{alone}"


def fill(sql: str, values: Mapping[str, object] | None = None, names: Mapping[str, str] | None = None) -> str:
    """Fill in the parameters of a SQL text.

    Parameters
    ----------
    values
        For ``:name``: written as literals. Times must carry a time zone, and are written in UTC.
    names
        For ``{name}``: SQL made by the engine from identifiers it has checked against the catalog.

    Raises
    ------
    ParameterError
        Where a parameter is missing, or one given is not in the text.

    >>> fill("select * from {t} where x = :x -- not :y", {"x": "it's"}, {"t": '"a"'})
    'select * from "a" where x = \\'it\\'\\'s\\' -- not :y'
    """
    values, names = values or {}, names or {}
    used: set[str] = set()

    def replace(match: re.Match[str]) -> str:
        if match["skip"]:
            return match["skip"]
        given, key = (values, match["value"]) if match["value"] else (names, match["name"])
        if key not in given:
            raise ParameterError(f"the query needs a value for {match[0]!r}.{did_you_mean(key, given)}")
        used.add(key)
        return literal(given[key]) if match["value"] else str(given[key])

    text = _TOKEN.sub(replace, sql)
    if unused := sorted({*values, *names} - used):
        raise ParameterError(
            f"the query has no parameter {unused[0]!r}; give only those it names.{did_you_mean(unused[0], used)}"
        )
    return text


def literal(value: object) -> str:
    """Write a Python value as a SQL literal of Athena's dialect."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value >= 0 else f"({value})"  # x -:n must not become the comment x --1
    if isinstance(value, Decimal | float) and not math.isfinite(value):
        raise ParameterError(f"{value} is no number that can be compared")
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, float):
        return f"double '{value!r}'"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ParameterError(f"{value} has no time zone: write it like {value.isoformat()}Z")
        return f"timestamp '{value.astimezone(UTC).replace(tzinfo=None).isoformat(' ', 'microseconds')}'"
    if isinstance(value, date):
        return f"date '{value.isoformat()}'"
    if isinstance(value, str):
        if "\0" in value:
            raise ParameterError("a text with a NUL character cannot be compared")
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, list | tuple | set | frozenset) and value:
        return "(" + ", ".join(literal(element) for element in value) + ")"
    raise ParameterError(f"a {type(value).__name__} cannot be a SQL value")


def _decimal(value: Decimal) -> str:
    """Write a decimal with its precision, without which DuckDB would cut it to three decimals."""
    text = f"{value:f}"
    whole, _, fraction = text.lstrip("-").partition(".")
    digits = len(whole.lstrip("0")) + len(fraction)
    if digits > 38:
        raise ParameterError(f"{value} needs {digits} digits, more than the 38 a SQL decimal has")
    return f"cast('{text}' as decimal({max(digits, 1)}, {len(fraction)}))"


def identifier(name: str) -> str:
    """Quote an identifier."""
    return '"' + name.replace('"', '""') + '"'


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
    columns = {"": new, "new": new, "old": old or new}
    readings = [
        f"{image} is not null and {_condition(tree, columns | {'': image}, True)}" for image in (new, old) if image
    ]
    if names_columns(tree):
        none = f"{new} is null" + (f" and {old} is null" if old else "")
        readings.append(f"{none} and {_condition(tree, columns, True)}")
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
            return f"{_json(column, name)} is null"
        case IsNull(name):
            return f"{_json(column, name, 'NULL')} is not null"
        case Like(name, pattern):
            return f"coalesce({_json(column, name, 'S')} like {literal(pattern)} escape '!', false)"
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
    left = _json(column, name, kind)
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


def _json(column: str, name: Name, kind: str | None = None) -> str:
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


def matching(keys: Sequence[str | Sequence[KeyPart]] = (), events: Sequence[str] = (), where: str = "") -> str:
    """Write the condition a question's ``{matching}`` stands for: one of the keys, one of the events, and `where`.

    >>> matching([[KeyPart("pk", "S", "p-1", prefix=True)]], ["REMOVE"])
    '(starts_with(json_extract_scalar(keys, \\'$["pk"]["S"]\\'), \\'p-1\\')) and event_name in (\\'REMOVE\\')'
    """
    parts = []
    if keys:
        whole = [key for key in keys if isinstance(key, str)]
        each = [f"keys in {literal(whole)}"] if whole else []
        each += [" and ".join(map(_key_part, key)) for key in keys if not isinstance(key, str)]
        parts.append("(" + " or ".join(each) + ")")
    if events:
        parts.append(f"event_name in {literal(list(events))}")
    return " and ".join([*parts, *([where] if where else [])]) or "true"


def _key_part(part: KeyPart) -> str:
    value = _json("keys", Name("", (part.name,)), part.kind)
    return f"starts_with({value}, {literal(part.value)})" if part.prefix else f"{value} = {literal(part.value)}"
