"""How a table of the Glue catalog is read as deliveries, whatever the layout of its change records.

The layouts are told apart by the columns:

- ``envelope``: the columns of `workbench.records.COLUMNS`;
- ``raw``: Kinesis records, whose keys and images are texts of JSON (``dynamodb struct<keys:string,…>``, or all of
  ``dynamodb`` as one text);
- ``struct``: Kinesis records, as a crawler sees them: nested structs, whose lower-cased names are the attributes';
- ``flat``: metadata of the event, and a column an attribute.

Keys and images come out as canonical DynamoDB JSON, made in SQL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from workbench import render
from workbench.errors import ParameterError
from workbench.reader import flat_path
from workbench.records import COLUMNS, EVENTS, METADATA, plain_name

Layout = Literal["envelope", "raw", "struct", "flat"]
_READABLE = {
    "envelope": "keys is not null and event_id <> '' and table_name <> '' and ts is not null",
    "events": "case event_name when 'INSERT' then old_image is null when 'MODIFY' then true "
              "when 'REMOVE' then new_image is null else false end",
}  # fmt: skip
_IMAGES = ("new_image", "old_image")
_NUMBERS = re.compile(r"(tinyint|smallint|int|integer|bigint|float|real|double|decimal.*)")


Members = Mapping[tuple[str, ...], tuple[str, "GlueType"]]
"""The SQL and the type of values by their paths in an object."""


@dataclass(frozen=True)
class GlueType:
    """A column's type: its name, and the types inside it by the names of a struct's members, else '' and 'key'."""

    name: str
    inner: Mapping[str, GlueType]

    @property
    def is_number(self) -> bool:
        """Whether its values are numbers."""
        return bool(_NUMBERS.fullmatch(self.name))


def glue_type(text: str) -> GlueType:
    """Parse the type of a Glue column.

    >>> glue_type("struct<pk:struct<s:string>,tags:array<string>>").inner["pk"].inner["s"].name
    'string'
    """
    text = text.strip()
    name, _, rest = text.partition("<")
    name = name.strip().lower()
    if name not in ("struct", "array", "map") or not rest.endswith(">"):
        return GlueType(name, {})
    parts = _split(rest[:-1])
    if name == "struct":
        pairs = [part.partition(":") for part in parts if part.strip()]
        return GlueType(name, {member.strip().lower(): glue_type(kind) for member, _, kind in pairs})
    names = ("",) if name == "array" else ("key", "")
    return GlueType(name, dict(zip(names, map(glue_type, parts), strict=False)))


def layout_of_columns(columns: Mapping[str, str]) -> Layout | None:
    """Tell the layout of a table by its columns and their Glue types; None where it holds no change records."""
    if {"event_id", "event_name", "ts", "keys"} <= set(columns) and {"new_image", "old_image"} & set(columns):
        return "envelope"
    if "dynamodb" in columns and "eventname" in columns:
        members = glue_type(columns["dynamodb"]).inner
        return "struct" if any(members.get(name, _TEXT).inner for name in ("keys", "newimage", "oldimage")) else "raw"
    if "event_name" in {METADATA.get(plain_name(name)) for name in columns}:
        return "flat"
    return None


def deliveries(table: str, columns: Mapping[str, str], *, within: str = "true", keys: Sequence[str] = (),
               folder: str = "", only: str | None = None, columnar: bool = False, strict: bool = False,
               readable: bool | None = True, arrival: str | None = None, origin: Mapping[str, str] | None = None,
               ) -> str:  # fmt: skip
    """Write the subquery that reads a table of the catalog as deliveries.

    Parameters
    ----------
    table
        As SQL, such as ``"lake"."persons"``.
    columns
        Its columns and their Glue types, without the partitions'.
    within
        A condition on its partitions.
    keys, folder
        Of a flat log: the names of the key attributes, and the table's name, where it has no columns of these.
    only
        The DynamoDB table whose changes are wanted, where the log holds several.
    columnar
        Whether a column that is not asked for is not read: then an image is not looked at to see whether it is there.
    strict
        Look into images whether they are JSON.
    readable
        None for all rows, told apart by a column `readable`, with the path of their object in place of `arrival`.
    origin
        Values of aws_region and account_id, where the changes of one Region or account are wanted.
    arrival
        The column `arrival`, where it is asked for, as `arrival` of this module writes it.
    """
    layout = layout_of_columns(columns)
    if layout is None:
        raise ParameterError(f"{table} holds no change records: its columns are {', '.join(columns)}")
    expressions = _READERS[layout](columns, keys, folder)
    conditions = [_READABLE["envelope"]]
    conditions += [f"event_name in {render.literal(list(EVENTS))}" if columnar else _READABLE["events"]]
    if strict:
        conditions += [
            f"({name} is null or try(json_parse({name})) is not null)" for name in ("new_image", "old_image")
        ]
    told = f"coalesce({' and '.join(conditions)}, false)"
    if readable is None:
        conditions = ["true"]
    if only is not None:
        conditions.append(f"table_name = {render.literal(only)}" if readable else
                          f"coalesce(table_name, {render.literal(only)}) = {render.literal(only)}")  # fmt: skip
    conditions += [render.of_origin(origin)] if origin else []
    names = {name: expressions[name] for name in COLUMNS} | {"table": table, "within": within}
    names["wanted"] = " and ".join(conditions)
    names["arrival"] = f"{told} as readable, path" if not readable else "null" if arrival is None else "arrival"
    names["told"] = arrival or "null"
    return "(" + render.part("deliveries", **names) + ")"


def arrival(folder: str | None = None, pieces: Sequence[tuple[datetime | None, timedelta]] = ((None, timedelta(0)),),
            *, named: bool = True) -> str:  # fmt: skip
    """Write when the object of a row arrived, in UTC, by its name, else by its folder.

    Parameters
    ----------
    folder
        The time its partition tells, as SQL; without it, the path is looked at.
    pieces
        Until which local time the offset from UTC is what, of the zone of names and folders; none: it is not known.
    named
        Whether names tell the arrival.
    """
    if not pieces:
        return "cast(null as timestamp(6))"
    path = '"$path"'
    told = [render.part("arrival_named", path=path)] if named else []
    told.append(folder or render.part("arrival_folder", path=path))
    text = f"coalesce({', '.join(told)})" if len(told) > 1 else told[0]
    if not any(offset for _, offset in pieces):
        return f"cast({text} as timestamp(6))"
    *earlier, shift = [f"interval '{round(offset.total_seconds() / 60)}' minute" for _, offset in pieces]
    for (until, _), offset in zip(reversed(pieces[:-1]), reversed(earlier), strict=True):
        assert until
        shift = f"case when {text} < {render.literal(until.replace(tzinfo=UTC))} then {offset} else {shift} end"
    return f"cast({text} - {shift} as timestamp(6))"


def _envelope(columns: Mapping[str, str], keys: Sequence[str], folder: str) -> dict[str, str]:
    given = {name: name if name in columns else "cast(null as varchar)" for name in COLUMNS}
    kind = glue_type(columns["ts"])
    if kind.name == "bigint":
        given["ts"] = _instant("ts", "null", kind)
    elif kind.name == "string":
        given["ts"] = "try_cast(replace(replace(ts, 'T', ' '), 'Z', '') as timestamp(6))"
    else:
        given["ts"] = "cast(ts as timestamp(6))"
    given["by_ttl"] = "coalesce(cast(by_ttl as boolean), false)" if "by_ttl" in columns else "false"
    return given | {"size_bytes": f"try_cast({given['size_bytes']} as bigint)"}


def _raw(columns: Mapping[str, str], keys: Sequence[str], folder: str) -> dict[str, str]:
    kind = glue_type(columns["dynamodb"])
    images = {"keys": "keys", "new_image": "newimage", "old_image": "oldimage"}
    found: dict[str, str] = {}
    for name, member in images.items():
        inner = kind.inner.get(member)
        if not kind.inner:  # all of it is one text
            path = {"keys": "Keys", "newimage": "NewImage", "oldimage": "OldImage"}[member]
            found[name] = _canonical(f"json_format(json_extract(dynamodb, '$.{path}'))")
        elif inner is None:
            found[name] = "cast(null as varchar)"
        elif inner.inner:
            found[name] = _canonical(_image(f"dynamodb.{member}", inner))
        else:
            found[name] = _canonical(f"dynamodb.{member}")
    if kind.inner:
        members = {name: f"dynamodb.{name}" if name in kind.inner else "null" for name in
                   ("approximatecreationdatetime", "approximatecreationdatetimeprecision", "sizebytes")}  # fmt: skip
        stamp, precision, size = members.values()
        stamped = kind.inner.get("approximatecreationdatetime", _TEXT)
    else:
        names = ("ApproximateCreationDateTime", "ApproximateCreationDateTimePrecision", "SizeBytes")
        stamp, precision, size = (f"json_extract_scalar(dynamodb, '$.{name}')" for name in names)
        stamped = _TEXT
    return found | {
        "event_id": "eventid", "event_name": "eventname",
        "table_name": "tablename" if "tablename" in columns else render.literal(folder),
        "ts": _instant(stamp, precision, stamped), "size_bytes": f"try_cast({size} as bigint)",
        "by_ttl": f"eventname = 'REMOVE' and {_by_ttl(columns)}", **_origin(columns),
    }  # fmt: skip


def _flat(columns: Mapping[str, str], keys: Sequence[str], folder: str) -> dict[str, str]:
    metadata = {METADATA[plain_name(name)]: name for name in columns if plain_name(name) in METADATA}
    attributes = {name: glue_type(kind) for name, kind in columns.items() if plain_name(name) not in METADATA}
    text = _canonical(
        _object({flat_path(name): (render.identifier(name), kind) for name, kind in attributes.items()}, _plain)
    )
    has = {name: render.identifier(metadata[name]) if name in metadata else "null" for name in
           (*COLUMNS, "precision")}  # fmt: skip
    if "keys" not in metadata:
        if missing := [name for name in keys if name not in attributes] or ([] if keys else ["?"]):
            raise ParameterError(f"the log is flat, without a column of its keys: name the key attributes, keys=(…); "
                                 f"{missing[0]!r} is none of {', '.join(attributes)}")  # fmt: skip
        parts: Members = {(name,): (render.identifier(name), attributes[name]) for name in keys}
        there = " and ".join(f"{column} is not null" for column, _ in parts.values())
        has["keys"] = _canonical(f"case when {there} then {_object(parts, _plain)} end")
    kind = glue_type(columns[metadata["ts"]]) if "ts" in metadata else _TEXT
    stamp = _instant(has["ts"], has["precision"], kind)
    if kind.name == "string":
        stamp = f"coalesce(try_cast(replace(replace({has['ts']}, 'T', ' '), 'Z', '') as timestamp(6)), {stamp})"
    if kind.name == "timestamp":
        stamp = f"cast({has['ts']} as timestamp(6))"
    identity = f"lower(to_hex(md5(to_utf8({text})))) || '-' || {has['keys']} || '-' || cast({stamp} as varchar)"
    return {
        "event_id": has["event_id"] if "event_id" in metadata else identity,
        "event_name": has["event_name"],
        "table_name": has["table_name"] if "table_name" in metadata else render.literal(folder),
        "ts": stamp, "keys": has["keys"],
        "new_image": f"case when {has['event_name']} <> 'REMOVE' then {text} end", "old_image": "cast(null as varchar)",
        "size_bytes": f"try_cast({has['size_bytes']} as bigint)",
        "by_ttl": f"{has['event_name']} = 'REMOVE' and coalesce(try_cast({has['by_ttl']} as boolean), false)",
        **_origin({}),
    }  # fmt: skip


_READERS: dict[Layout, Callable[[Mapping[str, str], Sequence[str], str], dict[str, str]]] = {
    "envelope": _envelope, "raw": _raw, "struct": _raw, "flat": _flat}  # fmt: skip


def _instant(stamp: str, precision: str, kind: GlueType) -> str:
    """Write a record's time, in milliseconds, microseconds or seconds, as a timestamp."""
    if kind.name == "timestamp":
        return f"cast({stamp} as timestamp(6))"
    return render.part("instant", stamp=f"try_cast({stamp} as double)", precision=precision)


