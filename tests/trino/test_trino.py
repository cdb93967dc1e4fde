"""Every question over every layout: Trino, which Athena engine 3 is, answers as the embedded engine does."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest

from tests.helpers.logs import record
from tests.trino.conftest import MATRIX
from tests.trino.lake import BUCKET, DATABASE, LAYOUTS, START, TABLE, TEXTS, histories, register, store
from tests.trino.server import Trino
from workbench.aws.athena import RunningQuery
from workbench.aws.costs import FinishedQuery
from workbench.aws.log_tables import Listing, LogTable
from workbench.aws.session import Session
from workbench.aws.table_definitions import table_input
from workbench.config import load_settings
from workbench.engines import Engine, compacting
from workbench.engines.athena import AthenaEngine
from workbench.engines.duckdb import DuckDBEngine
from workbench.model.conditions import names_images, parse
from workbench.model.keys import KeyPart
from workbench.model.records import canonical_json
from workbench.model.times import END_OF_TIME, START_OF_TIME
from workbench.sql.filters import Filter
from workbench.sql.layouts import deliveries
from workbench.sql.literals import literal
from workbench.sql.questions import questions

pytestmark = [pytest.mark.trino, pytest.mark.timeout(1500)]
DAY = START + timedelta(days=1)
ALL, SOME = {"start": START_OF_TIME, "end": END_OF_TIME}, {"start": START + timedelta(hours=7), "end": DAY}
QUESTIONS: dict[str, list[dict[str, Any]]] = {
    "ambiguous_items": [{}],
    "change_frequency": [ALL | {"unit": "minute"}, ALL | {"unit": "day"}, SOME | {"unit": "hour"}],
    "change_intervals": [ALL, SOME],
    "chain_gaps": [ALL | {"examples": 2}, SOME | {"examples": 100}],
    "changes": [ALL, SOME],
    "chosen_changes": [ALL, SOME],
    "chosen_chains": [ALL | {"examples": 2}, SOME | {"examples": 100}, SOME | {"first": True}],
    "delivery": [
        ALL | {"late_arrival": 3600, "examples": 3, "present": END_OF_TIME},
        SOME | {"late_arrival": 0, "examples": 1, "present": DAY},
    ],
    "hot_keys": [ALL | {"limit": 5}, SOME | {"limit": 1000}],
    "items": [{}, {"as_of": START + timedelta(hours=22)}],
    "key_concentration": [ALL, SOME],
    "latest_state": [{"as_of": END_OF_TIME, "include_deleted": gone} for gone in (True, False)]
    + [{"as_of": START + timedelta(hours=hour), "include_deleted": True} for hour in (0, 11, 22, 33, 44)],
    "log_span": [ALL, SOME],
    "record_sizes": [ALL | {"large": 50, "examples": 3}, SOME | {"large": 0, "examples": 2}],
    "schema_drift": [ALL, SOME],
    "stream_views": [ALL, SOME],
    "versions": [{}, *({"as_of": START + timedelta(hours=hour)} for hour in (11, 33))],
}


CONDITIONS = [
    "a = 10",
    "a <> 10",
    "a > 1.5 or A < -1",
    "a between -3 and 9",
    "a in (0, 0.001, 12345678901234567890123456789012345678)",
    "a = ''",
    "a = '\"'",
    "a = '\\' or a = 'it''s'",
    "a in ('x', '😀', 'ö')",
    "a like '%\\%' or a like '_'",
    "a not like 'x%'",
    "a like '!%' escape '!' or a like '%N%'",
    "a = true or a = false",
    "a = x'00' or a <> x''",
    "a is null",
    "a is not null",
    "a is absent",
    "not (a is absent)",
    "new.a <> '' and old.a is absent",
    "new.N > 1 or old.N is null",
    "a.b is absent and a is not absent",
    'a[0] is not absent or "a[0]" is not absent',
    '"b.c" is not absent',
    '"q""q" is not absent',
    "ö is not absent",
    '"back\\slash" is not absent',
    '"*" is not absent',
    '"" is not absent',
    '"a b" is not absent',
    '"it\'s" is not absent',
    '"😀" is not absent',
    '"$" is not absent',
    '"*".a is not absent or "*"[0] is not absent or ""."*" is not absent or ""[0] is not absent or a[0] is not absent',
    '"*" = 10 or "" > 0 or "$" like \'%\' or "SS" is null',
    "changed(a)",
    "not changed(a) and a is not absent",
    "new.a = old.a",
    "new.a <> old.a",
    "new.a <= new.a or new.a < old.a",
    "size(a) > 1",
    "not size(a) between 0 and 1",
    "size(new.a) <> size(old.a) or a = size(N) or size(a) >= size(a)",
    "contains(a, 'x') or contains(a, 10) or contains(a, true) or contains(a, x'00')",
    "not contains(a, 'x')",
    "starts_with(a, 'x')",
]


class OnTrino:
    """Runs Athena's queries on Trino: what they would UNLOAD comes back at once."""

    output = f"s3://{BUCKET}/results/"

    def __init__(self, trino: Trino, session: Session) -> None:
        self._trino, self._session = trino, session
        self.finished: list[FinishedQuery] = []

    def run(self, texts: Sequence[str], *, to: Sequence[str | None] = ()) -> list[RunningQuery]:
        for text, place in zip(texts, to, strict=False):
            if place:  # what stays there
                self._unload(text, place)
        return [RunningQuery(text, self.output) for text in texts]

    def _unload(self, text: str, place: str) -> None:
        """Write rows by Trino's own writer, which refuses a column without a type, as UNLOAD does."""
        table = f"unloaded_{uuid.uuid4().hex}"
        self._trino.query(
            f"create table {DATABASE}.{table} with (format = 'PARQUET', external_location = {literal(place)}) as {text}"
        )
        self._session.client("glue").delete_table(DatabaseName=DATABASE, Name=table)  # its files stay

    def batches(self, query: RunningQuery, rows: int | None = None) -> Iterator[pa.Table]:
        found = self._trino.query(query.sql)
        if len(found):
            yield found

    def clean(self, query: RunningQuery) -> None: ...

    def close(self) -> None: ...

    def cost(self, scanned: int, queries: int = 1) -> float:
        return 0.0


