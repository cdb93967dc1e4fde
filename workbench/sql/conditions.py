"""Conditions on attributes as SQL over DynamoDB JSON."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from workbench.errors import ParameterError
from workbench.model.conditions import (
    COLUMN,
    And,
    Changed,
    Compares,
    Condition,
    Contains,
    Equals,
    IsAbsent,
    IsNull,
    Leaf,
    Like,
    Name,
    Not,
    Or,
    Relates,
    Value,
    names_columns,
    names_images,
)
from workbench.model.conditions.tree import pattern_of
from workbench.model.records import canonical_number
from workbench.sql.literals import literal


def condition(tree: Condition, *, new: str, old: str | None = None) -> str:
    """Write a condition as SQL over columns that hold images as DynamoDB JSON text.

    The SQL selects every row for which `workbench.model.conditions.holds` is true, and may select more: numbers
    are compared as doubles, which keep their order but not all of their digits; of binary, which may be encoded
    twice, only that it is there; and of lists, maps and sets that are compared with each other, whether they are
    written the same. Ask `holds` about the rows that come back.

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
        raise ParameterError(
            "new. and old. name the images of a change, which changed() compares, and here is one image only: leave "
            "them out"
        )
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
            return ("" if meant else "not ") + _leaf(leaf, columns, meant)


_COLUMNS = {
    "_changed_at": "ts",
    "_deleted_at": "case when image is null then ts end",
    "_by_ttl": "by_ttl",
    "is_current": "(valid_to is null)",
}


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
    raise AssertionError(f"no column is asked for {leaf}")


def _leaf(leaf: Leaf, columns: Mapping[str, str], wide: bool) -> str:
    """Select at least (`wide`) or at most the rows where a leaf holds; never NULL, which `not` would keep."""
    column = columns[leaf.name.image]
    match leaf:
        case Changed(name):
            before, after = ((columns[side], name) for side in ("old", "new"))
            written = f"({json_path(*before)} is distinct from {json_path(*after)})"
            return written if wide else _differ(before, after)
        case Relates(name, operator, other):
            return _related((column, name), operator, (columns[other.image], other), wide)
        case Contains(name, value):
            return _contained(column, name, value, wide)
        case IsAbsent(name) if name.size:
            return f"{_size(column, name)[0]} is null"
        case Compares(name, operator, value) if name.size:
            return _ordered(_size(column, name), operator, _bounds(value), wide)
        case Equals(name, values) if name.size:
            return "(" + " or ".join(_ordered(_size(column, name), "=", _bounds(each), wide) for each in values) + ")"
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


def _differ(one: tuple[str, Name], other: tuple[str, Name]) -> str:
    """Write that two attributes surely differ: by their presence, their types, or as texts, numbers, true and false."""
    tests = [f"({json_path(*one)} is null) <> ({json_path(*other)} is null)"]
    tests += [f"{json_path(*one, kind)} is distinct from {json_path(*other, kind)}" for kind in ("S", "BOOL")]
    tests.append(f"{_double(*one)} is distinct from {_double(*other)}")
    return "(" + " or ".join(tests) + ")"


def _related(one: tuple[str, Name], operator: str, other: tuple[str, Name], wide: bool) -> str:
    """Compare two attributes, each in a column."""
    if one[1].size or other[1].size:
        numbers = [_size(*side) if side[1].size else (_double(*side), _double(*side), False) for side in (one, other)]
        return _ordered(numbers[0], operator, numbers[1], wide)
    left, right = json_path(*one), json_path(*other)
    if operator == "=" and not wide:
        return f"coalesce({left} = {right}, false)"
    if operator == "=":
        return f"({left} is not null and {right} is not null and not {_differ(one, other)})"
    doubles = [_double(*side) for side in (one, other)]
    digits = [json_path(*side, "N") for side in (one, other)]
    number = f"{doubles[0]} {operator[0]} {doubles[1]}"
    if operator[1:] == "=":  # where two doubles are equal, either number may be the greater one, but of the same digits
        number += f" or {digits[0]} = {digits[1]}" if not wide else f" or {doubles[0]} = {doubles[1]}"
    elif wide:
        number += f" or {doubles[0]} = {doubles[1]} and {digits[0]} <> {digits[1]}"
    tests = [
        f"coalesce({number}, false)",
        f"coalesce({json_path(*one, 'S')} {operator} {json_path(*other, 'S')}, false)",
    ]
    if wide:
        tests.append(" and ".join(f"{json_path(*side, 'B')} is not null" for side in (one, other)))
    return "(" + " or ".join(tests) + ")"


