"""Stops paid queries whose process is gone: this file is run beside it, and learns by standard input what runs.

>>> watchdog = Watchdog(load_settings(engine="athena"))  # doctest: +SKIP
>>> watchdog.note("0a1b2c3d-…", running=True)  # doctest: +SKIP
>>> watchdog.note("0a1b2c3d-…", running=False)  # doctest: +SKIP

It is run as a file, and imports nothing of the package before it has a query to stop: so it starts in 20 ms.

A line ``+ID`` is a query that runs, ``-ID`` one that has ended. When the input ends with queries still running, the
process has died, however it did, and they are stopped.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import weakref
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from workbench.config import Settings


class Watchdog:
    """The watching process, started with the first query."""

    def __init__(self, settings: Settings) -> None:
        names = ("profile", "region", "role", "endpoint")
        self._settings = json.dumps({name: getattr(settings, name) for name in names})
        self._process: subprocess.Popen[bytes] | None = None

    def note(self, query: str, *, running: bool) -> None:
        """Note that a query has begun to run, or has ended."""
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-P", __file__, self._settings],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )  # Ctrl-C must not reach it
            weakref.finalize(self, _end, self._process)
        with contextlib.suppress(BrokenPipeError):
            pipe = self._process.stdin
            assert pipe
            pipe.write(f"{'+' if running else '-'}{query}\n".encode())
            pipe.flush()

    def close(self) -> None:
        """End the watching process."""
        if self._process:
            _end(self._process)
            self._process = None


def _end(process: subprocess.Popen[bytes]) -> None:
    if process.stdin:
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
    process.wait()


def watch(lines: IO[str], settings: str) -> None:
    """Follow which queries run, and stop those that do when no more lines come; `settings` is JSON."""
    running: set[str] = set()
    for line in lines:
        (running.add if line[0] == "+" else running.discard)(line[1:].strip())
    if running:
        from workbench.aws.session import open_session
        from workbench.config import load_settings

        athena = open_session(load_settings(**json.loads(settings))).client("athena")
        for query in running:
            with contextlib.suppress(Exception):  # one that has ended; the others are to be stopped all the same
                athena.stop_query_execution(QueryExecutionId=query)


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parents[2]))  # where the package lies, installed or not
    watch(sys.stdin, sys.argv[1])
