"""What is measured: DuckDB's bare scan, the workbench's questions, and what others would ask with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from benchmarks.logs import DAYS, LAYOUTS, START, TABLE, Log

SCAN = "scan"
"""The subject all others are compared with."""
_WORKBENCH = ("duckdb", "numpy", "orjson", "pandas", "pyarrow.parquet", "sqlglot", "workbench.workbench")


@dataclass(frozen=True)
class Place:
    """Where a subject finds what it needs."""

    log: Log
    home: Path
    """The workbench's folder, with the store."""
    out: Path
    """Where it may write a file."""


@dataclass(frozen=True)
class Answer:
    """What came out; `states` makes the items' pk, version and ledger out of it, as text, when the clock has stopped."""

    rows: int
    states: Callable[[], Any] | None = None


@dataclass(frozen=True)
class Subject:
    """Something to measure, in a process of its own."""

    name: str
    title: str
    ask: Callable[[Place], Answer]
    imports: Sequence[str]
    """Modules that are imported before the clock starts."""
    store: str = "kept"
    """The store it starts with: ``kept``, as the last one left it; ``none``; or ``nearly`` all but a hundredth."""
    layouts: Sequence[str] = LAYOUTS
    package: str = ""
    """What has to be installed for it, where it is none of the workbench's dependencies."""
    aims: Mapping[int, float] = field(default_factory=dict)
    """What its CPU seconds are to be of the bare scan's, at most, by the changes of a log of raw records."""
    is_peer: bool = False


SUBJECTS: dict[str, Subject] = {}


def _subject(title: str, imports: Sequence[str] = _WORKBENCH, **more: Any) -> Callable[..., Callable[[Place], Answer]]:
    def register(ask: Callable[[Place], Answer]) -> Callable[[Place], Answer]:
        name = ask.__name__
        SUBJECTS[name] = Subject(name, title, ask, imports, **more)
        return ask

    return register


# ---- the bare scan

RECORD = """{eventID: 'VARCHAR', eventName: 'VARCHAR', tableName: 'VARCHAR', userIdentity: 'JSON',
    dynamodb: 'STRUCT(ApproximateCreationDateTime BIGINT, ApproximateCreationDateTimePrecision VARCHAR, Keys JSON,
    NewImage JSON, OldImage JSON, SizeBytes BIGINT)'}"""
_ENVELOPE = """{event_id: 'VARCHAR', event_name: 'VARCHAR', table_name: 'VARCHAR', ts: 'VARCHAR', keys: 'VARCHAR',
    new_image: 'VARCHAR', old_image: 'VARCHAR', size_bytes: 'BIGINT', by_ttl: 'BOOLEAN'}"""
_MAXIMA = "max(event_id), max(event_name), max(table_name), max(ts), max(keys), max(new_image), max(old_image)"


def records(log: Log, columns: str = RECORD) -> str:
    """Return the relation of a log's records in DuckDB, as its fastest reader reads them."""
    return (
        f"read_json('{log.data}/**/*.gz', format = 'newline_delimited', records = true, auto_detect = false, "
        f"hive_partitioning = false, columns = {columns})"
    )


def connected() -> Any:
    """Open DuckDB as the bare scan and the peers use it: two threads of two, no order, no bar."""
    import duckdb

    con = duckdb.connect(config={"preserve_insertion_order": False})
    con.execute("set enable_progress_bar = false")
    return con


@_subject("DuckDB's bare scan", imports=("duckdb",))
def scan(place: Place) -> Answer:
    log = place.log
    if log.layout == "raw":
        text = (
            "max(eventID), max(eventName), max(tableName), max(dynamodb.Keys), max(dynamodb.NewImage), "
            f"max(dynamodb.OldImage), max(dynamodb.ApproximateCreationDateTime) from {records(log)}"
        )
    elif log.layout == "envelope":
        text = f"{_MAXIMA} from {records(log, _ENVELOPE)}"
    else:
        text = f"{_MAXIMA} from read_parquet('{log.data}/**/*.parquet', hive_partitioning = false)"
    return Answer(len(connected().execute(f"select {text}").fetchall()))


