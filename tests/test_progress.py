"""How far the reading of a log is: shown to who watches, and to nobody else."""

from __future__ import annotations

import io
import re
import sys

import pytest

from workbench.progress import reading


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
        assert str(bar) == "reading persons:   0 %, ? left"
        bar.update(10, 50_000, 250)
        bar.update(9, 50_000, 250)
        line = str(bar)
    assert line.startswith("reading persons:  50 %, 19 of 40 objects, 100,000 changes, ")
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
