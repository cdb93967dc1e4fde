"""A page shows tables and charts whole, from data that may say anything, and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
import re
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
import pytest
from bs4 import BeautifulSoup
from IPython.core.formatters import DisplayFormatter
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tests.helpers.browser import PHONE, printed, visiting
from workbench import charts
from workbench.questions.answers_noted import REPORT
from workbench.questions.result import Result, Stats
from workbench.questions.what_changed import ChangeList
from workbench.reports import Status, capture, page
from workbench.reports.record import Alert, CellFailure, Headline, RunRecord, Window
from workbench.reports.tables import MOST_ROWS, ShownTable, with_index
from workbench.reports.window import resolve

BEGAN = datetime(2026, 11, 20, 6, tzinfo=UTC)
ATTACK = "</script></td><script>alert(1)</script><img src=x onerror=alert(1)>\u202e&lt;"
BIG = [Decimal("12345678901234567890123456789012345678"), Decimal("12345678901234567890123456789012345677"), 9]
VALUES = pd.DataFrame(
    {
        "pk": ["b", "a", "c", ATTACK],
        "n": pd.Series([*BIG, pd.NA], dtype=object),
        "note": pd.Series([None, "", pd.NA, "x"], dtype=object),
        "at": pd.to_datetime(
            ["2026-11-02T00:00:01Z", "2026-11-01T12:00Z", None, "2026-11-01"], format="ISO8601", utc=True
        ),
        "tags": pd.Series([frozenset({"b", "a"}), pd.NA, [1, {"k": b"x"}], pd.NA], dtype=object),
    }
)


def record(**given: object) -> RunRecord:
    about = {"name": "r", "run": "2026-11-20T06-00-00Z", "notebook": "a.ipynb", "title": "How many?", "started": BEGAN}
    return RunRecord.model_validate({**about, "status": Status.COMPLETE, "seconds": 1.5, **given})


@pytest.fixture
def kernel(tmp_path, monkeypatch) -> DisplayFormatter:
    """What a report's kernel shows values by."""
    monkeypatch.setenv(REPORT, str(tmp_path))
    shell = SimpleNamespace(display_formatter=DisplayFormatter())
    capture.load_ipython_extension(shell)
    return shell.display_formatter


def shown(kernel: DisplayFormatter, folder: Path, *values: object, **about: object) -> str:
    """The page of a report whose cells show these values."""
    outputs = [
        new_output("display_data", data, metadata=about_it)
        for data, about_it in (kernel.format(value) for value in values)
    ]
    cells = [new_markdown_cell("# How many?\n"), *(new_code_cell("x", outputs=[output]) for output in outputs)]
    tables = capture.taken(folder)
    return page.render(new_notebook(cells=cells), record(**about), folder, tables=tables)


def opened(text: str, folder: Path) -> Path:
    file = folder / "report.html"
    file.write_text(text, encoding="utf-8")
    return file


def test_without_a_report_a_notebook_shows_what_it_did(monkeypatch):
    monkeypatch.delenv(REPORT, raising=False)
    plain, loaded = DisplayFormatter(), DisplayFormatter()
    capture.load_ipython_extension(SimpleNamespace(display_formatter=loaded))
    assert loaded.format(VALUES) == plain.format(VALUES)


def test_a_frame_goes_to_files_whole_and_exactly_and_is_shown_as_it_was(kernel, tmp_path):
    data, _ = kernel.format(VALUES)
    assert data[capture.TABLE] == {"file": "tables/01", "rows": 4}
    assert data["text/html"] == DisplayFormatter().format(VALUES)[0]["text/html"]
    kept = pd.read_parquet(tmp_path / "tables" / "01.parquet")
    assert kept["n"].to_list()[:3] == BIG
    assert (
        (tmp_path / "tables" / "01.csv")
        .read_text()
        .splitlines()[1]
        .startswith('"b",12345678901234567890123456789012345678,')
    )
    tables = capture.taken(tmp_path)
    assert list(tables) == ["tables/01"]
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["01.csv", "01.parquet"]


