"""Errors: each says in one line what is wrong, where, and what to do next.

WorkbenchError
├── ConfigError       a setting is unknown, malformed or contradicts another
├── ParameterError    an argument or a SQL or report parameter is missing, unknown or malformed
├── TableNotFound     no such table; names the tables there are
├── RecordRefused     a line or record that is no change record
├── StoreError        the embedded item store refused a write
│   └── StoreUnavailable  the columnar store of a log cannot be written
├── QueryError        the engine could not run a query
│   ├── EngineLost    the embedded engine died of an error of its own, twice or in the middle of an answer
│   └── ScanRefused   it would scan more than `max_scan_bytes`
├── ReportError       a notebook could not be run as a report
│   └── NotPublished  what it made could not be written where it was to be
└── ExportError       a result could not be written
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar


class WorkbenchError(Exception):
    """Base of every error this package raises on purpose; in a notebook it is one line.

    The setting ``tracebacks`` shows the traceback too, that of the workbench opened last, as does ``--debug`` on the
    command line.
    """

    tracebacks: ClassVar[bool] = False
    """Whether notebooks show tracebacks."""

    @property
    def _render_traceback_(self) -> Callable[[], list[str]]:
        """What IPython shows instead of a traceback, where an error has it."""
        if WorkbenchError.tracebacks:
            raise AttributeError("_render_traceback_")
        message = " ".join(str(self).split())
        shown = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in message)
        return lambda: [f"{type(self).__name__}: {shown}"]


class ConfigError(WorkbenchError):
    """A setting is unknown, malformed or contradicts another."""


class ParameterError(WorkbenchError, ValueError):
    """An argument or a SQL or report parameter is missing, unknown or malformed."""


class RecordRefused(ValueError):
    """The input is no change record; the message says why, by path and type: a value in it may be a masked one."""


class TableNotFound(WorkbenchError, LookupError):
    """No such table."""


class StoreError(WorkbenchError):
    """The embedded item store refused a write, for the reason DynamoDB would give."""


class StoreUnavailable(StoreError):
    """The columnar store of a log cannot be read or written, as on a full disk: the log is read into memory instead."""


class QueryError(WorkbenchError):
    """The engine could not run a query."""


class EngineLost(QueryError):
    """The embedded engine died of an error of its own, twice or in the middle of an answer; the next question works."""

    asked_again = False
    """Whether the engine did so itself, and was lost again."""


class ScanRefused(QueryError):
    """A query would scan more than `max_scan_bytes` allow; it was not started."""


class ExportError(WorkbenchError):
    """A result could not be written."""


class ReportError(WorkbenchError):
    """A notebook could not be run as a report."""


class NotPublished(ReportError):
    """A run of a report could not be written where it was to be: no part of it counts as a run."""


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and what it came of, and what that did.

    >>> error = ValueError("no number")
    >>> error.__cause__ = KeyError("age")
    >>> [type(each).__name__ for each in causes(error)]
    ['ValueError', 'KeyError']
    """
    while error:
        yield error
        error = error.__cause__ or error.__context__


TOO_LARGE = "a number is too large for its type: take it as a double, as in sum(cast(x as double))"
"""What to do where an engine says that a number is out of its type's range."""


def without_values(error: Exception) -> str:
    """Return the first line of what a database says, without the values it quotes where they are the trouble.

    They leave the error too, since its traceback may be kept in a notebook.

    >>> class ConversionException(Exception): pass
    >>> without_values(ConversionException("Could not convert string 'ann@example.com' to INT64"))
    "Could not convert string '…' to INT64"
    """
    message = (str(error).splitlines() or [""])[0]
    if re.search("Conversion|InvalidInput|OutOfRange|InvalidType|Serializ|Data|Mismatch", type(error).__name__):
        message = _unquoted(message)
        error.args = (message,)
    return message


def without_athenas_values(message: str) -> str:
    """Return what Athena says of a failed query, without the values it quotes where they are the trouble.

    >>> without_athenas_values("INVALID_CAST_ARGUMENT: Cannot cast 'ann@example.com' to BIGINT")
    "INVALID_CAST_ARGUMENT: Cannot cast '…' to BIGINT"
    """
    code = re.match(
        "(?:INVALID_CAST|INVALID_FUNCTION|INVALID_JSON|HIVE_BAD_DATA|HIVE_CURSOR|NUMERIC_VALUE)[A-Z_]*:?", message
    )
    return code[0] + _unquoted(message[code.end() :]) if code else message


def _unquoted(message: str) -> str:
    return re.sub(r"""Input:.*|'.*'|".*"|-?\d[\d.eE+-]{3,}""", "'…'", message, flags=re.DOTALL)


def did_you_mean(name: str, names: Iterable[str]) -> str:
    """Return `` Did you mean 'x'?`` for the closest of `names`, or an empty text.

    >>> did_you_mean("person", ["persons", "orders"]), did_you_mean("x", ["persons"])
    (" Did you mean 'persons'?", '')
    """
    close = difflib.get_close_matches(name, list(names), n=1)
    return f" Did you mean {close[0]!r}?" if close else ""
