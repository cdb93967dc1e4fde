"""How fast DynamoDB is asked: `Pace` keeps to a rate, `Backoff` waits between tries of what it did not take.

botocore tries again what is refused as a whole; of a batch DynamoDB may take a part, and hand the rest back. The
standard library is all that is needed: the Lambda that writes test data runs this file too.
"""

from __future__ import annotations

import random
import time
from threading import Lock

LONGEST_PAUSE = 5.0
"""Seconds."""
_FIRST_PAUSE = 0.05


class Backoff:
    """The pauses of one piece of work.

    Each is a random part of twice the time of the one before, so that those who wait do not come back all at once
    (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).

    Parameters
    ----------
    patience
        Seconds for which nothing may be done, before it is given up.

    Examples
    --------
    >>> backoff = Backoff(patience=60)
    >>> left = ["a", "b"]
    >>> while left and backoff.pause():
    ...     _ = left.pop()  # what is done now, such as a batch of which a part is taken
    ...     backoff.reset()
    >>> left
    []
    """

    def __init__(self, patience: float) -> None:
        self.patience = patience
        self.reset()

    def reset(self) -> None:
        """Begin anew: something was done."""
        self._since, self._pauses = time.monotonic(), 0

    def pause(self) -> bool:
        """Sleep, and return True; where patience is over, return False at once."""
        if time.monotonic() - self._since >= self.patience:
            return False
        time.sleep(random.uniform(0, min(_FIRST_PAUSE * 2**self._pauses, LONGEST_PAUSE)))
        self._pauses += 1
        return True


class Pace:
    """Holds work up so that no more than so much of it is done a second; threads may share it.

    Parameters
    ----------
    rate
        How much a second, such as read capacity units; None for as much as goes.

    Examples
    --------
    >>> pace = Pace(rate=1_000)
    >>> for _ in range(3):
    ...     pace.wait()  # until what was spent before was due
    ...     pace.spend(2.5)
    """

    def __init__(self, rate: float | None) -> None:
        self.rate, self._due, self._lock = rate, 0.0, Lock()

    @property
    def ahead(self) -> float:
        """Seconds until what was spent so far is due; nothing, or less, where it was."""
        return self._due - time.monotonic()

    def wait(self) -> None:
        """Wait until what was spent so far was due."""
        while (ahead := self.ahead) > 0:
            time.sleep(ahead)

    def spend(self, amount: float) -> None:
        """Count what was done, in the unit of the rate."""
        if self.rate:
            with self._lock:
                self._due = max(self._due, time.monotonic()) + amount / self.rate
