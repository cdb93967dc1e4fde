"""A log of a million changes: latest state beside DuckDB's bare scan of the same files, in one run.

Each measurement is a process of its own; they take turns, and the median of the rounds is shown. Compare
within a table only: these machines are shared. `python benchmarks/latest_state.py [CHANGES] [ROUNDS]`
"""

from __future__ import annotations

import json
import shutil
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from workbench import Workbench

HOME = Path(".workbench/benchmark")
RAW = """{eventID: 'VARCHAR', eventName: 'VARCHAR', tableName: 'VARCHAR', userIdentity: 'JSON',
    dynamodb: 'STRUCT(ApproximateCreationDateTime BIGINT, ApproximateCreationDateTimePrecision VARCHAR, Keys JSON,
    NewImage JSON, OldImage JSON, SizeBytes BIGINT)'}"""
ENVELOPE = """{event_id: 'VARCHAR', event_name: 'VARCHAR', table_name: 'VARCHAR', ts: 'VARCHAR', keys: 'VARCHAR',
    new_image: 'VARCHAR', old_image: 'VARCHAR', size_bytes: 'BIGINT', by_ttl: 'BOOLEAN'}"""
SCAN = """
con = duckdb.connect(config={{"preserve_insertion_order": False}})
con.execute("set enable_progress_bar = false")
con.execute('''select {columns} from read_json('{data}/**/*.gz', format='newline_delimited', records=true,
    auto_detect=false, columns={types})''').fetchall()
"""
MAXIMA = {
    "raw": "max(eventID), max(eventName), max(tableName), max(dynamodb.Keys), max(dynamodb.NewImage), "
    "max(dynamodb.OldImage), max(dynamodb.ApproximateCreationDateTime)",
    "envelope": "max(event_id), max(event_name), max(table_name), max(ts), max(keys), max(new_image), max(old_image)",
}
LATEST = """
result = Workbench("{data}", memory_limit={limit!r}, checkpoints="{kept}").latest_state("persons")
extra = dict(query=result.stats.seconds, rows=len(result.df), ties=result.stats.ambiguous_ties)
"""
FREQUENCY = """
result = Workbench("{data}").change_frequency("persons", every="1h")
extra = dict(query=result.stats.seconds)
"""
WRAP = """
import json, resource, time
{imports}
began = time.perf_counter()
extra = {{}}
{body}
seconds = time.perf_counter() - began
print(json.dumps(dict(seconds=seconds, peak=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, **extra)))
"""


def measured(body: str, imports: str) -> dict[str, float]:
    code = WRAP.format(imports=imports, body=body)
    began = time.perf_counter()
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return json.loads(ran.stdout) | {"process": time.perf_counter() - began}


def keep(data: Path, place: Path) -> float:
    """Make a checkpoint of all but the newest hundredth of the objects, and return the seconds it took."""
    objects = sorted(path for path in data.rglob("*") if path.is_file())
    newest = objects[-max(1, len(objects) // 100) :]
    shutil.rmtree(place, ignore_errors=True)
    aside = [path.rename(path.with_name(f".{path.name}")) for path in newest]  # which no log has
    try:
        ask = f'extra = dict(made=str(Workbench("{data}", checkpoints="{place}").checkpoint("persons")))'
        return measured(ask, "from workbench import Workbench")["seconds"]
    finally:
        for there, path in zip(aside, newest, strict=True):
            there.rename(path)


def main(changes: int = 1_000_000, rounds: int = 3) -> None:
    for layout, types in (("raw", RAW), ("envelope", ENVELOPE)):
        wb = Workbench(home=HOME / layout)
        made = wb.generate(
            "persons",
            items=changes // 10,
            changes=changes,
            layout=layout,
            start=datetime(2026, 1, 5, tzinfo=UTC),
            end=datetime(2026, 2, 2, tzinfo=UTC),
        )
        data = (wb.settings.lake / "data" / "persons").resolve()
        size = sum(path.stat().st_size for path in data.rglob("*.gz")) / 1e6
        print(
            f"\n{layout}: {made.changes:,} changes of {made.items:,} items, {made.objects:,} gz objects, {size:,.0f} MB"
        )
        kept = (HOME / layout / "kept").resolve()
        print(f"a checkpoint of 99 % of them took {keep(data, kept):,.1f} s")
        bodies = {
            "DuckDB bare scan": (SCAN.format(columns=MAXIMA[layout], data=data, types=types), "import duckdb"),
            "latest_state": (LATEST.format(data=data, limit=None, kept="off"), "from workbench import Workbench"),
            "from a checkpoint": (LATEST.format(data=data, limit=None, kept=kept), "from workbench import Workbench"),
            "the same in 1 GB": (LATEST.format(data=data, limit="1GB", kept="off"), "from workbench import Workbench"),
            "change_frequency": (FREQUENCY.format(data=data), "from workbench import Workbench"),
        }
        runs: dict[str, list[dict[str, float]]] = {name: [] for name in bodies}
        for _ in range(rounds):
            for name, (body, imports) in bodies.items():
                runs[name].append(measured(body, imports))
        scan = statistics.median(run["seconds"] for run in runs["DuckDB bare scan"])
        print(
            f"{'':18} {'answer s':>9} {'of scan':>8} {'with frame s':>13} {'of scan':>8} {'process s':>10} {'peak MB':>8}"
        )
        for name, done in runs.items():
            middle = {key: statistics.median(run[key] for run in done) for key in done[0]}
            answer = middle.get("query", middle["seconds"])
            print(
                f"{name:18} {answer:9.2f} {answer / scan:7.2f}x {middle['seconds']:13.2f} "
                f"{middle['seconds'] / scan:7.2f}x {middle['process']:10.2f} {middle['peak']:8,.0f}"
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
