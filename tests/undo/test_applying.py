"""A plan applied: every write on its condition and once, whatever others do meanwhile, and however often it is stopped."""

from __future__ import annotations

import errno
import hashlib
import io
import itertools
import json
import os
import random
import signal
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.undo.kills import kill_often
from tests.undo.places import TABLE, DynamoPlace, Place, StorePlace
from workbench.aws import pacing
from workbench.errors import ParameterError, StoreError
from workbench.model.canonical import canonical_json, canonical_keys, image_digest
from workbench.model.item_writes import Write, writes_of
from workbench.model.merging import Rules
from workbench.undo import applying
from workbench.undo import journal as journals
from workbench.undo.applying import Applied, How, apply_plan
from workbench.undo.plan_file import About, Plan, about_file, reading, writing
from workbench.undo.targets import Outcome, Target

NOON = datetime(2026, 11, 18, 12, tzinfo=UTC)
Image = Mapping[str, Any]


def item(number: int, **more: Any) -> dict[str, Any]:
    return {"pk": {"S": f"p-{number}"}, "price": {"N": str(number)}, "by": {"S": "job"}, **more}


def key_of(number: int) -> str:
    return canonical_keys({"pk": {"S": f"p-{number}"}})


def planned(folder: Path, pairs: list[tuple[Image | None, Image | None]], **about: Any) -> Path:
    """Write the plan that makes of the first image of each pair the second."""
    path = folder / "plan.jsonl"
    with writing(path, About(TABLE, {"pk": "S"}, "changes", NOON, rules=Rules(at=NOON), **about)) as lines:
        for at, (now, after) in enumerate(pairs):
            for write in writes_of(TABLE, ["pk"], now, after):
                lines.add(write, write.kind.lower(), [f"e-{at}"])
    return path


def applied(
    place: Place, path: Path, how: How | None = None, wrap: Callable[[Target], Target] = lambda t: t
) -> Applied:
    with reading(path) as plan, place.target(plan.sha) as target:
        return apply_plan(plan, wrap(target), journals.journal_of(path), path.parent, how)


def some_of_each(place: Place, count: int = 12) -> list[tuple[Image | None, Image | None]]:
    """Put items; return pairs of updates, deletes and puts."""
    pairs: list[tuple[Image | None, Image | None]] = []
    for number in range(count):
        now = None if number % 3 == 2 else item(number, bad={"BOOL": True})
        if now:
            place.put(now)
        pairs.append((now, None if number % 3 == 1 else item(number, price={"N": "100"})))
    return pairs


def test_a_plan_is_applied_once_and_the_journal_agrees_with_the_table(place, tmp_path):
    pairs = some_of_each(place)
    before = place.changes()
    path = planned(tmp_path, pairs)
    result = applied(place, path)
    assert result.counts == {"written": 12}
    assert (result.left, result.done, result.stopped) == (0, True, None)
    assert place.items() == {key_of(n): canonical_json(after) for n, (_, after) in enumerate(pairs) if after}
    assert set((place.changes() - before).values()) == {1}
    again = applied(place, path)
    assert again.counts == result.counts
    assert set((place.changes() - before).values()) == {1}
    with reading(path) as plan:
        left = {e.line.write.key["pk"]["S"]: e.wrote[0].left for e in journals.results(result.journal, plan)}
    assert left == {f"p-{n}": image_digest(after) for n, (_, after) in enumerate(pairs)}
    assert result.journal.stat().st_mode & 0o77 == path.stat().st_mode & 0o77 == 0


def test_the_sha_is_that_of_both_files_and_another_one_is_refused(place, tmp_path):
    path = planned(tmp_path, some_of_each(place))
    both = path.read_bytes() + path.with_name("plan.jsonl.meta.json").read_bytes()
    assert json.loads(path.with_name("plan.jsonl.meta.json").read_text())["count"] == 12
    sha = hashlib.sha256(both).hexdigest()
    before = place.items()
    with pytest.raises(ParameterError, match="not the plan that was reviewed"):
        applied(place, path, How(sha="0" * 64))
    assert place.items() == before
    assert applied(place, path, How(sha=sha)).done


def test_a_canary_goes_first_and_the_rest_after_it(place, tmp_path):
    path = planned(tmp_path, some_of_each(place))
    first = applied(place, path, How(limit=5))
    assert (first.written, first.left) == (5, 7)
    assert "limit" in str(first)
    second = applied(place, path, How(limit=5))
    assert (second.written, second.left) == (10, 2)
    assert applied(place, path).done


