"""Progress of long work: a line on a terminal or in a notebook, nothing in a pipe or a scheduled run."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm

from workbench.text import count, plain


def tqdm_options(*, show: bool = True) -> dict[str, Any]:
    """Return tqdm's options for where it is shown: scheduled runs, which set TQDM_DISABLE, stay silent.

    >>> tqdm_options(show=False)["disable"]
    True
    """
    terminal = sys.stderr.isatty()
    watched = terminal or (in_notebook() and not os.environ.get("TQDM_DISABLE"))
    return {"file": sys.stderr if terminal else sys.stdout, "disable": not (show and watched), "leave": False}


@contextmanager
def progress(name: str) -> Iterator[Callable[[str], None]]:
    """Show how far something is, with the time it has taken, while the block runs."""
    with tqdm(desc=name, bar_format="{desc} · {elapsed}", **tqdm_options()) as bar:
        yield lambda text: bar.set_description_str(f"{name}: {text}")


def in_notebook() -> bool:
    """Return whether a kernel runs this; only to look for kernels imports ipykernel too."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None


class Reading:
    """How far the reading of a log is; make one with `reading`."""

    def __init__(self, bar: tqdm[Any], objects: int) -> None:
        self._bar, self._of = bar, objects
        self.objects = self.changes = 0

    def update(self, objects: int, changes: int, size: int) -> None:
        """Count objects that were read, the changes in them, and their bytes, by which the time left is told."""
        self.objects += objects
        self.changes += changes
        rate = self.changes / max(self._bar.format_dict["elapsed"], 1e-3)
        self._bar.set_postfix_str(
            f"{self.objects:,} of {count(self._of, 'object')}, {count(self.changes, 'change')}, {rate:,.0f} a second",
            refresh=False,
        )
        self._bar.update(size)

    def __str__(self) -> str:
        """Return the line that is shown."""
        return str(self._bar)


@contextmanager
def reading(name: str, objects: int, size: int, *, after: float = 1.0) -> Iterator[Reading]:
    """Show how far the reading of objects is, while the block runs: objects, changes a second and the time left.

    Where it is over soon, as it is with the few objects that came since the last question, nothing is shown.

    Parameters
    ----------
    name
        The log's.
    objects, size
        How many objects are read, and their bytes.
    after
        Seconds until something is shown.

    Examples
    --------
    >>> with reading("persons", 40, 1_000_000) as bar:
    ...     bar.update(10, 50_000, 250_000)
    ...     bar.objects, bar.changes
    (10, 50000)
    """
    layout = "{desc}: {percentage:3.0f}%{postfix}, {remaining} left"
    options = tqdm_options() | {"bar_format": layout, "delay": after, "dynamic_ncols": True}
    with tqdm(desc=f"reading {plain(name)}", total=max(size, 1), **options) as bar:
        yield Reading(bar, objects)


@contextmanager
def working(name: str, *, after: float = 1.0, every: float = 0.25) -> Iterator[None]:
    """Show on a terminal what is being done and for how long, while the block runs; then it is gone.

    Where a bar of its own tells how far something is, that is shown instead.

    Parameters
    ----------
    name
        What is done.
    after
        Seconds until something is shown: what is over soon shows nothing.
    every
        Seconds from one look to the next.
    """
    options = tqdm_options()
    if options["disable"] or not sys.stderr.isatty():
        yield
        return
    began, done = time.time(), threading.Event()

    def watch() -> None:
        bar: tqdm[Any] | None = None
        wait = after
        while not done.wait(wait):
            wait = every
            others = any(each is not bar for each in list(getattr(tqdm, "_instances", ())))
            if bar is not None and others:
                bar.close()
                bar = None
            elif bar is not None:
                bar.refresh()
            elif not others:
                bar = tqdm(desc=plain(name), bar_format="{desc} · {elapsed}", **options)
                bar.start_t = began
                bar.refresh()
        if bar is not None:
            bar.close()

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()
