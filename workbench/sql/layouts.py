"""How a table of the Glue catalog is read as deliveries, whatever the layout of its change records.

The layouts are told apart by the columns:

- ``envelope``: the columns of `workbench.model.records.COLUMNS`;
- ``raw``: Kinesis records, whose keys and images are texts of JSON (``dynamodb struct<keys:string,…>``, or all of
  ``dynamodb`` as one text);
- ``struct``: Kinesis records, as a crawler sees them: nested structs, whose lower-cased names are the attributes';
- ``flat``: metadata of the event, and a column an attribute.

Keys and images come out as canonical DynamoDB JSON, made in SQL.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal

from workbench.errors import ParameterError
from workbench.log.flat import flat_path
from workbench.model.records import COLUMNS, METADATA, plain_name
from workbench.sql.filters import of_origin
from workbench.sql.literals import identifier, literal
from workbench.sql.templates import part

Layout = Literal["envelope", "raw", "struct", "flat"]
_OBJECTS = ("keys", "new_image", "old_image")
_VIEWS_WITH_NEW_IMAGES = ("NEW_IMAGE", "NEW_AND_OLD_IMAGES")
_NUMBERS = re.compile(r"(tinyint|smallint|int|integer|bigint|float|real|double|decimal.*)")


Path = tuple[str, ...]
"""Names of attributes, each in the one before it; '' is an element of a list."""
Members = Mapping[Path, tuple[str, "GlueType"]]
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
    """Parse the type of a Glue column, in lower case.

    Names of a struct are what DynamoDB's attributes are called, in any letters and signs. sqlglot's ``DataType.build``
    takes identifiers only: of ``struct<first name:string>`` or ``struct<2fa:string>`` it leaves the members out.

    >>> glue_type("struct<pk:struct<s:string>,tags:array<string>>").inner["pk"].inner["s"].name
    'string'
    >>> list(glue_type("struct<first name:string,2fa:string,a.b:decimal(38,9),user@home:string>").inner)
    ['first name', '2fa', 'a.b', 'user@home']
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
    if "dynamodb" in columns and "eventname" in columns:
        members = glue_type(columns["dynamodb"]).inner
        return "struct" if any(members.get(name, _TEXT).inner for name in ("keys", "newimage", "oldimage")) else "raw"
    if _has_envelopes(columns):
        return "envelope"
    if "event_name" in {METADATA.get(plain_name(name)) for name in columns}:
        return "flat"
    return None


def _has_envelopes(columns: Mapping[str, str]) -> bool:
    return {"event_id", "event_name", "ts", "keys"} <= set(columns) and bool({"new_image", "old_image"} & set(columns))