def test_what_another_changed_meanwhile_stays_and_the_rest_is_written(place, tmp_path):
    pairs = some_of_each(place)
    path = planned(tmp_path, pairs)
    place.put(item(0, bad={"BOOL": True}, price={"N": "55"}))  # an update: price moved, bad did not
    place.put(item(1, bad={"BOOL": True}, note={"S": "mine"}))  # a delete: an attribute more
    place.put(item(2, note={"S": "mine"}))  # a put: somebody was faster
    place.delete({"pk": {"S": "p-3"}})  # an update: it is gone
    result = applied(place, path)
    items = place.items()
    assert items[key_of(0)] == canonical_json(item(0, price={"N": "55"}))
    assert items[key_of(1)] == canonical_json(item(1, bad={"BOOL": True}, note={"S": "mine"}))
    assert items[key_of(2)] == canonical_json(item(2, note={"S": "mine"}))
    assert key_of(3) not in items
    assert result.counts == {"written": 8, "merged again": 1, "changed meanwhile": 3}
    assert not result.done
    assert not result.left
    assert len(result.reports) == 4
    assert not any("mine" in report or "55" in report for report in result.reports)
    assert "line 1: merged again: what another has changed meanwhile stays: price" in result.reports


def test_of_many_attributes_that_stay_the_first_are_named(place, tmp_path):
    names = [f"a{number}" for number in range(5)]
    now, after, live = (item(1, **{name: {"N": str(value)} for name in names}) for value in (1, 2, 3))
    place.put(live)
    result = applied(place, planned(tmp_path, [(now, after)]))
    why = "all that is to be taken back has changed meanwhile: a0, a1, a2 and 2 more"
    assert result.reports == (f"line 1: changed meanwhile: {why}",)


def test_what_is_as_it_is_to_be_is_not_written_again(place, tmp_path):
    pairs = some_of_each(place)
    path = planned(tmp_path, pairs)
    place.put(pairs[0][1])
    place.delete({"pk": {"S": "p-1"}})
    place.put(pairs[2][1])
    before = place.changes()
    assert applied(place, path).counts == {"written": 9, "already so": 3}
    assert (place.changes() - before).total() == 9


def counting(folder: Path) -> Path:
    """Write the plan that takes 2 wrong visits of 9 back."""
    now = {"pk": {"S": "p-1"}, "visits": {"N": "9"}}
    path, rules = folder / "plan.jsonl", Rules(at=NOON, delta=(("visits",),))
    with writing(path, About(TABLE, {"pk": "S"}, "changes", NOON, rules=rules)) as lines:
        for write in writes_of(TABLE, ["pk"], now, {**now, "visits": {"N": "7"}}):
            lines.add(write, "update", ["e-1"])
    return path


def test_a_difference_is_taken_also_where_the_number_is_by_chance_as_planned(place, tmp_path):
    place.put({"pk": {"S": "p-1"}, "visits": {"N": "7"}})  # two went by meanwhile
    assert applied(place, counting(tmp_path)).counts == {"merged again": 1}
    assert json.loads(place.items()[key_of(1)])["visits"] == {"N": "5"}


def test_writes_of_an_item_follow_one_that_is_merged_again(place, tmp_path):
    """As those of a replay, of which each finds what the one before it left."""
    states = [item(1, a={"N": str(number)}, b={"N": str(min(number, 1))}) for number in range(4)]
    place.put({**states[0], "b": {"N": "9"}})
    path = planned(tmp_path, list(itertools.pairwise(states)), in_order=True)
    assert applied(place, path).counts == {"written": 2, "merged again": 1}
    assert json.loads(place.items()[key_of(1)]) == {**states[3], "b": {"N": "9"}}


def test_it_stops_when_too_many_have_changed_meanwhile(place, tmp_path):
    now = [item(number) for number in range(10)]
    for each in now:
        place.put(each)
    path = planned(tmp_path, [(each, {**each, "price": {"N": "-1"}}) for each in now])
    for number in range(4):
        place.put(item(number, price={"N": "1000"}))
    result = applied(place, path, How(max_changed=0.4))
    assert result.counts["changed meanwhile"] == 4
    path = tmp_path / "other"
    path.mkdir()
    now = [item(number, price={"N": str(number)}) for number in range(10)]
    path = planned(path, [(each, {**each, "price": {"N": "-1"}}) for each in now])
    stopped = applied(place, path, How(max_changed=1))
    assert "max_changed" in str(stopped.stopped)
    assert stopped.left > 0
    for each in now:
        place.put(each)
    path = tmp_path / "none"
    path.mkdir()
    path = planned(path, [(each, {**each, "price": {"N": "-1"}}) for each in now])
    for number in range(4):
        place.put(item(number, price={"N": "1000"}))
    assert applied(place, path, How(max_changed=0)).counts["changed meanwhile"] == 1


