"""Turns Athena's SQL into DuckDB's with Trino's semantics, also where the two differ without a word.

What DuckDB has under another name is left to sqlglot and to the embedded engine's own translation; what it does
differently is given to functions whose names begin with `trino_`.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import hmac
import json
import re
import zlib
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import xxhash
from sqlglot import exp

from workbench.sql.dialects import in_duckdb

# Arguments are named once, by a lambda: a macro copies what it is given, which may be most of a query.
# Texts that Trino does not cast: DuckDB takes '1.5' for 2, 'inf' for a number, '2026-01-01T00:00' for a time.
_MACROS = r"""
create macro trino_json_parse(x) as cast(trino_json_sorted(x) as json);
create macro trino_json_format(x) as cast(x as varchar);
create macro trino_to_json(x) as cast(trino_json_written(list_transform([x], lambda v:
    case typeof(v) when 'JSON' then cast(v as varchar) else cast(to_json(v) as varchar) end)[1]) as json);
create macro trino_varchar(x) as list_transform([x], lambda v: case typeof(v)
    when 'VARCHAR' then cast(v as varchar)
    when 'TIMESTAMP' then strftime(try_cast(cast(v as varchar) as timestamp), '%Y-%m-%d %H:%M:%S.%f')
    when 'TIMESTAMP_MS' then strftime(try_cast(cast(v as varchar) as timestamp), '%Y-%m-%d %H:%M:%S.%g')
    when 'TIMESTAMP_S' then strftime(try_cast(cast(v as varchar) as timestamp), '%Y-%m-%d %H:%M:%S')
    when 'TIMESTAMP WITH TIME ZONE' then
        strftime(try_cast(cast(v as varchar) as timestamp), '%Y-%m-%d %H:%M:%S.%g UTC')
    when 'DOUBLE' then trino_double_text(cast(v as varchar))
    when 'FLOAT' then trino_double_text(cast(v as varchar))
    when 'JSON' then trino_json_scalar(cast(v as varchar))
    else cast(v as varchar)
end)[1];
create macro trino_whole(x) as list_transform([x], lambda v: case typeof(v)
    when 'VARCHAR' then case when regexp_full_match(cast(v as varchar), '[+-]?[0-9]+') then cast(v as varchar)
                        when v is not null then 'no integer: ' || cast(v as varchar) end
    when 'DOUBLE' then cast(cast(round(try_cast(cast(v as varchar) as double)) as decimal(38, 0)) as varchar)
    when 'FLOAT' then cast(cast(round(try_cast(cast(v as varchar) as double)) as decimal(38, 0)) as varchar)
    when 'BOOLEAN' then case cast(v as varchar) when 'true' then '1' when 'false' then '0' end
    when 'JSON' then trino_json_scalar(cast(v as varchar))
    else cast(v as varchar)
end)[1];
create macro trino_real(x) as list_transform([x], lambda v: case typeof(v)
    when 'VARCHAR' then case
        when regexp_full_match(cast(v as varchar),
            '\s*[+-]?([0-9]+\.?[0-9]*([eE][+-]?[0-9]+)?|\.[0-9]+([eE][+-]?[0-9]+)?|NaN|Infinity)\s*')
        then trim(cast(v as varchar)) when v is not null then 'no number: ' || cast(v as varchar) end
    when 'BOOLEAN' then case cast(v as varchar) when 'true' then '1' when 'false' then '0' end
    when 'JSON' then trino_json_scalar(cast(v as varchar))
    else cast(v as varchar)
end)[1];
create macro trino_boolean(x) as list_transform([x], lambda v: case typeof(v)
    when 'VARCHAR' then case lower(cast(v as varchar)) when 't' then 'true' when 'true' then 'true' when '1' then 'true'
        when 'f' then 'false' when 'false' then 'false' when '0' then 'false' else 'no boolean: ' || v end
    when 'JSON' then trino_json_scalar(cast(v as varchar))
    else cast(v as varchar)
end)[1];
create macro trino_timestamp(x) as list_transform([x], lambda v: case typeof(v)
    when 'VARCHAR' then case
        when regexp_full_match(cast(v as varchar),
            '\s*[+-]?\d{4,}-\d{1,2}-\d{1,2}( \d{1,2}:\d{1,2}(:\d{1,2}(\.\d+)?)?)?( ?(Z|UTC|[+-]\d\d(:\d\d)?))?\s*')
        then regexp_replace(trim(cast(v as varchar)), ' ?(Z|UTC|(:\d\d|\.\d+) ?[+-]\d\d(:\d\d)?)$',
                            regexp_extract(cast(v as varchar), '(:\d\d|\.\d+) ?[+-]\d\d(:\d\d)?\s*$', 1))
        when v is not null then 'no timestamp: ' || cast(v as varchar) end
    else cast(v as varchar)
end)[1];
create macro trino_date(x) as list_transform([x], lambda v: case typeof(v)
    when 'VARCHAR' then case
        when regexp_full_match(cast(v as varchar), '\s*[+-]?\d{1,}-\d{1,2}-\d{1,2}\s*') then trim(cast(v as varchar))
        when v is not null then 'no date: ' || cast(v as varchar) end
    else cast(v as varchar)
end)[1];
create macro trino_array_distinct(a) as list_filter(a, lambda each, place: list_position(a, each) = place);
create macro trino_array_join(a, d) as list_transform([a], lambda v:
    case when v is not null then coalesce(array_to_string(v, d), '') end)[1];
