"""The index: one offline page over all runs of all reports, made anew of their ``run.json`` by every run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from urllib.parse import quote

from jinja2 import Environment
from markupsafe import Markup

from workbench.reports.alerts import comparable, comparable_before
from workbench.reports.headline import difference, label
from workbench.reports.page import HERE, ends, minutes, style, template
from workbench.reports.record import Headline, RunRecord, Status
from workbench.text import count, plain, size, words

RUNS = 2_000
"""How many runs are listed, of all reports together; those that are older are in their folders."""
LINKS = 4_000
"""How many links to figures and tables stand beside the runs; beyond, a run's page leads to them."""
POINTS = 90
"""How many runs a line shows: a quarter of a year of days."""
_FEW = 10  # runs of each report, however many reports there are
_LONG_AGO = timedelta(days=1)  # for a report that has run once
_MISSED = 1.5  # of the time that is usual between its runs, and it seems to have been forgotten
_WIDTH, _HEIGHT, _MARGIN = 150, 34, 4
_SAYS = {
    Status.COMPLETE: ("✓", "complete", "ok"),
    Status.EMPTY: ("○", "no changes", "quiet"),
    Status.FAILED: ("✗", "failed", "bad"),
    Status.REFUSED: ("✗", "query refused", "bad"),
    Status.TIMED_OUT: ("✗", "timed out", "bad"),
    Status.DIED: ("✗", "kernel died", "bad"),
    Status.STOPPED: ("✗", "stopped", "bad"),
    Status.NOT_KEPT: ("✗", "disk full", "bad"),
}
"""A sign, a word, and how it is coloured."""


@dataclass(frozen=True)
class _Number:
    """A headline of a report: as it is, how it moved, and where it has been."""

    label: str
    text: str
    moved: str
    line: Markup


@dataclass(frozen=True)
class _Run:
    """A run as it is listed."""

    record: RunRecord
    full: bool
    """Whether its figures and tables are linked too."""

    @property
    def folder(self) -> str:
        return f"{quote(self.record.name, safe='')}/{quote(self.record.run, safe='')}"

    @property
    def status(self) -> tuple[str, str, str]:
        return _SAYS[self.record.status]

    @property
    def started(self) -> str:
        return minutes(self.record.started)

    @property
    def took(self) -> str:
        return words(timedelta(seconds=round(self.record.seconds, 1 if self.record.seconds < 60 else 0)))

    @property
    def window(self) -> str:
        """The window as it was asked for, and its ends in its time zone."""
        window = self.record.window
        return f"{window.asked}: {ends(window)}" if window else ""

    @property
    def cost(self) -> str:
        """What it cost; empty where nothing is paid."""
        cost = self.record.cost
        return f"${cost:,.2f}" if cost >= 0.01 else f"${cost:.2g}" if cost else ""

    @property
    def fresh(self) -> str:
        """How old the newest change was that it read."""
        newest = self.record.newest_arrival or self.record.newest_change
        if newest is None:
            return ""
        age = max(self.record.started - newest, timedelta(0))
        return f"{'arrived' if self.record.newest_arrival else 'made'} {_rounded(age)} before the run"

    @property
    def figures(self) -> list[tuple[str, list[tuple[str, str]]]]:
        return self._files("figures/", ("svg", "png"))

    @property
    def tables(self) -> list[tuple[str, list[tuple[str, str]]]]:
        return self._files("tables/", ("csv", "parquet"))

    @property
    def left(self) -> str:
        """How many figures and tables there are."""
        kinds = ((len(self.figures), "figure"), (len(self.tables), "table"))
        return ", ".join(count(number, kind) for number, kind in kinds if number)

    def _files(self, folder: str, forms: Sequence[str]) -> list[tuple[str, list[tuple[str, str]]]]:
        """Return the files of a kind: the number of each, with the addresses of its forms and what these are."""
        by_number: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for file in self.record.files:
            stem, _, form = file.path.removeprefix(folder).partition(".")
            if file.path.startswith(folder) and form in forms and "-" not in stem:  # -narrow is for the page
                by_number[stem.lstrip("0") or stem].append((quote(file.path), form))
        in_order = sorted(by_number.items(), key=lambda item: (len(item[0]), item[0]))  # 2 before 10
        return [(number, sorted(each, key=lambda one: forms.index(one[1]))) for number, each in in_order]

    def headline(self, name: str) -> str:
        return next((each.text for each in self.record.headlines if each.name == name), "")