def test_a_log_that_is_behind_the_table_is_refused(place, tmp_path):
    pairs = [(item(number), item(number, price={"N": "-1"})) for number in range(10)]
    for number in range(10):
        place.put(item(number, price={"N": "1000"}))
    path = planned(tmp_path, pairs)
    with pytest.raises(ParameterError, match="of 10 items looked at, 10 are not as they are in the log"):
        applied(place, path)
    assert not journals.journal_of(path).exists(), "it may be planned again under this name"


def test_while_bad_changes_arrive_nothing_is_written(place, tmp_path):
    path = planned(tmp_path, some_of_each(place))
    before = place.items()
    with pytest.raises(ParameterError, match="still goes on: 3 more since 12:00; stop it first"):
        applied(place, path, How(still_arriving=lambda: "3 more since 12:00"))
    assert place.items() == before


def test_a_table_that_was_made_again_is_refused(place, tmp_path):
    pairs = some_of_each(place)
    with place.target() as target:
        there = target.describe()
    assert there.table_id
    path = planned(tmp_path, pairs, arn=there.arn, table_id=there.table_id)
    place.make()
    for now, _ in pairs:
        if now:
            place.put(now)
    before = place.items()
    with pytest.raises(ParameterError, match="was made again since"):
        applied(place, path)
    assert place.items() == before


def test_a_plan_that_was_applied_to_a_table_is_not_applied_to_one_made_again(place, tmp_path):
    pairs = some_of_each(place)
    path = planned(tmp_path, pairs)
    applied(place, path, How(limit=2))
    place.make()
    with pytest.raises(ParameterError, match="was made again since"):
        applied(place, path)


def test_the_journal_of_another_plan_is_refused(place, tmp_path):
    pairs = some_of_each(place)
    path = planned(tmp_path, pairs)
    applied(place, path, How(limit=2))
    (tmp_path / "other").mkdir()
    other = planned(tmp_path / "other", pairs[:3])
    with reading(other) as plan, place.target(plan.sha) as target, pytest.raises(StoreError, match="of another plan"):
        apply_plan(plan, target, journals.journal_of(path), tmp_path)


def test_two_at_once_do_not_apply_one_plan(place, tmp_path):
    path = planned(tmp_path, some_of_each(place))
    with (
        reading(path) as plan,
        journals.opened(journals.journal_of(path), plan),
        pytest.raises(StoreError, match="another process is applying"),
    ):
        applied(place, path)
    assert applied(place, path).done


@pytest.mark.process
@pytest.mark.slow
def test_plans_that_are_killed_are_applied_once(place, tmp_path):
    kills = int(os.environ.get("TEST_KILLS", "25"))
    seen = kill_often(place, tmp_path, kills, seed=20261126)
    assert not seen.wrong
    assert seen.kills >= kills
    assert seen.counts["written before"] > 0, seen
    assert seen.counts.keys() <= {"written", "written before"}, seen


class Meddling:
    """A target where something happens before a write, by its number."""

    def __init__(self, target: Target, before: Callable[[int, Write], None]) -> None:
        self._target, self._before, self.sent = target, before, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._target, name)

    def send(self, write: Write, name: str, whole: str | None = None) -> Any:
        self.sent += 1
        self._before(self.sent, write)
        return self._target.send(write, name, whole)


def test_ctrl_c_stops_after_what_is_under_way_and_it_goes_on(place, tmp_path):
    path = planned(tmp_path, some_of_each(place, 60))
    handlers = signal.getsignal(signal.SIGINT)

    def interrupt(sent: int, write: Write) -> None:
        if sent == 20:
            signal.raise_signal(signal.SIGINT)

    with reading(path) as plan, place.target(plan.sha) as target:
        target.in_flight = 1  # so that the main thread sends
        stopped = apply_plan(plan, Meddling(target, interrupt), journals.journal_of(path), tmp_path)
    assert (stopped.stopped, stopped.written, stopped.left) == ("Ctrl-C", 20, 40)
    assert signal.getsignal(signal.SIGINT) is handlers
    assert applied(place, path).counts == {"written": 60}  # none was tried without a result


