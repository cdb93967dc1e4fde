"""A log of a million changes: the auditor's questions beside DuckDB's bare scan of the same files, in one run.

Each measurement is a process of its own; they take turns, and the median of the rounds is shown. Compare
within a table only: these machines are shared. `python benchmarks/audit.py [CHANGES] [ROUNDS]`
"""

from __future__ import annotations

import statistics
import sys
from datetime import UTC, datetime

from latest_state import HOME, MAXIMA, measured

from workbench import Workbench

SCAN = """
con = duckdb.connect(config={{"preserve_insertion_order": False}})
con.execute("set enable_progress_bar = false")
con.execute("select {columns} from read_parquet('{data}/**/*.parquet')").fetchall()
"""
ASK = """
result = Workbench(home="{home}").{question}
extra = dict(query=result.stats.seconds, rows=len(result.df))
"""
QUESTIONS = {
    "data_quality": 'data_quality("persons")',
    "history of one item": 'item_history("persons", "pk=p-000003")',
    "diff of two days": 'diff("persons", "2026-01-20", "2026-01-21")',
    "reconcile with the store": 'reconcile("persons")',
    "frequency by attribute": 'change_frequency("persons", by="attribute")',
    "frequency by interval": 'change_frequency("persons", by="interval")',
    "changes where age > 90": 'changes("persons", where="person.age > 90")',
}


def main(changes: int = 1_000_000, rounds: int = 3) -> None:
    home = HOME / "parquet"
    wb = Workbench(home=home)
    made = wb.generate(
        "persons",
        items=changes // 10,
        changes=changes,
        layout="parquet",
        start=datetime(2026, 1, 5, tzinfo=UTC),
        end=datetime(2026, 2, 2, tzinfo=UTC),
    )
    data = (wb.settings.lake / "data" / "persons").resolve()
    size = sum(path.stat().st_size for path in data.rglob("*.parquet")) / 1e6
    print(f"\nparquet: {made.changes:,} changes of {made.items:,} items, {made.objects:,} objects, {size:,.0f} MB")
    bodies = {"DuckDB bare scan": (SCAN.format(columns=MAXIMA["envelope"], data=data), "import duckdb")}
    bodies |= {
        name: (ASK.format(home=home.resolve(), question=question), "from workbench import Workbench")
        for name, question in QUESTIONS.items()
    }
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in bodies}
    for _ in range(rounds):
        for name, (body, imports) in bodies.items():
            runs[name].append(measured(body, imports))
    scan = statistics.median(run["seconds"] for run in runs["DuckDB bare scan"])
    print(f"{'':26} {'with frame s':>13} {'of scan':>8} {'process s':>10} {'peak MB':>8} {'rows':>9}")
    for name, done in runs.items():
        middle = {key: statistics.median(run[key] for run in done) for key in done[0]}
        print(
            f"{name:26} {middle['seconds']:13.2f} {middle['seconds'] / scan:7.2f}x {middle['process']:10.2f} "
            f"{middle['peak']:8,.0f} {middle.get('rows', 1):9,.0f}"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
