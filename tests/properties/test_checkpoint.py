"""The law of checkpoints: whenever they are made, and whatever comes after, answers are those without them."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

from hypothesis import event, given
from hypothesis import strategies as st

from tests.helpers.logs import write_log
from tests.helpers.profiles import examples
from tests.helpers.questions import same
from tests.log.test_exports import lines, write_export
from tests.properties.test_replay import BASE, EPOCH, IMAGE, history
from workbench import Workbench

# One step of a history in which items come back to what they were, often within an instant.
STEP = st.tuples(
    st.sampled_from([0, 0, 0, 1]), st.sampled_from([0, 0, 1, 1, None]), st.sampled_from([0, 0, 0, 1, 3_600_000_000])
)


def when(micros: int):
    return EPOCH + timedelta(microseconds=micros - BASE)


def arriving(records: Sequence[dict], rng: random.Random) -> list[tuple[str, list[dict]]]:
    """Objects in the order they arrive, named as Firehose names them: what is in one may be older, newer, or known."""
    objects: list[list[dict]] = [[] for _ in range(rng.randrange(2, 6))]
    for sent in (*records, *rng.choices(records, k=rng.randrange(len(records) + 1))):
        rng.choice(objects).append(sent)
    times = [when(record["dynamodb"]["ApproximateCreationDateTime"]) for record in records]
    moments = sorted(rng.choice([*times, times[-1] + timedelta(hours=30)]) for _ in objects)
    return [
        (f"things-1-{moment:%Y-%m-%d-%H-%M-%S}-{number}", each)
        for number, (moment, each) in enumerate(zip(moments, objects, strict=True))
        if each
    ]


@given(
    layout=st.sampled_from(["raw", "envelope", "parquet", "flat"]),
    steps=st.lists(STEP, min_size=4, max_size=14),
    seed=st.integers(0, 2**32),
    pool=st.lists(IMAGE, min_size=2, max_size=2, unique_by=str),
    late=st.sampled_from(["0ms", "1h", "24h"]),
)
@examples(20)
def test_the_state_at_every_instant_is_the_same_with_checkpoints_and_without(layout, steps, seed, pool, late):
    rng = random.Random(seed)
    if layout == "flat":
        pool = [{"text": {"S": str(number)}} for number in range(2)]
    records, states = history(steps, pool, rng, apart=False)
    if rng.random() < 0.3:  # some are missing from the log
        records = [record for record in records if rng.random() < 0.8]
    if not records:
        return
    with tempfile.TemporaryDirectory() as folder:
        log, used = Path(folder, "log"), False
        more = {}
        if rng.random() < 0.4:  # the state an export knows, at one of the instants
            instant, state = rng.choice(states)
            write_export(
                Path(folder, "exports"), [lines({"Item": json.loads(image)} for image in state)], when(instant)
            )
            more = {"baseline": f"{folder}/exports"}
        kept = Workbench(log, checkpoints=f"{folder}/kept", late_arrival=late, **more)
        for name, each in arriving(records, rng):
            write_log(log, each, layout, name)
            if rng.random() < 0.5:
                kept.checkpoint("things", keep=rng.choice([1, 2]))
        without = Workbench(log, checkpoints="off", **more)
        instants = [when(at) for at, _ in states]
        for at in (None, instants[0] - timedelta(microseconds=1), *rng.sample(instants, min(3, len(instants)))):
            for deleted in (False, True):
                found, expected = (
                    wb.latest_state("things", as_of=at, include_deleted=deleted) for wb in (kept, without)
                )
                same(found.df, expected.df)
                assert found.stats.ambiguous_ties == expected.stats.ambiguous_ties
                assert found.stats.last_arrival == expected.stats.last_arrival
                used |= any("checkpoint" in note for note in found.stats.notes)
        event("used" if used else "not used")
        start = rng.choice([*instants, instants[-1] + timedelta(hours=1)])
        found, expected = (wb.data_quality("things", start=start) for wb in (kept, without))
        for name in ("df", "gaps", "lag", "drift"):
            same(getattr(found, name), getattr(expected, name))
        event("quality used" if any("checkpoint" in note for note in found.stats.notes) else "quality not used")
        kept.close()
        without.close()
