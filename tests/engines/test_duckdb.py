"""The embedded engine's life: DuckDB dies, Ctrl-C comes, a checkpoint vanishes, and the next question is answered."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.helpers.logs import chain, micros, write_log
from workbench import Workbench
from workbench.engines.duckdb import DuckDBEngine
from workbench.engines.staging import StagedLog
from workbench.errors import EngineLost
from workbench.log.files import LocalFiles

KEY = {"pk": {"S": "x"}}
NOON = micros("2026-01-01T12:00:00")
A, B = (KEY | {"v": {"S": letter}} for letter in "AB")
QUESTIONS: dict[str, Callable[[Workbench], object]] = {
    "tables": lambda wb: len(wb.tables()),
    "latest": lambda wb: wb.latest_state("things").df.to_dict("records"),
    "changes": lambda wb: wb.changes("things").df.to_dict("records"),
    "history": lambda wb: wb.item_history("things", "pk=x").df["path"].tolist(),
    "diff": lambda wb: wb.diff("things", "2026-01-01T12:00:00Z").df["path"].tolist(),
    "frequency": lambda wb: wb.change_frequency("things").df["changes"].tolist(),
    "by attribute": lambda wb: wb.change_frequency("things", by="attribute").df["changes"].tolist(),
    "quality": lambda wb: wb.data_quality("things").df["count"].tolist(),
    "checkpoint": lambda wb: len(wb.checkpoint("things").objects),
}


class Dying:
    """A connection that dies at a statement, and answers nothing after, as DuckDB does after a fatal error."""

    def __init__(self, con: duckdb.DuckDBPyConnection, at: Callable[[], bool]) -> None:
        self._con, self._at, self._dead = con, at, False

    def execute(self, text: str, *rest: object) -> object:
        return self._run(self._con.execute, text, *rest)

    def sql(self, text: str) -> object:
        return self._run(self._con.sql, text)

    def _run(self, run: Callable[..., object], *given: object) -> object:
        if self._dead:
            raise duckdb.InternalException(
                "INTERNAL Error: database has been invalidated because of a previous fatal error.\nStack Trace:\n…"
            )
        if self._at():
            self._dead = True
            raise duckdb.FatalException("FATAL Error: Failed: dict-surviving cache\nStack Trace:\n…")
        return run(*given)

    def __getattr__(self, name: str) -> object:
        return getattr(self._con, name)


def dying(monkeypatch: pytest.MonkeyPatch, at: Callable[[], bool]) -> list[Dying]:
    """Make each new connection of the engine die; return those that were opened."""
    opened: list[Dying] = []
    get = DuckDBEngine._con.fget

    def con(self: DuckDBEngine) -> object:
        if self._connection is None:
            get(self)
            self._connection.execute("set python_scan_all_frames = true")  # one more lies between
            self._connection = Dying(self._connection, at)
            opened.append(self._connection)
        return self._connection

    monkeypatch.setattr(DuckDBEngine, "_con", property(con))
    return opened


@pytest.fixture
def log(tmp_path: Path) -> Path:
    folder = tmp_path / "log"
    write_log(folder, chain(KEY, [(NOON, A), (NOON + 1, B), (NOON + 2, A)]), "raw")
    return folder


@pytest.mark.parametrize("question", QUESTIONS)
def test_duckdb_dies_once_at_any_statement_and_the_question_is_answered(log, monkeypatch, question):
    ask, count = QUESTIONS[question], [0]

    def asked(name: str, at: Callable[[], bool]) -> tuple[object, int]:
        with monkeypatch.context() as patch:
            opened = dying(patch, at)
            return ask(Workbench(log, home=log.parent / name, threads=1)), len(opened)

    def counted() -> bool:
        count[0] += 1
        return False

    wanted, _ = asked("truth", counted)
    assert count[0] >= 3
    for number in sorted({1, 2, count[0] // 2, count[0] - 1, count[0]}):
        left = iter([*[False] * (number - 1), True])
        assert asked(f"kept {number}", lambda left=left: next(left, False)) == (wanted, 2), number


@pytest.mark.parametrize("question", QUESTIONS)
def test_duckdb_dies_each_time_and_one_line_says_so(log, monkeypatch, question):
    wb = Workbench(log, checkpoints=str(log.parent / "kept"), threads=1)
    with monkeypatch.context() as patch:
        opened = dying(patch, lambda: len(opened) < 100)
        with pytest.raises(
            EngineLost, match=r"^DuckDB died .*: FATAL Error: Failed: dict-surviving cache; .*`threads`.*$"
        ) as told:
            QUESTIONS[question](wb)
        assert "\n" not in str(told.value)
        assert told.value.__suppress_context__  # no traceback of DuckDB's in a notebook
        assert len(opened) == 2
    assert not list((log.parent / "kept").rglob("*.parquet"))
    assert wb.latest_state("things").df["v"].tolist() == ["A"]  # on a connection that lives


def test_a_checkpoint_removed_while_it_is_read_is_done_without(log, monkeypatch):
    wb = Workbench(log, checkpoints=str(log.parent / "kept"))
    wanted = wb.latest_state("things").df.to_dict("records")
    first, second = (wb.checkpoint("things").place for _ in range(2))

    def removing(place: str) -> Callable[..., object]:
        ask = StagedLog.refresh

        def refresh(self: StagedLog, **options: bool) -> None:
            ask(self, **options)
            shutil.rmtree(place, ignore_errors=True)

        return refresh

    for place, rest in ((second, "from the checkpoint"), (first, "")):
        with monkeypatch.context() as patch:
            patch.setattr(StagedLog, "refresh", removing(place))
            answer = Workbench(log, checkpoints=str(log.parent / "kept")).latest_state("things")
        assert answer.df.to_dict("records") == wanted
        assert any(note.startswith("from the checkpoint") for note in answer.stats.notes) == bool(rest)


@pytest.mark.parametrize("what", ["manifest", "changes"])
def test_a_checkpoint_half_removed_is_none(log, monkeypatch, what):
    wb = Workbench(log, checkpoints=str(log.parent / "kept"))
    place = Path(wb.checkpoint("things").place)
    (place / {"manifest": "_checkpoint.parquet", "changes": "changes.parquet"}[what]).unlink()
    answer = wb.latest_state("things")
    assert answer.df["v"].tolist() == ["A"]
    assert not answer.stats.notes


def test_a_checkpoint_removed_between_listing_and_opening_is_none(log, monkeypatch):
    kept = log.parent / "kept"
    Workbench(log, checkpoints=str(kept)).checkpoint("things")
    opened = LocalFiles.opened

    def late(self: LocalFiles, name: str):
        shutil.rmtree(Path(name).parent, ignore_errors=True)
        return opened(self, name)

    monkeypatch.setattr(LocalFiles, "opened", late)
    assert Workbench(log, checkpoints=str(kept)).latest_state("things").df["v"].tolist() == ["A"]


SLOW = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # what a shell starts in the background ignores it
from workbench import Workbench
from workbench.__main__ import main
from workbench.engines import duckdb as engine

STATE = "'' as keys, '' as image, now()::timestamp as ts, " + ", ".join(
    f"false as {name}" for name in ("by_ttl", "ambiguous", "unknown", "ended"))
SLOW = {"sql": f"select {STATE}, sum(a.range * b.range) as n from range(100000000) a, range(100000000) b",
        "function": f"select {STATE}, count(canonical_image(range::varchar)) as n from range(100000000000)"}

def prepared(self, question, table, **options):
    _, log = kept(self, question, table, **options)
    print("running", flush=True)
    while sys.argv[1] == "python":
        pass
    return SLOW[sys.argv[1]], log

kept, engine.DuckDBEngine._prepared = engine.DuckDBEngine._prepared, prepared
"""
IN_PYTHON = """
wb = Workbench(sys.argv[2])
try:
    wb.latest_state("things")
except KeyboardInterrupt:
    engine.DuckDBEngine._prepared = kept
    print("KeyboardInterrupt", wb.latest_state("things").df["v"].tolist())
"""
PLACES = ["sql", "python", "function"]


