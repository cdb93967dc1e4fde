"""The index: made of records alone, it shows the latest of each report, how numbers moved, and all runs."""

from __future__ import annotations

import random
import re
from datetime import timedelta
from urllib.parse import unquote

import pytest
from bs4 import BeautifulSoup, Tag

from tests.helpers.browser import PHONE, WIDE, printed, started, visiting
from tests.helpers.runs import BEGAN, HOSTILE, headline, month, record
from workbench.reports import index
from workbench.reports.record import Alert, CellFailure, Headline, RunFile, RunRecord, Status, Window

DAY = timedelta(days=1)


def page_of(*records: RunRecord, problems: tuple[str, ...] = ()) -> BeautifulSoup:
    return BeautifulSoup(index.render(records, problems), "html.parser")


def cards(page: BeautifulSoup) -> list[Tag]:
    return page.select("ul.latest > li")


def text(tag: Tag) -> str:
    return " ".join(tag.get_text(" ").split())


def days(*values: float | None, name: str = "changes", **given: object) -> list[RunRecord]:
    """Runs day by day with a headline of these values; None is a run that failed."""
    return [
        record(
            at=BEGAN + number * DAY,
            **{"headlines": [headline(name, value)] if value is not None else []},
            **{"status": Status.FAILED} if value is None else {},
            **given,
        )
        for number, value in enumerate(values)
    ]


def test_without_runs_it_says_how_to_make_one():
    assert "workbench report run" in text(page_of())


def test_the_latest_of_each_report_is_first_and_what_needs_attention_before_the_others():
    runs = [
        record("c", BEGAN),
        record("c", BEGAN + DAY),
        record("d", BEGAN),
        record("b", BEGAN, alerts=[Alert(rule="n > 1", says="n is 2")]),
        record("a", BEGAN, status=Status.TIMED_OUT),
        record("e", BEGAN, status=Status.FAILED),
        record("e", BEGAN - DAY),
    ]
    page = page_of(*runs)
    assert [card.h3.get_text() for card in cards(page)] == ["a", "e", "b", "c", "d"]
    assert [each.b.get_text() for each in page.select("details.all > summary")] == ["a", "b", "c", "d", "e"]
    assert cards(page)[3].a["href"] == "c/2026-10-23T06-00-00Z/report.html"
    head = text(page.select_one("p.meta"))
    assert head.startswith("5 reports, 7 runs, as of 2026-10-23 06:00:12 UTC")
    assert "2 did not complete" in head
    assert "1 with alerts" in head
    assert "2 as they should be" in head
    assert str(page) == str(page_of(*random.Random(3).sample(runs, len(runs)))), "in whatever order they are read"


@pytest.mark.parametrize("status", Status)
def test_each_way_to_end_has_a_sign_and_words_of_its_own(status):
    (card,) = cards(page_of(record(status=status)))
    sign, words, colour = index._SAYS[status]
    assert text(card.select_one(".badge")) == f"{sign} {words}"
    assert colour in card.select_one(".badge")["class"]
    assert (colour == "bad") == (not status.complete)


def test_a_run_that_failed_shows_its_cell_and_error_and_the_numbers_of_the_last_complete_one():
    failure = CellFailure(number=3, heading="How often?", error="QueryError: it is gone")
    runs = days(10, 20)
    page = page_of(*runs, record(at=BEGAN + 2 * DAY, status=Status.FAILED, failed_cell=failure))
    (card,) = cards(page)
    assert "Cell 3 (How often?): QueryError: it is gone" in text(card)
    assert "Numbers of the last complete run, 2026-10-23 06:00 UTC" in text(card)
    assert text(card.select_one("dl.numbers")) == "changes 20 +10 (+100%)"
    assert "cell 3 (How often?): QueryError: it is gone" in text(page.select_one("table.runs tbody tr"))


def test_a_number_shows_how_it_moved_since_the_run_before_and_where_it_has_been():
    (card,) = cards(page_of(*days(10, None, 30, 20, 40)))
    assert text(card.select_one(".moved")) == "+20 (+100%)"
    line = card.select_one("svg.line")
    assert line["aria-label"] == "changes in 4 runs since 2026-10-22 06:00: 10 to 40; 1 run without it"
    drawn, ended = (each["d"] for each in line.select("path"))
    assert drawn == "M4 30h0M75 12.7h0L110.5 21.3L146 4", "a dot, a gap, and a line"
    assert ended == "M39.5 34v-5"


