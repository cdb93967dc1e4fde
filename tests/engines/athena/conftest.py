"""A test server, and what its queries need."""

from __future__ import annotations

import pytest

from tests.helpers import lakes
from tests.helpers.aws.fixtures import credentials, empty, impatient, server  # noqa: F401


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print question by layout: whether Athena's path gives DuckDB's answer."""
    found: dict[tuple[str, str], str] = {}
    for outcome, sign in (("passed", "="), ("failed", "differs"), ("error", "error")):
        for report in terminalreporter.stats.get(outcome, []):
            if "test_questions.py::test_the_answer_is_that" in report.nodeid and (
                report.when == "call" or outcome == "error"
            ):
                case = report.nodeid.partition("[")[2].rstrip("]")
                layout = max((each for each in lakes.LAYOUTS if case.startswith(each)), key=len)
                found[case[len(layout) + 1 :], layout] = sign
    if not found:
        return
    layouts = [each for each in lakes.LAYOUTS if each in {layout for _, layout in found}]
    terminalreporter.section("Athena's path beside DuckDB, '=' the same answer, types included")
    terminalreporter.write_line(f"{'':24}" + "".join(f"{each:22}" for each in layouts))
    for question in dict.fromkeys(question for question, _ in found):
        terminalreporter.write_line(
            f"{question:24}" + "".join(f"{found.get((question, each), ''):22}" for each in layouts)
        )