def test_a_page_holds_every_value_as_it_is_meant(kernel, tmp_path):
    soup = BeautifulSoup(shown(kernel, tmp_path, VALUES), "html.parser")
    rows = [[cell.get_text() for cell in row.find_all(["th", "td"])] for row in soup.select("tbody tr")]
    assert rows[0] == ["b", str(BIG[0]), "NULL", "2026-11-02 00:00:01", "{a, b}"]
    assert rows[1] == ["a", str(BIG[1]), '""', "2026-11-01 12:00:00", ""]
    assert rows[2] == ["c", "9", "", "", "1, {k: 0x78}"]
    assert rows[3][0] == ATTACK.replace("\u202e", "\\u202e")
    heads = {head.get_text(): head["data-order"] for head in soup.select("thead th")}
    assert heads == {
        "pk": "3 1 0 2",
        "n": "2 1 0 3",
        "note": "1 3 0 2",
        "at (UTC)": "3 1 0 2",
        "tags": "2 0 1 3",
    }
    assert [link["href"] for link in soup.select(".taken a")] == ["tables/01.parquet", "tables/01.csv"]


def test_one_script_runs_and_the_policy_names_it(kernel, tmp_path):
    text = shown(kernel, tmp_path, VALUES)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', text)
    assert policy == (
        f"default-src 'none'; script-src 'sha256-{digest}'; img-src data:; style-src 'unsafe-inline'; "
        "base-uri 'none'; form-action 'none'"
    )
    assert text.count("<script") == 1
    assert "onerror=alert" not in re.sub(r"&[a-z]+;img src=x onerror=alert", "", text)
    assert "script-src" not in shown(kernel, tmp_path, "text only"), "a page without a table runs none"


@pytest.mark.parametrize("kind", ["series", "styler", "index", "columns of two", "one name twice"])
def test_whatever_shows_as_a_table_is_one(kernel, tmp_path, kind):
    df = pd.DataFrame({"n": [2, 1], "at": pd.to_datetime(["2026-11-01", "2026-11-02"], utc=True)})
    value = {
        "series": df["n"].rename("count"),
        "styler": df.style.format({"n": "{:.1f} €"}).hide(axis="index"),
        "index": df.set_index(pd.Index(["x", "y"], name="pk")),
        "columns of two": df.set_axis(pd.MultiIndex.from_tuples([("a", "n"), ("a", "at")]), axis="columns"),
        "one name twice": df.set_axis(["n", "n"], axis="columns"),
    }[kind]
    soup = BeautifulSoup(shown(kernel, tmp_path, value), "html.parser")
    names = {"series": ["count"], "index": ["pk", "n", "at (UTC)"], "columns of two": ["a · n", "a · at (UTC)"]}
    names["one name twice"] = ["n", "n (UTC)"]
    heads = soup.select("div.table thead th")
    assert [head.get_text() for head in heads] == names.get(kind, ["n", "at"])
    assert "1 0" in [head["data-order"] for head in heads]
    assert ("2.0 €" in soup.get_text()) is (kind == "styler")
    assert len(pd.read_csv(tmp_path / "tables" / "01.csv")) == 2


@pytest.mark.parametrize(
    ("values", "written"),
    [
        (pd.period_range("2026-11", periods=2, freq="M"), ["2026-11", "2026-12"]),
        (pd.interval_range(0, 2), ["(0, 1]", "(1, 2]"]),
        ([1 + 2j, 1j], ["(1+2j)", "1j"]),
        ([time(6), None], ["06:00:00", None]),
        ([date(2026, 11, 1), None], ["2026-11-01", None]),
        (pd.arrays.SparseArray([0, 7]), ["0", "7"]),
        ([Decimal("1.5"), Decimal("NaN")], ["1.5", "NaN"]),
        ([timedelta.max, int], ["999999999 d 23 h", "<class 'int'>"]),
    ],
)
def test_what_files_have_no_type_for_is_text_in_them_and_the_table_is_one(kernel, tmp_path, values, written):
    soup = BeautifulSoup(shown(kernel, tmp_path, pd.DataFrame({"x": values})), "html.parser")
    assert "could not be written" not in soup.get_text()
    assert len(soup.select("tbody tr")) == 2
    for file in (
        pd.read_csv(tmp_path / "tables" / "01.csv", dtype=str, keep_default_na=False, skip_blank_lines=False),
        pd.read_parquet(tmp_path / "tables" / "01.parquet"),
    ):
        assert ["" if pd.isna(value) else value for value in file["x"]] == [value or "" for value in written]


def test_an_order_of_its_own_is_what_a_category_is_sorted_by():
    sizes = pd.Categorical(["low", "high", None, "middle"], ["low", "middle", "high"], ordered=True)
    assert ShownTable.of(pd.DataFrame({"size": sizes})).columns[0].order == [0, 3, 1, 2]


