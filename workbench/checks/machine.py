"""Checks: is this machine ready? Each part is tried, and what is wrong comes with what mends it."""

from __future__ import annotations

import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import astuple
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from workbench.checks.check import Check
from workbench.errors import ConfigError
from workbench.text import count, size

if TYPE_CHECKING:  # pandas imports its styling only when somebody styles
    from pandas.io.formats.style import Styler
    from pandas.io.formats.style_render import CSSDict

    from workbench.config import Settings

LIBRARIES = ("pandas", "duckdb", "pyarrow", "sqlglot", "matplotlib", "papermill", "ipykernel", "boto3", "awswrangler")
INSTALL = "make lab  (or: pip install -e .)"
GENERATE = "workbench generate persons && workbench generate heartrate"
MIN_FREE = 2e9


_Part = tuple[str, Callable[[], "Check | Iterable[Check]"], str]


def run_checks(settings: Settings) -> pd.DataFrame:
    """Try every part of the engine that is set.

    A check that itself breaks is a failed check, never an error.

    Returns
    -------
    pandas.DataFrame
        check, status ("ok", "warning", "failed"), detail (what it means), remedy (what mends it, '' when ok).

    Examples
    --------
    >>> run_checks(load_settings()).query("status != 'ok'")  # doctest: +SKIP
    """
    store = settings.home / "store.sqlite"
    parts: list[_Part] = [
        ("Python", _python, INSTALL),
        ("libraries", _libraries, INSTALL),
        ("Jupyter kernel", _kernel, INSTALL),
        ("DuckDB", _duckdb, INSTALL),
    ]
    if settings.engine == "athena":
        parts.append(("AWS", lambda: _aws(settings), "workbench --debug check"))
    else:
        parts += [
            ("home folder", lambda: _home(settings.home), "set WORKBENCH_HOME to a folder that can be written"),
            ("free disk", lambda: _disk(settings.home), "set WORKBENCH_HOME to a folder that is there"),
            ("change log", lambda: _log(settings), "workbench --debug tables"),
            ("item store", lambda: _store(store), "workbench --debug check"),
        ]
    checks: list[Check] = []
    for name, part, remedy in parts:
        try:
            result = part()
            checks += [result] if isinstance(result, Check) else result
        except Exception as error:
            checks.append(Check(name, "failed", f"{type(error).__name__}: {error}".splitlines()[0], remedy))
    return pd.DataFrame([astuple(check) for check in checks], columns=["check", "status", "detail", "remedy"])


def _aws(settings: Settings) -> Iterable[Check]:
    from workbench.checks.account import check_aws  # awswrangler, which takes a second to import

    return check_aws(settings)


def show_checks(checks: pd.DataFrame) -> Styler:
    """Return the checks as a table for a notebook: a sign beside the colour, long text wrapped."""
    signs = {"ok": "✓ ok", "warning": "! warning", "failed": "✗ failed"}
    colours = {"✓ ok": "#1b7a45", "! warning": "#8a5a00", "✗ failed": "#b3261e"}
    style = checks.assign(status=checks["status"].map(signs)).style.hide(axis="index").format(escape="html")
    style = style.map(lambda sign: f"color: {colours[sign]}; font-weight: 600", subset=["status"])
    look: list[CSSDict] = [
        {"selector": "td", "props": "text-align: left; vertical-align: top; white-space: normal"},
        {"selector": "td.col0, td.col1", "props": "white-space: nowrap"},
        {"selector": "td.col2", "props": "max-width: 36rem"},
        {"selector": "th", "props": "text-align: left"},
    ]
    return style.set_uuid("checks").set_table_styles(look)


def require_ready(checks: pd.DataFrame) -> str:
    """Return the verdict in a line.

    Raises
    ------
    ConfigError
        Naming the failed checks and the first remedy, so that a scheduled check is seen to fail.
    """
    failed, warned = (checks[checks["status"] == status] for status in ("failed", "warning"))
    if len(failed):
        raise ConfigError(
            f"this machine is not ready: {', '.join(failed['check'])} failed. "
            f"First: {failed['detail'].iloc[0]}. Do: {failed['remedy'].iloc[0]}"
        )
    mind = f"; to mind: {', '.join(warned['check'])}" if len(warned) else ""
    return f"Ready: {len(checks) - len(warned)} of {len(checks)} checks are ok{mind}."


def _python() -> Check:
    have = ".".join(map(str, sys.version_info[:3]))
    fine = sys.version_info >= (3, 11)
    detail = f"{have} at {sys.executable}"
    return Check("Python", "ok", detail) if fine else Check("Python", "failed", detail, "install Python 3.11")


