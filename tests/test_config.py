"""Settings: a keyword wins over the environment, that over workbench.toml, that over the default."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from workbench.config import explain, load_settings
from workbench.errors import ConfigError


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """A folder without settings, and an environment without any."""
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.upper().startswith("WORKBENCH_")]:
        monkeypatch.delenv(name)
    return tmp_path


def toml(text: str) -> None:
    Path("workbench.toml").write_text(text, encoding="utf-8")


def refused(**given) -> str:
    with pytest.raises(ConfigError) as error:
        load_settings(**given)
    assert "\n" not in str(error.value), "one line"
    return str(error.value)


def test_without_anything_the_defaults_hold():
    settings = load_settings()
    assert (settings.engine, settings.home, settings.source, settings.keys) == ("duckdb", Path(".workbench"), None, ())
    assert (settings.lake, settings.item_store) == (Path(".workbench/lake"), Path(".workbench/store.sqlite"))


def test_each_source_wins_over_the_next(monkeypatch):
    toml('memory_limit = "1GB"')
    assert load_settings().memory_limit == "1GB"
    monkeypatch.setenv("WORKBENCH_MEMORY_LIMIT", "2GB")
    assert load_settings().memory_limit == "2GB"
    assert load_settings(memory_limit="3GB").memory_limit == "3GB"


def test_a_keyword_that_is_none_was_not_given(monkeypatch):
    monkeypatch.setenv("WORKBENCH_THREADS", "3")
    assert load_settings(threads=None).threads == 3


def test_settings_of_several_sources_come_together(monkeypatch):
    toml('keys = ["pk", "sk"]\nnumbers = "decimal"')
    monkeypatch.setenv("WORKBENCH_HOME", "elsewhere")
    settings = load_settings(threads=2)
    assert (settings.keys, settings.numbers, settings.lake, settings.threads) == (
        ("pk", "sk"),
        "decimal",
        Path("elsewhere/lake"),
        2,
    )


def test_the_environment_can_name_keys(monkeypatch):
    monkeypatch.setenv("WORKBENCH_KEYS", '["pk","sk"]')
    assert load_settings().keys == ("pk", "sk")


def test_a_wrong_list_in_the_environment_is_blamed_on_the_environment(monkeypatch):
    monkeypatch.setenv("WORKBENCH_KEYS", "pk,sk")
    message = refused()
    assert 'WORKBENCH_KEYS is not JSON, such as ["pk"]' in message
    assert "toml" not in message


def test_an_unknown_keyword_is_refused_with_what_was_perhaps_meant():
    assert refused(sorce="x") == "there is no setting 'sorce'. Did you mean 'source'?"
    assert refused(something_else=1) == "there is no setting 'something_else'."


def test_an_unknown_setting_in_the_file_is_refused_too():
    toml('memory_limits = "1GB"')
    assert refused() == "there is no setting 'memory_limits'. Did you mean 'memory_limit'?"


def test_a_wrong_value_is_named_with_its_setting_and_where_it_can_be_set(monkeypatch):
    message = refused(numbers="exact")
    assert "setting 'numbers' is 'exact'" in message
    assert "WORKBENCH_NUMBERS or workbench.toml" in message
    monkeypatch.setenv("WORKBENCH_THREADS", "many")
    assert "setting 'threads' is 'many'" in refused()


def test_a_file_that_is_no_toml_is_named():
    toml("keys = [")
    assert "workbench.toml cannot be read: " in refused()


def test_settings_do_not_change():
    settings = load_settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.threads = 5


@pytest.mark.process
def test_nothing_is_read_at_import_but_at_the_first_use(elsewhere):
    toml("this is no toml")
    script = (
        "import workbench, workbench.cli, workbench.config\nprint('imported')\n"
        "try: workbench.Workbench()\nexcept workbench.WorkbenchError as error: print(type(error).__name__)"
    )
    root = str(Path(__file__).resolve().parents[1])
    ran = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=True,
        cwd=elsewhere,
        env=os.environ | {"PYTHONPATH": root, "WORKBENCH_THREADS": "many"},
    )
    assert ran.stdout.split() == ["imported", "ConfigError"]
    assert sorted(path.name for path in elsewhere.iterdir()) == ["workbench.toml"]


def test_every_setting_is_explained_with_its_value_and_where_that_is_from(monkeypatch):
    toml('memory_limit = "1GB"\nmask_salt = "secret"')
    monkeypatch.setenv("WORKBENCH_DATABASE", "lake")
    found = explain(engine="athena", workgroup=None).set_index("setting")
    assert found.loc[["engine", "database", "memory_limit", "workgroup"], ["value", "source"]].to_numpy().tolist() == [
        ["athena", "keyword"],
        ["lake", "WORKBENCH_DATABASE"],
        ["1GB", str(Path.cwd() / "workbench.toml")],
        ["primary", "default"],
    ]
    assert found.loc["mask_salt", "value"] == "(hidden)"
    assert found["purpose"].map(bool).all(), "each says what it is for"


@pytest.mark.parametrize("name", ["late_arrival", "query_timeout", "result_reuse"])
def test_a_length_of_time_that_is_none_is_refused(name):
    assert "write it like 15min" in refused(**{name: "soon"})


# --- the file is found wherever the program is started from


def project(folder: Path, text: str, bom: bool = False) -> Path:
    (folder / "notebooks" / "deep").mkdir(parents=True)
    (folder / "workbench.toml").write_text(text, encoding="utf-8-sig" if bom else "utf-8")
    return folder


def test_the_nearest_file_upwards_holds(elsewhere, monkeypatch):
    project(elsewhere, 'mask = ["email"]\nthreads = 2')
    monkeypatch.chdir("notebooks/deep")
    assert (load_settings().mask, load_settings().threads) == (("email",), 2)
    assert load_settings().file == elsewhere / "workbench.toml"
    toml("threads = 3")
    assert (load_settings().mask, load_settings().threads) == ((), 3), "the nearest alone, as it stands"


def test_what_is_relative_in_a_file_is_relative_to_it(elsewhere, monkeypatch):
    project(elsewhere, 'source = "logs"\nbaseline = "s3://bucket/exports"\ncheckpoints = "off"')
    monkeypatch.chdir("notebooks")
    settings = load_settings()
    assert settings.source == str(elsewhere / "logs")
    assert (settings.baseline, settings.checkpoints) == ("s3://bucket/exports", "off")
    assert settings.home == elsewhere / ".workbench", "the lake is beside the file"
    assert load_settings(source="logs", home="lake").source == "logs"
    monkeypatch.setenv("WORKBENCH_HOME", "from-here")
    assert load_settings().home == Path("from-here")


def test_a_file_may_be_named_and_must_be_there_then(elsewhere, monkeypatch):
    project(elsewhere / "a", "threads = 2")
    toml("threads = 3")
    monkeypatch.setenv("WORKBENCH_CONFIG", "a/workbench.toml")
    assert (load_settings().threads, load_settings().home) == (2, elsewhere / "a" / ".workbench")
    monkeypatch.setenv("WORKBENCH_CONFIG", "b/workbench.toml")
    assert str(elsewhere / "b" / "workbench.toml") in refused()
    monkeypatch.setenv("WORKBENCH_CONFIG", "")
    assert load_settings().threads == 3


@pytest.mark.parametrize("told", ["__vsc_ipynb_file__", "JPY_SESSION_NAME"])
def test_a_notebooks_folder_is_looked_in_where_the_kernel_runs_elsewhere(elsewhere, monkeypatch, told):
    from types import SimpleNamespace

    notebook = str(project(elsewhere / "project", 'mask = ["email"]') / "notebooks" / "x.ipynb")
    names = {told: notebook} if told.startswith("_") else {}
    shell = SimpleNamespace(get_ipython=lambda: SimpleNamespace(user_ns=names))
    monkeypatch.setitem(sys.modules, "IPython", shell)
    assert load_settings().mask == (("email",) if names else ())
    monkeypatch.setenv("JPY_SESSION_NAME", notebook)
    assert load_settings().mask == ("email",)
    toml("threads = 2")
    assert load_settings().mask == (), "the working folder's goes before"


def test_a_byte_order_mark_is_no_error(elsewhere):
    project(elsewhere, "threads = 2", bom=True)
    assert load_settings().threads == 2


def test_an_empty_variable_is_unset_and_an_unknown_one_refused(monkeypatch):
    monkeypatch.setenv("WORKBENCH_THREADS", "")
    monkeypatch.setenv("WORKBENCH_MAKS", "")
    assert load_settings().threads is None
    assert explain().set_index("setting").loc["threads", "source"] == "default"
    monkeypatch.setenv("WORKBENCH_MAKS", '["email"]')
    assert refused() == "there is no setting for the variable WORKBENCH_MAKS: unset it. Did you mean 'WORKBENCH_MASK'?"


def test_a_mask_that_is_no_path_is_refused():
    assert "setting 'mask' is" in refused(mask=('a."b',))


def test_config_shows_what_was_read(elsewhere, monkeypatch):
    from click.testing import CliRunner

    from workbench.cli import main

    project(elsewhere / "a", 'mask = ["email"]')
    shown = CliRunner().invoke(main, ["--config", "a/workbench.toml", "config"]).output
    assert "email" in shown
    assert str(elsewhere / "a" / "workbench.toml") in shown.replace("\n", "")
    assert not os.environ.get("WORKBENCH_CONFIG"), "as it was"
    assert "no workbench.toml" in CliRunner().invoke(main, ["config"]).output


SHOWS = "from workbench.config import load_settings; s = load_settings(); print(s.mask, s.threads, s.database)"


@pytest.mark.process
@pytest.mark.parametrize("start", [".", "notebooks", "beside"])
def test_a_report_holds_the_settings_of_who_starts_it_and_says_so(elsewhere, monkeypatch, start):
    """From the project, from a folder below, and from beside it, where the notebook's own folder tells."""
    from click.testing import CliRunner
    from nbformat.v4 import new_code_cell, new_notebook, writes

    from workbench.cli import main

    root = project(elsewhere / "project", 'mask = ["email"]\nmask_with = "redact"')
    (root / "notebooks" / "nb.ipynb").write_text(writes(new_notebook(cells=[new_code_cell(SHOWS)])))
    (root / "beside").mkdir()
    monkeypatch.chdir(elsewhere if start == "beside" else root / start)
    monkeypatch.setenv("WORKBENCH_THREADS", "2")
    ran = CliRunner().invoke(
        main, ["--database", "of-the-option", "report", "run", str(root / "notebooks" / "nb.ipynb")]
    )
    assert ran.exit_code == 0, ran.output
    (found,) = Path("reports/nb").glob("*/report.html")
    page = found.read_text(encoding="utf-8")
    assert "('email',) 2 of-the-option" in page.replace("&#39;", "'")
    assert f"{root / 'workbench.toml'} · mask_with: redact" in page
    record = json.loads(found.with_name("run.json").read_text(encoding="utf-8"))
    assert record["masks"] == ["email"]
    assert not [name for name in os.environ if name.startswith("WORKBENCH_") and name != "WORKBENCH_THREADS"]
