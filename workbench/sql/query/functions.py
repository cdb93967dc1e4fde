"""The functions that queries may call: what each takes, and what it returns.

These are functions of Athena that both engines answer alike, where need be after the mends of `workbench.sql.dialects`.
A type is written as Athena does: ``varchar``, ``decimal(18,2)``, ``array(varchar)``; that of NULL is ``null``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp

MOST_DIGITS = 38
"""Of a decimal, in both engines."""
NUMBERS = frozenset({"bigint", "decimal", "double"})
TIMES = frozenset({"timestamp", "date"})
_WORDS = {
    "number": "a number",
    "varchar": "a text",
    "time": "a time",
    "boolean": "true or false",
    "array": "an array",
    "varbinary": "binary",
    "bigint": "a whole number",
    "interval": "an interval",
    "date": "a date",
    "timestamp": "a timestamp",
    "double": "a number",
    "decimal": "a number",
}


def family(kind: str) -> str:
    """Return the kind of a type without its precision: ``decimal`` of ``decimal(18,2)``.

    >>> family("decimal(18,2)"), family("array(varchar)")
    ('decimal', 'array')
    """
    return kind.partition("(")[0]


def comparable(one: str, other: str) -> str:
    """Return what two types are compared as: their family; '' where they cannot be.

    >>> comparable("bigint", "double"), comparable("varchar", "bigint"), comparable("null", "date")
    ('number', '', 'date')
    """
    families = {"number" if family(each) in NUMBERS else family(each) for each in (one, other)} - {"null"}
    if families == {"timestamp", "date"}:
        return "time"
    if families == {"array"}:
        return "array" if comparable(element(one), element(other)) else ""
    return "null" if not families else families.pop() if len(families) == 1 else ""


def element(kind: str) -> str:
    """Return the type of an array's elements.

    >>> element("array(decimal(18,2))")
    'decimal(18,2)'
    """
    return kind.removeprefix("array(").removesuffix(")") if family(kind) == "array" else "null"


def common(kinds: Sequence[str]) -> str:
    """Return the type of a value that is of one of some types which can be compared."""
    known = [kind for kind in kinds if kind != "null"]
    if not known:
        return "null"
    families = [family(kind) for kind in known]
    if len(set(known)) == 1:
        return known[0]
    if set(families) == {"array"}:
        return f"array({common([element(kind) for kind in known])})"
    if "decimal" in families and "double" not in families:
        return f"decimal({MOST_DIGITS},{max(map(scale_of, known))})"
    return next((wider for wider in ("double", "timestamp") if wider in families), families[0])


def scale_of(kind: str) -> int:
    """Return how many digits after the point a number of a type has.

    >>> scale_of("decimal(18,2)"), scale_of("bigint")
    (2, 0)
    """
    return int(kind.removesuffix(")").partition(",")[2]) if family(kind) == "decimal" else 0


def fits(kind: str, wanted: str) -> bool:
    """Tell whether a value of a type is what a function takes.

    >>> fits("decimal(18,2)", "number"), fits("varchar", "number"), fits("null", "number")
    (True, False, True)
    """
    if kind == "null" or wanted == "any":
        return True
    return any(
        family(kind) == each
        or (each == "number" and family(kind) in NUMBERS)
        or (each == "time" and family(kind) in TIMES)
        for each in wanted.split("|")
    )


def in_words(kind: str) -> str:
    """Say what a type is: ``a number (bigint)``.

    >>> in_words("varchar"), in_words("bigint")
    ('a text', 'a number (bigint)')
    """
    if family(kind) in NUMBERS:
        return f"a number ({kind})"
    return " or ".join(_WORDS.get(each, each) for each in family(kind).split("|"))


Returned = str | Callable[[Mapping[str, str]], str]


@dataclass(frozen=True)
class Function:
    """What a function takes, by sqlglot's names of its arguments, and returns."""

    takes: Mapping[str, str] = field(default_factory=dict)
    returns: Returned = "varchar"
    """A type, or what tells it from those of the arguments."""
    plain: frozenset[str] = frozenset()
    """Arguments that are no expressions: units, flags."""


def _of(argument: str) -> Callable[[Mapping[str, str]], str]:
    return lambda kinds: kinds.get(argument, "null")


def _array_of(argument: str) -> Callable[[Mapping[str, str]], str]:
    return lambda kinds: f"array({kinds.get(argument, 'null')})"


