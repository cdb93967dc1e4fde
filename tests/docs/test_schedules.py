"""The schedules of docs/reports.md are run as they are written there, by what would run them, as far as it is here."""

from __future__ import annotations

import ast
import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import yaml

from workbench import exit_codes

ROOT = Path(__file__).resolve().parents[2]
SCHEDULES = ROOT / "docs" / "schedules"
CRON = {"SHELL": "/bin/sh", "PATH": "/usr/bin:/bin", "LOGNAME": "ana"}
"""All that cron gives a command, beside HOME: https://man7.org/linux/man-pages/man5/crontab.5.html"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """The home of somebody who has reports in ``~/analyses``, and the workbench in a ``.venv`` there."""
    analyses = tmp_path / "analyses"
    tool = analyses / ".venv" / "bin" / "workbench"
    tool.parent.mkdir(parents=True)
    tool.write_text(
        f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(ROOT)!r})\n"
        "from workbench.cli import main\nsys.exit(main())\n"
    )
    tool.chmod(0o755)
    notebook = nbformat.v4.new_notebook(
        cells=[
            nbformat.v4.new_markdown_cell("# Is it morning?", id="head"),
            nbformat.v4.new_code_cell("fails: bool = False", id="parameters", metadata={"tags": ["parameters"]}),
            nbformat.v4.new_code_cell("assert not fails, 'it is night'\nprint('it is')", id="ask"),
        ],
        metadata={"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    )
    nbformat.write(notebook, analyses / "morning.ipynb")
    (analyses / "reports.toml").write_text("[reports.morning]\nnotebook = 'morning.ipynb'\n")
    return tmp_path


def run(home: Path, *command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a bare environment, such as schedulers have, from the folder that they begin in."""
    return subprocess.run(
        command, cwd=home, env=CRON | {"HOME": str(home)} | variables, capture_output=True, text=True, timeout=300
    )


def statuses(reports: Path) -> list[str]:
    """How the runs in a folder ended, the oldest first."""
    records = [json.loads(path.read_text()) for path in sorted(reports.glob("morning/*/run.json"))]
    return [record["status"] for record in sorted(records, key=lambda record: record["started"])]


def night(home: Path, *, fails: bool) -> None:
    """Let the report fail, or not."""
    given = f"parameters = {{fails = {str(fails).lower()}}}\n"
    (home / "analyses" / "reports.toml").write_text(f"[reports.morning]\nnotebook = 'morning.ipynb'\n{given}")


def lines_of_cron() -> list[str]:
    """The commands of the crontab: what follows five fields, in which a % would be a new line."""
    lines = [line for line in (SCHEDULES / "crontab").read_text().splitlines() if line and not line.startswith("#")]
    commands = [re.fullmatch(r"((?:[\d*/,-]+\s+){5})(\S.*)", line)[2] for line in lines]
    assert not any("%" in command for command in commands)
    return commands


@pytest.mark.process
def test_crons_lines_run_and_what_went_wrong_is_mailed_and_tried_again(home):
    first, again = lines_of_cron()
    night(home, fails=True)
    done = run(home, "/bin/sh", "-c", first)
    assert done.returncode == exit_codes.ERROR
    assert done.stdout == ""
    assert re.search(r"morning.ipynb: cell \d \(Is it morning\?\) failed: AssertionError: it is night", done.stderr)
    reports = home / "analyses" / "reports"
    assert statuses(reports) == ["failed"]
    assert "morning" in (home / "analyses" / "reports.log").read_text()

    source = home / "analyses" / "morning.ipynb"
    source.write_text(source.read_text().replace("assert not fails", "assert True"))  # somebody has mended it
    done = run(home, "/bin/sh", "-c", again)
    assert (done.returncode, done.stderr) == (0, "")
    assert statuses(reports) == ["failed", "complete"]
    assert "morning" in (reports / "index.html").read_text()
    done = run(home, "/bin/sh", "-c", again)
    assert done.returncode == 0
    assert len(statuses(reports)) == 2