def test_a_style_whose_values_act_as_html_is_shown_as_its_values(kernel, tmp_path):
    df = pd.DataFrame({"n": [2, 1], "text": [f"{ATTACK}</td></table>", "b"]})
    soup = BeautifulSoup(shown(kernel, tmp_path, df.style.highlight_max(subset=["n"])), "html.parser")
    assert [head["data-order"] for head in soup.select("thead th")] == ["1 0", "0 1"]
    assert "<img src=x onerror=alert" in soup.select_one("tbody tr").get_text()


def test_a_style_with_rows_of_its_own_is_not_sorted_since_they_would_go(kernel, tmp_path):
    df = pd.DataFrame({"n": [2, 1]})
    soup = BeautifulSoup(shown(kernel, tmp_path, df.style.concat(df.agg(["sum"]).style)), "html.parser")
    assert len(soup.select("tbody tr")) == 3
    assert not soup.select("[data-order]")


def test_an_output_that_cannot_be_read_is_told_and_the_others_are_there(tmp_path):
    datas = [{capture.TABLE: "text"}, {capture.CHART: ["x"]}, {capture.TABLE: {"file": ["x"]}, "text/plain": "a table"}]
    outputs = [new_output("display_data", data=data) for data in [*datas, {"text/html": "<p>kept</p>"}]]
    text = page.render(new_notebook(cells=[new_code_cell(outputs=outputs)]), record(), tmp_path)
    assert text.count("An output is not here, but in the notebook: AttributeError") == 2
    assert "a table" in text
    assert "<p>kept</p>" in text


def test_what_a_style_hides_is_in_no_file(kernel, tmp_path):
    styler = VALUES.style.hide(axis="columns", subset=["n"]).hide(axis="index", subset=[0])
    shown(kernel, tmp_path, styler)
    assert list(pd.read_csv(tmp_path / "tables" / "01.csv")) == ["pk", "note", "at", "tags"]
    assert len(pd.read_csv(tmp_path / "tables" / "01.csv")) == 3


def test_an_answer_is_a_table_with_what_it_says_of_itself(kernel, tmp_path):
    answer = Result(VALUES, "select", Stats(rows=4, seconds=0.5, objects=2, bytes=10), {"question": "q"}, keys=("pk",))
    soup = BeautifulSoup(shown(kernel, tmp_path, answer), "html.parser")
    assert answer.summary in soup.get_text()
    assert [head.get_text() for head in soup.select('tbody th[scope="row"]')][:3] == ["b", "a", "c"]


@pytest.mark.parametrize(
    ("chosen", "heads", "first", "says"),
    [
        ({}, ["pk", "ts (UTC)", "event_name", "what changed"], "b", "all columns, the oldest change first"),
        ({"order": "oldest"}, ["pk", "ts (UTC)", "event_name", "what changed"], "a", "all columns"),
        ({"columns": "pk, ts"}, ["pk", "ts (UTC)"], "b", "the oldest change first"),
        ({"columns": "pk, ts", "order": "newest"}, ["pk", "ts (UTC)"], "b", ""),
    ],
)
def test_changes_are_shown_as_in_a_notebook_and_are_whole_in_the_files(kernel, tmp_path, chosen, heads, first, says):
    times = pd.to_datetime(["2026-11-01T12:00Z", "2026-11-02T12:00Z"])
    df = pd.DataFrame({"pk": ["a", "b"], "ts": times, "event_name": "MODIFY", "by_ttl": False, "new.n": [1, 2]})
    stats = Stats(rows=2, seconds=0.5, objects=2, bytes=10)
    answer = ChangeList(df, "select", stats, {"question": "changes"}, keys=("pk",), total=2)
    answer = answer.select(**chosen) if chosen else answer
    soup = BeautifulSoup(shown(kernel, tmp_path, answer), "html.parser")
    assert [head.get_text(strip=True) for head in soup.select("thead th")] == heads
    assert soup.select_one("tbody th").get_text() == first
    assert soup.get_text().count(f"in the files: {says}") == bool(says)
    assert pd.read_parquet(tmp_path / "tables" / "01.parquet")["pk"].to_list() == answer.df["pk"].to_list()


