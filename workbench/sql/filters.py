"""Which rows a question is asked of: changes of some items, of some events, or of which a condition holds."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from workbench.model.conditions import Condition, Name
from workbench.model.keys import KeyPart
from workbench.sql.conditions import condition as condition_sql
from workbench.sql.conditions import json_path
from workbench.sql.literals import literal
from workbench.sql.templates import part

Keys = tuple[str | tuple[KeyPart, ...], ...]


@dataclass(frozen=True)
class Filter:
    """What a question's ``{matching}`` stands for; without any part, every row matches.

    >>> from workbench.model.conditions import parse
    >>> Filter(events=("REMOVE",), condition=parse("age is absent")).sql("new_image", "old_image")[:29]
    "event_name in ('REMOVE') and "
    """

    keys: Keys = ()
    """Items: each a canonical key, or parts of one of which all must hold. One of the items must match."""
    events: tuple[str, ...] = ()
    """INSERT, MODIFY or REMOVE: one of these."""
    condition: Condition | None = None
    """On attributes of the images."""
    valid: tuple[datetime, datetime] | None = None
    """Only versions that were valid at some time from the first instant on, before the second."""
    nothing: bool = False
    """No row matches: the answer is its columns and their types."""

    @property
    def only_items(self) -> bool:
        """Whether it names items, and asks nothing of their images: these are a few, and keys tell which."""
        return bool(self.keys) and self == self.of_items

    @property
    def of_items(self) -> Filter:
        """What of it keys and events tell."""
        return replace(self, condition=None, valid=None)

    def sql(self, new: str = "", old: str | None = None) -> str:
        """Write the condition; of a condition on numbers it may match more, see `workbench.sql.conditions.condition`.

        Parameters
        ----------
        new, old
            The columns of images that `condition` is about; without `old` there is one image.
        """
        if self.nothing:
            return "false"
        parts = []
        if self.keys:
            whole = [key for key in self.keys if isinstance(key, str)]
            each = [f"keys in {literal(whole)}"] if whole else []
            each += [" and ".join(map(_key_part, key)) for key in self.keys if not isinstance(key, str)]
            parts.append("(" + " or ".join(each) + ")")
        if self.events:
            parts.append(f"event_name in {literal(list(self.events))}")
        if self.condition:
            parts.append(condition_sql(self.condition, new=new, old=old))
        if self.valid:
            begin, end = map(literal, self.valid)
            parts.append(f"valid_from < {end} and (valid_to is null or valid_to > {begin})")
        return " and ".join(parts) or "true"


EVERYTHING = Filter()


def _key_part(part: KeyPart) -> str:
    value = json_path("keys", Name("", (part.name,)), part.kind)
    return f"starts_with({value}, {literal(part.value)})" if part.prefix else f"{value} = {literal(part.value)}"


def key_schema(keys: str = "keys") -> str:
    """Write the names and types of a key, of which there is the canonical text."""
    return part("key_schema", keys=keys)


def of_origin(origin: Mapping[str, str]) -> str:
    """Write the condition on the changes of one Region, or account; '' where there is none."""
    return " and ".join(f"{column} = {literal(value)}" for column, value in origin.items())


def like_key(types: Mapping[str, str]) -> str:
    """Write the condition on keys of some names and types, as DuckDB tests it fastest; the keys are canonical.

    A text cannot be taken for what is between two attributes: it has a backslash before its quotes.

    >>> print(like_key({"pk": "S"}))
    keys like '{"pk":{"S":"%"}}' escape '!' and not contains(keys, '"},"')
    """
    names = (re.sub("[!%_]", r"!\g<0>", json.dumps(name, ensure_ascii=False)) for name in types)
    parts = (f'{name}:{{"{kind}":"%"}}' for name, kind in zip(names, types.values(), strict=True))
    alone = """ and not contains(keys, '"},"')""" if len(types) == 1 else ""
    return f"keys like {literal('{' + ','.join(parts) + '}')} escape '!'{alone}"
