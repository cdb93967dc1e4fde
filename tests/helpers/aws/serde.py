"""Reads the objects of a table as Athena's SerDes do: bytes in, Arrow columns out.

The SerDes are ported from Trino's `io.trino.hive.formats.line.openxjson` and `…line.json`
(https://github.com/trinodb/trino/tree/master/lib/trino-hive-formats), which Athena engine version 3 follows. Of names
that differ only by case, Athena's OpenX says that they are a duplicate key, where Trino's takes the last.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_DOWN, ROUND_HALF_UP, Context, Decimal, InvalidOperation
from io import BytesIO
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.helpers.aws.lenient import Literally, MalformedJson, read_leniently

SerDe = Literal["openx", "hive", "parquet"]
_PLAIN = {
    "string": pa.string(),
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "int": pa.int32(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "float": pa.float32(),
    "real": pa.float32(),
    "double": pa.float64(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("ms"),
    "binary": pa.binary(),
}
_WHITE = "".join(map(chr, range(33)))  # what Java's trim takes away
_EXACT = Context(prec=120)


class Unreadable(Exception):
    """An object, or a value in it, that fails the query."""


class BadValue(Exception):
    """A value of a shape that its column cannot have."""


class Columns(dict[str, Any]):
    """The columns of one object by name, each an array or, where it cannot be read, the error."""

    rows = 0


def arrow_type(text: str) -> pa.DataType:
    """Parse the type of a Glue column.

    >>> arrow_type("struct<Pk:struct<s:string>,n:array<decimal(38,10)>>")
    StructType(struct<pk: struct<s: string>, n: list<element: decimal128(38, 10)>>)
    """
    text = text.strip()
    name, _, rest = text.partition("<")
    name = name.strip().lower()
    if name in ("array", "map", "struct"):
        parts = _split(rest.removesuffix(">"))
        if name == "array":
            return pa.list_(pa.field("element", arrow_type(parts[0])))
        if name == "map":
            return pa.map_(arrow_type(parts[0]), arrow_type(parts[1]))
        pairs = [part.partition(":") for part in parts if part.strip()]
        return pa.struct([(member.strip().lower(), arrow_type(kind)) for member, _, kind in pairs])
    if found := re.fullmatch(r"decimal(?:\((\d+)\s*(?:,\s*(\d+))?\))?", name):
        return pa.decimal128(int(found[1] or 10), int(found[2] or 0))
    if re.fullmatch(r"(var)?char\(\d+\)", name):
        return pa.string()
    if name not in _PLAIN:
        raise Unreadable(
            f"HIVE_METASTORE_ERROR: Error: type expected at the position 0 of '{text}' but '{text}' is found."
        )
    return _PLAIN[name]


def read(data: bytes, path: str, serde: SerDe, columns: dict[str, pa.DataType], options: dict[str, str]) -> Columns:
    """Read an object, with all its columns.

    Raises
    ------
    Unreadable
        In Athena's words, naming the object.
    """
    if path.endswith(".gz") and serde != "parquet":
        try:
            data = gzip.decompress(data)
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise Unreadable(
                f"HIVE_CURSOR_ERROR: Failed to read file at {path}: Unexpected end of input stream ({error})"
            ) from error
    if serde == "parquet":
        return _read_parquet(data, path, columns)
    return _read_json(data, path, serde, columns, options)


def _read_json(data: bytes, path: str, serde: SerDe, kinds: dict[str, pa.DataType], options: dict[str, str]) -> Columns:
    hive = serde == "hive"
    lines = data.decode("utf-8", "replace").split("\n")
    if not lines[-1]:
        lines.pop()
    folded = hive or options.get("case.insensitive", "true").lower() == "true"
    ignored = not hive and options.get("ignore.malformed.json", "false").lower() == "true"
    parse = _hive_line if hive else _openx_line(folded)
    rows: list[Any] = []
    for line in lines:
        try:
            rows.append(parse(line.removesuffix("\r")))
        except (ValueError, RecursionError) as error:
            if not ignored:
                raise Unreadable(
                    f"HIVE_CURSOR_ERROR: Failed to read file at {path}: Row is not a valid JSON Object - "
                    f"JSONException: {error}"
                ) from error
            rows.append(None)
    rows = [
        {name.lower(): value for name, value in row.items()} if isinstance(row, dict) and folded else row
        for row in rows
    ]
    columns, make = Columns(), _Maker(hive, folded, options)
    columns.rows = len(rows)
    for place, (name, kind) in enumerate(kinds.items()):
        source = options.get(f"mapping.{name}", name)
        source = source.lower() if folded else source
        value = make.decoder(kind)
        try:
            columns[name] = pa.array(
                [None if (found := _member(row, source, place)) is None else value(found) for row in rows], kind
            )
        except (BadValue, pa.ArrowException) as error:
            columns[name] = Unreadable(f"HIVE_CURSOR_ERROR: Failed to read file at {path}: {error}")
    return columns


def _member(row: Any, name: str, place: int) -> Any:
    if isinstance(row, list):
        return row[place] if place < len(row) else None
    return row.get(name) if row else None


def _openx_line(folded: bool) -> Callable[[str], Any]:
    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len({name.lower() for name, _ in pairs} if folded else dict(pairs)) < len(pairs):
            names = [name.lower() if folded else name for name, _ in pairs]
            twice = next(name for number, name in enumerate(names) if name in names[:number])
            raise MalformedJson(f'Duplicate key "{twice}"')
        return dict(pairs)

    decode = json.JSONDecoder(
        parse_int=Literally, parse_float=Literally, parse_constant=Literally, strict=False, object_pairs_hook=members
    ).raw_decode

    def parse(line: str) -> Any:
        line = line.strip(_WHITE)
        if not line.startswith(("{", "[")):  # a row of nulls, whether malformed lines are ignored or not
            return None
        try:
            return decode(line)[0]  # what follows the first object is passed over
        except json.JSONDecodeError:
            return read_leniently(line, members)

    return parse


def _refuse(constant: str) -> Any:
    raise MalformedJson(f"Non-standard token '{constant}'")


_STRICT = json.JSONDecoder(parse_int=Literally, parse_float=Literally, parse_constant=_refuse).raw_decode


def _hive_line(line: str) -> Any:
    line = line.strip(" \t\r")
    if not line.startswith("{"):
        raise MalformedJson("Invalid JSON: start of object expected")
    return _STRICT(line)[0]


class _Maker:
    """Makes the function that turns a JSON value into one of a column's type."""

    def __init__(self, hive: bool, folded: bool, options: dict[str, str]) -> None:
        self.hive, self.folded, self.options = hive, folded, options

    def decoder(self, kind: pa.DataType) -> Callable[[Any], Any]:
        if pa.types.is_struct(kind):
            return self._struct(kind)
        if pa.types.is_list(kind):
            return self._list(kind)
        if pa.types.is_map(kind):
            return self._map(kind)
        if pa.types.is_string(kind):
            return _hive_text if self.hive else _openx_text
        plain, hive = _scalar(kind, self.hive), self.hive

        def scalar(value: Any) -> Any:
            if isinstance(value, dict | list):
                raise BadValue(
                    f"Invalid JSON: {kind} value must be a scalar json value"
                    if hive
                    else f"{type(value).__name__} can not be coerced to {kind}"
                )
            if hive:
                return plain(value)
            try:
                return plain(str(value).lower() if isinstance(value, bool) else value)
            except (ValueError, ArithmeticError):
                return None

        return scalar

    def _struct(self, kind: pa.DataType) -> Callable[[Any], Any]:
        fields = [(field.name, self.decoder(field.type)) for field in kind]
        sources = {name: self.options.get(f"mapping.{name}", name) for name, _ in fields}
        sources = {name: source.lower() for name, source in sources.items()} if self.folded else sources

        def struct(value: Any) -> Any:
            if isinstance(value, dict):
                given = {name.lower(): each for name, each in value.items()} if self.folded else value
            elif isinstance(value, list) and not self.hive:
                given = dict(zip((name for name, _ in fields), value, strict=False))
            elif isinstance(value, str) and not self.hive and not value.strip(_WHITE):
                given = {}
            else:
                raise BadValue(
                    "Invalid JSON: start of object expected" if self.hive else "Primitive can not be coerced to a ROW"
                )
            return {
                name: None
                if (each := given.get(sources[name] if isinstance(value, dict) else name)) is None
                else make(each)
                for name, make in fields
            }

        return struct

    def _list(self, kind: pa.DataType) -> Callable[[Any], Any]:
        make = self.decoder(kind.value_type)

        def array(value: Any) -> Any:
            if not isinstance(value, list):
                if self.hive:
                    raise BadValue("Invalid JSON: start of array expected")
                if value == "":
                    return None
                value = [value]
            return [None if each is None else make(each) for each in value]

        return array

    def _map(self, kind: pa.DataType) -> Callable[[Any], Any]:
        key, item = self.decoder(kind.key_type), self.decoder(kind.item_type)

        def mapping(value: Any) -> Any:
            if isinstance(value, str) and not self.hive and not value.strip(_WHITE):
                return None
            if not isinstance(value, dict):
                raise BadValue(
                    "Invalid JSON: start of object expected" if self.hive else "Primitive can not be coerced to a MAP"
                )
            return [(key(name), None if each is None else item(each)) for name, each in value.items()]

        return mapping