@pytest.fixture(scope="session")
def lake(
    trino: Trino, endpoint: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, tuple[Engine, Engine]]]:
    """The two engines over each layout: Athena's, whose queries Trino runs, and the embedded one."""
    engines: dict[str, tuple[Engine, Engine]] = {}
    for number, (layout, described) in enumerate(LAYOUTS.items()):
        name, folder = f"log_{number}", tmp_path_factory.mktemp("log")
        settings = load_settings(
            engine="athena",
            endpoint=endpoint,
            region="eu-central-1",
            database=DATABASE,
            table_names={TABLE: name},
            count_unreadable=False,
        )
        athena = AthenaEngine(settings)
        if not number:
            session = athena.catalog.session
            session.client("s3").create_bucket(
                Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
            )
            session.client("glue").create_database(DatabaseInput={"Name": DATABASE})
        records, own, canonical = histories(1, described.records), folder / "own", folder / "canonical"
        store(own, described, records)
        register(athena.catalog.session, own, name, described, records)
        store(
            canonical,
            described
            if described.records == "texts"
            else replace(LAYOUTS["envelope JSON (OpenX)"], folder=described.folder),
            records,
        )
        athena._queries = OnTrino(trino, athena.session)  # type: ignore[assignment]
        engines[layout] = athena, DuckDBEngine(load_settings(source=str(canonical)))
    yield engines
    for pair in engines.values():
        for engine in pair:
            engine.close()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("question", QUESTIONS)
