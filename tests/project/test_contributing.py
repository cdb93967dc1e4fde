"""What CONTRIBUTING and the architecture page name is there."""

from __future__ import annotations

import re
import tomllib
from itertools import pairwise
from pathlib import Path

import pytest

from tests.project.recipes import read_recipes

HERE = Path(__file__).parents[2]
PAGES = ["CONTRIBUTING.md", "docs/architecture.md"]
TARGETS = set(re.findall(r"^([a-z-]+):", (HERE / "Makefile").read_text(), re.MULTILINE))


@pytest.mark.parametrize("page", PAGES)
def test_make_targets_that_are_named_are_there(page):
    text = (HERE / page).read_text(encoding="utf-8")
    named = {
        target for line in re.findall(r"(?:^\$ |`)make ((?:[a-z-]+ ?)+)", text, re.MULTILINE) for target in line.split()
    }
    assert named <= TARGETS
    assert page != "CONTRIBUTING.md" or {"lint", "test-fast", "test", "hooks", "docs", "wheel"} <= named


@pytest.mark.parametrize("page", PAGES)
def test_files_and_links_that_are_named_are_there(page):
    text = (HERE / page).read_text(encoding="utf-8")
    linked = [link for link in re.findall(r"\]\(([^)#]+)", text) if "://" not in link]
    assert linked or page != "CONTRIBUTING.md"
    assert [link for link in linked if not ((HERE / page).parent / link).exists()] == []
    quoted = re.findall(r"(?<!/bin/)`([\w.]+/[\w./-]*|[\w-]+\.(?:md|toml|txt|yml|py))`", text)
    run = re.findall(r"pytest\s+(tests/\S+\.py)", text)
    rooms = ["", "workbench/"]  # a room is called by its name alone
    missing = {name for name in [*quoted, *run] if not any((HERE / room / name).exists() for room in rooms)}
    made = {name for recipe in read_recipes(text) for name in recipe.touched}
    assert {name for name in missing - made if not name.startswith(".venv/")} == set()


def test_the_picture_shows_every_room_each_above_those_it_may_import():
    text = (HERE / "docs" / "architecture.md").read_text(encoding="utf-8")
    picture = text.split("```text\n")[1].split("```")[0]
    package = HERE / "workbench"
    rooms = {
        path.stem for path in package.iterdir() if path.name[:1] != "_" and (path.suffix == ".py" or path.is_dir())
    }
    shown = set(re.findall(r"[\w-]+", picture))
    assert rooms - {"version"} <= shown
    contracts = tomllib.loads((HERE / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    layers = [re.findall(r"workbench\.(\w+)", layer) for layer in contracts[0]["layers"]]
    lines = picture.splitlines()
    heights = [
        [next(number for number, line in enumerate(lines) if re.search(rf"\b{room}\b", line)) for room in layer]
        for layer in layers
        if "__main__" not in layer
    ]
    assert all(max(above) <= min(below) for above, below in pairwise(heights))
