"""A test server, and what its queries need."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.helpers import lakes
from tests.helpers.aws.server import AwsServer
from workbench.aws import athena as queries


@pytest.fixture(scope="module")
def server() -> Iterator[AwsServer]:
    with AwsServer() as running:
        yield running


@pytest.fixture(scope="session", autouse=True)
def impatient() -> Iterator[None]:
    """Look at queries often: they take milliseconds here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queries, "_DELAYS", (0.01, 0.02, 0.04, 0.08))
        yield


@pytest.fixture(autouse=True)
def credentials(monkeypatch):
    """What no request leaves this machine with."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "WORKBENCH_HOME", "WORKBENCH_SOURCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")


@pytest.fixture
def empty(server) -> AwsServer:
    server.reset()
    return server


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
