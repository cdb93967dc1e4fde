"""HTML of reports: one file each, readable offline, on a phone and in print."""

from __future__ import annotations

import base64
import hashlib
import html
import platform
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any

from bs4 import BeautifulSoup
from markupsafe import Markup
from nbformat import NotebookNode

from workbench.errors import ParameterError
from workbench.model.times import zone_of
from workbench.reports.capture import CHART, TABLE
from workbench.reports.headline import label
from workbench.reports.offline import offline
from workbench.reports.parameters import as_text
from workbench.reports.record import RunRecord, Status, Value, Window
from workbench.reports.runs import INDEX, NOTEBOOK
from workbench.reports.tables import Column, ShownTable
from workbench.text import count, plain, size, words
from workbench.version import __version__

HERE = Path(__file__).with_name("templates")
WIDGET = "application/vnd.jupyter.widget-view+json"
LIBRARIES = ("duckdb", "pandas", "matplotlib", "papermill")
_SHOWN = ("text/html", "text/markdown", "image/svg+xml", "image/png", "image/jpeg", "text/latex", "text/plain")
_PROGRAMS = {"plotly": "a Plotly figure", "vega": "a Vega figure", "bokeh": "a Bokeh figure", "javascript": "a script"}
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")
_TEXT = 1_000
"""Characters of the text shown instead."""
_PRINTED_ROWS = 50
_PRINTED_CHARACTERS = 105
"""Of a row, as many as a page of paper is wide."""
_PRINTED_TEXT = 200_000
"""Characters of what a cell printed: half of them its beginning, half its end."""
_FOLDED, _BEGINNING = 160, 100
"""Characters from which on a text is folded, and how many of them are then seen."""
_NO_NAME = '<span class="no-name">row</span>'
_PINNED = 24
"""Characters of a first column that stays where the others are scrolled."""


@dataclass(frozen=True)
class Meaning:
    """What the status of a run says to a reader."""

    says: str = ""
    advice: str = ""


MEANINGS: Mapping[Status, Meaning] = {
    Status.COMPLETE: Meaning(),
    Status.EMPTY: Meaning(
        "No change is in the window that was asked.",
        "Ask for another window. If there should be changes, see whether the log still grows: workbench quality TABLE.",
    ),
    Status.FAILED: Meaning(
        "A cell failed; nothing after it ran.",
        "Mend what the error says, then run it again; the executed notebook has the cell.",
    ),
    Status.REFUSED: Meaning(
        "A query was not made, since it would have scanned more than max_scan_bytes; nothing after it ran.",
        "Ask for a shorter window, or set max_scan_bytes higher.",
    ),
    Status.TIMED_OUT: Meaning(
        "A cell did not end in time; nothing after it ran.",
        "Give cells longer with --timeout, or ask for a shorter window.",
    ),
    Status.DIED: Meaning(
        "The notebook's Python process was killed, or ended by itself; nothing after that ran.",
        "It may have lacked memory: ask for a shorter window, or run it where there is more.",
    ),
    Status.STOPPED: Meaning(
        "The run was ended from outside before its notebook was done.",
        "Run it again.",
    ),
    Status.NOT_KEPT: Meaning(
        "Every cell ran, but there was no room on the disk for what they showed.",
        "Make room where reports are kept, then run it again.",
    ),
}


def render(
    notebook: NotebookNode,
    record: RunRecord,
    folder: Path,
    *,
    tables: Mapping[str, ShownTable] = MappingProxyType({}),
    folders: Sequence[Path] = (),
) -> str:
    """Return an executed notebook as a page without code that needs nothing outside itself.

    Of scripts it runs one of its own alone, which sorts, searches and pages tables; the page's policy names it by its
    hash. It leads, by links, to the files of its run.

    Parameters
    ----------
    notebook
        As it was executed.
    record
        What is known of the run.
    folder
        That of the run, with the figures that its kernel kept; see `workbench.reports.capture`.
    tables
        Those that it kept, by their files.
    folders
        Where the pictures are that the notebook's texts name.
    """
    from jinja2 import Environment

    contents = _Contents(folder, tables, folders)
    sections = [parts for cell in _cells(notebook) if (parts := contents.of_cell(cell))]
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    script = (HERE / "report.js").read_text(encoding="utf-8") if contents.sortable else ""
    page = environment.from_string(template("report")).render(
        record=record,
        meaning=MEANINGS[record.status],
        facts=list(_facts(record)),
        parameters=[(name, _given(value), name in record.given) for name, value in record.parameters.items()],
        sections=sections,
        headings=contents.headings,
        label=label,
        css=style(),
        script=script,
        script_policy=f" script-src 'sha256-{_digest(script)}';" if script else "",
        versions=record.versions or versions(),
        index=f"../../{INDEX}",
        executed=NOTEBOOK,
        traceback=contents.traceback,
    )
    return plain(page, keep="\n\t\xa0")


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _cells(notebook: NotebookNode) -> Iterator[NotebookNode]:
    """Yield the cells up to the one that failed: no headings without answers."""
    for cell in notebook.cells:
        yield cell
        if any(output.output_type == "error" for output in cell.get("outputs", [])):
            return