def test_a_question_over_a_layout_has_one_answer(lake, request, question: str, layout: str):
    matrix = request.config.stash[MATRIX]
    matrix[question, layout] = "✗"
    on_trino, embedded = lake[layout]
    for values in QUESTIONS[question]:
        ours, theirs = (engine.ask(question, TABLE, **values).rows for engine in (on_trino, embedded))
        assert rows(ours) == rows(theirs), values
        assert {field.name: field.type for field in ours.schema if not digest(field)} == {
            field.name: field.type for field in theirs.schema if not digest(field)
        }
    assert len(theirs)
    matrix[question, layout] = "✓"


def test_a_projection_in_quotes_lists_no_folder_that_a_query_leaves_out(lake, trino):
    """Trino's projection is Athena's: its plan tells which folders it would list."""
    on_trino, embedded = lake["envelope JSON (OpenX)"]
    log = on_trino.catalog.table(TABLE)  # type: ignore[attr-defined]
    assert log.partitions.columns == (("arrival", "string"),)

    def planned(within: str) -> list[tuple[datetime, datetime]]:
        sql = f"select distinct event_id from {log.deliveries(within=within)}"
        (plan,) = trino.query(f"explain (type io, format json) {sql}").to_pylist()
        (read,) = json.loads(plan["Query Plan"])["inputTableColumnInfos"]
        spans = {each["columnName"]: each["domain"]["ranges"] for each in read["constraint"]["columnConstraints"]}
        ends = [(each["low"], each["high"]) for each in spans["arrival"]]
        assert {end["bound"] for span in ends for end in span} == {"EXACTLY"}
        return [
            tuple(datetime.strptime(end["value"], "year=%Y/month=%m/day=%d/hour=%H") for end in span)  # type: ignore[misc]
            for span in ends
        ]

    hours = [datetime(2026, 1, 1, hour) for hour in (3, 4, 5, 9, 20)]
    kept = log.partitions.within([(f"{hour:year=%Y/month=%m/day=%d/hour=%H}",) for hour in hours])
    assert planned(kept) == [(hour, hour) for hour in hours]
    lately = log.partitions.lately()
    ((first, last),) = planned(lately)  # the last is the present hour, which begins while this is planned, or not
    assert last - first in (timedelta(days=7), timedelta(days=7, hours=1))
    moved = lately.replace("interval '7' day", "interval '9000' day")
    found = trino.query(f"select distinct event_id from {log.deliveries(within=moved)}")
    assert len(found) == len(embedded.ask("changes", TABLE, **ALL).rows)


def test_every_question_is_asked():
    assert set(QUESTIONS) == set(questions())


@pytest.mark.parametrize("layout", ["envelope JSON (OpenX)", "struct"])
def test_arrivals_in_another_zone_and_what_a_log_holds_are_told_alike(lake, trino, layout: str):
    """The query that counts unreadable lines runs beside each question: it tells keys and when changes were made."""
    settings = {"arrival_zone": "America/New_York"}
    athena, embedded = (engine._settings.model_copy(update=settings) for engine in lake[layout])  # type: ignore[attr-defined]
    on_trino, on_files = AthenaEngine(athena.model_copy(update={"count_unreadable": True})), DuckDBEngine(embedded)
    on_trino._queries = OnTrino(trino, on_trino.session)  # type: ignore[assignment]
    for values in QUESTIONS["delivery"]:
        ours, theirs = (engine.ask("delivery", TABLE, **values) for engine in (on_trino, on_files))
        assert rows(ours.rows) == rows(theirs.rows), values
    assert (ours.unreadable, theirs.unreadable) == ((), ())
    assert on_trino.keys(TABLE, whole=True) == on_files.keys(TABLE)
    ours, theirs = (engine.ask("log_span", TABLE, **ALL) for engine in (on_trino, on_files))
    assert ours.newest_change == theirs.newest_change
    assert (ours.first_arrival, ours.last_arrival) == (theirs.first_arrival, theirs.last_arrival)
    on_trino.close()
    on_files.close()


