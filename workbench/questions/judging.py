"""How a finding is judged: whether it counts in a log, how often, and what is said of it then."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from workbench.questions.columns import FINDINGS
from workbench.questions.evidence import Evidence


def _none(_: Evidence) -> Sequence[str]:
    return ()


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A way in which a log may lack something, and how it is told.

    Attributes
    ----------
    name
        What it is called; a text, or one made from the evidence.
    status
        note, warning or failed, where it counts.
    count, total
        How often it occurs, and of how many: of all changes where nothing else is given.
    of
        What the total counts; empty for what is measured, and shown whatever comes of it.
    meaning, remedy
        What that means, and what to do.
    examples
        Up to three of them.
    applies
        Whether it is listed at all.
    verdict
        What to say of the log where this is all that failed; else it is not complete.

    Examples
    --------
    >>> Finding(name="drafts", status="note", meaning="changes of drafts", remedy="none", count=lambda evidence: 2).of
    'changes'
    """

    name: str | Callable[[Evidence], str]
    status: str | Callable[[Evidence], str]
    meaning: str | Callable[[Evidence], str]
    remedy: str | Callable[[Evidence], str] = ""
    count: Callable[[Evidence], int] = lambda _: 0
    total: Callable[[Evidence], int] = lambda evidence: evidence.changes
    of: str = "changes"
    examples: Callable[[Evidence], Sequence[str]] = _none
    applies: Callable[[Evidence], bool] = lambda _: True
    verdict: str = ""

    def judge(self, evidence: Evidence) -> dict[str, Any]:
        """Return its row: finding, status, count, share (0 to 1), of, examples, meaning, remedy."""
        count = self.count(evidence)
        status = _text(self.status, evidence) if count or not self.of else "ok"
        return {
            "finding": _text(self.name, evidence),
            "status": status,
            "count": count,
            "share": count / max(self.total(evidence), 1),
            "of": self.of,
            "examples": list(self.examples(evidence)),
            "meaning": _text(self.meaning, evidence),
            "remedy": _text(self.remedy, evidence) if status != "ok" else "",
        }


def judge(evidence: Evidence, findings: Iterable[Finding]) -> pd.DataFrame:
    """Return what comes of findings that apply to a log.

    Returns
    -------
    pandas.DataFrame
        One row a finding: finding, status (ok, note, warning, failed), count, share (of what `of` says, 1 at most), of,
        examples (a list of texts), meaning, remedy.
    """
    rows = [finding.judge(evidence) for finding in findings if finding.applies(evidence)]
    return pd.DataFrame(rows, columns=list(FINDINGS)).astype(dict(FINDINGS))


def _text(text: str | Callable[[Evidence], str], evidence: Evidence) -> str:
    return text if isinstance(text, str) else text(evidence)
