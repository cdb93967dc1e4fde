"""What the images of a log hold: their attributes by path, the DynamoDB types of each, and the SQL types these make.

A schema is a tree. Its root stands for an image, and is a map of attributes; below a map are its members, below a list
its elements, all indexes together. It is added up image by image, or part by part: the order does not matter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from workbench.errors import RecordRefused
from workbench.model.attribute_paths import column_name
from workbench.model.canonical import PYTHON_TYPES, canonical_number
from workbench.text import count

_MOST = 38  # digits of a decimal
_SHORT = 18  # digits of one that takes 8 bytes
_INT64 = range(-(2**63), 2**63)
_SETS = {"SS": "S", "NS": "N", "BS": "B"}
_SQL_TYPES = {"S": "varchar", "BOOL": "boolean", "B": "varbinary", "M": "varchar"}
_ELEMENTS = frozenset({"S", "N", "BOOL"})


@dataclass
class Held:
    """What images hold at a path.

    >>> root = Held()
    >>> root.add('{"age":{"N":"41"},"tags":{"SS":["a"]}}')
    >>> {name: sql_type(held) for name, held in root.members.items()}
    {'age': 'bigint', 'tags': 'array(varchar)'}
    """

    kinds: dict[str, int] = field(default_factory=dict)
    """DynamoDB type → how often it is here: in how many images, or, below a list, in how many elements. NULL is one."""
    digits: int = 0
    """Most digits before the decimal point of a number that is not 0 there; of N, and of members of NS."""
    scale: int = 0
    """Most digits after it, without idle zeros."""
    int64: bool = True
    """Whether every number is an integer of 64 bits; where there is none, it is true."""
    members: dict[str, Held] = field(default_factory=dict)
    """Of a map, by name."""
    elements: Held | None = None
    """Of a list, of all its indexes together; None where no list has any."""

    @property
    def count(self) -> int:
        """How many values there are here; of the root, how many images."""
        return sum(self.kinds.values())

    @property
    def types(self) -> frozenset[str]:
        """The DynamoDB types there are, but NULL."""
        return frozenset(self.kinds) - {"NULL"}

    def find(self, path: Sequence[str | int]) -> Held | None:
        """Return what is held at a path, a number of which is an element's index; None where nothing is.

        >>> root = Held()
        >>> root.add('{"phones":{"L":[{"M":{"number":{"S":"1"}}}]}}')
        >>> root.find(("phones", 0, "number")).kinds, root.find(("phones", "number"))
        ({'S': 1}, None)
        """
        held: Held | None = self
        for step in path:
            if held is None:
                return None
            held = held.elements if isinstance(step, int) else held.members.get(step)
        return held

    def add(self, image: str | bytes, times: int = 1) -> None:
        """Take in an image, given as DynamoDB JSON text, however it is written, that is there so many times.

        Raises
        ------
        RecordRefused
            Where it is none.
        """
        try:
            self.add_value({"M": orjson.loads(image)}, times)
        except RecordRefused:
            raise
        except (AttributeError, TypeError, ValueError):
            raise RecordRefused("an image is not DynamoDB JSON") from None  # which may show values

    def add_value(
        self, value: Mapping[str, Any], times: int = 1, extents: Iterator[tuple[int, int, bool]] | None = None
    ) -> None:
        """Take in a value as DynamoDB JSON has it, such as ``{"N":"1"}``, that is there so many times.

        Parameters
        ----------
        extents
            Digits, scale and int64 of its numbers and sets of numbers, in their order, where it does not have these.

        Raises
        ------
        RecordRefused
            Where it is none.

        >>> held = Held()
        >>> held.add_value({"N": ""}, 5, iter([(3, 2, False)]))
        >>> held.kinds, sql_type(held)
        ({'N': 5}, 'decimal(18,2)')
        """
        ((kind, inner),) = value.items()
        if type(inner) is not PYTHON_TYPES.get(kind):
            raise RecordRefused("an image is not DynamoDB JSON")  # nor is its type shown, which may be a value
        self.kinds[kind] = self.kinds.get(kind, 0) + times
        if kind == "M":
            for name, member in inner.items():
                self.member(name).add_value(member, times, extents)
        elif kind == "L":
            for element in inner:
                self.elements = self.elements or Held()
                self.elements.add_value(element, times, extents)
        elif kind in ("N", "NS") and extents is not None:
            self.merge(Held({}, *next(extents)))
        elif kind in ("N", "NS"):
            for number in inner if kind == "NS" else (inner,):
                self.add_number(number)

    def member(self, name: str) -> Held:
        """Return what is held by the member of this name, and note that there is one."""
        return self.members.setdefault(name, Held())

    def add_number(self, text: str) -> None:
        """Take the extent of a number in.

        >>> held = Held()
        >>> held.add_number("-120.50")
        >>> held.digits, held.scale, held.int64
        (3, 1, False)
        """
        mantissa, _, exponent = canonical_number(text).partition("E")
        whole, _, fraction = mantissa.partition(".")
        digits, shift = whole.lstrip("-"), int(exponent or 0)
        self.digits = max(self.digits, 0 if digits == "0" else len(digits) + shift)
        self.scale = max(self.scale, len(fraction) - shift)
        self.int64 = self.int64 and not fraction and not exponent and int(whole) in _INT64

    def merge(self, other: Held) -> None:
        """Take in what other images hold."""
        for kind, times in other.kinds.items():
            self.kinds[kind] = self.kinds.get(kind, 0) + times
        self.digits, self.scale = max(self.digits, other.digits), max(self.scale, other.scale)
        self.int64 = self.int64 and other.int64
        for name, member in other.members.items():
            self.member(name).merge(member)
        if other.elements:
            self.elements = self.elements or Held()
            self.elements.merge(other.elements)

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON; the inverse of `from_json`.

        >>> root = Held()
        >>> root.add('{"pk":{"S":"a"}}')
        >>> root.to_json()
        {'kinds': {'M': 1}, 'members': {'pk': {'kinds': {'S': 1}}}}
        """
        told: dict[str, Any] = {"kinds": dict(self.kinds)} if self.kinds else {}
        if self.digits or self.scale or not self.int64:
            told["number"] = [self.digits, self.scale, self.int64]
        if self.members:
            told["members"] = {name: member.to_json() for name, member in self.members.items()}
        if self.elements:
            told["elements"] = self.elements.to_json()
        return told

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Held:
        """Return what `to_json` told of.

        >>> Held.from_json({"kinds": {"M": 1}, "members": {"pk": {"kinds": {"S": 1}}}}).find(("pk",)).kinds
        {'S': 1}
        """
        digits, scale, int64 = told.get("number", (0, 0, True))
        elements = told.get("elements")
        return cls(
            dict(told.get("kinds", {})),
            digits,
            scale,
            int64,
            {name: cls.from_json(member) for name, member in told.get("members", {}).items()},
            None if elements is None else cls.from_json(elements),
        )

    def paths(self, above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Held]]:
        """Yield every attribute by its path, by name; those of maps below a map too, and not what is in lists."""
        for name in sorted(self.members):
            yield (*above, name), self.members[name]
            yield from self.members[name].paths((*above, name))


