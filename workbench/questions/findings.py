"""What may be wrong with a log: a table of findings, each with when it counts, what it means and what to do.

A finding more is one entry of `FINDINGS`; where no question of quality answers it yet, a field of `Evidence` too.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from workbench.log.containers import FAILURE
from workbench.log.contents import remade
from workbench.log.objects import grouped
from workbench.questions.delivery import by_day, runs
from workbench.questions.evidence import EXAMPLES, LARGEST_RECORD, Evidence, gap_examples
from workbench.questions.judging import Finding
from workbench.text import words


def _at(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC" if moment else ""


def _freshness(evidence: Evidence) -> str:
    newest = evidence.delivery.newest
    meaning = f"the newest change was made at {_at(newest)}" if newest else "there is no change"
    meaning += f", the newest object arrived at {_at(evidence.last_arrival)}" if evidence.last_arrival else ""
    return meaning + (f": longer ago than {words(evidence.allowed_age)}" if evidence.stale else "")


def _lag(evidence: Evidence) -> str:
    if not evidence.count("timed"):
        return "the objects' names and folders do not tell when they arrived"
    most, longest = (words(timedelta(milliseconds=int(evidence.delivery.total[name]))) for name in ("p99", "longest"))
    return (
        f"from change to arrival 99% took at most {most}, the longest {longest} (lower bounds: an object is dated by "
        "its oldest change)"
    )


def _record_sizes(evidence: Evidence) -> str:
    median, largest = (int(evidence.sizes[name] or 0) for name in ("p50", "largest"))
    return (
        f"changes of over half of the {LARGEST_RECORD:,} bytes Kinesis takes; a larger one is skipped whole "
        f"(median {median:,}, largest {largest:,} bytes)"
    )


def _delivered(name: str) -> Callable[[Evidence], list[str]]:
    """Name the changes that `delivery.sql` gives as examples."""
    return lambda evidence: evidence.named(evidence.delivery.total.get(name))


_ORDER = "an item's changes are ordered by their times, and so is its latest state"
_UNIT = "look at what writes their time, and whether its unit is what ApproximateCreationDateTimePrecision says"
_IMPOSSIBLE = "the log has times that cannot be: do not rely on its order"

FINDINGS = (
    Finding(
        name="empty window",
        status="warning",
        count=lambda e: int(not e.changes),
        total=lambda _: 1,
        of="windows",
        meaning="the log holds no change of this window: there is nothing to judge",
        remedy="widen the window, or look for objects that did not arrive",
    ),
    Finding(
        name="unreadable lines",
        status="failed",
        count=lambda e: len(e.unreadable),
        total=lambda e: e.deliveries + len(e.unreadable),
        of="lines",
        examples=lambda e: grouped(e.unreadable)[:EXAMPLES],
        meaning="lines or objects of the log that are no change records; what they told is missing here",
        remedy="look at the lines named; restore the objects from a version of the bucket, or mend what writes them",
    ),
    Finding(
        name="objects in no partition",
        applies=lambda e: bool(e.unread),
        status="failed",
        count=lambda e: len(e.unread),
        total=lambda e: e.objects + len(e.unread),
        of="objects",
        examples=lambda e: e.unread[:EXAMPLES],
        meaning="objects of the log that no query on Athena reads, as Glue has no partitions for their folders",
        remedy="run the crawler, MSCK REPAIR TABLE, or ALTER TABLE … ADD PARTITION",
    ),
    Finding(
        name="lost attributes",
        applies=lambda e: bool(e.lost),
        status="failed",
        count=lambda e: len(e.lost),
        total=lambda e: len(e.lost),
        of="attributes and types",
        examples=lambda e: e.lost[:EXAMPLES],
        meaning="attributes, or types of them, of the newest records that the table's columns do not hold: answers "
        "lack them",
        remedy="run the crawler again, or register an explicit table: `workbench table create`",
    ),
    Finding(
        name="missing changes",
        status="failed",
        count=lambda e: len(e.between),
        examples=lambda e: gap_examples(e.between),
        meaning="a change found something else than the change before it had left: one in between is not in the log",
        remedy="look for it in Firehose's error prefix and in FailedToReplicateRecordCount; `workbench reconcile` "
        "tells whether the present state is right",
    ),
    Finding(
        name=FAILURE,
        status="failed",
        count=lambda e: e.failures,
        total=lambda e: max(e.failures, e.deliveries),
        of="deliveries",
        meaning="changes that Firehose could not deliver: they are read out of its failure objects, and are missing "
        "in the log, and so for Athena",
        remedy="mend what the objects say, and deliver their records again",
    ),
    Finding(
        name="unseen beginnings",
        status=lambda e: "failed" if e.baseline else "warning",
        count=lambda e: e.beginnings + len(e.begun),
        total=lambda e: e.count("items"),
        of="items",
        examples=lambda e: [*e.named(e.unseen), *gap_examples(e.begun)][:EXAMPLES],
        meaning=lambda e: (
            f"items that were there before their first change after the export of {_at(e.baseline)}, which does not "
            "know them: a change is missing"
            if e.baseline
            else "items that were there before their first change here: the log began later, or lacks a change"
        ),
        remedy=lambda e: (
            "look for it in Firehose's error prefix, or give a later export"
            if e.baseline
            else "give a baseline, an export of the table made after the stream was switched on (--baseline)"
        ),
    ),
    Finding(
        name="changes dated after they arrived",
        status=lambda e: "failed" if e.count("far_ahead") else "warning",
        count=lambda e: e.count("ahead"),
        examples=_delivered("most_ahead"),
        meaning=f"changes that cannot have been made yet: {_ORDER}",
        remedy=f"{_UNIT}; where all are some hours ahead, Firehose's folders are in another zone",
        verdict=_IMPOSSIBLE,
    ),
    Finding(
        name="changes dated before 2012",
        status="failed",
        count=lambda e: e.count("before"),
        examples=_delivered("most_before"),
        meaning=f"changes made when there was no DynamoDB, like those of 1970: {_ORDER}",
        remedy=_UNIT,
        verdict=_IMPOSSIBLE,
    ),
    Finding(
        name="freshness",
        of="",
        status=lambda e: ("failed" if e.max_age else "warning") if e.stale else "ok",
        meaning=_freshness,
        remedy="look whether changes still reach the log (the stream, Firehose, a sync), or whether none are made",
        verdict="the log is older than it may be: do not rely on it for the present",
    ),
    Finding(
        name="silent hours",
        status="note",
        count=lambda e: len(e.silent),
        total=lambda e: len(e.delivery.hours) + len(e.silent),
        of="hours",
        examples=lambda e: [f"{_at(first)} to {_at(last)}" for first, last in runs(e.silent)[:EXAMPLES]],
        meaning="hours without a change that had some on nearly every other day",
        remedy="look whether the table was written to then, and for objects that did not arrive",
    ),
    Finding(
        name="unusual days",
        status="note",
        count=lambda e: len(e.unusual),
        total=lambda e: len(by_day(e.delivery.hours)),
        of="days",
        examples=lambda e: [f"{day:%Y-%m-%d}: {count:,} changes" for day, count in e.unusual.items()][:EXAMPLES],
        meaning="days (UTC) with less than a third, or more than three times, of what a day has as a rule",
        remedy="look whether that is what happened to the table, or changes are missing or were made twice",
    ),
    Finding(
        name="ambiguous ties",
        status="warning",
        count=lambda e: len(e.ties),
        total=lambda e: e.count("items"),
        of="items",
        examples=lambda e: e.named(e.ties),
        meaning="changes of one instant that neither images nor events put in order; event_id decides",
        remedy="see the missing changes, and those without an old image; `workbench history` shows the item's",
    ),
    Finding(
        name="changes without an old image",
        status="warning",
        count=lambda e: int(e.sizes["no_old_image"] or 0),
        examples=lambda e: e.types_held,
        meaning="changes that do not say what they found: missing changes cannot be noticed, nor attributes compared",
        remedy="deliver the envelope or raw layout, of a stream that has both images",
    ),
    Finding(
        name="changes without a new image",
        status="warning",
        count=lambda e: int(e.sizes["no_new_image"] or 0),
        examples=lambda e: e.types_held,
        meaning="changes that do not say what they left: what was in the table cannot be told",
        remedy="set the stream to hand on both images (NEW_AND_OLD_IMAGES), or use Kinesis Data Streams",
    ),
    Finding(
        name="tables made again with another key",
        status="warning",
        count=lambda e: max(len(e.schemas) - 1, 0),
        total=lambda e: len(e.schemas),
        of="keys",
        examples=lambda e: remade(e.schemas),
        meaning="the table was removed and made again with another key: a state is that of the table "
        "that was there then, and the items of the one before ended",
        remedy="ask about the time of one of them, by as_of or start and end",
    ),
    Finding(
        name=lambda e: f"arrivals later than {words(e.late)}",
        status="warning",
        count=lambda e: e.count("late"),
        total=lambda e: e.count("timed"),
        examples=lambda e: e.named(e.delivery.total["latest"]) if e.count("late") else (),
        meaning="changes that arrived so late that a window with this slack would not read them",
        remedy="widen late_arrival, and look at Firehose's DataFreshness and the stream's iterator age",
    ),
    Finding(
        name="reordered changes",
        status="note",
        count=lambda e: e.count("reordered"),
        examples=_delivered("most_reordered"),
        meaning="changes that arrived after a newer change of their item; the answers here go by DynamoDB's time",
        remedy="nothing; a consumer that takes the last to arrive would be wrong",
    ),
    Finding(
        name="duplicates",
        status="note",
        count=lambda e: e.count("duplicates"),
        total=lambda e: e.deliveries,
        of="deliveries",
        examples=_delivered("most_duplicated"),
        meaning="deliveries of a change that was there already; each change counts once",
        remedy="nothing; a consumer that counts lines would be wrong",
    ),
    Finding(
        name="large records",
        status="warning",
        count=lambda e: int(e.sizes["large"] or 0),
        examples=lambda e: e.named(e.sizes["largest_keys"]) if e.sizes["large"] else (),
        meaning=_record_sizes,
        remedy="watch FailedToReplicateRecordCount; keep large values outside of the item",
    ),
    Finding(
        name="attributes of several types",
        status="note",
        count=lambda e: len(e.mixed_types),
        total=lambda e: e.drift["path"].nunique(),
        of="attributes",
        examples=lambda e: [f"{path}: {', '.join(types)}" for path, types in e.mixed_types.items()][:EXAMPLES],
        meaning="attributes that are of one type in an item and of another in the next, or changed it",
        remedy="expect mixed columns; a query that casts them fails or loses values",
    ),
    Finding(name="delivery lag", of="", status="ok", meaning=_lag),
)
"""All of them, in the order in which they are listed."""
