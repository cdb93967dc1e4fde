"""How often a table changed, as `Workbench.change_frequency` counts it, in bars of any length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from workbench.explorer.states import Numbers

UNITS: Mapping[str, int] = {
    "day": 86_400_000_000,
    "hour": 3_600_000_000,
    "minute": 60_000_000,
    "second": 1_000_000,
    "millisecond": 1_000,
}
"""In microseconds: what `change_frequency.sql` counts by, on both engines."""


@dataclass(frozen=True, eq=False)
class Changes:
    """The changes of a table by unit of time.

    Attributes
    ----------
    unit
        How long a unit is, in microseconds.
    begins
        When each unit that saw a change begins, in microseconds since 1970, in order.
    counts
        Of each of these: inserts, modifies, removes but those of TTL, and ttl_removes.
    """

    unit: int
    begins: Numbers
    counts: Mapping[str, Numbers]

    def frequency(self, edges: Numbers) -> Mapping[str, Sequence[int]]:
        """Count from each edge on and before the next one; edges are whole units apart.

        >>> changes = Changes(1_000, np.array([0, 1_000, 3_000]), {"inserts": np.array([1, 2, 3])})
        >>> changes.frequency(np.array([0, 2_000, 4_000]))
        {'inserts': [3, 3]}
        """
        bars = max(len(edges) - 1, 0)
        into = np.searchsorted(edges, self.begins, "right") - 1
        found: dict[str, Sequence[int]] = {}
        for name, each in self.counts.items():
            found[name] = np.bincount(into, each, bars).astype(np.int64).tolist() if bars else []
        return found


def unit_of(length: int) -> str:
    """Name the longest unit that a bar, of at least a millisecond, is whole ones of.

    >>> unit_of(6 * 3_600_000_000), unit_of(10_000)
    ('hour', 'millisecond')
    """
    return next(name for name, each in UNITS.items() if length % each == 0)


def changes_of(rows: pd.DataFrame, unit: str) -> Changes:
    """Read the rows of `change_frequency.sql`."""
    begins = rows["bucket"].to_numpy("datetime64[us]").astype(np.int64)
    counts = {name: rows[name].to_numpy(np.int64) for name in ("inserts", "modifies", "removes", "ttl_removes")}
    counts["removes"] = counts["removes"] - counts["ttl_removes"]  # of which those are
    return Changes(UNITS[unit], begins, counts)
