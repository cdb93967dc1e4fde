"""What a table holds in truth, to compare with what its log leads to."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pandas as pd

from workbench.baseline import choose, find_exports, read_items
from workbench.config import Settings
from workbench.embedded import ItemStore
from workbench.errors import ParameterError
from workbench.frames import words
from workbench.records import canonical_keys

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def actual_state(settings: Settings, table: str, against: str | Path, lag: pd.Timedelta, keys: Sequence[str],
                 ) -> tuple[datetime | None, dict[str, str], set[str], list[str]]:  # fmt: skip
    """Return the instant of a table's true state (None is now), its images by key, the keys in flight, and notes.

    In flight are items of which a change is younger than `lag` and not in the log yet. Of an export that is younger
    itself nobody knows which items they are: a note says so.
    """
    now = datetime.now(UTC)
    if str(against) == "live":
        with ItemStore(settings.store) as store:
            return None, dict(store.images(table)), _undelivered(store, table, now - lag.to_pytimedelta()), []
    exports = find_exports(against)
    if not (known := choose(exports, table, None)):
        others = ", ".join(sorted({export.table for export in exports}))
        raise ParameterError(f"{against} holds no full export of {table!r}, but of: {others or 'none'}")
    young = known.time > now - lag.to_pytimedelta()
    notes = (
        [f"the export is younger than {words(lag)}: what differs may be on its way; ask again then"] if young else []
    )
    return known.time, dict(read_items(known, keys)), set(), [*notes, *known.problems]


def _undelivered(store: ItemStore, table: str, since: datetime) -> set[str]:
    young = [number for number, micros in store.pending(table) if _EPOCH + timedelta(microseconds=micros) >= since]
    records = (orjson.loads(record) for record in store.records(young))
    return {canonical_keys(record["dynamodb"]["Keys"], twice=True) for record in records}
