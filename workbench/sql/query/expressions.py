"""The expressions of a query: names bound to columns, types checked, and functions that both engines answer alike."""

from __future__ import annotations

import math
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Literal

from sqlglot import exp

from workbench.errors import ParameterError, did_you_mean
from workbench.model.attribute_schema import Held, note_of
from workbench.model.times import instant
from workbench.sql.dialects import MICROSECONDS
from workbench.sql.query.functions import (
    AGGREGATES,
    MOST_DIGITS,
    NAMED,
    NAMES,
    SCALARS,
    UNITS,
    UNITS_OF_DATES,
    WINDOW_FUNCTIONS,
    Function,
    common,
    comparable,
    element,
    family,
    fits,
    in_words,
    scale_of,
)
from workbench.sql.query.names import (
    Ctes,
    Hit,
    OutColumn,
    Scope,
    Source,
    Step,
    begins,
    chain_of,
    every,
    in_text,
    inner_paths,
    is_called,
    label_text,
    merged_column,
    place,
    placed,
    put,
    quoted,
    used,
)
from workbench.sql.query.portable import Unlike, mended, whole_number
from workbench.sql.query.relations import KEY, Catalog, Path, Relation
from workbench.sql.query.source_text import SourceText
from workbench.sql.typed_attributes import (
    NO_MASKS,
    AttributeColumn,
    Masks,
    column_type,
    is_masked,
    refuse_masked_within,
)

Asked = Literal["value", "exists", "type"]
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NullSafeEQ, exp.NullSafeNEQ)
_ORDERED = (exp.GT, exp.GTE, exp.LT, exp.LTE)
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod)
_QUERIES = (exp.Select, exp.SetOperation)
_CASTS = {
    exp.DType.VARCHAR: "varchar",
    exp.DType.TEXT: "varchar",
    exp.DType.BIGINT: "bigint",
    exp.DType.INT: "bigint",
    exp.DType.DOUBLE: "double",
    exp.DType.BOOLEAN: "boolean",
    exp.DType.DATE: "date",
    exp.DType.TIMESTAMP: "timestamp",
    exp.DType.DECIMAL: "decimal",
}
_CAST_FROM = {
    "varchar": {"varchar", "bigint", "decimal", "boolean", "date", "timestamp"},
    "bigint": {"varchar", "bigint", "decimal", "double"},
    "double": {"varchar", "bigint", "decimal", "double"},
    "decimal": {"varchar", "bigint", "decimal", "double"},
    "boolean": {"varchar", "boolean"},
    "date": {"varchar", "date", "timestamp"},
    "timestamp": {"varchar", "date", "timestamp"},
}
_INTERVALS = frozenset({"SECOND", "MINUTE", "HOUR", "DAY", "WEEK", "MONTH", "YEAR"})
_DAY, _NUMBER = "[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}", r"[+-]?([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?"
_ALL_ALIKE = "it is masked, and all its values are shown alike: mask_with = 'hash' shows which differ"
_WRITTEN = {
    "bigint": r"^ *[+-]?[0-9]+ *\z",
    "decimal": rf"^ *{_NUMBER} *\z",
    "double": rf"^ *{_NUMBER} *\z",
    "boolean": r"^([tT][rR][uU][eE]|[fF][aA][lL][sS][eE]|[tTfF01])\z",
    "date": rf"^ *{_DAY} *\z",
    "timestamp": rf"^ *{_DAY}( [0-9]{{1,2}}:[0-9]{{1,2}}(:[0-9]{{1,2}}([.][0-9]{{1,6}})?)?)? *\z",
}
"""How texts are written that are cast to a type."""
_TIMESTAMP = exp.DataType.build("timestamp(6)", dialect="trino")


