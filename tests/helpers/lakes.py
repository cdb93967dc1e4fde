"""One generated history in every layout, as objects that Firehose would have written, and as Glue tables over them."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.helpers.logs import write_log
from tests.properties.test_replay import shuffled, twice
from workbench.aws.table_definitions import table_input

START = datetime(2026, 11, 17, 20, tzinfo=UTC)
LAYOUTS = ("envelope", "envelope, Hive JSON", "envelope, Parquet", "raw", "struct", "flat")
SCHEMES = ("year=/month=/day=/hour=", "four columns", "2026/11/18/09", "dt=", "crawled", "none")
_NAMES = ["pk", "sk", "name", "age", "tags", "scores", "blobs", "blob", "alive", "nothing", "address", "phones", "note"]
_FOLDERS = {
    "year=/month=/day=/hour=": "year=%Y/month=%m/day=%d/hour=%H",
    "four columns": "year=%Y/month=%m/day=%d/hour=%H",
    "2026/11/18/09": "%Y/%m/%d/%H",
    "dt=": "dt=%Y-%m-%d",
    "crawled": "%Y/%m/%d/%H",
    "none": "",
}
_KINDS = {
    "S": "string",
    "N": "string",
    "B": "string",
    "BOOL": "boolean",
    "NULL": "boolean",
    "SS": "array<string>",
    "NS": "array<string>",
    "BS": "array<string>",
}


def images(rng: random.Random, *, plain: bool = False) -> dict[str, Any]:
    """An item's attributes, of every type; with `plain`, texts and numbers only."""
    n = rng.randrange(40)
    text = rng.choice(["", "Ada", "ö\"q'\\", "a\nb", "☃ 😀", "x,]y", '{"N":"01"}', "2026-11-18"])
    full: dict[str, Any] = {
        "name": {"S": text},
        "age": {"N": str(n)},
        "note": {"S": "n" * n},
        "score": {"N": rng.choice(["1.5", "-0.001", "12345678901234567890123456789012345678", "0"])},
    }
    if not plain:
        full |= {
            "age": rng.choice([{"N": str(n)}, {"S": str(n)}]),
            "tags": {"SS": rng.sample(["b", "a,]", 'c"', ""], 3)},
            "scores": {"NS": rng.sample(["1", "2.5", "10", "-3"], 2)},
            "blob": {"B": rng.choice(["AQID", "/+8=", "AA=="])},
            "blobs": {"BS": rng.sample(["AQID", "/+8=", "AA=="], 2)},
            "alive": {"BOOL": n % 2 == 0},
            "nothing": {"NULL": True},
            "address": {
                "M": {
                    "city": {"S": text},
                    "zip": rng.choice([{"N": str(n)}, {"NULL": True}]),
                    "geo": {"M": {"lat": {"N": "52.5"}}},
                }
            },
            "phones": {
                "L": [{"S": "1"}, {"M": {"city": {"S": text}}}, {"N": str(n)}, {"NULL": True}][: rng.randrange(5)]
            },
            "empty": {"M": {}},
        }
    return {name: value for name, value in full.items() if rng.random() < 0.8}


