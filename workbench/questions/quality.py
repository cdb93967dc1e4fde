"""Can the log be trusted? Findings about a change log, each with what it means and what to do."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import TYPE_CHECKING, Any

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.engines import Answer, Engine, Over
from workbench.errors import RecordRefused
from workbench.log.containers import FAILURE
from workbench.log.contents import Schema, remade
from workbench.log.objects import Unreadable, grouped
from workbench.model import attributes, stream_views
from workbench.model.differences import differences
from workbench.model.keys import key_order
from workbench.model.ordering import ABSENT, Link, follow
from workbench.model.times import END_OF_TIME, START_OF_TIME, now
from workbench.questions.frames import key_frame, shown
from workbench.questions.history import Row, chained, image_of, path_text, with_baseline
from workbench.questions.html import fragment
from workbench.questions.result import Result
from workbench.sql.filters import Filter
from workbench.text import words

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from workbench.log.exports import Baseline

Hide = Callable[[pd.DataFrame], pd.DataFrame]
EXAMPLES = 3
_KEYS = 2_000  # asked about at a time
LARGEST_RECORD = 1 << 20
"""Bytes a Kinesis record may have, both images included; a larger change is skipped whole.
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/kds.html"""
VERDICTS = {
    "ok": "the log can be trusted",
    "note": "the log can be trusted; there is something to know",
    "warning": "the log can be trusted within limits",
    "failed": "the log is not complete: do not rely on it for what it lacks",
}
AHEAD, BEFORE = "changes dated after they arrived", "changes dated before 2012"
_ORDER = "an item's changes are ordered by their times, and so is its latest state"
_UNIT = "look at what writes their time, and whether its unit is what ApproximateCreationDateTimePrecision says"
STALE = timedelta(days=7)
"""How old the newest change may be without a word, or three times as old as the log's longest silence."""
_NOT_INCOMPLETE = {
    AHEAD: "the log has times that cannot be: do not rely on its order",
    BEFORE: "the log has times that cannot be: do not rely on its order",
    "freshness": "the log is older than it may be: do not rely on it for the present",
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
        others = dict.fromkeys(_NOT_INCOMPLETE.get(each, "") for each in found if worst == "failed")
        said = "" if "" in others else "; ".join(others)
        return f"{self.asked['table']}: {said or VERDICTS[worst]}" + (f" ({', '.join(found)})" if worst != "ok" else "")

    def plot(self, **options: Any) -> Axes:
        """Draw how long changes took to arrive; see `workbench.charts.delivery_lag`."""
        from workbench import charts  # matplotlib, which only charts need

        axes: Axes = charts.delivery_lag(self.lag, **{"subject": self.asked["table"], **options})
        return axes

    @property
    def _outcome(self) -> str:
        return self.verdict

    def _print(self) -> None:
        from workbench.terminal import print_findings, print_verdict

        print_verdict(self.verdict)
        print_findings(self.df)

    def _repr_html_(self) -> str:
        rows = self.df.to_dict("records")
        shown = [row for row in rows if row["count"] or not row["of"]]  # what is measured is always shown
        shown.sort(key=lambda row: -list(VERDICTS).index(row["status"]))
        fine = [row["finding"] for row in rows if row not in shown]
        return fragment("quality", verdict=self.verdict, found=shown, fine=fine, summary=self.summary)


def examine(
    engine: Engine,
    table: str,
    start: datetime,
    end: datetime,
    late: pd.Timedelta,
    hide: Hide,
    max_age: pd.Timedelta | None = None,
) -> tuple[dict[str, Any], Answer]:
    """Ask all there is to ask of a log's quality, `hide` masking what is shown; see `Workbench.data_quality`."""
    window: dict[str, Any] = {"start": start, "end": end}
    began, present = time.perf_counter(), now()
    answer, beginnings, chains, known = _chains(engine, table, start, end)
    state = engine.ask(
        "latest_state", table, over="state", after=end, as_of=end - timedelta(microseconds=1), include_deleted=False
    ).rows
    ties = [
        (row["keys"], row["ts"])
        for row in state.filter(state.column("ambiguous")).to_pylist()
        if row["ts"].replace(tzinfo=UTC) >= start
    ]
    # by the day, so that an earlier answer of this day can be taken again
    latest = present.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=2)
    told = engine.ask(
        "delivery", table, **window, late_arrival=int(late.total_seconds()), present=latest, examples=EXAMPLES
    ).rows
    delivery = Delivery.read(told)
    shapes, _ = drift(engine.ask("schema_drift", table, **window).rows)
    sizes = engine.ask("record_sizes", table, **window, large=LARGEST_RECORD // 2, examples=EXAMPLES).rows
    untold = sizes.column("no_old_image")[0].as_py() or sizes.column("no_new_image")[0].as_py()
    held = stream_views.views(engine.ask("stream_views", table, **window).rows.to_pylist()) if untold else []
    schemas = engine.keys(table)  # the last, since they need no images: asked first, the log would be read twice
    keys = list(dict.fromkeys(name for each in schemas for name in each.types))
    missing = hide(gaps(chains, keys, start))
    if known:  # what was before it is what it knows
        seen = missing["lost_before"] <= pd.Timestamp(known.time)
        missing = missing[missing["lost_after"].notna() | ~seen]
    df = findings(
        delivery=delivery,
        sizes=sizes.to_pylist()[0],
        gaps=missing,
        beginnings=beginnings,
        drift=shapes,
        ties=sorted(ties, key=lambda tie: tie[::-1]),
        late=late,
        unreadable=answer.unreadable,
        hide=hide,
        baseline=known.time if known else None,
        age=None if end <= present or delivery.newest is None else present - delivery.newest,
        max_age=max_age,
        last_arrival=answer.last_arrival if end == END_OF_TIME else None,
        failures=answer.failures,
        held=held,
        schemas=schemas,
        unread=answer.unread,
        objects=answer.objects,
        lost=answer.lost,
    )
    found = {"df": df, "gaps": missing[missing["lost_after"].notna()], "lag": lag(told), "drift": shapes}
    return found, replace(answer, seconds=time.perf_counter() - began)


def _chains(
    engine: Engine, table: str, start: datetime, end: datetime
) -> tuple[Answer, list[Any], list[Row], Baseline | None]:
    """Find where changes may be missing: the unseen beginnings, and all changes of the items in which one may be.

    From a baseline on, what the log tells must follow from it; before it, the log stands alone.
    """
    known = engine.baseline(table)
    known = known if known and known.time < end else None
    if known is None:
        answer = engine.ask("chain_gaps", table, after=start, start=start, end=end, examples=EXAMPLES)
        suspected, *beginnings = suspects(answer.rows)
        rows: Sequence[Row] = _changes(engine, table, suspected, end, start)
        return answer, beginnings, list(rows), None
    since = known.time + timedelta(microseconds=1)
    answer = engine.ask("chain_gaps", table, over="state", start=max(start, since), end=end, examples=EXAMPLES)
    suspected, *beginnings = suspects(answer.rows)
    if start < since:
        before = engine.ask("chain_gaps", table, start=start, end=since, examples=0)
        suspected = sorted({*suspected, *suspects(before.rows)[0]})
    rows = _changes(engine, table, suspected, end)
    exported = _changes(engine, table, suspected, END_OF_TIME, over="baseline")
    return answer, beginnings, with_baseline(rows, exported, known.time), known


def _changes(
    engine: Engine, table: str, keys: Sequence[str], end: datetime, after: datetime | None = None, over: Over = "log"
) -> list[Row]:
    rows: list[Row] = []
    for number in range(0, len(keys), _KEYS):
        some = Filter(tuple(keys[number : number + _KEYS]))
        found = engine.ask("changes", table, start=START_OF_TIME, end=end, after=after, over=over, where=some)
        rows += [row | {"ts": row["ts"].replace(tzinfo=UTC)} for row in found.rows.to_pylist()]
    return rows


@dataclass(frozen=True)
class Delivery:
    """What `delivery.sql` tells of all changes of a window."""

    total: Mapping[str, Any]
    newest: datetime | None
    """The last change whose time is possible."""
    hours: pd.Series
    """How many changes were made, by the hour (UTC) in which there were any; those whose time is possible."""

    @classmethod
    def read(cls, rows: pa.Table) -> Delivery:
        """Read the rows of `delivery.sql`."""
        total = rows.filter(rows.column("total")).to_pylist()
        newest = total[0]["newest"] if total else None
        made = rows.filter(rows.column("made")).select(["hour", "changes", "ahead", "before"]).to_pandas()
        possible = made["changes"].astype("int64") - made["ahead"].astype("int64") - made["before"].astype("int64")
        hours = pd.Series(possible.to_numpy(), pd.DatetimeIndex(made["hour"]))[possible.to_numpy() > 0].sort_index()
        return cls(total[0] if total else {}, newest and newest.replace(tzinfo=UTC), hours)

    def count(self, name: str) -> int:
        """Return one of its numbers."""
        return int(self.total.get(name) or 0)

    @property
    def longest_silence(self) -> timedelta:
        """The longest time between two hours with changes."""
        silences = self.hours.index.to_series().diff().max()
        return timedelta(0) if pd.isna(silences) else silences.to_pytimedelta()


def findings(
    *,
    delivery: Delivery,
    sizes: Mapping[str, Any],
    gaps: pd.DataFrame,
    beginnings: Sequence[Any],
    drift: pd.DataFrame,
    ties: Sequence[tuple[str, Any]],
    late: pd.Timedelta,
    unreadable: Sequence[Unreadable],
    hide: Hide,
    baseline: datetime | None,
    age: timedelta | None,
    max_age: pd.Timedelta | None,
    last_arrival: datetime | None,
    failures: int,
    held: Sequence[stream_views.View],
    schemas: Sequence[Schema],
    unread: Sequence[str],
    objects: int,
    lost: Sequence[str],
) -> pd.DataFrame:
    """Weigh what the questions of quality answered; each share is of what `of` says, and 1 at most."""

    def named(examples: Sequence[str] | Sequence[tuple[str, Any]] | None) -> list[str]:
        pairs = [text.rsplit(" ", 2) if isinstance(text, str) else text for text in (examples or ())[:EXAMPLES]]
        return [_example(hide(pd.DataFrame({"keys": [key]}))["keys"][0], *moment) for key, *moment in pairs]

    told, changes, items, timed = delivery.total, *map(delivery.count, ("changes", "items", "timed"))
    deliveries = changes + delivery.count("duplicates")
    between, begun = gaps[gaps["lost_after"].notna()], gaps[gaps["lost_after"].isna()]
    types_held = [f"the log holds {stream_views.lacking(held)}"] if held else []
    types = drift[drift["type"] != "NULL"]
    mixed = types[types["path"].duplicated(keep=False)]
    silent, unusual = silent_hours(delivery.hours), unusual_days(delivery.hours)
    days = len(_daily(delivery.hours))
    rows = [
        _finding(
            "empty window",
            "warning",
            int(not changes),
            1,
            "windows",
            (),
            "the log holds no change of this window: there is nothing to judge",
            "widen the window, or look for objects that did not arrive",
        ),
        _finding(
            "unreadable lines",
            "failed",
            len(unreadable),
            deliveries + len(unreadable),
            "lines",
            grouped(unreadable)[:EXAMPLES],
            "lines or objects of the log that are no change records; what they told is missing here",
            "look at the lines named; restore the objects from a version of the bucket, or mend what writes them",
        ),
        *(
            [
                _finding(
                    "objects in no partition",
                    "failed",
                    len(unread),
                    objects + len(unread),
                    "objects",
                    unread[:EXAMPLES],
                    "objects of the log that no query on Athena reads, as Glue has no partitions for their folders",
                    "run the crawler, MSCK REPAIR TABLE, or ALTER TABLE … ADD PARTITION",
                )
            ]
            if unread
            else []
        ),
        *(
            [
                _finding(
                    "lost attributes",
                    "failed",
                    len(lost),
                    len(lost),
                    "attributes and types",
                    lost[:EXAMPLES],
                    "attributes, or types of them, of the newest records that the table's columns do not hold: answers "
                    "lack them",
                    "run the crawler again, or register an explicit table: `workbench table create`",
                )
            ]
            if lost
            else []
        ),
        _finding(
            "missing changes",
            "failed",
            len(between),
            changes,
            "changes",
            _gap_examples(between),
            "a change found something else than the change before it had left: one in between is not in the log",
            "look for it in Firehose's error prefix and in FailedToReplicateRecordCount; `workbench reconcile` "
            "tells whether the present state is right",
        ),
        _finding(
            FAILURE,
            "failed",
            failures,
            max(failures, deliveries),
            "deliveries",
            (),
            "changes that Firehose could not deliver: they are read out of its failure objects, and are missing "
            "in the log, and so for Athena",
            "mend what the objects say, and deliver their records again",
        ),
        _finding(
            "unseen beginnings",
            "failed" if baseline else "warning",
            beginnings[0] + len(begun),
            items,
            "items",
            [*named(beginnings[1]), *_gap_examples(begun)][:EXAMPLES],
            f"items that were there before their first change after the export of {_at(baseline)}, which does not "
            "know them: a change is missing"
            if baseline
            else "items that were there before their first change here: the log began later, or lacks a change",
            "look for it in Firehose's error prefix, or give a later export"
            if baseline
            else "give a baseline, an export of the table made after the stream was switched on (--baseline)",
        ),
        _finding(
            AHEAD,
            "failed" if delivery.count("far_ahead") else "warning",
            delivery.count("ahead"),
            changes,
            "changes",
            named(told.get("most_ahead")),
            f"changes that cannot have been made yet: {_ORDER}",
            f"{_UNIT}; where all are some hours ahead, Firehose's folders are in another zone",
        ),
        _finding(
            BEFORE,
            "failed",
            delivery.count("before"),
            changes,
            "changes",
            named(told.get("most_before")),
            f"changes made when there was no DynamoDB, like those of 1970: {_ORDER}",
            _UNIT,
        ),
        _freshness(delivery, age, max_age, last_arrival),
        _finding(
            "silent hours",
            "note",
            len(silent),
            len(delivery.hours) + len(silent),
            "hours",
            [f"{_at(first)} to {_at(last)}" for first, last in _runs(silent)[:EXAMPLES]],
            "hours without a change that had some on nearly every other day",
            "look whether the table was written to then, and for objects that did not arrive",
        ),
        _finding(
            "unusual days",
            "note",
            len(unusual),
            days,
            "days",
            [f"{day:%Y-%m-%d}: {count:,} changes" for day, count in unusual.items()][:EXAMPLES],
            "days (UTC) with less than a third, or more than three times, of what a day has as a rule",
            "look whether that is what happened to the table, or changes are missing or were made twice",
        ),
        _finding(
            "ambiguous ties",
            "warning",
            len(ties),
            items,
            "items",
            named(ties),
            "changes of one instant that neither images nor events put in order; event_id decides",
            "see the missing changes, and those without an old image; `workbench history` shows the item's",
        ),
        _finding(
            "changes without an old image",
            "warning",
            int(sizes["no_old_image"] or 0),
            changes,
            "changes",
            types_held,
            "changes that do not say what they found: missing changes cannot be noticed, nor attributes compared",
            "deliver the envelope or raw layout, of a stream that has both images",
        ),
        _finding(
            "changes without a new image",
            "warning",
            int(sizes["no_new_image"] or 0),
            changes,
            "changes",
            types_held,
            "changes that do not say what they left: what was in the table cannot be told",
            "set the stream to hand on both images (NEW_AND_OLD_IMAGES), or use Kinesis Data Streams",
        ),
        _finding(
            "tables made again with another key",
            "warning",
            max(len(schemas) - 1, 0),
            len(schemas),
            "keys",
            remade(schemas),
            "the table was removed and made again with another key: a state is that of the table "
            "that was there then, and the items of the one before ended",
            "ask about the time of one of them, by as_of or start and end",
        ),
        _finding(
            f"arrivals later than {words(late)}",
            "warning",
            delivery.count("late"),
            timed,
            "changes",
            named(told["latest"]) if delivery.count("late") else (),
            "changes that arrived so late that a window with this slack would not read them",
            "widen late_arrival, and look at Firehose's DataFreshness and the stream's iterator age",
        ),
        _finding(
            "reordered changes",
            "note",
            delivery.count("reordered"),
            changes,
            "changes",
            named(told.get("most_reordered")),
            "changes that arrived after a newer change of their item; the answers here go by DynamoDB's time",
            "nothing; a consumer that takes the last to arrive would be wrong",
        ),
        _finding(
            "duplicates",
            "note",
            delivery.count("duplicates"),
            deliveries,
            "deliveries",
            named(told.get("most_duplicated")),
            "deliveries of a change that was there already; each change counts once",
            "nothing; a consumer that counts lines would be wrong",
        ),
        _finding(
            "large records",
            "warning",
            int(sizes["large"] or 0),
            changes,
            "changes",
            named(sizes["largest_keys"]) if sizes["large"] else (),
            f"changes of over half of the {LARGEST_RECORD:,} bytes Kinesis takes; a larger one is skipped whole "
            f"(median {int(sizes['p50'] or 0):,}, largest {int(sizes['largest'] or 0):,} bytes)",
            "watch FailedToReplicateRecordCount; keep large values outside of the item",
        ),
        _finding(
            "attributes of several types",
            "note",
            mixed["path"].nunique(),
            drift["path"].nunique(),
            "attributes",
            [f"{path}: {', '.join(group['type'])}" for path, group in [*mixed.groupby("path")][:EXAMPLES]],
            "attributes that are of one type in an item and of another in the next, or changed it",
            "expect mixed columns; a query that casts them fails or loses values",
        ),
        _finding(
            "delivery lag",
            "ok",
            0,
            timed,
            "",
            (),
            f"from change to arrival 99 % took at most {words(pd.Timedelta(int(told['p99']), 'ms'))}, the "
            f"longest {words(pd.Timedelta(int(told['longest']), 'ms'))} (lower bounds: an object is dated by "
            "its oldest change)"
            if timed
            else "the objects' names and folders do not tell when they arrived",
            "" if timed else "keep Firehose's names or its year/month/day/hour prefixes",
        ),
    ]
    df = pd.DataFrame(rows)
    df.insert(4, "share", df["count"] / df.pop("total").clip(lower=1))
    text = dict.fromkeys(("finding", "status", "of", "meaning", "remedy"), "str")
    return df[["finding", "status", "count", "share", "of", "examples", "meaning", "remedy"]].astype(
        text | {"count": "int64"}
    )


def _freshness(
    delivery: Delivery, age: timedelta | None, max_age: timedelta | None, last_arrival: datetime | None
) -> dict[str, Any]:
    """Judge how old the newest change is, by `max_age` or by how long the log was silent before."""
    allowed = max_age or max(STALE, 3 * delivery.longest_silence)
    old = (age is None and max_age is not None) if delivery.newest is None else age is not None and age > allowed
    meaning = f"the newest change was made at {_at(delivery.newest)}" if delivery.newest else "there is no change"
    meaning += f", the newest object arrived at {_at(last_arrival)}" if last_arrival else ""
    meaning += f": longer ago than {words(allowed)}" if old else ""
    remedy = "look whether changes still reach the log (the stream, Firehose, a sync), or whether none are made"
    status = ("failed" if max_age else "warning") if old else "ok"
    return _finding("freshness", status, 0, 1, "", (), meaning, "") | {"status": status, "remedy": remedy * old}


def silent_hours(hours: pd.Series) -> list[pd.Timestamp]:
    """Return the hours without a change, between the first and the last with one, that rarely were silent.

    An hour of the day of which at most a tenth of the other days had none, and the typical one at least 10.
    """
    if not len(hours) or (hours.index[-1] - hours.index[0]) < pd.Timedelta("7D"):
        return []
    silent: list[pd.Timestamp] = []
    every = hours.resample("h").sum()
    for _, days in every.groupby(pd.DatetimeIndex(every.index).hour):
        without = days[days == 0]
        if len(without) and len(without) - 1 <= (len(days) - 1) / 10 and days.median() >= 10:
            silent += list(without.index)
    return sorted(silent)


def unusual_days(hours: pd.Series) -> pd.Series:
    """Return the counts of whole days that stand out from a log of ten days or more; none where many do."""
    daily = _daily(hours).iloc[1:-1]
    typical = daily.median() if len(daily) >= 10 else 0
    if typical < 30:
        return daily.iloc[:0]
    spread = 1.4826 * (daily - typical).abs().median()
    out = daily[((daily < typical / 3) | (daily > typical * 3)) & ((daily - typical).abs() > 5 * spread)]
    return out if len(out) <= len(daily) / 10 else out.iloc[:0]


def _daily(hours: pd.Series) -> pd.Series:
    """Count by day (UTC), from the first to the last day."""
    return hours.resample("D").sum()


def _runs(hours: Sequence[pd.Timestamp]) -> list[tuple[pd.Timestamp, pd.Timestamp]]:
    """Put hours that follow each other together: where each run begins and ends."""
    runs: list[tuple[pd.Timestamp, pd.Timestamp]] = []
    for hour in hours:
        begin = runs.pop()[0] if runs and runs[-1][1] == hour else hour
        runs.append((begin, hour + pd.Timedelta("1h")))
    return runs


def _at(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else ""


def suspects(rows: pa.Table) -> tuple[list[str], int, list[tuple[str, Any]]]:
    """Read `chain_gaps.sql`: the keys of items in which a change may be missing, and the unseen beginnings."""
    absent = next((value for value in rows.column("absent").to_pylist() if value is not None), None)
    begun = rows.filter(rows.column("beginnings").is_valid()).sort_by([("ts", "ascending"), ("keys", "ascending")])
    chains = rows.filter(rows.column("beginnings").is_null()).sort_by("keys").to_pylist()
    found = []
    for key, group in groupby(chains, key=lambda row: row["keys"]):
        changes = list(group)
        if any(row["left_behind"] is None for row in changes):  # without images there is nothing to follow
            continue
        links = (
            Link(row["ts"], row["event_id"], _digest(row["found"], absent), str(_digest(row["left_behind"], absent)))
            for row in changes
        )
        if any(missing for _, missing in follow(links)):
            found.append(key)
    first = begun.to_pylist()
    return found, (first[0]["beginnings"] if first else 0), [(row["keys"], row["ts"]) for row in first]


def _digest(digest: object, absent: object) -> str | None:
    """Return the digest of an image as a text, which for an item that is not there is the one of `ordering`."""
    if digest is None:
        return None
    return ABSENT if digest == absent else str(digest)


def gaps(rows: Iterable[Row], keys: Sequence[str], start: Any) -> pd.DataFrame:
    """Locate the missing changes of items, given all their changes.

    Within an instant of several changes, and on either side of it, more than one place may explain the same images:
    the times given then reach to the next instants of one change.
    """
    texts, found = [], []
    in_order = sorted(rows, key=lambda row: key_order(row["keys"]))
    for key, changes in groupby(in_order, key=lambda row: row["keys"]):
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
    arrived = pc.invert(pc.or_(rows.column("total"), rows.column("made")))
    hours = rows.filter(pc.and_(arrived, pc.and_(rows.column("hour").is_valid(), rows.column("longest").is_valid())))
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


def _finding(
    finding: str, status: str, count: int, total: int, of: str, examples: Sequence[str], meaning: str, remedy: str
) -> dict[str, Any]:
    return {
        "finding": finding,
        "status": status if count else "ok",
        "count": count,
        "total": total,
        "of": of,
        "examples": list(examples),
        "meaning": meaning,
        "remedy": remedy if count else "",
    }


def _gap_examples(gaps: pd.DataFrame) -> list[str]:
    """Name the items and the times between which a change is missing, and what it must have changed."""
    found = []
    for row in gaps.head(EXAMPLES).to_dict("records"):
        key = ", ".join(f"{name}={shown(value)}" for name, value in list(row.items())[:-4])
        since = "" if pd.isna(row["lost_after"]) else f"after {row['lost_after'].isoformat()} and "
        paths = ", ".join(row["paths"][:5]) + (", …" if len(row["paths"]) > 5 else "")
        found.append(f"{key} {since}before {row['lost_before'].isoformat()}: {paths or 'nothing but the key'}")
    return found


def _example(key: str, *moment: Any) -> str:
    """Name a change: its key in short, and when it was made."""
    values = attributes.from_dynamodb(json.loads(key))
    at = pd.Timestamp(" ".join(map(str, moment)), tz="UTC")
    return f"{', '.join(f'{name}={shown(value)}' for name, value in values.items())} at {at.isoformat()}"