def started(text: str, *arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", text, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "running\n"
    return process


@pytest.mark.process
@pytest.mark.parametrize("where", PLACES)
def test_ctrl_c_in_python_is_keyboardinterrupt_and_the_workbench_can_be_used(log, where):
    process = started(SLOW + IN_PYTHON, where, str(log))
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (out, err, process.returncode) == ("KeyboardInterrupt ['A']\n", "", 0)


@pytest.mark.process
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("where", PLACES)
def test_a_signal_ends_the_program_in_one_line(log, where, number, code):
    text = SLOW.replace("sys.argv[1]", repr(where)) + "main()"
    process = started(text, "latest", "things", "--from", str(log))
    process.send_signal(number)
    out, err = process.communicate()
    assert (out, err, process.returncode) == ("", "Stopped.\n", code)


@pytest.mark.process
def test_a_signal_while_the_program_is_loaded_ends_it_in_one_line(log):
    text = """
import builtins, os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from workbench.__main__ import main
sys.modules["workbench.cli"] = None
imported = builtins.__import__
def slow(name, *rest):
    if name == "workbench.cli":
        print("running", flush=True)
        while True: pass
    return imported(name, *rest)
builtins.__import__ = slow
main()
"""
    process = started(text, "tables")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate()
    assert (out, err, process.returncode) == ("", "Stopped.\n", 130)


@pytest.mark.process
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_on_a_report_leaves_a_page_that_says_so_and_nothing_else(tmp_path, number, code):
    cells = [
        new_markdown_cell("# A long look"),
        new_code_cell("x: int = 1  # a number", metadata={"tags": ["parameters"]}),
        new_code_cell("print('as far as this')"),
        new_markdown_cell("## Will it end?"),
        new_code_cell("import pathlib\npathlib.Path('running').touch()\nwhile True:\n    pass"),
    ]
    nbformat.write(new_notebook(cells=cells), tmp_path / "long.ipynb")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    start = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from workbench.__main__ import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", start, "report", "run", "long.ipynb"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
        stderr=subprocess.PIPE,
        env=os.environ | {"TMPDIR": str(scratch), "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    while not (tmp_path / "running").exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    process.send_signal(number)
    out, err = process.communicate()
    *said, last = err.splitlines()
    assert (len(said), last, process.returncode) == (1, "Stopped.", code)
    assert "the run was ended before the notebook was; see" in said[0]
    assert not list(scratch.iterdir())
    (run,) = (tmp_path / "reports" / "long").iterdir()
    assert sorted(path.name for path in run.iterdir()) == ["notebook.ipynb", "report.html", "run.json"]
    assert out.startswith(f"{(run / 'report.html').relative_to(tmp_path)} (")
    page = (run / "report.html").read_text()
    assert "as far as this" in page
    assert "Stopped: the run was ended before the notebook was" in page
    assert "Will it end?" in page
