"""What an item is to be when changes of it are taken back: the rules, one by one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest

from workbench.errors import ParameterError
from workbench.model.canonical import canonical_json
from workbench.model.merging import UNKNOWN, ItemChange, Merged, Rules, back_to, take_back

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
AT = NOON + timedelta(days=1)
KEY = {"pk": {"S": "x"}}


def n(number: object) -> dict[str, Any]:
    return {"N": str(number)}


def m(**members: Any) -> dict[str, Any]:
    return {"M": members}


def item(**attributes: Any) -> dict[str, Any]:
    return KEY | attributes


def history(*states: Any, bad: Collection[int], by_ttl: Collection[int] = ()) -> list[ItemChange]:
    """Changes an item went through, a minute each; those of the numbers in `bad` are to be taken back."""
    return [
        ItemChange(NOON + timedelta(minutes=number), str(number), before, after, number in bad, number in by_ttl)
        for number, (before, after) in enumerate(pairwise(states))
    ]


LAST: Any = object()


def taken(*states: Any, bad: Collection[int], now: Any = LAST, by_ttl: Collection[int] = (), **rules: Any) -> Merged:
    changes = history(*states, bad=bad, by_ttl=by_ttl)
    return take_back(changes[::-1], states[-1] if now is LAST else now, Rules(at=AT, **rules), ["pk"])


def told(merged: Merged) -> dict[Any, str]:
    """The statuses by path, with the member where it is of one."""
    return {each.path if each.member is None else (*each.path, each.member): each.status for each in merged.outcomes}


def attributes(merged: Merged) -> Mapping[str, Any] | None:
    assert merged.after is None or merged.after["pk"] == KEY["pk"]
    return merged.after and {name: value for name, value in merged.after.items() if name != "pk"}


# Runs of bad changes


def test_a_trailing_run_goes_back_to_the_value_before_its_first():
    merged = taken(item(a=n(1)), item(a=n(2)), item(a=n(3)), bad={0, 1})
    assert (merged.action, attributes(merged), told(merged)) == ("update", {"a": n(1)}, {("a",): "taken back"})
    assert merged.takes_back == {"0", "1"}
    (outcome,) = merged.outcomes
    assert (outcome.before, outcome.bad, outcome.now, outcome.after) == (n(1), n(3), n(3), n(1))


def test_what_others_wrote_before_and_after_stays():
    merged = taken(item(a=n(1)), item(a=n(1), b=n(1)), item(a=n(2), b=n(1)), item(a=n(2), b=n(5)), bad={1})
    assert (attributes(merged), told(merged)) == ({"a": n(1), "b": n(5)}, {("a",): "taken back"})


def test_between_two_bad_ones_the_good_value_and_a_conflict():
    merged = taken(item(a=n(1)), item(a=n(2)), item(a=n(3)), item(a=n(4)), bad={0, 2})
    assert (merged.action, attributes(merged), told(merged)) == ("update", {"a": n(3)}, {("a",): "conflict"})
    assert merged.conflicts == 1


def test_a_good_write_upon_a_bad_one_is_a_conflict_and_stays():
    merged = taken(item(a=n(1)), item(a=n(2)), item(a=n(3)), bad={0})
    assert (merged.action, attributes(merged), told(merged)) == ("conflict", {"a": n(3)}, {("a",): "conflict"})


def test_a_good_write_back_to_what_it_was_is_settled_and_still_shown():
    merged = taken(item(a=n(1)), item(a=n(2)), item(a=n("1.0")), bad={0})
    assert (merged.action, attributes(merged), told(merged)) == ("unchanged", {"a": n("1.0")}, {("a",): "settled"})


def test_several_bad_among_good_are_taken_back_over_the_whole_chain():
    """Merging them one by one gives 2: each thinks that the other stays."""
    merged = taken(item(a=n(1)), item(a=n(2)), item(a=n(2), b=n(0)), item(a=n(3), b=n(0)), bad={0, 2})
    assert (attributes(merged), told(merged)) == ({"a": n(1), "b": n(0)}, {("a",): "taken back"})


def test_taking_back_nothing_changes_nothing():
    merged = taken(item(a=n(1)), item(a=n(2)), bad=())
    assert merged == Merged("unchanged", item(a=n(2)), (), frozenset())
    assert take_back([], None, Rules(at=AT), ["pk"]).action == "unchanged"


# Maps


def test_a_map_is_taken_back_by_path():
    before = item(m=m(a=n(1), b=m(c=n(1))))
    bad = item(m=m(a=n(1), b=m(c=n(2), d=n(2))))
    after = item(m=m(a=n(7), b=m(c=n(2), d=n(2), e=n(7))))
    merged = taken(before, bad, after, bad={0})
    assert attributes(merged) == {"m": m(a=n(7), b=m(c=n(1), e=n(7)))}
    assert told(merged) == {("m", "b", "c"): "taken back", ("m", "b", "d"): "taken back"}


def test_a_map_emptied_by_good_after_bad_made_its_member_stays_an_empty_map():
    merged = taken(item(m=m(a=n(1))), item(m=m(a=n(1), b=n(2))), item(m=m(b=n(2))), bad={0})
    assert attributes(merged) == {"m": m()}


def test_a_map_removed_wrongly_comes_back_as_it_was_without_what_was_wrong_in_it():
    merged = taken(item(m=m(a=n(1), b=n(1))), item(m=m(a=n(2), b=n(1))), item(m=m(a=n(2), b=n(5))), item(), bad={0, 2})
    assert (attributes(merged), told(merged)) == ({"m": m(a=n(1), b=n(5))}, {("m",): "taken back"})


def test_a_map_put_back_tells_of_conflicts_within_it():
    merged = taken(item(m=m(a=n(1))), item(m=m(a=n(2))), item(m=m(a=n(3))), item(), bad={0, 2})
    assert attributes(merged) == {"m": m(a=n(3))}
    assert told(merged) == {("m",): "taken back", ("m", "a"): "conflict"}
    assert merged.outcomes[1].now is None


@pytest.mark.parametrize(
    "wrap", [lambda value: item(m=value) if value else item(), lambda value: value and KEY | value["M"]]
)
def test_what_was_removed_wrongly_and_made_again_is_one_conflict_and_nothing_is_mixed_in(wrap):
    merged = taken(wrap(m(a=n(1), b=n(1))), wrap(None), wrap(m(b=n(2))), bad={0})
    assert (merged.action, merged.after) == ("conflict", wrap(m(b=n(2))))
    assert [*told(merged).values()] == ["conflict"]


@pytest.mark.parametrize(
    "wrap", [lambda value: item(m=value) if value else item(), lambda value: value and KEY | value["M"]]
)
def test_what_was_made_wrongly_and_written_into_is_one_conflict(wrap):
    merged = taken(wrap(None), wrap(m(a=n(1))), wrap(m(a=n(1), b=n(2))), wrap(m(a=n(3), b=n(2))), bad={0, 2})
    assert (merged.action, merged.after) == ("conflict", wrap(m(a=n(3), b=n(2))))
    assert [*told(merged).values()] == ["conflict"]


def test_what_was_made_wrongly_and_written_into_is_left_alone_whatever_was_wrong_in_it_since():
    states = [item(), item(m=m(a=n(1))), item(m=m(a=n(1), b=n(2))), item(m=m(a=n(9), b=n(9)))]
    merged = taken(*states, bad={0, 2})
    assert (merged.action, told(merged)) == ("conflict", {("m",): "conflict"})
    assert taken(*states, item(), bad={0, 2, 3}).action == "conflict", "nor is it put back"
    merged = taken(*states, None, bad={0, 2, 3})
    assert (merged.action, merged.after, told(merged)) == (
        "put back",
        item(),
        {(): "taken back", ("m",): "conflict"},
    )


def test_in_what_was_made_again_since_bad_changes_are_taken_back():
    states = [item(m=m(a=n(1), b=n(1))), item(), item(m=m(b=n(2))), item(m=m(b=n(3), c=n(3)))]
    merged = taken(*states, bad={0, 2})
    assert (attributes(merged), told(merged)) == ({"m": m(b=n(2))}, {("m",): "conflict"})


def test_removed_made_again_and_removed_again_gives_what_was_made_again_and_a_conflict():
    merged = taken(item(a=n(1), b=n(1)), None, item(b=n(2)), None, bad={0, 2})
    assert (merged.action, merged.after, told(merged)) == ("put back", item(b=n(2)), {(): "conflict"})


def test_what_good_removed_and_made_again_has_nothing_of_before_mixed_in():
    """A bad change removed an attribute; then the map was replaced whole, which wrote that it is not there."""
    merged = taken(item(m=m(a=n(1), b=n(1))), item(m=m(b=n(1))), item(), item(m=m(b=n(2))), bad={0})
    assert (merged.action, attributes(merged)) == ("conflict", {"m": m(b=n(2))})
    assert told(merged) == {("m", "a"): "conflict"}


def test_a_map_that_became_a_text_is_a_leaf_that_changed():
    merged = taken(item(m=m(a=n(1))), item(m={"S": "x"}), item(m={"S": "x"}, b=n(1)), bad={0})
    assert attributes(merged) == {"m": m(a=n(1)), "b": n(1)}


# The item


def test_an_item_made_wrongly_is_deleted():
    merged = taken(None, item(a=n(1)), item(a=n(2)), bad={0, 1})
    assert (merged.action, merged.after, told(merged)) == ("delete", None, {(): "taken back"})


def test_an_item_removed_wrongly_is_put_back_without_what_was_wrong_before():
    merged = taken(item(a=n(1), b=n(1)), item(a=n(2), b=n(1)), item(a=n(2), b=n(2)), None, bad={0, 2})
    assert (merged.action, attributes(merged)) == ("put back", {"a": n(1), "b": n(2)})


@pytest.mark.parametrize("on_conflict", ["keep", "before", "fail"])
@pytest.mark.parametrize("states", [(item(a=n(1)), item(a=n(2)), None), (None, item(a=n(2)), None)])
def test_what_was_deleted_later_is_gone_and_no_conflict(states, on_conflict):
    merged = taken(*states, bad={0}, on_conflict=on_conflict)
    assert (merged.action, merged.after, merged.conflicts) == ("gone", None, 0)


def test_what_was_made_again_and_deleted_again_is_gone():
    assert taken(item(a=n(1)), None, item(a=n(2)), None, bad={0}).action == "gone"


def test_an_item_deleted_by_good_and_made_again_wrongly_is_deleted():
    merged = taken(item(a=n(1)), None, item(a=n(2)), bad={1})
    assert (merged.action, merged.conflicts) == ("delete", 0)


def test_the_key_is_never_touched_and_never_told_of():
    merged = taken(None, item(a=n(1)), None, item(a=n(2)), bad={2})
    assert merged.action == "delete"
    with pytest.raises(ParameterError, match="pk is of the key"):
        taken(item(), item(a=n(1)), bad={0}, bump=(("pk",),))


# Sets


@pytest.mark.parametrize(
    ("kind", "a", "b", "c"), [("SS", "a", "b", "c"), ("NS", "1", "2.5", "30"), ("BS", "AA==", "AQ==", "Ag==")]
)
def test_sets_are_taken_back_by_member(kind, a, b, c):
    merged = taken(item(s={kind: [a, b]}), item(s={kind: [b]}), item(s={kind: [b, c]}), bad={0})
    assert (attributes(merged), told(merged)) == ({"s": {kind: [a, b, c]}}, {("s", a): "taken back"})


def test_a_member_is_equal_by_value():
    merged = taken(item(s={"NS": ["1"]}), item(s={"NS": ["1.0", "2"]}), item(s={"NS": ["2.0", "1", "3"]}), bad={0})
    assert attributes(merged) == {"s": {"NS": ["1", "3"]}}


def test_a_member_written_since_is_a_conflict_of_its_own():
    states = [item(s={"SS": members}) for members in (["z"], ["a", "b", "z"], ["b", "z"], ["a", "b", "z"])]
    merged = taken(*states, bad={0})
    assert attributes(merged) == {"s": {"SS": ["a", "z"]}}
    assert told(merged) == {("s", "a"): "conflict", ("s", "b"): "taken back"}


def test_a_set_of_which_nothing_is_left_is_no_attribute():
    merged = taken(item(s={"SS": ["a"]}), item(s={"SS": ["a", "b"]}), item(s={"SS": ["b"]}), bad={0})
    assert attributes(merged) == {}


def test_a_set_emptied_wrongly_and_filled_again_is_a_conflict():
    merged = taken(item(s={"SS": ["a", "b"]}), item(), item(s={"SS": ["c"]}), bad={0})
    assert (merged.action, attributes(merged), told(merged)) == ("conflict", {"s": {"SS": ["c"]}}, {("s",): "conflict"})


def test_a_set_emptied_by_good_in_between_has_nothing_mixed_in():
    merged = taken(item(s={"SS": ["a", "b"]}), item(s={"SS": ["b"]}), item(), item(s={"SS": ["c"]}), bad={0})
    assert (merged.action, told(merged)) == ("conflict", {("s", "a"): "conflict"})


def test_a_set_of_another_type_is_another_value():
    merged = taken(item(s={"SS": ["1"]}), item(s={"NS": ["1"]}), bad={0})
    assert (attributes(merged), told(merged)) == ({"s": {"SS": ["1"]}}, {("s",): "taken back"})


# Lists


def lists(*numbers: int) -> dict[str, Any]:
    return {"L": [n(each) for each in numbers]}


def test_a_list_is_one_leaf():
    merged = taken(item(x=lists(1, 2)), item(x=lists(9, 2)), item(x=lists(9, 3)), bad={0})
    assert (attributes(merged), told(merged)) == ({"x": lists(9, 3)}, {("x",): "conflict"})
    merged = taken(item(x=lists(1, 2)), item(x=lists(9)), bad={0})
    assert (attributes(merged), told(merged)) == ({"x": lists(1, 2)}, {("x",): "taken back"})


def test_a_list_by_index_where_asked_for():
    merged = taken(item(x=lists(1, 2)), item(x=lists(9, 2)), item(x=lists(9, 3)), bad={0}, lists="index")
    assert (attributes(merged), told(merged)) == ({"x": lists(1, 3)}, {("x", 0): "taken back"})
    deep = [{"L": [m(a=n(1), b=n(1))]}, {"L": [m(a=n(2), b=n(1))]}, {"L": [m(a=n(2), b=n(3))]}]
    merged = taken(*(item(x=each) for each in deep), bad={0}, lists="index")
    assert (attributes(merged), told(merged)) == ({"x": {"L": [m(a=n(1), b=n(3))]}}, {("x", 0, "a"): "taken back"})


def test_a_list_by_index_is_taken_back_all_or_nothing():
    merged = taken(item(x=lists(1, 2)), item(x=lists(9, 9)), item(x=lists(9, 3)), bad={0}, lists="index")
    assert (attributes(merged), told(merged)) == ({"x": lists(9, 3)}, {("x",): "conflict"})


def test_a_list_that_had_another_length_in_between_is_one_leaf():
    states = [item(x=each) for each in (lists(1, 2), lists(9, 2), lists(9, 2, 4), lists(9, 3))]
    merged = taken(*states, bad={0}, lists="index")
    assert (attributes(merged), told(merged)) == ({"x": lists(9, 3)}, {("x",): "conflict"})


# Equality


@pytest.mark.parametrize("one", [None, {"NULL": True}, {"S": ""}, {"S": "0"}, n(0), {"BOOL": False}, m(), {"L": []}])
@pytest.mark.parametrize("other", [{"NULL": True}, {"S": ""}, n(0), {"BOOL": True}, {"B": ""}])
def test_null_absent_and_empty_differ_and_come_back_as_they_were(one, other):
    if one == other:
        return
    before, after = (item(**({} if each is None else {"a": each})) for each in (one, other))
    merged = taken(before, after, after | {"b": n(1)}, bad={0})
    assert merged.after == before | {"b": n(1)}
    assert merged.action == "update"


def test_numbers_sets_and_binary_are_equal_by_value_whatever_their_spelling():
    one = item(a=n("1E+2"), s={"NS": ["2", "1.0"]}, t={"SS": ["b", "a"]}, x={"L": [n("1.50")]}, b=n(1))
    two = item(a=n("100"), s={"NS": ["1", "2.0"]}, t={"SS": ["a", "b"]}, x={"L": [n("1.5")]}, b=n(2))
    merged = take_back([ItemChange(NOON, "0", one, two, bad=True)], two | {"a": n("100.0")}, Rules(at=AT), ["pk"])
    assert told(merged) == {("b",): "taken back"}
    assert canonical_json(dict(merged.after or {})) == canonical_json(one)


def test_38_digits_are_told_apart_and_restored_exactly():
    long, other = "1234567890123456789012345678901234567.8", "1234567890123456789012345678901234567.9"
    assert attributes(taken(item(a=n(long)), item(a=n(other)), bad={0})) == {"a": n(long)}


def test_odd_names_are_names():
    names = ["a.b", "", 'q"q', "ö", "()", "[0]"]
    before, after = ({name: n(number) for name in names} for number in (1, 2))
    merged = taken(item(**before, m=m(**before)), item(**after, m=m(**after)), bad={0})
    assert attributes(merged) == {**before, "m": m(**before)}


# Ties, gaps, and images that are not known


def at_once(*changes: tuple[Any, Any, bool], now: Any, later: Collection[tuple[Any, Any, bool]] = ()) -> Merged:
    made = [ItemChange(NOON, f"{7 - number}", *change) for number, change in enumerate(changes)]
    made += [
        ItemChange(NOON + timedelta(seconds=number), f"later {number}", *change)
        for number, change in enumerate(later, start=1)
    ]
    return take_back(made, now, Rules(at=AT), ["pk"])


def test_ties_are_taken_in_the_order_their_images_follow_on():
    one, two, three = item(a=n(1)), item(a=n(2)), item(a=n(3))
    good_first = at_once((two, three, True), (one, two, False), now=three)
    assert (attributes(good_first), told(good_first)) == ({"a": n(2)}, {("a",): "taken back"})
    bad_first = at_once((two, three, False), (one, two, True), now=three)
    assert (attributes(bad_first), told(bad_first)) == ({"a": n(3)}, {("a",): "conflict"})


def test_where_ties_fit_in_several_orders_every_good_change_counts_as_later():
    one, two = item(a=n(1)), item(a=n(2), b=n(2))
    merged = at_once((one, two, True), (two, one, False), (one, two, False), now=two)
    assert (merged.action, told(merged)) == ("conflict", {("a",): "conflict", ("b",): "conflict"})


def test_where_ties_fit_in_several_orders_a_good_value_of_them_is_restored_after_later_bad_ones():
    one, two, three = item(a=n(1)), item(a=n(2)), item(a=n(3))
    merged = at_once((one, two, True), (two, one, False), (one, two, True), now=three, later=[(two, three, True)])
    assert (attributes(merged), told(merged)) == ({"a": n(1)}, {("a",): "conflict"})


def test_a_cycle_of_an_instant_begins_where_what_follows_tells():
    one, two = item(a=n(1)), item(a=n(2))
    merged = at_once((one, two, True), (two, one, False), now=one)
    assert told(merged) == {("a",): "settled"}
    merged = at_once((one, two, True), (two, one, False), now=two)
    assert (attributes(merged), told(merged)) == ({"a": n(1)}, {("a",): "taken back"})


def test_a_cycle_of_an_instant_that_nothing_follows_on_has_its_good_changes_later():
    one, two = item(a=n(1)), item(a=n(2))
    for changes in ([(one, two, True), (two, one, False)], [(one, two, False), (two, one, True)]):
        merged = at_once(*changes, now=item(b=n(5)))
        assert (merged.action, attributes(merged), told(merged)) == ("conflict", {"b": n(5)}, {("a",): "conflict"})


def test_many_changes_of_an_instant_are_looked_at_in_time():
    states = [item(a=n(number % 3), b=n(number % 2)) for number in range(60)]
    changes = [
        ItemChange(NOON, f"{number:02}", before, after, number == 30)
        for number, (before, after) in enumerate(pairwise(states))
    ]
    assert take_back(changes, states[-1], Rules(at=AT), ["pk"]).conflicts


def test_an_item_that_is_not_what_its_last_change_left_had_one_more_which_stays():
    merged = taken(item(a=n(1), b=n(1)), item(a=n(2), b=n(2)), bad={0}, now=item(a=n(2), b=n(3)))
    assert attributes(merged) == {"a": n(1), "b": n(3)}
    assert told(merged) == {("a",): "taken back", ("b",): "conflict"}
    assert taken(item(a=n(1)), item(a=n(2)), bad={0}, now=None).action == "gone"


def test_a_gap_before_the_bad_change_is_harmless_and_one_after_it_is_a_change_that_stays():
    changes = history(item(a=n(1), b=n(1)), item(a=n(2), b=n(2)), item(a=n(2), b=n(2), c=n(1)), bad={0})
    gap = [changes[0], ItemChange(NOON + timedelta(hours=1), "9", item(a=n(2), b=n(3)), item(b=n(3)))]
    merged = take_back(gap, item(b=n(3)), Rules(at=AT), ["pk"])
    assert told(merged) == {("a",): "conflict", ("b",): "conflict"}
    assert merged.outcomes[1].why == "it has changed since, by a change that the log does not show"
    before = [ItemChange(NOON, "1", item(), item(a=n(7))), ItemChange(AT, "2", item(a=n(1)), item(a=n(2)), bad=True)]
    assert attributes(take_back(before, item(a=n(2)), Rules(at=AT), ["pk"])) == {"a": n(1)}


@pytest.mark.parametrize(("before", "after"), [(UNKNOWN, item(a=n(2))), (item(a=n(1)), UNKNOWN)])
def test_a_bad_change_without_both_its_images_is_left_out(before, after):
    merged = take_back([ItemChange(NOON, "1", before, after, bad=True)], item(a=n(2)), Rules(at=AT), ["pk"])
    assert (merged.action, merged.after, told(merged)) == ("unknown", item(a=n(2)), {(): "unknown"})
    assert back_to(UNKNOWN, item(), Rules(at=AT), ["pk"]).action == "unknown"


@pytest.mark.parametrize(
    "good",
    [(UNKNOWN, item(a=n(2), b=n(2))), (item(a=n(2), b=n(1)), UNKNOWN), (UNKNOWN, UNKNOWN)],
)
def test_a_good_change_without_its_images_is_seen_by_its_neighbours(good):
    first = ItemChange(NOON, "1", item(a=n(1), b=n(0)), item(a=n(2), b=n(1)), bad=True)
    merged = take_back([ItemChange(AT, "2", *good), first], item(a=n(2), b=n(2)), Rules(at=AT), ["pk"])
    assert attributes(merged) == {"a": n(1), "b": n(2)}
    assert told(merged) == {("a",): "taken back", ("b",): "conflict"}


# Rules that can be chosen


def test_on_conflict_before_writes_what_was_there_before():
    rules: dict[str, Any] = {"on_conflict": "before"}
    assert attributes(taken(item(a=n(1)), item(a=n(2)), item(a=n(3)), bad={0}, **rules)) == {"a": n(1)}
    assert attributes(taken(item(a=n(1)), item(a=n(2)), item(a=n(3)), item(a=n(4)), bad={0, 2}, **rules)) == {"a": n(1)}
    assert taken(item(a=n(1)), None, item(b=n(2)), bad={0}, **rules).after == item(a=n(1))
    assert taken(None, item(a=n(1)), item(a=n(1), b=n(2)), bad={0}, **rules).action == "delete"
    members = [item(s={"SS": each}) for each in (["z"], ["a", "z"], ["z"], ["a", "z"])]
    assert attributes(taken(*members, bad={0}, **rules)) == {"s": {"SS": ["z"]}}


def test_on_conflict_fail_leaves_the_whole_item():
    states = [item(a=n(1), b=n(1)), item(a=n(2), b=n(2)), item(a=n(3), b=n(2))]
    merged = taken(*states, bad={0}, on_conflict="fail")
    assert (merged.action, merged.after, merged.conflicts) == ("conflict", states[-1], 1)
    assert told(merged) == {("a",): "conflict", ("b",): "kept"}
    assert taken(*states[:2], bad={0}, on_conflict="fail").action == "update"
    for rules in ({"kept": (("a",),)}, {"bump": (("a",),)}):
        merged = taken(*states, bad={0}, on_conflict="fail", **rules)
        assert (merged.action, merged.after) == ("update", item(a=n(4 if "bump" in rules else 3), b=n(1)))


def test_kept_attributes_stay_without_a_conflict():
    states = [item(a=n(1), u=n(1)), item(a=n(2), u=n(2)), item(a=n(2), u=n(3))]
    merged = taken(*states, bad={0}, kept=(("u",),))
    assert (attributes(merged), told(merged)) == ({"a": n(1), "u": n(3)}, {("a",): "taken back", ("u",): "kept"})
    added = taken(item(), item(m=m(u=n(2), v=n(2))), item(m=m(u=n(2), v=n(2)), b=n(1)), bad={0}, kept=(("m", "u"),))
    assert attributes(added) == {"b": n(1)}, "what was made wrongly as a whole goes as a whole"
    inner = taken(item(m=m(u=n(1), v=n(1))), item(m=m(u=n(2), v=n(2))), bad={0}, kept=(("m", "u"),))
    assert (attributes(inner), told(inner)) == (
        {"m": m(u=n(2), v=n(1))},
        {("m", "v"): "taken back", ("m", "u"): "kept"},
    )
    removed = taken(item(a=n(1), u=n(1)), item(), bad={0}, kept=(("u",),))
    assert attributes(removed) == {"a": n(1)}
    only = taken(item(u=n(1)), item(u=n(2)), bad={0}, kept=(("u",),), mark={("by",): {"S": "undo"}})
    assert (only.action, only.after) == ("unchanged", item(u=n(2)))
    assert taken(item(a=n(1), u=n(1)), None, bad={0}, kept=(("u",),)).after == item(a=n(1), u=n(1))


def test_a_version_is_one_more_than_now_wherever_an_item_is_written():
    rules: dict[str, Any] = {"bump": (("v",),)}
    states = [item(a=n(1), v=n(7)), item(a=n(2), v=n(8)), item(a=n(2), v=n(9), b=n(1))]
    merged = taken(*states, bad={0}, **rules)
    assert attributes(merged) == {"a": n(1), "v": n(10), "b": n(1)}
    assert told(merged) == {("a",): "taken back", ("v",): "bumped"}
    assert taken(item(v=n(7)), item(v=n(8)), bad={0}, **rules).action == "unchanged", "nothing else to write"
    assert attributes(taken(*states, None, bad={2}, **rules)) == {"a": n(2), "v": n(10), "b": n(1)}
    assert attributes(taken(item(a=n(1), v=n(7)), item(a=n(2)), bad={0}, **rules)) == {"a": n(1), "v": n(8)}
    assert attributes(taken(item(a=n(1)), item(a=n(2)), bad={0}, **rules)) == {"a": n(1)}
    assert taken(None, item(v=n(7)), bad={0}, **rules).action == "delete"


def test_counters_are_taken_back_by_difference_where_asked_for_by_name():
    rules: dict[str, Any] = {"delta": (("v",),)}
    merged = taken(
        item(v=n(10)), item(v=n(1000)), item(v=n(1001)), item(v=n("1002.5")), item(v=n(2)), bad={0, 3}, **rules
    )
    assert (attributes(merged), told(merged)) == ({"v": n("12.5")}, {("v",): "delta"})
    assert attributes(taken(item(), item(v=n(5)), item(v=n(6)), bad={0}, **rules)) == {"v": n(1)}
    assert attributes(taken(item(), item(v=n(5)), bad={0}, **rules)) == {}, "no one else counted"
    assert attributes(taken(item(v=n(10)), item(v=n(1000)), item(v=n(50)), bad={0}, **rules)) == {"v": n(-940)}


@pytest.mark.parametrize("later", [item(), item(v={"S": "7"}), item(v=n("1" * 38))])
def test_what_was_no_counter_or_would_not_be_exact_is_a_conflict(later):
    before = item(v=n("0.5"))
    assert told(taken(before, item(v=n(7)), later, bad={0}, delta=(("v",),)))[("v",)] == "conflict"


def test_a_mark_is_set_by_every_write_but_a_deletion():
    rules: dict[str, Any] = {"mark": {("by",): {"S": "undo 1"}}}
    assert attributes(taken(item(a=n(1)), item(a=n(2)), bad={0}, **rules)) == {"a": n(1), "by": {"S": "undo 1"}}
    assert attributes(taken(item(a=n(1)), None, bad={0}, **rules)) == {"a": n(1), "by": {"S": "undo 1"}}
    assert taken(None, item(a=n(2)), bad={0}, **rules).action == "delete"
    assert taken(item(a=n(1)), item(a=n(2)), item(a=n(3)), bad={0}, **rules).after == item(a=n(3))


@pytest.mark.parametrize(
    "rules",
    [
        {"delta": (("a",),), "bump": (("a",),)},
        {"delta": (("t",),), "ttl": "t"},
        {"kept": (("a",),), "bump": (("a",),)},
        {"mark": {("a", "b"): n(1)}},
        {"expired": "drop"},
        {"at": NOON.replace(tzinfo=None)},
    ],
)
def test_rules_that_contradict_each_other_are_refused(rules):
    with pytest.raises(ParameterError):
        Rules(**{"at": AT} | rules)


# What expires

PAST, FUTURE = n(int(AT.timestamp()) - 60), n(int(AT.timestamp()) + 60)


def test_items_that_expired_are_not_put_back_unless_asked():
    states = [item(a=n(1), t=PAST), item(a=n(2), t=PAST), None]
    for bad in ({0}, {0, 1}):
        merged = taken(*states, bad=bad, by_ttl={1})
        assert (merged.action, merged.outcomes[0].why) == ("gone", "it has expired since")


def expiring(*states: Any, bad: Collection[int], **rules: Any) -> Merged:
    return taken(*states, bad=bad, ttl="t", **rules)


@pytest.mark.parametrize(
    ("expired", "t"),
    [("keep", PAST), ("drop", None), (timedelta(days=7), n(int((AT + timedelta(days=7)).timestamp())))],
)
@pytest.mark.parametrize("by_ttl", [(), (1,)])
def test_what_expired_is_put_back_as_asked(expired, t, by_ttl):
    states = [item(a=n(1), t=PAST), item(a=n(2), t=PAST), None]
    merged = expiring(*states, bad={0, 1}, by_ttl=by_ttl, expired=expired)
    assert (merged.action, merged.after) == ("put back", item(a=n(1), **({"t": t} if t else {})))
    assert expiring(*states, bad={0, 1}, by_ttl=by_ttl).action == "gone"


def test_what_has_not_expired_is_put_back_with_its_ttl():
    for expired in ("skip", "keep", "drop", timedelta(days=7)):
        merged = expiring(item(a=n(1), t=FUTURE), None, bad={0}, expired=expired)
        assert merged.after == item(a=n(1), t=FUTURE)
    assert expiring(item(t={"S": "never"}), None, bad={0}).action == "put back"
    assert expiring(item(t=n(1)), None, bad={0}).action == "put back", "DynamoDB deletes nothing so old"


def test_an_item_is_not_made_to_expire_unless_asked():
    states = [item(a=n(1), t=PAST), item(a=n(2), t=FUTURE)]
    merged = expiring(*states, bad={0})
    assert (attributes(merged), told(merged)) == (
        {"a": n(1), "t": FUTURE},
        {("a",): "taken back", ("t",): "kept"},
    )
    assert attributes(expiring(*states, bad={0}, expired="keep")) == {"a": n(1), "t": PAST}
    assert attributes(expiring(*states, bad={0}, expired="drop")) == {"a": n(1)}


def test_what_expired_as_its_ttl_was_set_wrongly_is_put_back_where_asked():
    states = [item(t=FUTURE), item(t=PAST), None]
    merged = expiring(*states, bad={0}, by_ttl={1})
    assert (merged.action, merged.outcomes[0].why) == ("gone", "it has expired since, by a TTL that was set wrongly")
    merged = expiring(*states, bad={0}, by_ttl={1}, expired="keep")
    assert (merged.action, merged.after, merged.takes_back) == ("put back", item(t=FUTURE), {"0", "1"})
    other = [item(t=PAST), item(t=PAST, a=n(1)), None]
    assert expiring(*other, bad={0}, by_ttl={1}, expired="keep").action == "gone", "it would have expired anyhow"


# Signed items


@pytest.mark.parametrize("name", ["aws_dbe_head", "aws_dbe_foot", "*amzn-ddb-map-sig*"])
def test_of_signed_items_only_whole_states_that_existed(name):
    def signed(a: int, b: int) -> dict[str, Any]:
        return item(a=n(a), b=n(b), **{name: {"B": "AAA="}})

    merged = taken(signed(1, 1), signed(2, 1), signed(2, 2), bad={0})
    assert (merged.action, told(merged)) == ("conflict", {(): "conflict"})
    rules: dict[str, Any] = {"kept": (("b",),), "bump": (("a",),), "mark": {("by",): n(1)}, "ttl": "b"}
    assert taken(signed(1, 1), signed(2, 2), bad={0}, **rules).after == signed(1, 1)
    assert taken(signed(1, 1), None, bad={0}, **rules).after == signed(1, 1)
    rules = {"ttl": "t", "expired": "drop"}
    merged = taken(signed(1, 1) | {"t": PAST}, None, bad={0}, **rules)
    assert (merged.action, merged.after) == ("gone", None)


# The writes of an earlier undo


def undone(*states: Any, bad: Collection[int], undoes: Mapping[int, Collection[int]], **rules: Any) -> Merged:
    changes = [
        ItemChange(
            each.ts,
            each.event_id,
            each.before,
            each.after,
            each.bad,
            undoes=frozenset(map(str, undoes[number])) if number in undoes else None,
        )
        for number, each in enumerate(history(*states, bad=bad))
    ]
    return take_back(changes, states[-1], Rules(at=AT, **rules), ["pk"])


def test_an_undo_cancels_with_what_it_took_back():
    states = [item(a=n(1)), item(a=n(2)), item(a=n(2), b=n(1)), item(a=n(1), b=n(1))]
    assert undone(*states, bad={0}, undoes={2: [0]}).action == "unchanged"
    assert undone(*states, bad={0}, undoes={2: [0]}).outcomes == ()
    assert told(taken(*states, bad={0})) == {("a",): "settled"}, "another's write is not by its value an undo"


def test_an_undo_cancels_node_by_node():
    """What it left as it was in conflict still is."""
    states = [item(a=n(1), b=n(1)), item(a=n(2), b=n(2)), item(a=n(2), b=n(3)), item(a=n(1), b=n(3))]
    merged = undone(*states, bad={0}, undoes={2: [0]})
    assert (merged.action, told(merged)) == ("conflict", {("b",): "conflict"})


def test_bad_changes_after_an_undo_go_back_to_what_it_left():
    states = [item(a=n(1)), item(a=n(2)), item(a=n(1)), item(a=n(5))]
    merged = undone(*states, bad={0, 2}, undoes={1: [0]})
    assert (attributes(merged), told(merged)) == ({"a": n(1)}, {("a",): "taken back"})


def test_an_undo_undone_leaves_what_it_took_back_to_be_taken_back_again():
    states = [item(a=n(1)), item(a=n(2)), item(a=n(1)), item(a=n(2))]
    assert attributes(undone(*states, bad={0}, undoes={1: [0], 2: [1]})) == {"a": n(1)}
    assert attributes(undone(*states[:3], bad={1}, undoes={1: [0]})) == {"a": n(2)}, "the undo itself taken back"


def test_an_item_put_back_with_another_ttl_is_not_written_again():
    states = [item(a=n(1), t=PAST), None, item(a=n(1), by=n(1))]
    assert undone(*states, bad={0}, undoes={1: [0]}).action == "unchanged"


def test_what_an_undo_did_not_take_back_can_be_taken_back_later():
    states = [item(a=n(1)), item(a=n(2)), item(a=n(3)), item(a=n(2))]
    assert attributes(undone(*states, bad={0, 1}, undoes={2: [1]})) == {"a": n(1)}
    assert undone(*states[:3], item(a=n(1)), bad={1}, undoes={2: [0]}).action == "unchanged"


def test_what_an_undo_of_something_else_left_is_a_good_value():
    """It cancels with what it took back, and with nothing else: else its value would be overwritten."""
    states = [item(a=n(2)), item(a=n(-1)), item(a=n(5))]
    merged = undone(*states, bad={0}, undoes={1: [9]})
    assert (attributes(merged), told(merged)) == ({"a": n(5)}, {("a",): "conflict"})
    counted = [item(a=n(2)), item(a=n(3)), item(a=n(2))]
    assert attributes(undone(*counted, bad={0}, undoes={1: [9]}, delta=(("a",),))) == {"a": n(1)}
    assert undone(item(a=n(2)), item(a=n(-1)), None, bad={0}, undoes={1: [9]}).action == "gone"


def test_a_version_that_an_undo_counted_up_never_goes_back():
    states = [item(a=n(1), v=n(5)), item(a=n(2), v=n(5)), item(a=n(2), v=n(6)), item(a=n(1), v=n(7))]
    merged = undone(*states, bad={1}, undoes={2: [0]})
    assert (attributes(merged), told(merged)) == ({"a": n(1), "v": n(7)}, {("v",): "conflict"})


# Back to an instant


def test_an_undo_of_what_lies_before_is_a_write_like_any_other():
    """1, wrongly 99, wrongly 98, and an undo of the first alone, which was asked to write what was before: 1 stays."""
    changes = [
        *history(item(a=n(99)), item(a=n(98)), bad={0}),
        ItemChange(AT, "undo", item(a=n(98)), item(a=n(1)), undoes=frozenset({"earlier"})),
    ]
    merged = take_back(changes, changes[-1].after, Rules(at=AT), ["pk"])
    assert (merged.action, told(merged)) == ("conflict", {("a",): "conflict"})
    assert attributes(merged) == {"a": n(1)}


def test_back_to_what_an_item_was():
    rules = Rules(at=AT, kept=(("u",),), bump=(("v",),), mark={("by",): n(1)})
    then, now = item(a=n(1), m=m(x=n(1)), u=n(1), v=n(1)), item(a=n(2), m=m(y=n(1)), u=n(2), v=n(5))
    merged = back_to(then, now, rules, ["pk"])
    assert (merged.action, merged.after) == ("update", then | {"u": n(2), "v": n(6), "by": n(1)})
    assert told(merged) == {
        ("a",): "taken back",
        ("m", "x"): "taken back",
        ("m", "y"): "taken back",
        ("u",): "kept",
        ("v",): "bumped",
    }
    assert back_to(None, now, rules, ["pk"]).action == "delete"
    assert back_to(then, None, rules, ["pk"]).after == then | {"v": n(2), "by": n(1)}
    assert back_to(then, then, rules, ["pk"]).action == "unchanged"
    assert back_to(None, None, rules, ["pk"]).action == "unchanged"


def test_back_to_an_instant_what_expired_since_is_put_back_only_where_asked():
    then = item(a=n(1), t=PAST)
    assert back_to(then, None, Rules(at=AT), ["pk"], by_ttl=True).action == "gone"
    assert back_to(then, None, Rules(at=AT, ttl="t"), ["pk"]).action == "gone"
    assert back_to(then, None, Rules(at=AT, ttl="t", expired="drop"), ["pk"], by_ttl=True).after == item(a=n(1))
    assert back_to(item(t=FUTURE), None, Rules(at=AT, ttl="t"), ["pk"]).action == "put back"