def _libraries() -> Check:
    have, missing = [], []
    for name in LIBRARIES:
        try:
            have.append(f"{name} {metadata.version(name)}")
        except metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        return Check("libraries", "failed", f"not installed: {', '.join(missing)}", INSTALL)
    return Check("libraries", "ok", ", ".join(have))


def _duckdb() -> Check:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        row = connection.execute("SELECT TIMESTAMPTZ '2026-03-29 01:30:00+00'").fetchone()
    assert row is not None
    offset = row[0].utcoffset()
    if offset is None or offset.total_seconds():
        return Check("DuckDB", "failed", f"times come back in {row[0].tzinfo}, not UTC", "pip install pytz")
    return Check("DuckDB", "ok", f"{duckdb.__version__} answers, in UTC")


def _kernel() -> Check:
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    install = f"{sys.executable} -m ipykernel install --sys-prefix --name python3"
    try:
        spec = KernelSpecManager().get_kernel_spec("python3")
    except NoSuchKernel:
        return Check("Jupyter kernel", "failed", "there is no kernel 'python3' for the notebooks", install)
    python = spec.argv[0]
    # jupyter_client itself replaces a bare "python" by the running one
    if python not in ("python", "python3") and Path(python).resolve() != Path(sys.executable).resolve():
        detail = f"kernel 'python3' ({spec.resource_dir}) starts {python}, not the Python of this workbench"
        return Check("Jupyter kernel", "warning", detail, install)
    return Check("Jupyter kernel", "ok", "'python3' starts this Python, which has the package workbench")


def _home(home: Path) -> Check:
    nearest = _existing(home)
    if home.exists() and not home.is_dir():
        return Check("home folder", "failed", f"{home.absolute()} is a file", f"move {home} away")
    try:
        with tempfile.TemporaryFile(dir=nearest):
            pass
    except OSError as error:
        remedy = f"chmod u+rwx {nearest}, or set WORKBENCH_HOME to a folder that can be written"
        if home.is_dir():
            detail = f"{nearest} can only be read ({error.strerror}): nothing can be generated or checkpointed there"
            return Check("home folder", "warning", detail, remedy)
        return Check("home folder", "failed", f"{nearest} cannot be written: {error.strerror}", remedy)
    detail = "can be written" if home.is_dir() else "can be made"
    return Check("home folder", "ok", f"{home.absolute()} {detail}")


def _disk(home: Path) -> Check:
    free = shutil.disk_usage(_existing(home)).free
    detail = f"{free / 1e9:,.1f} GB free"
    if free < MIN_FREE:
        return Check(
            "free disk",
            "warning",
            f"{detail}: large answers spill to disk and may fail",
            "set WORKBENCH_HOME to a larger disk",
        )
    return Check("free disk", "ok", detail)


def _log(settings: Settings) -> Iterator[Check]:
    from workbench.engines.duckdb import DuckDBEngine  # the one check that asks a question

    where = settings.source or str(settings.lake)
    if settings.source is None and not settings.lake.is_dir():
        yield Check("change log", "warning", f"{where} is not there yet: no table to ask about", GENERATE)
        return
    with closing(DuckDBEngine(settings)) as engine:
        tables = engine.tables()
    if tables.empty:
        yield Check("change log", "warning", f"no tables in {where}", GENERATE)
        return
    yield Check("change log", "ok", f"{count(len(tables), 'table')} in {where}")
    for row in tables.to_dict("records"):
        detail = f"{count(row['objects'], 'object')}, {size(row['bytes'])} ({row['layout']})"
        if pd.notna(row["last_arrival"]):
            detail += f", newest arrival {row['last_arrival']:%Y-%m-%d %H:%M} UTC"
        yield Check(f"table {row['table']}", "ok", detail)


def _store(path: Path) -> Check:
    if not path.is_file():
        return Check("item store", "ok", "none yet: generating data makes it")
    from workbench.sandbox.database import connect, read_only

    remedy = f"move {path} away and generate again; the change log in the lake is not touched by that"
    try:
        # read-only, so that looking never creates or locks anything
        connection = (
            connect(path) if read_only(path) else sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        )
        try:
            verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        return Check("item store", "failed", f"{path} cannot be read: {error}", remedy)
    if verdict != "ok":
        return Check("item store", "failed", f"{path} is damaged: {verdict}", remedy)
    return Check("item store", "ok", f"{path}, {path.stat().st_size / 1e6:,.1f} MB, is sound")


def _existing(path: Path) -> Path:
    """Return the folder itself, or the nearest above it that is there."""
    return next(folder for folder in (path.absolute(), *path.absolute().parents) if folder.is_dir())
