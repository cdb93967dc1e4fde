"""Directives that write a page from the code it tells of, so that the two cannot drift apart."""

from __future__ import annotations

import importlib
import inspect
import re
from datetime import datetime
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from workbench.config import Settings
from workbench.model.times import END_OF_TIME, START_OF_TIME
from workbench.reports.suite import Defaults, Entry
from workbench.sql.query.expressions import called
from workbench.sql.query.functions import AGGREGATES, NAMED, SCALARS, WINDOW_FUNCTIONS
from workbench.sql.questions import Parameter, Question, load_question, questions


class SettingsList(SphinxDirective):
    """``{settings}`` with names below it: what each of these settings is for, its default and its variable."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Write a list of definitions in the page's own markup, Markdown."""
        entries = []
        for name in " ".join(self.content).split():
            field = Settings.model_fields[name]
            purpose = " ".join((field.description or "").split()).replace("``", "`")
            default = "" if field.default in (None, "", (), {}) else f", default `{_written(field.default)}`"
            entries.append(f"`{name}`\n: {purpose}\n  (`WORKBENCH_{name.upper()}`{default})\n")
        return self.parse_text_to_nodes("\n".join(entries), allow_section_headings=False)


class SuiteKeys(SphinxDirective):
    """``{suite}``: what each key of a report in ``reports.toml`` is for."""

    def run(self) -> list[nodes.Node]:
        """Write a list of definitions in the page's own markup, Markdown."""
        keys = {"notebook": Entry.model_fields["notebook"], **Defaults.model_fields}
        entries = [
            f"`{name}`\n: {' '.join((field.description or '').split()).replace('``', '`')}\n"
            for name, field in keys.items()
        ]
        return self.parse_text_to_nodes("\n".join(entries), allow_section_headings=False)


class Answers(SphinxDirective):
    """``.. answers:: workbench.Workbench.diff``: what a function's docstring says that it returns."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Write the section ``Returns`` of a docstring, which is reStructuredText."""
        described = inspect.getdoc(_named(self.arguments[0])) or ""
        section = re.search(r"^Returns\n-+\n(\S.*)\n((?:(?:    .*)?\n?)*)", described, re.MULTILINE)
        if not section:
            raise self.error(f"{self.arguments[0]} does not say what it returns")
        text = inspect.cleandoc(section[2])
        held = nodes.Element()
        self.state.nested_parse(StringList(text.splitlines(), source=self.arguments[0]), self.content_offset, held)
        return held.children


class QuestionHeads(SphinxDirective):
    """``{questions}``: what the head of each question's `.sql` file declares."""

    def run(self) -> list[nodes.Node]:
        """Write a section for each question."""
        return [self._section(load_question(name)) for name in questions()]

    def _section(self, question: Question) -> nodes.section:
        lines = [question.title, "", f"Rows: {question.rows}", ""]
        for kind, each in (("parameter", question.parameters.values()), ("column", question.columns)):
            lines += [f"| {kind} | type | |", "|---|---|---|"] if each else []
            for row in each:
                default = f" (default `{_default(row.default)}`)" if isinstance(row, Parameter) else ""
                lines.append(f"| `{row.name}` | {row.type} | {row.meaning}{default} |")
            lines.append("")
        section = nodes.section(ids=[question.name], names=[question.name])
        section += nodes.title("", question.name)
        section += self.parse_text_to_nodes("\n".join(lines))
        return section


class FunctionsList(SphinxDirective):
    """``{functions}``: what a query may call."""

    def run(self) -> list[nodes.Node]:
        """Write a paragraph for each kind of function."""
        kinds = {"Of values": SCALARS, "Of groups": AGGREGATES, "Of windows, with OVER": WINDOW_FUNCTIONS}
        lines = [
            f"{kind}: {', '.join(sorted({f'`{called(each)}`' for each in held}))}.\n" for kind, held in kinds.items()
        ]
        own = "\n".join(f"| `{name}` | {meaning} |" for name, meaning in NAMED.items())
        text = "\n".join([*lines, f"| Of the workbench, and of arrays | tells |\n|---|---|\n{own}"])
        return self.parse_text_to_nodes(text, allow_section_headings=False)


def _default(value: object) -> str:
    times = {START_OF_TIME: "beginning", END_OF_TIME: "end"}
    return times[value] if isinstance(value, datetime) and value in times else _written(value)


def _named(path: str) -> Any:
    """Return what a dotted name says, such as workbench.Workbench.diff."""
    module, _, rest = path.partition(".")
    value: Any = importlib.import_module(module)
    for name in rest.split("."):
        value = getattr(value, name)
    return value


def _written(default: Any) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)


_MADE = {"workbench.Workbench", "workbench.aws.Athena"}


def _without_signature(app: Sphinx, what: str, name: str, *rest: Any) -> tuple[str, str] | None:
    """Leave out how classes are made that only the package makes."""
    return ("", "") if what == "class" and name not in _MADE else None


def _untyped(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Keep napoleon from taking the beginning of a sentence with a colon for a type."""
    if what in ("attribute", "property") and lines:
        lines[0] = f": {lines[0]}"


def _headed(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Head an example that follows a section, of which napoleon would take it for a part."""
    first = next((number for number, line in enumerate(lines) if line.startswith(">>>")), None)
    if first and any(line.startswith("---") for line in lines[:first]) and "Examples" not in lines[:first]:
        lines[first:first] = ["Examples", "--------"]


def _pictured(app: Sphinx, what: str, name: str, value: Any, options: Any, lines: list[str]) -> None:
    """Show what a chart draws, where ``make pictures`` has drawn it."""
    chart = name.removeprefix("workbench.charts.")
    if (Path(app.srcdir) / "charts" / f"{chart}.png").is_file():
        lines[1:1] = ["", f".. image:: /charts/{chart}.png", f"   :alt: What {chart} draws", ""]


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives, and what autodoc is told."""
    app.add_directive("settings", SettingsList)
    app.add_directive("suite", SuiteKeys)
    app.add_directive("answers", Answers)
    app.add_directive("questions", QuestionHeads)
    app.add_directive("functions", FunctionsList)
    app.connect("autodoc-process-signature", _without_signature)
    app.connect("autodoc-process-docstring", _headed, priority=400)
    app.connect("autodoc-process-docstring", _pictured, priority=400)
    app.connect("autodoc-process-docstring", _untyped, priority=400)  # before napoleon
    return {"version": "1", "parallel_read_safe": True}
