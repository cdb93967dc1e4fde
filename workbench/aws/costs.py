"""What queries on Athena take, and cost."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from workbench.text import count, size


@dataclass(frozen=True)
class Query:
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
        return f"{count(self.queries, 'query')}, {size(self.scanned)} scanned, ${self.cost:,.4f}"


def spent(queries: Iterable[Query]) -> Spent:
    """Add queries up."""
    each = list(queries)
    return Spent(len(each), sum(query.scanned for query in each), sum(query.cost for query in each))