@dataclass(frozen=True)
class _Report:
    """A report, with its runs, the newest first."""

    name: str
    runs: list[_Run]
    headlines: list[str]
    """The names of all headlines of the runs that are listed."""
    numbers: list[_Number]
    numbers_of: str
    """When the run began whose numbers these are, where it is not the latest one."""
    since: str
    """How long before the newest run of all the latest one began, where that is longer than between its own runs."""
    of: int
    """How many runs there are of it."""
    incomplete: int

    @property
    def latest(self) -> _Run:
        return self.runs[0]

    @property
    def urgency(self) -> tuple[int, str]:
        record = self.latest.record
        return (0 if not record.status.complete else 1 if record.alerts else 2, self.name)


def render(records: Sequence[RunRecord], problems: Sequence[str] = ()) -> str:
    """Return the page over runs: the latest of each report first, what needs attention before the others; then all.

    It is made of the records alone, so that the same runs make the same page, and loads nothing.

    Parameters
    ----------
    problems
        A line on each ``run.json`` that cannot be read.

    Examples
    --------
    >>> from datetime import UTC
    >>> began = datetime(2026, 11, 20, 6, tzinfo=UTC)
    >>> record = RunRecord(name="daily", run="2026-11-20T06-00-00Z", notebook="03_change_frequency.ipynb",
    ...                    title="What changes?", status=Status.COMPLETE, started=began, seconds=12.5)
    >>> 'href="daily/2026-11-20T06-00-00Z/report.html"' in render([record])
    True
    """
    by_name: dict[str, list[RunRecord]] = defaultdict(list)
    for record in sorted(records, key=lambda each: each.started, reverse=True):
        by_name[record.name].append(record)
    newest = max((record.started for record in records), default=None)
    listed = _listed(by_name)
    reports = sorted(
        (_report(name, runs, listed[name], newest) for name, runs in by_name.items()), key=lambda each: each.urgency
    )
    latest = [report.latest.record for report in reports]
    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True, finalize=_finalized)
    environment.globals |= {"count": count, "label": label, "size": size}
    return environment.from_string(template("index")).render(
        css=Markup(style() + (HERE / "index.css").read_text(encoding="utf-8")),
        reports=reports,
        problems=problems,
        runs=len(records),
        as_of=minutes(max(record.ended for record in records)) if records else "",
        incomplete=sum(not record.status.complete for record in latest),
        alerted=sum(record.status.complete and bool(record.alerts) for record in latest),
        fine=sum(record.status.complete and not record.alerts for record in latest),
    )


