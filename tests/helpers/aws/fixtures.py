"""Fixtures: a test server that answers for AWS, empty where a test wishes, and what no request leaves without."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

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
