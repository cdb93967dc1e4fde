"""Runs the workbench as a schedule tells it, and keeps what it made in the reports bucket, where nothing is replaced.

``python run.py NAME VERB …``: the reports of the verb ``report``, or what another verb prints, go to
``s3://$REPORTS_BUCKET/reports/NAME/DATE/TIME-RUN/``. A report with a failed cell is kept too; the exit code is the
workbench's, or 3 where its reports could not be kept.
"""

from __future__ import annotations

import json
import mimetypes
import os
import subprocess
import sys
import tempfile
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from workbench.aws.session import open_session
from workbench.config import load_settings
from workbench.errors import WorkbenchError

NOT_KEPT = 3


def main(name: str, *told: str) -> int:
    """Run, keep, say in one line what was done, and return the exit code."""
    began, clock = datetime.now(UTC), time.monotonic()
    said: dict[str, Any] = {"report": name, "command": list(told)}
    with tempfile.TemporaryDirectory() as folder:
        code = run(name, told, Path(folder))
        prefix = f"reports/{name}/{began:%Y-%m-%d}/{began:%H%M%S}Z-{uuid.uuid4().hex[:8]}/"
        try:
            kept = keep(Path(folder), os.environ["REPORTS_BUCKET"], prefix)
        except (BotoCoreError, ClientError, WorkbenchError) as error:
            said["error"], kept, code = str(error), [], code or NOT_KEPT
    print(json.dumps(said | {"exit_code": code, "kept": kept, "seconds": round(time.monotonic() - clock, 1)}))
    return code


def run(name: str, told: tuple[str, ...], folder: Path) -> int:
    """Run the workbench, whose files, or what it prints, go to a folder; its errors go to the log."""
    if told[0] == "report":
        return subprocess.run(["workbench", *told, "--out", str(folder), "--name", name], check=False).returncode
    with (folder / f"{name}.txt").open("wb") as out:
        return subprocess.run(["workbench", *told], stdout=out, check=False).returncode


def keep(folder: Path, bucket: str, prefix: str) -> list[str]:
    """Upload a folder's files; an object that is there is never replaced."""
    s3, kept = open_session(load_settings()).client("s3"), []  # in the Region that ECS names as AWS_REGION
    for path in sorted(folder.iterdir()):
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        charset = "; charset=utf-8" if kind.startswith("text/") else ""
        s3.put_object(
            Bucket=bucket, Key=prefix + path.name, Body=path.read_bytes(), ContentType=kind + charset, IfNoneMatch="*"
        )
        kept.append(f"s3://{bucket}/{prefix}{path.name}")
    return kept


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