def deliveries(
    table: str,
    columns: Mapping[str, str],
    *,
    within: str = "true",
    keys: Sequence[str] = (),
    folder: str = "",
    only: str | None = None,
    spelled: Mapping[Path, str] | None = None,
    readable: bool | None = True,
    arrival: str | None = None,
    known: tuple[str, datetime] | None = None,
    origin: Mapping[str, str] | None = None,
) -> str:
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
    spelled
        How DynamoDB spells the attributes that columns of structs have in lower case, by their paths in lower case.
    readable
        None for all rows, told apart by a column `readable`, with the path of their object in place of `arrival`.
    origin
        Values of aws_region and account_id, where the changes of one Region or account are wanted.
    arrival
        The column `arrival`, where it is asked for, as `arrival` of this module writes it.
    known
        When objects arrived, so written, and an instant: those that arrived later are left out.
    """
    layout = layout_of_columns(columns)
    if layout is None:
        raise ParameterError(f"{table} holds no change records: its columns are {', '.join(columns)}")
    reading = _Reading(columns, keys, folder, spelled or {})
    expressions = _READERS[layout](reading)
    conditions = ["true" if readable is None else "readable"]
    if only is not None:
        conditions.append(
            f"table_name = {literal(only)}" if readable else f"coalesce(table_name, {literal(only)}) = {literal(only)}"
        )
    conditions += [of_origin(origin)] if origin else []
    if known:
        within += f" and {known[0]} <= {literal(known[1])}"
    names = dict(expressions) | {"table": table, "within": within, "wanted": " and ".join(conditions)}
    for name in _OBJECTS:
        names[f"json_{name}"] = part("json", text=name)
        names[f"canonical_{name}"] = canonical(name, expressions["twice"])
    names["readable"] = part("readable", **{name: literal(text) for name, text in _PATTERNS.items()})
    names["arrival"] = "readable, path" if not readable else "null" if arrival is None else "arrival"
    names["arrived"] = arrival or "null"
    return "(" + part("deliveries", **names) + ")"


def _patterns() -> dict[str, str]:
    """Match keys, the values of an image that hold no others, and an image of which these are !.

    What is left tells of every value what may stand before and after it, not how deep: that JSON is balanced is known.
    """
    text = r'"[^"\\]*(?:\\.[^"\\]*)*"'
    number = r'"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,6})?"'
    binary = r'"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?"'
    kinds = {"S": text, "N": number, "B": binary}
    sets = [rf'"{kind}S":\[(?:{each}(?:,{each})*)?\]' for kind, each in kinds.items()]
    plain = [f'"{kind}":{each}' for kind, each in kinds.items()]
    others = ['"(?:BOOL|NULL)":(?:true|false)', r'"M":\{\}', r'"L":\[\]']
    value = rf'(?:\{{"M":\{{{text}:|\{{"L":\[)*!(?:\}}\}}|\]\}})*'
    key = rf"{text}:\{{(?:{'|'.join(plain)})\}}"
    return {
        "key": rf"^\{{{key}(?:,{key})?\}}$",
        "values": rf"\{{(?:{'|'.join([*plain, *sets, *others])})\}}",
        "image": rf"^\{{{text}:{value}(?:,(?:{text}:)?{value})*\}}$",
    }


_PATTERNS = _patterns()


def arrival(
    folder: str | None = None,
    pieces: Sequence[tuple[datetime | None, timedelta]] = ((None, timedelta(0)),),
    *,
    named: bool = True,
) -> str:
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
    path = '"$path"'
    sources = [part("arrival_named", path=path)] if named else []
    sources.append(folder or part("arrival_folder", path=path))
    return _in_utc(f"coalesce({', '.join(sources)})" if len(sources) > 1 else sources[0], pieces)


def _in_utc(text: str, pieces: Sequence[tuple[datetime | None, timedelta]]) -> str:
    """Write a local time in UTC; see `arrival`."""
    if not pieces:
        return "cast(null as timestamp(6))"
    if not any(offset for _, offset in pieces):
        return f"cast({text} as timestamp(6))"
    *earlier, shift = [f"interval '{round(offset.total_seconds() / 60)}' minute" for _, offset in pieces]
    for (until, _), offset in zip(reversed(pieces[:-1]), reversed(earlier), strict=True):
        assert until
        shift = f"case when {text} < {literal(until.replace(tzinfo=UTC))} then {offset} else {shift} end"
    return f"cast({text} - {shift} as timestamp(6))"


def of_paths(paths: Collection[str], others: Collection[str]) -> str:
    """Write the condition on the objects of rows that tells those of some paths from others, as short as it can be."""
    operator, listed = ("in", paths) if len(paths) <= len(others) else ("not in", others)
    return f'"$path" {operator} {literal(sorted(listed))}' if listed else "true"


def of_day(arrived: str, day: date) -> str:
    """Write the condition on the objects of rows that they arrived on a day, by the local time of their arrival."""
    return f"substr(cast({arrived} as varchar), 1, 10) = {literal(day.isoformat())}"


def delivered(arrived: str, root: str) -> str:
    """Write by which object a row was delivered, as compacted days keep it: when it arrived, and its path.

    Parameters
    ----------
    arrived
        The local time, as `arrival` of this module writes it.
    root
        What paths begin with, which is left out.

    >>> delivered("cast(null as timestamp(6))", "s3://b/")[:61]
    'substr(cast(cast(null as timestamp(6)) as varchar), 1, 19) ||'
    """
    path = f"""case when strpos("$path", {literal(root)}) = 1 then substr("$path", {len(root) + 1}) else "$path" end"""
    return f"substr(cast({arrived} as varchar), 1, 19) || ' ' || {path}"


DELIVERY = (*COLUMNS, "arrival")
"""The columns of deliveries."""


def both(columns: Sequence[str], texts: Sequence[str]) -> str:
    """Write the subquery of the rows of several, in some of their columns."""
    if len(texts) == 1:
        return texts[0]
    named = (f"select {', '.join(columns)} from {text} as part_{number}" for number, text in enumerate(texts, 1))
    return f"({' union all '.join(named)})"


def all_readable(deliveries: str) -> str:
    """Write the subquery of deliveries as lines, all of which are changes."""
    return f"(select *, true as readable from {deliveries} as kept)"


@dataclass(frozen=True)
class DaysRead:
    """Which compacted days are read, and what of them."""

    days: Sequence[tuple[date, str]]
    """The days, and when each was made."""
    whole: Collection[str] = ()
    """Those of which everything is read, by when they were made."""
    hours: Collection[str] = ()
    """Of the others, what arrived in these hours, such as ``2026-11-18 09``, local time."""
    paths: Collection[str] = ()
    """And what these objects delivered, by their paths from the log's root on."""

    @property
    def delivered(self) -> str:
        """The condition on deliveries."""
        each = [
            f"made in {literal(sorted(self.whole))}" if self.whole else "",
            f"substr(delivery, 1, 13) in {literal(sorted(self.hours))}" if self.hours else "",
            f"substr(delivery, 21) in {literal(sorted(self.paths))}" if self.paths else "",
        ]
        return f"({' or '.join(filter(None, each))})"


