"""A person's own SELECT over what is, was and happened in tables, as a frame."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from workbench.config import Settings
from workbench.engines import Answer, Engine, Estimate
from workbench.errors import ParameterError
from workbench.model.attribute_schema import Held
from workbench.model.attributes import Numbers
from workbench.model.stream_views import have_states, missing_images
from workbench.model.times import END_OF_TIME
from workbench.model.typed_columns import number_column
from workbench.questions.asking import Asking
from workbench.questions.masking import REDACTED, masked_paths, names_masked
from workbench.questions.result import Result
from workbench.sql.literals import identifier, literal
from workbench.sql.query import Plan, plan
from workbench.sql.query.composed import ComposedText, Expression
from workbench.sql.query.functions import family
from workbench.sql.query.source_text import texts_in
from workbench.sql.questions import load_query
from workbench.sql.typed_attributes import Masks

_ARROW = {
    "varchar": pa.string(),
    "null": pa.string(),
    "bigint": pa.int64(),
    "double": pa.float64(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
}


class Tables:
    """What queries are bound to: the tables of an engine, each looked into once."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._names: Sequence[str] | None = None
        self._schemas: dict[str, Held] = {}

    def tables(self) -> Sequence[str]:
        """Name the tables."""
        if self._names is None:
            self._names = self._engine.names()
        return self._names

    def schema(self, table: str) -> Held:
        """Tell what the images of a table's log hold."""
        if table not in self._schemas:
            self._schemas[table] = self._engine.schema(table)
        return self._schemas[table]

    def keys(self, table: str) -> Sequence[str]:
        """Name the attributes of the keys a table has had."""
        return tuple(dict.fromkeys(name for each in self._engine.keys_seen(table) for name in each.types))


def query(asking: Asking, sql: str, parameters: Mapping[str, Any]) -> Result:
    """Answer a query; see `Workbench.query`."""

    def ask() -> tuple[Plan, Any]:
        planned = _of_known_states(asking, planned_query(asking, sql, parameters))
        return planned, asking.engine.query(planned, masks_of(asking.settings))

    planned, answer = asking.retrying("", ask)
    notes = [*planned.notes, *stands_on(asking, planned)]
    if (texts := _not_shown(asking.settings, sql, parameters)) is not None:
        parameters = dict.fromkeys(parameters, REDACTED)
        answer = replace(answer, sql=_without(texts, answer.sql))
    df = frame(planned, answer.rows, asking.settings.numbers)
    tables = list(dict.fromkeys(relation.table for relation in planned.relations))
    asked = {"sql": sql, **{f":{name}": value for name, value in parameters.items()}}
    return asking.result(Result, df, answer, "query", ", ".join(tables), asked, notes=notes, masked=True)


def _of_known_states(asking: Asking, planned: Plan) -> Plan:
    """Return a plan, before it is paid for, that says of which tables states are left out, as no image tells them.

    Raises
    ------
    ParameterError
        Where no state of a table is known.
    """
    notes = list(planned.notes)
    states = [each for each in planned.relations if "image" in each.kind.images.values()]
    for table in dict.fromkeys(each.table for each in states):
        views = asking.engine.views(table)
        lacking = missing_images(views)
        if views and not have_states(views):
            raise ParameterError(
                f'what is in {table!r} cannot be told: the log holds {lacking}; ask "{table}$changes", or let the '
                "stream hand on both images"
            )
        if lacking:
            notes.append(f"{table}: left out is what changes do not tell: the log holds {lacking}")
    return replace(planned, notes=notes)


def stands_on(asking: Asking, planned: Plan) -> list[str]:
    """Say, once it is answered, what the states that a query reads stand on: see `Asking.notes`."""
    several = len({relation.table for relation in planned.relations}) > 1
    instants = dict.fromkeys(
        (each.table, each.as_of or END_OF_TIME) for each in planned.relations if each.kind.over != "log"
    )
    told = [(table, note) for table, at in instants for note in asking.notes(table, at)]
    return list(dict.fromkeys(f"{table}: {note}" if several else note for table, note in told))


def estimate(asking: Asking, sql: str, parameters: Mapping[str, Any]) -> Estimate:
    """Tell what a query would read; see `Workbench.estimate_query`."""
    return asking.engine.estimate_query(planned_query(asking, sql, parameters))


def planned_query(asking: Asking, sql: str, parameters: Mapping[str, Any]) -> Plan:
    """Read a query, and bind it to the tables there are."""
    try:
        return plan(sql, parameters, Tables(asking.engine), masks=masks_of(asking.settings))
    except ParameterError as error:
        texts = _not_shown(asking.settings, sql, parameters)
        raise (_told_without(texts, error) if texts is not None else error) from None


