"""Which states items were in, and when: `versions`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import pyarrow.compute as pc

from workbench.engines import Answer
from workbench.errors import ParameterError, did_you_mean
from workbench.model.conditions import VERSIONS
from workbench.model.keys import Key
from workbench.model.times import END_OF_TIME, START_OF_TIME, Moment, instant, window
from workbench.questions.asking import Asking
from workbench.questions.columns import SNAPSHOT, VERSION
from workbench.questions.gathering import Versions
from workbench.questions.hints import hints
from workbench.questions.large import Frame
from workbench.questions.masking import beside
from workbench.questions.result import Result
from workbench.questions.state import holding, missing_images
from workbench.sql.filters import Filter

Names = Literal["workbench", "dbt"]
"""How the columns beside attributes are called."""
_COLUMNS = {"workbench": VERSION, "dbt": SNAPSHOT}


def versions(
    asking: Asking,
    table: str,
    *,
    key: Key | Sequence[Key] | None,
    prefix: bool,
    start: Moment | None,
    end: Moment | None,
    as_of: Moment | None,
    where: str | None,
    names: str,
) -> Result:
    """Show the states that items were in; see `Workbench.versions`."""
    if names not in _COLUMNS:
        raise ParameterError(f"names={names!r}: use {' or '.join(_COLUMNS)}.{did_you_mean(names, _COLUMNS)}")
    begin, until = window(start, end)
    at = END_OF_TIME if as_of is None else instant(as_of)
    condition = asking.read_condition(where, VERSIONS)
    valid = None if (begin, until) == (START_OF_TIME, END_OF_TIME) else (begin, until)
    matching = Filter(asking.read_keys(table, key, prefix), condition=condition, valid=valid)
    if names == "dbt" and (hidden := _masked_keys(asking, table)):
        raise ParameterError(
            f"names=dbt has a column dbt_scd_id, which is made of the key, and {hidden[0]} is masked: leave names out"
        )

    def ask() -> tuple[Answer, Frame, int]:
        gathered, ambiguous = Versions(_COLUMNS[names], **asking.gathering), 0
        for answer in asking.batches("versions", table, where=matching, over="history", as_of=at):
            rows = holding(answer.rows, condition, "image", threads=asking.settings.threads)
            ambiguous += pc.sum(rows.column("ambiguous")).as_py() or 0
            gathered.add(rows)
        return answer, gathered.frame(asking.key_names(table)), ambiguous

    answer, df, ambiguous = asking.retrying(table, ask)
    asked: dict[str, Any] = {"as_of": as_of and at, "start": start and begin, "end": end and until}
    asked |= {"key": key, "prefix": prefix, "where": where, "names": None if names == "workbench" else names}
    notes = [
        *asking.notes(table, at),
        *asking.unmatched_masks(df, where, key, start, end),
        *hints(asking, table, df, condition, VERSIONS),
    ]
    if df.empty and not key and not where:  # a log of keys only tells no state
        counted = asking.engine.ask("stream_views", table, start=START_OF_TIME, end=END_OF_TIME).rows
        notes += missing_images(counted.to_pylist())
    return asking.result(Result, df, answer, "versions", table, asked, ambiguous=ambiguous, notes=notes)


def _masked_keys(asking: Asking, table: str) -> list[str]:
    """Name the masks that hide attributes of the key, or values inside of them."""
    asking.engine.keys(table)
    names = asking.key_names(table)
    return [path for path in asking.settings.mask if not beside([path], names)]