def _scalar(kind: pa.DataType, hive: bool) -> Callable[[Any], Any]:
    if pa.types.is_boolean(kind):
        return lambda value: str(value).lower() == "true"
    if pa.types.is_integer(kind):
        limit = 1 << (kind.bit_width - 1)

        def whole(value: Any) -> int:
            result = int(_hive_number(value, kind) if hive else _long(value))
            if not -limit <= result < limit:
                if hive:
                    raise BadValue(f"Numeric value ({value}) out of range of {kind}")
                raise ValueError(value)
            return result

        return whole
    if pa.types.is_floating(kind):
        return (lambda value: float(_hive_number(value, kind))) if hive else _double
    if pa.types.is_decimal(kind):
        return lambda value: _decimal(str(value), kind)
    if pa.types.is_date(kind):
        return _hive_date if hive else _openx_date
    if pa.types.is_timestamp(kind):
        return _hive_time if hive else _openx_time
    return lambda value: str(value).encode() if hive else base64.b64decode(str(value), validate=True)


def _hive_number(value: Any, kind: pa.DataType) -> Decimal:
    if not isinstance(value, Literally):
        raise BadValue(
            f"Current token ({type(value).__name__}) not numeric, can not use numeric value accessors for {kind}"
        )
    return Decimal(value)


