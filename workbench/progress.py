"""Progress of long work: a line on a terminal or in a notebook, nothing in a pipe or a scheduled run."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tqdm import tqdm


def tqdm_options(*, show: bool = True) -> dict[str, Any]:
    """Return tqdm's options for where it is shown: scheduled runs, which set TQDM_DISABLE, stay silent.

    >>> tqdm_options(show=False)["disable"]
    True
    """
    terminal = sys.stderr.isatty()
    watched = terminal or (in_notebook() and not os.environ.get("TQDM_DISABLE"))
    return {"file": sys.stderr if terminal else sys.stdout, "disable": not (show and watched)}


@contextmanager
def progress(name: str) -> Iterator[Callable[[str], None]]:
    """Show how far something is, with the time it has taken, while the block runs."""
    with tqdm(desc=name, bar_format="{desc} · {elapsed}", leave=False, **tqdm_options()) as bar:
        yield lambda text: bar.set_description_str(f"{name}: {text}")


def in_notebook() -> bool:
    """Return whether a kernel runs this; only to look for kernels imports ipykernel too."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return getattr(shell, "kernel", None) is not None
