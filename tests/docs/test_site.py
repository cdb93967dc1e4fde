"""The site is built without a warning, loads nothing from elsewhere, and tells of every setting, verb and question."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx", reason="pip install -e '.[docs]'")

from tests.docs.console import DOCS, ROOT
from workbench import Workbench
from workbench.cli import main
from workbench.config import Settings
from workbench.reports.suite import Entry

LOADING = re.compile(
    r"<(?:script|img|iframe|source|video|audio|embed)\b[^>]*?\b(?:src|srcset)=[\"']((?:https?:)?//[^\"']+)"
    r"|<link\b(?![^>]*\brel=[\"'](?:canonical|next|prev|search))[^>]*?\bhref=[\"']((?:https?:)?//[^\"']+)"
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built once, with warnings as errors."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "sphinx",
            "-W",
            "--keep-going",
            "-q",
            "-b",
            "html",
            "-d",
            folder / "doctrees",
            DOCS,
            folder / "html",
        ],
        capture_output=True,
        text=True,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


def test_it_loads_nothing_from_elsewhere(site):
    for page in site.rglob("*.html"):
        assert not LOADING.findall(page.read_text(encoding="utf-8")), page
    for style in site.rglob("*.css"):
        assert not re.search(r"@import|url\([\"']?(?:https?:)?//", style.read_text(encoding="utf-8")), style


def test_every_page_is_reached_from_the_first(site):
    first = (site / "index.html").read_text(encoding="utf-8")
    pages = {page.relative_to(DOCS).with_suffix(".html") for page in DOCS.rglob("*.md")} - {Path("index.html")}
    assert [str(page) for page in pages if f'href="{page}' not in first] == []


def test_every_setting_is_explained_with_its_variable(site):
    text = (site / "settings.html").read_text(encoding="utf-8")
    assert [name for name in Settings.model_fields if f"WORKBENCH_{name.upper()}<" not in text] == []


def test_every_key_of_a_suite_is_explained(site):
    text = (site / "reports.html").read_text(encoding="utf-8")
    assert [name for name in Entry.model_fields if f'<span class="pre">{name}</span></code></dt>' not in text] == []


def test_every_verb_is_in_the_table_of_commands():
    text = (DOCS / "commands.md").read_text(encoding="utf-8")
    assert [name for name, verb in main.commands.items() if f"`workbench {name}" not in text and not verb.hidden] == []


def test_every_method_that_answers_is_explained(site):
    text = (site / "api" / "workbench.html").read_text(encoding="utf-8")
    public = [name for name, _ in inspect.getmembers(Workbench) if not name.startswith("_")]
    assert [name for name in public if f'id="workbench.Workbench.{name}"' not in text] == []
