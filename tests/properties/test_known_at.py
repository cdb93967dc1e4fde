"""The law of arrivals: a log as it was known at an instant answers as the objects do that had arrived by then."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from datetime import timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from tests.helpers.logs import write_log
from tests.helpers.profiles import examples
from tests.helpers.questions import same
from tests.log.test_exports import lines, write_export
from tests.properties.test_checkpoint import STEP, arriving, when
from tests.properties.test_replay import IMAGE, history
from workbench import Workbench
from workbench.errors import TableNotFound
from workbench.log.export_manifests import find_exports
from workbench.log.objects import arrival_of


@given(
    layout=st.sampled_from(["raw", "envelope", "parquet", "flat"]),
    steps=st.lists(STEP, min_size=4, max_size=14),
    seed=st.integers(0, 2**32 - 1),
    pool=st.lists(IMAGE, min_size=2, max_size=2, unique_by=str),
    store=st.booleans(),
)
@examples(12)
def test_answers_are_those_of_the_objects_that_had_arrived(layout, steps, seed, pool, store):
    rng = random.Random(seed)
    if layout == "flat":
        pool = [{"text": {"S": str(number)}} for number in range(2)]
    records, states = history(steps, pool, rng, apart=False)
    if not records:
        return
    with tempfile.TemporaryDirectory() as folder:
        log, then, home = Path(folder, "log"), Path(folder, "then"), Path(folder, "home")
        places: dict[str, object] = {"home": home, "store": store, "arrival_zone": "UTC"}
        if rng.random() < 0.4:  # the state an export knows, at one of the instants, and written a day later
            instant, state = rng.choice(states)
            write_export(
                Path(folder, "exports"), [lines({"Item": json.loads(image)} for image in state)], when(instant)
            )
            places["baseline"] = f"{folder}/exports"
        now = Workbench(log, checkpoints=f"{folder}/kept", late_arrival="1h", **places)
        for name, each in arriving(records, rng):
            write_log(log, each, layout, name)
            if rng.random() < 0.4:  # of what there is so far, of which some may be later than the instant asked for
                now.checkpoint("things")
        now.latest_state("things")  # and all is in the store
        arrivals = {path: arrival_of(path.as_posix()) for path in sorted(log.iterdir())}
        known_at = rng.choice([*arrivals.values()]) + timedelta(microseconds=rng.choice([-1, 0, 1, 999_999]))
        had_arrived = [path for path, arrival in arrivals.items() if arrival <= known_at]
        known = Workbench(log, checkpoints=f"{folder}/kept", known_at=known_at, **places)
        if not had_arrived:
            with pytest.raises(TableNotFound, match="as it was known at"):
                known.latest_state("things")
            return
        then.mkdir()
        for path in had_arrived:
            shutil.copy2(path, then)
        if "baseline" in places:
            (export,) = find_exports(f"{folder}/exports")
            if (export.made or export.time) > known_at:
                del places["baseline"]
        alone = Workbench(then, checkpoints="off", **{**places, "home": Path(folder, "other home")})
        instants = [when(at) for at, _ in states]
        for at in (None, *rng.sample(instants, min(3, len(instants)))):
            for deleted in (False, True):
                found, expected = (
                    wb.latest_state("things", as_of=at, include_deleted=deleted) for wb in (known, alone)
                )
                same(found.df, expected.df)
                assert found.stats.ambiguous_ties == expected.stats.ambiguous_ties
                assert found.stats.last_arrival == expected.stats.last_arrival
                event("from a checkpoint" if any("checkpoint" in note for note in found.stats.notes) else "from all")
        for ask in (
            lambda wb: wb.changes("things").df,
            lambda wb: wb.item_history("things").df,
            lambda wb: wb.change_frequency("things", every="1h").df,
            lambda wb: wb.diff("things", instants[0], instants[-1]).df,
            lambda wb: wb.tables().drop(columns="table"),
            lambda wb: (
                wb.query('select * from "things$changes"').df
            ),  # whose types are those of the whole log, as known
            lambda wb: wb.query('select count(*), sum(changes), max(last_change) from "things$items"').df,
            lambda wb: wb.connect().sql('select count(*), max(valid_from) from "things$versions"').df(),
        ):
            same(ask(known), ask(alone))
        with patch("workbench.questions.examination.now", lambda: known_at):
            found, expected = (wb.data_quality("things") for wb in (known, alone))
        for name in ("df", "gaps", "lag", "drift"):
            same(getattr(found, name), getattr(expected, name))
        assert f"{known.estimate('latest_state', 'things')}" == f"{alone.estimate('latest_state', 'things')}"
        assert found.stats.known_at == known_at
        for wb in (now, known, alone):
            wb.close()
        again = Workbench(log, checkpoints="off", **{**places, "home": home})  # what later objects hold is in the store
        whole = Workbench(log, checkpoints="off", **{**places, "home": Path(folder, "other home")})
        same(again.latest_state("things").df, whole.latest_state("things").df)
        again.close()
        whole.close()