def records(seed: int, changes: int = 120, *, plain: bool = False, ties: bool = True) -> list[tuple[datetime, dict]]:
    """Records of a history over two days, each with when it arrived: some twice, late, out of order, at one instant."""
    from tests.helpers.logs import record

    rng = random.Random(seed)
    table: dict[str, dict] = {}
    at, made = int(START.timestamp() * 1e6), []
    keys = [{"pk": {"S": f"p-{n}"}, "sk": {"N": str(n % 3)}} for n in range(12)]
    keys[0]["pk"] = {"S": 'ö"\\\n\x1f😀'}
    for number in range(changes):
        at += rng.choice([0, 1, 1_000, 60_000_000, 3_600_000_000] if ties else [1, 60_000_000, 3_600_000_000])
        key = rng.choice(keys)
        old = table.get(str(key))
        new = None if old is not None and rng.random() < 0.25 else key | images(rng, plain=plain)
        event = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
        change = record(
            event,
            shuffled(key, rng),
            at,
            new=new and twice(shuffled(new, rng)),
            event_id=f"{number:04}",
            old=old and twice(shuffled(old, rng)),
            ttl=new is None and rng.random() < 0.4,
        )
        table = {**table, str(key): new} if new is not None else {k: v for k, v in table.items() if k != str(key)}
        moment = datetime.fromtimestamp(at // 1_000_000, UTC)
        made.append((moment + timedelta(seconds=rng.choice([1, 2, 5, 4000, 40_000])), change))
        if rng.random() < 0.1:
            made.append((moment + timedelta(seconds=rng.choice([2, 9000])), change))
    return made


def write(folder: Path, made: Iterable[tuple[datetime, dict]], layout: str, scheme: str = SCHEMES[0]) -> Path:
    """Write records as Firehose would: an object an hour of arrival, named by its first record's."""
    hours: dict[datetime, list[tuple[datetime, dict]]] = {}
    for arrival, change in sorted(made, key=lambda each: each[0]):
        hours.setdefault(arrival.replace(minute=0, second=0, microsecond=0), []).append((arrival, change))
    kind = {"envelope, Hive JSON": "envelope", "envelope, Parquet": "parquet", "struct": "raw"}.get(layout, layout)
    for hour, each in hours.items():
        place = folder / hour.strftime(_FOLDERS[scheme]) if _FOLDERS[scheme] else folder
        name = f"things-1-{each[0][0]:%Y-%m-%d-%H-%M-%S}-7d0b2c1e-{hour:%d%H}"
        write_log(place, [change for _, change in each], kind, name)
    return folder


def in_four_columns(table: dict[str, Any], first_year: int) -> dict[str, Any]:
    """Return a table over ``year=/month=/day=/hour=`` as version 0.2 declared it, ten years in four columns."""
    parameters = {name: text for name, text in table["Parameters"].items() if "projection.arrival" not in name}
    spans = {"year": f"{first_year},{first_year + 9}", "month": "1,12", "day": "1,31", "hour": "0,23"}
    for unit, span in spans.items():
        parameters |= {
            f"projection.{unit}.type": "integer",
            f"projection.{unit}.range": span,
            f"projection.{unit}.digits": "4" if unit == "year" else "2",
        }
    template = table["StorageDescriptor"]["Location"] + "".join(f"{unit}=${{{unit}}}/" for unit in spans)
    keys = [{"Name": unit, "Type": "int"} for unit in spans]
    return table | {"PartitionKeys": keys, "Parameters": parameters | {"storage.location.template": template}}


def glue_table(name: str, location: str, layout: str, made: Iterable[tuple[datetime, dict]], scheme: str) -> dict:
    """A Glue table over a layout: explicit for envelope and raw, as a crawler makes it for struct and flat."""
    parts: dict[str, Any] = {
        "year=/month=/day=/hour=": {"first_year": 2026},
        "four columns": {"first_year": 2026},
        "2026/11/18/09": {"form": "yyyy/MM/dd/HH", "first_year": 2026},
        "dt=": {"form": "yyyy-MM-dd", "template": "dt=${arrival}/", "first_year": 2026},
    }.get(scheme, {"partitions": "none"})
    made = [change for _, change in made]
    stored = "parquet" if "Parquet" in layout else "json"
    table = table_input(
        name, location, layout="raw" if layout in ("raw", "struct", "flat") else "envelope", stored=stored, **parts
    )
    if scheme == "four columns":
        table = in_four_columns(table, 2026)
    descriptor = table["StorageDescriptor"]
    if layout == "envelope, Hive JSON":
        descriptor["SerdeInfo"] = {"SerializationLibrary": "org.apache.hive.hcatalog.data.JsonSerDe", "Parameters": {}}
    if layout in ("struct", "flat"):
        descriptor["SerdeInfo"]["Parameters"] = {"ignore.malformed.json": "true"}
    if layout == "struct":
        changes = [change["dynamodb"] for change in made]
        image = struct_of(change.get(name) for change in changes for name in ("NewImage", "OldImage"))
        keys = struct_of(change["Keys"] for change in changes)
        kinds = {
            "eventid": "string",
            "eventname": "string",
            "tablename": "string",
            "awsregion": "string",
            "eventsourcearn": "string",
            "useridentity": "struct<type:string,principalid:string>",
            "dynamodb": "struct<approximatecreationdatetime:bigint,approximatecreationdatetimeprecision:string,"
            f"keys:{keys},newimage:{image},oldimage:{image},sizebytes:bigint>",
        }
        descriptor["Columns"] = [{"Name": name, "Type": kind} for name, kind in kinds.items()]
    if layout == "flat":
        kinds = dict.fromkeys(["event_id", "event_name", "table_name", "ts", "keys"], "string") | {"by_ttl": "boolean"}
        kinds |= dict.fromkeys(["pk", "sk", "name", "age", "note", "score"], "string")
        descriptor["Columns"] = [{"Name": name, "Type": kind} for name, kind in kinds.items()]
    if scheme == "crawled":
        table["PartitionKeys"] = [{"Name": f"partition_{number}", "Type": "string"} for number in range(4)]
    return table


def struct_of(found: Iterable[Mapping | None]) -> str:
    """The nested type a crawler makes of images."""
    members: dict[str, list] = {}
    for image in found:
        for name, value in (image or {}).items():
            members.setdefault(name, []).append(value)
    return "struct<" + ",".join(f"{name}:{_value_of(values)}" for name, values in members.items()) + ">"


def _value_of(values: Iterable[Mapping]) -> str:
    kinds: dict[str, list] = {}
    for value in values:
        for kind, inner in value.items():
            kinds.setdefault(kind, []).append(inner)
    written = []
    for kind, inner in kinds.items():
        if kind == "M":
            filled = any(inner)
            written.append(f"m:{struct_of(inner) if filled else 'string'}")
        elif kind == "L":
            elements = [element for each in inner for element in each]
            written.append(f"l:array<{_value_of(elements) if elements else 'string'}>")
        else:
            written.append(f"{kind.lower()}:{_KINDS[kind]}")
    return "struct<" + ",".join(written) + ">"