def _origin(columns: Mapping[str, str]) -> dict[str, str]:
    """Write a record's Region and account, which the ARN of its stream tells where it has one."""
    texts = {name for name, kind in columns.items() if glue_type(kind).name == "string"}
    arn = "regexp_extract(eventsourcearn, '^arn:[a-z-]*:dynamodb:([A-Za-z0-9-]*):([0-9]*):table/', {})"
    told = [f"nullif({arn.format(group)}, '')" if "eventsourcearn" in texts else "cast(null as varchar)"
            for group in (1, 2)]  # fmt: skip
    region = f"coalesce(nullif(regexp_extract(awsregion, '^[A-Za-z0-9-]{{1,64}}$'), ''), {told[0]})"
    return {"aws_region": region if "awsregion" in texts else told[0], "account_id": told[1]}


def _by_ttl(columns: Mapping[str, str]) -> str:
    kind = glue_type(columns.get("useridentity", "void"))
    if {"type", "principalid"} <= set(kind.inner):
        return "coalesce(useridentity.type = 'Service' and useridentity.principalid = 'dynamodb.amazonaws.com', false)"
    if kind.name == "string":
        return ("coalesce(strpos(useridentity, '\"Service\"') > 0 and "
                "strpos(useridentity, '\"dynamodb.amazonaws.com\"') > 0, false)")  # fmt: skip
    return "false"


