"""Can the log be trusted? The answer: its findings, the verdict on them, and how it shows itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Self

import pandas as pd

from workbench.model.attribute_paths import column_name
from workbench.model.masked_values import UNMATCHED
from workbench.model.times import Moment, duration, window
from workbench.questions.asking import Asking
from workbench.questions.examination import examine
from workbench.questions.findings import FINDINGS
from workbench.questions.html import fragment
from workbench.questions.masking import beside
from workbench.questions.result import Order, Result

VERDICTS = {
    "ok": "the log can be trusted",
    "note": "the log can be trusted; there is something to know",
    "warning": "the log can be trusted within limits",
    "failed": "the log is not complete: do not rely on it for what it lacks",
}
"""What to say of a log by the worst status of its findings, from good to bad."""
_SEVERITY = {status: number for number, status in enumerate(VERDICTS)}


@dataclass(frozen=True, kw_only=True, repr=False, eq=False)
class Quality(Result):
    """The answer to whether a log can be trusted.

    Attributes
    ----------
    df
        One row a finding: finding, status (ok, note, warning, failed), count, share (0 to 1, of what `of` says),
        of, examples (a list of texts), meaning, remedy.
    gaps
        One row a place where a change is missing: the key attributes, lost_after and lost_before (UTC, the instants
        between which it was made), event_id of the change that did not find what was left, and paths, the
        attributes that differ.
    lag
        One row an hour of arrival (UTC): arrival, changes, p50, p90, p99, longest, as delays from change to arrival.
    drift
        One row an attribute path and type: path, type, items (how many ever had it), share (of all items),
        first_seen, last_seen (UTC).
    """

    gaps: pd.DataFrame
    lag: pd.DataFrame
    drift: pd.DataFrame
    whole: pd.DataFrame | None = None
    """All findings, where `select` left some of them or of their columns."""

    def select(
        self, columns: str | Sequence[str] | None = None, *, order: Order | None = None, limit: int | None = None
    ) -> Self:
        """Return the same answer with some of its columns and findings; its verdict stays."""
        whole = self.df if self.whole is None else self.whole
        return replace(super().select(columns, order=order, limit=limit), whole=whole)

    @property
    def verdict(self) -> str:
        """One line: the worst of the findings, by name."""
        findings = self.df if self.whole is None else self.whole
        worst = max(findings["status"], key=_SEVERITY.__getitem__)
        names = findings.loc[findings["status"] == worst, "finding"]
        verdict = VERDICTS[worst]
        if worst == "failed":
            by_name = {finding.name: finding.verdict for finding in FINDINGS}
            verdicts = dict.fromkeys(by_name.get(name, "") for name in names)
            verdict = verdict if "" in verdicts else "; ".join(verdicts)
        return f"{self.asked['table']}: {verdict}" + (f" ({', '.join(names)})" if worst != "ok" else "")

    @property
    def _outcome(self) -> str:
        return self.verdict

    def _print(self, rows: int, vertical: bool) -> None:
        from workbench.terminal import print_findings, print_verdict

        print_verdict(self.verdict)
        if self.chosen or vertical:
            super()._print(rows, vertical)
        else:
            print_findings(self.df)

    def _repr_html_(self) -> str:
        if self.chosen:
            return super()._repr_html_()
        rows = self.df.to_dict("records")
        listed = [row for row in rows if row["count"] or not row["of"]]  # what is measured is always shown
        listed.sort(key=lambda row: -_SEVERITY[row["status"]])
        fine = [row["finding"] for row in rows if row not in listed]
        return fragment("quality", verdict=self.verdict, findings=listed, fine=fine, summary=self.summary)


def data_quality(
    asking: Asking,
    table: str,
    *,
    start: Moment | None,
    end: Moment | None,
    late_arrival: str,
    max_age: str | None,
) -> Quality:
    """Tell whether the log can be trusted; see `Workbench.data_quality`."""
    begin, until = window(start, end)
    slack, oldest = duration(late_arrival), duration(max_age) if max_age else None
    hide = partial(asking.masked, table)
    frames, answer = asking.retrying(table, lambda: examine(asking.engine, table, begin, until, slack, hide, oldest))
    df = frames.pop("df")
    asked = {"start": start and begin, "end": end and until, "late_arrival": late_arrival, "max_age": max_age}
    notes = asking.notes(table, until)
    if len(frames["drift"]):
        keys = (column_name((name,)) for name in asking.key_names(table))
        masks = beside(asking.settings.mask, [*keys, *frames["drift"]["path"]])
        notes += [UNMATCHED.format(path) for path in masks]
    return asking.result(Quality, df, answer, "data_quality", table, asked, notes=notes, **frames)
