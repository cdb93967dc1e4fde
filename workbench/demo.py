"""The demonstration: two tables, six reports, and what was found in a few lines."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from workbench.errors import ReportError, StoreError
from workbench.paths import local_path
from workbench.reports import run_report
from workbench.reports.runs import INDEX
from workbench.text import count
from workbench.workbench import Workbench


def run_demo(wb: Workbench, notebooks: Path, out: str | Path, *, changes: int = 20_000) -> Iterator[str]:
    """Generate both tables where they are missing, run the notebooks, and yield lines that say what was found.

    Raises
    ------
    ReportError
        Naming the first cell that failed, once all reports and their index are written.
    """
    out, made = local_path(out, ReportError, "write the demonstration's reports to a folder"), []
    for dataset in ("persons", "heartrate"):
        try:
            wb.generate(dataset, changes=changes, keep=True)
            made.append(dataset)
        except StoreError:
            yield f"{dataset}: a table that was not generated is there already, and kept"
    now = wb.latest_state("persons")
    took = f"{count(now.stats.objects, 'object')} in {now.stats.seconds:.2f} s"
    yield f"persons: {count(len(now.df), 'item')} now, from {took}"
    week = wb.change_frequency("heartrate", every="1h").df
    busiest = week.sort_values("changes", ascending=False).iloc[0]
    yield (
        f"heartrate: {week['changes'].sum():,} changes, {week['ttl_removes'].sum():,} of them expiries; "
        f"busiest hour {busiest['bucket']:%a %d %b %H:%M} UTC ({busiest['changes']:,} changes)"
    )
    yield wb.data_quality("persons").verdict
    runs: list[tuple[str, dict[str, str]]] = [("00_setup_check", {})]
    if made:
        dataset = made[0] if len(made) == 1 else "both"
        runs.append(("01_generate_data", {"dataset": dataset, "changes": str(changes)}))
    runs += [
        ("02_latest_state", {"table": "persons"}),
        ("03_change_frequency", {"table": "heartrate"}),
        ("04_item_history", {"table": "persons"}),
        ("05_data_quality", {"table": "persons", "against": "live"}),
    ]
    reports = []
    for name, parameters in runs:
        reports.append(run_report(notebooks / f"{name}.ipynb", parameters, out))
        yield f"{reports[-1].html} ({reports[-1].record.seconds:.1f} s)"
    index = out / INDEX
    cloned = Path(".venv/bin/workbench").is_file()
    more = "`.venv/bin/workbench --help` or `make lab`" if cloned else "`workbench --help`"
    yield f"Look at {index}; ask more with {more}."
    for report in reports:
        if failed := report.record.failed_cell:
            raise ReportError(
                f"{report.record.notebook}: cell {failed.number} ({failed.heading}) failed: {failed.error}; "
                f"see {report.html}"
            )
