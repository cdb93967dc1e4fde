"""Two processes that make one table at once, and one that is killed: the store and its lake agree afterwards."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from workbench import Workbench, lock
from workbench.errors import StoreError, TableNotFound
from workbench.lock import alone as held

MAKE = """
import sys
from workbench import Workbench
from workbench.sandbox import ItemStore
wb = Workbench(home=sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
print(wb.generate("persons", items=20, changes=200, seed=int(sys.argv[2]), replace=sys.argv[3] == "replace",
                  progress=False), flush=True)
"""
KILLED = """
import os, signal, sys
from workbench import Workbench
wb, left = Workbench(home=sys.argv[1]), int(sys.argv[2])
def killed(frame, event, argument):
    global left
    if event == "call" and "/workbench/" in frame.f_code.co_filename:
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
import threading
sys.setprofile(killed)
wb.generate("persons", items=20, changes=60, seed=int(sys.argv[3]), replace=True, progress=False)
sys.setprofile(None)
print(int(sys.argv[2]) - left)
"""


def making(home: Path, seed: int, how: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", MAKE, str(home), str(seed), how],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def agree(home: Path) -> bool:
    return bool(Workbench(home=home).reconcile("persons", lag="0s").agrees)


def half_made(wb: Workbench) -> bool:
    try:
        return any("half made" in note for note in wb.latest_state("persons").stats.notes)
    except TableNotFound:
        return True


@pytest.mark.process
@pytest.mark.parametrize("how", ["same", "replace"])
def test_of_two_at_once_one_waits_and_store_and_lake_agree(tmp_path, how):
    for home in (tmp_path / "one", tmp_path / "two"):
        both = [making(home, 7 if how == "same" else seed, how) for seed in (1, 2)]
        for process in both:
            assert process.stdout.readline() == "ready\n"
        for process in both:
            process.stdin.write("\n")
            process.stdin.flush()
        told = [process.communicate() for process in both]
        assert [process.returncode for process in both] == [0, 0], told
        assert [err for _, err in told] == ["", ""]
        assert sum("kept as it was" in out for out, _ in told) == (how == "same")
        assert agree(home)


def test_who_has_waited_too_long_says_for_what(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "_PATIENCE", 1)
    wb = Workbench(home=tmp_path)
    with (
        held(wb.settings.lake, "persons.generating", "at it"),
        pytest.raises(
            StoreError, match=r"another process is making the table 'persons' in .*: try again when it has ended"
        ),
    ):
        wb.generate("persons", changes=10, progress=False)
    assert wb.generate("persons", changes=10, progress=False).changes == 10


@pytest.mark.process
def test_after_a_kill_between_any_two_calls_the_next_generation_is_whole_and_agrees(tmp_path):
    wb = Workbench(home=tmp_path)
    wb.generate("persons", items=20, changes=60, seed=1, progress=False)
    wb.checkpoint("persons")

    def killed(after: int, seed: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", KILLED, str(tmp_path), str(after), str(seed)]
        return subprocess.run(command, capture_output=True, text=True)

    calls, rng, ends = int(killed(1_000_000_000, 2).stdout), random.Random(20261126), []
    for seed, after in enumerate([1, *(rng.randrange(1, calls) for _ in range(4)), calls - 2, calls - 1], start=3):
        ends.append(done := killed(after, seed))
        assert done.returncode in (-9, 0), done.stderr
        assert half_made(wb) or agree(tmp_path), after
        assert wb.generate("persons", items=20, changes=60, seed=seed, keep=True, progress=False).changes == 60
        assert wb.reconcile("persons", lag="0s").agrees, after
        assert not half_made(wb)
        wb.checkpoint("persons")
    assert [done.returncode for done in ends].count(-9) >= 5