# ---- the workbench


def _workbench(place: Place) -> Any:
    from workbench.workbench import Workbench

    return Workbench(place.log.data, home=place.home)


def _latest_state(place: Place) -> Answer:
    df = _workbench(place).latest_state(TABLE).df

    def states() -> Any:
        return df.assign(version=df["version"].astype(str), ledger=df["ledger"].map(str, na_action="ignore"))

    return Answer(len(df), states)


@_subject("`latest_state`, first question over new objects", store="none", aims={1_000_000: 2.4, 5_000_000: 2.3})
def first(place: Place) -> Answer:
    return _latest_state(place)


@_subject("`latest_state`, later process", aims={1_000_000: 0.4, 5_000_000: 0.35})
def later(place: Place) -> Answer:
    return _latest_state(place)


@_subject("1 % new objects, then `latest_state`", store="nearly", layouts=("raw",), aims={5_000_000: 0.4})
def newer(place: Place) -> Answer:
    return _latest_state(place)


@_subject('`change_frequency(by="attribute")`', layouts=("raw",), aims={1_000_000: 0.5})
def by_attribute(place: Place) -> Answer:
    return Answer(len(_workbench(place).change_frequency(TABLE, by="attribute").df))


@_subject("`data_quality`", layouts=("raw",), aims={1_000_000: 1.5})
def quality(place: Place) -> Answer:
    return Answer(len(_workbench(place).data_quality(TABLE).df))


@_subject("`item_history`, the busiest item", layouts=("raw",), aims={1_000_000: 0.1})
def busiest(place: Place) -> Answer:
    return Answer(len(_workbench(place).item_history(TABLE, {"pk": place.log.busiest}).df))


@_subject("`item_history`, an item of five changes", layouts=("raw",), aims={20_000_000: 0.03})
def ordinary(place: Place) -> Answer:
    return Answer(len(_workbench(place).item_history(TABLE, {"pk": place.log.ordinary}).df))


@_subject("`query`: items and sums by city, of the state", layouts=("raw",), aims={1_000_000: 0.35})
def query(place: Place) -> Answer:
    asked = f"select person.city, count(*), sum(balance) from {TABLE} group by 1"
    return Answer(len(_workbench(place).query(asked).df))


@_subject('`query`: `"$versions"` counted', layouts=("raw",), aims={1_000_000: 0.3})
def versions(place: Place) -> Answer:
    return Answer(
        int(_workbench(place).query(f'select count(*) as versions from "{TABLE}$versions"').df["versions"].iloc[0])
    )


@_subject("`transitions` of an attribute", layouts=("raw",), aims={1_000_000: 0.4})
def transitions(place: Place) -> Answer:
    return Answer(len(_workbench(place).transitions(TABLE, "active").df))


@_subject("`trend` of a sum, by day", layouts=("raw",), aims={1_000_000: 0.4})
def trend(place: Place) -> Answer:
    return Answer(len(_workbench(place).trend(TABLE, "sum(balance)", every="1d").df))


@_subject("`diff` of two instants", layouts=("raw",), aims={1_000_000: 0.7})
def diff(place: Place) -> Answer:
    return Answer(len(_workbench(place).diff(TABLE, *place.log.instants).df))


_SINCE = START + timedelta(days=DAYS - 5.5)  # in which 100,000 items of a million changes changed


@_subject("`undo` of the changes of 5½ days, planned", layouts=("raw",), aims={1_000_000: 2.0})
def undo(place: Place) -> Answer:
    return Answer(len(_workbench(place).undo(TABLE, start=_SINCE)))


@_subject("`undo` to 5½ days before, planned", layouts=("raw",), aims={1_000_000: 2.0})
def undo_to(place: Place) -> Answer:
    return Answer(len(_workbench(place).undo(TABLE, to=_SINCE)))


def _explore(place: Place) -> Any:
    return _workbench(place).explore(TABLE)