def test_a_torn_journal_goes_on_and_a_damaged_one_is_refused(place, tmp_path):
    path = planned(tmp_path, some_of_each(place))
    before = place.changes()
    applied(place, path, How(limit=6))
    journal = journals.journal_of(path)
    whole = journal.read_bytes()
    lines = whole.splitlines(keepends=True)
    results = [at for at, line in enumerate(lines) if b'"result"' in line]
    at = results[-1]
    journal.write_bytes(b"".join(lines[:at]) + lines[at][:20])  # the last result is torn
    result = applied(place, path)
    assert result.done
    assert result.counts == {"written": 11, "written before": 1}
    assert set((place.changes() - before).values()) == {1}
    damaged = journal.read_bytes().splitlines(keepends=True)
    damaged[3] = damaged[3].replace(b'"', b"'", 1)
    journal.write_bytes(b"".join(damaged))
    with pytest.raises(StoreError, match="damaged in line 4"):
        applied(place, path)


def test_a_journal_that_is_cut_anywhere_goes_on(place, tmp_path):
    """At every byte where a line may be torn: every item is written once."""
    pairs = some_of_each(place, 6)
    path = planned(tmp_path, pairs)
    applied(place, path)
    whole = journals.journal_of(path).read_bytes()
    first_try = whole.index(b'"try"')
    after = place.items()
    changes = place.changes()
    for cut in range(whole.index(b"\n", first_try) + 1, len(whole), 97):
        journals.journal_of(path).write_bytes(whole[:cut])
        result = applied(place, path)
        assert result.done, cut
        assert (place.items(), place.changes()) == (after, changes)


def test_a_journal_of_which_the_first_line_is_torn_goes_on(place, tmp_path):
    path = planned(tmp_path, some_of_each(place, 6))
    applied(place, path, How(limit=1))
    journal = journals.journal_of(path)
    head = journal.read_bytes().splitlines()[0]
    for cut in range(0, len(head), 7):
        journal.write_bytes(head[:cut])
        with reading(path) as plan, journals.opened(journal, plan) as book:
            assert book.fresh


def test_a_file_that_is_no_journal_is_left_as_it_is(place, tmp_path):
    path = planned(tmp_path, some_of_each(place))
    before = place.items()
    for name, text in (
        ("plan.jsonl", path.read_bytes()),
        ("note", b"to do: 2026\n"),
        ("store", b"SQLite format 3\0" * 99),
    ):
        file = tmp_path / name
        file.write_bytes(text)
        with (
            reading(path) as plan,
            place.target(plan.sha) as target,
            pytest.raises(StoreError, match="is no journal: it is left as it is"),
        ):
            apply_plan(plan, target, file, tmp_path)
        assert file.read_bytes() == text
    assert place.items() == before


def test_a_plan_is_not_applied_again_without_its_journal(place, tmp_path):
    """Its conditions may hold of good writes that came since, and what is counted back would be twice."""
    rules = Rules(at=NOON, delta=(("visits",),))
    path = tmp_path / "plan.jsonl"
    with writing(path, About(TABLE, {"pk": "S"}, "changes", NOON, rules=rules)) as lines:
        for number, name in enumerate(("visits", "price")):
            now = item(number, visits={"N": "9"})
            place.put(now)
            for write in writes_of(TABLE, ["pk"], now, {**now, name: {"N": "7"}}):
                lines.add(write, "update")
    assert applied(place, path).done
    place.put(item(0, visits={"N": "8"}))  # one more was counted
    place.put(item(1, visits={"N": "9"}))  # somebody wants this price
    since = place.items()
    journal = journals.journal_of(path)
    with (
        reading(path) as plan,
        place.target(plan.sha) as target,
        pytest.raises(ParameterError, match=r"was applied before, and what came of it is in .*plan.jsonl.journal"),
    ):
        apply_plan(plan, target, tmp_path / "another", tmp_path)
    journal.unlink()
    with pytest.raises(ParameterError, match=r"was applied before, and its journal .* is not there any more"):
        applied(place, path)
    assert place.items() == since
    assert not journal.exists()


def test_a_full_disk_stops_it_with_a_line_and_it_goes_on(place, tmp_path, monkeypatch):
    path = planned(tmp_path, some_of_each(place, 30))
    before = place.changes()

    class Full(io.FileIO):
        def write(self, data: Any) -> int:
            if self.tell() + len(data) > 6_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return super().write(data)

    def opened_full(descriptor: int, mode: str) -> Any:
        return io.BufferedRandom(Full(descriptor, "r+"), 512)

    with monkeypatch.context() as patch:
        patch.setattr(applying, "_BATCH", 10)
        patch.setattr(journals.os, "fdopen", opened_full)
        with pytest.raises(StoreError, match="cannot be written: No space left on device; make room"):
            applied(place, path)
    assert 0 < sum((place.changes() - before).values()) < 30
    assert applied(place, path).done
    assert set((place.changes() - before).values()) == {1}


