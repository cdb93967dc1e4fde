"""Can the log be trusted? Findings about a change log, each with what it means and what to do."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench import attributes, render
from workbench.chain import ABSENT, Link, follow
from workbench.differences import differences
from workbench.engines import Answer, Engine
from workbench.fragments import fragment
from workbench.frames import key_frame, words
from workbench.history import Row, chained, image_of, path_text
from workbench.objects import Unreadable, grouped
from workbench.records import RecordRefused
from workbench.result import Result

Hide = Callable[[pd.DataFrame], pd.DataFrame]
EXAMPLES = 3
_KEYS = 2_000  # asked about at a time
_START_OF_TIME = datetime(1, 1, 1, tzinfo=UTC)
LARGEST_RECORD = 1 << 20
"""Bytes a Kinesis record may have, both images included; a larger change is skipped whole.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds.html"""
VERDICTS = {
    "ok": "the log can be trusted",
    "note": "the log can be trusted; there is something to know",
    "warning": "the log can be trusted within limits",
    "failed": "the log is not complete: do not rely on it for what it lacks",
}


@dataclass(frozen=True, kw_only=True, repr=False)
class Quality(Result):
    """The answer to whether a log can be trusted.

    Attributes
    ----------
    df
        One row a finding: finding, status (ok, note, warning, failed), count, share (0 to 1, of what `of` says),
        of, examples (a list of texts), meaning, remedy.
    gaps
        One row a place where a change is missing: the key attributes, lost_after and lost_before (UTC, the instants
        between which it was made), event_id of the change that did not find what was left, and paths, the
        attributes that differ.
    lag
        One row an hour of arrival (UTC): arrival, changes, p50, p90, p99, longest, as delays from change to arrival.
    drift
        One row an attribute path and type: path, type, items (how many ever had it), share (of all items),
        first_seen, last_seen (UTC).
    """

    gaps: pd.DataFrame
    lag: pd.DataFrame
    drift: pd.DataFrame

    @property
    def verdict(self) -> str:
        """One line: the worst that was found."""
        worst = max(self.df["status"], key=list(VERDICTS).index)
        found = self.df.loc[self.df["status"] == worst, "finding"]
        return f"{self.asked['table']}: {VERDICTS[worst]}" + (f" ({', '.join(found)})" if worst != "ok" else "")

    def _repr_html_(self) -> str:
        rows = self.df.to_dict("records")
        shown = [row for row in rows if row["count"] or not row["of"]]  # what is measured is always shown
        shown.sort(key=lambda row: -list(VERDICTS).index(row["status"]))
        fine = [row["finding"] for row in rows if row not in shown]
        return fragment("quality", verdict=self.verdict, found=shown, fine=fine, summary=self.summary)


def examine(engine: Engine, table: str, keys: Sequence[str], start: datetime, end: datetime, late: pd.Timedelta,
            hide: Hide) -> tuple[dict[str, Any], Answer]:  # fmt: skip
    """Ask all there is to ask of a log's quality, `hide` masking what is shown; see `Workbench.data_quality`."""
    window: dict[str, Any] = {"start": start, "end": end}
    began = time.perf_counter()
    answer = engine.ask("chain_gaps", table, after=start, **window, examples=EXAMPLES)
    suspected, *beginnings = suspects(answer.rows)
    chains: list[Row] = []
    for number in range(0, len(suspected), _KEYS):
        matching = render.matching(suspected[number : number + _KEYS])
        rows = engine.ask("changes", table, start=_START_OF_TIME, end=end, after=start, matching=matching).rows
        chains += [row | {"ts": row["ts"].replace(tzinfo=UTC)} for row in rows.to_pylist()]
    state = engine.ask("latest_state", table, after=end, as_of=end - timedelta(microseconds=1),
                       include_deleted=False).rows  # fmt: skip
    ties = state.filter(state.column("ambiguous")).to_pylist()
    delivery = engine.ask("delivery", table, **window, late_arrival=int(late.total_seconds()), examples=EXAMPLES).rows
    shapes, items = drift(engine.ask("schema_drift", table, **window).rows)
    sizes = engine.ask("record_sizes", table, **window, large=LARGEST_RECORD // 2, examples=EXAMPLES).rows
    missing = hide(gaps(chains, keys, start))
    df = findings(
        delivery=delivery.filter(delivery.column("total")).to_pylist()[0] if len(delivery) else {},
        sizes=sizes.to_pylist()[0], gaps=missing, beginnings=beginnings, drift=shapes, items=items,
        ties=sorted(((row["keys"], row["ts"]) for row in ties), key=lambda tie: tie[::-1]), late=late,
        unreadable=answer.unreadable, hide=hide,
    )  # fmt: skip
    found = {"df": df, "gaps": missing[missing["lost_after"].notna()], "lag": lag(delivery), "drift": shapes}
    return found, replace(answer, seconds=time.perf_counter() - began)


def findings(*, delivery: Mapping[str, Any], sizes: Mapping[str, Any], gaps: pd.DataFrame, beginnings: Sequence[Any],
             drift: pd.DataFrame, items: int, ties: Sequence[tuple[str, Any]], late: pd.Timedelta,
             unreadable: Sequence[Unreadable], hide: Hide) -> pd.DataFrame:  # fmt: skip
    """Weigh what the questions of quality answered."""

    def named(examples: Sequence[str] | Sequence[tuple[str, Any]] | None) -> list[str]:
        pairs = [text.rsplit(" ", 2) if isinstance(text, str) else text for text in (examples or ())[:EXAMPLES]]
        return [_example(hide(pd.DataFrame({"keys": [key]}))["keys"][0], *moment) for key, *moment in pairs]

    changes, timed = int(delivery.get("changes", 0)), int(delivery.get("timed") or 0)
    between, begun = gaps[gaps["lost_after"].notna()], gaps[gaps["lost_after"].isna()]
    types = drift[drift["type"] != "NULL"]
    mixed = types[types["path"].duplicated(keep=False)]
    rows = [
        _finding("empty window", "warning", int(not changes), 1, "windows", (),
                 "the log holds no change of this window: there is nothing to judge",
                 "widen the window, or look for objects that did not arrive"),
        _finding("unreadable lines", "failed", len(unreadable), changes, "changes",
                 grouped(unreadable)[:EXAMPLES],
                 "lines or objects of the log that are no change records; what they told is missing here",
                 "look at the lines named; restore the objects from a version of the bucket, or mend what writes them"),
        _finding("missing changes", "failed", len(between), changes, "changes", _gap_examples(between),
                 "a change found something else than the change before it had left: one in between is not in the log",
                 "look for it in Firehose's error prefix and in FailedToReplicateRecordCount; `workbench reconcile` "
                 "tells whether the present state is right"),
        _finding("unseen beginnings", "warning", beginnings[0] + len(begun), items, "items",
                 [*named(beginnings[1]), *_gap_examples(begun)][:EXAMPLES],
                 "items that were there before their first change here: the log began later, or lacks a change",
                 "give a baseline, an export of the table made after the stream was switched on"),
        _finding("ambiguous ties", "warning", len(ties), items, "items", named(ties),
                 "changes of one instant that images do not put in order, as one is missing; event_id decides",
                 "see the missing changes; `workbench history` shows the item's"),
        _finding("changes without an old image", "warning", int(sizes["no_old_image"] or 0), changes, "changes", (),
                 "changes that do not say what they found: missing changes cannot be noticed, nor attributes compared",
                 "deliver the envelope or raw layout, which keep both images"),
        _finding(f"arrivals later than {words(late)}", "warning", int(delivery.get("late") or 0), timed, "changes",
                 named(delivery["latest"]) if delivery.get("late") else (),
                 "changes that arrived so late that a window with this slack would not read them",
                 "widen late_arrival, and look at Firehose's DataFreshness and the stream's iterator age"),
        _finding("reordered changes", "note", int(delivery.get("reordered") or 0), changes, "changes",
                 named(delivery.get("most_reordered")),
                 "changes that arrived after a newer change of their item; the answers here go by DynamoDB's time",
                 "nothing; a consumer that takes the last to arrive would be wrong"),
        _finding("duplicates", "note", int(delivery.get("duplicates") or 0), changes, "changes",
                 named(delivery.get("most_duplicated")),
                 "deliveries of a change that was there already; each change counts once",
                 "nothing; a consumer that counts lines would be wrong"),
        _finding("large records", "warning", int(sizes["large"] or 0), changes, "changes",
                 named(sizes["largest_keys"]) if sizes["large"] else (),
                 f"changes of over half of the {LARGEST_RECORD:,} bytes Kinesis takes; a larger one is skipped whole "
                 f"(median {int(sizes['p50'] or 0):,}, largest {int(sizes['largest'] or 0):,} bytes)",
                 "watch FailedToReplicateRecordCount; keep large values outside of the item"),
        _finding("attributes of several types", "note", mixed["path"].nunique(), drift["path"].nunique(), "attributes",
                 [f"{path}: {', '.join(group['type'])}" for path, group in [*mixed.groupby("path")][:EXAMPLES]],
                 "attributes that are of one type in an item and of another in the next, or changed it",
                 "expect mixed columns; a query that casts them fails or loses values"),
        _finding("delivery lag", "ok", 0, timed, "", (),
                 f"from change to arrival 99 % took at most {words(pd.Timedelta(int(delivery['p99']), 'ms'))}, the "
                 f"longest {words(pd.Timedelta(int(delivery['longest']), 'ms'))} (lower bounds: an object is dated by "
                 "its oldest change)" if timed else "the objects' names and folders do not tell when they arrived",
                 "" if timed else "keep Firehose's names or its year/month/day/hour prefixes"),
    ]  # fmt: skip
    df = pd.DataFrame(rows)
    df.insert(4, "share", df["count"] / df.pop("total").clip(lower=1))
    text = dict.fromkeys(("finding", "status", "of", "meaning", "remedy"), "str")
    return df[["finding", "status", "count", "share", "of", "examples", "meaning", "remedy"]].astype(
        text | {"count": "int64"}
    )


def suspects(rows: pa.Table) -> tuple[list[str], int, list[tuple[str, Any]]]:
    """Read `chain_gaps.sql`: the keys of items in which a change may be missing, and the unseen beginnings."""
    absent = next((value for value in rows.column("absent").to_pylist() if value is not None), None)
    begun = rows.filter(rows.column("beginnings").is_valid()).to_pylist()
    chains = rows.filter(rows.column("beginnings").is_null()).sort_by("keys").to_pylist()
    found = []
    for key, changes in groupby(chains, key=lambda row: row["keys"]):
        links = (
            Link(row["ts"], row["event_id"], *(
                ABSENT if row[side] == absent else None if row[side] is None else str(row[side])
                for side in ("found", "left_behind")))  # type: ignore[arg-type]
            for row in changes
        )  # fmt: skip
        if any(missing for _, missing in follow(links)):
            found.append(key)
    return found, (begun[0]["beginnings"] if begun else 0), [(row["keys"], row["ts"]) for row in begun]


def gaps(rows: Iterable[Row], keys: Sequence[str], start: Any) -> pd.DataFrame:
    """Locate the missing changes of items, given all their changes.

    Within an instant of several changes, and on either side of it, more than one place may explain the same images:
    the times given then reach to the next instants of one change.
    """
    texts, found = [], []
    for key, changes in groupby(sorted(rows, key=lambda row: row["keys"]), key=lambda row: row["keys"]):
        before: Row | None = None
        ordered = list(chained(list(changes)))
        instants = Counter(row["ts"] for row, _ in ordered)
        for row, missing in ordered:
            if missing and row["ts"] >= start:
                left = image_of(before["new_image"]) if before else None
                differing = differences(left, image_of(row["old_image"]))
                paths = sorted({path_text(each.path) for each in differing if each.path[0] not in keys})
                texts.append(key)
                since = _alone(instants, before["ts"], -1) if before else None
                found.append((since, _alone(instants, row["ts"], 1), row["event_id"], paths))
            before = row
    columns = ["lost_after", "lost_before", "event_id", "paths"]
    df = pd.DataFrame(found, columns=columns).astype({"event_id": "str"})
    for name in columns[:2]:
        df[name] = pd.to_datetime(df[name], utc=True).astype("datetime64[us, UTC]")
    return pd.concat([key_frame(texts, keys, columns), df], axis="columns")


def _alone(instants: Counter[datetime], at: datetime, step: int) -> datetime:
    """Return the nearest instant, from one on in a direction, that has one change; the last one where none has."""
    way = sorted((each for each in instants if (each - at) * step >= timedelta(0)), reverse=step < 0)
    return next((each for each in way if instants[each] == 1), way[-1])


def lag(rows: pa.Table) -> pd.DataFrame:
    """Read the hours of `delivery.sql`."""
    hours = rows.filter(pc.and_(pc.invert(rows.column("total")), rows.column("hour").is_valid()))
    df: pd.DataFrame = hours.select(["hour", "changes", "p50", "p90", "p99", "longest"]).to_pandas()
    for name in ("p50", "p90", "p99", "longest"):
        df[name] = pd.to_timedelta(df[name].astype("int64"), unit="ms").astype("timedelta64[us]")
    df.insert(0, "arrival", df.pop("hour").astype("datetime64[us]").dt.tz_localize("UTC"))
    return df.astype({"changes": "int64"}).sort_values("arrival", ignore_index=True)


def drift(rows: pa.Table) -> tuple[pd.DataFrame, int]:
    """Read `schema_drift.sql`: attribute paths and their types, and how many items there were."""
    seen: dict[tuple[str, str], list[Any]] = {}
    shaped: dict[str, set[tuple[str, str]]] = {}
    items = 0
    listed = rows.to_pylist()
    for row in (row for row in listed if row["shape"] is not None):
        shaped[row["shape"]] = set(_leaves(orjson.loads(row["shape"]), ""))
        for leaf in shaped[row["shape"]]:
            first, last, _ = seen.get(leaf, [row["first_seen"], row["last_seen"], 0])
            seen[leaf] = [min(first, row["first_seen"]), max(last, row["last_seen"]), 0]
    for row in (row for row in listed if row["shapes"] is not None):
        items += row["items"]
        for leaf in set().union(*(shaped[shape] for shape in row["shapes"].split("\n"))):
            seen[leaf][2] += row["items"]
    found = [(*leaf, count, count / max(items, 1), first, last) for leaf, (first, last, count) in seen.items()]
    df = pd.DataFrame(found, columns=["path", "type", "items", "share", "first_seen", "last_seen"])
    for name in ("first_seen", "last_seen"):
        df[name] = pd.to_datetime(df[name], utc=True).astype("datetime64[us, UTC]")
    df = df.astype({"path": "str", "type": "str", "items": "int64", "share": "float64"})
    return df.sort_values(["path", "items", "type"], ascending=[True, False, True], ignore_index=True), items


def _leaves(image: Mapping[str, Any], above: str) -> Iterator[tuple[str, str]]:
    """Yield the paths and types of a shape; the elements of a list are ``phones[]``."""
    for name, value in image.items():
        below = attributes.column_name(("", name)).removeprefix('""')
        yield from _types(value, above + below if above else attributes.column_name((name,)))


def _types(value: Mapping[str, Any], path: str) -> Iterator[tuple[str, str]]:
    ((kind, inner),) = value.items()
    if kind == "M" and inner:
        yield from _leaves(inner, path)
        return
    if kind not in ("S", "N", "B", "BOOL", "NULL", "M", "L", "SS", "NS", "BS"):
        raise RecordRefused(f"unknown type {kind!r}")
    yield path, kind
    for element in inner if kind == "L" else ():
        yield from _types(element, f"{path}[]")


def _finding(finding: str, status: str, count: int, total: int, of: str, examples: Sequence[str], meaning: str,
             remedy: str) -> dict[str, Any]:  # fmt: skip
    return {"finding": finding, "status": status if count else "ok", "count": count, "total": total, "of": of,
            "examples": list(examples), "meaning": meaning, "remedy": remedy if count else ""}  # fmt: skip


def _gap_examples(gaps: pd.DataFrame) -> list[str]:
    """Name the items and the times between which a change is missing, and what it must have changed."""
    found = []
    for row in gaps.head(EXAMPLES).to_dict("records"):
        key = ", ".join(f"{name}={value}" for name, value in list(row.items())[:-4])
        since = "" if pd.isna(row["lost_after"]) else f"after {row['lost_after'].isoformat()} and "
        paths = ", ".join(row["paths"][:5]) + (", …" if len(row["paths"]) > 5 else "")
        found.append(f"{key} {since}before {row['lost_before'].isoformat()}: {paths or 'nothing but the key'}")
    return found


def _example(key: str, *moment: Any) -> str:
    """Name a change: its key in short, and when it was made."""
    values = attributes.from_dynamodb(json.loads(key))
    at = pd.Timestamp(" ".join(map(str, moment)), tz="UTC")
    return f"{', '.join(f'{name}={value}' for name, value in values.items())} at {at.isoformat()}"