class Expressions(ABC):
    """Binds expressions; `Binder` binds the queries around and in them."""

    def __init__(self, text: SourceText, catalog: Catalog, now: datetime, masks: Masks = NO_MASKS) -> None:
        self._text, self._catalog, self._now_at, self._masks = text, catalog, now, masks
        self.relations: list[Relation] = []
        self.notes: dict[str, None] = {}
        self.keys: dict[int, str] = {}
        """By the ids of keys of ORDER BY, their types."""
        self._sources = self._queries = self._depth = 0
        self._attributes: dict[tuple[str, str], tuple[Relation, str, Path | str]] = {}
        self._redacted: set[tuple[str, str]] = set()
        """The columns of relations that show a mask, by what stands in FROM and their names."""

    @abstractmethod
    def query(self, node: exp.Expr, outer: Scope | None, ctes: Ctes) -> Sequence[OutColumn]:
        """Bind a query, and return its columns."""

    # Expressions.

    def typed(self, node: exp.Expr, scope: Scope) -> str:
        """Bind an expression, which another may come in the place of, and return its type."""
        if isinstance(node, exp.Column | exp.Dot | exp.Bracket) and (chain := chain_of(node)):
            return self._chain(node, chain, scope)
        if type(node) in AGGREGATES:
            return self._aggregate(node, scope)
        if function := SCALARS.get(type(node)):
            return self._call(node, function, scope)
        for kinds, bind in self._others.items():
            if isinstance(node, kinds):
                return bind(self, node, scope)
        if type(node) in WINDOW_FUNCTIONS:
            raise self.error(node, f"{called(node)} needs OVER (…) after it")
        raise self.error(node, self._not_there(node))

    def _not_there(self, node: exp.Expr) -> str:
        if isinstance(node, exp.Placeholder | exp.Parameter):
            return "a parameter is written :name here"
        if not isinstance(node, exp.Func):
            return f"{node.key.upper()} is not supported here"
        name = str(node.meta.get("name") or self._text.function_at(node) or called(node)).lower()
        known = [*NAMED, *(called(each) for each in (*AGGREGATES, *SCALARS, *WINDOW_FUNCTIONS))]
        return (
            f"there is no function {name!r} here: docs/time-travel.md lists those there are.{did_you_mean(name, known)}"
        )

    def _all(self, nodes: Sequence[exp.Expr], scope: Scope) -> list[str]:
        return [self.typed(each, scope) for each in list(nodes)]

    def _chain(self, node: exp.Expr, chain: Sequence[Step], scope: Scope) -> str:
        """Bind a chain of names."""
        if len(chain) == 1 and str(chain[0].name).lower() in scope.lambdas:
            return scope.lambdas[str(chain[0].name).lower()]
        merged = next((each for each in scope.merged if is_called(chain, each.label)), None)
        if merged:
            put(node, merged_column(merged))
            return merged.kind
        hit = self.resolved(chain, scope, node)
        column, kind = self.column(hit, place(node))
        value: exp.Expr = column
        for step in chain[hit.steps :]:
            if isinstance(step.name, str) or family(kind) != "array":
                whole = in_text(chain[: hit.steps])
                raise self.error(
                    step.node,
                    f"{whole} is {in_words(kind)}, which has no members: name what is in it where the table is in FROM",
                )
            if step.name < 0:
                raise self.error(step.node, "elements are counted from 1")
            value, kind = exp.Bracket(this=value, expressions=[exp.Literal.number(step.name)]), element(kind)
            value.set("safe", True)
        put(node, value)
        return kind

    def _subscript(self, node: exp.Expr, scope: Scope) -> str:
        (index,) = node.expressions
        at = place(node)
        kind = self.typed(node.this, scope)
        if family(kind) != "array":
            raise self.error(at, f"[…] takes an element of an array, and this is {in_words(kind)}")
        if self.typed(index, scope) not in ("bigint", "null"):
            raise self.error(at, "an index is a whole number")
        if whole_number(node.expressions[0]) is None:  # engines count from the end, or fail, below 1
            number = node.expressions[0]
            above = exp.GT(this=number.copy(), expression=exp.Literal.number(0))
            node.set("expressions", [exp.Case().when(above, number.copy())])
        node.set("safe", True)
        return element(kind)

    def _literal(self, node: exp.Expr, scope: Scope) -> str:
        if node.is_string:
            return "varchar"
        text = str(node.this).lower()
        if "e" in text:
            if not math.isfinite(float(text)):
                raise self.error(node, "this is more than a double holds")
            return "double"
        whole, point, fraction = text.partition(".")
        digits = len(whole.lstrip("0")) + len(fraction)
        if point:
            if digits > MOST_DIGITS:
                raise self.error(node, f"a decimal has {MOST_DIGITS} digits at most, and this has {digits}")
            return f"decimal({max(digits, 1)},{len(fraction)})"
        if int(whole) >= 2**63 + isinstance(node.parent, exp.Neg):
            raise self.error(node, f"this is more than 64 bits hold: write decimal '{text}'")
        return "bigint"

    def _variable(self, node: exp.Expr, scope: Scope) -> str:
        if (kind := scope.lambdas.get(str(node.this).lower())) is None:
            raise self.error(node, f"there is no {node.this}")
        return kind

    def _query_as_value(self, node: exp.Expr, scope: Scope) -> str:
        inner = node.this if isinstance(node, exp.Subquery) else node
        columns = self.query(inner, scope, scope.ctes)
        if len(columns) != 1:
            raise self.error(node, f"a query in an expression has one column, and this has {len(columns)}")
        return columns[0].kind

    def _exists(self, node: exp.Expr, scope: Scope) -> str:
        self.query(node.this, scope, scope.ctes)
        return "boolean"

    def _some(self, node: exp.Expr, scope: Scope) -> str:
        inner = node.this
        if not isinstance(inner, exp.Subquery | exp.Query):
            raise self.error(node, f"{node.key.upper()} takes a query in parentheses")
        return self._query_as_value(inner, scope)

    def _logic(self, node: exp.Expr, scope: Scope) -> str:
        for each in list(node.iter_expressions()):
            at = place(each)
            if (kind := self.typed(each, scope)) not in ("boolean", "null"):
                raise self.error(at, f"{node.key.upper()} takes conditions, and this is {in_words(kind)}")
        return "boolean"

    def _compared(self, node: exp.Expr, scope: Scope) -> str:
        parts = [node.this, node.expression]
        at, places = place(node), list(map(place, parts))
        kinds = self._all(parts, scope)
        kinds = self._as_meant([node.this, node.expression], kinds)
        shared = self._comparable(kinds, places, at, arrays=isinstance(node, exp.NullSafeEQ | exp.NullSafeNEQ))
        self._tells_apart(node.this, node.expression, at)
        if shared == "varbinary" and isinstance(node, _ORDERED):
            raise self.error(at, f"{in_words(kinds[0])} is neither less nor greater than another")
        return "boolean"

    def _comparable(
        self, kinds: Sequence[str], places: Sequence[exp.Expr], at: exp.Expr, *, arrays: bool = False
    ) -> str:
        """Refuse to compare what engines would turn into each other, or fail on; and arrays, of which NULL is one."""
        for number, kind in enumerate(kinds[1:], 1):
            if comparable(kinds[0], kind):
                continue
            pair = {family(kinds[0]), family(kind)}
            advice = "compare like with like, by cast(… as …)"
            if pair <= {"varchar", "timestamp", "date"}:
                advice = "write a time as timestamp '2026-11-18 12:00:00'"
            elif "varchar" in pair and pair & {"bigint", "decimal", "double"}:
                advice = "write a number without quotes, or use cast(… as …)"
            raise self.error(
                at if len(kinds) == 2 or "start" not in places[number].meta else places[number],
                f"{in_words(kinds[0])} is compared with {in_words(kind)}: {advice}",
            )
        if not arrays and "array" in map(family, kinds):
            raise self.error(at, "arrays are compared by IS [NOT] DISTINCT FROM, or as texts by array_join")
        return comparable(kinds[0], kinds[-1])

    def _tells_apart(self, one: exp.Expr, other: exp.Expr, at: exp.Expr) -> None:
        """Refuse to compare two columns that a mask shows alike, whatever they hold."""
        if self._masks.how == "redact" and all(
            isinstance(each, exp.Column) and (each.table, each.name) in self._redacted for each in (one, other)
        ):
            raise self.error(at, _ALL_ALIKE)

    def _as_meant(self, nodes: Sequence[exp.Expr], kinds: Sequence[str]) -> list[str]:
        """Read parameters of the command line as what they are compared with is."""
        known = [kind for node, kind in zip(nodes, kinds, strict=True) if not self._untyped(node)]
        meant = []
        for node, kind in zip(nodes, kinds, strict=True):
            wanted = (
                next((each for each in known if each not in ("varchar", "null")), "") if self._untyped(node) else ""
            )
            read = _read(str(node.this), wanted) if wanted else None
            if read is not None:
                put(node, read)
            meant.append(wanted if read is not None else kind)
        return meant

    def _untyped(self, node: exp.Expr) -> bool:
        return isinstance(node, exp.Literal) and node.is_string and node.meta.get("start") in self._text.untyped

    def _between(self, node: exp.Expr, scope: Scope) -> str:
        names, at = ("this", "low", "high"), place(node)
        places = [place(node.args[name]) for name in names]
        kinds = [self.typed(node.args[name], scope) for name in names]
        kinds = self._as_meant([node.args[name] for name in names], kinds)
        if self._comparable(kinds, places, at) in ("array", "varbinary"):
            raise self.error(at, "BETWEEN takes numbers, texts and times")
        return "boolean"

    def _in(self, node: exp.Expr, scope: Scope) -> str:
        at, places = place(node), [place(each) for each in [node.this, *node.expressions]]
        if node.args.get("unnest") or node.args.get("field"):
            raise self.error(at, "IN takes values in parentheses, or a query")
        if query := node.args.get("query"):
            kinds = [self.typed(node.this, scope), self._query_as_value(query, scope)]
            self._comparable(kinds, places, at)
            return "boolean"
        kinds = self._all([node.this, *node.expressions], scope)
        kinds = self._as_meant([node.this, *node.expressions], kinds)
        self._comparable(kinds, places, at)
        return "boolean"

    def _is(self, node: exp.Expr, scope: Scope) -> str:
        kind = self.typed(node.this, scope)
        tested = node.expression
        if isinstance(tested, exp.Boolean) and kind in ("boolean", "null"):  # which Athena does not know
            known = exp.Coalesce(this=node.this.copy(), expressions=[exp.Boolean(this=not tested.this)])
            put(node, exp.paren(known if tested.this else exp.Not(this=known)))
            return "boolean"
        if not isinstance(tested, exp.Null):
            raise self.error(node, "IS tests for NULL: attribute_exists(x) tells whether an attribute is there")
        return "boolean"

    def _like(self, node: exp.Expr, scope: Scope) -> str:
        for each in (node.this, node.expression):
            at = place(each)
            if not fits(kind := self.typed(each, scope), "varchar"):
                raise self.error(at, f"LIKE takes texts, and this is {in_words(kind)}")
        return "boolean"

    def _escape(self, node: exp.Expr, scope: Scope) -> str:
        by, pattern = node.expression, node.this.expression
        if not all(isinstance(each, exp.Literal) and each.is_string for each in (by, pattern)):
            raise self.error(node, "of LIKE with ESCAPE, both are texts that are written here")
        sign = re.escape(str(by.this))
        if (
            len(by.this) != 1
            or by.this in "%_"
            or not re.fullmatch(f"(?:{sign}[%_{sign}]|[^{sign}])*", str(pattern.this), re.DOTALL)
        ):
            raise self.error(by, "ESCAPE takes one sign, after which %, _ or itself stands")
        return self.typed(node.this, scope)

    def _negative(self, node: exp.Expr, scope: Scope) -> str:
        at = place(node)
        if not fits(kind := self.typed(node.this, scope), "number"):
            raise self.error(at, f"- takes a number, and this is {in_words(kind)}")
        return kind

    def _parenthesised(self, node: exp.Expr, scope: Scope) -> str:
        return self.typed(node.this, scope)

    def _reckoned(self, node: exp.Expr, scope: Scope) -> str:
        """Bind +, -, *, / and %: of numbers, and of a time and an interval; what is divided by 0 is NULL."""
        at, places = place(node), [place(node.this), place(node.expression)]
        kinds = self._all([node.this, node.expression], scope)
        left, right = map(family, kinds)
        if "interval" in (left, right):
            if isinstance(node, exp.Add | exp.Sub) and left in ("timestamp", "date") and right == "interval":
                unit = str(node.expression.args["unit"]).upper() if isinstance(node.expression, exp.Interval) else ""
                if left == "date" and unit.removesuffix("S") not in UNITS_OF_DATES:
                    raise self.error(at, "to a date, days, weeks, months and years are added")
                if left == "date":
                    node.replace(exp.cast(node.copy(), "date"))
                return kinds[0]
            raise self.error(at, "an interval is added to a time, or taken from one")
        if left in ("timestamp", "date") and right in ("timestamp", "date"):
            raise self.error(at, "the time between two instants is date_diff('second', first, second)")
        for kind, where in zip(kinds, places, strict=True):
            if not fits(kind, "number"):
                raise self.error(where, f"{node.key.upper()} takes numbers, and this is {in_words(kind)}")
        kind = common(kinds)
        if isinstance(node, exp.Div | exp.Mod):
            if isinstance(node, exp.Div) and family(kind) == "decimal":  # to whose scale one engine rounds
                kind = "double"
                node.set("this", exp.cast(node.this, "double"))
                node.set("expression", exp.cast(node.expression, "double"))
            node.set("expression", exp.Nullif(this=node.expression, expression=exp.Literal.number(0)))
        return self._of_38_digits(node, kinds, at) if family(kind) == "decimal" else kind

    def _of_38_digits(self, node: exp.Expr, kinds: Sequence[str], at: exp.Expr) -> str:
        """Reckon with decimals as widely as they go, which one engine does by itself."""
        if isinstance(node, exp.Mod):
            raise self.error(at, "of decimals there is no remainder: cast them to bigint or double")
        scales = [scale_of(kind) for kind in kinds]
        scale = sum(scales) if isinstance(node, exp.Mul) else max(scales)
        if scale > MOST_DIGITS:
            raise self.error(at, f"this has {scale} digits after the point: use cast(… as double), or round it before")
        for name, each in zip(("this", "expression"), scales, strict=True):
            node.set(name, exp.cast(node.args[name], f"decimal({MOST_DIGITS},{each})"))
        return f"decimal({MOST_DIGITS},{scale})"

    def _joined(self, node: exp.Expr, scope: Scope) -> str:
        parts = node.expressions if isinstance(node, exp.Concat) else [node.this, node.expression]
        for each in list(parts):
            at = place(each)
            if not fits(kind := self.typed(each, scope), "varchar"):
                raise self.error(at, f"texts are joined, and this is {in_words(kind)}: use cast(… as varchar)")
            if kind == "null":
                put(each, exp.cast(exp.null(), "varchar"))
        return "varchar"

    def _case(self, node: exp.Expr, scope: Scope) -> str:
        of, results, places = node.this, list[str](), list[exp.Expr]()
        tested = self.typed(of, scope) if of else "boolean"
        for each in node.args["ifs"]:
            at = place(each.this)
            kind = self.typed(each.this, scope)
            if not comparable(tested, kind):
                raise self.error(at, f"WHEN takes {in_words(tested)} here, and this is {in_words(kind)}")
            places.append(place(each.args["true"]))
            results.append(self.typed(each.args["true"], scope))
        if otherwise := node.args.get("default"):
            places.append(place(otherwise))
            results.append(self.typed(otherwise, scope))
        return self._of_one_kind(results, places)

    def _if(self, node: exp.Expr, scope: Scope) -> str:
        at = place(node.this)
        if (kind := self.typed(node.this, scope)) not in ("boolean", "null"):
            raise self.error(at, f"IF takes a condition, and this is {in_words(kind)}")
        parts = [node.args[name] for name in ("true", "false") if node.args.get(name)]
        places = list(map(place, parts))
        return self._of_one_kind(self._all(parts, scope), places)

    def _one_of(self, node: exp.Expr, scope: Scope) -> str:
        parts = [node.this, *node.expressions]
        places = list(map(place, parts))
        if isinstance(node, exp.Coalesce) and len(parts) == 1:
            raise self.error(node, "coalesce takes two values or more")
        return self._of_one_kind(self._all(parts, scope), places)

    def _null_if(self, node: exp.Expr, scope: Scope) -> str:
        parts, at = [node.this, node.expression], place(node)
        kinds = self._all(parts, scope)
        self._comparable(kinds, list(map(place, parts)), at)
        return kinds[0]

    def _of_one_kind(self, kinds: Sequence[str], places: Sequence[exp.Expr]) -> str:
        for kind, at in zip(kinds[1:], places[1:], strict=True):
            if not comparable(kinds[0], kind):
                where = at if "start" in at.meta else places[0]
                raise self.error(where, f"it is {in_words(kinds[0])} in one case, and {in_words(kind)} in this")
        return common(kinds)

    def _interval(self, node: exp.Expr, scope: Scope) -> str:
        unit = str(node.args.get("unit") or "").upper().removesuffix("S")
        days = {"WEEK": 7}.get(unit, 1)
        if unit not in _INTERVALS or not isinstance(node.this, exp.Literal) or not str(node.this.this).isdigit():
            raise self.error(node, "an interval is written like interval '7' day")
        if days > 1:
            put(node, exp.Interval(this=exp.Literal.string(str(days * int(node.this.this))), unit=exp.var("DAY")))
        return "interval"

    def _now(self, node: exp.Expr, scope: Scope) -> str:
        if isinstance(node, exp.CurrentDate):
            put(node, exp.cast(exp.Literal.string(f"{self._now_at:%Y-%m-%d}"), "date"))
            return "date"
        put(node, timestamp(self._now_at))
        return "timestamp"

    def _in_zone(self, node: exp.Expr, scope: Scope) -> str:
        at = place(node)
        if self.typed(node.this, scope) != "timestamp":
            raise self.error(at, "AT TIME ZONE takes a timestamp, in UTC")
        zone = node.args.get("zone")
        if not (isinstance(zone, exp.Literal) and zone.is_string and re.search(r"/|^UTC$", zone.this)):
            raise self.error(at, "AT TIME ZONE takes a zone like 'Europe/Berlin'")
        try:
            instant(self._now_at, str(zone.this))
        except ParameterError as error:
            raise self.error(zone, str(error)) from None
        node.set("this", exp.AtTimeZone(this=node.this.copy(), zone=exp.Literal.string("UTC")))
        return "timestamp"

    def _extracted(self, node: exp.Expr, scope: Scope) -> str:
        at = place(node)
        unit = {"DOW": "DAYOFWEEKISO", "DAY_OF_WEEK": "DAYOFWEEKISO", "DOY": "DAYOFYEAR"}.get(str(node.this).upper())
        if not unit and str(node.this).upper() not in UNITS - {"MILLISECOND"}:
            raise self.error(at, f"EXTRACT takes {', '.join(sorted(UNITS)).lower()}, dow or doy")
        wanted = "time" if unit or str(node.this).upper() in UNITS_OF_DATES else "timestamp"
        if not fits(kind := self.typed(node.expression, scope), wanted):
            raise self.error(at, f"EXTRACT takes {in_words(wanted)} here, and this is {in_words(kind)}")
        if unit:
            name = exp.DayOfWeekIso if unit == "DAYOFWEEKISO" else exp.DayOfYear
            put(node, name(this=node.expression.copy()))
        return "bigint"

    def _cast(self, node: exp.Expr, scope: Scope) -> str:
        """Bind a cast, as both engines do it alike."""
        at, to = place(node), node.args["to"]
        kind = _CASTS.get(to.this, "")
        if (moment := moment_of(node)) is not None:
            put(node, timestamp(moment))
            return "timestamp"
        if to.this == exp.DType.TIMESTAMPTZ:
            raise self.error(
                at, "times here are UTC, without a zone: use AT TIME ZONE 'Europe/Berlin' for those of a zone"
            )
        if not kind:
            raise self.error(at, f"there is no cast to {to.sql('athena').lower()}: there are {', '.join(_CAST_FROM)}")
        value = node.this
        literal = str(value.this) if isinstance(value, exp.Literal) and value.is_string else None
        of = family(self.typed(value, scope))
        value = node.this
        if of not in (*_CAST_FROM[kind], "null"):
            advice = ": double is written in different ways, round it to decimal(18, 2) first" if of == "double" else ""
            raise self.error(at, f"{in_words(of)} is not cast to {in_words(kind)}{advice}")
        result = self._decimal(node, to, literal) if kind == "decimal" else kind
        if kind == "timestamp":
            node.set("to", _TIMESTAMP.copy())
        elif kind != "decimal":
            node.set("to", exp.DataType.build(kind))
        if kind == "bigint" and of in ("double", "decimal"):
            node.set("this", exp.Round(this=value.copy()))
        elif kind == "varchar" and of == "timestamp":
            put(node, exp.TimeToStr(this=value.copy(), format=exp.Literal.string(MICROSECONDS)))
        elif kind != "varchar" and of == "varchar":
            self._as_written(node, kind, literal)
        return result

    def _decimal(self, node: exp.Expr, to: exp.Expr, literal: str | None) -> str:
        sizes = [int(str(each.this)) for each in to.expressions]
        if not sizes and literal is not None:
            try:
                digits = Decimal(literal).as_tuple()
            except InvalidOperation:
                raise self.error(node, f"{literal!r} is no number") from None
            exponent = int(digits.exponent)
            sizes = [max(len(digits.digits) + max(exponent, 0), -exponent, 1), max(-exponent, 0)]
        sizes = [*(sizes or [38]), 0][:2]
        if not 1 <= sizes[0] <= 38 or sizes[1] > sizes[0]:
            raise self.error(node, "a decimal has 1 to 38 digits, and no more of them after the point")
        kind = f"decimal({sizes[0]},{sizes[1]})"
        node.set("to", exp.DataType.build(kind))
        return kind

    def _as_written(self, node: exp.Expr, kind: str, literal: str | None) -> None:
        """Take a text that is not written as a type is for none of it, whatever an engine makes of it."""
        pattern, is_tried = _WRITTEN[kind], isinstance(node, exp.TryCast)
        if literal is not None and re.fullmatch(pattern.removesuffix(r"\z"), literal):
            node.set("this", exp.Literal.string(literal.strip()))
            return
        if literal is not None and not is_tried:
            raise self.error(node, f"{literal!r} is not {in_words(kind)} as it is written here")
        text = node.this
        matches = exp.RegexpLike(this=text.copy(), expression=exp.Literal.string(pattern))
        refused = exp.Null() if is_tried else exp.Literal.string(f"this is not {in_words(kind)}")
        node.set("this", exp.Case().when(exp.Not(this=matches), refused).else_(exp.Trim(this=text.copy())))

    # Functions.

    def _call(self, node: exp.Expr, function: Function, scope: Scope) -> str:
        kinds: dict[str, str] = {}
        for name, given in list(node.args.items()):
            if given in (None, [], False) or name in function.plain or not _expressions(given):
                continue
            if name not in function.takes:
                raise self.error(node, f"{called(node)} does not take so many arguments")
            for each in list(given) if isinstance(given, list) else [given]:
                at = place(each)
                kinds[name] = self.typed(each, scope)
                wanted = function.takes[name]
                if not fits(kinds[name], wanted):
                    told = f"{called(node)} takes {in_words(wanted)} here, and this is {in_words(kinds[name])}"
                    raise self.error(at, told)
                if kinds[name] == "null" and wanted != "any":
                    raise self.error(at, f"{called(node)} of NULL: write its type, as in cast(null as varchar)")
        at, returns = place(node), function.returns
        returned = returns if isinstance(returns, str) else returns(kinds)
        try:
            call, kind = mended(node, kinds, returned)
        except Unlike as error:
            raise self.error(at, f"{called(node)}: {error}") from None
        if call is not node:
            put(node, call)
        return kind

    def _aggregate(self, node: exp.Expr, scope: Scope, *, window: bool = False) -> str:
        if scope.refused and not window:
            raise self.error(node, scope.refused)
        if not window:
            scope.aggregates.append(node)
            node.meta["aggregate"] = True
        within = scope if window else scope.within_aggregate()
        at, given = place(node), node.this
        if isinstance(node, exp.Count) and (given is None or isinstance(given, exp.Star)):
            return "bigint"
        if isinstance(given, exp.Distinct):
            if len(given.expressions) != 1 or given.args.get("on"):
                raise self.error(at, "DISTINCT takes one expression in an aggregate")
            kind = self._argument(given.expressions[0], node, within)
        elif isinstance(given, exp.Order) and isinstance(node, exp.ArrayAgg):
            kind = self._argument(given.this, node, within)
            for each in given.expressions:
                self.typed(each.this, within)
            return f"array({kind})"
        else:
            kind = self._argument(given, node, within)
        others = {name: node.args[name] for name in ("expression",) if node.args.get(name) is not None}
        for name, other in others.items():
            where = place(other)
            if not fits(found := self.typed(other, within), AGGREGATES[type(node)].takes.get(name, "any")):
                raise self.error(where, f"{called(node)} takes no {in_words(found)} here")
        if node.args.get("expressions") or node.args.get("count"):
            raise self.error(at, f"{called(node)} does not take so many arguments")
        self._exact(node, kind)
        if isinstance(node, exp.ArrayAgg):  # in one order, whatever order rows come in
            of = node.this
            if family(kind) in ("array", "null"):
                raise self.error(at, f"array_agg takes numbers, texts and times, and this is {in_words(kind)}")
            key = (of.expressions[0] if isinstance(of, exp.Distinct) else of).copy()
            node.set("this", exp.Order(this=of.copy(), expressions=[exp.Ordered(this=key, nulls_first=False)]))
        returns = AGGREGATES[type(node)].returns
        return returns if isinstance(returns, str) else returns({"this": kind})

    def _argument(self, node: exp.Expr, aggregate: exp.Expr, scope: Scope) -> str:
        at = place(node)
        wanted = AGGREGATES[type(aggregate)].takes["this"]
        if not fits(kind := self.typed(node, scope), wanted):
            name = called(aggregate)
            raise self.error(at, f"{name} takes {in_words(wanted)}, and this is {in_words(kind)}")
        if kind == "null" and wanted != "any":
            raise self.error(at, f"{called(aggregate)} of NULL: write its type, as in cast(null as bigint)")
        return kind

    def _exact(self, node: exp.Expr, kind: str) -> None:
        """Add up integers as decimals, which do not overflow, and average as doubles, which are not cut to cents."""
        to = {("sum", "bigint"): "decimal(38,0)", ("avg", "decimal"): "double", ("avg", "bigint"): "double"}
        if wanted := to.get((node.key, family(kind))):
            of = node.this.expressions[0] if isinstance(node.this, exp.Distinct) else node.this
            of.replace(exp.cast(of.copy(), wanted))

    def _filtered(self, node: exp.Expr, scope: Scope) -> str:
        aggregate = node.this
        if type(aggregate) not in AGGREGATES:
            raise self.error(node, "FILTER stands after an aggregate")
        kind = self.typed(aggregate, scope)
        at = place(node.expression)
        if (condition := self.typed(node.expression.this, scope.within_aggregate())) not in ("boolean", "null"):
            raise self.error(at, f"FILTER takes a condition, and this is {in_words(condition)}")
        return kind

    def window(self, node: exp.Expr, scope: Scope) -> str:
        """Bind a window: what stands before OVER, and what is in its parentheses, or after WINDOW w AS."""
        at, of = place(node), node.this
        if scope.refused:
            raise self.error(at, "a window function stands in SELECT or ORDER BY")
        if node.args.get("first") or str(node.args.get("over") or "OVER").upper() != "OVER":
            raise self.error(at, "this window is not supported")
        kind = ""
        if not isinstance(of, exp.Identifier):
            inner = of.this if isinstance(of, exp.IgnoreNulls | exp.RespectNulls) else of
            if isinstance(inner, exp.Filter) or isinstance(inner.this, exp.Distinct):
                raise self.error(at, "Athena's windows know neither FILTER nor DISTINCT: use CASE in the aggregate")
            if isinstance(inner, exp.ArrayAgg):
                raise self.error(at, "array_agg is no window function: use GROUP BY")
            if function := WINDOW_FUNCTIONS.get(type(inner)):
                kind = self._call(inner, function, scope)
            elif type(inner) in AGGREGATES:
                kind = self._aggregate(inner, scope, window=True)
            else:
                raise self.error(at, "OVER stands after an aggregate or a window function")
        named = node.args.get("alias")
        if named and kind and named.this.lower() not in scope.windows:
            raise self.error(named, f"there is no WINDOW {named.this}")
        self._all(node.args.get("partition_by") or [], scope)
        if order := node.args.get("order"):
            for each in order.expressions:
                self.typed(each.this, scope)
        if spec := node.args.get("spec"):
            for side in ("start", "end"):
                bound = spec.args.get(side)
                if isinstance(bound, exp.Expr) and not (isinstance(bound, exp.Literal) and not bound.is_string):
                    raise self.error(at, "the frame of a window takes whole numbers of rows")
            if str(spec.args.get("kind") or "").upper() not in ("ROWS", "RANGE") or spec.args.get("exclude"):
                raise self.error(at, "the frame of a window is of ROWS or RANGE")
        return kind

    def _array(self, node: exp.Expr, scope: Scope) -> str:
        places = list(map(place, node.expressions))
        return f"array({self._of_one_kind(self._all(node.expressions, scope) or ['null'], places or [node])})"

    def _of_elements(self, node: exp.Expr, scope: Scope) -> str:
        """Bind a function that takes an array and a lambda of its elements."""
        parts = node.expressions if isinstance(node, exp.Anonymous) else [node.this, node.expression]
        name = called(node)
        if len(parts) != 2 or not isinstance(parts[1], exp.Lambda) or len(parts[1].expressions) != 1:
            raise self.error(node, f"{name} takes an array, and a lambda like x -> x > 1")
        at = place(parts[0])
        kind = self.typed(parts[0], scope)
        if family(kind) != "array":
            raise self.error(at, f"{name} takes an array, and this is {in_words(kind)}")
        variable = str(parts[1].expressions[0].this).lower()
        inside = self.typed(parts[1].this, replace(scope, lambdas={**scope.lambdas, variable: element(kind)}))
        if isinstance(node, exp.Transform):
            return f"array({inside})"
        if inside not in ("boolean", "null"):
            raise self.error(node, f"{name} takes a condition, and this is {in_words(inside)}")
        if isinstance(node, exp.ArrayFilter):
            return kind
        array, holds = node.expressions
        kept = exp.ArraySize(this=exp.ArrayFilter(this=array.copy(), expression=holds.copy()))
        if name == "any_match":
            put(node, exp.paren(exp.GT(this=kept, expression=exp.Literal.number(0))))
        else:
            among = exp.Literal.number(0) if name == "none_match" else exp.ArraySize(this=array.copy())
            put(node, exp.paren(exp.EQ(this=kept, expression=among)))
        return "boolean"

    def _named_function(self, node: exp.Expr, scope: Scope) -> str:
        name = str(node.this).lower()
        if name in ("any_match", "all_match", "none_match"):
            return self._of_elements(node, scope)
        if name not in NAMED or len(node.expressions) != 1:
            raise self.error(node, self._not_there(node) if name not in NAMED else f"{name} takes one argument")
        (given,) = node.expressions
        if name == "size":
            at = place(node)
            kind = family(self.typed(given, scope))
            if kind not in ("varchar", "array"):
                raise self.error(at, f"size takes a text or an array, and this is {in_words(kind)}")
            sized = exp.ArraySize if kind == "array" else exp.Length
            put(node, sized(this=node.expressions[0].copy()))
            return "bigint"
        chain = chain_of(given)
        if chain is None:
            raise self.error(given, f"{name} takes an attribute")
        if name == "changed":
            return self._changed(node, chain, scope)
        hit = self.resolved(chain, scope, given)
        if not hit.path or hit.steps < len(chain):
            raise self.error(given, f"{name} takes an attribute of a table itself")
        return self._told(node, hit, "exists" if name == "attribute_exists" else "type")

    def _told(self, node: exp.Expr, hit: Hit, what: Asked) -> str:
        assert hit.source.relation
        column, kind = self._attribute(hit.source.relation, hit.image, hit.path, what, node)
        put(node, exp.column(quoted(column), table=quoted(hit.source.inner)))
        return kind

    def _changed(self, node: exp.Expr, chain: Sequence[Step], scope: Scope) -> str:
        """Write that an attribute differs between the images of a change: in its value, its type, or if it is there."""
        sources = [each for each in scope.sources if each.relation and "new" in each.relation.kind.images]
        named = [each for each in sources if len(chain) > 1 and chain[0].means(each.alias)]
        for source in named or sources:
            relation = source.relation
            assert relation
            steps = chain[1:] if named else chain
            path = self._path(steps, relation, "new_image")
            if not path or len(path) < len(steps):
                continue
            tests = list[exp.Expr]()
            whats: Sequence[Asked] = ("value", "type")
            names = tuple(step for step in path if isinstance(step, str))
            if any(names[: len(mask)] == mask for mask in self._masks.paths):
                if self._masks.how == "redact":
                    raise self.error(node, _ALL_ALIKE)
                whats = ("value",)  # whose hash is of its type too
            for what in whats:
                sides = [self._attribute(relation, image, path, what, node)[0] for image in ("new_image", "old_image")]
                one, other = (exp.column(quoted(each), table=quoted(source.inner)) for each in sides)
                tests.append(exp.NullSafeNEQ(this=one, expression=other))
            put(node, exp.paren(exp.or_(*tests)))
            return "boolean"
        raise self.error(node, 'changed(x) takes an attribute of the images of a "T$changes" in FROM')

    _others: Mapping[type[exp.Expr] | tuple[type[exp.Expr], ...], Callable[[Expressions, exp.Expr, Scope], str]] = {
        exp.Literal: _literal,
        exp.Null: lambda self, node, scope: "null",
        exp.Boolean: lambda self, node, scope: "boolean",
        exp.Identifier: _variable,
        exp.Bracket: _subscript,
        exp.Paren: _parenthesised,
        (exp.Subquery, *_QUERIES): _query_as_value,
        exp.Exists: _exists,
        (exp.Any, exp.All): _some,
        (exp.And, exp.Or, exp.Not): _logic,
        _COMPARISONS: _compared,
        exp.Between: _between,
        exp.In: _in,
        exp.Is: _is,
        exp.Escape: _escape,
        exp.Like: _like,
        exp.Neg: _negative,
        _ARITHMETIC: _reckoned,
        (exp.DPipe, exp.Concat): _joined,
        exp.Case: _case,
        exp.If: _if,
        (exp.Coalesce, exp.Greatest, exp.Least): _one_of,
        exp.Nullif: _null_if,
        exp.Interval: _interval,
        (exp.CurrentTimestamp, exp.CurrentDate, exp.Localtimestamp): _now,
        exp.AtTimeZone: _in_zone,
        exp.Extract: _extracted,
        (exp.Cast, exp.TryCast): _cast,
        exp.Filter: _filtered,
        exp.Window: window,
        exp.Array: _array,
        (exp.Transform, exp.ArrayFilter): _of_elements,
        exp.Anonymous: _named_function,
    }

    # Names.

    def resolved(self, chain: Sequence[Step], scope: Scope, at: exp.Expr) -> Hit:
        """Return what a chain of names means.

        A source called like its first name wins, then the one source that has it, then those of the query around.
        """
        around: Scope | None = scope
        while around:
            called = [each for each in around.sources if each.alias and chain[0].means(each.alias) and len(chain) > 1]
            exact = [each for each in called if each.alias == chain[0].name]
            by_name = [
                replace(hit, steps=hit.steps + 1) for each in (exact or called) if (hit := self.find(chain[1:], each))
            ]
            hits = [hit for each in around.sources if (hit := self.find(chain, each))]
            if by_name and hits:
                told, rest = in_text(chain), in_text(chain[1:])
                note = f"{told} is {rest} of {chain[0].name}, though there is an attribute too: item.{told} is that"
                self.notes[note] = None
            if by_name:
                return by_name[0]
            if len(hits) > 1:
                tables = " and ".join(each.source.alias or "a query in FROM" for each in hits)
                example = f"{hits[0].source.alias or 'a'}.{in_text(chain)}"
                raise self.error(at, f"it is in {tables}: put the name of the one meant before it, like {example}")
            if hits:
                return hits[0]
            around = around.outer
        raise self.error(at, self.unknown(chain, scope.sources))

    def unknown(self, chain: Sequence[Step], sources: Sequence[Source]) -> str:
        """Say that there is nothing of a name, and what may be meant."""
        names: dict[str, None] = {}
        called = [each for each in sources if each.alias and chain[0].means(each.alias) and len(chain) > 1]
        for source in called or sources:
            names |= dict.fromkeys(label_text(hit.label) for hit in every(source) if hit.label)
            if source.relation:
                names |= dict.fromkeys(
                    path for path in inner_paths(source.relation.schema) if not source.relation.kind.suffix
                )
        wanted = in_text(chain[1:] if called else chain)
        where = " and ".join(source.alias or "a query in FROM" for source in called or sources) or "nothing in FROM"
        return f"there is no {wanted} in {where}.{did_you_mean(wanted, names)}"

    def find(self, chain: Sequence[Step], source: Source) -> Hit | None:
        """Return what a chain of names leads to in a source."""
        relation = source.relation
        if relation is None:
            exact = [each for each in source.columns if each.label and begins(chain, each.label, exactly=True)]
            found = exact or [each for each in source.columns if each.label and begins(chain, each.label)]
            if len(found) > 1 and len({each.label for each in found}) == 1:
                raise self.error(
                    chain[0].node, f"{in_text(chain)} is the name of several columns there: rename them with AS"
                )
            if len(found) > 1:
                names = " or ".join(label_text(each.label) for each in found)
                raise self.error(chain[0].node, f"this may be {names}: put the one meant in double quotes")
            return Hit(source, used(chain, found[0].label), column=found[0]) if found else None
        first = chain[0]
        if len(chain) == 1 and first.means(KEY):
            return Hit(source, 1, metadata=KEY)
        if len(chain) == 1:
            for name in relation.kind.metadata:
                if first.means(name):
                    return Hit(source, 1, metadata=name)
        for prefix in relation.kind.prefixes if len(chain) > 1 else ():
            if first.means(prefix):
                image = relation.kind.images[prefix]
                if found_path := self._path(chain[1:], relation, image):
                    return Hit(source, 1 + len(found_path), image, found_path, prefix=prefix)
        image = relation.kind.images[""]
        if found_path := self._path(chain, relation, image):
            return Hit(source, len(found_path), image, found_path)
        return None

    def _path(self, chain: Sequence[Step], relation: Relation, image: str) -> Path:
        """Return the path of an attribute that a chain begins with; () where there is none."""
        node: Held = relation.schema
        path: list[str | int] = []
        for step in chain:
            if isinstance(step.name, int):
                if node.elements is None:
                    return tuple(path) if {"SS", "NS", "BS"} & set(node.kinds) else ()
                if step.name < 0:
                    raise self.error(step.node, "elements are counted from 1")
                node = node.elements
                path.append(step.name)
                continue
            names = [name for name in node.members if image != "keys" or path or name in relation.keys]
            found = [name for name in names if name == step.name] or [name for name in names if step.means(name)]
            if len(found) > 1:
                quoted = " or ".join(f'"{name}"' for name in found)
                raise self.error(step.node, f"this may be {quoted}: put the one meant in double quotes")
            if not found:
                return ()
            path.append(found[0])
            node = node.members[found[0]]
        return tuple(path)

    def column(self, hit: Hit, at: exp.Expr) -> tuple[exp.Expr, str]:
        """Return a column for what a chain leads to, and its type."""
        source, relation = hit.source, hit.source.relation
        if relation is None:
            assert hit.column
            return placed(exp.column(quoted(hit.column.name), table=quoted(source.inner)), at), hit.column.kind
        if hit.metadata:
            hidden = [mask for mask in self._masks.paths if hit.metadata == KEY and mask[0] in relation.keys]
            if hidden and not self._text.is_own(at):
                raise self.error(at, f"it holds {label_text(hidden[0])}, which is masked: name the key's attributes")
            name, kind = relation.metadata(hit.metadata)
            self._attributes[source.inner, name] = relation, "", hit.metadata
        else:
            name, kind = self._attribute(relation, hit.image, hit.path, "value", at)
            self._attributes[source.inner, name] = relation, hit.image, hit.path
            if is_masked(relation.columns[hit.image, hit.path, "value"], self._masks):
                self._redacted.add((source.inner, name))
        return placed(exp.column(quoted(name), table=quoted(source.inner)), at), kind

    def _attribute(self, relation: Relation, image: str, path: Path, what: Asked, at: exp.Expr) -> tuple[str, str]:
        """Ask a relation for something of an attribute; return the column that has it, and its type."""
        node = relation.node(image, path)
        assert node is not None
        key = image, path, what
        if key not in relation.columns:
            relation.columns[key] = AttributeColumn(f"c{len(relation.columns) + 1}", image, path, node, what=what)
        column = relation.columns[key]
        masked = is_masked(column, self._masks)
        if masked and what == "type":
            raise self.error(at, "it is masked, and its type with it")
        if masked:
            self.notes[f"{label_text(path)} is masked: conditions and aggregates see what is shown of it"] = None
        elif what == "value":
            self.notes |= dict.fromkeys(note_of(path, node))
        try:
            refuse_masked_within(column, self._masks)
        except ParameterError as error:
            raise self.error(at, str(error)) from None
        return column.name, column_type(column, self._masks)

    # Errors.

    def only(self, node: exp.Expr, allowed: set[str], what: str, instead: str = "") -> None:
        """Refuse a node that has more to it than is understood."""
        for name, given in node.args.items():
            if given and name not in allowed:
                said = name.rstrip("_").replace("_", " ").upper()
                raise self.error(
                    given if isinstance(given, exp.Expr) else node, instead or f"{what} with {said} is not supported"
                )

    def error(self, at: exp.Expr | None, message: str) -> ParameterError:
        """Return an error that says where in the text something is."""
        return self._text.error(at, message)