def test_files_that_cannot_be_written_fail_no_cell_and_are_told(kernel, tmp_path):
    (tmp_path / "tables").write_text("no folder")
    soup = BeautifulSoup(shown(kernel, tmp_path, VALUES), "html.parser")
    assert "Its files could not be written" in soup.get_text()
    assert str(BIG[0]) in soup.get_text()


def test_a_table_that_is_half_there_is_left_out_and_the_others_are_taken(kernel, tmp_path):
    kernel.format(VALUES)
    kernel.format(VALUES[["pk"]])
    half = tmp_path / "shown" / "01.json"
    half.write_bytes(half.read_bytes()[:150])
    assert list(capture.taken(tmp_path)) == ["tables/02"]


def test_a_page_holds_a_part_of_a_large_table_and_says_where_the_rest_is(kernel, tmp_path):
    df = pd.DataFrame({"n": range(MOST_ROWS + 2)})
    soup = BeautifulSoup(shown(kernel, tmp_path, df), "html.parser")
    assert len(soup.select("tbody tr")) == MOST_ROWS
    assert f"The first {MOST_ROWS:,} of {MOST_ROWS + 2:,} rows" in soup.get_text()
    assert len(pd.read_parquet(tmp_path / "tables" / "01.parquet")) == MOST_ROWS + 2
    wide = ShownTable.of(pd.DataFrame({"text": ["x" * 1_500_000] * 3}))
    assert (len(wide.rows), wide.total) == (1, 3)


def test_an_index_that_numbers_rows_is_left_out():
    df = pd.DataFrame({"n": [1, 2, 3]})
    assert with_index(df.tail(2))[1] == 0
    assert with_index(df.groupby("n").size().to_frame("k"))[1] == 1


def test_a_chart_is_drawn_for_a_page_and_for_a_phone_and_other_figures_are_pictures(kernel, tmp_path):
    hours = pd.date_range("2026-11-01", periods=3, freq="1h", tz="UTC")
    df = pd.DataFrame({"bucket": hours, "inserts": [3, 0, 1], "modifies": 0, "removes": 0, "ttl_removes": 0})
    ours = charts.change_frequency(df.assign(changes=df["inserts"]), subject="persons")
    other = Figure(figsize=(3, 2))
    other.add_subplot().plot([1, 2])
    soup = BeautifulSoup(shown(kernel, tmp_path, ours, other), "html.parser")
    (drawn,) = soup.select("figure.chart")
    wide, narrow = (base64.b64decode(each.partition(",")[2]) for each in (drawn.img["src"], drawn.source["srcset"]))
    assert wide == (tmp_path / "figures" / "01.svg").read_bytes()
    assert narrow == (tmp_path / "figures" / "01-narrow.svg").read_bytes()
    assert drawn.img["alt"].startswith("persons: 4 changes")
    (picture,) = soup.select(".picture img")
    assert picture["src"].startswith("data:image/png")
    assert [link["href"] for link in soup.select(".taken a")] == [
        f"figures/0{number}.{end}" for number in (1, 2) for end in ("png", "svg")
    ]


def test_the_head_says_what_a_report_stands_on(kernel, tmp_path):
    text = shown(
        kernel,
        tmp_path,
        "",
        window=Window(asked="yesterday", start=BEGAN - timedelta(days=1), end=BEGAN),
        tables=["persons"],
        source="the embedded lake",
        engine="athena",
        account="123456789012",
        masks=["person.email"],
        newest_change=BEGAN - timedelta(minutes=12),
        newest_arrival=BEGAN + timedelta(seconds=5),
        known_at=BEGAN,
        queries=3,
        scanned=2_000_000,
        cost=0.01,
        parameters={"table": "persons", "every": None, "tags": ["a", "b"]},
        given=["table"],
        headlines=[Headline(name="deletes", value=0.05, text="5.0%")],
        alerts=[Alert(rule="deletes > 4%", says="deletes are 5.0%, which is more than 4%")],
    )
    soup = BeautifulSoup(text, "html.parser")
    facts = {each.dt.get_text(): each.dd.get_text(" ") for each in soup.select("dl.about div")}
    assert facts == {
        "Table": "persons",
        "Source": "the embedded lake  athena · account 123456789012",
        "Window": "2026-11-19 06:00 to 2026-11-20 06:00 UTC  yesterday",
        "Run": "2026-11-20 06:00 UTC  took 1.5 s",
        "Newest change": "2026-11-20 05:48 UTC  12 min before the run",
        "Newest arrival": "2026-11-20 06:00:05 UTC  5 s after the run began",
        "Known at": "2026-11-20 06:00 UTC  --known-at 2026-11-20T06:00:00Z repeats it, whatever arrived since",
        "Masked": "person.email",
        "Cost": "$0.0100  3 queries scanned 2.0 MB",
    }
    chips = {each.dt.get_text(): (each.dd.get_text(), each["class"]) for each in soup.select("dl.parameters div")}
    assert chips == {"table": ("persons", ["given"]), "every": ("none", ["default"]), "tags": ("a, b", ["default"])}
    assert soup.select_one("dl.headlines div").get_text(" ", strip=True) == "deletes 5.0%"
    assert "deletes are 5.0%, which is more than 4%" in soup.select_one(".failed").get_text()
    links = [link["href"] for link in soup.select("nav.ways a")]
    assert links == ["../../index.html", "notebook.ipynb"]


