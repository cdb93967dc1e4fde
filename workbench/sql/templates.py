"""Loads a `.sql` file and fills its ``:values`` and ``{identifiers}``.

Both kinds of parameter are recognised outside texts, quoted identifiers and comments only; a missing, an
unknown and an unused one raise.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources

from workbench.errors import ParameterError, did_you_mean
from workbench.sql.literals import literal

TOKEN = re.compile(
    r"(?P<skip>'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"|--[^\n]*|/\*.*?\*/|::)|:(?P<value>[a-z_]\w*)|\{(?P<name>\w+)\}",
    re.DOTALL,
)


@dataclass(frozen=True)
class Placeholders:
    """What a SQL text leaves open."""

    values: frozenset[str]
    """Names of ``:values``."""
    names: frozenset[str]
    """Names of ``{identifiers}``, which stand for SQL."""


def placeholders(sql: str) -> Placeholders:
    """Tell what a SQL text leaves open, outside texts, quoted identifiers and comments.

    >>> placeholders("select ':a' from {t} where x = :x -- not :y")
    Placeholders(values=frozenset({'x'}), names=frozenset({'t'}))
    """
    tokens = list(TOKEN.finditer(sql))
    return Placeholders(
        frozenset(token["value"] for token in tokens if token["value"]),
        frozenset(token["name"] for token in tokens if token["name"]),
    )


def words(sql: str) -> frozenset[str]:
    """Return the words of a SQL text, those in quoted identifiers too, without its texts and comments.

    >>> sorted(words("select 'no' from t where c -- nor"))
    ['c', 'from', 'select', 't', 'where']
    """
    kept = TOKEN.sub(lambda token: " " if (token["skip"] or "")[:1] in ("'", "-", "/") else token[0], sql)
    return frozenset(re.findall(r"\w+", kept))


def files(folder: str = "") -> list[str]:
    """Name the `.sql` files of the folder of questions, or of one in it, without their ending."""
    listed = (resources.files("workbench.sql") / folder).iterdir()
    return sorted(entry.name[:-4] for entry in listed if entry.name.endswith(".sql"))


def load(name: str) -> str:
    """Return the text of a `.sql` file, its comment included; a part's name begins with ``parts/``."""
    return (resources.files("workbench.sql") / f"{name}.sql").read_text(encoding="utf-8")


def part(name: str, **names: str) -> str:
    """Return a part of a query, without its comment, filled with SQL."""
    text = "\n".join(line for line in load(f"parts/{name}").splitlines() if not line.startswith("--"))
    return fill(text, names=names)


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

    text = TOKEN.sub(replace, sql)
    if unused := sorted({*values, *names} - used):
        raise ParameterError(
            f"the query has no parameter {unused[0]!r}; give only those it names.{did_you_mean(unused[0], used)}"
        )
    return text
