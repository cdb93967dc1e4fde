"""What the columns of a table in the Glue catalog do not hold of the newest records in it.

A crawler makes columns of what it sees. Records that came after it may have attributes, or values of types, that the
columns lack: Athena reads these as if they were not there. So a few of the newest objects are looked into. They tell
also how DynamoDB spells the names that the columns have in lower case.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING

from workbench.log.flat import flat_path
from workbench.model.attribute_paths import column_name
from workbench.sql.layouts import GlueType, Layout, Path, glue_type

if TYPE_CHECKING:
    from workbench.aws.dynamodb_values import Image, Value

_IMAGES = {"keys": "keys", "new_image": "newimage", "old_image": "oldimage"}
_NAMED = 8  # lost paths that a note names


@dataclass
class Sample:
    """What some changes of a log have, beside the columns of its table."""

    columns: Mapping[str, str]
    layout: Layout | None
    looked: set[str] = field(default_factory=set)
    """The objects looked into."""
    spelled: dict[Path, str] = field(default_factory=dict)
    """How DynamoDB spells the attributes, by their paths in lower case; the first that was seen."""
    lost: dict[str, str] = field(default_factory=dict)
    """What the columns do not hold, in words, by path and type."""
    alike: set[tuple[str, str]] = field(default_factory=set)
    """Attributes whose names differ in case only, which have one column."""
    since: datetime | None = None
    """When the first object arrived in which something was that the columns do not hold."""

    @property
    def is_needed(self) -> bool:
        """Whether columns may lack something: not where keys and images are all there, as texts."""
        if self.layout == "envelope":
            return not {"new_image", "old_image"} <= set(self.columns)
        if self.layout == "raw":
            members = glue_type(self.columns["dynamodb"]).inner
            return bool(members) and not set(_IMAGES.values()) <= set(members)
        return self.layout is not None

    @property
    def notes(self) -> tuple[str, ...]:
        """What the columns do not hold, each in a sentence."""
        notes: list[str] = []
        if self.lost:
            named = ", ".join([*self.lost.values()][:_NAMED]) + (", …" if len(self.lost) > _NAMED else "")
            since = f", since objects of {self.since:%Y-%m-%d %H:%M} UTC" if self.since else ""
            notes.append(
                f"the table's columns do not hold: {named}{since}; run the crawler again, or register an "
                "explicit table: `workbench table create`"
            )
        if self.alike:
            named = ", ".join(" and ".join(pair) for pair in sorted(self.alike)[:_NAMED])
            notes.append(
                f"attributes whose names differ in case only have one column: {named}; register an explicit "
                "table: `workbench table create`"
            )
        return tuple(notes)

    def look(self, path: str, arrival: datetime | None, changes: Iterable[Mapping[str, object]]) -> None:
        """Compare the changes of one object with the columns."""
        self.looked.add(path)
        before = len(self.lost)
        for change in changes:
            for name, member in _IMAGES.items():
                if isinstance(image := change[name], str):
                    self._image(json.loads(image), name, member)
        if len(self.lost) > before and arrival and not (self.since and self.since < arrival):
            self.since = arrival

    def _image(self, image: Image, name: str, member: str) -> None:
        if self.layout == "flat":
            columns = {flat_path(each)[0].lower() for each in self.columns}
            for attribute, value in image.items() if name != "keys" else ():
                self._spell((attribute.lower(),), attribute, (attribute,))
                if attribute.lower() not in columns:
                    self._lose((attribute,), f"({next(iter(value))})")
            return
        if self.layout == "envelope":
            kind = glue_type(self.columns[name]) if name in self.columns else None
        else:
            kind = _inner(glue_type(self.columns["dynamodb"]), member)
        if kind is None:
            self._lose((), name.replace("_", " "))
        elif kind.inner:
            self._attributes(image, kind, (), ())

    def _attributes(self, image: Image, kind: GlueType, path: Path, shown: tuple[str | int, ...]) -> None:
        for name, value in image.items():
            below, named = (*path, name.lower()), (*shown, name)
            self._spell(below, name, named)
            inner = kind.inner.get(name.lower())
            if inner is None:
                self._lose(named, f"({next(iter(value))})")
            elif inner.inner:
                self._value(value, inner, below, named)

    def _value(self, value: Value, kind: GlueType, path: Path, shown: tuple[str | int, ...]) -> None:
        ((tag, held),) = value.items()
        inner = kind.inner.get(tag.lower())
        if inner is None:
            self._lose(shown, f"as {tag}")
        elif tag == "M" and inner.inner:
            self._attributes(held, inner, path, shown)
        elif tag == "L" and inner.inner and inner.inner[""].inner:
            for number, element in enumerate(held):
                self._value(element, inner.inner[""], (*path, ""), (*shown, number))

    def _lose(self, shown: tuple[str | int, ...], what: str) -> None:
        path = column_name(shown)
        without_indices = column_name([part if isinstance(part, str) else 0 for part in shown])
        self.lost.setdefault(f"{without_indices} {what}", f"{path} {what}".strip())

    def _spell(self, path: Path, name: str, shown: tuple[str | int, ...]) -> None:
        first_seen = self.spelled.setdefault(path, name)
        if first_seen != name:
            first, second = sorted((column_name((*shown[:-1], first_seen)), column_name(shown)))
            self.alike.add((first, second))


def _inner(kind: GlueType, member: str) -> GlueType | None:
    """Return a member's type; that of a text, where all is one."""
    return kind.inner.get(member) if kind.inner else kind
