"""Settings: a keyword wins over the environment, that over workbench.toml, that over the default."""

from __future__ import annotations

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
    assert (settings.lake, settings.store) == (Path(".workbench/lake"), Path(".workbench/store.sqlite"))


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
    assert refused().startswith("workbench.toml cannot be read: ")


def test_settings_do_not_change():
    settings = load_settings()
    with pytest.raises(ValidationError, match="frozen"):
        settings.threads = 5


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
        ["athena", "keyword"], ["lake", "WORKBENCH_DATABASE"], ["1GB", "workbench.toml"], ["primary", "default"]]  # fmt: skip
    assert found.loc["mask_salt", "value"] == "(hidden)"
    assert found["purpose"].map(bool).all(), "each says what it is for"


@pytest.mark.parametrize("name", ["late_arrival", "query_timeout", "result_reuse"])
def test_a_length_of_time_that_is_none_is_refused(name):
    assert "write it like 15min" in refused(**{name: "soon"})