def compacted(
    table: str,
    read: DaysRead,
    *,
    pieces: Sequence[tuple[datetime | None, timedelta]] | None = None,
    written: bool = False,
    only: str | None = None,
    origin: Mapping[str, str] | None = None,
) -> str:
    """Write the subquery that reads compacted days of a log as deliveries.

    Where days are read as a whole, and nothing is asked of deliveries, each distinct one is read once, as it is kept.

    Parameters
    ----------
    table
        The table of the log's compacted days, as SQL.
    pieces
        The zone, as `arrival` of this module takes it, where the column `arrival` is asked for.
    written
        Whether that column is asked for as `delivered` of this module writes it.
    only, origin
        As of `deliveries` of this module.
    """
    days = [day for day, _ in read.days]
    within = [
        f"day >= {literal(min(days).isoformat())} and day <= {literal(max(days).isoformat())}",
        f"made in {literal(sorted(made for _, made in read.days))}",
    ]
    wanted = [f"table_name = {literal(only)}"] if only is not None else []
    wanted += [of_origin(origin)] if origin else []
    names = {"table": table, "within": " and ".join(within), "wanted": " and ".join(wanted) or "true"}
    if pieces is None and not written and len(read.whole) == len(read.days):
        return f"({part('compacted', **names)})"
    arrived = "delivery" if written else "null"
    if pieces is not None:
        arrived = _in_utc("cast(substr(delivery, 1, 19) as timestamp(6))", pieces)
    return f"({part('compacted_deliveries', arrival=arrived, delivered=read.delivered, **names)})"


def known(table: str, arrived: str, known_at: datetime) -> str:
    """Write the subquery of a table as it was known at an instant, by when its objects arrived."""
    return f"({part('known', deliveries=table, arrival=arrived, known_at=literal(known_at))})"


@dataclass(frozen=True)
class _Reading:
    """A table's columns and their types, what a flat log lacks, and how DynamoDB spells its attributes."""

    columns: Mapping[str, str]
    keys: Sequence[str]
    folder: str
    spelled: Mapping[Path, str]

    def text(self, column: str, kind: GlueType) -> str:
        """Write an object of attributes as text of JSON."""
        return _image(column, kind, self.spelled) if kind.inner else column