@pytest.mark.parametrize("how", [{"max_changed": -0.5}, {"max_changed": float("nan")}, {"rate": 0}, {"limit": -1}])
def test_numbers_that_make_no_sense_are_refused(place, tmp_path, how):
    path = planned(tmp_path, some_of_each(place))
    before = place.items()
    with pytest.raises(ParameterError, match="it must be"):
        applied(place, path, How(**how))
    assert place.items() == before
    assert applied(place, path, How(rate=float("inf"), max_changed=0)).done


def test_a_difference_is_taken_back_once_also_where_nobody_saw_it_written(place, tmp_path):
    """A counter from which 3 is taken, by a process that dies before it can say so; and somebody counts on."""
    for number in range(6):
        place.put(item(number, visits={"N": "10"}))
    pairs = [(item(n, visits={"N": "10"}), item(n, visits={"N": "7"})) for n in range(6)]
    path = tmp_path / "plan.jsonl"
    rules = Rules(at=NOON, delta=(("visits",),))
    with writing(path, About(TABLE, {"pk": "S"}, "changes", NOON, rules=rules)) as lines:
        for now, after in pairs:
            (write,) = writes_of(TABLE, ["pk"], now, after)
            lines.add(write, "update")
    assert place.update(0, "visits", 12)

    class Dying(Meddling):
        """What is written is not told, from some write on."""

        def send(self, write: Write, name: str, whole: str | None = None) -> Any:
            outcome = self._target.send(write, name, whole)
            self.sent += 1
            if self.sent > 3:
                raise SystemError("killed")
            return outcome

    with reading(path) as plan, place.target(plan.sha) as target:
        target.in_flight = 1
        with pytest.raises(SystemError):
            apply_plan(plan, Dying(target, lambda *_: None), journals.journal_of(path), tmp_path)
    for number in range(1, 6):  # one more visit of each
        there = json.loads(place.items()[key_of(number)])["visits"]["N"]
        place.update(number, "visits", int(there) + 1)
    result = applied(place, path)
    visits = {n: json.loads(place.items()[key_of(n)])["visits"]["N"] for n in range(6)}
    first = visits.pop(0)
    if isinstance(place, StorePlace):  # which knows what it wrote
        assert (first, set(visits.values())) == ("9", {"8"})
        assert result.done
    else:  # where it was written is not known, none is taken back twice
        assert (first, set(visits.values()) <= {"8", "11"}) == ("12", True)
        assert result.counts.get("changed meanwhile", 0) + result.counts.get("written before", 0) > 0


def test_an_undo_is_taken_back_by_its_journal(place, tmp_path):
    pairs = some_of_each(place)
    path = planned(tmp_path, pairs)
    before = place.items()
    result = applied(place, path)
    assert place.items() != before
    back = tmp_path / "back.jsonl"
    with reading(path) as plan, writing(back, About(TABLE, {"pk": "S"}, "journal", NOON)) as lines:
        for line, write, whole in journals.reversed_writes(result.journal, plan):
            assert write
            lines.add(write, write.kind, [journals.write_id(plan.sha, line.number)], whole=whole)
    assert applied(place, back).done
    assert place.items() == before
    own = list(journals.own_writes(tmp_path, TABLE))
    assert len(own) == 24
    assert {one for each in own[:12] for one in each.takes_back} == {f"e-{n}" for n in range(12)}
    lines_of = {each.key: each.line for each in own[:12]}
    with reading(path) as plan:
        assert all(each.takes_back == {journals.write_id(plan.sha, lines_of[each.key])} for each in own[12:])


def test_what_was_deleted_by_a_process_that_died_is_not_put_back_in_part(place, tmp_path):
    """Its condition compares 149 attributes: of an item of more, the journal has no whole image."""
    wide = item(1, **{f"a{n:03}": {"N": "1"} for n in range(200)})
    place.put(wide)
    path = tmp_path / "plan.jsonl"
    with writing(path, About(TABLE, {"pk": "S"}, "changes", NOON)) as lines:
        (write,) = writes_of(TABLE, ["pk"], wide, None)
        lines.add(write, "delete", ["e-1"], whole=image_digest(wide))
    result = applied(place, path)
    text = result.journal.read_bytes()
    result.journal.write_bytes(text[: text.index(b"\n", text.index(b'"try"')) + 1])
    assert applied(place, path).counts == {"written before": 1}
    with reading(path) as plan:
        ((line, back, _),) = journals.reversed_writes(result.journal, plan)
    if back is not None:
        assert back.item == wide
    assert line.number == 1


