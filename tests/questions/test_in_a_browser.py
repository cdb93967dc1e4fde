"""What answers show of themselves, in JupyterLab light and dark, and the page of a plan: readable, and nothing is cut."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.helpers.browser import PHONE, WIDE, visiting
from workbench import Workbench

LAB = """<!doctype html><html lang="en"><head><title>lab</title></head>
<body data-jp-theme-light="{light}" style="background: {paper}; color: {ink}; font: 13px sans-serif">
<main><h1>Notebook</h1><h2>What happened?</h2>{shown}</main></body></html>"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """The page of a plan, and a notebook's outputs as JupyterLab shows them in its two themes."""
    folder = tmp_path_factory.mktemp("shown")
    wb = Workbench(home=folder / ".workbench")
    wb.generate("persons", items=12, changes=60, seed=7, start="2025-11-17", end="2025-11-21", progress=False)
    undone = wb.undo("persons", start="2025-11-20")
    undone.to_html(folder / "plan.html")
    answers = (wb.item_history("persons"), wb.data_quality("persons"), undone)
    shown = "".join(f"<div>{answer._repr_html_()}</div>" for answer in answers)
    for name, light, paper, ink in (("light", "true", "#fff", "#222"), ("dark", "false", "#111", "#eee")):
        text = LAB.format(light=light, paper=paper, ink=ink, shown=shown)
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return folder


@pytest.mark.parametrize(("width", "dark"), [(WIDE, True), (PHONE, False)])
@pytest.mark.parametrize("name", ["light", "dark", "plan"])
def test_nothing_is_wrong_cut_or_barred(folder, browser, name, width, dark):
    with visiting(browser, folder / f"{name}.html", width=width, dark=dark) as visit:
        assert not visit.problems
        assert not visit.cut()
        assert not visit.violations()
