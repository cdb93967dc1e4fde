"""The program as it is installed and started: a wheel, ``python -m``, closed streams, a lake that cannot be written."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

import workbench
from tests.helpers.logs import chain, micros, write_log
from workbench import Workbench
from workbench.aws.session import open_session
from workbench.checks import machine
from workbench.cli import main
from workbench.config import load_settings
from workbench.errors import ConfigError, ParameterError, StoreError
from workbench.reports import run_report
from workbench.sandbox import ItemStore

HERE = Path(__file__).parents[1]
NOON = micros("2026-01-01T12:00:00")


def run(*arguments: str, cwd: Path, shell: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "workbench", *arguments]
    given: Any = ["sh", "-c", f'"$@" {shell}', "sh", *command] if shell else command
    paths = {"PYTHONPATH": str(HERE)} | environment
    return subprocess.run(given, cwd=cwd, capture_output=True, text=True, env=os.environ | paths)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Workbench().generate("persons", items=20, changes=100, progress=False)
    return tmp_path


# a wheel


IN_SOURCE_ONLY = shutil.ignore_patterns("__pycache__", ".ipynb_checkpoints")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, processes: None) -> Path:
    """The wheel of this source tree, which the installed build backend makes without any network."""
    folder = tmp_path_factory.mktemp("wheel")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(HERE / name, folder)
    for name in ("workbench", "notebooks"):
        shutil.copytree(HERE / name, folder / name, ignore=IN_SOURCE_ONLY)
    # what an editor or an earlier run leaves behind does not belong into a wheel
    (folder / "notebooks" / ".ipynb_checkpoints").mkdir()
    (folder / "notebooks" / ".ipynb_checkpoints" / "02_latest_state-checkpoint.ipynb").touch()
    (folder / "workbench" / "__pycache__").mkdir()
    (folder / "workbench" / "__pycache__" / "cli.cpython-311.pyc").touch()
    build = ["-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", "dist", "."]
    made = subprocess.run([sys.executable, *build], cwd=folder, capture_output=True, text=True)
    assert made.returncode == 0, made.stdout + made.stderr
    (file,) = (folder / "dist").iterdir()
    return file


@pytest.fixture(scope="module")
def installed(wheel: Path) -> Path:
    """The folder into which the wheel is unpacked, as pip would."""
    site = wheel.parents[1] / "site"
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    return site


def source_files(folder: Path) -> set[str]:
    """Every file of the source below a folder, but what Python and Jupyter leave there."""
    ours = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in ours if not {"__pycache__", ".ipynb_checkpoints"} & set(path.parts)}


def test_a_wheel_holds_the_files_of_the_package_and_its_notebooks_and_nothing_else(installed):
    package = source_files(HERE / "workbench") | {f"notebooks/{name}" for name in source_files(HERE / "notebooks")}
    assert {Path(name).suffix for name in package} >= {".py", ".sql", ".j2", ".css", ".typed", ".ipynb"}
    packed = {
        path.relative_to(installed / "workbench").as_posix()
        for path in installed.rglob("workbench/**/*")
        if path.is_file()
    }
    assert packed == package
    assert [path.name for path in installed.iterdir() if path.suffix != ".dist-info"] == ["workbench"]


def test_a_wheel_is_of_a_free_name_and_of_the_version_the_program_tells(wheel, installed, tmp_path):
    assert wheel.name == f"dynamodb_workbench-{workbench.__version__}-py3-none-any.whl"
    assert run("--version", cwd=tmp_path, PYTHONPATH=str(installed)).stdout.split()[-1] == workbench.__version__
    entry_points = (next(installed.glob("*.dist-info")) / "entry_points.txt").read_text()
    assert "workbench = workbench.__main__:main" in entry_points


def test_a_wheel_generates_asks_and_reports_without_the_clone(installed, tmp_path):
    """In an environment that holds the wheel and what it depends on, far from the source."""
    environment = tmp_path / "environment"
    venv.create(environment)
    (site,) = environment.glob("lib/*/site-packages")
    shutil.copytree(installed, site, dirs_exist_ok=True)
    depends = [sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]  # without their .pth, so without the clone
    (site / "depends.pth").write_text("\n".join(depends))
    (environment / "share" / "jupyter").mkdir(parents=True)
    (environment / "share" / "jupyter" / "nbconvert").symlink_to(Path(sys.prefix) / "share" / "jupyter" / "nbconvert")
    python = environment / "bin" / "python"
    clean = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}

    def ask(*arguments: str) -> str:
        command = [str(python), "-m", "workbench", *arguments]
        run = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, env=clean)
        assert run.returncode == 0, run.stderr
        return run.stdout

    where = [str(python), "-c", "import workbench; print(workbench.__file__)"]
    assert subprocess.check_output(where, cwd=tmp_path, text=True, env=clean).startswith(str(site))
    ask("generate", "persons", "--items", "20", "--changes", "200")
    assert len(json.loads(ask("latest", "persons", "--json"))) > 5
    ask("report", "run", "05_data_quality", "-p", "table=persons", "--out", "pages")
    (path,) = (tmp_path / "pages" / "05_data_quality").glob("*/report.html")
    page = path.read_text(encoding="utf-8")
    assert "<h1" in page
    assert "persons" in page


def test_a_wheel_finds_its_notebooks_and_names_those_there_are(installed, tmp_path):
    told = run("report", "describe", "03_change_frequency", cwd=tmp_path, PYTHONPATH=str(installed))
    assert (told.returncode, told.stderr) == (0, "")
    assert "timezone" in told.stdout
    wrong = run("report", "run", "03_change", cwd=tmp_path, PYTHONPATH=str(installed))
    assert wrong.returncode == 1
    assert "Did you mean '03_change_frequency.ipynb'?" in wrong.stderr
    found = [
        sys.executable,
        "-c",
        "from workbench.reports import shipped; print(len(list(shipped().glob('*.ipynb'))))",
    ]
    told = subprocess.run(
        found, cwd=tmp_path, capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(installed)}
    )
    assert told.stdout.strip() == str(len(list((HERE / "notebooks").glob("*.ipynb"))))


def test_a_notebook_of_ones_own_goes_before_that_of_the_package(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = tmp_path / "notebooks"
    own.mkdir()
    shutil.copy(HERE / "notebooks" / "00_setup_check.ipynb", own / "02_latest_state.ipynb")
    told = CliRunner().invoke(main, ["report", "describe", "02_latest_state"])
    assert "as_of" not in told.output


# streams


@pytest.mark.process
def test_python_m_is_the_program(tmp_path):
    told = run("--help", cwd=tmp_path)
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith("Usage: workbench ")


@pytest.mark.process
def test_the_program_knows_the_signals_before_it_imports_what_takes_seconds():
    show = "import sys, workbench.__main__; print(sorted({'pandas', 'duckdb', 'pyarrow', 'workbench.cli'} & set(sys.modules)))"
    told = subprocess.run([sys.executable, "-c", show], cwd=HERE, capture_output=True, text=True)
    assert (told.stdout, told.stderr) == ("[]\n", "")


@pytest.mark.process
@pytest.mark.parametrize(("number", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_while_code_made_of_text_runs_ends_it_as_any_other(tmp_path, number, code):
    """As of each dataclass while modules are imported: Python would then end itself by SIGINT."""
    (tmp_path / "started.py").write_text(
        "import workbench.cli, workbench.__main__\n"
        f"made = 'import os, signal; os.kill(os.getpid(), signal.{number}); [0 for _ in range(1_000_000)]'\n"
        "workbench.cli.main = lambda **_: exec(made)\n"
        "workbench.__main__.main()\n"
    )
    paths = {"PYTHONPATH": f"{tmp_path}:{HERE}"}
    told = subprocess.run([sys.executable, "-m", "started"], env=os.environ | paths, capture_output=True, text=True)
    assert (told.returncode, told.stderr) == (code, "Stopped.\n")


@pytest.mark.process
def test_to_read_a_notebook_builds_no_grammar_of_addresses():
    """Which takes two seconds where JupyterLab has installed it, and jsonschema imports it."""
    show = (
        "import sys; from workbench.__main__ import main\n"
        "sys.argv = ['workbench', 'report', 'describe', '02_latest_state']\n"
        "try: main()\n"
        "finally: print({'jsonschema', 'lark'} & set(sys.modules))"
    )
    told = subprocess.run([sys.executable, "-c", show], cwd=HERE, capture_output=True, text=True)
    assert told.stdout.splitlines()[-1] == "{'jsonschema'}", told.stderr


@pytest.mark.process
@pytest.mark.parametrize("verb", ["tables", "latest persons", "latest persons --json", "config"])
def test_closed_and_broken_streams_end_without_a_traceback(home, verb):
    for shell, code in ((">&-", 0), ("2>&-", 0), ("<&- >&- 2>&-", 0), ("> /dev/full", 1), ("| true", 0)):
        told = run(*verb.split(), cwd=home, shell=shell)
        assert told.returncode == code, shell
        assert "Traceback" not in told.stderr, shell
        assert len([line for line in told.stderr.splitlines() if "Error" in line]) == (shell == "> /dev/full")


@pytest.mark.parametrize(
    ("verb", "why"),
    [
        ("changes persons --limit -1", "limit=-1 is less than nothing"),
        ("frequency persons --by key --limit -1", "limit=-1 is less than nothing"),
        ("reconcile persons --segments 0", "at least one segment"),
        ("reconcile persons --rate -1", "rate above nothing"),
        ("report run 02_latest_state --timeout -1", "timeout=-1"),
        ("checkpoint persons --keep -1", "keep=-1"),
        ("generate heartrate --items -1", "items=-1"),
        ("generate heartrate --late -1", "late=-1.0 is no share"),
    ],
)
def test_a_number_that_makes_no_sense_is_one_line(home, verb, why):
    told = CliRunner().invoke(main, verb.split())
    assert told.exit_code == 1, told.output
    assert why in told.stderr
    assert len(told.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["sql", "changes", "persons", "-p", "matching=x"], "changes has no parameter 'matching'"),
        (["sql", "changes", "persons", "-p", "table=x"], "changes has no parameter 'table'"),
        (["sql", "latest_state", "persons", "-p", "self=x"], "latest_state has no parameter 'self'"),
        (["sql", "latest_state", "persons", "-p", "as_off=-1d"], "Did you mean 'as_of'?"),
        (["sql", "hot_keys", "persons", "-p", "limit=x"], "limit is 'x': it must be a whole number"),
        (["sql", "latest_state", "persons", "-p", "include_deleted=1"], "it must be true or false"),
        (["changes", "persons", "--prefix"], "give the key too"),
        (["history", "persons", "--prefix"], "give the key too"),
        (["diff", "persons", "-1d", "--prefix"], "give the key too"),
        (["export", "latest", "persons", "x.csv", "--key", "pk=1"], "latest_state is asked of all items"),
        (["export", "frequency", "persons", "x.csv", "--prefix"], "frequency is asked of all items"),
    ],
)
def test_an_argument_that_a_verb_does_not_take_is_said_and_never_a_traceback(home, arguments, why):
    told = CliRunner().invoke(main, arguments)
    assert isinstance(told.exception, SystemExit), told.exception
    assert told.exit_code in (1, 2)
    assert why in told.stderr


def test_parameters_given_as_text_are_what_their_defaults_are(home):
    told = CliRunner().invoke(main, ["sql", "latest_state", "persons", "-p", "include_deleted=true"])
    assert told.output == Workbench().sql("latest_state", "persons", include_deleted=True) + "\n"
    told = CliRunner().invoke(main, ["sql", "hot_keys", "persons", "-p", "limit=5"])
    assert told.output == Workbench().sql("hot_keys", "persons", limit=5) + "\n"


def test_bytes_of_an_argument_that_are_no_text_are_written_beside_the_answer_as_json_spells_them(home):
    given = ["export", "latest", "persons", "a.csv", "-p", "where=pk = 'x'", "--log-account", "\udcff"]
    told = CliRunner().invoke(main, given)
    assert told.exit_code == 0, told.output
    assert "\udcff" in json.loads((home / "a.csv.meta.json").read_text(encoding="utf-8"))["notes"][-1]


# a lake that cannot be written


@pytest.fixture
def read_only(home: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], set[tuple[str, float]]]:
    """Say that nothing can be written, which root is never told; return what there is."""

    def there() -> set[tuple[str, float]]:
        return {(str(path), path.stat().st_mtime_ns) for path in (home / ".workbench").rglob("*")}

    access = os.access
    monkeypatch.setattr(os, "access", lambda path, mode: not mode & os.W_OK and access(path, mode))
    return there


def test_a_lake_that_cannot_be_written_is_asked_and_left_as_it_is(read_only, home):
    before, wb = read_only(), Workbench(checkpoints="off")
    assert len(wb.latest_state("persons").df)
    assert wb.data_quality("persons").verdict
    assert wb.reconcile("persons", lag="0s").agrees
    assert (wb.export_baseline("persons", home / "exports") / "manifest-summary.json").is_file()
    assert wb.check().set_index("check").loc["item store", "status"] == "ok"
    spill = wb._engine._con.sql("select current_setting('temp_directory')").fetchall()[0][0]
    assert not Path(spill).is_relative_to(home)
    assert read_only() == before
    with ItemStore(wb.settings.item_store) as store, pytest.raises(StoreError, match="readonly"):
        store.put_item("persons", {"pk": "x"})


def test_a_store_with_changes_in_its_log_of_writes_is_read_whole(read_only, home):
    keeper = ItemStore.__new__(ItemStore)  # one that has it open, and has not written everything into the file
    store = Workbench().settings.item_store
    import sqlite3

    keeper.connection = sqlite3.connect(store, isolation_level=None)
    keeper.connection.execute("pragma wal_autocheckpoint = 0")
    keeper.connection.execute("update tables set note = 'later' where name = 'persons'")
    with ItemStore(store) as found:
        assert found.read_only
        assert found.note("persons") == "later"
    keeper.connection.close()


def test_a_home_that_can_only_be_read_is_a_warning_and_one_that_cannot_be_made_is_not_ready(tmp_path, monkeypatch):
    def refused(**_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(machine.tempfile, "TemporaryFile", refused)
    assert machine._home(tmp_path).status == "warning"
    assert machine._home(tmp_path / "none").status == "failed"


def test_checkpoints_that_cannot_be_made_name_the_setting(tmp_path, monkeypatch):
    write_log(tmp_path / "log", chain({"pk": {"S": "x"}}, [(NOON, {"pk": {"S": "x"}})]), "raw")
    make = Path.mkdir

    def refused(path: Path, *given: Any, **more: Any) -> None:
        if path.is_relative_to(tmp_path / "kept"):
            raise PermissionError(13, "Permission denied", str(path))
        make(path, *given, **more)

    monkeypatch.setattr(Path, "mkdir", refused)
    with pytest.raises(ConfigError, match="Permission denied; set checkpoints to a folder that can be written"):
        Workbench(tmp_path / "log", checkpoints=str(tmp_path / "kept")).checkpoint("things")


# the environment of AWS


@pytest.mark.parametrize(
    ("setting", "environment", "region"),
    [
        ("eu-west-1", {"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-1"),
        (None, {"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-2"),
        (None, {"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-3"}, "eu-west-3"),
        (None, {}, "eu-west-4"),
    ],
)
def test_the_region_is_the_settings_then_aws_region_then_what_boto3_knows(
    monkeypatch, tmp_path, setting, environment, region
):
    (tmp_path / "config").write_text("[default]\nregion = eu-west-4\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "config"))
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert open_session(load_settings(region=setting)).region_name == region


def test_sessions_are_made_where_the_region_is_told_and_by_a_lambda_function_which_has_both_names():
    made = {
        str(path): re.findall(r"boto3\.(?:client|resource|Session)\(|[^\w.]Session\((?=[^b])", path.read_text())
        for folder in ("workbench", "infra_cdk")
        for path in Path(folder).rglob("*.py")
    }
    assert {path for path, found in made.items() if found} == {
        "workbench/aws/session.py",
        "workbench/sandbox/dynamodb_writer.py",
    }


@pytest.mark.parametrize("how", ["setting", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_ATHENA"])
def test_an_endpoint_without_a_scheme_is_one_line(monkeypatch, how):
    given = {"endpoint": "localhost:4566"} if how == "setting" else {}
    if not given:
        monkeypatch.setenv(how, "localhost:4566")
    with pytest.raises(
        ConfigError,
        match=r"^(endpoint|AWS_ENDPOINT_URL\w*) 'localhost:4566' is no URL: write it like http://localhost:4566$",
    ):
        open_session(load_settings(region="eu-west-1", **given))


# remedies


SOURCES = [*(HERE / "workbench").rglob("*.py"), HERE / "README.md", *(HERE / "notebooks").glob("*.ipynb")]
TOLD = sorted(
    {
        match.groups()
        for path in SOURCES
        for match in re.finditer(
            r"workbench((?: --[\w-]+)*) ([a-z]+)((?: --[\w-]+)*)", path.read_text(encoding="utf-8")
        )
        if match[2] in main.commands or match[1]
    }
)


@pytest.mark.parametrize(("before", "verb", "after"), TOLD)
def test_a_command_that_a_message_names_is_one(before, verb, after):
    def options(command: click.Command) -> set[str]:
        return {name for each in command.params for name in each.opts} | {"--help", "-h"}

    assert set(before.split()) <= options(main)
    assert set(after.split()) <= options(main.commands[verb])


@pytest.mark.parametrize("part", ["_log", "_store", "_home", "_disk", "_kernel", "_aws"])
def test_the_remedy_of_a_check_that_breaks_is_a_command_or_a_setting(tmp_path, monkeypatch, part):
    def broken(*_: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(machine, part, broken)
    found = machine.run_checks(load_settings(home=tmp_path, engine="athena" if part == "_aws" else "duckdb"))
    (remedy,) = found[found["detail"] == "RuntimeError: broken"]["remedy"]
    if remedy.startswith("workbench "):
        context = main.make_context("workbench", remedy.split()[1:])
        name, command, rest = main.resolve_command(context, context._protected_args)
        assert command.make_context(name, rest, parent=context)


def test_a_timeout_below_a_second_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="timeout=0"):
        run_report(HERE / "notebooks" / "00_setup_check.ipynb", {}, tmp_path, timeout=0)