def test_own_writes_are_known_by_key_image_and_time(place, tmp_path):
    path = planned(tmp_path, some_of_each(place))
    applied(place, path)
    own = list(journals.own_writes(tmp_path, TABLE))
    images = place.items()
    for each in own:
        left = images.get(each.key)
        digest = image_digest(json.loads(left)) if left else ""
        assert each.made(each.key, digest, each.tried)
        assert not each.made(each.key, digest, each.ended + journals.SLACK * 2)
        assert not each.made(each.key, "other", each.tried)
    with place.target() as target:
        made = target.describe().table_id
    assert list(journals.own_writes(tmp_path, TABLE, made)) == own
    assert list(journals.own_writes(tmp_path, TABLE, "another")) == []


def test_a_line_that_is_no_write_is_refused(tmp_path):
    path = planned(tmp_path, [(None, item(1))])
    path.write_text('{"Put": {}}\n')
    with pytest.raises(ParameterError, match="line 1"), reading(path):
        pass
    path.unlink()
    with pytest.raises(ParameterError, match="there is no plan"), reading(path):
        pass


def two_plans(folder: Path) -> tuple[Path, Path]:
    """Two plans of as many lines, one after the other."""
    (folder / "other").mkdir()
    return tuple(  # type: ignore[return-value]
        planned(at, [(item(n), item(n, price={"N": "100"})) for n in some])
        for at, some in ((folder, range(4)), (folder / "other", range(4, 8)))
    )


