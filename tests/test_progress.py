"""How far the reading of a log is: shown to who watches, and to nobody else."""

from __future__ import annotations

import fcntl
import io
import os
import pty
import re
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.helpers.logs import chain, micros, write_log
from workbench.progress import reading, working


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def streams(monkeypatch):
    def watch(*, terminal):
        shown = Terminal() if terminal else io.StringIO()
        monkeypatch.setattr(sys, "stderr", shown)
        monkeypatch.setattr(sys, "stdout", out := io.StringIO())
        return shown, out

    return watch


def test_it_tells_objects_changes_how_many_a_second_and_the_time_left(streams):
    streams(terminal=True)
    with reading("persons", 40, 1_000, after=0) as bar:
        assert str(bar) == "reading persons:   0%, ? left"
        bar.update(10, 50_000, 250)
        bar.update(9, 50_000, 250)
        line = str(bar)
    assert line.startswith("reading persons:  50%, 19 of 40 objects, 100,000 changes, ")
    assert re.search(r", [\d,]+ a second, [\d:]+ left$", line)
    assert (bar.objects, bar.changes) == (19, 100_000)


def test_it_is_shown_on_a_terminal_and_taken_away(streams):
    terminal, out = streams(terminal=True)
    with reading("persons", 1, 10, after=0) as bar:
        bar.update(1, 5, 10)
    assert "reading persons" in terminal.getvalue()
    assert terminal.getvalue().endswith(" \r")
    assert out.getvalue() == ""


def test_nothing_is_shown_of_what_is_over_soon(streams):
    terminal, _ = streams(terminal=True)
    with reading("persons", 1, 10, after=3_600) as bar:
        bar.update(1, 5, 10)
    assert terminal.getvalue().strip() == ""


def test_nothing_is_shown_in_a_pipe(streams):
    piped, out = streams(terminal=False)
    with reading("persons", 1, 10, after=0) as bar:
        bar.update(1, 5, 10)
    assert (piped.getvalue(), out.getvalue()) == ("", "")


@pytest.mark.parametrize("scheduled", [True, False])
def test_a_notebook_shows_it_unless_it_is_scheduled(streams, monkeypatch, scheduled):
    err, out = streams(terminal=False)
    monkeypatch.setattr("workbench.progress.in_notebook", lambda: True)
    monkeypatch.setenv("TQDM_DISABLE", "1" if scheduled else "")
    with reading("persons", 1, 10, after=0) as bar:
        bar.update(1, 5, 10)
    assert ("reading persons" in out.getvalue()) is not scheduled
    assert err.getvalue() == ""


def test_a_name_does_not_act_on_the_terminal(streams):
    terminal, _ = streams(terminal=True)
    with reading("\x1b[31mred", 0, 0, after=0) as bar:
        bar.update(0, 0, 0)
    assert "\x1b" not in terminal.getvalue()
    assert "\\x1b[31mred" in terminal.getvalue()


# --- whatever takes longer than a second


def screen(written: str) -> list[str]:
    """The lines that a terminal shows after what was written to it."""
    lines, row, column = [""], 0, 0
    for part in re.findall(r"\x1b\[[\d;?]*[A-Za-z]|.", written, re.DOTALL):
        if part == "\r":
            column = 0
        elif part == "\n":
            row, column = row + 1, 0
            lines += [""] * (row == len(lines))
        elif part == "\x1b[A":
            row -= 1
        elif not part.startswith("\x1b"):
            lines[row] = f"{lines[row][:column]:{column}}{part}{lines[row][column + 1 :]}"
            column += 1
    return [line.rstrip() for line in lines]


def until(terminal: Terminal, text: str) -> None:
    for _ in range(6_000):  # a minute, on a machine that is busy
        if text in terminal.getvalue():
            return
        time.sleep(0.01)
    pytest.fail(f"{text!r} is not shown: {terminal.getvalue()!r}")