def _canonical(text: str) -> str:
    parts = {"number": "substr(token, 6, length(token) - 6)", "member_number": "substr(member, 2, length(member) - 3)"}
    filled = {name: render.part("number", text=value) for name, value in parts.items()}
    filled["binary"] = render.part("binary_once", text=parts["number"])
    filled["member_binary"] = render.part("binary_once", text=parts["member_number"])
    return render.part("canonical", text=text, **filled)


def _image(column: str, kind: GlueType) -> str:
    """Write a struct of attributes as DynamoDB JSON; one that is null is absent.

    It is cast to JSON as a whole: Trino compiles an expression into one Java method, which a column an attribute would
    make too large, and looks into lambdas in lambdas for minutes.
    """
    return render.part("attributes", json=f"json_format(cast(cast({column} as {_attributes(kind)}) as json))")


def _attributes(kind: GlueType) -> str:
    """Return the type of a struct of attributes, with DynamoDB's types in upper case."""
    members = [f"{render.identifier(name)} {_types(inner)}" for name, inner in kind.inner.items()]
    return f"row({', '.join(members)})"


def _types(kind: GlueType) -> str:
    """Return the type of an attribute's value, such as ``struct<s:string,n:string>``, or text that is JSON itself."""
    members = [f"{render.identifier(name.upper())} {_tagged(name, inner)}" for name, inner in kind.inner.items()]
    return f"row({', '.join(members)})" if members else "varchar"