def _envelope(reading: _Reading) -> dict[str, str]:
    columns = reading.columns
    given = {name: name if name in columns else "cast(null as varchar)" for name in COLUMNS}
    given |= {name: reading.text(name, glue_type(columns[name])) for name in _OBJECTS if name in columns}
    kind = glue_type(columns["ts"])
    if kind.name == "bigint":
        given["ts"] = _instant("ts", "null", kind)
    elif kind.name == "string":
        times = "try_cast(replace(replace(ts, 'T', ' '), 'Z', '') as timestamp(6))"
        given["ts"] = f"coalesce({times}, {_instant('ts', 'null', kind)})"
    else:
        given["ts"] = "cast(ts as timestamp(6))"
    given["by_ttl"] = (
        "coalesce(cast(by_ttl as boolean) and event_name = 'REMOVE', false)" if "by_ttl" in columns else "false"
    )
    given |= {"size_bytes": f"try_cast({given['size_bytes']} as bigint)", "twice": "false", "has_new_images": "false"}
    others = [name for name in columns if plain_name(name) not in METADATA and name not in COLUMNS]
    if "dynamodb" in columns or not others or glue_type(columns["keys"]).inner:
        return given
    return _either(_is_flat(columns, others), _flat(reading), given)


def _is_flat(columns: Mapping[str, str], attributes: Sequence[str]) -> str:
    """Write whether a row of an envelope's columns is flat, with attributes called new_image or old_image.

    Then its key is in a column of its own, and in no image.
    """
    text = r'"[^"\\]*(?:\\.[^"\\]*)*"'
    name = literal(rf"^\{{({text}):")
    first = literal(rf"^\{{({text}:\{{{text}:{text}\}})")
    cases = " ".join(f"when {literal(_json(each.lower()))} then {identifier(each)} is not null" for each in attributes)
    held = [
        f"strpos({_sorted(image)}, regexp_extract({_sorted('keys')}, {first}, 1)) > 0"
        for image in ("new_image", "old_image")
        if image in columns
    ]
    return (
        f"case lower(regexp_extract({_sorted('keys')}, {name}, 1)) {cases} else false end"
        f" and not coalesce({' or '.join(held)}, false)"
    )


def _raw(reading: _Reading) -> dict[str, str]:
    columns, kind = reading.columns, glue_type(reading.columns["dynamodb"])

    def member(name: str) -> str:
        if not kind.inner:  # all of it is one text
            return f"json_extract_scalar(dynamodb, '$.{name}')"
        return f"dynamodb.{name.lower()}" if name.lower() in kind.inner else "cast(null as varchar)"

    columns_of_records = {}
    for name, inner in zip(_OBJECTS, ("Keys", "NewImage", "OldImage"), strict=True):
        member_text = member(inner) if kind.inner else f"json_format(json_extract(dynamodb, '$.{inner}'))"
        columns_of_records[name] = reading.text(member_text, kind.inner.get(inner.lower(), _TEXT))
    stamped = kind.inner.get("approximatecreationdatetime", _TEXT)
    arn = _text_column(columns, "eventsourcearn")
    named = f"nullif(regexp_extract({arn}, ':table/([^/\"]+)', 1), '')"
    given = f"coalesce(nullif({_text_column(columns, 'tablename')}, ''), {named})"
    columns_of_records |= {
        "event_id": "eventid",
        "event_name": "eventname",
        "table_name": given if {"tablename", "eventsourcearn"} & set(columns) else literal(reading.folder),
        "ts": _instant(member("ApproximateCreationDateTime"), member("ApproximateCreationDateTimePrecision"), stamped),
        "size_bytes": f"try_cast({member('SizeBytes')} as bigint)",
        "by_ttl": f"eventname = 'REMOVE' and {_by_ttl(columns)}",
        **_origin(columns),
        **_kind_of_record(columns, member),
    }
    if not _has_envelopes(columns):
        return columns_of_records
    return _either("dynamodb is not null and eventname is not null", columns_of_records, _envelope(reading))


def _either(condition: str, these: Mapping[str, str], those: Mapping[str, str]) -> dict[str, str]:
    """Read a row in one layout or the other, all of its columns."""
    return {name: f"case when {condition} then {sql} else {those[name]} end" for name, sql in these.items()}