@_subject("`explore`, opened", layouts=("raw",))
def explore(place: Place) -> Answer:
    return Answer(_explore(place).facts()["versions"])


@_subject("`explore`, opened and moved a hundred times, sorted and filtered", layouts=("raw",))
def explore_moves(place: Place) -> Answer:
    explorer, seen = _explore(place), 0
    (first, last), asked = explorer.facts()["span"], {"sort": 2, "where": "balance > 500"}
    for at in range(first, last, (last - first) // 99):
        seen += explorer.answer({"kind": "view", "at": at, **asked})["shown"]
    return Answer(seen)


@_subject("`changes` with a condition, nine in ten, to Parquet", layouts=("raw",), aims={1_000_000: 2.0})
def changes(place: Place) -> Answer:
    import pyarrow.parquet as pq
    from click.testing import CliRunner

    from workbench.cli import main

    asked = ["changes", TABLE, "--source", str(place.log.data), "--where", "new.balance > 10000"]
    ran = CliRunner(env={"WORKBENCH_HOME": str(place.home)}).invoke(
        main, [*asked, "--out", str(place.out), "--overwrite"]
    )
    if ran.exit_code:
        raise RuntimeError(ran.output) from ran.exception
    return Answer(pq.ParquetFile(place.out).metadata.num_rows)


# ---- peers: the latest state of each item, as a frame


def _frame(df: Any, version: str = "version", ledger: str = "ledger") -> Answer:
    """Return a peer's frame as an answer: `version` and `ledger` are what it calls these attributes."""

    def as_text(value: Any) -> str | None:
        if value is None or value != value:
            return None
        return value if isinstance(value, str) else format(Decimal(value).normalize(), "f")

    def states() -> Any:
        import pandas as pd

        parts = {"pk": df["pk"], "version": df[version], "ledger": df.get(ledger)}
        return pd.DataFrame(parts).assign(
            version=lambda each: each["version"].map(as_text), ledger=lambda each: each["ledger"].map(as_text)
        )

    return Answer(len(df), states)


_PEER: dict[str, Any] = {"layouts": ("raw",), "is_peer": True}


@_subject("the query that blogs copy, in DuckDB", imports=("duckdb", "pandas"), **_PEER)
def blog(place: Place) -> Answer:
    df = (
        connected()
        .execute(
            f"""select dynamodb.Keys.pk.S as pk, dynamodb.NewImage.version.N as version,
            dynamodb.NewImage.ledger.N as ledger, dynamodb.NewImage as image
        from (select *, row_number() over (partition by dynamodb.Keys.pk.S
            order by dynamodb.ApproximateCreationDateTime desc) as n from read_json_auto('{place.log.data}/**/*.gz'))
        where n = 1"""
        )
        .df()
    )
    return _frame(df)


_PATHS = {
    "pk": "pk/S",
    "active": "active/BOOL",
    "balance": "balance/N",
    "ledger": "ledger/N",
    "note": "note/S",
    "age": "person/M/age/N",
    "city": "person/M/city/S",
    "name": "person/M/name/S",
    "score": "person/M/score/N",
    "phone": "phone/S",
    "tags": "tags/SS",
    "updated_by": "updated_by/S",
    "version": "version/N",
}


@_subject("a window function, each column named, in DuckDB", imports=("duckdb", "pandas"), **_PEER)
def window(place: Place) -> Answer:
    columns = ", ".join(f"value[{at}] as {name}" for at, name in enumerate(_PATHS, 1))
    paths = [f"/{path}" for path in _PATHS.values()]
    df = (
        connected()
        .execute(
            f"""select {columns} from (select json_extract_string(image, {paths}) as value from (
            select dynamodb.NewImage as image, eventName from {records(place.log)}
            qualify row_number() over (
                partition by dynamodb.Keys order by dynamodb.ApproximateCreationDateTime desc) = 1)
        where eventName <> 'REMOVE')"""
        )
        .df()
    )
    return _frame(df)


@_subject("pandas `read_json(lines=True)`, `groupby`", imports=("pandas",), **_PEER)
def pandas(place: Place) -> Answer:
    import pandas as pd

    log = pd.concat([pd.read_json(path, lines=True, compression="gzip") for path in place.log.paths], ignore_index=True)
    change = log["dynamodb"]
    log["pk"] = [each["Keys"]["pk"]["S"] for each in change]
    log["at"] = [each["ApproximateCreationDateTime"] for each in change]
    last = log.sort_values("at", kind="stable").groupby("pk").tail(1)
    last = last[last["eventName"] != "REMOVE"]
    images = pd.json_normalize([each["NewImage"] for each in last["dynamodb"]])
    return _frame(images.rename(columns={"pk.S": "pk"}), "version.N", "ledger.N")


@_subject("polars `scan_ndjson`, `group_by`", imports=("polars", "pandas"), package="polars", **_PEER)
def polars(place: Place) -> Answer:
    import polars as pl

    def of(kind: str, dtype: Any = pl.String) -> Any:
        return pl.Struct({kind: dtype})

    person = {"age": of("N"), "city": of("S"), "name": of("S"), "score": of("N")}
    image = pl.Struct(
        {
            "active": of("BOOL", pl.Boolean),
            "balance": of("N"),
            "ledger": of("N"),
            "note": of("S"),
            "person": of("M", pl.Struct(person)),
            "phone": of("S"),
            "pk": of("S"),
            "tags": of("SS", pl.List(pl.String)),
            "updated_by": of("S"),
            "version": of("N"),
        }
    )
    key = pl.Struct({"pk": of("S")})
    change = pl.Struct({"ApproximateCreationDateTime": pl.Int64, "Keys": key, "NewImage": image})
    scanned = pl.scan_ndjson(place.log.paths, schema={"eventName": pl.String, "dynamodb": change})
    inner = pl.col("dynamodb").struct
    last = (
        scanned.select(
            "eventName",
            inner.field("Keys").struct.field("pk").struct.field("S").alias("pk"),
            inner.field("ApproximateCreationDateTime").alias("at"),
            inner.field("NewImage").alias("image"),
        )
        .group_by("pk")
        .agg(pl.all().sort_by("at").last())
        .filter(pl.col("eventName") != "REMOVE")
    )
    part = pl.col("image").struct.field
    version, ledger = (part(name).struct.field("N").alias(name) for name in ("version", "ledger"))
    return _frame(last.with_columns(version, ledger).collect().to_pandas())


def _newest_images(place: Place) -> list[dict[str, Any]]:
    """Read a log as a script would: line by line into a dictionary, the last change of each item."""
    import gzip
    import json

    newest: dict[str, tuple[int, dict[str, Any] | None]] = {}
    for path in place.log.paths:
        with gzip.open(path) as lines:
            for line in lines:
                change = json.loads(line)["dynamodb"]
                key, at = change["Keys"]["pk"]["S"], change["ApproximateCreationDateTime"]
                if key not in newest or at >= newest[key][0]:
                    newest[key] = at, change.get("NewImage")
    return [image for _, image in newest.values() if image]


@_subject("a loop with boto3's `TypeDeserializer`", imports=("boto3.dynamodb.types", "pandas"), **_PEER)
def boto3(place: Place) -> Answer:
    import pandas as pd
    from boto3.dynamodb.types import TypeDeserializer

    of = TypeDeserializer().deserialize
    return _frame(pd.DataFrame([{name: of(value) for name, value in image.items()} for image in _newest_images(place)]))


@_subject(
    "a loop with `dynamodb-json`", imports=("dynamodb_json.json_util", "pandas"), package="dynamodb-json", **_PEER
)
def dynamodb_json(place: Place) -> Answer:
    import pandas as pd
    from dynamodb_json import json_util

    return _frame(pd.DataFrame([json_util.loads(image) for image in _newest_images(place)]))


LEFT_OUT = {
    "awswrangler's `wr.s3.read_json`": "reads from S3 alone, each object by pandas' `read_json`: pandas' row, and a "
    "network",
}
"""Peers that are not measured, and why."""


def file_size(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