def _element_of(argument: str) -> Callable[[Mapping[str, str]], str]:
    return lambda kinds: element(kinds.get(argument, "null"))


def _sum(kinds: Mapping[str, str]) -> str:
    return "double" if family(kinds["this"]) == "double" else f"decimal({MOST_DIGITS},{scale_of(kinds['this'])})"


_TEXT = Function({"this": "varchar"})
_DOUBLE = Function({"this": "number"}, "double")
_PART_OF_TIME = Function({"this": "time"}, "bigint")

AGGREGATES: Mapping[type[exp.Expr], Function] = {
    exp.Count: Function({"this": "any"}, "bigint"),
    exp.Sum: Function({"this": "number"}, _sum),
    exp.Avg: Function({"this": "number"}, "double"),
    exp.Min: Function({"this": "number|varchar|time|boolean"}, _of("this")),
    exp.Max: Function({"this": "number|varchar|time|boolean"}, _of("this")),
    exp.ArgMax: Function({"this": "any", "expression": "number|varchar|time"}, _of("this")),
    exp.ArgMin: Function({"this": "any", "expression": "number|varchar|time"}, _of("this")),
    exp.CountIf: Function({"this": "boolean"}, "bigint"),
    exp.LogicalAnd: Function({"this": "boolean"}, "boolean"),
    exp.LogicalOr: Function({"this": "boolean"}, "boolean"),
    exp.ArrayAgg: Function({"this": "any"}, _array_of("this"), frozenset({"nulls_excluded"})),
    exp.Stddev: _DOUBLE,
    exp.StddevPop: _DOUBLE,
    exp.StddevSamp: _DOUBLE,
    exp.Variance: _DOUBLE,
    exp.VariancePop: _DOUBLE,
}
WINDOW_FUNCTIONS: Mapping[type[exp.Expr], Function] = {
    exp.RowNumber: Function({}, "bigint"),
    exp.Rank: Function({}, "bigint"),
    exp.DenseRank: Function({}, "bigint"),
    exp.PercentRank: Function({}, "double"),
    exp.CumeDist: Function({}, "double"),
    exp.Ntile: Function({"this": "bigint"}, "bigint"),
    exp.Lag: Function({"this": "any", "offset": "bigint", "default": "any"}, _of("this")),
    exp.Lead: Function({"this": "any", "offset": "bigint", "default": "any"}, _of("this")),
    exp.FirstValue: Function({"this": "any"}, _of("this")),
    exp.LastValue: Function({"this": "any"}, _of("this")),
    exp.NthValue: Function({"this": "any", "offset": "bigint"}, _of("this")),
}
SCALARS: Mapping[type[exp.Expr], Function] = {
    exp.Abs: Function({"this": "number"}, _of("this")),
    exp.Ceil: Function({"this": "number"}, _of("this")),
    exp.Floor: Function({"this": "number"}, _of("this")),
    exp.Round: Function({"this": "number", "decimals": "bigint"}, _of("this")),
    exp.Sign: Function({"this": "number"}, _of("this")),
    exp.Sqrt: _DOUBLE,
    exp.Exp: _DOUBLE,
    exp.Ln: _DOUBLE,
    exp.Pow: Function({"this": "number", "expression": "number"}, "double"),
    exp.Lower: _TEXT,
    exp.Upper: _TEXT,
    exp.Trim: Function({"this": "varchar", "expression": "varchar"}, "varchar", frozenset({"position"})),
    exp.Length: Function({"this": "varchar"}, "bigint"),
    exp.Substring: Function({"this": "varchar", "start": "bigint", "length": "bigint"}),
    exp.Replace: Function({"this": "varchar", "expression": "varchar", "replacement": "varchar"}),
    exp.Reverse: _TEXT,
    exp.Pad: Function(
        {"this": "varchar", "expression": "bigint", "fill_pattern": "varchar"}, "varchar", frozenset({"is_left"})
    ),
    exp.Split: Function({"this": "varchar", "expression": "varchar"}, "array(varchar)"),
    exp.SplitPart: Function({"this": "varchar", "delimiter": "varchar", "part_index": "bigint"}),
    exp.StrPosition: Function({"this": "varchar", "substr": "varchar"}, "bigint"),
    exp.StartsWith: Function({"this": "varchar", "expression": "varchar"}, "boolean"),
    exp.RegexpLike: Function({"this": "varchar", "expression": "varchar"}, "boolean"),
    exp.RegexpExtract: Function({"this": "varchar", "expression": "varchar", "group": "bigint"}),
    exp.RegexpReplace: Function({"this": "varchar", "expression": "varchar", "replacement": "varchar"}),
    exp.Chr: Function({"expressions": "bigint"}),
    exp.Year: _PART_OF_TIME,
    exp.Quarter: _PART_OF_TIME,
    exp.Month: _PART_OF_TIME,
    exp.WeekOfYear: _PART_OF_TIME,
    exp.Day: _PART_OF_TIME,
    exp.DayOfMonth: _PART_OF_TIME,
    exp.DayOfWeekIso: _PART_OF_TIME,
    exp.DayOfYear: _PART_OF_TIME,
    exp.Hour: Function({"this": "timestamp"}, "bigint"),
    exp.Minute: Function({"this": "timestamp"}, "bigint"),
    exp.Second: Function({"this": "timestamp"}, "bigint"),
    exp.Date: Function({"this": "time"}, "date"),
    exp.TimestampTrunc: Function({"this": "time"}, _of("this"), frozenset({"unit"})),
    exp.DateTrunc: Function({"this": "time"}, _of("this"), frozenset({"unit"})),
    exp.DateAdd: Function({"this": "time", "expression": "bigint"}, _of("this"), frozenset({"unit"})),
    exp.DateDiff: Function({"this": "time", "expression": "time"}, "bigint", frozenset({"unit"})),
    exp.TimeToStr: Function({"this": "time"}, "varchar", frozenset({"format"})),
    exp.TimeToUnix: Function({"this": "timestamp"}, "double"),
    exp.UnixToTime: Function({"this": "number"}, "timestamp"),
    exp.FromISO8601Timestamp: Function({"this": "varchar"}, "timestamp"),
    exp.ArraySize: Function({"this": "array"}, "bigint"),
    exp.ArrayContains: Function({"this": "array", "expression": "any"}, "boolean"),
    exp.ArrayToString: Function({"this": "array", "expression": "varchar", "null": "varchar"}),
    exp.ArraySort: Function({"this": "array"}, _of("this"), frozenset({"nulls_first"})),
    exp.ArrayMax: Function({"this": "array"}, _element_of("this")),
    exp.ArrayMin: Function({"this": "array"}, _element_of("this")),
}
"""Functions of values; those whose arguments are checked in another way are in `workbench.sql.query.binding`."""
NAMED: Mapping[str, str] = {
    "size": "how long a text is, or how many members an array has",
    "changed": "whether an attribute differs between the images of a change",
    "attribute_exists": "whether an item has the attribute, also where it is NULL",
    "attribute_type": "the DynamoDB type of the attribute: S, N, BOOL, …",
    "any_match": "whether a lambda holds for an element of an array",
    "all_match": "whether a lambda holds for all elements of an array",
    "none_match": "whether a lambda holds for no element of an array",
}
"""Functions sqlglot does not know, by their names."""
NAMES: Mapping[type[exp.Expr], str] = {
    exp.ArgMax: "max_by",
    exp.ArgMin: "min_by",
    exp.DateDiff: "date_diff",
    exp.LogicalAnd: "bool_and",
    exp.LogicalOr: "bool_or",
    exp.Pow: "power",
    exp.Substring: "substr",
    exp.StrPosition: "strpos",
    exp.Pad: "lpad or rpad",
    exp.WeekOfYear: "week",
    exp.DayOfWeekIso: "day_of_week",
    exp.TimestampTrunc: "date_trunc",
    exp.TimeToStr: "date_format",
    exp.TimeToUnix: "to_unixtime",
    exp.DateDiff: "date_diff",
    exp.DateAdd: "date_add",
    exp.DayOfMonth: "day_of_month",
    exp.DayOfYear: "day_of_year",
    exp.UnixToTime: "from_unixtime",
    exp.FromISO8601Timestamp: "from_iso8601_timestamp",
    exp.ArraySize: "cardinality",
    exp.ArrayContains: "contains",
    exp.ArrayToString: "array_join",
    exp.ArrayFilter: "filter",
    exp.VariancePop: "var_pop",
}
"""What people call functions that sqlglot calls otherwise."""
UNITS_OF_DATES = frozenset({"DAY", "WEEK", "MONTH", "QUARTER", "YEAR"})
UNITS = UNITS_OF_DATES | {"MILLISECOND", "SECOND", "MINUTE", "HOUR"}