def _kind_of_record(columns: Mapping[str, str], member: Callable[[str], str]) -> dict[str, str]:
    """Write whether a raw record has binary encoded twice, and new images, as far as there are columns that tell."""
    marks = [f"{name} is null" for name in ("eventversion", "eventsourcearn") if name in columns]
    marks += [f"{member(name)} is null" for name in ("SequenceNumber", "StreamViewType")]
    kinesis = "recordformat is not null" if "recordformat" in columns else "false"
    view = member("StreamViewType")
    return {
        "twice": f"({kinesis} or ({' and '.join(marks)}))",
        "has_new_images": f"coalesce({view} in {literal(list(_VIEWS_WITH_NEW_IMAGES))}, {kinesis})",
    }


def _text_column(columns: Mapping[str, str], name: str) -> str:
    return name if glue_type(columns.get(name, "")).name == "string" else "cast(null as varchar)"


def _flat(reading: _Reading) -> dict[str, str]:
    columns, keys, folder = reading.columns, reading.keys, reading.folder
    metadata = {METADATA[plain_name(name)]: name for name in columns if plain_name(name) in METADATA}
    attributes = {name: glue_type(kind) for name, kind in columns.items() if plain_name(name) not in METADATA}
    paths = {name: flat_path(reading.spelled.get((name,), name)) for name in attributes}
    members = {paths[name]: (identifier(name), kind) for name, kind in attributes.items()}
    text = canonical(_sorted(_object(members, _plain)))
    has = {name: identifier(metadata[name]) if name in metadata else "null" for name in (*COLUMNS, "precision")}
    if "keys" not in metadata:
        if missing := [name for name in keys if name.lower() not in attributes] or ([] if keys else ["?"]):
            raise ParameterError(
                f"the log is flat, without a column of its keys: name the key attributes, keys=(…); "
                f"{missing[0]!r} is none of {', '.join(attributes)}"
            )
        parts: Members = {(name,): (identifier(name.lower()), attributes[name.lower()]) for name in keys}
        there = " and ".join(f"{column} is not null" for column, _ in parts.values())
        has["keys"] = canonical(_sorted(f"case when {there} then {_object(parts, _plain)} end"))
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
        "table_name": has["table_name"] if "table_name" in metadata else literal(folder),
        "ts": stamp,
        "keys": has["keys"],
        "new_image": f"case when {has['event_name']} <> 'REMOVE' then {text} end",
        "old_image": "cast(null as varchar)",
        "size_bytes": f"try_cast({has['size_bytes']} as bigint)",
        "by_ttl": f"{has['event_name']} = 'REMOVE' and coalesce(try_cast({has['by_ttl']} as boolean), false)",
        **_origin({}),
        "twice": "false",
        "has_new_images": "false",
    }


_READERS: dict[Layout, Callable[[_Reading], dict[str, str]]] = {
    "envelope": _envelope,
    "raw": _raw,
    "struct": _raw,
    "flat": _flat,
}


def _instant(stamp: str, precision: str, kind: GlueType) -> str:
    """Write a record's time, in milliseconds, microseconds or seconds, as a timestamp."""
    if kind.name == "timestamp":
        return f"cast({stamp} as timestamp(6))"
    return part("instant", stamp=f"try_cast({stamp} as double)", precision=precision)


def _origin(columns: Mapping[str, str]) -> dict[str, str]:
    """Write a record's Region and account, which the ARN of its stream tells where it has one."""
    texts = {name for name, kind in columns.items() if glue_type(kind).name == "string"}
    arn = "regexp_extract(eventsourcearn, '^arn:[a-z-]*:dynamodb:([A-Za-z0-9-]*):([0-9]*):table/', {})"
    parts_of_arn = [
        f"nullif({arn.format(group)}, '')" if "eventsourcearn" in texts else "cast(null as varchar)" for group in (1, 2)
    ]
    region = f"coalesce(nullif(regexp_extract(awsregion, '^[A-Za-z0-9-]{{1,64}}$'), ''), {parts_of_arn[0]})"
    return {"aws_region": region if "awsregion" in texts else parts_of_arn[0], "account_id": parts_of_arn[1]}


