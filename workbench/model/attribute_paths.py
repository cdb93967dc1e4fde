"""Attribute paths as people and columns write them, ``person."first.name"`` and ``phones[0].number``, and as tuples."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from workbench.errors import ParameterError

RESERVED = frozenset({"_changed_at", "_deleted_at", "_by_ttl"})
"""The columns that stand beside attributes in every frame of items."""
_PART = re.compile(r'"((?:[^"]|"")*)"(?:\.|\Z)|([^."]+)(?:\.|\Z)')


def column_name(path: Sequence[str | int], *, beside: Collection[str] = RESERVED) -> str:
    """Join the names of an attribute path; a name that would be misread is put in double quotes.

    This is the one rule of what a column is called that holds an attribute: by its path, and a name is in double quotes
    where it holds what paths are written with, or where the answer has a column of its own of that name. So the key
    attribute ``path`` is the column ``path`` of what is in a table, and ``"path"`` of a history, which tells paths.
    Either spelling is good wherever a path is read: in conditions, masks and keys.

    Parameters
    ----------
    path
        A number is the index of a list's element.
    beside
        The answer's own columns.

    >>> column_name(("person", "first.name")), column_name(("phones", 0, "number"))
    ('person."first.name"', 'phones[0].number')
    >>> column_name(("path",)), column_name(("path",), beside=("path", "change"))
    ('path', '"path"')
    """
    text = ""
    for part in path:
        if isinstance(part, str):
            text += ("." if text else "") + _quoted(part, beside if len(path) == 1 else ())
        else:
            text += f"[{part}]"
    return text


def column_path(name: str) -> tuple[str, ...]:
    """Split a column name into the attribute path it was made from; the inverse of `column_name`.

    Raises
    ------
    ParameterError
        Where quotes or dots are out of place.

    >>> column_path('person."first.name"'), column_path("age")
    (('person', 'first.name'), ('age',))
    """
    parts: list[str] = []
    at = 0
    while at < len(name) or not parts or name[at - 1] == ".":
        match = _PART.match(name, at)
        if not match:
            raise ParameterError(
                f'{name!r} is no attribute path: quote a name that holds dots or quotes, like person."first.name"'
            )
        parts.append(match[2] if match[1] is None else match[1].replace('""', '"'))
        at = match.end()
    return tuple(parts)


def _quoted(part: str, beside: Collection[str]) -> str:
    plain = part and not set(part) & {".", '"', "["} and part not in beside
    return part if plain else '"' + part.replace('"', '""') + '"'