def _long(text: str) -> int:
    if re.match(r"0[xX][0-9a-fA-F]", text):
        return int(text[2:], 16)
    if re.match(r"0[0-8]", text):
        return int(text[1:], 8)
    return int(_number(text).to_integral_value(ROUND_DOWN))


def _number(text: str) -> Decimal:
    """Read a number as Java's BigDecimal does."""
    if not re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text):
        raise ValueError(text)
    return Decimal(text)


def _double(text: str) -> float:
    text = text.strip(_WHITE)
    if text.lstrip("+-") in ("NaN", "Infinity"):
        return float(text)
    return float(_number(text.rstrip("dDfF")))


def _decimal(text: str, kind: pa.DataType) -> Decimal | None:
    try:
        number = _number(text)
    except ValueError as error:
        raise ValueError(f"Cannot convert '{text}' to {kind}") from error
    if number.adjusted() > kind.precision:
        return None
    scaled = int(number.scaleb(kind.scale, context=_EXACT).to_integral_value(ROUND_HALF_UP, context=_EXACT))
    return Decimal(scaled).scaleb(-kind.scale, context=_EXACT) if abs(scaled) < 10**kind.precision else None


def _hive_date(value: Any) -> date:
    try:
        return datetime.strptime(str(value).strip().split(" ")[0], "%Y-%m-%d").date()
    except ValueError as error:
        raise BadValue(f"Text '{value}' could not be parsed as a date") from error