def _contained(column: str, name: Name, value: Value, wide: bool) -> str:
    """Ask for a member of a list or a set, or for a part of a text."""
    kind = {str: "S", bool: "BOOL", Decimal: "N", bytes: "B"}[type(value)]
    elements, members = json_path(column, name, whole="L"), json_path(column, name, whole=f"{kind}S")
    if kind == "B":
        return f"({elements} is not null or {members} is not null)" if wide else "false"
    inner = f"""json_extract_scalar(element, '$["{kind}"]')"""
    written: object = literal(value) if isinstance(value, bool) else value
    if isinstance(value, Decimal):
        written = float(value) if wide else canonical_number(str(value))

    def some(array: str, of: str, each: str) -> str:
        each = f"try_cast({each} as double)" if wide and kind == "N" else each
        found = f"filter(try_cast({array} as array({of})), element -> coalesce({each} = {literal(written)}, false))"
        return f"coalesce(cardinality({found}) > 0, false)"

    tests = [some(elements, "json", inner)]
    if kind != "BOOL":
        tests.append(some(members, "varchar", "element"))
    if isinstance(value, str):
        text, pattern = json_path(column, name, "S"), literal(f"%{pattern_of(value)}%")
        tests.append(f"coalesce({text} like {pattern} escape '!', false)")
    return "(" + " or ".join(tests) + ")"


Bounds = tuple[str, str, bool]
"""SQL of a number that is no more and of one that is no less, and whether a number equals what it is of exactly."""


def _bounds(value: Value) -> Bounds:
    assert isinstance(value, Decimal)  # as the grammar has it of sizes
    return literal(float(value)), literal(float(value)), Decimal(float(value)) == value


def _size(column: str, name: Name) -> Bounds:
    """Write the size of an attribute, null where it has none: binary may be encoded twice, a set hold 1 and 1.0."""
    attribute = replace(name, size=False)
    text, binary = json_path(column, attribute, "S"), json_path(column, attribute, "B")
    exact = [f"length({text})", f"json_array_length({json_path(column, attribute, whole='L')})"]
    members = f"try_cast({json_path(column, attribute, whole='M')} as map(varchar, json))"
    exact.append(f"cardinality(map_keys({members}))")
    sets = [f"try_cast({json_path(column, attribute, whole=kind)} as array(varchar))" for kind in ("SS", "NS", "BS")]
    most = [f"cardinality(array_distinct({each}))" for each in sets]
    numbers = f"array_distinct(transform({sets[1]}, element -> try_cast(element as double)))"
    least = [most[0], f"cardinality({numbers})", f"0 * cardinality({sets[2]})"]
    low, high = [*exact, *least, f"0 * length({binary})"], [*exact, *most, f"length({binary})"]
    return f"cast(coalesce({', '.join(low)}) as double)", f"cast(coalesce({', '.join(high)}) as double)", True


def _ordered(one: Bounds, operator: str, other: Bounds, wide: bool) -> str:
    """Compare numbers of which bounds are known."""
    (low, high, exact), (other_low, other_high, other_exact) = one, other
    if operator == "=":
        equal = [f"{low} <= {other_high}", f"{high} >= {other_low}"]
        if not wide:
            equal = [f"{low} = {high}", f"{low} = {other_low}", f"{other_low} = {other_high}"]
        return f"coalesce({' and '.join(equal)}, false)" if wide or (exact and other_exact) else "false"
    if operator[0] == ">":
        (low, high), (other_low, other_high) = (other_low, other_high), (low, high)
    inclusive = operator[1:] == "=" if exact and other_exact else wide
    least, most = (low, other_high) if wide else (high, other_low)
    return f"coalesce({least} {'<=' if inclusive else '<'} {most}, false)"


def _double(column: str, name: Name) -> str:
    return f"try_cast({json_path(column, name, 'N')} as double)"


def json_path(column: str, name: Name, kind: str | None = None, *, whole: str | None = None) -> str:
    """Write the way to an attribute: its value of one type as text, or, without `kind`, whatever it is.

    With `whole` it is the value of that type as JSON.

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
    if kind or whole:
        read, kind_path = "json_extract_scalar" if kind else "json_extract", f'{path}["{kind or whole}"]'
        return f"{read}({source}, {literal(kind_path)})"
    return source if path == "$" else f"json_extract({source}, {literal(path)})"