@pytest.mark.parametrize("layout", [name for name in LAYOUTS if "OpenX" in name or "Parquet" in name])
def test_the_state_is_the_same_with_a_checkpoint(lake, trino, monkeypatch, layout: str):
    on_trino, embedded = lake[layout]
    engine = AthenaEngine(on_trino._settings.model_copy(update={"checkpoints": f"s3://{BUCKET}/checkpoints/"}))
    engine._queries = OnTrino(trino, engine.session)  # type: ignore[assignment]
    every = engine.catalog.listing

    def so_far(log: LogTable, *window: datetime | None) -> Listing:
        found = every(log, *window)
        some = found.objects if "checkpoint" in log.location else found.objects[: -len(found.objects) // 3]
        return replace(found, objects=some)

    with monkeypatch.context() as then:  # a third of the objects came after the checkpoint
        then.setattr(engine.catalog, "listing", so_far)
        made = engine.checkpoint(TABLE, keep=1)
    for values in QUESTIONS["latest_state"]:
        ours = engine.ask("latest_state", TABLE, over="state", **values)
        assert rows(ours.rows) == rows(embedded.ask("latest_state", TABLE, **values).rows), values
    assert ours.objects < len(every(engine.catalog.table(TABLE)).objects)
    assert made.since < END_OF_TIME
    engine.close()


@pytest.mark.parametrize("layout", ["envelope JSON (OpenX)"])
def test_answers_are_the_same_with_compacted_days(lake, trino, monkeypatch, layout: str):
    """Days are written, read as they are and by delivery, and made again of what is in them and what is in the log."""
    on_trino, embedded = lake[layout]
    engine = AthenaEngine(on_trino._settings.model_copy(update={"compacted": f"s3://{BUCKET}/compacted/"}))
    engine._queries = engine._compactor._queries = OnTrino(trino, engine.session)  # type: ignore[assignment]
    every = engine.catalog.listing

    def but_the_first(log: LogTable, *window: datetime | None) -> Listing:
        found = every(log, *window)
        gone = min(item.path for item in every(log).objects)
        return replace(found, objects=[item for item in found.objects if item.path != gone])

    def same(**windows: Sequence[dict[str, Any]]) -> None:
        for question, listed in windows.items():
            for values in listed:
                ours, theirs = (each.ask(question, TABLE, **values) for each in (engine, embedded))
                assert rows(ours.rows) == rows(theirs.rows), (question, values)
                assert {field.name: field.type for field in ours.rows.schema if not digest(field)} == {
                    field.name: field.type for field in theirs.rows.schema if not digest(field)
                }
                assert any("compacted day" in note for note in ours.notes)

    monkeypatch.setattr(compacting, "_now", lambda: DAY + timedelta(days=1))
    assert engine.compact(TABLE, again=False)["day"].tolist() == [START.date()]
    same(changes=QUESTIONS["changes"])  # by a day, or a part of it, and the objects beside
    monkeypatch.setattr(engine.catalog, "listing", but_the_first)
    monkeypatch.setattr(compacting, "_now", lambda: DAY + timedelta(days=2))
    made = engine.compact(TABLE, again=True)
    assert made["status"].tolist() == ["made again", "made"]
    same(latest_state=QUESTIONS["latest_state"][:1], delivery=QUESTIONS["delivery"], stream_views=[ALL])
    engine.close()


@pytest.mark.parametrize("where", CONDITIONS)
def test_a_condition_selects_the_same_rows(lake, where: str):
    on_trino, embedded = lake["envelope JSON (OpenX)"]
    tree = parse(where)
    both = Filter(events=("INSERT", "MODIFY"), condition=tree)
    state = {"as_of": END_OF_TIME, "include_deleted": False}
    found = {}
    for name, engine in (("Trino", on_trino), ("DuckDB", embedded)):
        found[name] = [rows(engine.ask("changes", TABLE, where=both, **ALL).rows)]
        if not names_images(tree):
            one = Filter(condition=tree)
            found[name].append(rows(engine.ask("latest_state", TABLE, where=one, **state).rows))
    assert found["Trino"] == found["DuckDB"]
    assert any(found["DuckDB"]), "a condition that selects nothing tries nothing"


def test_keys_are_found_whole_by_a_part_and_by_how_they_begin(lake):
    on_trino, embedded = lake["raw, images as texts"]
    whole = sorted({row["keys"] for row in embedded.ask("changes", TABLE, **ALL).rows.to_pylist()})
    parts = [[KeyPart("pk", "S", f"{text}-{number}")] for number, text in enumerate(TEXTS)]
    begins = [[KeyPart("pk", "S", text, prefix=True)] for text in TEXTS if text]
    for keys in (whole, parts, begins, [[KeyPart("pk", "S", '"-3'), KeyPart("sk", "N", "10")]]):
        ours, theirs = (
            rows(engine.ask("changes", TABLE, where=Filter(tuple(keys)), **ALL).rows) for engine in (on_trino, embedded)
        )
        assert ours == theirs
    assert len(rows(on_trino.ask("hot_keys", TABLE, **ALL, limit=1000).rows)) == len(whole)


@pytest.mark.parametrize(
    ("attributes", "types"),
    [
        (400, "struct<s:string>"),
        (100, "struct<s:string,n:string,null:boolean,ss:array<string>>"),
        (30, f"struct<m:struct<{','.join(f'b{number}:struct<s:string,n:string>' for number in range(10))}>>"),
    ],
)
def test_a_crawlers_table_is_not_too_wide_for_the_compiler(trino, lake, attributes: int, types: str):
    image = f"struct<pk:struct<s:string>,{','.join(f'a{number}:{types}' for number in range(attributes))}>"
    columns = {
        "eventid": "string",
        "eventname": "string",
        "tablename": "string",
        "dynamodb": "struct<approximatecreationdatetime:bigint,keys:struct<pk:struct<s:string>>,"
        f"newimage:{image},oldimage:{image}>",
    }
    glue, name = lake["struct"][0].catalog.session.client("glue"), f"wide_{attributes}"
    made = table_input(name, f"s3://{BUCKET}/wide/", layout="raw", partitions="none")
    made["StorageDescriptor"]["Columns"] = [{"Name": each, "Type": kind} for each, kind in columns.items()]
    made["StorageDescriptor"]["SerdeInfo"]["Parameters"] = {}
    glue.create_table(DatabaseName=DATABASE, TableInput=made)
    row = record("INSERT", {"pk": {"S": "x"}}, 1_767_225_600_000_000, new={"pk": {"S": "x"}, "a7": {"S": "y"}})
    if "<m:" in types:
        row["dynamodb"]["NewImage"]["a7"] = {"M": {"b3": {"N": "1.50"}}}
    lake["struct"][0].catalog.session.client("s3").put_object(
        Bucket=BUCKET, Key="wide/object.json", Body=json.dumps(row).encode()
    )
    (found,) = trino.query(
        f"select keys, new_image, old_image from {deliveries(f'{DATABASE}.{name}', columns)} as log"
    ).to_pylist()
    image = canonical_json(row["dynamodb"]["NewImage"])
    assert found == {"keys": '{"pk":{"S":"x"}}', "new_image": image, "old_image": None}


def digest(field: pa.Field) -> bool:
    """Whether a column has digests of images, which each engine makes by a function of its own."""
    return field.name in ("found", "left_behind", "absent")


def rows(table: pa.Table) -> list[tuple[Any, ...]]:
    """Return rows in an order of their own, with images and digests in one spelling."""
    found = table.to_pylist()
    for row in found:
        for name in {"image", "new_image", "old_image"} & set(row):
            row[name] = row[name] and canonical_json(json.loads(row[name]))
        for name in {"most_duplicated", "most_reordered", "latest", "largest_keys"} & set(row):
            row[name] = row[name] and [re.sub(r"\.?0+$", "", each) for each in row[name]]  # the time, in any spelling
    found.sort(
        key=lambda row: str([value for name, value in row.items() if name not in ("found", "left_behind", "absent")])
    )
    seen: dict[Any, int] = {}
    return [
        tuple(
            (
                seen.setdefault(value, len(seen))
                if name in ("found", "left_behind", "absent") and value is not None
                else value
            )
            for name, value in row.items()
        )
        for row in found
    ]
