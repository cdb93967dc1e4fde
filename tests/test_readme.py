"""What README and --help show is run as it is written, on the demonstration's tables: it works on any day."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import matplotlib.pyplot as plt
import nbformat
import pytest
from click.testing import CliRunner

from tests.docs.console import agrees, blocks, commands, is_something, pages, run_python
from workbench import Workbench, WorkbenchError, reports
from workbench.cli import main
from workbench.demo import run_demo
from workbench.errors import NotPublished

pytestmark = pytest.mark.slow
HERE = Path(__file__).parents[1]
README = HERE / "README.md"
ELSEWHERE = (
    "apply",
    "compact",
    "table",
    "view",
    "baseline status",
    "demo",
    "generate",
    "sql latest_state persons --estimate",
)
PYTHON = [block for _, block in blocks(README, "python")]


def verbs(command: click.Command = main, path: str = "") -> Iterator[str]:
    """Every example of --help."""
    for name, verb in getattr(command, "commands", {}).items():
        yield from verbs(verb, f"{path} {name}".strip())
    if found := re.search(r"Example: workbench (.+)", command.help or ""):
        yield found[1]


CHANGES = {"persons": 1_500, "heartrate": 20_000, "orders": 2_000}  # few heart rates are corrected
SHOWN = [each.text.removeprefix("workbench ") for each in commands(README) if each.text.startswith("workbench ")]
EXAMPLES = [each for each in dict.fromkeys([*SHOWN, *verbs()]) if not each.startswith(ELSEWHERE)]


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home folder with the demonstration's lake, and a synced bucket, which is the same."""
    folder = tmp_path_factory.mktemp("home")
    wb = Workbench(home=folder / ".workbench")
    for dataset, changes in CHANGES.items():
        wb.generate(dataset, changes=changes, bad_night=dataset == "orders", progress=False)
    wb.export_baseline("persons", folder / "exports")
    for place in ("bucket", "synced-bucket"):
        (folder / place).mkdir()
        (folder / place / "data").symlink_to(folder / ".workbench" / "lake" / "data")
    (folder / "notebooks").symlink_to(HERE / "notebooks")
    (folder / "reports").mkdir()  # where the demonstration's are
    return folder


@pytest.fixture
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    yield home
    for path in [*home.glob("*.*"), *home.glob("exports/*.*")]:  # what an example wrote
        if path.suffix in (".parquet", ".xlsx", ".json", ".jsonl"):
            path.unlink()


@pytest.mark.parametrize(
    "example", [pytest.param(each, marks=[pytest.mark.process] * each.startswith("report ")) for each in EXAMPLES]
)
def test_a_command_that_is_shown_works_and_has_an_answer(at_home, example):
    run = CliRunner().invoke(main, shlex.split(example, comments=True))
    assert run.exit_code == 0, run.output
    assert run.output.strip()
    assert example.startswith("reconcile") or not run.stderr.startswith("0 rows"), run.output


@pytest.mark.parametrize("block", PYTHON)
def test_python_that_is_shown_works_and_has_answers(at_home, block):
    for text, answer in run_python(block, {}):
        assert is_something(answer), text
    plt.close("all")


def test_examples_name_no_date_on_which_there_may_be_no_data():
    assert not re.search(r"20\d\d-\d\d-\d\d", " ".join(EXAMPLES + PYTHON))


def test_something_is_shown():
    assert len(EXAMPLES) > 15
    assert PYTHON


def test_what_readme_writes_is_ignored_by_git():
    words = [shlex.split(each, comments=True) for each in SHOWN]
    written = [each[at + 1] for each in words for at, word in enumerate(each) if word == "--out"]
    ignored = {f"/{path.partition('/')[0]}/" for path in written}
    assert written
    assert ignored <= set((HERE / ".gitignore").read_text(encoding="utf-8").split())


def test_make_targets_that_are_named_are_there():
    made = set(re.findall(r"^([a-z-]+):", (HERE / "Makefile").read_text(), re.MULTILINE))
    for page in pages():
        text = page.read_text(encoding="utf-8")
        assert set(re.findall(r"`make ([a-z-]+)`|^(?:\$ )?make ([a-z-]+)", text, re.MULTILINE)) <= {
            pair for name in made for pair in ((name, ""), ("", name))
        }, page


def test_the_demonstration_prints_what_is_shown(at_home, monkeypatch):
    """The notebooks that it runs have tests of their own."""

    def run_report(notebook: Path, parameters: dict, out: Path) -> reports.Report:
        began = datetime(2026, 11, 20, 6, tzinfo=UTC)
        record = reports.RunRecord(
            name=notebook.stem,
            run="2026-11-20T06-00-00Z",
            notebook=notebook.name,
            title=notebook.stem,
            status=reports.Status.COMPLETE,
            started=began,
            seconds=1.0,
        )
        return reports.Report(record, out / record.name / record.run)

    monkeypatch.setattr("workbench.demo.run_report", run_report)
    (at_home / ".venv" / "bin").mkdir(parents=True)
    (at_home / ".venv" / "bin" / "workbench").touch()
    (demo,) = [each for each in commands(README) if each.text == "make demo"]
    lines = list(run_demo(Workbench(), HERE / "notebooks", "reports", changes=CHANGES["heartrate"]))
    made = [line.replace("kept as it was, made before with", "made in 1.0 s:") for line in lines]  # here by `home`
    assert agrees(demo.output, "\n".join(made)), lines
    (look,) = [line.split("  ")[1] for line in lines if " item_history " in line]
    run = CliRunner().invoke(main, shlex.split(look)[1:])
    assert run.exit_code == 0, run.output


def test_the_notebook_that_generates_keeps_tables_made_with_other_arguments(at_home, monkeypatch):
    monkeypatch.setenv("WORKBENCH_HOME", str(at_home / ".workbench"))
    scope: dict[str, Any] = {"display": lambda *shown: None}
    for cell in nbformat.read(HERE / "notebooks" / "01_generate_data.ipynb", 4).cells[:4]:
        if cell.cell_type == "code":
            exec(cell.source, scope)
    made = {each.table: each.changes for each in scope["made"]}
    assert all(each.kept for each in scope["made"])
    assert {name: made[name] // 100 * 100 for name in made} == CHANGES  # and what the bad night added to orders


def test_the_demonstration_that_cannot_write_says_so_before_it_makes_anything(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reports").touch()
    with pytest.raises(NotPublished, match="reports cannot be written"):
        next(run_demo(Workbench(), HERE / "notebooks", "reports"))
    assert [path.name for path in tmp_path.iterdir()] == ["reports"]
    (tmp_path / ".workbench").touch()
    with pytest.raises(WorkbenchError, match=r"\.workbench"):
        next(run_demo(Workbench(), HERE / "notebooks", "elsewhere"))
