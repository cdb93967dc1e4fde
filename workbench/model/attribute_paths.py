"""Attribute paths as people and columns write them, ``person."first.name"`` and ``phones[0].number``, and as tuples."""

from __future__ import annotations

import re
from collections.abc import Sequence

from workbench.errors import ParameterError

RESERVED = frozenset({"_changed_at", "_deleted_at", "_by_ttl"})  # the columns a result adds to an item's own
_PART = re.compile(r'"((?:[^"]|"")*)"(?:\.|\Z)|([^."]+)(?:\.|\Z)')


def column_name(path: Sequence[str | int]) -> str:
    """Join the names of an attribute path; a name that would be misread is put in double quotes.

    A number is the index of a list's element.

    >>> column_name(("person", "first.name")), column_name(("phones", 0, "number"))
    ('person."first.name"', 'phones[0].number')
    """
    text = ""
    for part in path:
        if isinstance(part, str):
            text += ("." if text else "") + _quoted(part, len(path) == 1)
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


def _quoted(part: str, top: bool) -> str:
    plain = part and not set(part) & {".", '"', "["} and not (top and part in RESERVED)
    return part if plain else '"' + part.replace('"', '""') + '"'
