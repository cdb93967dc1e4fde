"""A browser on pages: a chromium that is on the machine, without a network, in which what goes wrong is noted."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDE, PHONE = 1280, 390
_LOCAL = ("file:", "data:", "blob:", "about:", "http://127.0.0.1", "ws://127.0.0.1")
_CUT = """() => {
  const scrolls = node => {
    for (let above = node; above && above !== document.body; above = above.parentElement) {
      const {overflowX, position, clip} = getComputedStyle(above)
      if (overflowX === 'auto' || overflowX === 'scroll' || (position === 'absolute' && clip !== 'auto')) return true
    }
    return false
  }
  const width = document.documentElement.clientWidth, cut = []
  if (document.documentElement.scrollWidth > width) cut.push(`the page: ${document.documentElement.scrollWidth} px`)
  for (const node of document.body.querySelectorAll('*')) {
    const box = node.getBoundingClientRect()
    if (box.width && node.checkVisibility() && (box.right > width + 1 || box.left < -1) && !scrolls(node))
      cut.push(`${node.tagName}.${node.className}: ${Math.round(box.left)} to ${Math.round(box.right)} px`)
  }
  return cut
}"""


@dataclass
class Visit:
    """A page that is open, and what went wrong on it."""

    page: Page
    problems: list[str] = field(default_factory=list)
    """Errors on the console, among them what the page's policy forbids; exceptions; what it asked the network for."""

    def cut(self) -> list[str]:
        """Name what is wider than the window, but for what can be scrolled to in a box of its own."""
        found: list[str] = self.page.evaluate(_CUT)
        return found

    def violations(self) -> list[str]:
        """Name what axe finds: which rule, and where."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]]


def chromium() -> str:
    """Return the browser that is on this machine; skip the test where there is none."""
    pytest.importorskip("playwright", reason="playwright, of the extra dev, drives the browser")
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    return found


@contextmanager
def started() -> Iterator[Browser]:
    """Start the browser. While it runs, this thread has a running event loop: run no notebook here then."""
    path = chromium()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visiting(
    browser: Browser, address: str | Path, *, width: int = WIDE, dark: bool = False, script: bool = True
) -> Iterator[Visit]:
    """Open a page, a file or one that this machine serves; nothing else is to be had.

    Parameters
    ----------
    width
        Of the window, in pixels: `WIDE` or `PHONE`.
    dark
        Whether the reader's system is dark.
    script
        Whether scripts run.
    """
    context = browser.new_context(
        viewport={"width": width, "height": 844},
        color_scheme="dark" if dark else "light",
        java_script_enabled=script,
        reduced_motion="reduce",
    )
    try:
        page = context.new_page()
        visit = Visit(page)
        page.on("console", lambda said: visit.problems.append(said.text) if said.type == "error" else None)
        page.on("pageerror", lambda error: visit.problems.append(str(error)))
        page.on(
            "request",
            lambda asked: None if asked.url.startswith(_LOCAL) else visit.problems.append(f"asked for {asked.url}"),
        )
        page.route(lambda url: not url.startswith(_LOCAL), lambda route: route.abort())
        page.goto(address.resolve().as_uri() if isinstance(address, Path) else address)
        yield visit
    finally:
        context.close()


def printed(page: Page, pdf: Path) -> str:
    """Print a page on A4 and return the text of it, laid out as it is on paper."""
    page.emulate_media(media="print", color_scheme="light")
    page.pdf(path=pdf, format="A4", prefer_css_page_size=True, print_background=False)
    if not shutil.which("pdftotext"):
        pytest.skip("no pdftotext on this machine: apt-get install poppler-utils")
    done = subprocess.run(["pdftotext", "-layout", str(pdf), "-"], capture_output=True, text=True, check=True)
    return done.stdout
