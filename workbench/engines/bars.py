"""DuckDB's own bar of progress: shown, or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


def show_bar(con: duckdb.DuckDBPyConnection, shown: bool) -> None:
    """Have DuckDB draw a bar for each statement that takes long, or none.

    >>> import duckdb
    >>> con = duckdb.connect()
    >>> show_bar(con, False)
    >>> con.sql("select current_setting('enable_progress_bar')").fetchall()
    [(False,)]
    """
    import duckdb  # a tenth of a second, which who only imports this does not take

    with suppress(duckdb.InvalidInputException):  # in a kernel without ipywidgets, where there is no bar
        con.execute(f"set enable_progress_bar = {shown}")


@contextmanager
def without_bar(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Keep DuckDB from drawing a bar while the block runs.

    >>> import duckdb
    >>> con = duckdb.connect()
    >>> with without_bar(con):
    ...     con.sql("select current_setting('enable_progress_bar')").fetchall()
    [(False,)]
    """
    shown = con.execute("select current_setting('enable_progress_bar')").fetchall() == [(True,)]
    if shown:
        show_bar(con, False)
    try:
        yield
    finally:
        if shown:
            show_bar(con, True)
