r"""Attributes of DynamoDB JSON images as columns, read by known paths, in the embedded engine's own dialect.

A **leaf** is an attribute at the end of an image's maps, in one type. Leaves are read by JSON pointers, all of an image
in one pass. That an image holds *nothing but* the leaves asked for, each written the shortest way, is **proven by its
length**: what JSON takes for them, and for the names, types and maps around them, must be as many bytes as it has. A
byte that belongs to something else makes it more: an unknown attribute, a second type, a name that comes twice, white
space, an escape that need not be. Nothing can make up for it, as what was read is never longer than it was: a text is
measured in its shortest form, and a bare number, which alone may come out longer (1e5 as 100000.0), is no DynamoDB JSON
and counts for nothing. So an image that is fine may not be proven, and is to be read another way; one that is proven is
DynamoDB JSON, but for what stands within texts, as whether an N is a number, and a B base64.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.model.canonical import PYTHON_TYPES
from workbench.sql.literals import literal
from workbench.sql.templates import part

# Lists of texts, and JSON without bare numbers.
_TEXTS = r'\[(?:"(?:[^"\\]|\\.)*",?)*\]'
_VALUES = r'(?:"(?:[^"\\]|\\.)*"|true|false|[\[\]{}:,])*'


@dataclass(frozen=True, slots=True, order=True)
class Leaf:
    """An attribute at the end of an image's maps, in one type; of type M it is an empty map.

    >>> Leaf(("person", "first.name"), "S").pointer
    '/person/M/first.name/S'
    """

    path: tuple[str, ...]
    kind: str
    """Its type, as DynamoDB JSON describes it: S, N, B, BOOL, NULL, M, L, SS, NS or BS."""

    @property
    def pointer(self) -> str:
        """Where the leaf's value is in an image, as a JSON pointer (RFC 6901)."""
        return f"{_pointer(self.path)}/{self.kind}"

    @property
    def readable(self) -> bool:
        """Whether SQL can read it: its names can be written in SQL, and its type is one of DynamoDB's."""
        return self.kind in PYTHON_TYPES and not any("\0" in name for name in self.path)


def leaves_of(images: str, image: str, leaves: Sequence[Leaf]) -> str:
    r"""Return a query for the leaves of images.

    Parameters
    ----------
    images
        SQL of a relation.
    image
        SQL of its DynamoDB JSON texts, which are not null.
    leaves
        At least one, none twice.

    Returns
    -------
    str
        DuckDB's dialect. Its rows are those of the relation, in that order where DuckDB preserves it: columns
        ``leaf_0``, ``leaf_1``, … with each leaf's value as JSON text in its shortest form, null where the image does
        not have it; ``proven``, whether the image holds just these leaves. Else they may be missing or wrong.

    >>> import duckdb
    >>> images = "(values ('{\"n\":{\"N\":\"1\"}}'), ('{\"n\":{\"N\":\"1\"},\"x\":{}}'), ('{')) as images (image)"
    >>> duckdb.sql(leaves_of(images, "image", [Leaf(("n",), "N")])).fetchall()
    [('"1"', True), ('"1"', False), (None, False)]
    """
    maps = _maps(leaves)
    ambiguous = [path for path in maps if any(map(_like_an_index, maps[path].children))]
    pointers = [leaf.pointer for leaf in leaves] + [f"{_pointer(path)}/M" for path in ambiguous if path]
    cells = []
    for number, leaf in enumerate(leaves):
        found = f"found[{number + 1}]"
        cells.append(f"case when {_is_of(leaf.kind, found)} then {found}::varchar end as leaf_{number}")
    objects = [
        f"ifnull(starts_with(found[{number}], '{{'), true)" for number in range(len(leaves) + 1, len(pointers) + 1)
    ]
    return part(
        "leaves",
        images=images,
        image=image,
        pointers=f"[{', '.join(map(literal, pointers))}]",
        cells=",\n        ".join(cells),
        names=", ".join(f"leaf_{number}" for number in range(len(leaves))),
        proven="\n    and ".join(
            ["starts_with(image, '{')", _measured(leaves, maps), *_one_type(leaves, maps), *objects]
        ),
    )


def _is_of(kind: str, found: str) -> str:
    """Return SQL of whether a value's JSON text is of a type."""
    if kind in ("S", "N", "B"):
        return f"starts_with({found}, '\"')"
    if kind in ("BOOL", "NULL"):
        return f"{found} in ('true', 'false')"
    if kind == "M":
        return f"{found} = '{{}}'"
    return f"starts_with({found}, '[') and regexp_full_match({found}, {literal(_VALUES if kind == 'L' else _TEXTS)})"


@dataclass(slots=True)
class _Map:
    """A map with members: the names in it, and the numbers of the leaves in it at any depth."""

    children: set[str]
    leaves: list[int]

    @property
    def there(self) -> str:
        return _any_there(self.leaves)


def _maps(leaves: Sequence[Leaf]) -> dict[tuple[str, ...], _Map]:
    """Return the maps around leaves by their paths, the image itself by ()."""
    maps: dict[tuple[str, ...], _Map] = {}
    for number, leaf in enumerate(leaves):
        for depth in range(len(leaf.path)):
            found = maps.setdefault(leaf.path[:depth], _Map(set(), []))
            found.children.add(leaf.path[depth])
            found.leaves.append(number)
    return maps


def _measured(leaves: Sequence[Leaf], maps: dict[tuple[str, ...], _Map]) -> str:
    """Return SQL of whether an image is as long as its leaves need: one byte more a member, for the comma, less one."""
    lengths = [
        f"ifnull(strlen(leaf_{number}) + {_around(leaf.path[-1], leaf.kind)}, 0)" for number, leaf in enumerate(leaves)
    ]
    lengths += [
        f"case when {found.there} then {_around(path[-1], 'M') + 1} else 0 end" for path, found in maps.items() if path
    ]
    total = "\n        + ".join(["1", *lengths])
    return f"case when {maps[()].there} then strlen(image) = {total}\n    else image = '{{}}' end"


def _one_type(leaves: Sequence[Leaf], maps: dict[tuple[str, ...], _Map]) -> list[str]:
    """Return SQL of whether no attribute has several of the types that are known of it."""
    kinds: dict[tuple[str, ...], list[str]] = {}
    for number, leaf in enumerate(leaves):
        kinds.setdefault(leaf.path, []).append(f"leaf_{number} is not null")
    for path, found in maps.items():
        if path in kinds:
            kinds[path].append(found.there)
    return [" + ".join(f"({each})::tinyint" for each in there) + " <= 1" for there in kinds.values() if len(there) > 1]


def _any_there(numbers: Sequence[int]) -> str:
    return f"coalesce({', '.join(f'leaf_{number}' for number in numbers)}) is not null"


def _around(name: str, kind: str) -> int:
    """Return how many bytes stand around an attribute's value: ``"name":{"S":`` and ``},``."""
    return len(json.dumps(name, ensure_ascii=False).encode()) + len(kind) + 7


def _pointer(path: Sequence[str]) -> str:
    """Return where an attribute is, as a JSON pointer: each name but the first is within an M."""
    return "/" + "/M/".join(name.replace("~", "~0").replace("/", "~1") for name in path)


def _like_an_index(name: str) -> bool:
    """Tell whether a pointer would find an array's element by a name too."""
    return re.fullmatch(r"[-+#]?[0-9]*", name) is not None