@pytest.mark.parametrize(
    ("asked", "at", "zone", "shown"),
    [
        ("yesterday", "2026-11-27T06:00Z", "Europe/Berlin", "2026-11-26 00:00 to 2026-11-27 00:00 Europe/Berlin"),
        ("yesterday", "2026-11-27T06:00Z", "UTC", "2026-11-26 00:00 to 2026-11-27 00:00 UTC"),
        (
            "last-hour",
            "2026-10-25T01:20Z",
            "Europe/Berlin",
            "2026-10-25 02:00+02:00 to 2026-10-25 02:00+01:00 Europe/Berlin",
        ),
    ],
)
def test_a_window_is_shown_in_the_time_zone_it_was_asked_in(asked, at, zone, shown):
    assert page.ends(resolve(asked, datetime.fromisoformat(at), zone)) == shown


def test_a_window_of_a_time_zone_that_is_unknown_here_is_shown_in_utc():
    window = Window(asked="yesterday", start=BEGAN - timedelta(days=1), end=BEGAN, timezone="Mars/<b>Olympus</b>")
    assert page.ends(window) == "2026-11-19 06:00 to 2026-11-20 06:00 UTC"


def test_a_page_says_nothing_is_masked_and_what_it_does_not_know(kernel, tmp_path):
    soup = BeautifulSoup(shown(kernel, tmp_path, ""), "html.parser")
    facts = {each.dt.get_text(): each.dd.get_text() for each in soup.select("dl.about div")}
    assert (facts["Masked"], facts["Newest change"]) == ("nothing", "not known")
    assert "Cost" not in facts


@pytest.mark.parametrize("status", list(Status))
def test_every_status_has_its_sentence_and_what_to_do(kernel, tmp_path, status):
    failed = None if status.complete else CellFailure(number=3, heading="Where?", error="KeyError: 'x'")
    soup = BeautifulSoup(shown(kernel, tmp_path, "", status=status, failed_cell=failed), "html.parser")
    meaning = page.MEANINGS[status]
    told = soup.find("header").get_text(" ")
    assert ("This report is not complete" in told) is not status.complete
    assert meaning.says in told
    assert meaning.advice in told
    assert bool(meaning.advice) is (status is not Status.COMPLETE)
    assert ("KeyError: 'x'" in told) is not status.complete


def test_the_contents_lead_to_each_heading(tmp_path):
    cells = [
        new_markdown_cell("# How many?\nRead on."),
        *(new_markdown_cell(f"## Part {n}\n<a id='part-1'>x</a>") for n in "abc"),
    ]
    soup = BeautifulSoup(page.render(new_notebook(cells=cells), record(), tmp_path), "html.parser")
    links = {link["href"]: link.get_text() for link in soup.select(".contents a")}
    assert list(links.values()) == ["Part a", "Part b", "Part c"]
    for place, text in links.items():
        assert soup.select_one(f"h2{place}").get_text() == text
    assert [heading.get_text() for heading in soup.find_all("h1")] == ["How many?"]


# --- in a browser


def many(rows: int, columns: int) -> pd.DataFrame:
    values = {f"column {at}": [f"text {(row * 7 + at) % rows}" for row in range(rows)] for at in range(columns)}
    return pd.DataFrame(
        {"pk": [f"p-{row:04}" for row in range(rows)], "n": [(row * 37) % rows for row in range(rows)], **values}
    )


@pytest.fixture
def table(kernel, tmp_path) -> Path:
    return opened(shown(kernel, tmp_path, many(130, 12)), tmp_path)


