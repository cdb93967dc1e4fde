"""The order of an item's changes by their images, and the places where one is missing."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from itertools import permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from workbench.chain import ABSENT, Link, follow

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
IMAGES = [ABSENT, "A", "B", "C", "D"]


def links(states: list[tuple[int, str]], rng: random.Random | None = None) -> list[Link]:
    """The changes that take an item from state to state: (second, image)."""
    number, at, made = rng or random.Random(0), ABSENT, []
    for second, image in states:
        made.append(Link(NOON + timedelta(seconds=second), f"{number.random()}", at, image))
        at = image
    return made


def shown(changes: list[Link]) -> str:
    return " ".join(("!" if missing else "") + f"{link.found}>{link.left}" for link, missing in follow(changes))


STATES = st.lists(st.tuples(st.sampled_from([0, 0, 1]), st.sampled_from(IMAGES)), min_size=1, max_size=9)


def history(steps, seed) -> list[Link]:
    """A whole history: an item that is not there cannot go."""
    second, at, states = 0, ABSENT, []
    for later, image in steps:
        second += later
        if at == image == ABSENT:
            continue
        states.append((second, image))
        at = image
    return links(states, random.Random(seed))


@given(STATES, st.integers(0, 2**32))
@settings(max_examples=500, deadline=None)
def test_a_whole_history_in_any_order_follows_on_without_a_gap(steps, seed):
    whole = history(steps, seed)
    shuffled = random.Random(seed).sample(whole, len(whole))
    ordered = list(follow(shuffled))
    assert not any(missing for _, missing in ordered)
    assert sorted(ordered, key=repr) == sorted(((link, False) for link in whole), key=repr)
    if whole:
        assert ordered[-1][0].left == whole[-1].left


@given(STATES, st.integers(0, 2**32))
@settings(max_examples=800, deadline=None)
def test_one_lost_change_is_found_unless_its_neighbours_fit_or_it_was_the_last(steps, seed):
    whole = history(steps, seed)
    rng = random.Random(seed)
    if not whole:
        return
    lost = whole[rng.randrange(len(whole))]
    rest = rng.sample([link for link in whole if link is not lost], len(whole) - 1)
    found = sum(missing for _, missing in follow(rest))
    assert found == (0 if fits(rest) else 1), shown(rest)


@given(STATES, st.integers(0, 2**32))
@settings(max_examples=400, deadline=None)
def test_whatever_was_lost_there_are_as_few_gaps_as_any_order_has(steps, seed):
    rng = random.Random(seed)
    rest = [link for link in history(steps[:7], seed) if rng.random() < 0.7]
    found = sum(missing for _, missing in follow(rng.sample(rest, len(rest))))
    assert found == fewest(rest), shown(rest)


def fewest(rest: list[Link]) -> int:
    """The fewest gaps of any order, found by trying them all."""
    best = {ABSENT: 0}
    for time in sorted({link.ts for link in rest}):
        after: dict[str, int] = {}
        for start, gaps in best.items():
            for order in permutations([link for link in rest if link.ts == time]):
                jumps = sum(
                    link.found != at for link, at in zip(order, [start, *(link.left for link in order)], strict=False)
                )
                after[order[-1].left] = min(after.get(order[-1].left, 99), gaps + jumps)
        best = after
    return min(best.values())


def fits(rest: list[Link]) -> bool:
    """Whether what is left is a history of its own, found by trying every order: another way to the truth."""
    times = sorted({link.ts for link in rest})
    at = {ABSENT}
    for time in times:
        group = [link for link in rest if link.ts == time]
        at = {end for start in at for end in ends(start, group)}
    return bool(at)


def ends(start: str, group: list[Link]) -> set[str]:
    if not group:
        return {start}
    return {end for i, link in enumerate(group) if link.found == start
            for end in ends(link.left, group[:i] + group[i + 1:])}  # fmt: skip


def test_every_order_of_delivery_gives_the_same_order():
    changes = links([(0, "A"), (1, "B"), (1, "A"), (1, "C"), (1, "A"), (1, "D"), (2, ABSENT)])
    orders = {shown(list(order)) for order in permutations(changes)}
    assert len(orders) == 1
    assert orders.pop().endswith("A>D D>")


def test_a_lost_change_within_an_instant_is_one_gap_and_the_walk_ends_where_the_next_change_begins():
    changes = links([(0, "A"), (1, "B"), (1, "A"), (1, "C"), (2, "D")])
    del changes[2]  # B > A
    assert shown(changes) == ">A A>B !A>C C>D"


def test_an_item_that_was_there_before_the_first_change_is_a_gap_before_it():
    assert shown(links([(0, "A"), (1, "B"), (2, "C")])[1:]) == "!A>B B>C"


def test_where_the_old_image_is_not_known_nothing_is_judged():
    unknown = [Link(NOON + timedelta(seconds=n), str(n), None, image) for n, image in enumerate("ABC")]
    assert shown([*unknown, Link(NOON + timedelta(seconds=9), "9", "X", "Y")]) == "None>A None>B None>C !X>Y"
