"""Runs the workbench as a schedule tells it, and keeps what it made in the reports bucket, where nothing is replaced.

``python run.py NAME VERB …``: what ``report run`` makes is a run of the report NAME in ``s3://$REPORTS_BUCKET/reports``
and stands in its index; what another verb prints is kept beside, as ``NAME/2026-11-20T06-00-00Z/NAME.txt``. The exit
code is the workbench's, or that of what could not be published.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from types import FrameType
from typing import IO, Any

from workbench.aws.files import S3Files
from workbench.aws.session import open_session
from workbench.config import load_settings
from workbench.errors import WorkbenchError
from workbench.exit_codes import NOT_PUBLISHED

_TRIES = 9  # names that others may have taken in one second


def main(name: str, *told: str) -> int:
    """Run, keep, say in one line what was done, and return the exit code."""
    began, clock = datetime.now(UTC), time.monotonic()
    said: dict[str, Any] = {"report": name, "command": list(told)}
    place = f"s3://{os.environ['REPORTS_BUCKET']}/reports"
    with tempfile.TemporaryFile() as out:
        code = run(command(name, told, place), out)
        out.seek(0)
        printed = out.read()
    try:
        kept = published(printed, place) if told[0] == "report" else [keep(printed, f"{place}/{name}", name, began)]
    except WorkbenchError as error:
        said["error"], kept, code = str(error), [], code or NOT_PUBLISHED
    print(json.dumps(said | {"exit_code": code, "kept": kept, "seconds": round(time.monotonic() - clock, 1)}))
    return code


def command(name: str, told: Sequence[str], place: str) -> list[str]:
    """Return what the workbench is told: reports go to a place, one alone under its name."""
    if tuple(told[:2]) not in {("report", "run"), ("report", "index")}:
        return ["workbench", *told]
    named = [each for before, each in pairwise(told[1:]) if not (each.startswith("-") or before.startswith("-"))]
    alone = told[1] == "run" and len(named) == 1 and "--name" not in told
    as_json = ["--json"] if told[1] == "run" else []
    return ["workbench", *told, "--out", place, *(["--name", name] if alone else []), *as_json]


def run(line: Sequence[str], out: IO[bytes]) -> int:
    """Run the workbench, whose errors go to the log; it is told when the task is stopped, and ends by itself.

    ECS stops a task by SIGTERM, to its first process, which takes it only where it asks to.
    """
    running: list[subprocess.Popen[bytes]] = []
    stopped: list[int] = []

    def stop(number: int, _: FrameType | None) -> None:
        stopped.append(number)
        for process in running:
            process.send_signal(number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        running.append(process := subprocess.Popen(line, stdout=out))
        if stopped:
            process.terminate()
        return process.wait()
    finally:
        signal.signal(signal.SIGTERM, before)


def published(printed: bytes, place: str) -> list[str]:
    """Return the pages of the runs that were published."""
    try:
        records = json.loads(printed)
    except ValueError:
        return []
    return [f"{place}/{record['name']}/{record['run']}/report.html" for record in records]


def keep(printed: bytes, place: str, name: str, began: datetime) -> str:
    """Keep what was printed under its time, where nothing is replaced."""
    files = S3Files(open_session(load_settings()))  # in the Region that ECS names as AWS_REGION
    for number in range(1, _TRIES + 1):
        uri = f"{place}/{began:%Y-%m-%dT%H-%M-%SZ}{f'-{number}' if number > 1 else ''}/{name}.txt"
        if files.replace(uri, printed, None):
            return uri
    raise WorkbenchError(f"{place}: {_TRIES} others have begun in this second")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
