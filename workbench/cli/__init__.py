"""The command line: parsing only; one verb a public function of `Workbench`, under the same name.

`program` is the group and how it fails, `options` what verbs share, `asking` how a verb asks; `questions`, `undoing`,
`logs` and `reports` are the verbs. All of them import click and little else: pandas and the engines are imported when a
verb runs.
"""

from workbench.cli import logs, questions, reports, undoing
from workbench.cli.program import main

__all__ = ["logs", "main", "questions", "reports", "undoing"]
