"""Two states compared in columns: what comparing them item by item comes to, with every value and its type."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.questions.test_attribute_changes import images
from workbench.engines.images import FEW
from workbench.errors import RecordRefused
from workbench.model.differences import differences
from workbench.model.items import from_dynamodb
from workbench.model.keys import key_order
from workbench.questions.columns import COMPARISON
from workbench.questions.state_comparison import compare, path_text

NAMES = ("added", "removed", "changed")
keys = st.sampled_from(
    [{"pk": {"S": "a"}}, {"pk": {"S": "b"}}, {"pk": {"N": "7"}}, {"pk": {"N": "10"}}, {"n": {"S": "c"}}]
)
states = st.lists(st.tuples(keys, images), max_size=5).map(
    lambda pairs: {written(key): written(key | image) for key, image in pairs}
)


def written(image):
    return json.dumps(image, separators=(",", ":"), sort_keys=True)


def kind(value):
    return pd.NA if value is None else next(iter(value))


def plain(value):
    return pd.NA if value is None else from_dynamodb({"": value})[""]


def shown(value):
    """A value with its type; the members of a set in order, which it has none of."""
    return repr(sorted(map(repr, value)) if isinstance(value, frozenset) else value)


def by_item(one, other, in_flight):
    """The rows of the comparison, and how many items there are of each name."""
    rows, items = [], dict.fromkeys((*NAMES, *(["in flight"] if in_flight else []), "same"), 0)
    for key in sorted({*one, *other}, key=key_order):
        before, after = (None if key not in state else json.loads(state[key]) for state in (one, other))
        differing = [each for each in differences(before, after) if each.path[0] not in json.loads(key)]
        if not differing and None not in (before, after):
            items["same"] += 1
            continue
        name = NAMES[0] if before is None else NAMES[1] if after is None else NAMES[2]
        name = "in flight" if key in in_flight else name
        items[name] += 1
        for each in differing:
            sides = (each.before, each.after)
            if each.change not in ("added", "removed"):
                sides = (each.before or each.after, each.after or each.before)
            rows.append(
                (key, name, path_text(each.path), each.change, plain(each.before), plain(each.after), *map(kind, sides))
            )
        if not differing:
            rows.append((key, name, *[pd.NA] * 6))
    return rows, items


@pytest.mark.parametrize("few", [1, FEW])
@settings(deadline=None, max_examples=150)
@given(one=states, other=states, flying=st.sets(keys.map(written)))
def test_states_differ_as_their_items_do(few, one, other, flying):
    with pytest.MonkeyPatch.context() as patch:
        for module in ("images", "comparison"):
            patch.setattr(f"workbench.engines.{module}.FEW", few)
        df, items = compare(one, other, ["pk", "n"], NAMES, flying, threads=1)
    rows, counts = by_item(one, other, flying)
    assert items == counts
    assert list(df) == ["pk", "n", *COMPARISON]
    assert df.dtypes.map(str)[list(COMPARISON)].to_dict() == dict(COMPARISON)
    told = [tuple(map(shown, row)) for row in df[list(COMPARISON)].itertuples(index=False, name=None)]
    assert told == [tuple(map(shown, row[1:])) for row in rows]
    key_values = [from_dynamodb(json.loads(row[0])) for row in rows]
    for name in ("pk", "n"):
        wanted = [values.get(name, pd.NA) for values in key_values]
        assert [str(value) for value in df[name]] == [str(value) for value in wanted]


def test_no_two_cells_share_a_list():
    key = [written({"pk": {"N": str(number)}}) for number in range(2)]
    state = {each: written({"pk": {"N": str(number)}, "l": {"L": [{"L": []}]}}) for number, each in enumerate(key)}
    df, _ = compare({}, state, ["pk"], NAMES)
    df["after"][0].append(1)
    assert df["after"][1] == [[]]


def test_an_image_that_is_none_is_refused():
    with pytest.raises(RecordRefused):
        compare({}, {written({"pk": {"S": "a"}}): '{"n":{"Q":"1"}}'}, ["pk"], NAMES)