# --- the head


def _facts(record: RunRecord) -> Iterator[tuple[str, str, str]]:
    """Yield what a reader must know of a run: its name, what is known, and what else there is to say of it."""
    many = "s" if len(record.tables) != 1 else ""
    if record.tables:
        yield f"Table{many}", ", ".join(record.tables), ""
    yield "Source", record.source or "not known", " · ".join(filter(None, (record.engine, _account(record))))
    if record.window:
        yield "Window", ends(record.window), record.window.asked
    elif record.tables:
        yield "Window", _window(record.parameters), ""
    yield "Run", f"{minutes(record.started)} UTC", f"took {record.seconds:.1f} s"
    for name, time in (("Newest change", record.newest_change), ("Newest arrival", record.newest_arrival)):
        yield name, f"{minutes(time)} UTC" if time else "not known", _age(time, record.started) if time else ""
    if record.known_at:
        repeated = f"--known-at {as_text(record.known_at)} repeats it, whatever arrived since"
        yield "Known at", f"{minutes(record.known_at)} UTC", repeated
    yield "Masked", ", ".join(record.masks) or "nothing", ""
    if record.queries:
        yield "Cost", f"${record.cost:,.4f}", f"{count(record.queries, 'query')} scanned {size(record.scanned)}"
    if record.settings:
        yield "Settings", record.settings, ""


def _window(parameters: Mapping[str, Value]) -> str:
    """Say of which time a report tells that was asked for no window.

    >>> _window({"start": "-7d", "end": None}), _window({"as_of": None}), _window({})
    ('-7d to the last change', 'now', 'the whole log')
    """
    if "as_of" in parameters:
        return _given(parameters["as_of"] or "now")
    start, end = (parameters.get(name) for name in ("start", "end"))
    if start is None and end is None:
        return "the whole log"
    return f"{_given(start or 'the first change')} to {_given(end or 'the last change')}"


def _given(value: Value) -> str:
    """Write the value of a parameter.

    >>> _given(None), _given(True), _given(["a", "b"]), _given(0.5)
    ('none', 'true', 'a, b', '0.5')
    """
    if isinstance(value, list):
        return ", ".join(map(_given, value))
    return "none" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def _account(record: RunRecord) -> str:
    return f"account {record.account}" if record.account else ""


def minutes(time: datetime, zone: tzinfo = UTC) -> str:
    """Write an instant as pages do, without seconds where there are none.

    Where clocks are put back, its distance from UTC tells which of two it is.

    >>> minutes(datetime(2026, 11, 1, 12, 30, tzinfo=UTC))
    '2026-11-01 12:30'
    >>> minutes(datetime(2026, 10, 25, 1, tzinfo=UTC), zone_of("Europe/Berlin"))
    '2026-10-25 02:00+01:00'
    """
    local = time.astimezone(zone)
    twice = local.replace(fold=0).utcoffset() != local.replace(fold=1).utcoffset()
    distance = local.isoformat(timespec="seconds")[19:] if twice else ""
    return f"{local:%Y-%m-%d %H:%M:%S}".removesuffix(":00") + distance


