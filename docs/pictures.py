"""Takes the pictures of README and the site: ``make pictures``, with Debian's chromium.

Each is what the program shows of the tables that ``start.md`` makes, as a browser renders it.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from PIL import Image, ImageChops

from tests.docs.console import make_lake
from tests.helpers.browser import started
from tests.helpers.lab import run_all, serving
from workbench import Workbench, charts
from workbench.questions.quality import Quality
from workbench.reports import read_suite, run_reports

HERE = Path(__file__).resolve().parent
WIDTH, SCALE, COLOURS = 860, 2, 96
SUITE = """
[defaults]
window = "yesterday"

[reports.daily]
notebook = "03_change_frequency"
tables = ["persons", "orders"]
alert = ["deletes > 10%", "changes drops 50%"]
"""
PAGE = """<!DOCTYPE html><meta charset="utf-8"><style>
body {{ margin: 16px; background: #fff; color: #1f2328; font: 14px/1.45 system-ui, sans-serif; }}
</style>{}"""


def main() -> None:
    """Make the tables and their reports in a folder of their own, and take the pictures."""
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        make_lake()
        wb = Workbench()
        run_suite()
        history = wb.item_history("persons", "pk=p-000075", start="2025-11-18T11:00", end="2025-11-20T11:00")
        Path("history.html").write_text(PAGE.format(history._repr_html_()), encoding="utf-8")
        quality = wb.data_quality("persons", end="2025-11-21")
        Path("quality.html").write_text(PAGE.format(quality._repr_html_()), encoding="utf-8")
        draw(wb, quality)
        take("reports/index.html", "reports", 860)
        take("history.html", "history", 1_000)
        take("quality.html", "quality", 1_100)
        explore(Path(folder, "lab"))


def explore(root: Path) -> None:
    """Take the explorer's picture in JupyterLab, of generated orders."""
    root.mkdir()
    Workbench().generate("orders", changes=2_800, seed=7, start="2025-11-17", end="2025-11-21", progress=False)
    with serving(root, Path(".workbench").absolute(), "00_explore.ipynb") as address, started() as browser:
        page = browser.new_page(viewport={"width": 1_180, "height": 1_400}, device_scale_factor=SCALE)
        page.goto(address)
        run_all(page)
        page.wait_for_selector(".wbx-table table")
        slider = page.get_by_role("slider", name="Instant, UTC", exact=True)
        slider.press("PageDown")
        slider.press("PageDown")
        page.wait_for_function("!document.querySelector('.wbx-waiting')")
        page.locator(".wbx").screenshot(path="explorer.png")
    keep(Image.open("explorer.png").convert("RGB"), "explorer")


def run_suite() -> None:
    """Run a suite as a schedule would, on each of six days, so that its index has something to compare."""
    wb = Workbench(home="suite")
    for dataset in ("persons", "orders"):
        wb.generate(dataset, changes=5_000, seed=7, start="2025-11-14", end="2025-11-21")
    Path("reports.toml").write_text(SUITE, encoding="utf-8")
    suite = read_suite("reports.toml")
    for day in range(6):
        at = datetime(2025, 11, 16, 6, tzinfo=UTC) + timedelta(days=day)
        with patch("workbench.model.times.now", lambda at=at: at):
            for report in run_reports(suite.plan(at), "reports", settings={"home": "suite", "known_at": at}):
                print(report.html)


def draw(wb: Workbench, quality: Quality) -> None:
    """Draw each chart, of the generated persons."""
    hourly = wb.change_frequency("persons", every="1h")
    answers = {
        "change_frequency": hourly,
        "live_items": hourly,
        "weekday_hour": hourly,
        "delivery_lag": quality,
        "attribute_heatmap": wb.change_frequency("persons", by="attribute", every="3h"),
        "hot_keys": wb.change_frequency("persons", by="key", limit=10),
        "concentration": wb.change_frequency("persons", by="concentration"),
        "intervals": wb.change_frequency("persons", by="interval"),
    }
    for name, answer in answers.items():
        getattr(charts, name)(answer).figure.savefig(f"{name}.png", dpi=130)
        keep(Image.open(f"{name}.png").convert("RGB"), f"charts/{name}")


def take(page: str, name: str, height: int) -> None:
    """Render a page, and cut off what is empty below it."""
    shot = Path(f"{name}.png").absolute()
    subprocess.run(
        [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--screenshot={shot}",
            f"--window-size={WIDTH},{height}",
            f"--force-device-scale-factor={SCALE}",
            Path(page).absolute().as_uri(),
        ],
        check=True,
        capture_output=True,
    )
    picture = Image.open(shot).convert("RGB")
    filled = ImageChops.difference(picture, Image.new("RGB", picture.size, picture.getpixel((1, 1)))).getbbox()
    bottom = min(picture.height, (filled[3] if filled else 0) + 12 * SCALE)
    keep(picture.crop((0, 0, picture.width, bottom)), name)


def keep(picture: Image.Image, name: str) -> None:
    """Keep a picture in few colours."""
    kept = picture.quantize(COLOURS, dither=Image.Dither.NONE)
    kept.save(HERE / f"{name}.png", optimize=True)
    print(f"{name}.png: {kept.width} x {kept.height}, {(HERE / f'{name}.png').stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