def _openx_date(text: str) -> date:
    try:
        return _hive_date(text)
    except BadValue:
        return date(1970, 1, 1) + timedelta(days=_long(text))


_TIME = re.compile(r"(\d{4})-(\d\d?)-(\d\d?)(?:[ T](\d\d?):(\d\d?)(?::(\d\d?)(?:\.(\d{1,9}))?)?)?")


def _hive_time(value: Any) -> int:
    """Return milliseconds, rounded: 0.6789 s is 679."""
    found = _TIME.fullmatch(str(value).strip())
    try:
        parts = [int(part or 0) for part in found.groups()[:6]] if found else []
        moment = datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]
    except (TypeError, ValueError) as error:
        raise BadValue(f"Text '{value}' could not be parsed as a timestamp") from error
    assert found
    nanoseconds = int((found[7] or "0").ljust(9, "0"))
    return int(moment.timestamp()) * 1000 + (nanoseconds + 500_000) // 1_000_000


def _openx_time(text: str) -> int:
    try:
        if text.find(":") > 0:
            if found := re.fullmatch(r"(.+?)(?:[zZ]|([+-])(\d\d):?(\d\d))", text):
                offset = timedelta(hours=int(found[3] or 0), minutes=int(found[4] or 0)) // timedelta(milliseconds=1)
                return _hive_time(found[1]) + (offset if found[2] == "-" else -offset)
            return _hive_time(text)
    except BadValue as error:
        raise ValueError(text) from error
    if "." in text:
        return int((_number(text) * 1000).to_integral_value(ROUND_DOWN))
    return int(text) if len(text) >= 13 else int(text) * 1000


def _hive_text(value: Any) -> str:
    if isinstance(value, dict | list):
        raise BadValue("Invalid JSON: varchar value must be a scalar json value")
    return _clean(str(value).lower() if isinstance(value, bool) else str(value))


def _openx_text(value: Any) -> str:
    if isinstance(value, dict | list):
        return _clean(_written(value))
    return _clean(_canonical(value) or str(value)) if isinstance(value, bool | Literally) else _clean(value)


def _clean(text: str) -> str:
    """Put ? in the place of half a surrogate pair, as Java does when it encodes."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _written(value: Any) -> str:
    """Write a value under a string column, as `openxjson.JsonWriter` does: names as they are, in their order."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{_text(name)}:{_written(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_written, value)) + "]"
    if isinstance(value, bool | Literally):
        return _canonical(value) or _text(str(value))
    return "null" if value is None else _text(value)


def _text(value: str) -> str:
    return json.encoder.encode_basestring(value).replace("</", "<\\/")


def _canonical(value: Any) -> str | None:
    """Write what stood without quotes as a boolean or a number; None where it is neither."""
    if isinstance(value, bool) or value.lower() in ("true", "false"):
        return str(value).lower()
    try:
        if re.match(r"0[xX0-8]", value):
            return str(_long(value))
        number = _number(value)
    except (InvalidOperation, ValueError):
        return None
    return str(number if number else abs(number))


def _read_parquet(data: bytes, path: str, kinds: dict[str, pa.DataType]) -> Columns:
    try:
        table = pq.ParquetFile(BytesIO(data)).read()
    except (pa.ArrowException, OSError) as error:
        raise Unreadable(f"HIVE_BAD_DATA: Not valid Parquet file: {path} ({error})") from error
    found = {name.lower(): table.column(name) for name in table.column_names}
    columns = Columns()
    columns.rows = table.num_rows
    for name, kind in kinds.items():
        try:
            columns[name] = (
                _conformed(found[name].combine_chunks(), kind) if name in found else pa.nulls(table.num_rows, kind)
            )
        except BadValue as error:
            columns[name] = Unreadable(
                f"HIVE_BAD_DATA: Field {name}'s type {error} in parquet file {path} is "
                f"incompatible with type {trino_type(kind)} defined in table schema"
            )
    return columns


