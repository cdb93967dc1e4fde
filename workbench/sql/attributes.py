r"""Attributes of DynamoDB JSON images as columns, read by known paths, in the embedded engine's own dialect.

A **leaf** is an attribute at the end of an image's maps, in one type. Leaves are read by JSON pointers, all of an image
in one pass. That an image holds *nothing but* the leaves asked for, each written the shortest way, is **proven by its
length**: what JSON takes for them, and for the names, types and maps around them, must be as many bytes as it has. A
byte that belongs to something else makes it more: an unknown attribute, a second type, a name that comes twice, white
space, an escape that need not be. Nothing can make up for it, as what was read is never longer than it was: a text is
measured in its shortest form, and a bare number, which alone may come out longer (1e5 as 100000.0), is no value of any
of DynamoDB's types, and proves nothing. So an image that is fine may not be proven, and is to be read another way; one
that is proven is DynamoDB JSON, but for what stands within texts, as whether an N is a number, and a B base64.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from workbench.model.canonical import PYTHON_TYPES
from workbench.sql.literals import literal
from workbench.sql.templates import part

_SPELLED_DIFFERENTLY = frozenset({"N", "B", "L", "SS", "NS", "BS"})
"""Types of which one value has several texts, or may differ in a part."""
_CANONICAL_NUMBER = r'"(?:0|-?[1-9][0-9]*|-?(?:0|[1-9][0-9]*)\.[0-9]*[1-9])"'
_PLAIN_NUMBER = r'"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?"'
_TEXT_VALUE = r'"S":"(?:[^"\\]|\\.)*"'
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
    known = _Known(leaves)
    return part(
        "leaves",
        images=images,
        image=image,
        pointers=known.pointers,
        cells=known.cells("image", "leaf"),
        names=", ".join(f"leaf_{number}" for number in range(len(leaves))),
        proven=known.proven("image", "leaf"),
    )


def held_by(images: str, leaves: Sequence[Leaf]) -> str:
    r"""Return a query for what images hold, all together, of which some are proven to hold just these leaves.

    Parameters
    ----------
    images
        SQL of a relation of ``image``, DynamoDB JSON texts that are not null, and ``times``, how often each is there.
    leaves
        At least one, none twice.

    Returns
    -------
    str
        DuckDB's dialect; one row. Of the images that are proven: ``images``, how often they are there; ``times_0``, …
        of each leaf how often; ``map_0``, … of each map with members, in the order of `maps_of`. Of numbers
        ``digits_0`` and ``scale_0``, the most before and after the point, ``int64_0``, whether those without digits
        after it are integers of 64 bits, and ``odd_0``, those that are written in another way, as JSON texts. Of lists
        and of sets of numbers ``texts_0``: their JSON texts, those of a list without its elements' texts, each after
        its times and a space, and how many there are. ``others``: the images that are not proven, and their times.

    >>> import duckdb
    >>> images = "(values ('{\"n\":{\"N\":\"-1.50\"}}', 2), ('{}', 1)) as images (image, times)"
    >>> duckdb.sql(held_by(images, [Leaf(("n",), "N")])).fetchall()
    [(2, 1, 1, True, None, 3, None)]
    """
    known = _Known(leaves)
    measured, told = ["*"], []
    for number, leaf in enumerate(leaves):
        cell = f"leaf_{number}"
        told.append(f"sum(case when {cell} is not null then proven end) as times_{number}")
        if leaf.kind == "N":
            point, sign = f"instr({cell}, '.')", f"starts_with({cell}, '\"-')::tinyint"
            whole = f"case {point} when 0 then strlen({cell}) - 2 else {point} - 2 end - {sign}"
            idle = f"case when suffix({cell}, '0\"') then strlen(rtrim({cell}, '0\"')) else strlen({cell}) - 1 end"
            integer = f"try_cast(trim({cell}, '\"') as bigint)"
            measured += [
                f"proven is not null and regexp_full_match({cell}, {literal(_PLAIN_NUMBER)}) as plain_{number}",
                f"{whole} - ({cell}[2 + {sign}] = '0')::tinyint as whole_{number}",
                f"case {point} when 0 then 0 else {idle} - {point} end as fraction_{number}",
            ]
            plain = f"case when plain_{number} then"
            fits = f"case when strlen({cell}) > 20 then {integer} is not null else true end"
            told += [
                f"max({plain} whole_{number} end) as digits_{number}",
                f"max({plain} fraction_{number} end) as scale_{number}",
                f"bool_and({plain} {fits} end) as int64_{number}",
                f"list(distinct {cell}) filter (where not plain_{number} and proven is not null) as odd_{number}",
            ]
        elif leaf.kind in ("L", "NS"):
            text = f"regexp_replace({cell}, {literal(_TEXT_VALUE)}, '\"S\":\"\"', 'g')" if leaf.kind == "L" else cell
            there = f"proven is not null and {cell} is not null"
            told.append(f"histogram(case when {there} then concat(proven, ' ', {text}) end) as texts_{number}")
    for number, found in enumerate(known.maps):
        told.append(f"sum(case when {found.there('leaf')} then proven end) as map_{number}")
    return part(
        "held",
        images=images,
        pointers=known.pointers,
        cells=known.cells("image", "leaf"),
        proven=known.proven("image", "leaf"),
        measured=",\n        ".join(measured),
        told=",\n    ".join(told),
    )


def maps_of(leaves: Sequence[Leaf]) -> list[tuple[str, ...]]:
    """Return the paths of the maps that leaves are in, but for the image itself.

    >>> maps_of([Leaf(("a", "b", "c"), "S"), Leaf(("d",), "N")])
    [('a',), ('a', 'b')]
    """
    return list(dict.fromkeys(leaf.path[:depth] for leaf in leaves for depth in range(1, len(leaf.path))))


def differing(pairs: str, old: str, new: str, leaves: Sequence[Leaf], *, values: bool = False) -> str:
    r"""Return a query for how two images of each pair differ, leaf by leaf.

    Parameters
    ----------
    pairs
        SQL of a relation.
    old, new
        SQL of its DynamoDB JSON texts, which are not null.
    leaves
        At least one, none twice.
    values
        Whether to answer with the values that differ, too.

    Returns
    -------
    str
        DuckDB's dialect; a row a pair, in the relation's order where DuckDB preserves it. ``change_0``, ``change_1``, …
        tell of each leaf 0 where it is the same, 1 added, 2 removed, 3 changed, and 4 where its texts differ, though it
        may be the same, or only a part of it may differ: then ``old_0``, ``new_0``, … have them; of leaves that cannot
        be so, they are missing. `values` adds ``before_0``, ``after_0``, …: the DynamoDB JSON of a leaf that is not the
        same. ``proven`` tells whether both images have just these leaves, and no attribute is a map with members in
        the one and no map in the other.

    >>> import duckdb
    >>> pairs = "(values ('{\"n\":{\"N\":\"1\"}}', '{\"n\":{\"N\":\"2\"}}')) as pairs (old, new)"
    >>> duckdb.sql(differing(pairs, "old", "new", [Leaf(("n",), "N")])).fetchall()
    [(3, None, None, True)]
    """
    known = _Known(leaves)
    compared, numbers, told = [], [], []
    for number, leaf in enumerate(leaves):
        before, after, change = f"old_cell_{number}", f"new_cell_{number}", f"change_{number}"
        undecided = leaf.kind in _SPELLED_DIFFERENTLY
        by_presence = (
            f"4 - 3 * ({before} is null)::tinyint - 2 * ({after} is null)::tinyint"
            if undecided
            else f"3 - 2 * ({before} is null)::tinyint - ({after} is null)::tinyint"
        )
        compared.append(f"({before} is distinct from {after})::tinyint * ({by_presence})::tinyint as {change}")
        told.append(change)
        if leaf.kind == "N":
            canonical = (f"regexp_full_match({cell}, {literal(_CANONICAL_NUMBER)})" for cell in (before, after))
            numbers.append(f"case when {change} = 4 and {' and '.join(canonical)} then 3 else {change} end as {change}")
        if undecided:
            told += [
                f"case when {change} = 4 then {cell} end as {side}_{number}"
                for side, cell in (("old", before), ("new", after))
            ]
        if values:
            opening = literal(f'{{"{leaf.kind}":')
            told += [
                f"case when {change} <> 0 and {cell} is not null then concat({opening}, {cell}, '}}') end"
                f" as {side}_{number}"
                for side, cell in (("before", before), ("after", after))
            ]
    sides = [(side, f"{side}_cell") for side in ("old", "new")]
    return part(
        "differing",
        pairs=pairs,
        old=old,
        new=new,
        pointers=known.pointers,
        cells=",\n        ".join(known.cells(*side) for side in sides),
        compared=",\n        ".join(compared),
        decided="* replace (\n        " + ",\n        ".join(numbers) + ")" if numbers else "*",
        proven="\n        and ".join([*(known.proven(*side) for side in sides), *known.no_map_where_none_was()]),
        told=",\n    ".join(told),
    )


def _is_of(kind: str, found: str) -> str:
    """Return SQL of whether a value's JSON text is of a type."""
    if kind in ("S", "N", "B"):
        return f"{found} between '\"' and '#'"  # starts_with, twice as fast
    if kind in ("BOOL", "NULL"):
        return f"{found} in ('true', 'false')"
    return f"starts_with({found}, '[') and regexp_full_match({found}, {literal(_VALUES if kind == 'L' else _TEXTS)})"