def test_what_is_being_done_is_shown_on_a_terminal_and_is_gone_afterwards(streams):
    terminal, out = streams(terminal=True)
    with working("latest_state \x1b[31m", after=0, every=0.01):
        until(terminal, "latest_state \\x1b[31m · 00:0")
    assert screen(terminal.getvalue()) == [""]
    assert out.getvalue() == ""


def test_a_bar_that_tells_how_far_it_is_is_shown_in_its_place(streams):
    terminal, _ = streams(terminal=True)
    with working("latest_state", after=0, every=0.01):
        until(terminal, "latest_state")
        with reading("persons", 1, 10, after=0) as bar:
            bar.update(1, 5, 5)
            for _ in range(6_000):  # a minute, on a machine that is busy
                shown = "".join(screen(terminal.getvalue()))
                if "reading persons" in shown and "latest_state" not in shown:
                    break
                time.sleep(0.01)
            else:
                pytest.fail(f"both are shown: {shown}")
    assert "".join(screen(terminal.getvalue())) == ""


def test_it_is_gone_after_an_error_too_and_nowhere_but_on_a_terminal(streams):
    terminal, _ = streams(terminal=True)

    def stopped():
        until(terminal, "apply")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), working("apply", after=0, every=0.01):
        stopped()
    assert screen(terminal.getvalue()) == [""]
    piped, out = streams(terminal=False)
    with working("apply", after=0, every=0.01):
        time.sleep(0.05)
    assert piped.getvalue() + out.getvalue() == ""


@pytest.mark.process
@pytest.mark.parametrize(
    ("method", "verb", "said"),
    [
        ("ask", "latest_state things --source log", "latest_state things"),
        ("tables", "tables --source log", "tables"),
        ("check", "check", "check"),
        ("generate", "generate persons --items 5 --changes 20", "generate"),
    ],
)
def test_every_verb_that_takes_longer_than_a_second_says_so_on_stderr(tmp_path, method, verb, said):
    key = {"pk": {"S": "x"}}
    write_log(tmp_path / "log", chain(key, [(micros("2026-01-01T12:00:00"), key)]))
    code = (
        "import sys, time\nfrom workbench.workbench import Workbench\nfrom workbench.cli import main\n"
        f"real = Workbench.{method}\n"
        f"Workbench.{method} = lambda *a, **k: (time.sleep(2.2), real(*a, **k))[1]\n"
        f"main({verb.split()!r}, prog_name='workbench')"
    )
    shown, answer = on_terminal(code, tmp_path)
    assert re.search(rf"{said} · 00:\d\d", shown)
    assert answer
    left = [line for line in screen(shown.replace("\r\n", "\n")) if line]
    assert [line for line in left if not re.match(r"1 row from|.*warn", line)] == []


@pytest.mark.process
def test_a_report_tells_how_many_of_its_cells_are_done(tmp_path):
    cells = [new_markdown_cell("# Slow"), new_code_cell("x = 1")]
    nbformat.write(new_notebook(cells=cells), tmp_path / "slow.ipynb")
    code = "from workbench.cli import main\nmain(['report', 'run', 'slow.ipynb'], prog_name='workbench')"
    shown, answer = on_terminal(code, tmp_path)
    assert re.search(r"slow: 0 of 2 cells · 00:\d\d", shown)
    assert "report.html" in answer
    assert not any(screen(shown.replace("\r\n", "\n"))), "the bar is gone"


def on_terminal(code: str, folder: Path) -> tuple[str, str]:
    """Run Python whose stderr is a terminal; return what is shown there, and what it printed."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    ran = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=theirs,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[1]), "COLUMNS": "120"},
    )
    os.close(theirs)
    shown, answer = b"", b""
    try:
        while chunk := os.read(ours, 65_536):
            shown += chunk
    except OSError:  # the terminal's other end is closed
        pass
    finally:
        os.close(ours)
        answer = ran.communicate()[0]
    assert ran.returncode == 0, shown
    return shown.decode(), answer.decode()
