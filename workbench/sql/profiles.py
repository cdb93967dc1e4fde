"""What a profile of attributes is made of: each item's cells, an attribute a row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from workbench.model.attribute_schema import Held, sql_type
from workbench.sql.literals import identifier, literal
from workbench.sql.query.functions import family
from workbench.sql.typed_attributes import Masks

MASKED = "masked"
"""The type of an attribute that is there and masked."""
_ITEM = '"$item"'
_MOST = 38


def states_text(
    table: str, attributes: Mapping[tuple[str, ...], Held], instants: Sequence[datetime | None], masks: Masks
) -> str:
    """Return the cells of attributes at one instant, or at two: is_before, attribute (from 1), kind, shown, number.

    Parameters
    ----------
    instants
        None is now; the second one is before.

    >>> print(states_text("persons", {("age",): Held({"N": 2})}, [None], Masks()).splitlines()[-2])
    from "persons" as "$item"
    """
    numeric = [held for held in attributes.values() if family(sql_type(held)) in ("bigint", "decimal")]
    scale = max((held.scale for held in numeric), default=0)
    fits = max((held.digits for held in numeric), default=0) + scale <= _MOST
    number = f"decimal({_MOST}, {scale})" if fits else "double"
    kinds, texts, numbers = [], [], []
    for at, (path, held) in enumerate(attributes.items(), 1):
        name = ".".join((_ITEM, "item", *map(identifier, path)))
        if any(path[: len(mask)] == mask for mask in masks.paths):
            kinds.append(f"when {at} then case when attribute_exists({name}) then {literal(MASKED)} end")
            continue
        kinds.append(f"when {at} then attribute_type({name})")
        of = family(sql_type(held))
        if of in ("bigint", "decimal"):
            texts.append(f"when {at} then cast({name} as varchar)")
            numbers.append(f"when {at} then cast({name} as {number})")
        elif of == "boolean":
            texts.append(f"when {at} then case when {name} then 'true' when not {name} then 'false' end")
        elif of == "varchar" and "M" not in held.kinds and not any(mask[: len(path)] == path for mask in masks.paths):
            texts.append(f"when {at} then {name}")
    listed = ", ".join(f"({at})" for at in range(1, len(attributes) + 1))
    selects = []
    for place, moment in enumerate(instants):
        then = "" if moment is None else f" for timestamp as of {literal(moment)}"
        cells = [
            f"{'true' if place else 'false'} as is_before",
            "attribute",
            f"case attribute {' '.join(kinds)} end as kind",
            f"case attribute {' '.join(texts or ['when 0 then cast(null as varchar)'])} end as shown",
            f"case attribute {' '.join(numbers or [f'when 0 then cast(null as {number})'])} end as number",
        ]
        listing = ",\n        ".join(cells)
        selects.append(
            f"select\n        {listing}\nfrom {identifier(table)}{then} as {_ITEM}\n"
            f"cross join (values {listed}) as attributes (attribute)"
        )
    return "\nunion all\n".join(selects)
