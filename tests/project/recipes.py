"""Reads the recipes of docs/architecture.md, which a test follows to the letter."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import nbformat

IMPORTS = r"^from workbench\.[^\n]*\n"
_LABEL = re.compile(r"`(?P<path>[\w./-]+)`(?P<more>, [^`:]*(?:`[^`]*`)?[^:]*)?:$")
_BLOCK = re.compile(r"(?P<before>[^\n]*)\n\n```(?P<language>\w+)\n(?P<text>.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass
class Recipe:
    """What a section ``### Add a …`` tells to write, and what to run then.

    A fence below a line that ends in "`workbench/charts/active.py`:" is that file. With ", among its imports" it is put
    among those of a file, with ", in `NAME`" in what is assigned to NAME. With ", a cell" it is a cell of a notebook, with
    ", its parameters" the cell of its parameters. Fences of `console` and others of `python` are run.
    """

    title: str
    files: dict[str, str] = field(default_factory=dict)
    inserted: list[tuple[str, str, str]] = field(default_factory=list)
    cells: dict[str, list[tuple[str, str]]] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    programs: list[str] = field(default_factory=list)

    @property
    def touched(self) -> set[str]:
        """The files that are made or changed."""
        return {*self.files, *(name for name, _, _ in self.inserted), *self.cells}

    def write(self, tree: Path) -> None:
        """Do in a tree what the recipe tells to write."""
        for name, text in self.files.items():
            assert not (tree / name).exists(), f"{name} is there already"
            (tree / name).write_text(text, encoding="utf-8")
        for name, where, text in self.inserted:
            before = (tree / name).read_text(encoding="utf-8")
            place = IMPORTS if where == "among its imports" else rf"^{where}\b[^\n]*[\[({{]\n(?:.*\n)*?(?=[\])}}])"
            after, count = re.subn(place, lambda found, text=text: found[0] + text, before, count=1, flags=re.MULTILINE)
            assert count == 1, f"{name} has no place {where}"
            (tree / name).write_text(after, encoding="utf-8")
        for name, cells in self.cells.items():
            assert not (tree / name).exists(), f"{name} is there already"
            notebook = nbformat.v4.new_notebook()
            for role, text in cells:
                cell = nbformat.v4.new_code_cell(text)
                cell.metadata["tags"] = ["parameters"] if role == "its parameters" else []
                notebook.cells.append(cell)
            nbformat.write(notebook, tree / name)


def read_recipes(text: str) -> list[Recipe]:
    """Read the sections of a page that begin with ``### Add``."""
    recipes = []
    for section in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        title, _, body = section.partition("\n")
        if not title.startswith("Add "):
            continue
        recipe = Recipe(title)
        for block in _BLOCK.finditer(re.split(r"^## ", body, flags=re.MULTILINE)[0]):
            content, label = block["text"], _LABEL.search(block["before"])
            role = (label["more"] or "").removeprefix(", ") if label else ""
            if label and role == "among its imports":
                recipe.inserted.append((label["path"], role, content))
            elif label and role.startswith("in `"):
                recipe.inserted.append((label["path"], role[4:-1], content))
            elif label and role in ("its parameters", "a cell"):
                recipe.cells.setdefault(label["path"], []).append((role, content.rstrip("\n")))
            elif label:
                recipe.files[label["path"]] = content
            elif block["language"] == "console":
                recipe.commands += [line[2:] for line in content.splitlines() if line.startswith("$ ")]
            elif block["language"] == "python":
                recipe.programs.append(content)
        recipes.append(recipe)
    return recipes