def unit(name: str) -> configparser.ConfigParser:
    read = configparser.ConfigParser(delimiters="=", comment_prefixes="#", interpolation=None)
    read.optionxform = str  # type: ignore[assignment]
    read.read_string((SCHEDULES / name).read_text())
    return read


@pytest.mark.process
def test_systemds_service_runs_and_takes_an_empty_window_for_no_failure(home):
    service = unit("workbench-reports.service")["Service"]
    place = service["WorkingDirectory"].replace("%h", str(home))
    command = service["ExecStart"].replace("%h", str(home)).split()
    done = run(home, "/bin/sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", place, *command)
    assert done.returncode == 0, done.stderr
    assert statuses(home / "analyses" / "reports") == ["complete"]
    assert service["SuccessExitStatus"] == str(exit_codes.EMPTY)
    assert service["Type"] == "oneshot"


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not here")
def test_systemd_takes_its_units(home):
    units = home / ".config" / "systemd" / "user"
    units.mkdir(parents=True)
    names = ["workbench-reports.service", "workbench-reports.timer"]
    for name in names:
        shutil.copy(SCHEDULES / name, units)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--user", "--man=no", *(str(units / name) for name in names)],
        env=os.environ | {"HOME": str(home), "XDG_RUNTIME_DIR": str(home), "SYSTEMD_LOG_LEVEL": "warning"},
        capture_output=True,
        text=True,
        timeout=120,
    )
    ours = [line for line in done.stderr.splitlines() if "workbench-reports" in line]
    assert (done.returncode, ours) == (0, []), done.stderr
    when = unit("workbench-reports.timer")["Timer"]["OnCalendar"]
    subprocess.run(["systemd-analyze", "calendar", when], check=True, capture_output=True, timeout=120)


@pytest.mark.process
def test_the_steps_of_the_workflow_run(home):
    workflow = yaml.safe_load((SCHEDULES / "github-actions.yml").read_text())
    assert set(workflow[True]) == {"schedule", "workflow_dispatch"}  # `on` is a truth in YAML 1.1
    assert all(len(each["cron"].split()) == 5 for each in workflow[True]["schedule"])
    assert workflow["permissions"] == {"contents": "read", "id-token": "write"}
    (job,) = workflow["jobs"].values()
    assert job["env"]["OUT"].startswith("s3://")
    uses = [step["uses"] for step in job["steps"] if "uses" in step]
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", each) for each in uses)
    install, ask = (step["run"] for step in job["steps"] if "run" in step)
    constraints = re.fullmatch(r"python -m pip install --quiet --constraint (\S+) \.", install)[1]
    assert (ROOT / constraints).is_file()
    done = run(
        home / "analyses",
        *("bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", ask),  # as GitHub's runners do
        PATH=f"{home}/analyses/.venv/bin:/usr/bin:/bin",
        HOME=str(home),
        OUT=str(home / "out"),
    )
    assert done.returncode == 0, done.stderr
    assert statuses(home / "out") == ["complete"]


@pytest.mark.process
def test_airflows_command_runs(home):
    tree = ast.parse((SCHEDULES / "reports_dag.py").read_text())
    (operator,) = (
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "BashOperator"
    )
    given = {each.arg: each.value for each in operator.keywords}
    assert ast.literal_eval(given["skip_on_exit_code"]) == exit_codes.EMPTY
    command = ast.literal_eval(given["bash_command"])
    assert not re.search(r"\{[{%#]", command)  # which Airflow would take for a template
    done = run(home, "bash", "-c", command)
    assert done.returncode == 0, done.stderr
    assert statuses(home / "analyses" / "reports") == ["complete"]


def test_the_page_shows_each_of_them():
    shown = re.findall(r"\{literalinclude\} schedules/(\S+)", (ROOT / "docs" / "reports.md").read_text())
    assert sorted(shown) == sorted(path.name for path in SCHEDULES.iterdir())
