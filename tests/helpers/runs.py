"""Records of runs as a suite leaves them, without running it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random

from workbench.reports.record import Alert, CellFailure, Headline, RunFile, RunRecord, Status, Window

BEGAN = datetime(2026, 10, 22, 6, tzinfo=UTC)
FILES = [
    "report.html",
    "notebook.ipynb",
    *(f"figures/0{n}{end}" for n in (1, 2) for end in (".png", ".svg", "-narrow.svg")),
    "tables/01.csv",
    "tables/01.parquet",
    "tables/02.csv",
    "tables/02.parquet",
]
HOSTILE = "a\"><script>alert('x')</script>\u202e/../<b>"


def record(name: str = "daily-persons", at: datetime = BEGAN, **given: object) -> RunRecord:
    """Make a record of a complete run, with what is given in the place of its own."""
    made: dict[str, object] = {
        "name": name,
        "run": f"{at:%Y-%m-%dT%H-%M-%SZ}",
        "notebook": "03_change_frequency.ipynb",
        "title": "What changes, how often, and when?",
        "status": Status.COMPLETE,
        "started": at,
        "seconds": 12.34,
        "tables": ["persons"],
        "source": "the embedded lake",
        "engine": "duckdb",
        "files": [RunFile(path=path, bytes=1000, sha256="0" * 64) for path in FILES],
    }
    return RunRecord.model_validate(made | given)


def headline(name: str, value: float, *, share: bool = False) -> Headline:
    """Make a headline as `workbench.reports.headlines` notes it."""
    text = f"{value * 100:.1f}%" if share else f"{value:,.0f}"
    return Headline(name=name, value=value, text=text, kind="share" if share else "number")


def month(reports: int = 5, days: int = 30, seed: int = 0) -> Iterator[RunRecord]:
    """Yield the runs of a suite, day by day: some fail, some break a rule, one is paid for, one has stopped running."""
    random = Random(seed)
    names = ["daily-persons", "daily-orders", "quality-persons", "state-orders", "ready"]
    for number in range(reports):
        name = names[number] if number < len(names) else f"report-{number:03}"
        for day in range(days):
            at = BEGAN + timedelta(days=day, minutes=number)
            if name == "ready" and day > days - 4:
                continue  # nobody runs it any more
            changes = round(1000 + 300 * math.sin(day / 4 + number) + random.gauss(0, 60))
            deletes = max(0.0, random.gauss(0.035, 0.012)) + (
                0.05 if name == "quality-persons" and day == days - 1 else 0
            )
            failed = random.random() < 0.06 or (name == "daily-orders" and day == days - 1)
            rule = Alert(rule="deletes > 5%", says=f"deletes is {deletes * 100:.1f}%")
            yield record(
                name,
                at,
                status=Status.FAILED
                if failed
                else Status.EMPTY
                if name == "state-orders" and day % 9 == 8
                else Status.COMPLETE,
                seconds=10 + random.random() * 5,
                window=Window(
                    asked="yesterday",
                    start=at.replace(hour=0, minute=0) - timedelta(days=1),
                    end=at.replace(hour=0, minute=0),
                ),
                headlines=[]
                if failed or name == "ready"
                else [
                    headline("changes", changes),
                    headline("deletes", deletes, share=True),
                    headline("items", 10_000 + 37 * day),
                ],
                alerts=[rule] if deletes > 0.05 and not failed else [],
                failed_cell=CellFailure(
                    number=3,
                    heading="How often does the table change?",
                    error="QueryError: the log of orders cannot be read: data/orders/2026/11/20/05/orders-1.json.gz is cut off",
                )
                if failed
                else None,
                newest_arrival=at - timedelta(minutes=random.randrange(5, 90)),
                engine="athena" if name == "daily-orders" else "duckdb",
                cost=0.0123 if name == "daily-orders" else 0.0,
                scanned=2_460_000_000 if name == "daily-orders" else 0,
                tables=["orders"] if name.endswith("orders") else ["persons"] if name.endswith("persons") else [],
            )