def _tagged(tag: str, kind: GlueType) -> str:
    if tag in ("bool", "null"):
        return "boolean"
    if tag in ("ss", "ns", "bs"):
        return "array(varchar)"
    if tag == "m" and kind.inner:
        return _attributes(kind)
    if tag == "l" and kind.inner:
        return f"array({_types(kind.inner[''])})"
    if tag in ("s", "n", "b", "m", "l"):
        return "varchar"
    raise ParameterError(f"a struct has a member {tag!r}, which is none of DynamoDB's types")


def _object(members: Members, value: Callable[[str, GlueType], str]) -> str:
    """Write a JSON object of the members that are not null, by their paths, in the order of their names."""
    written: dict[str, str] = {}
    for first in sorted({path[0] for path in members}):
        below = {path[1:]: each for path, each in members.items() if path[0] == first}
        if () in below:
            column, kind = below[()]
            written[first] = f"case when {column} is not null then {_name(first)} || {value(column, kind)} end"
        else:
            there = " or ".join(f"{column} is not null" for column, _ in below.values())
            inner = f"'{{\"M\":' || {_object(below, value)} || '}}'"
            written[first] = f"case when {there} then {_name(first)} || {inner} end"
    return f"('{{' || array_join(array[{', '.join(written.values())}], ',') || '}}')" if written else "'{}'"


def _members(column: str, kind: GlueType) -> Members:
    return {(name,): (f"{column}.{render.identifier(name)}", inner) for name, inner in kind.inner.items()}


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _name(name: str) -> str:
    """Write a name in a JSON object, with what separates it from its value."""
    return render.literal(_json(name) + ":")


def _plain(column: str, kind: GlueType) -> str:
    """Write a plain value as a DynamoDB value."""
    if kind.name == "boolean":
        return f"'{{\"BOOL\":' || cast({column} as varchar) || '}}'"
    if kind.is_number:
        text = f"cast({column} as varchar)"
        if kind.name in ("double", "float", "real"):  # which Trino writes as 4.1E1
            whole = f"cast({column} as bigint)"
            text = f"case when {column} = try({whole}) then cast({whole} as varchar) else {text} end"
        return f"'{{\"N\":\"' || {render.part('number', text=text)} || '\"}}'"
    if kind.name == "array":
        written = _list(column, lambda element: f"coalesce({_plain(element, kind.inner[''])}, {_NULL})")
        return f"'{{\"L\":' || {written} || '}}'"
    if kind.name == "struct":
        return f"'{{\"M\":' || {_object(_members(column, kind), _plain)} || '}}'"
    return f"'{{\"S\":' || json_format(cast(cast({column} as varchar) as json)) || '}}'"


def _list(column: str, value: Callable[[str], str]) -> str:
    element = f"element_{column.count('element_')}"  # of a list in a list
    return f"'[' || array_join(transform({column}, {element} -> {value(element)}), ',') || ']'"


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


_TEXT = GlueType("string", {})
_NULL = """'{"NULL":true}'"""
