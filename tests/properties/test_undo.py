"""The laws of taking changes of an item back, on random histories, against truth made in other ways.

A history is made by operations as DynamoDB has them. What a change visibly wrote is told by a flat picture of its
images, node by node; the rules are stated once more upon it, slowly; and operations are run again without the bad ones.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise, permutations
from typing import Any

from hypothesis import assume, event, given
from hypothesis import strategies as st

from tests.helpers.profiles import examples
from workbench.model.canonical import canonical_json
from workbench.model.merging import ItemChange, Merged, Rules, back_to, take_back

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
AT = NOON + timedelta(days=1)
KEY: dict[str, Any] = {"pk": {"S": "x"}}
Image = Mapping[str, Any] | None
SETS = ("SS", "NS", "BS")

# Operations, as an item is changed by them

SCALARS: list[dict[str, Any]] = [
    *({"N": number} for number in ("0", "1", "1.0", "2", "12345678901234567890123456789012345678")),
    *({"S": text} for text in ("", "1", "two")),
    *({"NULL": True}, {"BOOL": True}, {"BOOL": False}, {"B": ""}, {"B": "AA=="}),
]
CONTAINERS: list[dict[str, Any]] = [
    *({"M": {}}, {"M": {"x": {"N": "1"}}}, {"M": {"x": {"N": "2"}, "k": {"M": {"z": {"S": ""}}}}}),
    *({"L": []}, {"L": [{"N": "1"}, {"S": "a"}]}, {"L": [{"N": "1.0"}, {"S": "b"}]}, {"L": [{"M": {"x": {"N": "1"}}}]}),
    *({"SS": ["a"]}, {"SS": ["a", "b"]}, {"NS": ["1", "2"]}, {"NS": ["1.0"]}, {"BS": ["AA==", "AQ=="]}),
]
PATHS = [("a",), ("b",), ("s",), ("m",), ("m", "x"), ("m", "k"), ("m", "k", "z"), ("t",)]
MEMBERS = [("SS", ["a"]), ("SS", ["b", "c"]), ("NS", ["1"]), ("NS", ["2", "3"]), ("BS", ["AA=="])]


@dataclass(frozen=True)
class Operation:
    """One of DynamoDB's; `path` is where it writes."""

    kind: str
    path: tuple[str, ...] = ()
    value: Any = None


values = st.sampled_from([*SCALARS, *CONTAINERS])
paths = st.sampled_from(PATHS)
operations = st.one_of(
    st.builds(Operation, st.just("set"), paths, values),
    st.builds(Operation, st.just("set"), st.sampled_from(PATHS[:2]), st.sampled_from(SCALARS)),
    st.builds(Operation, st.just("set"), st.sampled_from(PATHS[3:]), values),
    st.builds(Operation, st.just("remove"), paths),
    st.builds(
        Operation, st.sampled_from(["add", "take"]), st.sampled_from([("s",), ("m", "x")]), st.sampled_from(MEMBERS)
    ),
    st.builds(Operation, st.just("count"), st.sampled_from([("a",), ("m", "x")]), st.sampled_from([1, -2])),
    st.builds(Operation, st.just("append"), st.sampled_from([("b",), ("m", "k")]), st.sampled_from(SCALARS)),
    st.builds(Operation, st.just("put"), st.just(()), st.dictionaries(st.sampled_from("absmt"), values, max_size=4)),
    st.builds(Operation, st.just("delete")),
)


def done(operation: Operation, image: Image) -> Image:
    """The item after an operation; as it was where that cannot be done."""
    if operation.kind == "put":
        return KEY | operation.value
    if operation.kind == "delete":
        return None
    path = operation.path
    image = KEY if image is None else image
    return written(image, path, operation) if at(image, path[:-1], "M") is not None else image


def written(image: Mapping[str, Any], path: Sequence[str], operation: Operation) -> Mapping[str, Any]:
    name, *rest = path
    if rest:
        return {**image, name: {"M": written(image[name]["M"], rest, operation)}}
    value = new_value(image.get(name), operation)
    return {each: held for each, held in {**image, name: value}.items() if held is not None}


