"""What every test may ask for."""

from __future__ import annotations

import gc
import tarfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from botocore.loaders import create_loader

from tests.helpers import SHARED, profiles
from tests.helpers.browser import started
from workbench.engines.duckdb import DuckDBEngine
from workbench.log.store import LogStore

if TYPE_CHECKING:
    from playwright.sync_api import Browser

profiles.register()
NEEDS = {"aws_server": "server", "server": "server", "processes": "process", "public_history": "slow"}
"""Which marker a test has by a fixture it asks for, itself or through another."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Have tests that repeat others on one more layout run where asked for."""
    parser.addoption("--deep", action="store_true", help="also the tests marked deep: every question on every layout")


@pytest.hookimpl(tryfirst=True)  # before those without a marker are left out
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what needs more than this process, which `make test-fast` leaves out; leave out what is deep."""
    for item in items:
        for fixture in NEEDS.keys() & set(getattr(item, "fixturenames", ())):
            item.add_marker(NEEDS[fixture])
    if not config.getoption("--deep"):
        left = [item for item in items if item.get_closest_marker("deep")]
        config.hook.pytest_deselected(items=left)
        items[:] = [item for item in items if item not in set(left)]


@pytest.fixture(scope="session")
def processes() -> None:
    """Asked for by fixtures that start other processes: the tests that use them are marked `process`."""


@pytest.fixture(autouse=True)
def in_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is printed is as wide as in a pipe, whatever terminal the tests are run in; pytest's workers set COLUMNS."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture(scope="session", autouse=True)
def asked_at() -> Iterator[datetime]:
    """When an examination asks how fresh a log is, whatever the machine's clock says."""
    at = datetime(2026, 1, 2, 9, 30, tzinfo=UTC)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("workbench.questions.examination.now", lambda: at)
        yield at


def pytest_collection_finish() -> None:
    """Have Python look for garbage less often: among all that is imported here, it took a tenth of the time."""
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)


@pytest.fixture(scope="session", autouse=True)
def read_once() -> Iterator[None]:
    """Read the descriptions of AWS's services once, not once a session."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("botocore.session.create_loader", lru_cache(create_loader))
        yield


@pytest.fixture(scope="session", autouse=True)
def stored_elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., LogStore | None]]:
    """Have tests that name no home keep what they have read of logs outside of the working folder; else, the method."""
    home, store_of = tmp_path_factory.mktemp("home"), DuckDBEngine._store_of

    def outside(engine: DuckDBEngine, source: str) -> LogStore | None:
        settings = engine._settings
        if not settings.home.is_absolute():
            engine._settings = settings.model_copy(update={"home": home})
        try:
            return store_of(engine, source)
        finally:
            engine._settings = settings

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(DuckDBEngine, "_store_of", outside)
        yield store_of


@pytest.fixture(scope="session")
def shared() -> Path:
    """The project's shared data, where it lies beside the repository."""
    if not SHARED.is_dir():
        pytest.skip("../shared is not here")
    return SHARED


@pytest.fixture(scope="session")
def public_history(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight years of a public repository's files as a change log, with the truth at five instants."""
    folder = tmp_path_factory.mktemp("history")
    with tarfile.open(shared / "data" / "sqlite-utils-history.tar.xz") as archive:
        archive.extractall(folder, filter="data")
    return folder / "sqlite-utils"


@pytest.fixture(scope="module")
def aws_server() -> Iterator[str]:
    """The address of a server that answers for AWS (moto, a second to import)."""
    from moto.server import ThreadedMotoServer

    moto = ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    moto.start()
    yield "http://{}:{}".format(*moto.get_host_and_port())
    moto.stop()


@pytest.fixture(scope="module")
def browser(processes: None) -> Iterator[Browser]:
    """A browser, one a module: make what runs a notebook before it is asked for, see `tests.helpers.browser`."""
    with started() as browser:
        yield browser
