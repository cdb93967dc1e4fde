"""What was in a table at an instant, as a SELECT for `Workbench.query`: to be read, copied and gone on with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

from workbench.errors import ParameterError
from workbench.model.conditions import (
    And,
    Compares,
    Condition,
    Equals,
    IsAbsent,
    IsNull,
    Like,
    Not,
    Or,
)
from workbench.sql.literals import identifier, literal

AttributePath = Sequence[str | int]
TypeOf = Callable[[AttributePath], type | None]
"""Tells the only type of Python's that an attribute's values have, Decimal, str or bool; None of all others."""


def as_of_text(
    table: str,
    at: datetime,
    condition: Condition | None = None,
    order: Sequence[tuple[AttributePath, bool]] = (),
    *,
    type_of: TypeOf,
) -> str | None:
    """Write the SELECT of a state; None where the language of queries has no words for the condition.

    Parameters
    ----------
    at
        The instant, with a time zone.
    condition
        On the attributes of items; comparisons with values of an attribute's own type, and what these are made into.
    order
        Attributes by which it is ordered, and whether from the last value to the first.
    type_of
        What attributes hold: an attribute of several types is a text in a query, and compares otherwise.

    Examples
    --------
    >>> from datetime import UTC
    >>> from workbench.model.conditions import parse
    >>> noon = datetime(2026, 11, 19, 12, tzinfo=UTC)
    >>> print(as_of_text("persons", noon, parse("not age > 40"), [(("age",), True)], type_of=lambda path: Decimal))
    select *
    from "persons" for timestamp as of timestamp '2026-11-19 12:00:00.000000'
    where not coalesce("age" > 40, false)
    order by "age" desc nulls last
    """
    text = f"select *\nfrom {identifier(table)} for timestamp as of {literal(at)}"
    if condition is not None:
        where = _where(condition, type_of)
        if where is None:
            return None
        text += f"\nwhere {where}"
    by = [f"{_path(path)}{' desc' if descending else ''} nulls last" for path, descending in order]
    return text + (f"\norder by {', '.join(by)}" if by else "")


def at_two_text(
    table: str,
    instants: tuple[datetime, datetime],
    condition: Condition | None = None,
    keys: Sequence[AttributePath] = (),
    *,
    type_of: TypeOf,
) -> tuple[str, str] | None:
    """Write the SELECTs of the states at two instants, of the items for which a condition holds at either.

    Parameters
    ----------
    instants
        With a time zone.
    condition
        As `as_of_text` takes it; None where there are no words for it.
    keys
        The key's attributes, which all items have.

    Examples
    --------
    >>> from datetime import UTC
    >>> from workbench.model.conditions import parse
    >>> days = datetime(2026, 11, 18, tzinfo=UTC), datetime(2026, 11, 19, tzinfo=UTC)
    >>> print(at_two_text("persons", days, parse("age > 40"), [("pk",)], type_of=lambda path: Decimal)[0])
    select *
    from "persons" for timestamp as of timestamp '2026-11-18 00:00:00.000000'
    join (
        select "pk"
        from "persons" for timestamp as of timestamp '2026-11-18 00:00:00.000000'
        where "age" > 40
        union
        select "pk"
        from "persons" for timestamp as of timestamp '2026-11-19 00:00:00.000000'
        where "age" > 40
    ) using ("pk")
    """
    one, other = (f"from {identifier(table)} for timestamp as of {literal(at)}" for at in instants)
    join = ""
    if condition is not None:
        where = _where(condition, type_of)
        if where is None:
            return None
        names = ", ".join(map(_path, keys))
        union = "\n    union\n".join(f"    select {names}\n    {each}\n    where {where}" for each in (one, other))
        join = f"\njoin (\n{union}\n) using ({names})"
    return f"select *\n{one}{join}", f"select *\n{other}{join}"


def _where(condition: Condition, type_of: TypeOf) -> str | None:
    match condition:
        case And(parts) | Or(parts):
            texts = [_where(part, type_of) for part in parts]
            joined = " and " if isinstance(condition, And) else " or "
            return None if None in texts else "(" + joined.join(text or "" for text in texts) + ")"
        case Not(part):
            text = _where(part, type_of)
            return text and f"not coalesce({text}, false)"  # which is true or false, as conditions are
        case IsAbsent(name) if not name.size:
            return f"not attribute_exists({_path(name.path)})"
        case IsNull(name) if not name.size:
            return f"coalesce(attribute_type({_path(name.path)}) = 'NULL', false)"
        case Equals(name, values) if not name.size and all(_comparable(value, type_of(name.path)) for value in values):
            return f"{_path(name.path)} in ({', '.join(map(_value, values))})"
        case Compares(name, operator, value) if not name.size and _comparable(value, type_of(name.path)):
            return f"{_path(name.path)} {operator} {_value(value)}"
        case Like(name, pattern) if not name.size and type_of(name.path) is str:
            return f"{_path(name.path)} like {literal(pattern)} escape '!'"
    return None


def _comparable(value: object, kind: type | None) -> bool:
    if type(value) is not kind:
        return False
    try:
        literal(value)
    except ParameterError:  # a number of more digits than SQL's have
        return False
    return True


def _value(value: object) -> str:
    """Write a value as people do, where that means the same."""
    return f"{value:f}" if isinstance(value, Decimal) and value >= 0 else literal(value)


def _path(path: AttributePath) -> str:
    """Write a path as queries take it, which count from 1."""
    text = "".join(f"[{step + 1}]" if isinstance(step, int) else f".{identifier(step)}" for step in path)
    return text.removeprefix(".")