def new_value(old: Any, operation: Operation) -> Any:
    if operation.kind == "set":
        return operation.value
    if operation.kind == "remove":
        return None
    if operation.kind == "count":
        return old if old and "N" not in old else {"N": str(int(float((old or {"N": "0"})["N"])) + operation.value)}
    if operation.kind == "append":
        return old if old and "L" not in old else {"L": [*(old or {"L": []})["L"], operation.value]}
    kind, members = operation.value
    if old and kind not in old:
        return old
    had = canonical((old or {}).get(kind, []), kind)
    has = had | canonical(members, kind) if operation.kind == "add" else had - canonical(members, kind)
    return {kind: sorted(has)} if has else None


def canonical(members: Sequence[str], kind: str) -> set[str]:
    return {str(float(each)).removesuffix(".0") for each in members} if kind == "NS" else set(members)


def at(image: Mapping[str, Any], path: Sequence[str], kind: str) -> Any:
    held: Any = {"M": image}
    for name in path:
        held = held.get("M", {}).get(name, {})
    return held.get(kind)


def some(kind: str, path: str, *values: Any) -> list[Operation]:
    return [Operation(kind, tuple(path.split(".")), value) for value in values or (None,)]


ONE, TWO = {"N": "1"}, {"S": "two"}
MEETING: list[list[Operation]] = [
    [*some("set", "a", ONE, TWO, {"N": "1.0"}, {"NULL": True}), *some("count", "a", 1, -2), *some("remove", "a")],
    [*some("add", "s", *MEMBERS[:2]), *some("take", "s", *MEMBERS[:2]), *some("remove", "s"), *some("set", "s", TWO)],
    [*some("add", "s", *MEMBERS[2:]), *some("take", "s", *MEMBERS[2:]), *some("set", "s", {"SS": ["a", "b"]})],
    [*some("append", "b", ONE, TWO), *some("set", "b", *CONTAINERS[3:7]), *some("remove", "b")],
    [
        *some("set", "m", *CONTAINERS[:3]),
        *(each for path in ("m", "m.x", "m.k", "m.k.z") for each in some("remove", path)),
        *(each for path in ("m.x", "m.k", "m.k.z") for each in some("set", path, ONE, TWO)),
        *some("set", "m.k", {"M": {}}, {"M": {"z": ONE, "y": TWO}}),
    ],
    [
        *(Operation("put", (), {"a": value, "m": {"M": {"x": value}}}) for value in (ONE, TWO)),
        *(Operation("put", (), {"b": ONE}), Operation("delete"), Operation("delete")),
        *some("set", "a", ONE, TWO),
        *some("set", "m.x", ONE, TWO),
        *(*some("remove", "a"), *some("set", "b", TWO)),
    ],
]
"""Operations that write upon each other's."""