@pytest.mark.parametrize("what", ["a value", "lines swapped", "lines of another", "meta of another", "CRLF", "twice"])
def test_a_plan_that_was_changed_by_hand_is_refused(tmp_path, what):
    path, other = two_plans(tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    changed = {
        "a value": [lines[0].replace(b'{"N":"100"}', b'{"N":"101"}'), *lines[1:]],
        "lines swapped": [lines[1], lines[0], *lines[2:]],
        "lines of another": other.read_bytes().splitlines(keepends=True),
        "CRLF": [line.replace(b"\n", b"\r\n") for line in lines],
        "twice": [lines[0], lines[0], *lines[2:]],
    }
    assert changed.get(what) != lines
    if what == "meta of another":
        about_file(path).write_bytes(about_file(other).read_bytes())
    else:
        path.write_bytes(b"".join(changed[what]))
    with pytest.raises(ParameterError, match="is not the file that"), reading(path):
        pass


def test_a_plan_that_is_changed_while_it_is_applied_is_refused_from_there_on(tmp_path):
    path = planned(tmp_path, [(None, item(n, note={"S": "x" * 20_000})) for n in range(4)])
    with reading(path) as plan:
        assert len(list(plan.lines([1, 2]))) == 2
        whole = path.read_bytes()
        with path.open("r+b") as same:  # in its place, as some editors do
            same.write(whole.replace(b'"price":{"N":"3"}', b'"price":{"N":"7"}'))
        with pytest.raises(ParameterError, match="was changed while it was read, in line 4: plan again"):
            list(plan.lines([4]))


def test_notes_that_were_changed_or_damaged_are_refused(tmp_path):
    path, _ = two_plans(tmp_path)
    notes = about_file(path)
    whole = notes.read_bytes()
    assert json.loads(whole)["count"] == len(json.loads(whole)["lines"]) == 4
    wrong = [whole.replace(b"e-1", b"e-2"), whole.replace(b'"takes_back"', b'"takes back"'), whole.replace(b"\n", b"")]
    wrong += [whole.replace(b'"expired":"skip"', b'"expired":"keep"'), whole[:-9], whole + b"\n", b"", b"{}\n"]
    rng = random.Random(7)
    for _ in range(200):
        at = rng.randrange(len(whole))
        wrong.append(whole[:at] + bytes([rng.randrange(256)]) + whole[at + rng.randrange(3) :])
    for text in wrong:
        notes.write_bytes(text)
        if text != whole:
            with pytest.raises(ParameterError, match="plan again"), reading(path):
                pass


def test_a_line_for_another_table_is_refused(tmp_path):
    """Also where both files say so: what is known of the table would be of another one."""
    path = tmp_path / "plan.jsonl"
    with writing(path, About(TABLE, {"pk": "S"}, "changes", NOON)) as lines:
        for table in (TABLE, "other"):
            lines.add(Write(table, "Put", {"pk": {"S": "p"}}, {"pk": {"S": "p"}}), "put back")
    with pytest.raises(ParameterError, match="writes to 'other', and is a plan for 'things'"), reading(path):
        pass


def numbers(plan: Plan) -> Iterator[str]:
    for line in plan.lines(plan.order()):
        yield line.write.key["pk"]["S"]


def test_items_are_spread_and_the_writes_of_one_stay_in_order(tmp_path):
    now = {"pk": {"S": "wide"}, **{f"a{n:03}": {"N": "1"} for n in range(400)}}
    wide = (now, {**now, **{f"a{n:03}": {"N": "2"} for n in range(400)}})
    path = planned(tmp_path, [(None, item(n)) for n in range(50)] + [wide])
    with reading(path) as plan:
        order = list(plan.order())
        assert sorted(order) == list(range(1, len(plan) + 1))
        assert order[:50] != sorted(order)[:50]
        parts = [number for number in order if number > 50]
        assert parts == sorted(parts)


@pytest.mark.server
class TestFaults:
    @pytest.fixture
    def place(self, server, tmp_path, monkeypatch):
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.setenv(name, "testing")
        monkeypatch.setattr(pacing, "LONGEST_PAUSE", 0.01)
        server.reset()
        made = DynamoPlace(server.endpoint)
        made.make()
        return made

    def test_throttled_writes_are_made_again(self, place, server, tmp_path):
        path = planned(tmp_path, some_of_each(place))
        before = place.changes()
        for operation in ("UpdateItem", "PutItem", "DeleteItem", "GetItem"):
            server.faults.throttle(7, code="ProvisionedThroughputExceededException", operation=operation)
        result = applied(place, path)
        assert not len(server.faults)
        assert result.counts == {"written": 12}
        assert set((place.changes() - before).values()) == {1}

    def test_a_table_that_takes_nothing_is_given_up_and_it_goes_on(self, place, server, tmp_path, monkeypatch):
        monkeypatch.setattr(applying, "_PATIENCE", 0.05)
        path = planned(tmp_path, some_of_each(place))
        server.faults.throttle(10_000, code="ThrottlingException", operation="UpdateItem")
        with pytest.raises(StoreError, match=r"it took nothing for .* apply the same plan again to go on"):
            applied(place, path)
        server.faults.clear()
        monkeypatch.setattr(applying, "_PATIENCE", 120.0)
        assert applied(place, path).done

    def test_expired_credentials_stop_it_and_it_goes_on(self, place, server, tmp_path):
        path = planned(tmp_path, some_of_each(place, 60))
        before = place.changes()
        server.faults.expire("DeleteItem", times=1)
        with pytest.raises(StoreError) as error:
            applied(place, path)
        assert "ExpiredToken" in str(error.value)
        assert "aws sso login" in str(error.value)
        assert "of 60 writes are done: apply the same plan again to go on" in str(error.value)
        assert len(str(error.value).splitlines()) == 1
        result = applied(place, path)
        assert result.counts == {"written": 60}  # an answer is no doubt
        assert set((place.changes() - before).values()) == {1}

    def test_a_write_without_an_answer_is_sent_again_and_seen_to_be_written(self, place, tmp_path):
        path = planned(tmp_path, some_of_each(place))
        before = place.changes()
        lost: set[str] = set()

        class Lossy(Meddling):
            def send(self, write: Write, name: str, whole: str | None = None) -> Any:
                outcome = self._target.send(write, name, whole)
                if name in lost:
                    return outcome
                lost.add(name)
                return Outcome("unknown", why="there was no answer")

        result = applied(place, path, wrap=lambda target: Lossy(target, lambda *_: None))
        assert result.counts == {"written before": 12}
        assert set((place.changes() - before).values()) == {1}

    def test_an_answer_of_500_is_a_doubt(self, place, server, tmp_path):
        path = planned(tmp_path, some_of_each(place))
        server.faults.refuse("UpdateItem", "InternalServerError", "oops", times=3, status=500)
        assert applied(place, path).counts == {"written": 12}

    def test_what_the_table_refuses_is_reported_and_the_rest_is_written(self, place, server, tmp_path):
        path = planned(tmp_path, some_of_each(place))
        server.faults.refuse(
            "PutItem", "ValidationException", "Type mismatch for index key secret@example.com", times=1
        )
        result = applied(place, path)
        assert result.counts == {"written": 11, "refused": 1}
        assert "secret" not in str(result.reports)
        assert result.reports[0].endswith("DynamoDB refused it: ValidationException")

    def test_what_an_index_cannot_hold_is_refused_before_anything_is_written(self, place, tmp_path):
        client = place.session.client("dynamodb")
        client.update_table(
            TableName=TABLE,
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "by", "AttributeType": "S"},
            ],
            GlobalSecondaryIndexUpdates=[
                {
                    "Create": {
                        "IndexName": "by_writer",
                        "KeySchema": [{"AttributeName": "by", "KeyType": "HASH"}],
                        "Projection": {"ProjectionType": "KEYS_ONLY"},
                    }
                }
            ],
        )
        pairs = some_of_each(place)
        assert applied(place, planned(tmp_path, pairs)).done
        for number, wrong in enumerate(({"N": "7"}, {"S": ""})):
            folder = tmp_path / str(number)
            folder.mkdir()
            now = item(100)
            path = planned(folder, [(now, {**now, "by": wrong}), (None, item(200))])
            with pytest.raises(ParameterError, match="line 1 of the plan writes 'by', which is the key of an index"):
                applied(place, path)
        assert key_of(200) not in place.items()

    def test_a_missing_permission_is_named(self, place, server, tmp_path):
        path = planned(tmp_path, some_of_each(place))
        server.faults.refuse("PutItem", "AccessDeniedException", "denied", times=1)
        with pytest.raises(StoreError, match="dynamodb:PutItem"):
            applied(place, path)

    def test_a_delete_that_took_more_than_it_should_is_put_back(self, place, tmp_path):
        pairs = [(item(number), None) for number in range(6)]
        for now, _ in pairs:
            place.put(now)
        path = planned(tmp_path, pairs)

        def meddled(target: Any) -> Any:
            client, delete_item = target._client, target._client.delete_item

            def late(**request: Any) -> Any:
                if request["Key"]["pk"]["S"] in ("p-2", "p-4"):
                    client.update_item(
                        TableName=TABLE,
                        Key=request["Key"],
                        UpdateExpression="SET late = :one",
                        ExpressionAttributeValues={":one": {"N": "1"}},
                    )
                return delete_item(**request)

            target._client = SimpleNamespace(
                **{name: getattr(client, name) for name in ("put_item", "get_item", "update_item")}, delete_item=late
            )
            return target

        result = applied(place, path, wrap=meddled)
        assert result.counts == {"written": 4, "changed meanwhile": 2}
        assert place.items() == {key_of(n): canonical_json(item(n, late={"N": "1"})) for n in (2, 4)}
        assert "put back" in result.reports[0]