def sql_type(held: Held) -> str:
    """Return the type that an attribute's values have as a column, in Athena's dialect.

    S is varchar, BOOL boolean, B varbinary. N is bigint where all are integers that fit, else the narrower of
    ``decimal(18,s)`` and ``decimal(38,s)`` that holds all of them, else double, which rounds. Sets are arrays of these.
    L is an array of varchar, numbers or boolean where all elements are of one such type, or NULL; else an array of
    varchar, the DynamoDB JSON of each element. M is varchar, the DynamoDB JSON of its members; and so is what has
    several types: texts, numbers and booleans as they are written, and the DynamoDB JSON of the others.

    >>> sql_type(Held({"N": 2}, digits=3, scale=2, int64=False)), sql_type(Held({"N": 2, "S": 1}))
    ('decimal(18,2)', 'varchar')
    """
    kinds = held.types
    if len(kinds) != 1:
        return "varchar"
    (kind,) = kinds
    if kind == "N":
        return number_type(held)
    if kind == "L":
        return f"array({sql_type(held.elements)})" if held.elements and plain_elements(held) else "array(varchar)"
    if kind in _SETS:
        return f"array({number_type(held) if kind == 'NS' else _SQL_TYPES[_SETS[kind]]})"
    return _SQL_TYPES[kind]


def number_type(held: Held) -> str:
    """Return the narrowest exact type of the numbers at a path, in Athena's dialect; double where there is none."""
    if held.int64:
        return "bigint"
    digits = held.digits + held.scale
    return "double" if digits > _MOST else f"decimal({_SHORT if digits <= _SHORT else _MOST},{held.scale})"


def plain_elements(held: Held) -> bool:
    """Return whether the elements of a list come as values of one type, NULL among them, and not as JSON."""
    kinds = held.elements.types if held.elements else frozenset()
    return len(kinds) < 2 and kinds <= _ELEMENTS


def notes(root: Held) -> list[str]:
    """Say which attributes are not what their columns say: those of several types, and numbers that are rounded.

    >>> root = Held()
    >>> for image in ('{"age":{"S":"41"}}', '{"age":{"N":"41"}}', '{"age":{"N":"42"}}'):
    ...     root.add(image)
    >>> notes(root)
    ['age: N in 2 and S in 1 image: it is varchar here']
    """
    return [note for path, held in root.paths() for note in note_of(path, held)]


def note_of(path: Sequence[str | int], held: Held) -> list[str]:
    """Say what is to be minded of one attribute, as `notes` does of all."""
    kinds, name = held.types, column_name(path)
    if len(kinds) > 1:
        *others, last = sorted(kinds, key=lambda kind: (-held.kinds[kind], kind))
        told = ", ".join(f"{kind} in {held.kinds[kind]:,}" for kind in others)
        return [f"{name}: {told} and {last} in {count(held.kinds[last], 'image')}: it is varchar here"]
    numbers = held.elements if kinds == {"L"} and held.elements and plain_elements(held) else held
    if numbers.types in ({"N"}, {"NS"}) and number_type(numbers) == "double":
        return [
            f"{name}: its numbers need {numbers.digits:,} digits before the decimal point and {numbers.scale:,} after "
            f"it, more than the {_MOST} that a decimal has: double, which rounds"
        ]
    return []
