"""The text of a query as a person wrote it: its parameters filled in, and the place in it that an error is about."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlglot import exp
from sqlglot.errors import ParseError, TokenError

from workbench.errors import ParameterError, did_you_mean
from workbench.model.times import instant
from workbench.sql.literals import literal
from workbench.sql.templates import TOKEN

_AS_OF = re.compile(r"\bas\s+of\s*\Z", re.IGNORECASE)
_TYPED = re.compile(r"\b(?:timestamp|date)\s*\Z", re.IGNORECASE)
_SHOWN = 40  # characters of what an error is about


class Written(str):
    """A parameter as the command line has it: a text that may stand for a number, where it is compared with one."""


class SourceText:
    """A query's text with its ``:parameters`` filled in as literals.

    Parameters
    ----------
    sql
        As it was written.
    parameters
        By name; a time must name its zone. After ``AS OF`` a text is read as an instant, as ``-2d`` is.

    Raises
    ------
    ParameterError
        For a parameter that is missing, or not in the text.

    >>> SourceText("select 1 from t where a = :a", {"a": "it's"}).sql
    "select 1 from t where a = 'it''s'"
    """

    def __init__(self, sql: str, parameters: Mapping[str, Any]) -> None:
        sql = sql.removeprefix("\ufeff")  # which editors on Windows put first
        self.written = sql
        self.untyped: set[int] = set()
        """Where literals stand whose type what they are compared with tells."""
        self._moved: list[tuple[int, int, int]] = []  # from here on, by so much; the last is the parameter's place
        pieces: list[str] = []
        length = end = 0
        used = set()
        for token in TOKEN.finditer(sql):
            if not (name := token["value"]):
                continue
            if name not in parameters:
                raise ParameterError(f"the query needs a value for {token[0]!r}.{did_you_mean(name, parameters)}")
            used.add(name)
            before = sql[end : token.start()]
            value = parameters[name]
            if hasattr(value, "item"):  # a number of numpy's
                value = value.item()
            text = _literal(value, "".join(pieces)[-60:] + before)
            length += len(before)
            if isinstance(value, Written):
                self.untyped.add(length)
            pieces += [before, text]
            self._moved.append((length, length + len(text), token.start()))
            length += len(text)
            end = token.end()
        self.sql = "".join([*pieces, sql[end:]])
        self._ends = [
            (last, place, place + len(token))
            for (_, last, place), token in zip(
                self._moved, (each[0] for each in TOKEN.finditer(sql) if each["value"]), strict=True
            )
        ]
        if unused := sorted({*parameters} - used):
            raise ParameterError(
                f"the query has no parameter {unused[0]!r}; give only those it names.{did_you_mean(unused[0], used)}"
            )

    def error(self, at: exp.Expr | int | None, message: str) -> ParameterError:
        """Return an error that says at which place of the text as it was written something is.

        >>> print(SourceText("select a\\nfrom t", {}).error(14, "there is no t"))
        line 2, column 6, at 't': there is no t
        """
        begin, last = self.written_at(at)
        if begin is None or last is None:
            return ParameterError(message)
        line = self.written.count("\n", 0, begin) + 1
        column = begin - self.written.rfind("\n", 0, begin)
        while self.written[begin : last + 1].count("(") > self.written.count(")", begin, last + 1) and last + 1 < len(
            self.written
        ):
            last += 1
        shown = " ".join(self.written[begin : last + 1].split())
        if begin == last:
            shown = (re.match(r"\w+|\S", self.written[begin:]) or [""])[0]
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
        return ParameterError(f"line {line}, column {column}" + (f", at {shown!r}" if shown else "") + f": {message}")

    def written_at(self, at: exp.Expr | int | None) -> tuple[int | None, int | None]:
        """Return the first and the last place, in the text as it was written, of what an error is about."""
        begin, last = (at, at) if isinstance(at, int) else span_of(at)
        if begin is None or last is None:
            return None, None
        return self._in_written(begin), self._in_written(last, end=True)

    def function_at(self, node: exp.Expr) -> str:
        """Return how the function of a call was written, which may have other names; empty where it is none."""
        begin, _ = span_of(node)
        found = None if begin is None else re.match(r"(\w+)\s*\(", self.sql[begin:])
        return found[1] if found else ""

    def is_own(self, at: exp.Expr) -> bool:
        """Return whether the workbench itself wrote something, and masks the answer to it afterwards."""
        return False

    def unread(self, error: ParseError | TokenError) -> ParameterError:
        """Return the error of a text that is no SQL."""
        found = error.errors[0] if isinstance(error, ParseError) and error.errors else {}
        highlight, before = found.get("highlight") or "", found.get("start_context") or ""
        if found.get("line"):
            lines = self.sql.splitlines(keepends=True)
            end = sum(map(len, lines[: found["line"] - 1])) + (found.get("col") or 1)
            begin = max(end - len(highlight), 0)
            if before and not self.sql.startswith(highlight, begin):
                begin = max(self.sql.find(before[-50:] + highlight) + len(before[-50:]), 0)
            return self.error(begin, "this cannot be read as SQL here" if highlight else "the query ends too early")
        return ParameterError("the query cannot be read: a quote or a comment in it is never closed")

    def _in_written(self, place: int, *, end: bool = False) -> int:
        """Return where a place of the text with its parameters filled in is, in the text as it was written.

        Of a parameter it is the first sign of its name, or, with `end`, the last.
        """
        shift = 0
        for (first, last, token), (_, _, after) in zip(self._moved, self._ends, strict=True):
            if place >= last:
                shift = after - last
            elif place >= first:
                return after - 1 if end else token
        return min(place + shift, max(len(self.written) - 1, 0))


def texts_in(sql: str) -> list[str]:
    """Return the texts that are written in a query, but the empty one.

    >>> texts_in("select 'it''s' from t where a = 'x'")
    ["it's", 'x']
    """
    return [each[0][1:-1].replace("''", "'") for each in TOKEN.finditer(sql) if each[0][0] == "'" and each[0] != "''"]


def _literal(value: object, before: str) -> str:
    if _AS_OF.search(before):
        return literal(instant(value))  # type: ignore[arg-type]
    if isinstance(value, datetime) and _TYPED.search(before):
        return literal(value).removeprefix("timestamp ")
    if isinstance(value, list | tuple) and value and before.rstrip().endswith("("):  # in (:names)
        return ", ".join(map(literal, value))
    return literal(value)


def span_of(node: exp.Expr | None) -> tuple[int | None, int | None]:
    """Return the first and the last place of what a part of the tree was read from."""
    if node is None:
        return None, None
    places = [each.meta for each in node.walk() if "start" in each.meta]
    if not places:
        return None, None
    return min(each["start"] for each in places), max(each["end"] for each in places)
