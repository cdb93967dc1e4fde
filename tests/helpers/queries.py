"""Queries without a log: a catalog of images, and the relations of a plan as rows that are written into its text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import pyarrow as pa

from workbench.engines.unload import with_times_as_text
from workbench.model.attribute_schema import Held
from workbench.model.records import canonical_json
from workbench.questions.query import frame
from workbench.sql.literals import literal
from workbench.sql.query import Plan, Relation, plan
from workbench.sql.typed_attributes import NO_MASKS, Dialect, Masks

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
_QUESTION_COLUMNS = {
    "latest_state": "image, keys, ts, false as unknown, false as ended",
    "changes": "keys, ts, 'MODIFY' as event_name, false as by_ttl, 10 as size_bytes, 'e-' || keys as event_id, "
    "image as new_image, cast(null as varchar) as old_image",
    "versions": "image, keys, ts as valid_from, cast(null as timestamp(6)) as valid_to, 1 as version, 1 as life, "
    "cast(null as varchar) as ended_by",
    "items": "keys, ts as first_change, ts as last_change, 1 as changes, 1 as lives, false as deleted, false as by_ttl",
}


@dataclass
class Images:
    """A catalog of tables, given by the images of their items."""

    items: Mapping[str, Sequence[Mapping[str, Any]]]
    key_names: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def tables(self) -> Sequence[str]:
        """Name the tables."""
        return list(self.items)

    def keys(self, table: str) -> Sequence[str]:
        """Name the key attributes."""
        return self.key_names.get(table, ("pk",))

    def schema(self, table: str) -> Held:
        """Tell what the images hold."""
        held = Held({"M": 0})
        for image in self.items[table]:
            held.add(canonical_json(image))
        return held

    def plan(self, sql: str, *, masks: Masks = NO_MASKS, **parameters: Any) -> Plan:
        """Plan a query."""
        return plan(sql, parameters, self, masks=masks, now=NOW)

    def text(self, planned: Plan, dialect: Dialect, masks: Masks = NO_MASKS) -> str:
        """Write a plan over the items, whatever the instant that is asked of."""
        relations = [each.projected(self._rows(each), dialect, masks) for each in planned.relations]
        return planned.compose(relations, dialect)

    def unloaded(self, planned: Plan) -> str:
        """Write a plan as Athena's engine runs it."""
        kinds = [
            (name, pa.timestamp("us") if kind == "timestamp" else pa.null()) for name, kind in planned.inside.items()
        ]
        return with_times_as_text(self.text(planned, "athena"), pa.schema(kinds))

    def _rows(self, relation: Relation) -> str:
        rows = []
        for image in self.items[relation.table]:
            keys = canonical_json({name: image[name] for name in self.keys(relation.table)})
            rows.append(f"({literal(canonical_json(image))}, {literal(keys)})")
        values = ", ".join(rows)
        columns = _QUESTION_COLUMNS[relation.kind.question]
        moment = "cast('2026-11-18 12:00:00.000000' as timestamp(6)) as ts"
        return (
            f"select {columns} from (select image, keys, {moment} from (values {values}) as given(image, keys)) as log"
        )


def values_of(planned: Plan, rows: pa.Table) -> list[list[object]]:
    """Return the rows of an answer in its order, to be compared: doubles to twelve digits, what is missing as None."""
    df = frame(planned, planned.in_order(rows)).astype(object)
    return [[_value(cell) for cell in row] for row in df.itertuples(index=False, name=None)]


def _value(cell: Any) -> object:
    if isinstance(cell, list):
        return [_value(each) for each in cell]
    if isinstance(cell, bytes):
        return cell
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return None
    if isinstance(cell, float):
        return "NaN" if math.isnan(cell) else f"{cell:.12g}"
    return str(cell)
