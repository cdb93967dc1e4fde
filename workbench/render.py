"""Loads a `.sql` file and fills its ``:values`` and ``{identifiers}``: the only place that writes SQL text.

Both kinds of parameter are recognised outside texts, quoted identifiers and comments only; a missing, an
unknown and an unused one raise.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from importlib import resources

from workbench.errors import ParameterError, did_you_mean

_TOKEN = re.compile(
    r"(?P<skip>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|::)|:(?P<value>[a-z_]\w*)|\{(?P<name>\w+)\}",
    re.DOTALL,
)


def questions() -> list[str]:
    """Name the questions there is a `.sql` file for."""
    return sorted(
        entry.name[:-4] for entry in resources.files("workbench.sql").iterdir() if entry.name.endswith(".sql")
    )


def load(name: str) -> str:
    """Return the text of a question's `.sql` file, its comment included."""
    if not name.startswith("parts/") and name not in questions():
        raise ParameterError(f"there is no question {name!r}; there are: {', '.join(questions())}."
                             f"{did_you_mean(name, questions())}")  # fmt: skip
    return (resources.files("workbench.sql") / f"{name}.sql").read_text(encoding="utf-8")


def whole(name: str) -> str:
    """Return the text of a question with the parts it is made of."""
    return load(name).replace("{candidates}", load("parts/candidates"))


def fill(sql: str, values: Mapping[str, object] | None = None, names: Mapping[str, str] | None = None) -> str:
    """Fill in the parameters of a SQL text.

    Parameters
    ----------
    values
        For ``:name``: written as literals. Times must carry a time zone, and are written in UTC.
    names
        For ``{name}``: SQL made by the engine from identifiers it has checked against the catalog.

    Raises
    ------
    ParameterError
        Where a parameter is missing, or one given is not in the text.

    >>> fill("select * from {t} where x = :x -- not :y", {"x": "it's"}, {"t": '"a"'})
    'select * from "a" where x = \\'it\\'\\'s\\' -- not :y'
    """
    values, names = values or {}, names or {}
    used: set[str] = set()

    def replace(match: re.Match[str]) -> str:
        if match["skip"]:
            return match["skip"]
        given, key = (values, match["value"]) if match["value"] else (names, match["name"])
        if key not in given:
            raise ParameterError(f"the query needs a value for {match[0]!r}.{did_you_mean(key, given)}")
        used.add(key)
        return literal(given[key]) if match["value"] else str(given[key])

    text = _TOKEN.sub(replace, sql)
    if unused := sorted({*values, *names} - used):
        raise ParameterError(f"the query has no parameter {unused[0]!r}; give only those it names."
                             f"{did_you_mean(unused[0], used)}")  # fmt: skip
    return text


def literal(value: object) -> str:
    """Write a Python value as a SQL literal of Athena's dialect."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if value >= 0 else f"({value})"  # x -:n must not become the comment x --1
    if isinstance(value, Decimal | float) and not math.isfinite(value):
        raise ParameterError(f"{value} is no number that can be compared")
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, float):
        return f"double '{value!r}'"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ParameterError(f"{value} has no time zone: write it like {value.isoformat()}Z")
        return f"timestamp '{value.astimezone(UTC).replace(tzinfo=None).isoformat(' ', 'microseconds')}'"
    if isinstance(value, date):
        return f"date '{value.isoformat()}'"
    if isinstance(value, str):
        if "\0" in value:
            raise ParameterError("a text with a NUL character cannot be compared")
        return "'" + value.replace("'", "''") + "'"
    if isinstance(value, list | tuple | set | frozenset) and value:
        return "(" + ", ".join(literal(element) for element in value) + ")"
    raise ParameterError(f"a {type(value).__name__} cannot be a SQL value")


def _decimal(value: Decimal) -> str:
    """Write a decimal with its precision, without which DuckDB would cut it to three decimals."""
    text = f"{value:f}"
    whole, _, fraction = text.lstrip("-").partition(".")
    digits = len(whole.lstrip("0")) + len(fraction)
    if digits > 38:
        raise ParameterError(f"{value} needs {digits} digits, more than the 38 a SQL decimal has")
    return f"cast('{text}' as decimal({max(digits, 1)}, {len(fraction)}))"


def identifier(name: str) -> str:
    """Quote an identifier."""
    return '"' + name.replace('"', '""') + '"'
