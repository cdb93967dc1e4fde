"""HTML that an answer shows itself as in a notebook and in a report."""

from __future__ import annotations

from html import escape
from pathlib import Path

from workbench.text import plain

_HERE = Path(__file__).with_name("templates")


def small_print(text: str) -> str:
    """Return a line of text as a paragraph in small letters, everything escaped.

    >>> small_print("3 rows < 4")
    '<p><small>3 rows &lt; 4</small></p>'
    """
    return f"<p><small>{escape(plain(text))}</small></p>"


def fragment(name: str, **values: object) -> str:
    """Fill the template ``NAME.html.j2``, everything escaped; what comes needs nothing outside itself."""
    from jinja2 import Environment  # heavy, and the terminal does without

    text = (_HERE / f"{name}.html.j2").read_text(encoding="utf-8")
    template = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text)
    page = template.render(css=(_HERE / "fragments.css").read_text(encoding="utf-8"), **values)
    return plain(page, keep="\n")
