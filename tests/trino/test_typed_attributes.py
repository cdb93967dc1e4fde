"""Attributes as typed columns are on Trino what Python reads of them."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from tests.helpers import attribute_values as made
from tests.trino.lake import ODD_NAMES, value
from tests.trino.server import Trino
from workbench.engines.schemas import shapes_to_schema
from workbench.model.attribute_schema import Held
from workbench.model.masked_values import hashed
from workbench.sql.templates import part
from workbench.sql.typed_attributes import Masks, column_type, typed_columns

pytestmark = [pytest.mark.trino, pytest.mark.timeout(1500)]
MOST = 15  # columns of a query: Trino makes one method of each expression


def images(seed: int) -> list[dict]:
    """Items whose attributes have one type mostly, and another now and then."""
    rng, drawn = random.Random(seed), []
    usual = {name: value(rng, "odd") for name in ODD_NAMES}
    for _ in range(25):
        names = rng.sample(ODD_NAMES, 5)
        drawn.append({name: value(rng, "odd") if rng.random() < 0.1 else similar(usual[name], rng) for name in names})
    numbers = ["0", "-1.5", "9223372036854775808", "1E+5", "-0.001", "10", "9", "-10"]
    drawn += [{"numbers": {"N": each}, "set": {"NS": numbers[:3] + numbers[4:]}} for each in numbers]
    drawn += [{"in": {"M": {"set": {"NS": ["10", "9", "-1", "-1.5"]}, "texts": {"SS": ["1×", "\x1f", "Ý", "\\"]}}}}]
    return drawn


def similar(like: dict, rng: random.Random) -> dict:
    """A value of the same type."""
    while (drawn := value(rng, "odd")).keys() != like.keys():
        pass
    return drawn


@pytest.mark.parametrize("seed", range(4))
def test_a_column_holds_what_python_reads(trino: Trino, seed: int) -> None:
    drawn = images(seed)
    root = made.schema(drawn)
    columns = made.columns_of(root)
    told = [replace(each, name=f"{what}{each.name}", what=what) for each in columns for what in ("exists", "type")]
    for first in range(0, len(columns), MOST):
        some = columns[first : first + MOST]
        text = typed_columns(made.relation([*drawn, None]), {"n": "cast(n as bigint)"}, some, dialect="athena")
        found = trino.query(text).sort_by("n")
        for column in some:
            values = [made.column_value(made.at(image, column.path), column.held) for image in [*drawn, None]]
            assert found.column(column.name).to_pylist() == values, (column.path, column_type(column))
    text = typed_columns(made.relation(drawn), {"n": "cast(n as bigint)"}, told[:60], dialect="athena")
    found = trino.query(text).sort_by("n")
    for column in told[:60]:
        values = [made.at(image, column.path) for image in drawn]
        kinds = [value is not None if column.what == "exists" else next(iter(value or [None])) for value in values]
        assert found.column(column.name).to_pylist() == kinds


@pytest.mark.parametrize("salt", ["", "s" * 70, "ö'"])
def test_a_masked_attribute_comes_as_frames_show_it(trino: Trino, salt: str) -> None:
    drawn = images(9)
    columns = made.columns_of(made.schema(drawn))[:MOST]
    masks = Masks(tuple({column.path[:1] for column in columns}), "hash", salt)
    text = typed_columns(made.relation(drawn), {"n": "cast(n as bigint)"}, columns, dialect="athena", masks=masks)
    found = trino.query(text).sort_by("n")
    for column in columns:
        values = [made.at(image, column.path) for image in drawn]
        assert found.column(column.name).to_pylist() == [
            None if each is None else hashed(made.canonical_value(each).encode(), salt) for each in values
        ]


@pytest.mark.parametrize("seed", range(2))
def test_what_images_hold_is_what_python_reads(trino: Trino, seed: int) -> None:
    drawn = images(seed)
    keys = [{"pk": {"S": str(number)}, "sk": {"N": f"{number}.5"}} for number, _ in enumerate(drawn)]
    news, olds, texts = (made.relation(each) for each in (drawn, [None, *drawn[:-1]], keys))
    changes = (
        "(select news.image as new_image, olds.image as old_image, texts.image as keys "
        f"from {news} as news join {olds} as olds on news.n = olds.n join {texts} as texts on news.n = texts.n)"
    )
    expected = made.schema([*drawn, *drawn[:-1]])
    expected.merge(Held({}, members={"pk": Held({"S": 0}), "sk": Held({"N": 0}, 2, 1, False)}))
    assert shapes_to_schema(trino.query(part("shapes", deliveries=changes, wanted="true"))) == expected
