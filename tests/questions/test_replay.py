"""A state, and the changes of a window, written into another table: of the item store and of DynamoDB."""

from __future__ import annotations

import json
import random
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.logs import chain, micros, record, write_log
from tests.helpers.profiles import examples
from tests.properties.test_replay import BASE, EPOCH, IMAGE, STEP, delivered, history
from workbench import Workbench
from workbench.cli import main
from workbench.errors import ParameterError
from workbench.model.canonical import canonical_json
from workbench.questions.masking import ImageMask
from workbench.sandbox import ItemStore
from workbench.undo.journal import own_writes

NOON = micros("2026-01-01T12:00:00")
KEY = {"pk": {"S": "x"}}


# DynamoDB has no attributes without a name.
NAMED = IMAGE.filter(lambda image: '{"": ' not in json.dumps(image) and ', "": ' not in json.dumps(image))


def images(wb: Workbench, table: str) -> list[str]:
    with ItemStore(wb.settings.item_store) as store:
        return sorted(canonical_json(json.loads(image)) for _, image in store.images(table))


@pytest.fixture
def wb(tmp_path):
    with_lake = Workbench(home=tmp_path / "home")
    with_lake.generate("persons", items=60, changes=900, seed=7, start="2025-11-17", end="2025-11-21", progress=False)
    yield with_lake
    with_lake.close()


@given(
    steps=st.lists(STEP, min_size=2, max_size=14),
    pool=st.lists(NAMED, min_size=3, max_size=3, unique_by=str),
    seed=st.integers(0, 2**32 - 1),
)
@examples(20)
def test_a_state_and_the_changes_since_give_the_table_there_is(steps, pool, seed):
    rng = random.Random(seed)
    records, states = history(steps, pool, rng, apart=False)
    if not records:
        return
    with tempfile.TemporaryDirectory() as folder:
        for number, each in enumerate(delivered(records, rng)):
            write_log(Path(folder, "log"), each, "raw", f"object {number}")
        wb = Workbench(Path(folder, "log"), home=Path(folder, "home"))
        at, state = rng.choice(states)
        then = EPOCH + timedelta(microseconds=at - BASE)
        assert wb.replay("things", "others", as_of=then).done
        assert images(wb, "others") == state
        assert wb.replay("things", "others", start=then + timedelta(microseconds=1)).done
        assert images(wb, "others") == states[-1][1]
        assert wb.replay("things", "new_ones", start=EPOCH - timedelta(days=1)).done
        assert images(wb, "new_ones") == states[-1][1]
        wb.close()


def test_it_goes_on_where_it_was_stopped(wb, tmp_path):
    first = wb.replay("persons", "copy", as_of="2025-11-19", limit=3, out=tmp_path / "copy.jsonl", why="a copy")
    assert (first.written, first.stopped) == (3, "limit of 3 reached")
    own = [*own_writes(wb.settings.home, "copy")]
    assert own == [], "it takes nothing back: an undo of the copy has nothing to cancel"
    with pytest.raises(ParameterError, match="are in 'copy' already, and are others"):
        wb.replay("persons", "copy")
    with ItemStore(wb.settings.item_store) as store:
        changes = [json.loads(each) for each in store.records([n for n, _ in store.pending("copy")])]
    assert [each["eventName"] for each in changes] == ["INSERT"] * 3
    assert (tmp_path / "copy.jsonl.journal").read_text().count('"why":"a copy"') == 1


def test_the_table_itself_another_key_and_a_state_with_a_window_are_refused(wb, tmp_path):
    with pytest.raises(ParameterError, match="is the table itself"):
        wb.replay("persons", "persons")
    with pytest.raises(ParameterError, match="replay one, and then the other"):
        wb.replay("persons", "copy", as_of="2025-11-19", start="2025-11-18")
    with ItemStore(wb.settings.item_store) as store:
        store.create_table("other", {"id": "N"})
    with pytest.raises(ParameterError, match=r"'other' has the key id \(N\), and the log's is pk \(S\)"):
        wb.replay("persons", "other")


def test_masks_hold_in_what_is_written(tmp_path):
    secret = {"email": {"S": "ann@example.com"}, "tags": {"SS": ["a", "b"]}, "n": {"N": "1"}}
    states = [(NOON, KEY | secret), (NOON + 1, KEY | secret | {"n": {"N": "2"}}), (NOON + 2, KEY | {"n": {"N": "2"}})]
    log = write_log(tmp_path / "log", chain(KEY, states))
    settings = {"mask": ("email", "tags", "phone"), "mask_salt": "pepper"}
    wb = Workbench(log, home=tmp_path / "home", **settings)
    hidden = ImageMask(["email", "tags"], "hash", "pepper")
    state = wb.replay("things", "then", as_of="2026-01-01T12:00:00.000001Z")
    assert images(wb, "then") == [hidden(canonical_json(states[1][1]))]
    assert any("phone" in note for note in state.notes)
    assert not any("email" in note for note in state.notes)
    changes = wb.replay("things", "changes", start="2026-01-01")
    assert changes.counts == {"written": 3}
    assert images(wb, "changes") == [canonical_json(states[2][1])]
    seen = b"".join(path.read_bytes() for path in (tmp_path / "home" / "undo").rglob("*") if path.is_file())
    assert b"ann@" not in seen
    assert hidden(canonical_json(states[1][1])).split('"S":"')[1][:16].encode() in seen
    for how, message in (("redact", "items need keys that differ"),):
        with pytest.raises(ParameterError, match=message):
            Workbench(log, home=tmp_path / "home", mask=("pk",), mask_with=how).replay("things", "no")
    assert Workbench(log, home=tmp_path / "home", mask=("pk",)).replay("things", "keys").done
    assert b'"x"' not in images(wb, "keys")[0].encode()


def test_what_the_log_does_not_hold_is_left_out_and_told(tmp_path):
    new_only = [
        record("INSERT", KEY, NOON, new=KEY | {"n": {"N": "1"}}),
        record("MODIFY", KEY, NOON + 1, new=KEY | {"n": {"N": "2"}}),
        record("MODIFY", {"pk": {"S": "y"}}, NOON + 2, new={"pk": {"S": "y"}, "n": {"N": "2"}}),
        record("MODIFY", {"pk": {"S": "y"}}, NOON + 3, new={"pk": {"S": "y"}, "n": {"N": "3"}}),
        record("REMOVE", KEY, NOON + 4),
    ]
    wb = Workbench(write_log(tmp_path / "log", new_only), home=tmp_path / "home")
    applied = wb.replay("things", "copy", start="2026-01-01")
    assert any("left out: 1 change of which the log does not hold both images" in note for note in applied.notes)
    assert applied.counts == {"written": 3, "changed meanwhile": 1}, "the item that is not there cannot be changed"
    assert images(wb, "copy") == []


def test_the_verb_says_what_came_of_it_and_how_it_goes_on(wb):
    home = str(wb.settings.home)
    run = CliRunner(env={"WORKBENCH_HOME": home}).invoke
    done = run(main, ["replay", "persons", "--to-table", "copy", "--as-of", "2025-11-19", "--json"])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["done"]
    assert told["lines"] == told["written"] > 10
    canary = run(main, ["replay", "persons", "--to-table", "another", "--limit", "2"])
    assert canary.exit_code == 4
    assert "to go on: workbench apply" in canary.stderr
    refused = run(main, ["replay", "persons", "--to-table", "persons"])
    assert refused.exit_code == 1
    assert "is the table itself" in refused.stderr
