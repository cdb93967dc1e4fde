"""Make logs, measure on each what is measured, and print a table a log: ``python -m benchmarks --changes 1M 5M``.

Each measurement is a process of its own; they take turns, and the medians of the rounds are shown. Compare within a
table only. With ``--write`` the figures go to README and docs/speed.md too.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import multiprocessing
import os
import platform
import shutil
import statistics
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.figures import FILE, in_text, write
from benchmarks.logs import LAYOUTS, Log, made_log
from benchmarks.measuring import measured
from benchmarks.subjects import LEFT_OUT, SCAN, SUBJECTS, Place, Subject, file_size
from workbench.progress import progress

_NOT_INSTALLED = "not installed: pip install '.[bench]'"
_PACKAGES = ("duckdb", "pandas", "pyarrow", "polars", "boto3", "dynamodb-json")


class Bench:
    """The subjects of one log, in turns."""

    def __init__(self, log: Log, folder: Path, *, seconds: float, memory: int) -> None:
        name = f"{log.layout}-{log.changes}"
        self.log, self._seconds, self._memory = log, seconds, memory
        self._home, self._out = folder / f"home-{name}", folder / f"out-{name}.parquet"
        self._growing = folder / f"growing-{name}"
        self._runs: dict[str, list[dict[str, Any]]] = {}
        self._store: list[int] = []

    def run(self, subjects: Sequence[Subject], rounds: int, stopped: set[str], *, peer_rounds: int) -> dict[str, Any]:
        """Measure the subjects, and return the log's figures; those in `stopped` are not tried, and come to it.

        Peers, which take long, take part in the first `peer_rounds`.
        """
        turns = [
            (number, subject)
            for number in range(1, rounds + 1)
            for subject in subjects
            if not subject.is_peer or number <= peer_rounds
        ]
        with progress(f"{self.log.changes:,} changes, {self.log.layout}") as show:
            for number, subject in turns:
                if subject.name not in stopped and not self._is_stopped(subject):
                    show(f"round {number} of {rounds}, {subject.title}")
                    self._runs.setdefault(subject.name, []).append(self._measured(subject))
                if subject.name == "first":
                    self._store.append(file_size(self._home / "store"))
        rows = [self._row(subject, stopped) for subject in subjects]
        about = ("layout", "changes", "records", "items", "living", "objects", "bytes")
        store = round(statistics.median(self._store)) if self._store else 0
        more = {"store": store, "rounds": rounds, "subjects": rows}
        return {name: getattr(self.log, name) for name in about} | more

    def _is_stopped(self, subject: Subject) -> bool:
        return any("stopped" in run for run in self._runs.get(subject.name, ()))

    def _measured(self, subject: Subject) -> dict[str, Any]:
        if subject.package and not importlib.util.find_spec(subject.imports[0].partition(".")[0]):
            return {"stopped": _NOT_INSTALLED}
        self._out.unlink(missing_ok=True)
        if subject.store == "nearly":
            return self._measured_growing(subject)
        if subject.store == "none":
            shutil.rmtree(self._home, ignore_errors=True)
        return self._ask(subject, Place(self.log, self._home, self._out))

    def _ask(self, subject: Subject, place: Place) -> dict[str, Any]:
        return measured(subject, place, seconds=self._seconds, memory=self._memory)

    def _measured_growing(self, subject: Subject) -> dict[str, Any]:
        """Measure a question to a log of which the store has all objects but the newest hundredth."""
        home, kept = self._growing / "home", self._growing / "kept"
        log = replace(self.log, folder=str(self._growing.resolve()))
        paths = self.log.paths
        newest = max(1, len(paths) // 100)
        links = {path: log.data / path.relative_to(self.log.data) for path in paths}
        place = Place(log, home, self._out)
        if not kept.is_dir():
            shutil.rmtree(self._growing, ignore_errors=True)
            _link({path: links[path] for path in paths[:-newest]})
            _link({self.log.truth: log.truth})
            if "stopped" in (failed := self._ask(subject, place)):
                return failed
            home.mkdir(exist_ok=True)
            shutil.copytree(home, kept)
        shutil.rmtree(home, ignore_errors=True)
        shutil.copytree(kept, home)
        new = {path: links[path] for path in paths[-newest:]}
        try:
            _link(new)
            return self._ask(subject, place)
        finally:
            for link in new.values():
                link.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove what the log was asked with."""
        shutil.rmtree(self._growing, ignore_errors=True)
        shutil.rmtree(self._home, ignore_errors=True)
        for path in self._out.parent.glob(f"{self._out.name}*"):
            path.unlink()

    def _row(self, subject: Subject, stopped: set[str]) -> dict[str, Any]:
        row: dict[str, Any] = {"name": subject.name, "title": subject.title, "is_peer": subject.is_peer}
        if self.log.layout == "raw" and (aim := subject.aims.get(self.log.changes)):
            row["aim"] = aim
        runs = self._runs.get(subject.name)
        if not runs:
            return row | {"stopped": "not tried: a smaller log was too much"}
        if self._is_stopped(subject):
            reason = runs[-1]["stopped"]
            if reason != _NOT_INSTALLED:
                stopped.add(subject.name)
            return row | {"stopped": reason}
        middle = {name: statistics.median(run[name] for run in runs) for name in runs[0]}
        scan = statistics.median(run["cpu"] for run in self._runs[SCAN])
        return row | {name: round(value, 3) for name, value in middle.items()} | {"of_scan": middle["cpu"] / scan}