def test_a_line_over_the_largest_numbers_is_one():
    runs = [
        record(at=BEGAN + timedelta(days=day), headlines=[headline("n", value)])
        for day, value in enumerate((1e308, 0, -1e308))
    ]
    rendered = index.render(runs)
    assert "nan" not in rendered
    assert "inf" not in re.findall(r'<path d="([^"]*)"', rendered)[0]


def test_a_number_that_never_moves_is_a_line_in_the_middle_and_one_run_draws_none():
    (card,) = cards(page_of(*days(5, 5, 5)))
    assert text(card.select_one(".moved")) == "no change"
    assert set(re.findall(r"[\d.]+ ([\d.]+)", card.select_one("svg path")["d"])) == {"17"}
    (card,) = cards(page_of(*days(5)))
    assert not card.select("svg")
    assert text(card.select_one("dl.numbers")) == "changes 5"


def test_runs_of_another_window_or_table_are_not_compared():
    week = Window(asked="last-week", start=BEGAN - 7 * DAY, end=BEGAN)
    day = Window(asked="yesterday", start=BEGAN - DAY, end=BEGAN)
    runs = [*days(10, 20, window=day), *days(0, 0, 700, window=week)[2:]]
    (card,) = cards(page_of(*runs))
    assert text(card.select_one("dl.numbers")) == "changes 700"
    assert not card.select("svg")


def test_a_window_is_shown_in_its_time_zone():
    day = Window(asked="yesterday", start=BEGAN, end=BEGAN + DAY, timezone="Asia/Kolkata")
    page = page_of(*days(10, window=day))
    shown = "yesterday: 2026-10-22 11:30 to 2026-10-23 11:30 Asia/Kolkata"
    assert text(page.select_one("td.window")) == shown
    assert text(cards(page)[0].select_one("dl.known")).count(shown) == 1


def test_what_is_not_paid_for_has_no_cost_and_what_is_has():
    free = page_of(*days(1, 2))
    assert "cost" not in text(free)
    paid = page_of(*days(1, 2, cost=0.005, scanned=1_000_000_000, engine="athena"))
    assert "cost $0.005, 1.0 GB scanned" in text(cards(paid)[0])
    assert "cost" in [text(each) for each in paid.select("table.runs thead th")]


def test_how_old_the_log_was_and_that_nobody_runs_a_report_any_more_is_seen():
    arrived = {"newest_arrival": BEGAN - timedelta(minutes=90)}
    made = {"newest_change": BEGAN - timedelta(days=2)}
    page = page_of(record("a", BEGAN, **arrived), record("b", BEGAN, **made), record("c", BEGAN + 3 * DAY))
    a, b, c = map(text, cards(page))
    assert "newest change arrived 1 h 30 min before the run" in a
    assert "3 d before the newest run" in a, "which has run once"
    assert "newest change made 2 d before the run" in b
    assert "newest" not in c


@pytest.mark.parametrize(("hours", "forgotten"), [(24, False), (36, False), (37, True), (240, True)])
def test_a_report_that_is_late_by_its_own_measure_is_marked(hours, forgotten):
    daily = [record("a", BEGAN + number * DAY) for number in range(4)]
    weekly = [record("b", BEGAN - number * 7 * DAY) for number in range(3)]
    page = page_of(*daily, *weekly, record("c", BEGAN + 3 * DAY + timedelta(hours=hours)))
    late = [card.h3.get_text() for card in cards(page) if "before the newest run" in text(card)]
    assert late == ["a"] * forgotten + ["b"] * (hours > 7.5 * 24)


