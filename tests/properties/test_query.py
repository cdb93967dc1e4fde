"""The law of queries: each relation at every instant is the replayed table, exact numbers and sets included."""

from __future__ import annotations

import json
import random
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.profiles import examples
from tests.properties.test_checkpoint import when
from tests.properties.test_replay import STEP, history
from tests.properties.test_versions import replayed, write
from workbench import Workbench
from workbench.model.attribute_schema import Held, number_type
from workbench.model.canonical import canonical_number
from workbench.model.records import canonical_change

NUMBERS = st.one_of(
    st.integers(-(10**37), 10**37).map(str),
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.sampled_from(["0", "1.5", "-0.001", "2.50E-7", "12345678901234567890123456789012345678"]),
)
IMAGES = st.fixed_dictionaries(
    {},
    optional={
        "num": NUMBERS.map(lambda number: {"N": number}),
        "text": st.sampled_from(["", "a", "ö", "😀"]).map(lambda text: {"S": text}),
        "set": st.lists(st.sampled_from("abc"), min_size=1, unique=True).map(lambda texts: {"SS": texts}),
        "drifts": st.sampled_from([{"S": "x"}, {"N": "1"}, {"BOOL": True}, {"NULL": True}]),
        "nested": st.sampled_from([{"M": {"x": {"N": "1"}}}, {"M": {}}]),
    },
)
COLUMNS = {"num": "num", "text": "text", "set": '"set"', "drifts": "drifts", "nested.x": "nested.x"}


def shown(image: dict[str, Any], exact: bool) -> dict[str, Any]:
    """Return an item as the columns of a query tell it."""
    told: dict[str, Any] = {"sk": canonical_number(image["sk"]["N"])}
    if "num" in image:
        number = image["num"]["N"]
        told["num"] = canonical_number(number) if exact else float(number)
    if "text" in image:
        told["text"] = image["text"]["S"]
    if "set" in image:
        told["set"] = sorted(image["set"]["SS"])
    if "nested" in image and image["nested"]["M"]:
        told["nested.x"] = 1
    return told


def rows(wb: Workbench, sql: str, names: list[str], exact: bool, **given: Any) -> list[str]:
    """Return the rows of a query as texts, to be compared."""
    told = []
    for row in wb.query(sql, **given).df.to_dict("records"):
        cells: dict[str, Any] = {"sk": canonical_number(str(row["sk"]))}
        for name in names:
            cell = row[name]
            if isinstance(cell, list):
                cells[name] = cell
            elif pd.notna(cell):
                convert = {"num": (lambda each: canonical_number(str(each))) if exact else float, "nested.x": int}.get(
                    name, str
                )
                cells[name] = convert(cell)
        told.append(str(sorted(cells.items())))
    return sorted(told)


@given(
    steps=st.lists(STEP, min_size=1, max_size=12),
    pool=st.lists(IMAGES, min_size=3, max_size=3, unique_by=str),
    seed=st.integers(0, 2**32 - 1),
    stored=st.booleans(),
)
@examples(15)
def test_every_relation_at_every_instant_is_the_replayed_table(steps, pool, seed, stored):
    rng = random.Random(seed)
    records, states = history(steps, pool, rng, apart=False)
    if not records:
        return
    held = Held()
    for record in records:
        for image in ("NewImage", "OldImage"):
            if image in record["dynamodb"]:
                held.add(json.dumps(record["dynamodb"][image]))
    names = [name for name in ("num", "text", "set", "nested.x") if held.find(tuple(name.split(".")))]
    exact = "num" not in names or number_type(held.members["num"]) != "double"
    selected = ", ".join(["sk", *(COLUMNS[name] for name in names)])
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder, "log"), records, "mixed", rng)
        wb = Workbench(Path(folder, "log"), home=Path(folder, "home"), store=stored, numbers="decimal")
        for moment, images in [*rng.sample(states, min(len(states), 3)), (None, states[-1][1])]:
            expected = sorted(str(sorted(shown(json.loads(image), exact).items())) for image in images)
            as_of = "for timestamp as of :at" if moment else ""
            given = {"at": when(moment)} if moment else {}
            assert rows(wb, f"select {selected} from things {as_of}", names, exact, **given) == expected
            then = "valid_from <= :at and (valid_to > :at or valid_to is null)" if moment else "is_current"
            versions = f'select {selected} from "things$versions" where {then}'
            assert rows(wb, versions, names, exact, **given) == expected
        lives = replayed(records)
        changes = {change["event_id"]: change for change in map(canonical_change, records)}
        (count,) = wb.query('select count(*) as n from "things$changes"').df["n"]
        assert count == len(changes)
        (count,) = wb.query('select count(*) as n from "things$versions"').df["n"]
        assert count == sum(map(len, lives.values()))
        items = wb.query('select count(*) as n, count_if(deleted) as gone from "things$items"').df
        assert list(items["n"]) == [len({change["keys"] for change in changes.values()})]
        assert list(items["n"] - items["gone"]) == [len(states[-1][1])]
        wb.close()
