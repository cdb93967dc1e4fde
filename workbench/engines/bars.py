"""DuckDB's own bar of progress, which is drawn among an answer, and stays: it is never shown."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb


def hide_bar(con: duckdb.DuckDBPyConnection) -> None:
    """Keep DuckDB from drawing a bar for statements that take long.

    >>> import duckdb
    >>> con = duckdb.connect()
    >>> hide_bar(con)
    >>> con.sql("select current_setting('enable_progress_bar')").fetchall()
    [(False,)]
    """
    import duckdb  # a tenth of a second, which who only imports this does not take

    with suppress(duckdb.InvalidInputException):  # in a kernel without ipywidgets, where there is no bar
        con.execute("set enable_progress_bar = false")
