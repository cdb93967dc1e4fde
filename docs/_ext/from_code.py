"""Directives that write a page from the code it tells of, so that the two cannot drift apart."""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from workbench.config import Settings


class SettingsTable(SphinxDirective):
    """``{settings} name …``: a table of these settings with their variables, defaults and purposes."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Write a table in the page's own markup, Markdown."""
        names = " ".join(self.content).split()
        rows = ["| setting | variable | default | what it says |", "|---|---|---|---|"]
        for name in names:
            field = Settings.model_fields[name]
            purpose = " ".join((field.description or "").split()).replace("``", "`").replace("|", r"\|")
            rows.append(f"| `{name}` | `WORKBENCH_{name.upper()}` | {_written(field.default)} | {purpose} |")
        told: set[str] = self.env.metadata.setdefault("settings", {}).setdefault("told", set())  # type: ignore[assignment]
        told.update(names)
        return self.parse_text_to_nodes("\n".join(rows), allow_section_headings=False)


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
        lines = StringList(text.splitlines(), source=self.arguments[0])
        return self.parse_content_to_nodes_of(lines)

    def parse_content_to_nodes_of(self, lines: StringList) -> list[nodes.Node]:
        """Parse lines in the language of the block that this stands in."""
        held = nodes.Element()
        self.state.nested_parse(lines, self.content_offset, held)
        return held.children


def _named(path: str) -> Any:
    """Return what a dotted name says, such as workbench.Workbench.diff."""
    module, _, rest = path.partition(".")
    value: Any = importlib.import_module(module)
    for name in rest.split("."):
        value = getattr(value, name)
    return value


def _written(default: Any) -> str:
    if default in (None, "", (), {}):
        return ""
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _check_settings(app: Sphinx, env: Any) -> None:
    """Refuse a page of settings that leaves one out."""


def setup(app: Sphinx) -> dict[str, Any]:
    """Register the directives."""
    app.add_directive("settings", SettingsTable)
    app.add_directive("answers", Answers)
    return {"version": "1", "parallel_read_safe": True}
