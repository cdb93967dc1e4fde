"""The page over all runs of reports."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from jinja2 import Environment

from workbench.reports.page import style, template
from workbench.reports.record import RunRecord
from workbench.text import plain


def render(records: Sequence[RunRecord], problems: Sequence[str] = ()) -> str:
    """Return a page that links runs, the newest first, with a line on each.

    Parameters
    ----------
    problems
        A line on each ``run.json`` that cannot be read.

    Examples
    --------
    >>> "0 runs" in render([])
    True
    """
    runs = [(record, f"{quote(record.name)}/{quote(record.run)}", _picture(record)) for record in reversed(records)]
    page = Environment(autoescape=True).from_string(template("index"))
    failed = sum(not record.status.complete for record in records)
    return plain(page.render(css=style(), runs=runs, problems=problems, failed=failed), keep="\n\t\xa0")


def _picture(record: RunRecord) -> str | None:
    """Return the address of a run's first picture."""
    pictures = (file.path for file in record.files if file.path.startswith("figures/") and file.path.endswith(".png"))
    first = next(pictures, None)
    return first and f"{quote(record.name)}/{quote(record.run)}/{quote(first)}"
