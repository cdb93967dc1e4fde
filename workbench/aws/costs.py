"""What queries on Athena take, and cost.

>>> first = FinishedQuery("0a1b", scanned=2_000_000_000, cost=0.01, queued=0.1, planned=0.2, ran=1.4)
>>> print(spent([first, first]))
2 queries, 4.0 GB scanned, $0.0200
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workbench.text import count, size


@dataclass(frozen=True)
class FinishedQuery:
    """What one query on Athena took."""

    id: str
    scanned: int
    """Bytes."""
    cost: float
    """Dollars, by the setting `price_per_tb`: each query is charged for 10 MB at least."""
    queued: float
    """Seconds, as are the next two."""
    planned: float
    ran: float
    reused: bool = False
    """Whether an earlier result was taken."""


@dataclass(frozen=True)
class Spent:
    """What queries have taken."""

    queries: int
    scanned: int
    """Bytes."""
    cost: float
    """Dollars."""

    def __str__(self) -> str:
        """Write it in a line."""
        price = f", ${self.cost:,.4f}" if self.cost else ""
        return f"{count(self.queries, 'query')}, {size(self.scanned)} scanned{price}"


def spent(queries: Iterable[FinishedQuery]) -> Spent:
    """Add up what queries took; of none it is nothing."""
    listed = list(queries)
    return Spent(len(listed), sum(query.scanned for query in listed), sum(query.cost for query in listed))


def price_of_writes(units: int, per_million: float) -> float:
    """Return what write units of a table on demand cost, in dollars, by the setting `price_per_million_writes`.

    >>> price_of_writes(2_000_000, 0.625)
    1.25
    """
    return units / 1e6 * per_million
