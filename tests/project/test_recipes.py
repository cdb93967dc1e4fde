"""The recipes of docs/architecture.md, followed to the letter in a copy of the tree, and the files they touch counted."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.console import agrees, commands
from tests.project.recipes import Recipe, read_recipes

HERE = Path(__file__).parents[2]
PAGE = HERE / "docs" / "architecture.md"
RECIPES = {recipe.title: recipe for recipe in read_recipes(PAGE.read_text(encoding="utf-8"))}
SHOWN = {command.text: command.output for command in commands(PAGE)}
MOST = {"Add a question": 1, "Add a layout": 0, "Add an engine": 2, "Add a notebook": 1, "Add a chart": 2}
"""How many files a recipe touches; a question with a method and a frame of its own touches two more."""
SOURCES = ("workbench", "notebooks")


def contents(tree: Path) -> dict[str, bytes]:
    """Every file of the sources by its name."""
    files = (path for source in SOURCES for path in (tree / source).rglob("*") if path.is_file())
    return {str(path.relative_to(tree)): path.read_bytes() for path in files if "__pycache__" not in path.parts}


def run(*command: str, tree: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(tree), "HOME": str(cwd), "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, env=environment)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small table in its lake."""
    folder = tmp_path_factory.mktemp("home")
    made = run(
        sys.executable,
        "-m",
        "workbench",
        "generate",
        "persons",
        "--items",
        "40",
        "--changes",
        "400",
        tree=HERE,
        cwd=folder,
    )
    assert made.returncode == 0, made.stderr
    return folder


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what a recipe may touch."""
    for source in SOURCES:
        shutil.copytree(HERE / source, tmp_path / "tree" / source, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(HERE / "pyproject.toml", tmp_path / "tree")
    return tmp_path / "tree"


def test_there_is_a_recipe_for_each_thing_that_is_added():
    assert RECIPES.keys() == MOST.keys()
    assert all(recipe.commands or recipe.programs for title, recipe in RECIPES.items() if title != "Add a layout")


@pytest.mark.parametrize("title", [title for title, most in MOST.items() if most])
def test_a_recipe_works_and_touches_no_more_files_than_it_may(title, tree, home):
    recipe = RECIPES[title]
    before = contents(tree)
    recipe.write(tree)
    lint(recipe, tree)
    after = contents(tree)
    touched = {name for name in after.keys() | before.keys() if after.get(name) != before.get(name)}
    assert touched == recipe.touched
    assert len(touched) <= MOST[title]
    for command in recipe.commands:
        program, *arguments = shlex.split(command)
        assert program == "workbench"
        done = run(sys.executable, "-m", "workbench", *arguments, tree=tree, cwd=home)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        assert done.stdout.strip() or done.stderr.strip()
        assert agrees(SHOWN[command], done.stdout + done.stderr), f"{command} prints\n{done.stdout}{done.stderr}"
    for program in recipe.programs:
        done = run(sys.executable, "-W", "error", "-c", program, tree=tree, cwd=home)
        assert done.returncode == 0, f"{program}\n{done.stderr}"


def lint(recipe: Recipe, tree: Path) -> None:
    """Hold what was written to the rules of the house: only names are put in order, which a hook does too."""
    written = [name for name in recipe.touched if name.endswith(".py")]
    if not written:
        return
    for command in (("check", "--fix", "--select", "I,RUF022", "--quiet"), ("check",), ("format", "--check")):
        done = run(sys.executable, "-m", "ruff", *command, "--no-cache", *written, tree=tree, cwd=tree)
        assert done.returncode == 0, done.stdout + done.stderr
    done = run(str(Path(sys.executable).parent / "lint-imports"), "--no-cache", tree=tree, cwd=tree)
    assert done.returncode == 0, done.stdout + done.stderr
