"""The conditional writes that make of the image an item has the one it is to have.

No condition of DynamoDB's can say "and no other attribute": a put over an item loses what was added meanwhile. So an
item that is there is changed path by path, each on the condition that it is as it was seen; one that is not is put on
the condition that it is not; and one is deleted on the condition of its attributes.

A write's form is an element of ``TransactWriteItems``, in DynamoDB JSON with binary as base64, which other programs
can send too: https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItem.html.

>>> now = {"pk": {"S": "p-1"}, "age": {"N": "41"}}
>>> (write,) = writes_of("persons", ["pk"], now, {**now, "age": {"N": "40"}})
>>> write.element()["Update"]["ConditionExpression"], write.element()["Update"]["UpdateExpression"]
('attribute_exists(#0) AND #1 = :0', 'SET #1 = :1')
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from typing import Any, Final, Literal

import orjson

from workbench.errors import ParameterError
from workbench.model.canonical import canonical_image, canonical_number
from workbench.model.differences import same, with_value
from workbench.model.merging import Image, Rules, Value, is_signed
from workbench.model.sizes import item_size, value_size
from workbench.model.write_limits import LONGEST_EXPRESSION, MOST_OPERATORS

Path = tuple[str, ...]
"""Names of an attribute and of what is in its maps; a list is whole."""

MOST_COMPARED: Final = MOST_OPERATORS // 2 - 1
"""Attributes that one condition compares, beside the one that says that the item is there."""
_BATCH = 25
_BATCH_BYTES = 15_000_000  # of a BatchWriteItem as it is sent, which may be of 16 MB
_SETS = frozenset({"SS", "NS", "BS"})
_ONE_MORE: Final[tuple[Value, Value]] = ({"N": "1"}, {"N": "0"})
_NOWHERE: Final[Value] = {}  # what is at a path whose maps are not there: no value is empty
_UPDATE = re.compile(r"(?:SET (?P<set>.*?))?(?: ?REMOVE (?P<remove>.*))?")


@dataclass(frozen=True, slots=True)
class PathChange:
    """A value that is to be another one; None is absent."""

    path: Path
    expected: Value | None
    wanted: Value | None


@dataclass(frozen=True, slots=True)
class Conflict:
    """An item that has changed meanwhile, so that nothing is left that may be written."""

    paths: tuple[Path, ...]
    """What another has changed; nothing where it is the item."""
    why: str
    """A short sentence, without a value."""


@dataclass(frozen=True, slots=True)
class Write:
    """One write of one item, and its condition.

    Parameters
    ----------
    key
        The key attributes, the partition key first.
    item
        Of a put, the whole item; of a delete, the attributes the item must have, without its key.
    changes
        Of an update.
    """

    table: str
    kind: Literal["Put", "Update", "Delete"]
    key: Image
    item: Image | None = None
    changes: tuple[PathChange, ...] = ()

    def element(self) -> dict[str, Any]:
        """Return the write as an element of ``TransactWriteItems``.

        >>> Write("persons", "Put", {"pk": {"S": "p-1"}}, {"pk": {"S": "p-1"}}).element()["Put"]["ConditionExpression"]
        'attribute_not_exists(#0)'
        """
        names: dict[str, str] = {}
        values: dict[str, Value] = {}
        body: dict[str, Any] = {"TableName": self.table}
        if self.kind == "Put":
            body["Item"] = self.item
            terms = [f"attribute_not_exists({_named((name,), names)})" for name in self.key]
        else:
            body["Key"] = self.key
            terms = [f"attribute_exists({_named((next(iter(self.key)),), names)})"]
        if self.kind == "Delete":
            terms += [
                f"{_named((name,), names)} = {_valued(value, values)}" for name, value in (self.item or {}).items()
            ]
        elif self.kind == "Update":
            body["UpdateExpression"] = self._update(terms, names, values)
        body["ConditionExpression"] = " AND ".join(terms)
        body["ExpressionAttributeNames"] = {placeholder: name for name, placeholder in names.items()}
        if values:
            body["ExpressionAttributeValues"] = values
        return {self.kind: body}

    def _update(self, terms: list[str], names: dict[str, str], values: dict[str, Value]) -> str:
        """Return the expression that makes the changes, and add what it is conditioned on."""
        sets, removes, maps = [], [], set()
        for change in self.changes:
            place = _named(change.path, names)
            if change.expected is not None:
                terms.append(f"{place} = {_valued(change.expected, values)}")
            else:
                if len(change.path) > 1 and (parent := place.rpartition(".")[0]) not in maps:
                    # Without a map there, the path would be invalid: an error, not a condition that does not hold.
                    maps.add(parent)
                    terms.append(f"attribute_type({parent}, {_valued(_MAP, values)})")
                terms.append(f"attribute_not_exists({place})")
            if change.wanted is None:
                removes.append(place)
            else:
                sets.append(f"{place} = {_valued(change.wanted, values)}")
        clauses = (f"SET {', '.join(sets)}" if sets else "", f"REMOVE {', '.join(removes)}" if removes else "")
        return " ".join(filter(None, clauses))

    @classmethod
    def read(cls, element: Mapping[str, Any]) -> Write:
        """Read a write from its element.

        Raises
        ------
        ParameterError
            Where it is no element as `element` makes them.

        >>> write = Write("persons", "Delete", {"pk": {"S": "p-1"}}, {"age": {"N": "41"}})
        >>> Write.read(write.element()) == write
        True
        """
        try:
            write = cls._read(element)
            if write.element() == element:
                return write
        except (KeyError, ValueError, TypeError, AttributeError, IndexError):
            pass  # what it says would be a part of the text, which may be masked
        raise ParameterError(
            "not a write as the workbench makes them: its expressions, names and values are not those of one; "
            "make the plan again rather than changing it"
        )

    @classmethod
    def _read(cls, element: Mapping[str, Any]) -> Write:
        ((kind, body),) = element.items()
        names, values = body["ExpressionAttributeNames"], body.get("ExpressionAttributeValues", {})
        terms: list[str] = body["ConditionExpression"].split(" AND ")

        def path_of(place: str) -> Path:
            return tuple(names[part] for part in place.split("."))

        if kind == "Put":
            item = body["Item"]
            keys = [path_of(_argument(term))[0] for term in terms]
            return cls(body["TableName"], "Put", {name: item[name] for name in keys}, item)
        first, key = path_of(_argument(terms[0]))[0], body["Key"]
        key = {first: key[first]} | key
        found: dict[Path, Value | None] = {}
        for term in terms[1:]:
            if term.startswith("attribute_not_exists("):
                found[path_of(_argument(term))] = None
            elif not term.startswith("attribute_type("):
                place, value = term.split(" = ")
                found[path_of(place)] = values[value]
        if kind == "Delete":
            return cls(body["TableName"], "Delete", key, {path[0]: value for path, value in found.items()})
        if kind != "Update" or not (clauses := _UPDATE.fullmatch(body["UpdateExpression"])):
            raise ValueError(kind)
        wanted: dict[Path, Value | None] = {}
        for assignment in clauses["set"].split(", ") if clauses["set"] else ():
            place, value = assignment.split(" = ")
            wanted[path_of(place)] = values[value]
        for place in clauses["remove"].split(", ") if clauses["remove"] else ():
            wanted[path_of(place)] = None
        changes = tuple(PathChange(path, value, wanted[path]) for path, value in found.items())
        return cls(body["TableName"], "Update", key, None, changes)

    def holds(self, image: Image | None) -> bool:
        """Return whether the write's condition holds on an item as it is; None is one that is not there.

        >>> Write("persons", "Delete", {"pk": {"S": "p-1"}}, {"age": {"N": "41"}}).holds({"age": {"N": "41.0"}})
        True
        """
        if image is None or self.kind == "Put":
            return image is None and self.kind == "Put"
        if self.kind == "Delete":
            return all(same(image.get(name), value) for name, value in (self.item or {}).items())
        return all(same(_at(image, change.path), change.expected) for change in self.changes)

    def done(self, image: Image | None) -> Image | None:
        """Return what an item, on which the condition holds, is after the write.

        >>> Write("persons", "Delete", {"pk": {"S": "p-1"}}, {}).done({"pk": {"S": "p-1"}}) is None
        True
        """
        if self.kind != "Update":
            return self.item if self.kind == "Put" else None
        result = image or {}
        for change in self.changes:
            result = with_value(result, change.path, change.wanted)
        return result

    def reversed(self, old: Image | None = None) -> Write:
        """Return the write that takes this one back.

        Parameters
        ----------
        old
            Of a delete, the item it took away; it may be left out where the delete names all its attributes.

        Raises
        ------
        ParameterError
            Where that is left out, and the delete may not name them all.

        >>> write = Write("persons", "Delete", {"pk": {"S": "p-1"}}, {"age": {"N": "41"}})
        >>> write.reversed().reversed() == write
        True
        """
        if self.kind == "Update":
            swapped = (PathChange(change.path, change.wanted, change.expected) for change in self.changes)
            return replace(self, changes=tuple(swapped))
        if self.kind == "Put":
            return _delete(self.table, self.key, self.item or {})
        if old is None:
            old = {**self.key, **(self.item or {})}
            if len(old) - len(self.key) >= MOST_COMPARED:
                raise ParameterError("the item that was deleted has more attributes than a condition can compare")
        return Write(self.table, "Put", self.key, {**old})

    def parts(self) -> list[Write]:
        """Return the write as writes within DynamoDB's limits: that nothing is there takes more to say than its value.

        >>> absent = tuple(PathChange((f"a{n}",), None, {"N": "1"}) for n in range(140))
        >>> [len(part.changes) for part in Write("t", "Update", {"pk": {"S": "p"}}, None, absent).parts()]
        [131, 9]
        """
        return _updates(self.table, self.key, self.changes) if self.kind == "Update" else [self]

    def bumped(self, versions: Collection[tuple[str | int, ...]]) -> Write:
        """Return an update that sets versions to one more than what it expects there, whatever it was to set.

        >>> change = PathChange(("version",), {"N": "8"}, {"N": "7"})
        >>> Write("t", "Update", {"pk": {"S": "p"}}, None, (change,)).bumped([("version",)]).changes[0].wanted
        {'N': '9'}
        """

        def one_more(change: PathChange) -> PathChange:
            wanted = _sum(change.expected, *_ONE_MORE) if change.path in versions else _NOWHERE
            return change if wanted is _NOWHERE else replace(change, wanted=wanted)

        return replace(self, changes=tuple(map(one_more, self.changes)))

    def units(self, old: Image | None = None) -> int:
        """Return the write units that the write costs on the table itself: 1 a KB of the larger of old and new.

        Parameters
        ----------
        old
            The item before it. Without it, an update's cost is at least this.

        >>> Write("persons", "Put", {"pk": {"S": "p-1"}}, {"pk": {"S": "p-1"}, "note": {"S": "a" * 1024}}).units()
        2
        """
        if self.kind == "Update":
            if old:
                return _units(item_size(old)[0], item_size(self.done(old) or {})[0])
            touched = (
                len(change.path[-1].encode()) + max(_size(change.expected), _size(change.wanted))
                for change in self.changes
            )
            return _units(item_size(self.key)[0] + sum(touched))
        return _units(item_size({**self.key, **(self.item or {})})[0], item_size(old or {})[0])


def writes_of(table: str, key_names: Sequence[str], now: Image | None, after: Image | None) -> list[Write]:
    """Return the writes that make of an item as it is now the one it is to be.

    They are one, or several updates where DynamoDB's limits ask for it; each may be done without the others.

    Parameters
    ----------
    key_names
        The names of the key attributes, the partition key first.
    now, after
        None is an item that is not there.

    Raises
    ------
    ParameterError
        Where the two have not the same key.
    RecordRefused
        Where one is not DynamoDB JSON.

    >>> [write.kind for write in writes_of("persons", ["pk"], None, {"pk": {"S": "p-1"}})]
    ['Put']
    """
    if now is None or after is None:
        if now is None and after is None:
            return []
        image = canonical_image({**(now or after or {})})
        key = {name: image[name] for name in key_names}
        return [Write(table, "Put", key, image) if now is None else _delete(table, key, image)]
    key = {name: now[name] for name in key_names}
    changes = tuple(_changes(now, after, ()))
    if any(change.path[0] in key for change in changes):
        raise ParameterError(f"table {table!r}: an item's key cannot be changed; delete it and put another")
    return _updates(table, key, changes)


def again(write: Write, live: Image | None, rules: Rules, *, perhaps_sent: bool = False) -> list[Write] | Conflict:
    """Return what is left to write where a write's condition did not hold, since the item has changed meanwhile.

    Of an update, what another has changed stays: see `moved`. Numbers that are taken back by their difference, versions
    and members of sets follow what is there now. An item that was deleted meanwhile has nothing to take back, and one
    that is signed is changed as a whole or not at all.

    Parameters
    ----------
    live
        The item as it is, None where it is not there.
    perhaps_sent
        Whether the write may have been done already, as where its result was not recorded. Then no difference is
        taken a second time: a number that is neither what was expected nor what was wanted stays, and is told of.

    Returns
    -------
    list of Write or Conflict
        Nothing where all is as it was to be, or the item is gone.

    >>> from datetime import UTC, datetime
    >>> rules = Rules(at=datetime(2026, 11, 18, tzinfo=UTC), delta=(("visits",),))
    >>> write = Write("t", "Update", {"pk": {"S": "p"}}, None, (PathChange(("visits",), {"N": "9"}, {"N": "7"}),))
    >>> again(write, {"pk": {"S": "p"}, "visits": {"N": "12"}}, rules)[0].changes[0].wanted
    {'N': '10'}
    """
    if write.kind == "Put":
        if live is None:
            return [write]
        return [] if same({"M": live}, {"M": write.item}) else Conflict((), "another has put the item back meanwhile")
    if live is None:
        return []
    if write.kind == "Delete":
        if write.holds(live):
            return [write]
        differing = [name for name, value in (write.item or {}).items() if not same(live.get(name), value)]
        return Conflict(tuple((name,) for name in differing), "the item that is to be deleted has changed meanwhile")
    left, stays = _merged_again(write, live, rules, perhaps_sent)
    if not left and stays:
        return Conflict(stays, "all that is to be taken back has changed meanwhile")
    return _updates(write.table, write.key, left)


def moved(write: Write, live: Image | None, rules: Rules, *, perhaps_sent: bool = False) -> tuple[Path, ...]:
    """Return the paths of an update that another has changed meanwhile, and that `again` leaves as they are.

    >>> from datetime import UTC, datetime
    >>> write = Write("t", "Update", {"pk": {"S": "p"}}, None, (PathChange(("age",), {"N": "9"}, {"N": "7"}),))
    >>> moved(write, {"pk": {"S": "p"}, "age": {"N": "8"}}, Rules(at=datetime(2026, 11, 18, tzinfo=UTC)))
    (('age',),)
    """
    if write.kind != "Update" or live is None:
        return ()
    return _merged_again(write, live, rules, perhaps_sent)[1]


def batch_requests(
    table: str, items: Iterable[tuple[Image, Image | None]]
) -> Iterator[dict[str, list[dict[str, dict[str, Image]]]]]:
    """Yield requests as ``aws dynamodb batch-write-item --request-items`` takes them, which are **unconditional**.

    Whatever has changed since is overwritten; each has at most 25 writes, 16 MB, and an item once.

    Parameters
    ----------
    items
        The key of each item, and the whole item that it is to be, or None where it is to be deleted.

    >>> list(batch_requests("persons", [({"pk": {"S": "p-1"}}, None)]))
    [{'persons': [{'DeleteRequest': {'Key': {'pk': {'S': 'p-1'}}}}]}]
    """
    requests: dict[bytes, dict[str, dict[str, Image]]] = {}
    size = 0
    for key, after in items:
        request = {"DeleteRequest": {"Key": key}} if after is None else {"PutRequest": {"Item": after}}
        name, more = _text(canonical_image({**key})), len(_text(request))
        if requests and (len(requests) == _BATCH or size + more > _BATCH_BYTES or name in requests):
            yield {table: list(requests.values())}
            requests, size = {}, 0
        requests[name] = request
        size += more
    if requests:
        yield {table: list(requests.values())}


_MAP: Final[Value] = {"S": "M"}


def _text(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def _named(path: Iterable[str], names: dict[str, str]) -> str:
    """Return a path by placeholders, having given one to each name that has none."""
    return ".".join([names.setdefault(name, f"#{len(names)}") for name in path])


def _valued(value: Value, values: dict[str, Value]) -> str:
    placeholder = f":{len(values)}"
    values[placeholder] = value
    return placeholder


def _argument(term: str) -> str:
    return term.partition("(")[2].removesuffix(")")


def _delete(table: str, key: Image, image: Image) -> Write:
    compared = [name for name in sorted(image) if name not in key][:MOST_COMPARED]
    return Write(table, "Delete", key, {name: image[name] for name in compared})


def _changes(now: Image, after: Image, above: Path) -> Iterator[PathChange]:
    """Yield what differs, maps that both have by what is in them, all else whole."""
    for name in sorted([name for name in now.keys() | after.keys() if now.get(name) != after.get(name)]):
        old, new, path = now.get(name), after.get(name), (*above, name)
        if old and new and (inside := old.get("M")) is not None and (wanted := new.get("M")) is not None:
            yield from _changes(inside, wanted, path)
        elif (old := _canonical(old)) != (new := _canonical(new)):
            yield PathChange(path, old, new)


def _canonical(value: Value | None) -> Value | None:
    """Return a value in canonical form; a set without members, which DynamoDB has not, is absent."""
    if value is None:
        return None
    if len(value) == 1:
        ((kind, inner),) = value.items()
        if kind == "S" or kind == "BOOL":
            return value
        if kind == "N":
            return {"N": canonical_number(inner)}
    value = canonical_image({"": value})[""]
    return None if value.keys() & _SETS and not any(value.values()) else value


def _updates(table: str, key: Image, changes: Sequence[PathChange]) -> list[Write]:
    """Return updates that make these changes, as few as keep DynamoDB's limits.

    Names and values of one item, 400 KB before and 400 KB after, are within 2 MB however many there are.
    """
    few = len(changes) <= _FEW and all(len(change.path) < _FEW for change in changes)
    parts = [tuple(changes)] if few else _parts(changes)
    return [Write(table, "Update", key, None, part) for part in parts if part]


_FEW = 16  # so many changes of such paths are within the limits of an expression, without counting
_MOST = (MOST_COMPARED, LONGEST_EXPRESSION - len("attribute_exists(#0)"), LONGEST_EXPRESSION - len("SET REMOVE "))


def _parts(changes: Iterable[PathChange]) -> Iterator[tuple[PathChange, ...]]:
    """Divide changes, what shrinks first: so no update makes the item larger than it was and is to be."""
    part: list[PathChange] = []
    maps: set[Path] = set()
    used = [0, 0, 0]
    for change in sorted(changes, key=lambda each: _size(each.wanted) - _size(each.expected)):
        more = _lengths(change, maps)
        if part and any(have + each > most for have, each, most in zip(used, more, _MOST, strict=True)):
            yield tuple(part)
            part, maps, used = [], set(), [0, 0, 0]
            more = _lengths(change, maps)
        part.append(change)
        maps.add(change.path[:-1] if change.expected is None else ())
        used = [have + each for have, each in zip(used, more, strict=True)]
    yield tuple(part)


def _lengths(change: PathChange, maps: Collection[Path]) -> tuple[int, int, int]:
    """Return the comparisons, and the most bytes of the condition and of the update, that a change adds.

    Placeholders have up to three digits: an expression is too short for a thousand of them.
    """
    place = len("#123.") * len(change.path) - 1
    update = place + len(" = :123, ")
    if change.expected is not None:
        return 1, place + len(" AND  = :123"), update
    exists = len(" AND attribute_not_exists()") + place
    if len(change.path) == 1 or change.path[:-1] in maps:
        return 1, exists, update
    return 2, exists + len(" AND attribute_type(, :123)") + place, update


def _at(image: Image, path: Path) -> Value | None:
    """Return the value at a path, None where it is absent from the map that is there."""
    value: Value | None = {"M": image}
    for name in path:
        if value is None or "M" not in value:
            return _NOWHERE
        value = value["M"].get(name)
    return value


def _merged_again(
    write: Write, live: Image, rules: Rules, perhaps_sent: bool
) -> tuple[tuple[PathChange, ...], tuple[Path, ...]]:
    """Return the changes that are left, expecting what is there now, and the paths that another has changed."""
    counted = {*rules.bump, *rules.delta}
    done, others = set[Path](), []
    for change in write.changes:
        there = _at(live, change.path)
        written = same(None if there is _NOWHERE else there, change.wanted)
        if written and (perhaps_sent or change.path not in counted):
            done.add(change.path)
        else:
            others.append((change, there))
    if is_signed(live) or is_signed(dict.fromkeys(change.path[0] for change in write.changes)):
        changed = [change.path for change, there in others if not same(there, change.expected)]
        whole = not (done or changed)  # else the item would be one that was never signed
        return (write.changes, ()) if whole else ((), tuple(changed or (change.path for change, _ in others)))
    aside = {*rules.bump, *rules.mark}  # these go along with other changes
    sent = perhaps_sent and bool(done - counted)  # the mark, too, is of this undo
    left: list[PathChange] = []
    stays: list[Path] = []
    for change, there in others:
        if same(there, change.expected) or (change.path in rules.mark and there is not _NOWHERE):
            wanted = change.wanted
        elif change.path in rules.bump:
            wanted = _sum(there, *_ONE_MORE)
        elif change.path not in rules.delta:
            wanted = _members(there, change)
        elif sent:
            continue  # it was written together with the others, and another has counted on since
        else:
            wanted = _NOWHERE if perhaps_sent else _sum(there, change.wanted, change.expected)
        if wanted is _NOWHERE:
            stays.append(change.path)
        elif not same(there, wanted):
            left.append(PathChange(change.path, there, wanted))
    if all(change.path in aside for change in left):
        left = []
    return tuple(left), tuple(path for path in stays if path not in aside)


def _sum(there: Value | None, plus: Value | None, minus: Value | None) -> Value:
    """Return a number there plus one minus another; nowhere, where one is no number or DynamoDB has no such number."""
    terms = [Decimal(each["N"]) for each in (there, plus, minus) if each and "N" in each]
    if len(terms) < 3:
        return _NOWHERE
    with localcontext(prec=300):  # exactly: no two numbers of DynamoDB's are further apart
        total = (terms[0] + terms[1] - terms[2]).normalize()
    digits, exponent = len(total.as_tuple().digits), total.adjusted()
    return {"N": canonical_number(str(total))} if digits <= 38 and -130 <= exponent <= 125 else _NOWHERE


def _members(there: Value | None, change: PathChange) -> Value | None:
    """Return a set that is there with the members that a change adds and without those it takes; nowhere, if none."""
    kinds = {kind for value in (there, change.expected, change.wanted) if value for kind in value}
    if change.expected is None or len(kinds) != 1 or not kinds <= _SETS:
        return _NOWHERE
    (kind,) = kinds
    has, expected, wanted = (
        {*canonical_image({"": value})[""][kind]} if value else set()
        for value in (there, change.expected, change.wanted)
    )
    if not has:  # another has emptied it
        return _NOWHERE if wanted - expected else None
    members = (has - (expected - wanted)) | (wanted - expected)
    return _canonical({kind: [*members]})


def _size(value: Value | None) -> int:
    return value_size(*next(iter(value.items())))[0] if value else 0


def _units(*sizes: int) -> int:
    return max(1, -(-max(sizes) // 1024))
