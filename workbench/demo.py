"""The demonstration: three tables with a past, a report of each kind, and what was found in a few lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from workbench.errors import ReportError, StoreError
from workbench.paths import local_path
from workbench.reports import run_report
from workbench.reports.runs import INDEX, Runs
from workbench.text import count
from workbench.workbench import Workbench

TABLES = ("persons", "heartrate", "orders")


def run_demo(wb: Workbench, notebooks: Path, out: str | Path, *, changes: int = 20_000) -> Iterator[str]:
    """Generate the tables where they are missing, run the notebooks, and yield lines that say what was found.

    In one night a job cancelled orders by mistake: the reports on `orders` show it, and what would take it back.

    Raises
    ------
    NotPublished
        When reports cannot be written there; nothing was made then.
    StoreError
        When a table cannot be made, but for one that is there already and was not generated: that is kept.
    ReportError
        Naming the first cell that failed, once all reports and their index are written.
    """
    out = local_path(out, ReportError, "write the demonstration's reports to a folder")
    Runs.of(out, wb.settings).refuse()  # before minutes are spent
    made = []
    for dataset in TABLES:
        try:
            yield str(wb.generate(dataset, changes=changes, keep=True, bad_night=dataset == "orders"))
            made.append(dataset)
        except StoreError:
            if dataset not in set(wb.tables()["table"]):
                raise
            yield f"{dataset}: a table that was not generated is there already, and kept"
    night = _bad_night(wb) if "orders" in made else pd.DataFrame()
    yield from _found(wb, night)
    reports = []
    for name, parameters in _runs(made, changes, night):
        reports.append(run_report(notebooks / f"{name}.ipynb", parameters, out))
        yield f"{reports[-1].html} ({reports[-1].record.seconds:.1f} s)"
    cloned = Path(".venv/bin/workbench").is_file()
    program, lab = (".venv/bin/workbench", "make lab") if cloned else ("workbench", "jupyter lab")
    item = "persons" if night.empty else f"orders --key order_id={night['order_id'].iloc[0]}"
    looks = {
        str(out / INDEX): "all reports; 07_undo takes the night back",
        f"{program} item_history {item}": "what happened to one item",
        lab: "ask on, in notebooks",
    }
    yield "Three things to look at:"
    yield from (f"  {look:<64}  {what}" for look, what in looks.items())
    for report in reports:
        if failed := report.record.failed_cell:
            raise ReportError(
                f"{report.record.notebook}: cell {failed.number} ({failed.heading}) failed: {failed.error}; "
                f"see {report.html}"
            )


def _bad_night(wb: Workbench) -> pd.DataFrame:
    """Return the changes that the job made which is wrong, by time; none where `orders` was made without it."""
    by_job: pd.DataFrame = wb.changes("orders", where="new.updated_by = 'job:clean-up'").df
    night: pd.DataFrame = by_job[by_job["ts"] < by_job["ts"].min() + pd.Timedelta("2min")]
    return night


def _found(wb: Workbench, night: pd.DataFrame) -> Iterator[str]:
    """Yield a line of what each table tells."""
    now = wb.latest_state("persons")
    took = f"{count(now.stats.objects, 'object')} in {now.stats.seconds:.2f} s"
    yield f"persons: {count(len(now), 'item')} now, from {took}"
    week = wb.change_frequency("heartrate", every="1h").df
    busiest = week.sort_values("changes", ascending=False).iloc[0]
    yield (
        f"heartrate: {week['changes'].sum():,} changes, {week['ttl_removes'].sum():,} of them expiries; "
        f"busiest hour {busiest['bucket']:%a %d %b %H:%M} UTC ({busiest['changes']:,} changes)"
    )
    if len(night):
        yield (
            f"orders: {count(len(night), 'order')} cancelled by a job within two minutes, "
            f"on {night['ts'].min():%a %d %b} from {night['ts'].min():%H:%M} UTC on"
        )
    yield wb.data_quality("persons").verdict


def _runs(made: list[str], changes: int, night: pd.DataFrame) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the notebooks that are run, with their parameters."""
    yield "00_setup_check", {}
    if made:
        yield "01_generate_data", {"dataset": made[0] if len(made) == 1 else "all", "changes": str(changes)}
    yield "02_latest_state", {"table": "persons"}
    yield "03_change_frequency", {"table": "heartrate"}
    yield "04_item_history", {"table": "persons"}
    yield "05_data_quality", {"table": "persons", "against": "live"}
    if night.empty:
        yield "06_time_travel", {}
        yield "07_undo", {"table": "orders"}
        return
    began = night["ts"].min().floor("min")
    start, end = (f"{at:%Y-%m-%dT%H:%MZ}" for at in (began, began + pd.Timedelta("1h")))
    yield "06_time_travel", {"as_of": start}
    yield "07_undo", {"table": "orders", "start": start, "end": end, "actor_is": "updated_by=job:clean-up"}
