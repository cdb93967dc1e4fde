"""Measures one subject in a process of its own, within limits: ``python -m benchmarks.measuring NAME LOG HOME OUT``."""

from __future__ import annotations

import importlib
import json
import math
import os
import resource
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from benchmarks.logs import Log
from benchmarks.subjects import SUBJECTS, Answer, Place, Subject

_ROOT = Path(__file__).parent.parent
_COMMAND = (sys.executable, "-m", "benchmarks.measuring")
_PATIENCE = 5  # times as many seconds by the clock as CPU seconds: others use the machine too
_EVERY = 0.05  # seconds between two looks at how much memory a process has


def measured(subject: Subject, place: Place, *, seconds: float, memory: int) -> dict[str, Any]:
    """Run a subject in a process of its own, and stop it over so many CPU seconds, or bytes of memory.

    Returns
    -------
    dict
        seconds, cpu (user and system, of the process and its children) and peak (bytes of memory) of the question,
        process (seconds of the whole process, with its imports), rows, and of a latest state wrong, missing and extra
        (items); or only `stopped`, why it has none of these.
    """
    given = {"log": asdict(place.log), "home": str(place.home), "out": str(place.out), "seconds": seconds}
    environment = {name: value for name, value in os.environ.items() if not name.startswith("WORKBENCH_")}
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        began = time.perf_counter()
        child = subprocess.Popen(
            [*_COMMAND, subject.name, json.dumps(given)], stdout=out, stderr=err, cwd=_ROOT, env=environment
        )
        while (ended := _ended(child)) is None:
            if time.perf_counter() - began > _PATIENCE * seconds:
                stopped = f"not done in {_PATIENCE * seconds:,.0f} s"
            elif _resident(child.pid) > memory:
                stopped = f"more than {memory / 1e9:,.0f} GB of memory"
            else:
                continue
            child.kill()
            child.wait()
            return {"stopped": stopped}
        taken = time.perf_counter() - began
        out.seek(0)
        err.seek(0)
        if ended == -signal.SIGXCPU:
            return {"stopped": f"not done in {seconds:,.0f} CPU s"}
        if ended:
            reason = err.read().decode(errors="replace").strip().splitlines() or [f"ended by signal {-ended}"]
            return {"stopped": f"failed: {reason[-1][:200]}"}
        figures: dict[str, Any] = json.loads(out.read().splitlines()[-1])
        return figures | {"process": taken}


def _ended(child: subprocess.Popen[bytes]) -> int | None:
    try:
        return child.wait(_EVERY)
    except subprocess.TimeoutExpired:
        return None


def _resident(pid: int) -> int:
    """Return the bytes of memory a process has now; 0 where the system does not tell."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, IndexError):
        return 0


def _peak() -> int:
    """Return the most bytes of memory this process, or one of its children, has had.

    Linux hands down to a process the peak of the one that started it in ``ru_maxrss``, and not in its status.
    """
    unit = 1 if sys.platform == "darwin" else 1024
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    try:
        status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
        own = int(status["VmHWM"].split()[0]) * 1024
    except (OSError, KeyError):
        own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    return max(own, children)


def _cpu() -> float:
    each = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in each)


def _checked(answer: Answer, log: Log) -> dict[str, int]:
    """Compare the states in an answer with the truth: items it has not, has though they are gone, or has otherwise."""
    if answer.states is None:
        return {}
    import duckdb
    import pyarrow as pa

    told = pa.Table.from_pandas(answer.states()[["pk", "version", "ledger"]], preserve_index=False)  # noqa: F841
    text = f"""select
            count(*) filter (truth.pk is not null and told.pk is null) as missing,
            count(*) filter (truth.pk is null) as extra,
            count(*) filter (told.pk = truth.pk
                and (told.version, told.ledger) is distinct from (truth.version, truth.ledger)) as wrong
        from (select pk::varchar as pk, version::varchar as version, ledger::varchar as ledger from told) as told
        full join (from read_parquet('{log.truth}')) as truth on told.pk = truth.pk"""
    return dict(zip(("missing", "extra", "wrong"), duckdb.connect().execute(text).fetchall()[0], strict=True))


def main(name: str, given: str) -> None:
    """Measure a subject, and print what it took as JSON."""
    subject, values = SUBJECTS[name], json.loads(given)
    log = Log(**values["log"] | {"instants": tuple(values["log"]["instants"])})
    place = Place(log, Path(values["home"]), Path(values["out"]))
    for module in subject.imports:
        importlib.import_module(module)
    limits = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(_cpu() + values["seconds"]), limits[1]))
    began, cpu = time.perf_counter(), _cpu()
    answer = subject.ask(place)
    taken: dict[str, Any] = {"seconds": time.perf_counter() - began, "cpu": _cpu() - cpu, "peak": _peak()}
    resource.setrlimit(resource.RLIMIT_CPU, limits)
    print(json.dumps(taken | {"rows": answer.rows} | _checked(answer, log)))


if __name__ == "__main__":
    main(*sys.argv[1:])
