"""The order of an item's changes by their images, and the places where one is missing."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.profiles import examples
from workbench.model.ordering import ABSENT, Link, follow

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
    return " ".join(("!" if missing else "") + f"{link.before}>{link.after}" for link, missing in follow(changes))


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
@examples(500)
def test_a_whole_history_in_any_order_follows_on_without_a_gap(steps, seed):
    whole = history(steps, seed)
    shuffled = random.Random(seed).sample(whole, len(whole))
    ordered = list(follow(shuffled))
    assert not any(missing for _, missing in ordered)
    assert sorted(ordered, key=repr) == sorted(((link, False) for link in whole), key=repr)
    if whole:
        assert ordered[-1][0].after == whole[-1].after


@given(STATES, st.integers(0, 2**32))
@examples(800)
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
@examples(400)
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
                    link.before != at for link, at in zip(order, [start, *(link.after for link in order)], strict=False)
                )
                after[order[-1].after] = min(after.get(order[-1].after, 99), gaps + jumps)
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
    return {
        end
        for i, link in enumerate(group)
        if link.before == start
        for end in ends(link.after, group[:i] + group[i + 1 :])
    }


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


def later(whole: list[Link], seed: int) -> list[Link]:
    """What a log has of a history that began before it: the changes from some instant on."""
    times = sorted({link.ts for link in whole})
    since = random.Random(seed).choice(times) if times else NOON
    return [link for link in whole if link.ts >= since]


@given(STATES, st.integers(0, 2**32))
@examples(800)
def test_a_log_that_begins_later_lacks_at_most_the_beginning(steps, seed):
    rest = later(history(steps, seed), seed)
    shuffled = random.Random(seed).sample(rest, len(rest))
    assert not any(missing for _, missing in list(follow(shuffled))[1:]), shown(rest)


@given(STATES, st.integers(0, 2**32))
@examples(800)
def test_event_names_settle_the_order_where_old_images_are_not_known(steps, seed):
    whole = history(steps, seed)
    flat = [link if link.before == ABSENT else replace(link, before=None) for link in whole]
    rest = later(flat, seed)
    ordered = list(follow(random.Random(seed).sample(rest, len(rest))))
    assert not any(missing for _, missing in ordered), shown(rest)
    assert sorted(link.event_id for link, _ in ordered) == sorted(link.event_id for link in rest)
    if rest == flat and flat:  # what it begins with is known: nothing
        assert (ordered[-1][0].after == ABSENT) == (whole[-1].after == ABSENT)
    events = [(link.before == ABSENT, link.after == ABSENT) for link, _ in ordered]
    for (_, gone), (comes, _) in itertools.pairwise(events):
        assert gone == comes, "what is gone comes, what is there changes or goes"


def test_an_item_older_than_the_log_that_goes_and_comes_in_its_first_instant_has_an_unseen_beginning():
    remove, insert = Link(NOON, "2", "X", ABSENT), Link(NOON, "7", ABSENT, "Y")
    assert shown([remove, insert]) == "!X> >Y"
    assert shown([insert, remove, Link(NOON + timedelta(seconds=1), "9", "Y", "Z")]) == "!X> >Y Y>Z"
    put_back = Link(NOON, "7", ABSENT, "X")
    assert shown([put_back, remove]) == ">X X>", "nothing says that it was there before"
    assert shown([put_back, remove, Link(NOON + timedelta(seconds=1), "9", "X", "Z")]) == "!X> >X X>Z"


def test_a_whole_flat_log_whose_item_goes_and_comes_in_one_instant_lacks_nothing():
    insert, remove = Link(NOON, "9", ABSENT, "1"), Link(NOON, "1", None, ABSENT)
    again = Link(NOON + timedelta(seconds=1), "5", ABSENT, "2")
    assert shown([insert, remove, again]) == ">1 None> >2"
    change = Link(NOON + timedelta(seconds=1), "5", None, "2")
    assert shown([insert, remove, change]) == "None> >1 None>2"
    assert shown([again, replace(remove, ts=again.ts), insert]) == ">1 None> >2", "it was there before the second"


def test_many_changes_of_a_first_instant_are_ordered_in_time():
    lost = [Link(NOON, f"{number:04}", f"A{number}", f"B{number}") for number in range(100)]
    assert sum(missing for _, missing in follow(lost)) == 100
