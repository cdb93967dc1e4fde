"""The hooks of a commit: the tools of .venv at their pins, on the tree as it is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
import yaml

HERE = Path(__file__).parents[2]
CONFIG = HERE / ".pre-commit-config.yaml"
REPOSITORIES = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))["repos"]
HOOKS = {hook["id"]: hook["entry"].split() for repository in REPOSITORIES for hook in repository["hooks"]}
IN_VENV = ".venv/bin/"
DISTRIBUTIONS = {"lint-imports": "import-linter"}
"""Where a program is not called as what it is installed from."""


def git(*arguments: str, cwd: Path) -> str:
    return subprocess.run(["git", *arguments], cwd=cwd, check=True, capture_output=True, text=True).stdout


def run_hooks(tree: Path) -> subprocess.CompletedProcess[str]:
    """Run all hooks but mypy, which `make lint` runs over the same files."""
    command = [sys.executable, "-m", "pre_commit", "run", "--all-files"]
    environment = os.environ | {"SKIP": "mypy", "PRE_COMMIT_HOME": str(tree.parent / "store")}
    return subprocess.run(command, cwd=tree, capture_output=True, text=True, env=environment)


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the files that git knows or would add, whose hooks run the tools beside this Python."""
    if shutil.which("git") is None or not (HERE / ".git").exists():
        pytest.skip("this is no clone: hooks are git's")
    copy = tmp_path_factory.mktemp("hooks") / "tree"
    for name in git("ls-files", "--cached", "--others", "--exclude-standard", cwd=HERE).splitlines():
        if (HERE / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(HERE / name, copy / name)
    config = CONFIG.read_text(encoding="utf-8").replace(IN_VENV, f"{Path(sys.executable).parent}/")
    (copy / CONFIG.name).write_text(config, encoding="utf-8")
    git("init", "--quiet", cwd=copy)
    git("add", "--all", cwd=copy)
    return copy


def test_every_hook_is_a_tool_of_the_environment_and_none_is_fetched():
    assert [repository["repo"] for repository in REPOSITORIES] == ["local"]
    assert set(HOOKS) == {"ruff", "ruff-format", "import-linter", "mypy", "nbstripout"}
    for repository in REPOSITORIES:
        for hook in repository["hooks"]:
            assert hook["language"] == "system"
            assert hook["entry"].startswith(IN_VENV)
            assert "additional_dependencies" not in hook


@pytest.mark.parametrize("tool", sorted({"pre-commit", *(entry[0].removeprefix(IN_VENV) for entry in HOOKS.values())}))
def test_the_tools_have_the_versions_that_are_pinned(tool):
    name = DISTRIBUTIONS.get(tool, tool)
    pinned = re.findall(rf"^{name}==(\S+)", (HERE / "constraints.txt").read_text(), re.MULTILINE)
    assert pinned == [metadata.version(name)]


def test_lint_checks_what_the_hooks_do():
    recipe = re.search(r"^lint:.*\n((?:\t.*\n)+)", (HERE / "Makefile").read_text(), re.MULTILINE)
    assert recipe
    for command in ("ruff check", "ruff format --check", "lint-imports", "mypy"):
        assert f"$(BIN)/{command}" in recipe[1]


def test_the_tree_passes_every_hook(tree):
    checked = run_hooks(tree)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert len(re.findall(r"Passed$", checked.stdout, re.MULTILINE)) == len(HOOKS) - 1


def test_a_commit_with_a_lint_a_badly_laid_out_line_an_import_upwards_or_an_output_is_stopped(tree):
    odd = tree / "workbench" / "model" / "odd.py"
    above = "from workbench.sql import templates\n"
    odd.write_text(f'"""A module."""\n\nimport os\n\n{above}\nx = {{  "a":templates }}\n', encoding="utf-8")
    notebook = tree / "notebooks" / "00_setup_check.ipynb"
    before = notebook.read_text(encoding="utf-8")
    notebook.write_text(before.replace('"execution_count": null', '"execution_count": 7', 1), encoding="utf-8")
    git("add", "--all", cwd=tree)
    stopped = run_hooks(tree)
    assert stopped.returncode == 1
    assert set(re.findall(r"hook id: (\S+)", stopped.stdout)) == {"ruff", "ruff-format", "import-linter", "nbstripout"}
    assert notebook.read_text(encoding="utf-8") == before
    assert odd.read_text(encoding="utf-8") == f'"""A module."""\n\n{above}\nx = {{"a": templates}}\n'
