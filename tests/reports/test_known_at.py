"""A report writes down what it was made of, and is repeated by that to the digit, whatever has arrived since."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner

from tests.helpers.lakes import records, write
from workbench import Workbench
from workbench.cli import main
from workbench.reports import run_report, shipped

TOOK = re.compile(r"in \d+\.\d+ s")


def outputs(path: Path) -> list[str]:
    """What the cells of an executed notebook show, without how long it took."""
    cells = nbformat.read(path, as_version=4).cells
    shown = [output for cell in cells if cell.cell_type == "code" for output in cell.outputs]
    return [TOOK.sub("in … s", json.dumps(each.get("data", each.get("text")))) for each in shown]


@pytest.fixture
def grown(tmp_path: Path) -> tuple[Path, list]:
    """A log, and what will come late to it."""
    made = sorted(records(3), key=lambda each: each[0])
    return write(tmp_path / "log", made[: len(made) // 2], "envelope"), made


@pytest.mark.process
def test_it_is_repeated_to_the_digit_though_late_changes_came_since(grown, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    log, made = grown
    notebook = shipped() / "03_change_frequency.ipynb"
    asked = {"table": "things", "every": "6h", "source": str(log)}
    first = run_report(notebook, asked, "out", name="first")
    assert first.record.failed_cell is None
    newest = Workbench(log).changes("things").stats.last_arrival
    assert first.record.known_at == newest
    assert nbformat.read(first.notebook, as_version=4).metadata["workbench"]["known_at"] == newest.isoformat().replace(
        "+00:00", "Z"
    )
    told = f"--known-at {newest:%Y-%m-%dT%H:%M:%S}Z"
    assert told in Path(first.html).read_text(encoding="utf-8")
    write(log, made[len(made) // 2 :], "envelope")  # older changes among them
    again = run_report(notebook, asked, "out", name="again")
    assert again.record.known_at > first.record.known_at
    assert outputs(again.notebook) != outputs(first.notebook)
    options = [part for name, value in asked.items() for part in ("-p", f"{name}={value}")]
    done = CliRunner().invoke(
        main, [*told.split(), "report", "run", str(notebook), *options, "--name", "repeated", "--json"]
    )
    assert done.exit_code == 0, done.output
    (repeated,) = json.loads(done.stdout)
    repeated_notebook = Path("reports", repeated["name"], repeated["run"], "notebook.ipynb")
    assert datetime.fromisoformat(repeated["known_at"]) == newest
    known = f"as it was known at {newest:%Y-%m-%d %H:%M:%S} UTC: what arrived later is not read"
    shown = [text.replace(f" \\u00b7 {known}", "") for text in outputs(repeated_notebook)]
    assert [text.replace(f" · {known}", "") for text in shown] == outputs(first.notebook)
    by_parameter = run_report(notebook, asked | {"known_at": newest.isoformat()}, "out", name="by parameter")
    assert outputs(by_parameter.notebook) == outputs(repeated_notebook)


def test_an_export_tells_it(grown, tmp_path):
    log, made = grown
    before = Workbench(log).changes("things")
    write(log, made[len(made) // 2 :], "envelope")
    result = Workbench(log, known_at=before.stats.last_arrival).changes("things")
    assert result.stats.known_at == before.stats.last_arrival
    for name, each in (("before", before), ("known", result)):
        each.to_csv(tmp_path / f"{name}.csv")
    assert (tmp_path / "known.csv").read_bytes() == (tmp_path / "before.csv").read_bytes()
    told = json.loads((tmp_path / "known.csv.meta.json").read_text(encoding="utf-8"))["window"]
    assert datetime.fromisoformat(told["known_at"]) == before.stats.last_arrival
    assert Workbench(log).changes("things").stats.known_at is None
    assert len(Workbench(log).changes("things")) > len(result)
