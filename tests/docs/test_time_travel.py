"""The twenty questions of the page on SQL: each is asked as it is written, on both engines, and answers what is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.console import DOCS, commands, run
from tests.helpers.aws.fixtures import credentials, impatient, server  # noqa: F401
from tests.helpers.aws.lake import athena, declare, place
from tests.helpers.questions import same
from workbench import Workbench
from workbench.aws.table_definitions import table_input
from workbench.terminal import print_frame

PAGE = DOCS / "time-travel.md"
QUESTIONS = {
    found[1]: (found[2], found[3])
    for found in re.finditer(
        r"^\*\*\d+\. ([^\n]*)\*\*\n\n```sql\n(.*?)^```\n\n```\n(.*?)^```$",
        PAGE.read_text(encoding="utf-8"),
        re.DOTALL | re.MULTILINE,
    )
}


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The table that the page makes."""
    folder = tmp_path_factory.mktemp("orders")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        (made,) = [command for command in commands(PAGE) if command.text.startswith("workbench generate")]
        run(made.text)
    return folder / ".workbench" / "lake" / "data" / "orders"


@pytest.fixture(scope="module")
def on_files(lake: Path) -> Iterator[Workbench]:
    wb = Workbench(lake)
    yield wb
    wb.close()


@pytest.fixture(scope="module")
def on_athena(server, lake: Path) -> Iterator[Workbench]:  # noqa: F811
    with pytest.MonkeyPatch.context() as patch:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        location = place(server, lake, "data/orders")
        declare(server, table_input("orders", location, layout="envelope", stored="json", first_year=2025))
        wb = athena(server)
        yield wb
        wb.close()


def test_there_are_twenty():
    assert len(QUESTIONS) == 20
    assert len(re.findall(r"^```sql$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)) == 20


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_embedded_engine_answers_what_is_shown(on_files, capsys, monkeypatch, question):
    monkeypatch.setenv("COLUMNS", "120")
    sql, shown = QUESTIONS[question]
    df = on_files.query(sql).df
    print_frame(df)
    printed = capsys.readouterr().out
    assert [line.rstrip() for line in printed.splitlines()] == shown.splitlines()
    assert len(df) > 1


@pytest.mark.parametrize("question", QUESTIONS)
def test_athena_answers_the_same(on_files, on_athena, question):
    sql, _ = QUESTIONS[question]
    same(on_athena.query(sql).df, on_files.query(sql).df)
