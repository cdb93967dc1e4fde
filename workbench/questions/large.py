"""Frames too large to be held: made part by part, each of the columns and types of the whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

import pandas as pd


@dataclass(frozen=True, eq=False)
class LargeFrame:
    """A frame that is made part by part, as often as it is looked at.

    Attributes
    ----------
    none
        The frame without a row: its columns and their types.
    within
        The columns by which rows are ordered first: rows that are equal by these are in one part.

    Examples
    --------
    >>> parts = [pd.DataFrame({"n": [1]}), pd.DataFrame({"n": [2]})]
    >>> frame = LargeFrame(lambda: iter(parts), rows=2, none=parts[0].iloc[:0])
    >>> frame.whole()["n"].to_list()
    [1, 2]
    """

    make: Callable[[], Iterator[pd.DataFrame]]
    rows: int
    none: pd.DataFrame
    within: Sequence[str] = ()

    def __len__(self) -> int:
        """Return how many rows there are."""
        return self.rows

    def __iter__(self) -> Iterator[pd.DataFrame]:
        """Make the parts, in order."""
        return self.make()

    @property
    def columns(self) -> pd.Index:
        """The names of the columns."""
        return self.none.columns

    @property
    def empty(self) -> bool:
        """Whether there is no row."""
        return not self.rows

    def map(self, change: Callable[[pd.DataFrame], pd.DataFrame]) -> LargeFrame:
        """Return the frame whose parts are changed, each by itself."""
        return LargeFrame(lambda: map(change, self.make()), self.rows, change(self.none), self.within)

    def whole(self) -> pd.DataFrame:
        """Return the frame."""
        return pd.concat(self, ignore_index=True)

    def __reduce__(self) -> Any:
        """Pickle, or copy, the frame itself."""
        return pd.DataFrame, (self.whole(),)


Frame: TypeAlias = pd.DataFrame | LargeFrame


def parts(frame: Frame) -> Iterator[pd.DataFrame]:
    """Yield the parts of a frame: itself, where it is none that is made part by part.

    >>> [len(part) for part in parts(pd.DataFrame({"n": [1, 2]}))]
    [2]
    """
    return iter(frame if isinstance(frame, LargeFrame) else [frame])


def whole_of(frame: Frame) -> pd.DataFrame:
    """Return a frame as a whole."""
    return frame.whole() if isinstance(frame, LargeFrame) else frame


def none_of(frame: Frame) -> pd.DataFrame:
    """Return a frame's columns, without a row."""
    return frame.none if isinstance(frame, LargeFrame) else frame.iloc[:0]


def first_of(frame: Frame, rows: int) -> Frame:
    """Return the first rows of a frame; of one that is made part by part, no more parts are made than hold them.

    >>> first_of(pd.DataFrame({"n": [1, 2, 3]}), 2)["n"].to_list()
    [1, 2]
    """
    if not isinstance(frame, LargeFrame):
        return frame.head(rows)
    taken: list[pd.DataFrame] = []
    for part in frame:
        taken.append(part.head(rows - sum(map(len, taken))))
        if sum(map(len, taken)) >= rows:
            break
    return pd.concat(taken, ignore_index=True) if taken else frame.none