def test_a_table_is_sorted_searched_and_paged_by_clicks(table, browser):
    with visiting(browser, table) as visit:
        rows = visit.page.locator("tbody tr:visible")
        first = rows.first.locator("td").nth(1)
        told = visit.page.get_by_role("status")
        assert (rows.count(), told.inner_text()) == (25, "1 to 25 of 130 rows")
        head = visit.page.get_by_role("button", name="n", exact=True)
        head.click()
        assert [rows.nth(at).locator("td").nth(1).inner_text() for at in range(3)] == ["0", "1", "2"]
        head.click()
        assert first.inner_text() == "129"
        assert visit.page.locator("th[aria-sort=descending]").inner_text() == "n"
        visit.page.get_by_role("button", name="Rows after").click()
        assert (first.inner_text(), told.inner_text()) == ("104", "26 to 50 of 130 rows")
        visit.page.get_by_role("searchbox").fill("P-00 5")
        assert told.inner_text() == "1 to 25 of 100 rows found, of 130"
        visit.page.get_by_role("searchbox").fill("p-0007")
        assert (rows.count(), told.inner_text()) == (1, "1 row found, of 130")
        visit.page.get_by_role("searchbox").fill("")
        visit.page.get_by_role("combobox").select_option("500")
        assert (rows.count(), told.inner_text()) == (130, "130 rows")
        assert not visit.problems
        assert not visit.violations()


def test_absent_values_are_last_both_ways_and_numbers_of_38_digits_in_their_order(kernel, tmp_path, browser):
    with visiting(browser, opened(shown(kernel, tmp_path, VALUES), tmp_path)) as visit:
        head = visit.page.get_by_role("button", name="n", exact=True)
        for expected in (["9", str(BIG[1]), str(BIG[0]), ""], [str(BIG[0]), str(BIG[1]), "9", ""]):
            head.click()
            assert visit.page.locator("tbody tr td:nth-child(2)").all_inner_texts() == expected
        assert not visit.problems, "nothing of the data ran"


def test_without_scripts_every_row_is_there(table, browser):
    with visiting(browser, table, script=False) as visit:
        assert visit.page.locator("tbody tr:visible").count() == 130
        assert visit.page.locator("input, button").count() == 0


def test_on_a_phone_a_wide_table_scrolls_in_its_box_and_its_first_column_stays(table, browser):
    with visiting(browser, table, width=PHONE, dark=True) as visit:
        assert not visit.cut()
        box = visit.page.locator(".box")
        assert box.evaluate("box => box.scrollWidth > box.clientWidth")
        box.evaluate("box => { box.scrollLeft = 500 }")
        assert visit.page.locator("tbody td").first.bounding_box()["x"] < 30
        assert not visit.violations()


def test_paper_has_the_first_rows_and_the_columns_there_is_room_for_and_says_so(table, browser, tmp_path):
    with visiting(browser, table) as visit:
        visit.page.get_by_role("button", name="n", exact=True).click()
        text = printed(visit.page, tmp_path / "page.pdf")
    assert len(re.findall(r"(?m)^\s*p-\d{4}\s", text)) == 50
    assert re.search(r"p-0000\s+0\s+text 0\s+text 1", text)
    assert len(re.findall(r"(?m)^\s*pk\s+n\s+column 0", text)) == text.count("\f") == 2, "on each page"
    assert "at most 50 rows of 130; all are in tables/01.csv" in re.sub(r"\s+", " ", text)
    assert re.search(
        r"Not printed: \d of 14 columns \(column \d+, .*they are in tables/01\.csv", re.sub(r"\s+", " ", text)
    )


def test_a_page_that_failed_leads_to_its_cell(kernel, tmp_path, browser):
    failed = CellFailure(number=1, heading="Where?", error=f"KeyError: {ATTACK}")
    error = new_output("error", ename="KeyError", evalue=ATTACK, traceback=["a", "b"])
    cells = [new_markdown_cell("# How many?\n## Where?"), new_code_cell("x", outputs=[error])]
    text = page.render(new_notebook(cells=cells), record(status=Status.FAILED, failed_cell=failed), tmp_path)
    with visiting(browser, opened(text, tmp_path), dark=True) as visit:
        visit.page.get_by_role("link", name="Cell 1").click()
        assert visit.page.url.endswith("#failed-cell")
        assert not visit.problems
        assert not visit.violations()
        assert not visit.cut()
