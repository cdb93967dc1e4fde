"""What changed between two images of an item, attribute by attribute.

An image is seen as its leaves: the attributes at the ends of its maps (an empty map is a leaf), as in the
columns of `workbench.model.attributes.frame`. Lists that are in both images are compared element by element, sets
member by member; a list, or an element of a list, that comes or goes is one difference.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from workbench.model.canonical import canonical_json, canonical_number

Change = Literal["added", "removed", "changed", "type changed", "members added", "members removed"]
AttributePath = tuple[str | int, ...]
Value = Mapping[str, Any]
_HOLE: dict[str, Any] = {}  # where a list's element was taken away


@dataclass(frozen=True, slots=True)
class Difference:
    """One attribute that differs; `before` and `after` are DynamoDB JSON values, None where absent.

    For ``members added`` and ``members removed`` they are the sets of these members only.
    """

    path: AttributePath
    change: Change
    before: Value | None
    after: Value | None


def differences(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> Iterator[Difference]:
    """Yield what differs between two DynamoDB JSON images, in the order of the attributes' names.

    None is an item that is not there. Numbers are compared as numbers, sets as sets.

    >>> [(d.path, d.change) for d in differences({"a": {"N": "1"}}, {"a": {"N": "1.0"}, "b": {"S": ""}})]
    [(('b',), 'added')]
    """
    return _maps(old or {}, new or {}, ())


def apply(image: Mapping[str, Any] | None, changes: Iterable[Difference]) -> dict[str, Any]:
    """Return the image that differences lead to from the one they were found in, which stays as it is.

    >>> apply({"a": {"N": "1"}}, differences({"a": {"N": "1"}}, {"b": {"M": {}}}))
    {'b': {'M': {}}}
    """
    root, changes = _copy({"M": image or {}}), list(changes)
    for difference in changes:  # all that goes, first: a map's last leaf may make place for an empty map
        if difference.change == "removed":
            _remove(root, difference.path)
    for difference in changes:
        if difference.change != "removed":
            _put(root, difference)
    result: dict[str, Any] = _without_holes(root)["M"]
    return result


def same(one: Value | None, other: Value | None) -> bool:
    """Return whether two DynamoDB JSON values are equal: numbers as numbers, sets as sets.

    >>> same({"NS": ["1", "2"]}, {"NS": ["2.0", "1"]}), same({"S": ""}, None)
    (True, False)
    """
    if one == other:
        return True
    if one is None or other is None or one.keys() != other.keys() or "S" in one or "BOOL" in one:
        return False
    if "N" in one:
        return canonical_number(one["N"]) == canonical_number(other["N"])
    if "M" in one:
        held, others = one["M"], other["M"]
        if held.keys() != others.keys():
            return False
        return all(same(value, others[name]) for name, value in held.items() if value != others[name])
    return canonical_json({"": one}) == canonical_json({"": other})


def value_at(image: Mapping[str, Any] | None, path: Sequence[str | int]) -> Value | None:
    """Return what an item has at a path; None where it has nothing there.

    >>> value_at({"a": {"M": {"b": {"L": [{"S": "x"}]}}}}, ("a", "b", 0)), value_at(None, ("a",))
    ({'S': 'x'}, None)
    """
    value: Value | None = {"M": image or {}}
    for name in path:
        inner = value or {}
        if isinstance(name, int):
            value = next(iter(inner.get("L", [])[name : name + 1]), None)
        else:
            value = inner.get("M", {}).get(name)
    return value


def with_value(image: Mapping[str, Any], path: Sequence[str | int], value: Value | None) -> dict[str, Any]:
    """Return an image with another value at a path of names, whose map it has; None removes what is there.

    >>> with_value({"a": {"M": {}}, "b": {"S": ""}}, ("a", "c"), {"N": "1"})
    {'a': {'M': {'c': {'N': '1'}}}, 'b': {'S': ''}}
    """
    first, *rest = map(str, path)
    changed = {**image}
    if rest:
        value = {"M": with_value(image[first]["M"], rest, value)}
    if value is None:
        changed.pop(first, None)
    else:
        changed[first] = value
    return changed


def _maps(old: Mapping[str, Any], new: Mapping[str, Any], path: AttributePath) -> Iterator[Difference]:
    for name in sorted([name for name in old.keys() | new.keys() if old.get(name) != new.get(name)]):
        yield from _values(old.get(name), new.get(name), (*path, name))


def _values(before: Value | None, after: Value | None, path: AttributePath) -> Iterator[Difference]:
    if before is None or after is None:
        for place, leaf in _leaves(before or after or {}, path):
            yield Difference(place, "added", None, leaf) if before is None else Difference(place, "removed", leaf, None)
        return
    ((kind, old),), ((new_kind, new),) = before.items(), after.items()
    if kind != new_kind:
        yield Difference(path, "type changed", before, after)
    elif kind == "M":
        if not old and new:  # an empty map is a leaf
            yield Difference(path, "removed", before, None)
        yield from _maps(old, new, path)
        if old and not new:
            yield Difference(path, "added", None, after)
    elif kind == "L":
        for index in range(max(len(old), len(new))):
            if index >= len(old):
                yield Difference((*path, index), "added", None, new[index])
            elif index >= len(new):
                yield Difference((*path, index), "removed", old[index], None)
            elif old[index] != new[index]:
                yield from _values(old[index], new[index], (*path, index))
    elif kind in ("SS", "NS", "BS"):
        had, has = _members(before), _members(after)
        if gone := [member for member in had if member not in has]:
            yield Difference(path, "members removed", {kind: gone}, None)
        if more := [member for member in has if member not in had]:
            yield Difference(path, "members added", None, {kind: more})
    elif not same(before, after):
        yield Difference(path, "changed", before, after)


def _leaves(value: Value, path: AttributePath) -> Iterator[tuple[AttributePath, Value]]:
    if not value.get("M"):
        yield path, value
    for name in sorted(value.get("M") or ()):
        yield from _leaves(value["M"][name], (*path, name))


def _members(value: Value) -> dict[str, None]:
    """Return the members in their canonical order and spelling."""
    (members,) = json.loads(canonical_json({"": value}))[""].values()
    return dict.fromkeys(members)


def _copy(value: Value) -> dict[str, Any]:
    if "M" in value:
        return {"M": {name: _copy(child) for name, child in value["M"].items()}}
    return {"L": [_copy(child) for child in value["L"]]} if "L" in value else dict(value)


def _remove(value: dict[str, Any], path: AttributePath) -> None:
    """Take a leaf away, and with it the maps it leaves empty."""
    first, *rest = path
    inner = value["M" if isinstance(first, str) else "L"]
    if rest:
        _remove(inner[first], tuple(rest))
    if rest and inner[first].get("M") != {}:
        return
    if isinstance(first, str):
        del inner[first]
    else:
        inner[first] = _HOLE


def _put(value: dict[str, Any], difference: Difference) -> None:
    for part, following in zip(difference.path, [*difference.path[1:], ...], strict=True):
        inner = value["M" if isinstance(part, str) else "L"]
        if isinstance(inner, list):
            inner += [_HOLE] * (part + 1 - len(inner))  # type: ignore[operator]
        elif part not in inner:
            inner[part] = _HOLE
        if following is ...:
            inner[part] = _changed(inner[part], difference)
        elif inner[part] is _HOLE:
            inner[part] = {"M": {}}
        value = inner[part]


def _changed(value: Value, difference: Difference) -> dict[str, Any]:
    if difference.change == "members removed":
        ((kind, gone),) = (difference.before or {}).items()
        return {kind: [member for member in _members(value) if member not in set(gone)]}
    if difference.change == "members added":
        ((kind, more),) = (difference.after or {}).items()
        return {kind: [*(_members(value) if value[kind] else ()), *more]}
    return _copy(difference.after or {})


def _without_holes(value: dict[str, Any]) -> dict[str, Any]:
    if "M" in value:
        return {"M": {name: _without_holes(child) for name, child in value["M"].items()}}
    if "L" in value:
        return {"L": [_without_holes(child) for child in value["L"] if child is not _HOLE]}
    return value