def _not_shown(settings: Settings, sql: str, parameters: Mapping[str, Any]) -> list[str] | None:
    """Return the texts in a query that names a masked attribute: they may be its values; None where it names none."""
    if not (settings.mask and names_masked(sql, settings.mask)):
        return None
    return texts_in(sql) + [str(value) for value in parameters.values()]


def _without(texts: Sequence[str], shown: str) -> str:
    """Return SQL, or an error, without texts, however they are quoted in it."""
    for text in sorted(texts, key=len, reverse=True):
        shown = shown.replace(literal(text), f"'{REDACTED}'").replace(repr(text), f"'{REDACTED}'")
    return shown


def _told_without(texts: Sequence[str], error: ParameterError) -> ParameterError:
    """Return an error without texts and numbers that were in the query."""
    place, at, told = str(error).partition(", at ")
    return ParameterError(_without(texts, place + at + re.sub(r"(?<!\w)\d+(?:\.\d+)?(?!\w)", "…", told)))


def own_text(
    name: str, table: str, expressions: Mapping[str, Expression], values: Mapping[str, object], **names: str
) -> ComposedText:
    """Return one of the workbench's own queries over a table.

    Parameters
    ----------
    name
        Its file in ``workbench/sql/queries``.
    expressions
        What a person wrote for its ``{names}``.
    values
        Its parameters; those that are not given have their defaults.
    names
        SQL for its other ``{names}``.
    """
    asked = load_query(name)
    names |= {"versions": identifier(f"{table}$versions"), "table": identifier(table)}
    return ComposedText(asked.text, expressions, names, asked.bind(values))


def own_plan(asking: Asking, text: ComposedText) -> Plan:
    """Bind one of the workbench's own queries to the tables there are.

    Raises
    ------
    ParameterError
        Where no state of a table is known; where some are not, the plan has a note.
    """
    return _of_known_states(asking, plan(text, {}, Tables(asking.engine), masks=masks_of(asking.settings)))


def own_answer(asking: Asking, planned: Plan, *written: str | None) -> Answer:
    """Answer one of the workbench's own queries; its text is without values of masked attributes.

    Parameters
    ----------
    written
        What a person wrote in it.
    """
    answer = asking.engine.query(planned, masks_of(asking.settings))
    texts = _not_shown(asking.settings, "\n".join(filter(None, written)), {})
    return answer if texts is None else replace(answer, sql=_without(texts, answer.sql))


@contextmanager
def told_without_masked(asking: Asking, *written: str | None) -> Iterator[None]:
    """Have errors show no value of a masked attribute that a person wrote in one of the workbench's own queries."""
    try:
        yield
    except ParameterError as error:
        texts = _not_shown(asking.settings, "\n".join(filter(None, written)), {})
        raise (error if texts is None else _told_without(texts, error)) from None


def masks_of(settings: Settings) -> Masks:
    """Return what SQL is not to see."""
    return Masks(tuple(masked_paths(settings.mask)), settings.mask_with, settings.mask_salt)


def frame(planned: Plan, rows: pa.Table, numbers: Numbers = "auto") -> pd.DataFrame:
    """Return the rows of a query as a frame: exact numbers, times in UTC, NULL as a missing value."""
    columns = [_column(rows.column(column.name), column.kind, numbers) for column in planned.columns]
    df = pd.concat(columns, axis="columns") if columns else pd.DataFrame(index=pd.RangeIndex(len(rows)))
    df.columns = pd.Index(planned.names)
    return df


def _column(values: pa.ChunkedArray, kind: str, numbers: Numbers) -> pd.Series[Any]:
    of = family(kind)
    if of in ("array", "varbinary"):
        cells = np.full(len(values), pd.NA, dtype=object)
        for at, value in enumerate(values.to_pylist()):
            if value is not None:
                cells[at] = value
        return pd.Series(cells)
    if of == "decimal":
        texts = pc.cast(values, pa.string())
        if numbers == "decimal":
            return pd.Series([pd.NA if text is None else Decimal(text) for text in texts.to_pylist()], dtype=object)
        return number_column(texts)
    typed = pc.cast(values, _ARROW[of], safe=of != "timestamp")
    if of == "timestamp":
        return pd.Series(typed.to_pandas()).astype("datetime64[us]").dt.tz_localize("UTC")
    if of == "date":
        return pd.Series(pd.to_datetime(pd.Series(typed.to_pylist(), dtype=object))).astype("datetime64[us]")
    if of == "double":
        return pd.Series(typed.to_pandas())
    dtype: Any = {"bigint": pd.Int64Dtype(), "boolean": pd.BooleanDtype()}.get(of, pd.StringDtype())
    return pd.Series(dtype.__from_arrow__(typed.cast(pa.large_string()) if dtype == pd.StringDtype() else typed))
