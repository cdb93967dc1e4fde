"""Trino, moto's S3 and Glue, and the table of question by layout at the end of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from moto.core.responses import ActionResult
from moto.glue.models import FakePartition, FakeTable
from moto.glue.responses import GlueResponse

from tests.helpers.aws.fixtures import impatient  # noqa: F401
from tests.helpers.aws.server import AwsServer
from tests.trino import server

MATRIX = pytest.StashKey[dict[tuple[str, str], str]]()


def pytest_configure(config: pytest.Config) -> None:
    config.stash[MATRIX] = {}
    config.addinivalue_line("markers", "trino: needs Java and a Trino server from Maven Central")


@pytest.fixture(scope="session")
def aws_of_trino() -> Iterator[AwsServer]:
    """S3, Glue and DynamoDB, which are moto's, and the test server's Athena beside Trino."""
    with pytest.MonkeyPatch.context() as environment, AwsServer() as aws:
        for described in (FakeTable, FakePartition):
            environment.setattr(described, "as_dict", _as_glue(described.as_dict))
        environment.setattr(GlueResponse, "batch_get_partition", _with_unprocessed(GlueResponse.batch_get_partition))
        for name in ("get_column_statistics_for_table", "update_column_statistics_for_table"):  # which moto has not
            environment.setattr(GlueResponse, name, _without_statistics, raising=False)
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            environment.setenv(name, "testing")
        yield aws


@pytest.fixture(scope="session")
def endpoint(aws_of_trino: AwsServer) -> str:
    """Where they answer."""
    return aws_of_trino.endpoint


@pytest.fixture(scope="session")
def trino(endpoint: str) -> Iterator[server.Trino]:
    """A Trino server over it."""
    try:
        with server.running(endpoint) as started:
            yield started
    except server.Unavailable as missing:
        pytest.skip(f"the SQL was NOT tried on Trino: {missing}")


def _as_glue(describe: Callable[..., dict[str, Any]]) -> Callable[..., dict[str, Any]]:
    """Describe with the fields the real Glue fills in, on which Trino relies."""

    def told(*given: Any, **options: Any) -> dict[str, Any]:
        found = describe(*given, **options)
        stored = {"NumberOfBuckets": 0, "BucketColumns": [], "SortColumns": []} | found["StorageDescriptor"]
        return {"Parameters": {}} | found | {"StorageDescriptor": stored}

    return told


def _with_unprocessed(answer: Callable[[GlueResponse], ActionResult]) -> Callable[[GlueResponse], ActionResult]:
    """Answer with the list of keys that were left out, as the real Glue does."""
    return lambda response: ActionResult({"UnprocessedKeys": []} | answer(response).result)


def _without_statistics(_: GlueResponse) -> ActionResult:
    """Answer that a table has none, and that those of one were taken."""
    return ActionResult({"ColumnStatisticsList": [], "Errors": []})


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what Trino answers as DuckDB does: question by layout."""
    matrix = config.stash.get(MATRIX, {})
    if not matrix:
        return
    layouts = list(dict.fromkeys(layout for _, layout in matrix))
    terminalreporter.section("the same questions on Trino and DuckDB")
    width = max(len(question) for question, _ in matrix)
    for number, layout in enumerate(layouts, 1):
        terminalreporter.write_line(f"{' ' * width}  {number} {layout}")
    terminalreporter.write_line(f"{' ' * width}  {'  '.join(str(number) for number in range(1, len(layouts) + 1))}")
    for question in dict.fromkeys(question for question, _ in matrix):
        cells = [matrix.get((question, layout), "-") for layout in layouts]
        terminalreporter.write_line(f"{question:<{width}}  {'  '.join(cells)}")