def ends(window: Window) -> str:
    """Write the ends of a window in its time zone; in UTC where that zone is not known here.

    >>> ends(Window(asked="yesterday", start="2026-11-18T23:00Z", end="2026-11-19T23:00Z", timezone="Europe/Berlin"))
    '2026-11-19 00:00 to 2026-11-20 00:00 Europe/Berlin'
    """
    try:
        zone: tzinfo = zone_of(window.timezone)
        start, end = minutes(window.start, zone), minutes(window.end, zone)
    except (ParameterError, OverflowError):
        return f"{minutes(window.start)} to {minutes(window.end)} UTC"
    return f"{start} to {end} {window.timezone}"


def _age(time: datetime, run: datetime) -> str:
    """Write how old something was.

    >>> _age(datetime(2026, 11, 1, 5), datetime(2026, 11, 1, 6, 0, 0, 400_000))
    '1 h before the run'
    """
    age = timedelta(seconds=round((run - time).total_seconds()))
    return f"{words(age)} before the run" if age >= timedelta() else f"{words(-age)} after the run began"


# --- the cells


@dataclass
class _Contents:
    """What is shown of a notebook's cells; what came from data or a notebook is made harmless where it comes in."""

    folder: Path
    tables: Mapping[str, ShownTable]
    folders: Sequence[Path]
    headings: list[tuple[str, str]] = field(default_factory=list)
    """Where each is, and its text."""
    sortable: bool = False
    traceback: bool = False
    _titled: bool = False

    def of_cell(self, cell: NotebookNode) -> list[dict[str, Any]]:
        """Return the parts of a cell, each with its kind and what the template needs for it."""
        if cell.cell_type == "markdown":
            text = self._markdown(cell.source)
            return [{"kind": "text", "html": text}] if text else []
        return [part for output in cell.get("outputs", []) for part in self._read(output)]

    def _read(self, output: NotebookNode) -> list[dict[str, Any]]:
        """Return the parts of an output; of one that cannot be read, whatever a notebook made of it, that it cannot."""
        try:
            return list(self._of_output(output))
        except Exception as error:  # whose text may hold data
            return [{"kind": "note", "says": f"An output is not here, but in the notebook: {type(error).__name__}"}]

    def _of_output(self, output: NotebookNode) -> Iterator[dict[str, Any]]:
        if output.output_type == "error":
            self.traceback = len(output.traceback) > 1
            yield {"kind": "error", "name": output.ename, "says": _ESCAPES.sub("", output.evalue)}
        elif output.output_type == "stream":
            if output.name == "stdout":
                yield {"kind": "printed", "html": _ansi(output.text)}
        elif WIDGET not in output.data:  # a progress bar: without a kernel nothing but its text would be left
            yield from self._of_data(output.data, output.get("metadata", {}))

    def _of_data(self, data: Mapping[str, Any], about: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
        chart, table = data.get(CHART), data.get(TABLE)
        if chart and (drawn := self._chart(chart, about, data)):
            yield drawn
            return
        if table and (kept := self._table(table, data)):
            yield kept
            return
        data = _what_shows(data)
        if "text/html" in data:
            yield {"kind": "html", "html": self._harmless(data["text/html"])}
        elif "text/markdown" in data:
            yield {"kind": "html", "html": self._markdown(data["text/markdown"], own=False)}
        elif kind := next((kind for kind in _SHOWN if kind.startswith("image/") and kind in data), None):
            text = "".join(data[kind])
            encoded = base64.b64encode(text.encode()).decode() if kind == "image/svg+xml" else re.sub(r"\s", "", text)
            yield {"kind": "picture", "source": f"data:{kind};base64,{encoded}", **about.get(kind, {})}
        elif "text/latex" in data or "text/plain" in data:
            yield {"kind": "printed", "html": _ansi(data.get("text/latex") or data["text/plain"])}
        for kept_as in (chart, table):
            if kept_as and "failed" in kept_as:
                yield {"kind": "note", "says": f"Its files could not be written: {kept_as['failed']}"}

    def _harmless(self, text: str) -> Markup:
        return Markup(offline(text, self.folders))

    def _markdown(self, text: str, *, own: bool = True) -> Markup:
        """Return markdown as HTML; of the notebook's own, headings are noted, and its title is the page's already."""
        from nbconvert.filters.markdown_mistune import markdown2html_mistune

        soup = BeautifulSoup(self._harmless(markdown2html_mistune(text)), "html.parser")
        for link in soup.find_all("a", class_="anchor-link"):
            link.decompose()
        for heading in soup.find_all("h1" if own else []):
            if self._titled:
                heading.name = "h2"
            else:
                heading.decompose()
            self._titled = True
        for heading in soup.find_all("h2" if own else []):
            heading["id"] = place = f"part-{len(self.headings) + 1}"
            self.headings.append((place, heading.get_text()))
        return Markup(str(soup).strip())

    def _chart(self, chart: Mapping[str, Any], about: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
        """Return a chart whose files were kept, one of ours for a page and for a phone; {} where none were."""
        name = chart.get("file")
        wide, narrow, picture = (
            self._source(f"{name}{ending}") if name else "" for ending in (".svg", "-narrow.svg", ".png")
        )
        files = [("PNG", f"{name}.png"), ("SVG", f"{name}.svg")]
        if wide and narrow:
            alt = about.get("image/png", {}).get("alt") or data.get("text/plain", "chart")
            return {"kind": "chart", "wide": wide, "narrow": narrow, "alt": alt, "files": files}
        return {"kind": "picture", "source": picture, "files": files, **chart} if picture else {}

    def _source(self, name: str) -> str:
        """Return a picture of the run as an address that holds it; '' where its folder has none of that name."""
        place = (self.folder / name).resolve()
        if not (place.is_relative_to(self.folder.resolve()) and place.is_file()):
            return ""
        kind = "svg+xml" if name.endswith(".svg") else "png"
        return f"data:image/{kind};base64,{base64.b64encode(place.read_bytes()).decode()}"

    def _table(self, table: Mapping[str, Any], data: Mapping[str, Any]) -> dict[str, Any]:
        """Return a table of an output whose files were kept; {} where they were not."""
        name = str(table.get("file", ""))
        shown = self.tables.get(name)
        if shown is None:
            return {}
        about = {
            "total": shown.total,
            "says": table.get("says", ""),
            "files": [("Parquet", f"{name}.parquet"), ("CSV", f"{name}.csv")],
        }
        if table.get("own") and "text/html" in data:
            return about | {"kind": "answer", "html": self._harmless(data["text/html"])}
        self.sortable = True
        printed = _printed(shown.columns)
        styled = self._styled(data["text/html"], shown) if table.get("styled") and "text/html" in data else None
        return about | {
            "kind": "table",
            "id": f"table-{name.rpartition('/')[2]}",
            "shown": len(shown.rows),
            "columns": shown.columns,
            "printed": printed,
            "left_out": [column.name or "the row's name" for column in shown.columns[printed:]],
            "pinned": bool(shown.columns) and shown.columns[0].width <= _PINNED,
            "printed_rows": _PRINTED_ROWS,
            "html": styled or Markup(_rows(shown)),
        }

    def _styled(self, text: str, shown: ShownTable) -> Markup | None:
        """Return a table with the style that the notebook gave it, and how each column is sorted.

        None where its values act as HTML, as those of a style do that does not escape them: they are to be read.
        """
        soup = BeautifulSoup(self._harmless(text), "html.parser")
        texts = [column.name for column in shown.columns] + [text or "" for row in shown.rows for text in row]
        said = plain(soup.get_text(), keep="\n\t")
        if len(soup.find_all("table")) != 1 or any(text not in said for text in texts if "<" in text or "&" in text):
            return None
        if not any(column.heads for column in shown.columns):  # the index only numbers rows
            for number in soup.select("th.row_heading, th.blank"):
                number.decompose()
        rows = [row.find_all("th") for row in soup.select("thead tr")]
        as_many = len(soup.select("tbody tr")) == len(shown.rows)  # or it has rows of its own, such as sums
        for heads in rows if as_many and len(rows) == 1 and len(rows[0]) == len(shown.columns) else []:
            for head, column in zip(heads, shown.columns, strict=True):
                head["scope"] = "col"
                if len(column.order) > 1:
                    head["data-order"], head["data-absent"] = " ".join(map(str, column.order)), str(column.absent)
        for head in soup.select("th"):
            if not head.get_text(strip=True):
                head.string = ""
                head.append(BeautifulSoup(_NO_NAME, "html.parser"))
        return Markup(str(soup))


def _sortable(column: Column) -> str:
    if len(column.order) < 2:
        return ""
    return f' data-order="{" ".join(map(str, column.order))}" data-absent="{column.absent}"'


def _rows(table: ShownTable) -> str:
    """Return a table's head and rows as HTML, every text escaped."""
    head = "".join(
        f'<th scope="col"{_sortable(column)}>{html.escape(column.name) or _NO_NAME}</th>' for column in table.columns
    )
    tags = ['th scope="row"' if column.heads else "td" for column in table.columns]
    ends = ["th" if column.heads else "td" for column in table.columns]
    body = "\n".join(
        "<tr>"
        + "".join(
            f"<{tag}>{_cell(text) if text else ''}</{end}>" for tag, text, end in zip(tags, row, ends, strict=True)
        )
        + "</tr>"
        for row in table.rows
    )
    return f"<table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"


def _cell(text: str) -> str:
    """Return the text of a cell as HTML; of a very long one the beginning, and the rest once it is opened.

    >>> _cell("a < b")
    'a &lt; b'
    >>> _cell("x" * 500).count("x"), "<details>" in _cell("x" * 500)
    (500, True)
    """
    if len(text) <= _FOLDED:
        return html.escape(text, quote=False)
    begin, rest = (html.escape(each, quote=False) for each in (text[:_BEGINNING], text[_BEGINNING:]))
    return f"<details><summary>{begin}</summary>{rest}</details>"


def _printed(columns: Sequence[Column]) -> int:
    """Return how many of a table's columns there is room for on paper.

    >>> narrow = Column("n", "number", [], 0, width=8)
    >>> _printed([narrow] * 3), _printed([narrow] * 30)
    (3, 10)
    """
    used = 0
    for at, column in enumerate(columns):
        used += column.width + 2
        if used > _PRINTED_CHARACTERS and at:
            return at
    return len(columns)


def _ansi(text: str) -> Markup:
    """Return what was printed as HTML, in its colours; of very much the beginning and the end.

    >>> len(_ansi("x" * 1_000_000)) < 210_000
    True
    """
    from nbconvert.filters.ansi import ansi2html

    if (left_out := len(text) - _PRINTED_TEXT) > 0:
        half = _PRINTED_TEXT // 2
        text = f"{text[:half]}\n… {left_out:,} characters, which are in the notebook …\n{text[-half:]}"
    return Markup(ansi2html(text))  # type: ignore[no-untyped-call]


def _what_shows(data: Mapping[str, Any]) -> dict[str, str]:
    """Leave of an output what a page can show, and say what it cannot: a figure that is drawn by a program."""
    scripted = "text/html" in data and not _shows(data["text/html"])
    ours = {CHART, TABLE}
    left_out = [kind for kind in data if kind not in (*_SHOWN, *ours)] + ["text/html"] * scripted
    shown = {kind: str(data[kind]) for kind in _SHOWN if kind in data and not (scripted and kind == "text/html")}
    if left_out and not shown.keys() - {"text/plain"}:
        about = " ".join([*left_out, str(data.get("text/html", ""))]).lower()
        what = next((words for word, words in _PROGRAMS.items() if word in about), "an output")
        text = shown.get("text/plain", "")
        text = "" if re.fullmatch(r"<.*>|\s*", text, re.DOTALL) else f"\n{text[:_TEXT]}{'…' * (len(text) > _TEXT)}"
        return {
            "text/plain": f"[{what} is not in this file, since a program draws it: display a picture of it too]{text}"
        }
    return shown


def _shows(text: str) -> bool:
    soup = BeautifulSoup(offline(text), "html.parser")
    for style in soup.find_all("style"):
        style.decompose()
    return bool(soup.get_text(strip=True) or soup.find("img"))


def versions() -> str:
    """Return what the report was made with."""
    libraries = [f"{library} {version(library)}" for library in LIBRARIES]
    return " · ".join([f"Python {platform.python_version()}", f"workbench {__version__}", *libraries])


def template(name: str) -> str:
    """Return the text of a template of pages: ``report`` or ``index``."""
    return (HERE / f"{name}.html.j2").read_text(encoding="utf-8")


def style() -> str:
    """Return the CSS of the pages."""
    return (HERE / "report.css").read_text(encoding="utf-8")