def called(function: exp.Expr | type[exp.Expr]) -> str:
    """Return what people call a function.

    >>> called(exp.RowNumber), called(exp.Anonymous(this="SIZE"))
    ('row_number', 'size')
    """
    if isinstance(function, exp.Anonymous):
        return str(function.this).lower()
    kind = function if isinstance(function, type) else type(function)
    name = NAMES.get(kind)
    return name or (kind.sql_name() if issubclass(kind, exp.Func) else kind.__name__).lower()


def timestamp(moment: datetime) -> exp.Expr:
    """Return a timestamp of microseconds, in UTC."""
    text = moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
    return exp.Cast(this=exp.Literal.string(text), to=_TIMESTAMP.copy())


def moment_of(node: exp.Expr | None) -> datetime | None:
    """Return the instant that a timestamp written in a query is, in UTC; None where it is none."""
    while isinstance(node, exp.Paren):
        node = node.this
    if not isinstance(node, exp.Cast) or isinstance(node, exp.TryCast):
        return None
    if node.args["to"].this not in (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPTZ):
        return None
    written = node.this
    if not isinstance(written, exp.Literal) or not written.is_string or not str(written.this)[:1].isdigit():
        return None
    try:
        return instant(str(written.this))
    except ParameterError:
        return None


def _read(text: str, kind: str) -> exp.Expr | None:
    """Read a parameter of the command line as a value of a type; None where it is none."""
    try:
        if family(kind) in ("bigint", "decimal", "double"):
            return exp.Literal.number(
                str(Decimal(text)) if "e" not in str(Decimal(text)).lower() else f"{Decimal(text):f}"
            )
        if kind == "timestamp":
            return timestamp(instant(text))
        if kind == "boolean" and text in ("true", "false"):
            return exp.Boolean(this=text == "true")
    except (InvalidOperation, ParameterError):
        return None
    return None


def _expressions(given: object) -> bool:
    return isinstance(given, exp.Expr) or (isinstance(given, list) and bool(given) and isinstance(given[0], exp.Expr))
