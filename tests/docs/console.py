"""What README and the pages of docs/ show, run: console blocks with what they print, and Python.

``python -m tests.docs.console docs/cookbook.md`` runs a page's commands over the tables that `LAKE` makes, and where they
print something else than the page shows (``?`` under a new command), writes it there, times and ages left out.
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from click.testing import CliRunner

from workbench.cli import main
from workbench.questions.result import Result

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
README = ROOT / "README.md"
LAKE = DOCS / "start.md"
"""The page whose commands make the tables that all other pages ask."""
ANY = "…"
"""Stands for anything within a line of output, and on a line of its own for any lines."""
_SHELL = {"cat", "ls", "mkdir", "cp"}
_DISAGREE = {"quality", "data_quality", "reconcile"}
_CHANGING = (  # from one run to the next, the size of a Parquet file too
    (r"\bin [\d.]+ kB, for", f"in {ANY} kB, for"),
    (r"from the (checkpoint|export) of [\d: -]+ UTC", rf"from the \1 of {ANY} UTC"),
    (r"\bin [\d.,]+ s\b", f"in {ANY} s"),
    (r" · newest change .*? · newest object of [\d: -]+ UTC", f" · newest change {ANY}"),
    (r"(checkpoint=|AWSDynamoDB/)\S+", rf"\1{ANY}"),
)


@dataclass(frozen=True)
class Command:
    """A command that a page shows, and what it says that is printed."""

    page: Path
    line: int
    text: str
    output: str

    def __str__(self) -> str:
        return f"{self.page.name}:{self.line}"


@dataclass(frozen=True)
class Printed:
    """What a command has printed."""

    output: str
    exit_code: int


def pages() -> list[Path]:
    """Return README and all pages of docs/."""
    return [README, *sorted(DOCS.rglob("*.md"))]


def make_lake() -> None:
    """Make the tables that pages ask, in the working folder."""
    for command in commands(LAKE):
        if command.text.startswith("workbench generate"):
            run(command.text)


def blocks(page: Path, language: str) -> list[tuple[int, str]]:
    """Return the fenced blocks in a language, with the number of their first line."""
    text = page.read_text(encoding="utf-8")
    fences = re.finditer(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    return [(text.count("\n", 0, fence.start(1)) + 1, fence[1]) for fence in fences]


def commands(page: Path) -> list[Command]:
    """Return the commands of a page's console blocks."""
    return [
        Command(page, first + line, text, output)
        for first, block in blocks(page, "console")
        for line, text, output in _split(block)
    ]


def _split(block: str) -> Iterator[tuple[int, str, str]]:
    """Yield each command of a block, on which line it stands, and the lines below it."""
    lines = block.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    for start, following in zip(starts, [*starts[1:], len(lines)], strict=True):
        end = start + 1
        while end < following and lines[end - 1].endswith("\\"):
            end += 1
        text = " ".join(line.rstrip("\\").strip() for line in lines[start:end])
        yield start, text.removeprefix("$ "), "\n".join(lines[end:following]).rstrip()


def run(command: str) -> Printed:
    """Run a command here: the program in this process, a few others in a shell."""
    program, *arguments = shlex.split(command, comments=True)
    if program == "workbench":
        result = CliRunner().invoke(main, arguments, prog_name="workbench")
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Printed(result.output, result.exit_code)
    assert program in _SHELL, f"{command}: a command that does not run here stands in a block of sh, not of console"
    done = subprocess.run(command, shell=True, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return Printed(done.stdout, done.returncode)


def may_end_with(command: Command) -> int:
    """Return the exit code that what is shown tells of, besides 0."""
    if re.search(r"^Error: ", command.output, re.MULTILINE):
        return 1
    if re.search(r" writes made, .*\d left", command.output):
        return 4
    return 3 if set(command.text.split()) & _DISAGREE else 0


def agrees(shown: str, printed: str) -> bool:
    """Return whether an output is what is shown, which may leave out parts of it."""
    lines = [re.escape(line.rstrip()).replace(ANY, ".*") for line in shown.splitlines()]
    pattern = "".join("(?:.*\n)*?" if line == ".*" else f"{line}\n" for line in lines)
    text = "".join(f"{line.rstrip()}\n" for line in printed.rstrip().splitlines())
    return re.fullmatch(pattern, text) is not None


def run_python(block: str, scope: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Run Python that is shown, and yield each expression with its value, a result as its frame."""
    for part in ast.parse(block).body:
        text = ast.get_source_segment(block, part) or ""
        if isinstance(part, ast.Expr):
            value = eval(text, scope)
            yield text, getattr(value, "df", value)
        else:
            exec(text, scope)


def is_something(value: Any) -> bool:
    """Return whether an answer holds anything."""
    return len(value) > 0 if isinstance(value, pd.DataFrame | pd.Series | str | Result) else bool(value)


def _fill(page: Path) -> None:
    """Write what the commands of a page print into it, where that is not what it shows."""

    def filled(fence: re.Match[str]) -> str:
        parts = []
        for start, command, output in _split(fence[1]):
            printed = run(command).output
            if output and not agrees(output, printed):
                output = "\n".join(line.rstrip() for line in printed.rstrip().splitlines())
                for changing, shown in _CHANGING:
                    output = re.sub(changing, shown, output)
            lines = fence[1].splitlines()[start:]
            count = next(number for number, line in enumerate(lines, 1) if not line.endswith("\\"))
            parts += [*lines[:count], *([output] if output else [])]
        return "```console\n" + "\n".join(parts) + "\n```"

    text = page.read_text(encoding="utf-8")
    page.write_text(re.sub(r"^```console\n(.*?)^```", filled, text, flags=re.DOTALL | re.MULTILINE), encoding="utf-8")


def at_home(folder: Path) -> None:
    """Make a folder the one in which pages are read: the working folder, and the user's."""
    os.chdir(folder)
    os.environ["HOME"] = str(folder)


if __name__ == "__main__":
    chosen = [Path(each).resolve() for each in sys.argv[1:]]
    with tempfile.TemporaryDirectory() as home:
        lake = Path(home) / "lake"
        lake.mkdir()
        at_home(lake)
        if LAKE in chosen:
            _fill(LAKE)
        else:
            make_lake()
        for page in chosen:
            if page != LAKE:
                at_home(Path(shutil.copytree(lake, Path(home) / page.stem)))
                _fill(page)