@dataclass(slots=True)
class _Map:
    """A map with members: the names in it, and the numbers of the leaves in it at any depth."""

    children: set[str]
    leaves: list[int]

    def there(self, cell: str) -> str:
        return f"coalesce({', '.join(f'{cell}_{number}' for number in self.leaves)}) is not null"


class _Known:
    """SQL about leaves: `image` is the column of an image, `image`_found the list of what its pointers found.

    The columns of its leaves begin with `cell`.
    """

    def __init__(self, leaves: Sequence[Leaf]) -> None:
        self._leaves = leaves
        self._maps: dict[tuple[str, ...], _Map] = {}
        for number, leaf in enumerate(leaves):
            for depth in range(len(leaf.path)):
                found = self._maps.setdefault(leaf.path[:depth], _Map(set(), []))
                found.children.add(leaf.path[depth])
                found.leaves.append(number)
        indexed = [path for path, found in self._maps.items() if path and any(map(_like_an_index, found.children))]
        self._pointers = [leaf.pointer for leaf in leaves] + [f"{_pointer(path)}/M" for path in indexed]

    @property
    def pointers(self) -> str:
        """The leaves, and then the maps that a pointer would take a list for."""
        return f"[{', '.join(map(literal, self._pointers))}]"

    def cells(self, image: str, cell: str) -> str:
        """Return SQL of the columns of leaves; these are of their types where it is proven."""
        cells = []
        for number, leaf in enumerate(self._leaves):
            found = f"{image}_found[{number + 1}]"
            if leaf.kind == "M":  # a map with members is found too, of which these tell
                found = f"case when {found} = '{{}}' then {found} end"
            cells.append(f"({found})::varchar as {cell}_{number}")
        return ",\n        ".join(cells)

    def proven(self, image: str, cell: str) -> str:
        """Return SQL of whether an image holds its leaves and nothing else."""
        types = [
            f"ifnull({_is_of(leaf.kind, f'{cell}_{number}')}, true)"
            for number, leaf in enumerate(self._leaves)
            if leaf.kind != "M"
        ]
        objects = [
            f"ifnull(starts_with({image}_found[{number}], '{{'), true)"
            for number in range(len(self._leaves) + 1, len(self._pointers) + 1)
        ]
        once = self._of_one_type(cell)
        proven = [f"starts_with({image}, '{{')", self._measured(image, cell), *types, *once, *objects]
        return "\n    and ".join(proven)

    @property
    def maps(self) -> list[_Map]:
        """The maps that leaves are in, in the order of `maps_of`."""
        return [self._maps[path] for path in maps_of(self._leaves)]

    def no_map_where_none_was(self) -> list[str]:
        """Return SQL of whether no attribute is a map with members in the one image, and no map in the other."""
        conditions = []
        for number, leaf in enumerate(self._leaves):
            if leaf.kind != "M" and leaf.path in self._maps:
                there = self._maps[leaf.path].there
                conditions += [
                    f"not ({one}_cell_{number} is not null and {there(f'{other}_cell')})"
                    for one, other in (("old", "new"), ("new", "old"))
                ]
        return conditions

    def _measured(self, image: str, cell: str) -> str:
        """Return SQL of whether an image is as long as its leaves need: each has a comma after it, but for one."""
        lengths = [
            f"ifnull(strlen({cell}_{number}) + {_around(leaf.path[-1], leaf.kind)}, 0)"
            for number, leaf in enumerate(self._leaves)
        ]
        lengths += [
            f"case when {found.there(cell)} then {_around(path[-1], 'M') + 1} else 0 end"
            for path, found in self._maps.items()
            if path
        ]
        total = "\n        + ".join(["1", *lengths])
        there = self._maps[()].there(cell)
        return f"case when {there} then strlen({image}) = {total}\n    else {image} = '{{}}' end"

    def _of_one_type(self, cell: str) -> list[str]:
        """Return SQL of whether no attribute has several of the types that are known of it."""
        kinds: dict[tuple[str, ...], list[str]] = {}
        for number, leaf in enumerate(self._leaves):
            kinds.setdefault(leaf.path, []).append(f"{cell}_{number} is not null")
        for path, found in self._maps.items():
            if path in kinds:
                kinds[path].append(found.there(cell))
        return [
            " + ".join(f"({each})::tinyint" for each in there) + " <= 1" for there in kinds.values() if len(there) > 1
        ]


def _around(name: str, kind: str) -> int:
    """Return how many bytes stand around an attribute's value: ``"name":{"S":`` and ``},``."""
    return len(json.dumps(name, ensure_ascii=False).encode()) + len(kind) + 7


def _pointer(path: Sequence[str]) -> str:
    """Return where an attribute is, as a JSON pointer: each name but the first is within an M."""
    return "/" + "/M/".join(name.replace("~", "~0").replace("/", "~1") for name in path)


def _like_an_index(name: str) -> bool:
    """Tell whether a pointer would find an array's element by a name too."""
    return re.fullmatch(r"[-+#]?[0-9]*", name) is not None
