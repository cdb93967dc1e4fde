"""Who made a change, by the word of the item itself: the column `actor` of the setting `actor`.

A log does not know who wrote: of each change it says no more than whether DynamoDB's time to live made it. Where
writers keep their names in an attribute of the item, such as ``updated_by``, the new image of a change has who wrote,
if every writer sets it. A REMOVE has no new image, and the old one names who wrote last, not who removed: nothing is
told of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import pandas as pd

from workbench.config import Settings
from workbench.errors import did_you_mean
from workbench.model import attributes
from workbench.model.attribute_paths import column_name, column_path
from workbench.model.attributes import Numbers
from workbench.questions.columns import ACTOR
from workbench.questions.nesting import nest


class Actor:
    """The attribute of items that tells who wrote them.

    Parameters
    ----------
    path
        As in column names, ``meta."updated.by"``.
    numbers
        As `workbench.model.attributes.frame` takes it, where it is a number that tells.

    Examples
    --------
    >>> actor = Actor("meta.by")
    >>> images = actor.of_images([{"meta": {"M": {"by": {"S": "ann"}}}}, None])
    >>> actor.beside(pd.DataFrame({"event_name": ["INSERT", "REMOVE"], "by_ttl": False}), images)
      event_name actor  by_ttl
    0     INSERT   ann   False
    1     REMOVE  <NA>   False
    """

    def __init__(self, path: str, numbers: Numbers = "auto") -> None:
        self._path, self._numbers = column_path(path), numbers

    def of_images(self, images: Sequence[Mapping[str, Any] | None]) -> pd.DataFrame:
        """Return the columns of what images, as DynamoDB JSON, have at the path or below it."""
        texts = []
        for image in images:
            value: Any = {"M": image or {}}
            for name in self._path:
                value = (value.get("M") or {}).get(name) or {}
            texts.append(orjson.dumps({ACTOR: value} if value else {}))
        df = attributes.frame(texts, numbers=self._numbers)
        return df.set_axis([column_name((*self._path, *column_path(name)[1:])) for name in df.columns], axis="columns")

    def beside(self, changes: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
        """Put the column `actor` right after event_name.

        Parameters
        ----------
        changes
            A row a change, or more.
        images
            The flattened columns of what each one's new image has.
        """
        within = {name: column_path(name) for name in images.columns}
        told = {name: path for name, path in within.items() if path[: len(self._path)] == self._path}
        names = [column_name((ACTOR, *path[len(self._path) :])) for path in told.values()]
        wrote = nest(images[[*told]].set_axis(names, axis="columns")) if told else pd.DataFrame(index=changes.index)
        column = wrote[ACTOR] if ACTOR in wrote else pd.Series(pd.NA, changes.index, "string")
        changes = changes.copy(deep=False)
        changes.insert(list(changes.columns).index("event_name") + 1, ACTOR, column)
        return changes

    def unknown(self, columns: Iterable[str]) -> list[str]:
        """Say that no new image has the attribute, given the columns of all they have; nothing where there is none."""
        names = list(columns)
        if not names or any(column_path(name)[: len(self._path)] == self._path for name in names):
            return []
        path = column_name(self._path)
        return [f"no new image of these changes has the actor {path!r}.{did_you_mean(path, names)}"]

    def untold(self, history: pd.DataFrame) -> list[str]:
        """Say that nothing of a history has the attribute."""
        wrote = history.loc[history["event_name"] != "REMOVE"]
        return [] if wrote[ACTOR].notna().any() else self.unknown(wrote["path"].dropna().unique())


def actor_of(settings: Settings) -> Actor | None:
    """Return the attribute that the setting `actor` names.

    >>> actor_of(Settings(actor="updated_by")), actor_of(Settings())  # doctest: +ELLIPSIS
    (<workbench.questions.actors.Actor object at ...>, None)
    """
    return Actor(settings.actor, settings.numbers) if settings.actor else None
