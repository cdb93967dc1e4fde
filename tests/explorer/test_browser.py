"""The explorer as people have it: JupyterLab in a browser, moved by keys and clicks, and read."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers.browser import PHONE, WIDE, Visit, chromium, visiting
from tests.helpers.lab import command, run_all, serving
from workbench import Workbench

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.slow, pytest.mark.server]


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """A lake of orders, the same on any day."""
    folder = tmp_path_factory.mktemp("explored")
    made = {"items": 120, "changes": 900, "seed": 7, "start": "2025-11-17", "end": "2025-11-21"}
    Workbench(home=folder / ".workbench").generate("orders", **made, progress=False)
    return folder / ".workbench"


@pytest.fixture(scope="module")
def lab(processes: None, home: Path, tmp_path_factory) -> Iterator[str]:
    """JupyterLab on the shipped notebook; its address."""
    pytest.importorskip("jupyterlab", reason="JupyterLab, of the extra lab, is not installed")
    pytest.importorskip("anywidget", reason="anywidget, of the extra lab, is not installed")
    chromium()
    with serving(tmp_path_factory.mktemp("lab"), home, "00_explore.ipynb") as address:
        yield address


@pytest.fixture(scope="module")
def visit(lab: str, browser: Browser) -> Iterator[Visit]:
    """The notebook, all of it run."""
    with visiting(browser, lab) as visit:
        page = visit.page
        run_all(page)
        page.wait_for_selector(".wbx-table table")
        yield visit


@pytest.fixture
def page(visit: Visit) -> Iterator[Page]:
    """The page, as it was at first: the handle at the newest change, all else as it comes; nothing may have failed."""
    page = visit.page
    page.set_viewport_size({"width": WIDE, "height": 844})
    if page.get_by_label("compare with another instant").is_checked():
        page.get_by_label("compare with another instant").uncheck()
    moved(page, lambda: page.get_by_role("button", name="Clear").click())
    moved(page, lambda: typed(page, "2025-11-20T12:00Z"))
    yield page
    assert visit.problems == []


def moved(page: Page, act: Any) -> None:
    """Do something, and wait until what is seen is what it led to."""
    act()
    page.wait_for_function("!document.querySelector('.wbx-waiting')")


def typed(page: Page, text: str) -> None:
    field = page.locator(".wbx-typed").first
    field.fill(text)
    field.press("Enter")


def rows(page: Page, column: int = 0) -> list[str]:
    return page.locator(f".wbx-table tbody tr > :nth-child({column + 1})").all_inner_texts()


def headline(page: Page) -> str:
    return page.locator(".wbx-head").inner_text()


def column(page: Page, name: str) -> int:
    heads = page.locator(".wbx-table thead th").all_inner_texts()
    return next(at for at, head in enumerate(heads) if head.split("\n")[0].split(" ")[0] == name)


def test_the_handle_is_moved_by_keys_and_by_typing_and_the_table_is_the_state_there(page, home):
    wb = Workbench(home=home)
    slider = page.get_by_role("slider", name="Instant, UTC", exact=True)
    for keys in (["Home"], ["PageUp", "PageUp", "PageUp", "ArrowRight"], ["End", "PageDown", "ArrowLeft"]):
        for key in keys:
            moved(page, lambda key=key: slider.press(key))
        told = slider.get_attribute("aria-valuetext").removesuffix(" UTC")
        df = wb.latest_state("orders", as_of=f"{told}Z").df
        assert headline(page) == f"orders at {told} UTC: {len(df)} item{'s' * (len(df) != 1)}"
        assert rows(page) == df["order_id"].tolist()[:50]
        assert page.locator(".wbx-typed").first.input_value() == told
    moved(page, lambda: typed(page, "2025-11-18 09:30:00.5"))
    assert headline(page).startswith("orders at 2025-11-18 09:30:00.500000 UTC: ")
    before = headline(page)
    moved(page, lambda: typed(page, "whenever"))
    assert "'whenever' is not an instant" in page.get_by_role("alert").inner_text()
    assert headline(page) == before, "nothing moves"
    moved(page, lambda: page.get_by_role("button", name="To the next change").click())
    assert page.get_by_role("alert").is_hidden()
    at = datetime.fromisoformat(page.locator(".wbx-typed").first.input_value()).replace(tzinfo=UTC)
    assert at in set(wb.changes("orders").df["ts"].dt.to_pydatetime())
    wb.close()


def test_sorting_and_filtering_are_of_the_whole_state_and_the_sql_is_what_is_seen(page, home):
    wb = Workbench(home=home)
    df = wb.latest_state("orders", as_of="2025-11-20T12:00Z").df
    assert len(df) > 50
    at = column(page, "total")
    head = page.locator(f'.wbx-table thead button[data-column="{at}"]')
    moved(page, head.click)
    assert page.locator(".wbx-table th[aria-sort=ascending]").inner_text().startswith("total")
    assert [float(each) for each in rows(page, at)] == df["total"].sort_values().tolist()[:50]
    assert page.evaluate("document.activeElement.dataset.column") == str(at), "the focus stays"
    moved(page, lambda: page.keyboard.press("Enter"))
    assert [float(each) for each in rows(page, at)] == df["total"].sort_values(ascending=False).tolist()[:50]
    moved(page, lambda: page.get_by_role("button", name="Last").click())
    last = df["total"].sort_values(ascending=False).tolist()[(len(df) - 1) // 50 * 50 :]
    assert [float(each) for each in rows(page, at)] == last
    page.get_by_role("textbox", name="Filter").fill("status in ('paid', 'placed') and total > 50")
    moved(page, lambda: page.get_by_role("textbox", name="Filter").press("Enter"))
    chosen = df[df["status"].isin(["paid", "placed"]) & (df["total"] > 50)]
    assert 0 < len(chosen) < 50
    assert headline(page).endswith(f": {len(chosen)} of {len(df)} items")
    assert [float(each) for each in rows(page, at)] == chosen["total"].sort_values(ascending=False).tolist()
    page.locator(".wbx summary").click()
    text = page.locator('.wbx pre[aria-label="SQL"]').inner_text()
    assert wb.query(text).df["order_id"].tolist() == rows(page)
    page.locator(".wbx summary").click()
    moved(page, head.click)  # by key again
    assert rows(page) == chosen["order_id"].tolist()
    wb.close()


def test_a_click_on_an_item_tells_its_story_and_goes_there(page, home):
    wb = Workbench(home=home)
    name = rows(page)[0]
    page.get_by_role("button", name=name, exact=True).click()
    page.wait_for_selector(".wbx-told > li")
    versions = wb.versions("orders", key=f"order_id={name}").df
    whens = page.locator(".wbx-told li > button").all_inner_texts()
    began = {each.strftime("%Y-%m-%d %H:%M:%S.%f") for each in versions["valid_from"]}
    assert began <= {each if "." in each else f"{each}.000000" for each in whens}
    assert len(whens) == len(versions) + versions["ended_by"].isin(["remove", "ttl"]).sum()
    assert page.locator(".wbx-told > li").last.inner_text().split("\n")[0].endswith("inserted")
    assert "→" in page.locator(".wbx-told > li").first.inner_text()
    moved(page, lambda: page.locator(".wbx-told li > button").last.click())
    assert whens[-1] in headline(page)
    page.get_by_role("button", name="Close").click()
    assert page.locator(".wbx-item").is_hidden()
    wb.close()


def test_a_second_handle_tells_what_was_added_removed_and_changed(page, home):
    wb = Workbench(home=home)
    moved(page, lambda: page.get_by_label("compare with another instant").check())
    second = page.get_by_role("slider", name="Instant to compare with, UTC")
    moved(page, lambda: second.press("PageUp"))
    before = second.get_attribute("aria-valuetext").removesuffix(" UTC")
    found = wb.diff("orders", f"{before}Z", "2025-11-20T12:00Z")
    told = ", ".join(f"{found.items[each]} {each}" for each in ("added", "removed", "changed"))
    assert page.locator(".wbx-difference").inner_text().startswith(told)
    assert found.items["changed"]
    changed = {row["order_id"]: row["path"] for row in found.df.to_dict("records") if row["item"] == "changed"}
    shown = dict(zip(rows(page), rows(page, 2), strict=True))
    assert sum(bool(text) for text in shown.values()) > 3
    for name, text in shown.items():
        assert (name.removeprefix("order_id=") in changed) == bool(text)
    moved(page, lambda: page.get_by_role("button", name="Items", exact=True).click())
    assert len(rows(page)) == 50
    wb.close()


@pytest.mark.parametrize("theme", ["JupyterLab Dark", "JupyterLab Light"])
def test_axe_finds_nothing_in_light_and_in_dark_and_nothing_is_cut_off_on_a_phone(page, theme):
    from axe_playwright_python.sync_playwright import Axe

    command(page, "apputils:change-theme", theme=theme)
    page.wait_for_function(f"document.body.dataset.jpThemeName === '{theme}'")
    page.wait_for_timeout(500)  # the style sheet has come, and what fades has faded
    moved(page, lambda: page.get_by_label("compare with another instant").check())
    page.locator(".wbx-key").first.click()
    page.wait_for_selector(".wbx-told > li")
    found = Axe().run(page, ".wbx").response["violations"]
    assert [f"{each['id']}: {node['html'][:200]}" for each in found for node in each["nodes"]] == []
    for mode in ("Items", "Difference"):
        page.set_viewport_size({"width": PHONE, "height": 844})
        moved(page, lambda mode=mode: page.get_by_role("button", name=mode, exact=True).click())
        width = page.evaluate("(node => node.scrollWidth - node.clientWidth)(document.querySelector('.wbx'))")
        assert width <= 0, f"{mode} is {width} px wider than its cell"
    if folder := os.environ.get("SCREENSHOTS"):  # to be looked at
        page.locator(".wbx").screenshot(path=f"{folder}/{theme[-5:].strip()}-phone.png")
        page.set_viewport_size({"width": WIDE, "height": 844})
        page.locator(".wbx").screenshot(path=f"{folder}/{theme[-5:].strip()}-wide.png")


def test_what_is_set_in_python_moves_what_is_seen(page):
    code = "explorer.at = '2025-11-18T06:00Z'; explorer.where = 'total > 100'"
    page.evaluate(
        "code => window.jupyterapp.shell.currentWidget.sessionContext.session.kernel.requestExecute({code}).done", code
    )
    page.wait_for_function("document.querySelector('.wbx-where').value === 'total > 100'")
    assert headline(page).startswith("orders at 2025-11-18 06:00:00 UTC: ")