create macro trino_contains(a, x) as case
    when list_contains(a, x) then true when len(list_filter(a, lambda each: each is null)) > 0 then null
    when a is not null and x is not null then false end;
create macro trino_split_part(s, d, n) as case when len(string_split(s, d)) >= n then split_part(s, d, n) end;
create macro from_unixtime_nanos(n) as
    cast(make_timestamp((cast(n as hugeint) + 500)::bigint // 1000) as timestamp with time zone);
create macro trino_array_position(a, x) as case when a is not null and x is not null
    then coalesce(list_position(a, x), 0) end;
create macro codepoint(x) as unicode(x);
create macro trino_array_max(a) as case when list_count(a) = len(a) then list_max(a) end;
create macro trino_array_min(a) as case when list_count(a) = len(a) then list_min(a) end;
create macro trino_upper(s) as array_to_string(list_transform(string_split(s, 'ß'), lambda part: upper(part)), 'ß');
create macro trino_substr(s, b, n) as case when b = 0 or b > length(s) or b < -length(s) or n <= 0 then left(s, 0)
    else substr(s, b, case when n > 4294967295 then 4294967295 else n end) end;
create macro trino_length(n) as case when n <= 0 then 0 when n > 4294967295 then 4294967295 else n end;
create macro with_timezone(t, zone) as timezone(zone, cast(t as timestamp));
create macro at_timezone(t, zone) as timezone(zone, t);
create macro from_iso8601_timestamp_nanos(x) as cast(x as timestamp with time zone);
create macro map_agg(k, v) as map(list(k), list(v));
"""


def prepare(con: duckdb.DuckDBPyConnection) -> None:
    """Give a connection what Trino has and DuckDB lacks."""
    con.execute("set global TimeZone = 'UTC'")
    con.execute("set global lambda_syntax = 'DISABLE_SINGLE_ARROW'")
    for name, function, given, back in _FUNCTIONS:
        options: dict[str, Any] = {"type": "arrow", "null_handling": "special"}  # else none may return NULL
        con.create_function(name, _by_rows(function), given, back, **options)
    con.execute(_MACROS)


def translated(tree: exp.Expression) -> str:
    """Write a query of Athena's in DuckDB's dialect; the tree is used up."""
    for node in reversed(list(tree.walk())):
        mended = _mended(node)
        if mended is not node:
            if node is tree:
                tree = mended
            else:
                node.replace(mended)
    return str(tree.transform(in_duckdb).sql(dialect="duckdb"))


def literal_pattern(node: Any) -> bool:
    """Tell whether a pattern means the same to DuckDB's RE2, in which $ is the end only, and a lookaround an error."""
    return isinstance(node, exp.Literal) and not re.search(r"\$|\(\?[=!<]|[*+?}]\+|\\[1-9]", node.this)


def _mended(node: Any) -> Any:
    match node:
        case exp.Cast():
            return _cast(node)
        case exp.ParseJSON():
            return exp.Anonymous(this="trino_json_parse", expressions=[node.this])
        case exp.JSONFormat():
            return exp.Anonymous(this="trino_json_format", expressions=[node.this])
        case exp.JSONExtract() | exp.JSONExtractScalar():
            name = "trino_json_extract_scalar" if isinstance(node, exp.JSONExtractScalar) else "trino_json_extract"
            text = exp.Anonymous(this="trino_json_format", expressions=[node.this])
            found = exp.Anonymous(this=name, expressions=[text, _steps(node.expression)])
            return found if name.endswith("scalar") else exp.cast(found, "json")
        case exp.ArgMax() | exp.ArgMin() if not node.args.get("count"):
            name = "arg_max_null" if isinstance(node, exp.ArgMax) else "arg_min_null"
            return exp.Anonymous(this=name, expressions=[node.this, node.expression])
        case exp.ArgMax() | exp.ArgMin() if not isinstance(node.parent, exp.Filter):
            return _several(node, None)
        case exp.Filter(this=exp.ArgMax() | exp.ArgMin()):
            return _several(node.this, node.expression)
        case exp.CountIf():
            return exp.Count(this=exp.Case(ifs=[exp.If(this=node.this, true=exp.Literal.number(1))]))
        case exp.ArrayToString() if not node.args.get("null"):
            return exp.Anonymous(this="trino_array_join", expressions=[node.this, node.expression])
        case exp.ArrayMax() | exp.ArrayMin():
            name = "trino_array_max" if isinstance(node, exp.ArrayMax) else "trino_array_min"
            return exp.Anonymous(this=name, expressions=[node.this])
        case exp.Upper():
            return exp.Anonymous(this="trino_upper", expressions=[node.this])
        case exp.Substring():
            return _substr(node.this, node.args["start"], node.args.get("length") or exp.Literal.number(2**31))
        case exp.ArrayDistinct():
            return exp.Anonymous(this="trino_array_distinct", expressions=[node.this])
        case exp.ArrayContains():
            return exp.Anonymous(this="trino_contains", expressions=[node.this, node.expression])
        case exp.ArraySize():
            return exp.Anonymous(this="cardinality", expressions=[node.this])
        case exp.ArrayPosition():
            return exp.Anonymous(this="trino_array_position", expressions=[node.this, node.expression])
        case exp.SplitPart():
            return exp.Anonymous(
                this="trino_split_part", expressions=[node.this, node.args["delimiter"], node.args["part_index"]]
            )
        case exp.RegexpExtract():
            group = node.args.get("group") or exp.Literal.number(0)
            return exp.Anonymous(this="trino_regexp_extract", expressions=[node.this, node.expression, group])
        case exp.RegexpLike() if not literal_pattern(node.expression):
            return exp.Anonymous(this="trino_regexp_like", expressions=[node.this, node.expression])
        case exp.RegexpReplace() if not literal_pattern(node.expression):
            into = node.args.get("replacement") or exp.Literal.string("")
            return exp.Anonymous(this="trino_regexp_replace", expressions=[node.this, node.expression, into])
        case exp.Trim() if not node.expression:
            node.set("expression", exp.Literal.string(" \t\n\r\f\v"))
        case exp.DateDiff():  # of milliseconds, whatever the unit
            milli, unit = exp.Literal.string("millisecond"), exp.Literal.string(str(node.args["unit"].name))
            times = [
                exp.Anonymous(this="date_trunc", expressions=[milli.copy(), each])
                for each in (node.expression, node.this)
            ]
            return exp.Anonymous(this="date_sub", expressions=[unit, *times])
        case exp.FromBase64():
            return exp.Anonymous(this="trino_from_base64", expressions=[node.this])
        case exp.Decode():
            return exp.Anonymous(this="trino_from_utf8", expressions=[node.this])
        case exp.StrToTime():
            return exp.Cast(this=node.copy(), to=exp.DataType.build("timestamp(3)", dialect="trino"))
        case exp.AtTimeZone():
            return exp.AtTimeZone(this=exp.cast(node.this, "timestamptz"), zone=node.args["zone"])
    return node


def _substr(text: Any, start: Any, length: Any) -> Any:
    """Write a part of a text: from a place that is known, as nearly all are, with the text written once, not thrice."""
    if not (isinstance(start, exp.Literal) and start.is_int and int(start.this) > 0):
        return exp.Anonymous(this="trino_substr", expressions=[text, start, length])
    if not (isinstance(length, exp.Literal) and length.is_int and int(length.this) < 2**32):
        length = exp.Anonymous(this="trino_length", expressions=[length])
    return exp.Anonymous(this="substr", expressions=[text, start, length])


def _cast(node: Any) -> Any:
    kind, T = node.to.this, exp.DataType.Type
    size = [each.this.this for each in node.to.expressions if isinstance(each, exp.DataTypeParam)]
    if kind in (T.TEXT, T.VARCHAR, T.CHAR):
        text = exp.Anonymous(this="trino_varchar", expressions=[node.this])
        return exp.func("substr", text, exp.Literal.number(1), exp.Literal.number(size[0])) if size else text
    if kind == T.JSON and isinstance(node.this, exp.Cast) and node.this.to.this == T.STRUCT:
        # DuckDB takes a cast that changes no more than the case of members' names for none.
        written = exp.Anonymous(this="trino_to_json", expressions=[node.this.this])
        text = exp.Anonymous(this="trino_json_format", expressions=[written])
        names = exp.Literal.string(json.dumps(_names(node.this.to)))
        return exp.cast(exp.Anonymous(this="trino_renamed", expressions=[text, names]), "json")
    if kind == T.JSON:
        return exp.Anonymous(this="trino_to_json", expressions=[node.this])
    if kind == T.TIMESTAMP and not size:
        node.set("to", exp.DataType.build("timestamp(3)", dialect="trino"))
    if kind == T.DECIMAL and not size:  # decimal '1.50' has the digits it is written with
        digits = re.sub(r"[^0-9.]", "", node.this.this) if isinstance(node.this, exp.Literal) else ""
        scale = len(digits.partition(".")[2])
        node.set("to", exp.DataType.build(f"decimal({len(digits.replace('.', '')) or 38}, {scale})"))
    guard = {
        T.TINYINT: "whole",
        T.SMALLINT: "whole",
        T.INT: "whole",
        T.BIGINT: "whole",
        T.DOUBLE: "real",
        T.FLOAT: "real",
        T.BOOLEAN: "boolean",
        T.TIMESTAMP: "timestamp",
        T.DATE: "date",
    }.get(kind)
    if guard:
        node.set("this", exp.Anonymous(this=f"trino_{guard}", expressions=[node.this]))
    return node


def _names(kind: Any) -> Any:
    """Return the names in a type: of a row's members [name, names inside] each, of an array the one of its elements."""
    if kind.this == exp.DataType.Type.STRUCT:
        return [[member.name, _names(member.args["kind"])] for member in kind.expressions]
    return [_names(kind.expressions[0])] if kind.this == exp.DataType.Type.ARRAY else None


def renamed(text: str, names: str) -> str:
    """Give the members of JSON made from a row the names of another type, by their places."""

    def value(found: Any, given: Any) -> Any:
        if isinstance(found, dict) and given:
            return {name: value(inner, below) for (name, below), inner in zip(given, found.values(), strict=True)}
        return [value(inner, given[0]) for inner in found] if isinstance(found, list) and given else found

    return json_written(json.dumps(value(json.loads(text), json.loads(names))))


def _several(node: Any, filtered: Any) -> Any:
    """Write max_by(x, y, n): DuckDB passes over rows whose x is NULL, but not over a struct with a NULL in it."""
    name = "arg_max" if isinstance(node, exp.ArgMax) else "arg_min"
    packed = exp.Struct(expressions=[exp.PropertyEQ(this=exp.to_identifier("kept"), expression=node.this)])
    found: Any = exp.Anonymous(this=name, expressions=[packed, node.expression, node.args["count"]])
    if filtered is not None:
        found = exp.Filter(this=found, expression=filtered)
    each = exp.Lambda(
        this=exp.Dot(this=exp.to_identifier("one"), expression=exp.to_identifier("kept")),
        expressions=[exp.to_identifier("one")],
    )
    return exp.Transform(this=found, expression=each)


def _steps(path: Any) -> Any:
    """Write a path of JSON as the list of its steps; * is a name like any other."""
    if not isinstance(path, exp.JSONPath):
        raise ValueError("the path of JSON must be a literal")
    steps = [
        step.this.replace("\\\\", "\\") if isinstance(step.this, str) else step.this
        for step in path.expressions
        if not isinstance(step, exp.JSONPathRoot)
    ]
    if any((isinstance(step, int) and step < 0) or not isinstance(step, int | str) for step in steps):
        raise ValueError("Invalid JSON path")
    return exp.Literal.string(json.dumps(steps, ensure_ascii=False))


def _by_rows(function: Callable[..., Any]) -> Callable[..., pa.Array]:
    """Run a function by row, which is given no NULL; its results' type is that of what it returns.

    What it made of a value is remembered: most queries look at the same images, and at one of them several times.
    """
    kinds = {"int": pa.int64(), "bytes": pa.binary(), "bool": pa.bool_()}
    back = kinds.get(function.__annotations__["return"].partition(" ")[0], pa.string())

    known = functools.lru_cache(maxsize=16_384)(function)

    @functools.wraps(function)
    def whole(*columns: Any) -> pa.Array:
        rows = zip(*(column.to_pylist() for column in columns), strict=True)
        return pa.array([None if None in row else known(*row) for row in rows], back)

    return whole


class _Number(str):
    """A number of JSON, as it was written."""

    __slots__ = ()


def _not_json(constant: str) -> Any:
    raise ValueError(constant)


_NUMBERS: dict[str, Any] = {"parse_int": _Number, "parse_float": lambda text: _Number(_double_text(text, java=True))}
_STRICT = json.JSONDecoder(**_NUMBERS, parse_constant=_not_json).decode
_OURS = json.JSONDecoder(**_NUMBERS, parse_constant=str).decode  # of what DuckDB wrote: NaN is a text to Trino


def json_sorted(text: str) -> str:
    """Return JSON with sorted names, as json_parse does; of a name given twice the last value stays."""
    try:
        return _jackson(_STRICT(text), sort=True)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Cannot convert value to JSON: '{text}'") from error


def json_written(text: str) -> str:
    """Return JSON as Trino writes it, in the order it has."""
    return _jackson(_OURS(text), sort=False)


def json_scalar(text: str) -> str | None:
    """Return the scalar that JSON is, as text."""
    found = _OURS(text)
    if isinstance(found, dict | list):
        raise ValueError(f"Cannot cast '{text}' to varchar")
    return _plain(found)


def _plain(value: Any) -> str | None:
    return None if value is None else str(value).lower() if isinstance(value, bool) else str(value)


@functools.lru_cache(maxsize=4096)
def _found(text: str) -> Any:
    try:
        return json.loads(text, parse_int=_Number, parse_float=_Number)
    except (ValueError, RecursionError):
        return None


def _at(text: str, steps: str) -> tuple[bool, Any]:
    value = _found(text)
    for step in json.loads(steps):
        if isinstance(value, dict) and str(step) in value:
            value = value[str(step)]
        elif isinstance(value, list) and str(step).isdecimal() and int(step) < len(value):
            value = value[int(step)]
        else:
            return False, None
    return True, value


def json_extract(text: str, steps: str) -> str | None:
    """Return what is at a path, as JSON; None where the text is no JSON."""
    there, value = _at(text, steps)
    return _jackson(value, sort=False) if there and (value is not None or text.strip().startswith(("{", "["))) else None


def json_extract_scalar(text: str, steps: str) -> str | None:
    """Return the scalar at a path, as text."""
    _, value = _at(text, steps)
    return None if isinstance(value, dict | list) else _plain(value)


def _jackson(value: Any, *, sort: bool) -> str:
    """Write JSON as Jackson does: names by UTF-16 units, what is beyond the BMP escaped, no white space."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda name: name.encode("utf-16-be", "surrogatepass")) if sort else value
        return "{" + ",".join(f"{_jackson(name, sort=sort)}:{_jackson(value[name], sort=sort)}" for name in names) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_jackson(each, sort=sort) for each in value) + "]"
    if value is None or isinstance(value, bool | _Number):
        return "null" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
    return _ODD.sub(_escaped, json.encoder.encode_basestring(value))


_ODD = re.compile(r"\\u[0-9a-f]{4}|[\ud800-\udfff\U00010000-\U0010ffff]|\\\\")


def _escaped(found: re.Match[str]) -> str:
    text = found[0]
    if text == "\\\\":
        return text
    if text.startswith("\\u"):
        return text[:2] + text[2:].upper()
    units = text.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at]:02X}{units[at + 1]:02X}" for at in range(0, len(units), 2))


def double_text(text: str) -> str:
    """Write a double as Trino casts it to varchar."""
    return _double_text(text)


def _double_text(text: str, *, java: bool = False) -> str:
    number = float(text)
    if number != number or number in (float("inf"), float("-inf")):
        return "NaN" if number != number else "Infinity" if number > 0 else "-Infinity"
    given = Decimal(repr(number) if java else text)
    sign, digits, _ = given.as_tuple()
    if not given:
        return "-0.0" if java and sign else "0.0" if java else "-0.0E0" if sign else "0.0E0"
    power = given.adjusted()
    if java and -3 <= power < 7:
        written = f"{given:f}"
        return written if "." in written else f"{written}.0"
    shown = "".join(map(str, digits)).rstrip("0") or "0"
    return f"{'-' * sign}{shown[0]}.{shown[1:] or '0'}E{power}"


def java_double(number: float) -> str:
    """Write a double as Java does, which is how results in CSV have it."""
    return _double_text(repr(number), java=True)


@functools.lru_cache(maxsize=512)
def _pattern(text: str) -> re.Pattern[str]:
    r"""Compile a pattern of Java's, whose \z is Python's \Z."""
    return re.compile(re.sub(r"(\\[^z])|\\z", lambda found: found[1] or r"\Z", text), re.ASCII)


def regexp_extract(text: str, pattern: str, group: int) -> str | None:
    """Return a group of the first match; None where there is no match, or the group has no part in it."""
    found = _pattern(pattern).search(text)
    return found[group] if found else None


def regexp_like(text: str, pattern: str) -> bool:
    """Tell whether a pattern is found."""
    return _pattern(pattern).search(text) is not None


def regexp_replace(text: str, pattern: str, into: str) -> str:
    """Replace all matches; $1 is a group."""
    return _pattern(pattern).sub(re.sub(r"\$(\d)", r"\\g<\1>", into), text)


def from_base64(text: str) -> bytes:
    """Decode base64; the padding may be missing, as Java's decoder has it."""
    return base64.b64decode(text if text.endswith("=") else text + "=" * (-len(text) % 4), validate=True)


def from_utf8(data: bytes) -> str:
    """Decode UTF-8; what is none becomes U+FFFD."""
    return data.decode("utf-8", "replace")


def crc32(data: bytes) -> int:
    """Return the checksum."""
    return zlib.crc32(data)


def xxhash64(data: bytes) -> bytes:
    """Return the digest."""
    return xxhash.xxh64_digest(data)


def hmac_sha256(data: bytes, key: bytes) -> bytes:
    """Return the digest; Java takes no empty key."""
    if not key:
        raise ValueError("Empty key")
    return hmac.new(key, data, hashlib.sha256).digest()


_FUNCTIONS: list[tuple[str, Callable[..., Any], list[Any], str]] = [
    ("trino_json_sorted", json_sorted, ["VARCHAR"], "VARCHAR"),
    ("trino_json_written", json_written, ["VARCHAR"], "VARCHAR"),
    ("trino_json_scalar", json_scalar, ["VARCHAR"], "VARCHAR"),
    ("trino_json_extract", json_extract, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    ("trino_json_extract_scalar", json_extract_scalar, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    ("trino_double_text", double_text, ["VARCHAR"], "VARCHAR"),
    ("trino_regexp_extract", regexp_extract, ["VARCHAR", "VARCHAR", "BIGINT"], "VARCHAR"),
    ("trino_regexp_like", regexp_like, ["VARCHAR", "VARCHAR"], "BOOLEAN"),
    ("trino_renamed", renamed, ["VARCHAR", "VARCHAR"], "VARCHAR"),
    ("trino_regexp_replace", regexp_replace, ["VARCHAR", "VARCHAR", "VARCHAR"], "VARCHAR"),
    ("trino_from_base64", from_base64, ["VARCHAR"], "BLOB"),
    ("trino_from_utf8", from_utf8, ["BLOB"], "VARCHAR"),
    ("crc32", crc32, ["BLOB"], "BIGINT"),
    ("xxhash64", xxhash64, ["BLOB"], "BLOB"),
    ("hmac_sha256", hmac_sha256, ["BLOB", "BLOB"], "BLOB"),
]
