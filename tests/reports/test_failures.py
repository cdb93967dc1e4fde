"""Whatever ends a run, it leaves a page that says so, an exit code of its own, no process and nothing half-published."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner, Result
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from tests.helpers.lakes import records, write
from workbench import exit_codes
from workbench.cli import main
from workbench.reports import Status, kernel, page, run, run_report
from workbench.reports.record import RunRecord

pytestmark = pytest.mark.process
CELL = """\
import os, signal, time
open(pid, "w").write(str(os.getpid()))
if how == "raise": raise ValueError("it is not so")
if how == "wait": time.sleep(600)
if how == "kill": os.kill(os.getpid(), signal.SIGKILL)
if how == "leave": os._exit(3)
if how == "full": raise OSError(28, "No space left on device")
if how == "magic":
    from IPython.core.error import UsageError
    raise UsageError("Line magic function `%%time` not found.")
if how == "long": raise ValueError("x" * 100_000)
if how == "untold": raise ValueError("\\ud800")
if how == "refuse":
    from workbench.errors import ScanRefused
    raise ScanRefused("it would scan 3.0 TB")"""
SHOWN = "print('x' * 100_000)"


@pytest.fixture
def notebook(tmp_path, monkeypatch) -> Path:
    monkeypatch.chdir(tmp_path)
    node = new_notebook()
    node.cells = [
        new_markdown_cell("# Does it end well?"),
        new_code_cell("how: str = ''  # what happens\npid: str = 'pid'", metadata={"tags": ["parameters"]}),
        new_markdown_cell("## What is it like?"),
        new_code_cell(SHOWN),
        new_markdown_cell("## What happens?"),
        new_code_cell(CELL),
        new_code_cell("print('run later on')"),
    ]
    nbformat.write(node, tmp_path / "ends.ipynb")
    return tmp_path / "ends.ipynb"


def ran(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["report", "run", *arguments])


def the_run(out: Path = Path("reports")) -> tuple[RunRecord, str]:
    """The one run that there is, and its page."""
    (path,) = out.glob("*/*/run.json")
    assert [each.name for each in out.glob("*/*") if each.name.startswith(".")] == []
    return RunRecord.model_validate_json(path.read_text()), unescape(path.with_name("report.html").read_text())


def ended(pid: Path = Path("pid")) -> bool:
    """Whether the kernel is gone, within some seconds."""
    for _ in range(100):
        try:
            os.kill(int(pid.read_text()), 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


@pytest.mark.parametrize(
    ("how", "status", "code", "says"),
    [
        ("", Status.COMPLETE, 0, ""),
        ("raise", Status.FAILED, exit_codes.ERROR, "ValueError: it is not so"),
        ("magic", Status.FAILED, exit_codes.ERROR, "UsageError: Line magic function `%%time` not found."),
        ("untold", Status.FAILED, exit_codes.ERROR, "the cell failed, and its error cannot be told"),
        ("full", Status.FAILED, exit_codes.ERROR, "No space left on device"),
        ("wait", Status.TIMED_OUT, exit_codes.TIMED_OUT, "no end within 3 s"),
        ("kill", Status.DIED, exit_codes.DIED, "the notebook's Python process died"),
        ("leave", Status.DIED, exit_codes.DIED, "the notebook's Python process died"),
        ("refuse", Status.REFUSED, exit_codes.REFUSED, "ScanRefused: it would scan 3.0 TB"),
    ],
)
def test_each_end_has_a_page_that_says_so_and_an_exit_code(notebook, how, status, code, says):
    done = ran(str(notebook), "-p", f"how={how}", "--timeout", "3" if how == "wait" else "60")
    assert done.exit_code == code, done.output
    record, html = the_run()
    assert record.status is status
    assert says in html
    assert says in done.stderr
    assert len(done.stderr.splitlines()) == bool(says)
    assert (record.failed_cell is None) == (how == "")
    if record.failed_cell:
        assert (record.failed_cell.number, record.failed_cell.heading) == (4, "What happens?")
        assert "run later on" not in html
    assert ended()


def test_of_a_very_long_error_the_beginning_is_told(notebook):
    done = ran(str(notebook), "-p", "how=long")
    record, _ = the_run()
    assert record.failed_cell
    assert len(record.failed_cell.error) < 1_100
    assert len(done.stderr) < 2_000
    assert len(Path("reports/index.html").read_text()) < 60_000


def test_a_notebook_that_moves_to_another_folder_loses_nothing(notebook):
    node = nbformat.read(notebook, 4)
    moves = "import os, pandas as pd\nfrom workbench.reports import headlines\nos.chdir('/')\nheadlines(n=1)\ndisplay(pd.DataFrame({'n': [1]}))"
    node.cells.insert(2, new_code_cell(moves))
    nbformat.write(node, notebook)
    assert ran(str(notebook), "-p", f"pid={notebook.parent / 'pid'}").exit_code == 0
    record, _ = the_run()
    assert [each.text for each in record.headlines] == ["1"]
    assert "tables/01.csv" in [file.path for file in record.files]


@pytest.fixture
def started(notebook) -> Iterator[subprocess.Popen[str]]:
    """A run by a process of its own, whose kernel is in the cell that waits."""
    command = [sys.executable, "-m", "workbench", "report", "run", str(notebook), "-p", "how=wait"]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with subprocess.Popen(command, text=True, **streams) as process:
        while not (Path("pid").exists() and Path("pid").read_text()):
            assert process.poll() is None, process.stderr and process.stderr.read()
            time.sleep(0.05)
        yield process
        process.kill()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, exit_codes.TERMINATED), (signal.SIGINT, exit_codes.STOPPED)]
)
def test_a_signal_leaves_a_page_that_says_so(started, number, code):
    started.send_signal(number)
    _, said = started.communicate(timeout=120)
    assert started.returncode == code
    assert "Stopped." in said
    assert "Traceback" not in said
    record, html = the_run()
    assert record.status is Status.STOPPED
    assert "the run was ended before the notebook was" in html
    assert ended()


def test_one_that_is_killed_leaves_what_the_next_run_takes_away_and_no_kernel(started, notebook):
    started.kill()
    started.wait()
    assert ended()
    (left,) = Path("reports").glob("*/*")
    assert left.name.startswith(".")
    assert ran(str(notebook)).exit_code == 0
    assert the_run()[0].status is Status.COMPLETE


def test_a_signal_while_the_kernel_starts(notebook, monkeypatch):
    begin = kernel._Client.start_new_kernel

    def interrupted(self, **options):
        begin(self, **options)
        Path("pid").write_text(str(self.km.provisioner.pid))
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)

    monkeypatch.setattr(kernel._Client, "start_new_kernel", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_report(notebook, {}, "reports")
    record, _ = the_run()
    assert record.status is Status.STOPPED
    assert record.failed_cell
    assert record.failed_cell.heading == "before the first cell"
    assert ended()


def test_a_signal_while_it_is_published_waits_until_it_is(notebook, monkeypatch):
    render = page.render

    def interrupted(*given, **options):
        os.kill(os.getpid(), signal.SIGINT)
        return render(*given, **options)

    monkeypatch.setattr(page, "render", interrupted)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        run_report(notebook, {}, "reports")
    assert the_run()[0].status is Status.COMPLETE
    assert Path("reports/index.html").is_file()
    assert signal.getsignal(signal.SIGINT) is before


def test_two_signals_while_it_is_published_end_it_and_nothing_is_published(notebook, monkeypatch):
    def interrupted(*given, **options):
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(5)

    monkeypatch.setattr(page, "render", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_report(notebook, {}, "reports")
    assert not any(Path("reports").glob("*/*"))


def test_a_disk_that_fills_up_leaves_a_small_page_that_says_so(notebook, monkeypatch):
    """The system itself refuses files above a size, to the program and to its kernel."""
    limit = (60_000, resource.RLIM_INFINITY)
    command = [sys.executable, "-m", "workbench", "report", "run", str(notebook)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit),
        timeout=200,
    )
    assert done.returncode == exit_codes.NOT_PUBLISHED, done.stderr
    record, html = the_run()
    assert (record.status, record.failed_cell) == (Status.NOT_KEPT, None)
    assert "there was no room on the disk for what they showed" in html
    assert done.stderr == "Error: ends: File too large: what its cells showed is not kept\n"
    assert "xxx" not in Path("reports", record.name, record.run, "notebook.ipynb").read_text()


def test_a_disk_without_any_room_publishes_nothing_and_says_so(notebook, monkeypatch):
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run, "_write", full)
    done = ran(str(notebook))
    assert done.exit_code == exit_codes.NOT_PUBLISHED
    assert "No space left on device" in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not any(Path("reports").glob("*/*"))


def test_an_index_that_cannot_be_written_is_said_and_the_run_stays(notebook):
    Path("reports/index.html").mkdir(parents=True)
    done = ran(str(notebook))
    assert done.exit_code == exit_codes.NOT_PUBLISHED
    assert "index.html cannot be written" in done.stderr
    assert the_run()[0].status is Status.COMPLETE


def test_nothing_is_run_where_nothing_can_be_written(notebook):
    Path("reports").write_text("a file")
    done = ran(str(notebook))
    assert done.exit_code == exit_codes.NOT_PUBLISHED
    assert "there is a file, or a link that leads nowhere, of that name" in done.stderr
    assert not Path("pid").exists()


def test_nothing_is_added_to_a_run(notebook):
    run = Path("reports/ends/2026-11-20T06-00-00Z")
    run.mkdir(parents=True)
    for name in ("run.json", "report.html"):
        (run / name).write_text("{}")
    for out in (run, run / "tables", run / "tables" / "more"):
        done = ran(str(notebook), "--out", str(out))
        assert done.exit_code == exit_codes.NOT_PUBLISHED
        assert f"{out} is in a run" in done.stderr
    assert {path.name for path in run.iterdir()} == {"run.json", "report.html"}


def test_a_file_of_that_name_elsewhere_makes_no_run_of_a_folder(notebook):
    Path("run.json").write_text("{}")
    assert ran(str(notebook)).exit_code == 0


def test_no_change_in_the_window_is_told(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log = write(tmp_path / "log", records(1), "envelope")
    node = new_notebook()
    asked = "Workbench(source).changes('things', start='1999-01-01', end='1999-01-02')"
    node.cells = [
        new_code_cell("source: str = ''", metadata={"tags": ["parameters"]}),
        new_code_cell(f"from workbench import Workbench\n{asked}"),
    ]
    nbformat.write(node, tmp_path / "empty.ipynb")
    done = ran("empty.ipynb", "-p", f"source={log}", "--json")
    assert done.exit_code == exit_codes.EMPTY, done.output
    (record,) = json.loads(done.stdout)
    assert (record["status"], record["tables"], record["source"]) == ("empty", ["things"], str(log))
    assert record["newest_arrival"] == record["known_at"]
    assert "no change is in its window" in done.stderr


def test_of_two_at_once_both_are_published_and_in_the_index(notebook):
    command = [sys.executable, "-m", "workbench", "report", "run", str(notebook), "-p"]
    both = [subprocess.Popen([*command, f"pid={name}"], stdout=subprocess.DEVNULL) for name in "ab"]
    assert [each.wait(200) for each in both] == [0, 0]
    runs = [path.parent.name for path in Path("reports").glob("*/*/run.json")]
    assert len(runs) == 2
    index = Path("reports/index.html").read_text()
    assert all(f"ends/{name}/report.html" in index for name in runs)


def test_of_several_the_gravest_tells_and_those_after_it_run(notebook):
    (notebook.parent / "fine.ipynb").write_text(notebook.read_text())
    done = ran(str(notebook), "fine.ipynb", "-p", "how=raise", "--json")
    assert done.exit_code == exit_codes.ERROR
    assert [record["name"] for record in json.loads(done.stdout)] == ["ends", "fine"]
    refused = ran("fine.ipynb", "gone.ipynb")
    assert refused.exit_code == exit_codes.ERROR
    assert "there is no notebook gone.ipynb" in refused.stderr
    assert len([*Path("reports").glob("*/*/run.json")]) == 2  # all are checked before the first is run


def test_the_documentation_has_each_exit_code():
    text = (Path(__file__).parents[2] / "docs" / "reports.md").read_text(encoding="utf-8")
    told = {int(code) for row in re.findall(r"^\| ([\d, ]+) \|", text, re.MULTILINE) for code in row.split(",")}
    elsewhere = {exit_codes.DISAGREES, exit_codes.LEFT}  # of questions, of undo
    assert told == {0, 2, *(code for name, code in vars(exit_codes).items() if name.isupper())} - elsewhere


def test_the_old_spelling_is_told_the_new_one(notebook):
    done = CliRunner().invoke(main, ["report", "03_change_frequency", "-p", "table=persons"])
    assert done.exit_code == 2
    assert done.stderr.splitlines()[-1].endswith("to run a notebook, `workbench report run 03_change_frequency`")
    done = CliRunner().invoke(main, ["report", "--out", "reports", "03_change_frequency"])
    assert done.exit_code == 2
    assert "--out stands after the verb: `workbench report run NOTEBOOK --out …`" in done.stderr