def _listed(by_name: dict[str, list[RunRecord]]) -> dict[str, list[_Run]]:
    """Choose which runs are listed, and beside which of them all that they left."""
    each = max(_FEW, RUNS // max(len(by_name), 1))
    links = LINKS
    chosen: dict[str, list[_Run]] = {name: [] for name in by_name}
    for at in range(each):  # the newest of each report first
        for name, records in by_name.items():
            if at < len(records):
                links -= len(records[at].files)
                chosen[name].append(_Run(records[at], full=at == 0 or links >= 0))
    return chosen


def _report(name: str, records: list[RunRecord], listed: list[_Run], newest: datetime | None) -> _Report:
    latest = records[0]
    shown = latest
    if not latest.headlines and not latest.status.complete:  # what it was before it broke
        shown = next((record for record in records if record.status.complete), latest)
    before = comparable_before(shown, records)
    line = [record for record in records[:POINTS] if record.started <= shown.started or not record.status.complete]
    since = newest - latest.started if newest else timedelta(0)
    gaps = sorted(later.started - run.started for later, run in pairwise(records[:POINTS]))
    usual = gaps[len(gaps) // 2] if gaps else _LONG_AGO
    return _Report(
        name=name,
        runs=listed,
        headlines=list(dict.fromkeys(each.name for run in listed for each in run.record.headlines)),
        numbers=[_number(each, shown, before, line) for each in shown.headlines],
        numbers_of="" if shown is latest else minutes(shown.started),
        since=words(since) if since > _MISSED * usual else "",
        of=len(records),
        incomplete=sum(not record.status.complete for record in records),
    )


def _number(headline: Headline, shown: RunRecord, before: RunRecord | None, records: list[RunRecord]) -> _Number:
    then = next((each for each in before.headlines if each.name == headline.name), None) if before else None
    moved = difference(headline, then) if then else ""
    return _Number(label(headline.name), headline.text, moved, _line(headline.name, shown, records))


def _line(name: str, shown: RunRecord, records: list[RunRecord]) -> Markup:
    """Draw where a number has been, by time, over the runs that can be compared with one; what broke off is a gap."""
    points: list[tuple[datetime, Headline | None]] = []
    for record in sorted(records, key=lambda each: each.started):
        if record is shown or comparable(record, shown):
            headline = next((each for each in record.headlines if each.name == name and each.value is not None), None)
            points.append((record.started, headline))
        elif not record.status.complete:
            points.append((record.started, None))
    there = [(moment, headline) for moment, headline in points if headline]
    if len(there) < 2:
        return Markup("")
    first, last = points[0][0], points[-1][0]
    low, high = (choose((headline for _, headline in there), key=_value) for choose in (min, max))
    spread = _value(high) / 2 - _value(low) / 2  # halves, since the whole may be more than a float holds

    def across(moment: datetime) -> str:
        share = (moment - first) / (last - first) if last > first else 1.0
        return _number_text(_MARGIN + share * (_WIDTH - 2 * _MARGIN))

    def up(headline: Headline) -> str:
        share = (_value(headline) / 2 - _value(low) / 2) / spread if spread else 0.5
        return _number_text(_HEIGHT - _MARGIN - share * (_HEIGHT - 2 * _MARGIN))

    paths, ended, pen = [], [], "M"
    for moment, headline in points:
        if headline is None:
            ended.append(f"M{across(moment)} {_HEIGHT}v-5")
            pen = "M"
        else:  # a line of no length is a dot, by its round ends
            paths.append(f"{pen}{across(moment)} {up(headline)}{'h0' if pen == 'M' else ''}")
            pen = "L"
    missing = len(points) - len(there)
    says = f"{label(name)} in {count(len(there), 'run')} since {minutes(first)}: {low.text} to {high.text}"
    says += f"; {count(missing, 'run')} without it" if missing else ""
    return Markup(
        '<svg class="line" viewBox="0 0 {w} {h}" width="{w}" height="{h}" role="img" aria-label="{says}">'
        '<path d="{path}"/><path class="ended" d="{ended}"/><circle cx="{x}" cy="{y}" r="2.6"/></svg>'
    ).format(
        w=_WIDTH,
        h=_HEIGHT,
        says=plain(says),
        path="".join(paths),
        ended="".join(ended),
        x=across(there[-1][0]),
        y=up(there[-1][1]),
    )


def _value(headline: Headline) -> float:
    assert headline.value is not None
    return headline.value


def _number_text(number: float) -> str:
    return f"{number:.1f}".removesuffix(".0")


def _rounded(age: timedelta) -> str:
    return words(timedelta(seconds=round(age.total_seconds())))


def _finalized(value: Any) -> Any:
    """Let no text act on the page: autoescape takes what is markup, this what turns its direction or cannot be seen."""
    return plain(value) if isinstance(value, str) and not isinstance(value, Markup) else value