def _by_ttl(columns: Mapping[str, str]) -> str:
    kind = glue_type(columns.get("useridentity", "void"))
    if {"type", "principalid"} <= set(kind.inner):
        return "coalesce(useridentity.type = 'Service' and useridentity.principalid = 'dynamodb.amazonaws.com', false)"
    if kind.name == "string":
        return (
            "coalesce(strpos(useridentity, '\"Service\"') > 0 and "
            "strpos(useridentity, '\"dynamodb.amazonaws.com\"') > 0, false)"
        )
    return "false"


def canonical(json: str, twice: str = "false") -> str:
    """Write the canonical text of DynamoDB JSON that `json_parse` has sorted; binary is encoded twice where `twice`."""
    parts = {"number": "substr(token, 6, length(token) - 6)", "member_number": "substr(member, 2, length(member) - 3)"}
    filled = {name: part("number", text=value) for name, value in parts.items()}
    for name, text in (("binary", parts["number"]), ("member_binary", parts["member_number"])):
        once = part("binary_once", text=text)
        filled[name] = text if twice == "false" else f"case when twice then {once} else {text} end"
    return part("canonical", json=json, **filled)


def _sorted(text: str) -> str:
    return f"json_format(try(json_parse({text})))"


# Where Trino interprets a cast, names come back in lower case that need no quotes: all of ours need some.
_MARK = "#~"


def _image(column: str, kind: GlueType, spelled: Mapping[Path, str]) -> str:
    """Write a struct of attributes as DynamoDB JSON; one that is null is absent.

    It is cast to JSON as a whole: Trino compiles an expression into one Java method, which a column an attribute would
    make too large, and looks into lambdas in lambdas for minutes.
    """
    written = f"json_format(cast(cast({column} as {_attributes(kind, spelled)}) as json))"
    return part("attributes", json=f"replace({written}, '{_MARK}\":', '\":')")


def _attributes(kind: GlueType, spelled: Mapping[Path, str], path: Path = ()) -> str:
    """Return the type of a struct of attributes, their names as DynamoDB spells them, and its types in upper case."""
    members = [
        f"{identifier(spelled.get((*path, name), name) + _MARK)} {_types(inner, spelled, (*path, name))}"
        for name, inner in kind.inner.items()
    ]
    return f"row({', '.join(members)})"


def _types(kind: GlueType, spelled: Mapping[Path, str], path: Path) -> str:
    """Return the type of an attribute's value, such as ``struct<s:string,n:string>``, or text that is JSON itself."""
    members = [
        f"{identifier(name.upper() + _MARK)} {_tagged(name, inner, spelled, path)}"
        for name, inner in kind.inner.items()
    ]
    return f"row({', '.join(members)})" if members else "varchar"


def _tagged(tag: str, kind: GlueType, spelled: Mapping[Path, str], path: Path) -> str:
    if tag in ("bool", "null"):
        return "boolean"
    if tag in ("ss", "ns", "bs"):
        return "array(varchar)"
    if tag == "m" and kind.inner:
        return _attributes(kind, spelled, path)
    if tag == "l" and kind.inner:
        return f"array({_types(kind.inner[''], spelled, (*path, ''))})"
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
    return {(name,): (f"{column}.{identifier(name)}", inner) for name, inner in kind.inner.items()}


def _json(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _name(name: str) -> str:
    """Write a name in a JSON object, with what separates it from its value."""
    return literal(_json(name) + ":")


def _plain(column: str, kind: GlueType) -> str:
    """Write a plain value as a DynamoDB value."""
    if kind.name == "boolean":
        return f"'{{\"BOOL\":' || cast({column} as varchar) || '}}'"
    if kind.is_number:
        text = f"cast({column} as varchar)"
        if kind.name in ("double", "float", "real"):  # which Trino writes as 4.1E1
            whole = f"cast({column} as bigint)"
            text = f"case when {column} = try({whole}) then cast({whole} as varchar) else {text} end"
        return f"'{{\"N\":\"' || {part('number', text=text)} || '\"}}'"
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
