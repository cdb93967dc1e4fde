"""Python values and names as SQL text of Athena's dialect."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime
from decimal import Decimal

from workbench.errors import ParameterError


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
