"""The program that is stopped while it applies: it ends in a line, with the journal whole, and goes on from there."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time

import pytest

from workbench import Workbench
from workbench.undo import journal as journals
from workbench.undo.plan_file import reading


@pytest.mark.process
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_it_stops_after_what_is_under_way(tmp_path, number, code):
    wb = Workbench(home=tmp_path / "home")
    wb.generate("persons", items=300, changes=1_200, seed=7, start="2025-11-17", end="2025-11-21", progress=False)
    plan = wb.undo("persons", to="2025-11-18").save(tmp_path / "plan.jsonl")
    wb.close()
    command = [sys.executable, "-m", "workbench", "apply", str(plan), "--yes", "--json"]
    here = {"WORKBENCH_HOME": str(tmp_path / "home"), "PATH": "", "PYTHONPATH": ":".join(filter(None, sys.path))}

    def started(*more: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*command, *more], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=here, cwd=tmp_path
        )

    slow = started("--rate", "20")
    journal = journals.journal_of(plan)
    while not journal.exists() or b'"result"' not in journal.read_bytes():
        assert slow.poll() is None, slow.communicate()
        time.sleep(0.02)
    slow.send_signal(number)
    told, said = slow.communicate(timeout=60)
    assert slow.returncode == code, said
    assert "to go on: workbench apply" in said
    stopped = json.loads(told)
    assert stopped["stopped"] == {130: "Ctrl-C", 143: "SIGTERM"}[code]
    assert 0 < stopped["written"] < stopped["lines"]
    with reading(plan) as read, journals.opened(journal, read) as book:
        assert not any(book.was_tried(line) for line in book.left()), "nothing is in doubt"
    rest = started()
    told, said = rest.communicate(timeout=60)
    assert rest.returncode == 0, said
    assert json.loads(told)["counts"] == {"written": stopped["lines"]}
    with_all = Workbench(home=tmp_path / "home")
    assert with_all.undo("persons", to="2025-11-18").df["action"].isin(["unchanged", "gone"]).all()
    with_all.close()