def _link(paths: dict[Path, Path]) -> None:
    for path, link in paths.items():
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        os.link(path, link)


def machine() -> dict[str, Any]:
    """Say what the figures are of."""
    packages = {name: version(name) for name in _PACKAGES if importlib.util.find_spec(name.replace("-", "_"))}
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {"cores": os.cpu_count(), "memory": memory, "python": platform.python_version(), "packages": packages}


def changes_of(text: str) -> int:
    """Read how many changes.

    >>> changes_of("5M"), changes_of("2000")
    (5000000, 2000)
    """
    return int(text[:-1]) * 1_000_000 if text[-1:] in "mM" else int(text)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser("benchmarks", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--changes", nargs="+", type=changes_of, default=[1_000_000, 5_000_000], metavar="N")
    parser.add_argument("--layouts", nargs="+", choices=LAYOUTS, default=LAYOUTS, help="others than raw at 1M alone")
    parser.add_argument("--subjects", nargs="+", choices=SUBJECTS, default=list(SUBJECTS), help="the scan is always in")
    parser.add_argument("--no-peers", action="store_true", help="the workbench and the scan alone")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer-rounds", type=int, default=1, help="in which peers take part")
    parser.add_argument("--seconds", type=float, default=300, help="of CPU, after which a process is stopped")
    parser.add_argument("--memory", type=float, default=12, help="GB, over which a process is stopped")
    parser.add_argument("--folder", type=Path, default=Path(".workbench/benchmark"), help="of the logs, which are kept")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--out", type=Path, help="a file for the figures, as JSON")
    parser.add_argument("--write", action="store_true", help=f"{FILE.name}, and by it README and docs/speed.md")
    parser.add_argument(
        "--of", type=Path, metavar="FILE", help="write the figures that --out kept, and measure nothing"
    )
    asked = parser.parse_args(arguments)
    if asked.of:
        write(json.loads(asked.of.read_text()))
        return

    figures: dict[str, Any] = {"machine": machine(), "left_out": LEFT_OUT, "logs": []}
    stopped: set[str] = set()
    for changes in sorted(asked.changes):
        for layout in asked.layouts:
            if layout != "raw" and changes != min(asked.changes):
                continue
            with multiprocessing.get_context("spawn").Pool(1) as pool:  # this process stays small
                log = pool.apply(made_log, (asked.folder, changes, layout, asked.seed))
            subjects = [
                subject
                for subject in SUBJECTS.values()
                if layout in subject.layouts
                and (subject.name in asked.subjects or subject.name == SCAN)
                and not (subject.is_peer and asked.no_peers)
            ]
            bench = Bench(log, asked.folder.resolve(), seconds=asked.seconds, memory=int(asked.memory * 1e9))
            bench.clear()
            try:
                figures["logs"].append(bench.run(subjects, asked.rounds, stopped, peer_rounds=asked.peer_rounds))
            finally:
                bench.clear()
            print(in_text(figures["logs"][-1]), flush=True)
            if asked.out:
                asked.out.write_text(json.dumps(figures, indent=1) + "\n")
    for name, reason in LEFT_OUT.items():
        print(f"{name} is left out: it {reason}.")
    if asked.write:
        write(figures)


if __name__ == "__main__":
    main()