def test_writers_at_work_lose_no_attribute(place, tmp_path, monkeypatch):
    monkeypatch.setattr(applying, "_BATCH", 5)
    pairs: list[tuple[Image | None, Image | None]] = []
    for number in range(40):
        now = item(number, bad={"N": "1"})
        place.put(now)
        pairs.append((now, item(number, price={"N": "-7"}) if number % 2 else None))
    path = planned(tmp_path, pairs)
    stop, wrote, rng = threading.Event(), list[tuple[int, str, int]](), random.Random(20261126)
    ready, applying_now = threading.Event(), threading.Event()

    def work() -> None:
        for value in itertools.count(1_000):
            number = rng.randrange(40)
            name = rng.choice(["price", "price", "note", f"w{value}"])
            if place.update(number, name, value):
                wrote.append((number, name, value))
            if len(wrote) == 16:
                ready.set()
                applying_now.wait(30)
            if stop.wait(0.003):
                return

    worker = threading.Thread(target=work)
    worker.start()
    try:
        ready.wait(30)
        result = applied(place, path, wrap=lambda target: Meddling(target, lambda *_: applying_now.set()))
    finally:
        stop.set()
        applying_now.set()
        worker.join()
    expected = {(number, name): value for number, name, value in wrote}  # the last one
    items = {key: json.loads(image) for key, image in place.items().items()}
    lost = [each for each, value in expected.items() if items[key_of(each[0])].get(each[1]) != {"N": str(value)}]
    assert not lost
    with reading(path) as plan:
        came = Counter((e.line.write.kind, e.status) for e in journals.results(result.journal, plan))
    assert came["Delete", "changed meanwhile"] > 0, came
    assert came["Update", "merged again"] + came["Update", "changed meanwhile"] > 0, came
    assert came["Delete", "written"] + came["Update", "written"] > 0, came