@st.composite
def repeated(draw: Any, most: int) -> list[Operation]:
    """Operations in a row, most of which meet."""
    meeting = st.sampled_from(draw(st.sampled_from(MEETING)))
    return draw(st.lists(meeting | meeting | meeting | operations, min_size=most // 2, max_size=most))


@st.composite
def histories(draw: Any, bad: float = 0.4, most: int = 12, ties: bool = True) -> tuple[Image, list[ItemChange]]:
    """An item's first image, and its changes in their order, each of which changed something."""
    first: Image = draw(st.none() | st.dictionaries(st.sampled_from("absmt"), values, max_size=4))
    image = first = None if first is None else KEY | first
    rng = random.Random(draw(st.integers(0, 2**31)))
    made: list[ItemChange] = []
    ts = NOON
    at_once = rng.choice([0.2, 0.8]) if ties else 0.0
    for operation in draw(repeated(most)):
        after = done(operation, image)
        if text(after) == text(image):
            continue
        full = len(made) > 3 and made[-4].ts == ts  # so many that all their orders can be tried
        ts += timedelta(seconds=full or rng.random() >= at_once)
        expired = after is None and rng.random() < 0.3
        made.append(ItemChange(ts, f"{rng.random()}", image, after, rng.random() < bad, expired))
        image = after
    if bad and made:  # one at least, that others follow
        at_least = rng.randrange(max(1, len(made) // 2))
        made[at_least] = replace(made[at_least], bad=True)
    return first, made


def text(image: Image) -> str:
    return "" if image is None else canonical_json(dict(image))


def from_first_bad(changes: Sequence[ItemChange]) -> list[ItemChange]:
    """What `take_back` is given: all changes from the instant of the first bad one on."""
    since = min((change.ts for change in changes if change.bad), default=None)
    return [change for change in changes if since is not None and change.ts >= since]


def taken(changes: Sequence[ItemChange], now: Image, **rules: Any) -> Merged:
    given = random.Random(len(changes)).sample(list(changes), len(changes))
    return take_back(given, now, Rules(**{"at": AT} | rules), ["pk"])


# The rules once more, upon flat pictures of images

Node = tuple[Any, ...]
Flat = dict[Node, str]


def flat(image: Image) -> Flat:
    """Every node of an item but its key, with what tells it from another: a type where there is more below."""
    return dict(nodes({"M": image}, ())) if image is not None else {}


def nodes(value: Mapping[str, Any], path: Node) -> Iterator[tuple[Node, str]]:
    ((kind, inner),) = value.items()
    if kind == "M":
        yield path, "M"
        for name, child in inner.items():
            if (*path, name) != ("pk",):
                yield from nodes(child, (*path, name))
    elif kind in SETS:
        yield path, kind
        for member in canonical(inner, kind):
            yield (*path, (member,)), "in"
    else:
        yield path, canonical_json({"": dict(value)})


@dataclass
class Touch:
    """What a change touched, and what it left."""

    bad: bool
    nodes: set[Node]
    left: Flat


class Slow:
    """The rules, stated node by node over all changes."""

    def __init__(self, changes: Sequence[ItemChange], now: Image, *, unordered: bool = True) -> None:
        self.now = flat(now)
        self.start = flat(changes[0].before) if changes else self.now
        seen = list(unseen_between(changes, now))
        pictures = [(change, flat(change.before), flat(change.after)) for change in seen]
        self.universe = set().union(*(before.keys() | after.keys() for _, before, after in pictures), self.now)
        self.touches = []
        for group in by_instant(seen) if unordered else [seen]:
            made = [self._touch(change) for change in group]
            if unordered and several_orders(group, changes, now):
                made.sort(key=lambda touch: not touch.bad)
            self.touches += made

    def _touch(self, change: ItemChange) -> Touch:
        before, after = flat(change.before), flat(change.after)
        differ = {node for node in self.universe if before.get(node) != after.get(node)}
        below = {node for node in self.universe if any(node[:depth] in differ for depth in range(len(node)))}
        return Touch(change.bad, differ | below, after)

    def conflict(self, node: Node) -> bool:
        """Whether it, or something around it, was touched by a bad change, and then by a good one there or below."""
        for depth in range(len(node) + 1):
            around = node[:depth]
            first = next((n for n, touch in enumerate(self.touches) if touch.bad and around in touch.nodes), None)
            if first is not None and any(
                not touch.bad and any(each[:depth] == around for each in touch.nodes)
                for touch in self.touches[first + 1 :]
            ):
                return True
        return False

    def bad(self, node: Node) -> bool:
        return any(touch.bad and node in touch.nodes for touch in self.touches)

    def replayed(self) -> Flat:
        """The path writes of all good changes upon what was there first."""
        state = dict(self.start)
        for touch in self.touches:
            if not touch.bad:
                for node in touch.nodes:
                    state.pop(node, None)
                state |= {node: touch.left[node] for node in touch.nodes if node in touch.left}
        emptied = {
            node for node, kind in state.items() if kind in SETS and not any(each[:-1] == node for each in state)
        }
        return {node: held for node, held in state.items() if node not in emptied}

    def good_values(self, node: Node) -> set[str | None]:
        return {self.start.get(node), *(t.left.get(node) for t in self.touches if not t.bad and node in t.nodes)}


def unseen_between(changes: Sequence[ItemChange], now: Image) -> Iterator[ItemChange]:
    """The changes in their order, and between them those that were not seen, as good ones."""
    for n, change in enumerate(changes):
        if n and text(changes[n - 1].after) != text(change.before):
            yield ItemChange(change.ts, "", changes[n - 1].after, change.before)
        yield change
    if changes and text(changes[-1].after) != text(now):
        yield ItemChange(AT, "", changes[-1].after, now)


def by_instant(changes: Sequence[ItemChange]) -> list[list[ItemChange]]:
    return [list(group) for _, group in groupby(changes, key=lambda change: change.ts)]


def several_orders(group: Sequence[ItemChange], changes: Sequence[ItemChange], now: Image) -> bool:
    """Whether the changes of an instant, good and bad, fit in several orders, found by trying them all."""
    if len({change.bad for change in group}) < 2:
        return False
    later = [change for change in changes if change.ts > group[0].ts]
    end = text(later[0].before if later else now)
    begin = text(group[0].before) if changes[0].ts < group[0].ts else None
    fitting = [
        order
        for order in permutations([(text(change.before), text(change.after)) for change in group])
        if begin in (None, order[0][0]) and order[-1][1] == end and all(a[1] == b[0] for a, b in pairwise(order))
    ]
    return len(fitting) > 1


def told_in_conflict(merged: Merged) -> set[Node]:
    return {
        each.path if each.member is None else (*each.path, (each.member,))
        for each in merged.outcomes
        if each.status in ("conflict", "settled")
    }


def under(node: Node, told: set[Node]) -> bool:
    return any(node[:depth] in told for depth in range(len(node) + 1))


# The laws


@given(histories())
@examples(300)
def test_conflicts_stand_where_the_rules_say_and_elsewhere_the_path_writes_of_good_changes_hold(history):
    _, whole = history
    changes = from_first_bad(whole)
    assume(changes)
    now: Any = changes[-1].after
    merged, slow = taken(changes, now, expired="keep"), Slow(changes, now)
    event(merged.action)
    hold(merged, slow, now)


@given(histories(ties=False), st.integers(0, 2**31), values)
@examples(150)
def test_changes_that_the_log_lost_after_a_bad_one_are_good_changes_that_were_not_seen(history, seed, other):
    _, whole = history
    rng = random.Random(seed)
    changes = from_first_bad([change for change in whole if change.bad or rng.random() < 0.6])
    assume(changes)
    now: Any = whole[-1].after
    if now is not None and rng.random() < 0.3:
        now = {**now, rng.choice("ab"): other}
    hold(taken(changes, now, expired="keep"), Slow(changes, now, unordered=False), now)


def hold(merged: Merged, slow: Slow, now: Image) -> None:
    """Laws 1 and 5, and that conflicts stand exactly where they should."""
    if merged.action == "gone":
        of_item = [touch for touch in slow.touches if () in touch.nodes]
        since = of_item[max((n for n, touch in enumerate(of_item) if touch.bad), default=-1) + 1 :]
        assert now is None
        assert any(() not in touch.left for touch in since)
        return
    told, after, replayed = told_in_conflict(merged), flat(merged.after), slow.replayed()
    for node in slow.universe:
        if slow.bad(node):
            assert under(node, told) == slow.conflict(node), node
        if not under(node, told):
            assert after.get(node) == replayed.get(node), node
            assert after.get(node) in slow.good_values(node) or node_of_set(node, slow), node
        elif after.get(node) != slow.now.get(node):
            assert after.get(node) in slow.good_values(node) or node_of_set(node, slow), node
    assert len({(each.path, each.member) for each in merged.outcomes}) == len(merged.outcomes), "each is told once"
    assert all(any(each[:-1] == node for each in after) for node, kind in after.items() if kind in SETS)
    for outcome in merged.outcomes:
        assert (outcome.status == "settled") <= (flat_value(outcome.before) == flat_value(outcome.after))
    if all(each.status in ("conflict", "settled") and each.after == each.now for each in merged.outcomes):
        assert text(merged.after) == text(now)


def node_of_set(node: Node, slow: Slow) -> bool:
    """Whether it is a set, which is there as its members are."""
    return any((touch.left.get(node) or "") in SETS for touch in slow.touches) or slow.start.get(node) in SETS


def flat_value(value: Any) -> Flat:
    return {} if value is None else dict(nodes(value, ("value",)))


@given(histories(bad=0), st.integers(0, 9))
@examples(150)
def test_a_trailing_run_gives_exactly_the_state_before_it_and_taking_back_nothing_changes_nothing(history, first):
    _, whole = history
    assume(len(whole) > first)
    run = [replace(change, bad=True) for change in whole[first:]]
    if first and whole[first - 1].ts == run[0].ts:  # its other changes of the instant may fit in another order
        run = [replace(change, bad=True) for change in whole if change.ts >= run[0].ts]
    then, now = run[0].before, run[-1].after
    merged = taken(run, now, expired="keep")
    assert text(merged.after) == text(then)
    assert not told_in_conflict(merged)
    back = back_to(then, now, Rules(at=AT), ["pk"])
    assert (text(back.after), back.action) == (text(then), merged.action)
    nothing = taken([replace(change, bad=False) for change in whole], now)
    assert (nothing.action, nothing.after, nothing.outcomes) == ("unchanged", now, ())


RULES = st.fixed_dictionaries(
    {},
    optional={
        "on_conflict": st.sampled_from(["keep", "before", "fail"]),
        "lists": st.just("index"),
        "kept": st.sampled_from([(("b",),), (("m", "x"),)]),
        "delta": st.just((("a",),)),
        "mark": st.just({("undone",): {"S": "1"}}),
        "expired": st.just("keep"),
    },
)


@given(histories(), histories(bad=0, most=4), RULES, st.booleans())
@examples(250)
def test_undoing_again_writes_nothing(history, following, rules, bump):
    _, whole = history
    changes = from_first_bad(whole)
    assume(changes)
    if bump:
        rules = rules | {"bump": (("t",),)}
    now: Any = changes[-1].after
    merged = taken(changes, now, **rules)
    event(merged.action)
    own = own_write(merged, changes, now)
    again = taken([*changes, *own], merged.after, **rules)
    assert again.action not in ("put back", "update", "delete")
    assert text(again.after) == text(merged.after)
    if rules.get("on_conflict", "keep") == "keep" and own:  # nor when others write on
        later, image = [], merged.after
        for number, change in enumerate(following[1]):
            if text(change.after) != text(image):
                later.append(ItemChange(AT + timedelta(seconds=number + 2), f"later {number}", image, change.after))
                image = change.after
        third = taken([*changes, *own, *later], image, **{**rules, "delta": ()})
        assert third.action not in ("put back", "update", "delete")


def own_write(merged: Merged, changes: Sequence[ItemChange], now: Image) -> list[ItemChange]:
    """The change that the undo's write is in the log, as the journal tells it."""
    if merged.action not in ("put back", "update", "delete"):
        assert text(merged.after) == text(now)
        return []
    return [ItemChange(AT + timedelta(seconds=1), "own", now, merged.after, undoes=merged.takes_back)]


@given(histories(most=14), RULES)
@examples(150)
def test_what_is_told_of_a_node_is_what_is_there_now_and_what_is_to_be_there(history, rules):
    _, whole = history
    changes = from_first_bad(whole)
    assume(changes)
    now: Any = changes[-1].after
    merged = taken(changes, now, **rules)
    for each in merged.outcomes if merged.action != "gone" else ():
        for told, image in [(each.now, now), (each.after, merged.after)]:
            found = found_at(image, each.path, each.member)
            added = {"undone", "b"} if each.path == () else set()
            assert without(told, added) == without(found, added), (each, image)


def found_at(image: Image, path: Node, member: str | None) -> Any:
    """The value at a path of an item, or its member where it is there."""
    held: Any = None if image is None else {"M": image}
    for step in path:
        inner = (held or {}).get("L" if isinstance(step, int) else "M")
        held = inner[step] if isinstance(step, int) and inner else (inner or {}).get(step) if inner else None
    if member is None or held is None:
        return held
    ((kind, members),) = held.items()
    return {kind[0]: member} if kind in SETS and member in canonical(members, kind) else None


def without(value: Any, names: set[str]) -> Any:
    """An item without what a mark or a kept attribute added to it."""
    held = (
        value
        if value is None or "M" not in value or not names
        else {"M": {n: v for n, v in value["M"].items() if n not in names}}
    )
    return None if held is None else canonical_json({"": held})


@given(histories(), RULES)
@examples(150)
def test_undoing_the_undo_gives_the_state_before_it_without_a_conflict(history, rules):
    _, whole = history
    changes = from_first_bad(whole)
    now: Any = changes[-1].after if changes else None
    assume(changes and (own := own_write(taken(changes, now, **rules), changes, now)))
    (own,) = own_write(taken(changes, now, **rules), changes, now)
    after: Any = own.after
    good = [replace(change, bad=False) for change in changes]
    undone = taken(from_first_bad([*good, replace(own, bad=True)]), after, expired="keep")
    assert text(undone.after) == text(now)
    assert not undone.conflicts
    assert text(taken([*good, replace(own, bad=True)], after, expired="keep").after) == text(now)
    second = ItemChange(AT + timedelta(seconds=2), "second", after, now, undoes=frozenset({"own"}))
    third = taken([*changes, own, second], now, **rules)
    assert text(third.after) == text(after), "the first one's changes can be taken back once more"


# Law 6: operations whose every write is visible, and that read only what they write


@st.composite
def visible_histories(draw: Any) -> tuple[Image, list[tuple[Operation, ItemChange]]]:
    first: Image = draw(st.none() | st.dictionaries(st.sampled_from("absmt"), values, max_size=4))
    image = first = None if first is None else KEY | first
    rng = random.Random(draw(st.integers(0, 2**31)))
    made: list[tuple[Operation, ItemChange]] = []
    for number, operation in enumerate(draw(repeated(12))):
        if not visible(operation, image):
            continue
        after = done(operation, image)
        ts = NOON + timedelta(seconds=number)
        made.append((operation, ItemChange(ts, str(number), image, after, not made or rng.random() < 0.4)))
        image = after
    return first, made


def visible(operation: Operation, image: Image) -> bool:
    """Whether all that an operation writes differs from what is there."""
    after = done(operation, image)
    if operation.kind == "put":
        return image is None
    if text(after) == text(image):
        return False
    old = at(image or {}, operation.path[:-1], "M")
    old = (old or {}).get(operation.path[-1]) if operation.path else None
    if operation.kind == "set":
        return not (old and old.keys() == operation.value.keys() and old.keys() & {"M", *SETS})
    if operation.kind in ("add", "take"):
        kind, members = operation.value
        had = canonical((old or {}).get(kind, []), kind)
        return canonical(members, kind) <= had if operation.kind == "take" else not canonical(members, kind) & had
    return True


@given(visible_histories())
@examples(300)
def test_without_a_conflict_the_operations_run_again_without_the_bad_ones_give_the_same(history):
    first, made = history
    changes = from_first_bad([change for _, change in made])
    assume(changes)
    now: Any = changes[-1].after
    merged = taken(changes, now, expired="keep")
    event(f"clean: {not told_in_conflict(merged)}")
    if told_in_conflict(merged) or merged.action == "gone":
        return
    image = first
    for operation, change in made:
        image = image if change.bad else done(operation, image)
    assert text(merged.after) == text(image)


def test_taking_changes_back_one_by_one_would_be_found_out():
    """That the laws can fail: they do for the way that people go by hand, in more than a tenth of histories."""
    failed = 0
    for seed in range(200):
        rng = random.Random(seed)
        changes, image = [], KEY | {"a": {"N": "0"}, "b": {"N": "0"}}
        for number in range(6):
            after = image | {rng.choice("ab"): {"N": f"{number + 1}"}}
            changes.append(ItemChange(NOON + timedelta(seconds=number), str(number), image, after, rng.random() < 0.5))
            image = after
        changes = from_first_bad(changes)
        by_hand = dict(image)
        for change in changes:
            for name in "ab":
                if change.bad and by_hand[name] == change.after[name]:
                    by_hand[name] = change.before[name]
        slow = Slow(changes, image)
        wrong = {node for node in slow.universe if flat(by_hand).get(node) != slow.replayed().get(node)}
        failed += any(not slow.conflict(node) for node in wrong)
    assert failed > 20