def _conformed(values: Any, kind: pa.DataType) -> Any:
    """Give a column of a Parquet file the table's type, as far as Athena does; members of structs go by name."""
    have = values.type
    if isinstance(values, pa.ChunkedArray):
        values = pa.concat_arrays(values.chunks) if values.num_chunks else pa.array([], have)
    if pa.types.is_dictionary(have):
        return _conformed(values.dictionary_decode(), kind)
    if pa.types.is_null(have):
        return pa.nulls(len(values), kind)
    if pa.types.is_timestamp(kind) and pa.types.is_timestamp(have):
        if have.unit in ("s", "ms"):
            return values.cast(pa.timestamp(have.unit)).cast(kind)
        per = {"us": 1_000, "ns": 1_000_000}[have.unit]  # rounded, as Trino does
        rounded = [None if each is None else (each + per // 2) // per for each in values.cast(pa.int64()).to_pylist()]
        return pa.array(rounded, pa.int64()).cast(kind)
    if pa.types.is_struct(kind) and pa.types.is_struct(have):
        names = {have.field(number).name.lower(): number for number in range(have.num_fields)}
        parts = [
            _conformed(pc.struct_field(values, [names[field.name]]), field.type)
            if field.name in names
            else pa.nulls(len(values), field.type)
            for field in kind
        ]
        return pa.StructArray.from_arrays(parts, fields=list(kind), mask=values.is_null())
    if pa.types.is_list(kind) and (pa.types.is_list(have) or pa.types.is_large_list(have)):
        inner = _conformed(values.flatten(), kind.value_type)  # a null takes no elements in what Parquet gives
        return pa.ListArray.from_arrays(values.offsets.cast(pa.int32()), inner, type=kind, mask=values.is_null())
    if any(group(have) and group(kind) for group in _ALIKE):
        try:
            return values.cast(kind)
        except pa.ArrowInvalid as error:
            raise BadValue(str(have)) from error
    raise BadValue(str(have).upper())


_ALIKE: tuple[Callable[[pa.DataType], bool], ...] = (
    pa.types.is_integer,
    pa.types.is_floating,
    pa.types.is_boolean,
    pa.types.is_date,
    pa.types.is_decimal,
    pa.types.is_map,
    lambda kind: pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind),
    lambda kind: pa.types.is_binary(kind) or pa.types.is_large_binary(kind),
)


def parquet_bytes(data: bytes, names: Iterable[str]) -> int:
    """Return the bytes of a Parquet object that reading some of its columns scans."""
    try:
        meta = pq.ParquetFile(BytesIO(data)).metadata
    except (pa.ArrowException, OSError):
        return len(data)
    wanted, scanned = set(names), 0
    for group in range(meta.num_row_groups):
        for column in range(meta.num_columns):
            chunk = meta.row_group(group).column(column)
            if chunk.path_in_schema.split(".")[0].lower() in wanted:
                scanned += chunk.total_compressed_size
    return scanned


def trino_type(kind: pa.DataType) -> str:
    """Name a type as Athena does."""
    names = {str(each): name for name, each in _PLAIN.items() if name not in ("int", "float")}
    names |= {"string": "varchar", "binary": "varbinary", "timestamp[ms]": "timestamp(3)"}
    return names.get(str(kind), str(kind))


def _split(text: str) -> list[str]:
    """Split at the commas outside of angle brackets and parentheses."""
    parts, depth = [""], 0
    for character in text:
        depth += (character in "<(") - (character in ">)")
        if character == "," and not depth:
            parts.append("")
        else:
            parts[-1] += character
    return parts
