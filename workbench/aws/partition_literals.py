"""Values of partition columns as literals of SQL, in the order in which Athena compares them."""

from __future__ import annotations

from collections.abc import Collection

from workbench.sql.layouts import glue_type
from workbench.sql.literals import identifier, literal

_NULL = "__HIVE_DEFAULT_PARTITION__"


def among(column: tuple[str, str], texts: Collection[str]) -> str:
    """Write that a column has one of some values; '' where they are not all of its type."""
    name, kind = column
    if _NULL in texts or (glue_type(kind).is_number and not all(text.isdecimal() for text in texts)):
        return ""
    values = ordered_literals(texts, column)
    return f"{identifier(name)} = {values[0]}" if len(values) == 1 else f"{identifier(name)} in ({', '.join(values)})"


def extremes(texts: Collection[str], column: tuple[str, str]) -> tuple[str, str]:
    """Return the least and the greatest value, as literals."""
    values = ordered_literals(texts, column)
    return values[0], values[-1]


def ordered_literals(texts: Collection[str], column: tuple[str, str]) -> list[str]:
    """Write values as literals, in the order in which Athena compares them."""
    if glue_type(column[1]).is_number:
        return [str(number) for number in sorted({int(text) for text in texts})]
    return [f"date {literal(text)}" if column[1] == "date" else literal(text) for text in sorted(texts)]
