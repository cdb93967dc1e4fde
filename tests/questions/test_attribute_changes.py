"""How often attributes change, counted in columns: what counting the differences of each pair of images comes to."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import timedelta

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.engines.comparison import Comparer
from workbench.engines.images import FEW
from workbench.model.differences import differences
from workbench.questions.columns import ATTRIBUTES
from workbench.questions.frequency import AttributeChanges
from workbench.questions.state_comparison import path_text

NOON = pd.Timestamp("2026-11-18T12:00")
scalars = st.sampled_from(
    [
        {"N": "1"},
        {"N": "1.0"},
        {"N": "2"},
        {"S": ""},
        {"S": "é"},
        {"BOOL": True},
        {"NULL": True},
        {"M": {}},
        {"SS": ["a", "b"]},
        {"SS": ["b", "c"]},
        {"SS": ["b", "a"]},
        {"NS": ["1", "2"]},
        {"NS": ["2.0", "3"]},
    ]
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=2).map(lambda each: {"L": each})
        | st.dictionaries(st.sampled_from(["a", "b.c"]), inner, max_size=2).map(lambda each: {"M": each})
    ),
    max_leaves=3,
)
images = st.dictionaries(st.sampled_from(["n", "m", "z"]), values, max_size=3)
changes = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(0, 200), st.none() | images, st.none() | images), max_size=12
)


def table(rows):
    """Changes as `changes.sql` answers them."""
    texts = [[None if each is None else json.dumps(each, separators=(",", ":")) for each in row[2:]] for row in rows]
    return pa.table(
        {
            "keys": pa.array([json.dumps({"pk": {"S": key}}) for key, *_ in rows], pa.string()),
            "ts": pa.array([NOON + timedelta(minutes=at) for _, at, *_ in rows], pa.timestamp("us")),
            "event_name": pa.array(["MODIFY"] * len(rows), pa.string()),
            "old_image": pa.array([old for old, _ in texts], pa.string()),
            "new_image": pa.array([new for _, new in texts], pa.string()),
        }
    )


def counted(rows):
    """The same, pair by pair."""
    touched, quiet = defaultdict(list), 0
    for key, at, old, new in rows:
        if old is None or new is None:
            continue
        kinds = {path_text(each.path): each.change for each in differences(old, new)}
        quiet += not kinds
        for path, kind in kinds.items():
            touched[path].append((kind, key, NOON.tz_localize("UTC") + timedelta(minutes=at)))
    lines = []
    for path, each in touched.items():
        kinds, keys, times = zip(*each, strict=True)
        counts = [sum(kind == name for kind in kinds) for name in ("added", "removed", "type changed")]
        others = len(each) - sum(counts)
        share = len(each) / max(len(rows), 1)
        lines.append((path, len(each), *counts[:2], others, counts[2], len({*keys}), share, min(times), max(times)))
    lines.sort(key=lambda line: (-line[1], line[0]))
    return lines, quiet, sum(old is None or new is None for _, _, old, new in rows), touched


@pytest.mark.parametrize("few", [1, FEW])
@settings(deadline=None, max_examples=150)
@given(rows=changes, cut=st.integers(0, 12))
def test_counts_are_those_of_each_pairs_differences(few, rows, cut):
    total, times = AttributeChanges(), AttributeChanges("hour")
    with pytest.MonkeyPatch.context() as patch:
        for module in ("images", "comparison"):
            patch.setattr(f"workbench.engines.{module}.FEW", few)
        with Comparer(threads=1) as comparer:
            for some in (rows[:cut], rows[cut:]):
                total.add(table(some), comparer)
                times.add(table(some), comparer)
    lines, quiet, unknown, touched = counted(rows)
    df = total.total()
    assert list(df.itertuples(index=False, name=None)) == lines
    assert df.dtypes.map(str).to_dict() == dict(ATTRIBUTES)
    assert (total.modifies, total.no_op_writes, total.unknown) == (len(rows), quiet, unknown)
    over_time = times.over_time("1h", "UTC", None, None)
    assert over_time.dtypes.map(str).to_dict() == {"path": "str", "bucket": "datetime64[us, UTC]", "changes": "int64"}
    found = {(row.path, row.bucket): row.changes for row in over_time.itertuples() if row.changes}
    hours = [(path, at.floor("h")) for path, each in touched.items() for _, _, at in each]
    assert found == {hour: hours.count(hour) for hour in hours}