def test_all_that_a_run_left_is_linked():
    page = page_of(record())
    folder = "daily-persons/2026-10-22T06-00-00Z"
    expected = {
        f"{folder}/{name}"
        for name in (
            "report.html",
            "notebook.ipynb",
            "run.json",
            "figures/01.svg",
            "figures/01.png",
            "figures/02.svg",
            "figures/02.png",
            "tables/01.csv",
            "tables/01.parquet",
            "tables/02.csv",
            "tables/02.parquet",
        )
    }
    for part in (cards(page)[0], page.select_one("table.runs")):
        assert {link["href"] for link in part.select("a")} == expected
        assert "2 figures, 2 tables" in text(part)


def test_the_files_of_a_run_stand_in_their_order():
    files = [RunFile(path=f"tables/{number:02}.csv", bytes=1, sha256="") for number in range(1, 12)]
    links = cards(page_of(record(files=files)))[0].select("details a")
    assert [link["href"].rpartition("/")[2] for link in links] == [f"{number:02}.csv" for number in range(1, 12)]


def test_what_comes_from_data_is_shown_and_never_acts():
    hostile = record(
        HOSTILE,
        title=HOSTILE,
        tables=[HOSTILE],
        status=Status.FAILED,
        alerts=[Alert(rule=HOSTILE, says=HOSTILE)],
        failed_cell=CellFailure(number=1, heading=HOSTILE, error=HOSTILE),
        files=[RunFile(path=f'tables/{"x" * 9}"><i>.csv', bytes=1, sha256="")],
        headlines=[Headline(name=HOSTILE, value=1, text=HOSTILE)],
        window=Window(asked=HOSTILE, start=BEGAN, end=BEGAN + DAY),
    )
    rendered = index.render([hostile, hostile.model_copy(update={"started": BEGAN + DAY})], [HOSTILE])
    page = BeautifulSoup(rendered, "html.parser")
    assert not page.select("script, i, table b b, img, link")
    assert "\u202e" not in rendered
    assert unquote(page.select_one("ul.latest a")["href"]).startswith(HOSTILE)
    assert "/" not in page.select_one("ul.latest a")["href"].removesuffix("/2026-10-22T06-00-00Z/report.html")
    assert all(":" not in link["href"] and not link["href"].startswith(("/", "..")) for link in page.select("a"))


def test_it_loads_nothing_and_runs_nothing():
    rendered = index.render(list(month()))
    assert "default-src 'none'" in rendered
    assert not re.search(r"<script|<link|<img|url\(|@import|https?:", rendered)


def test_thousands_of_runs_stay_a_page_that_can_be_read():
    runs = [*month(reports=8, days=300)]
    rendered = index.render(runs)
    assert len(rendered.encode()) < 2_000_000
    page = BeautifulSoup(rendered, "html.parser")
    assert len(page.select("table.runs tbody tr")) == index.RUNS
    (first, *_) = page.select("details.all")
    assert (
        text(first.find_all("p", class_="meta")[-1])
        == "50 older runs not listed: each has its folder in daily-orders/ ."
    )
    assert first.select("p.meta a")[-1]["href"] == "daily-orders/"


def test_a_record_that_cannot_be_read_is_named():
    page = page_of(record(), problems=("daily/x/run.json is no record of a run",))
    assert text(page.select_one("p.failed")) == "daily/x/run.json is no record of a run"


def test_it_is_read_on_any_screen_and_on_paper(tmp_path):
    file = tmp_path / "index.html"
    long = record(
        "x" * 190,
        title="?" * 300,
        tables=["t" * 200],
        status=Status.FAILED,
        failed_cell=CellFailure(number=1, heading="h" * 200, error="e" * 900),
        headlines=[headline(f"{'n' * 36}_{number}", 1e15) for number in range(9)],
    )
    file.write_text(index.render([*month(reports=3, days=4), long]), encoding="utf-8")
    with started() as browser:
        for width, dark in ((WIDE, True), (PHONE, False)):
            with visiting(browser, file, width=width, dark=dark) as visit:
                visit.page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
                assert visit.cut() == []
                assert visit.violations() == []
                assert visit.problems == []
        with visiting(browser, file) as visit:
            paper = printed(visit.page, tmp_path / "index.pdf")
    assert "What changes, how often, and when?" in paper
    assert "yesterday: 2026-10-24 00:00 to 2026-10-25 00:00 UTC" in paper
    assert "All runs" not in paper, "what is closed is not printed"
