"""Two tables, sources or accounts compared: what differs is what a model of both says, on either engine, masked by both."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.logs import chain, micros, write_log
from tests.helpers.profiles import examples
from workbench import Workbench
from workbench.cli import main
from workbench.errors import ConfigError, ParameterError
from workbench.model.differences import differences
from workbench.model.items import from_dynamodb

NOON = micros("2026-01-01T12:00:00")
HOUR = 3_600_000_000
LATE = "2026-01-02T12:00:00Z"


def told(states: dict[str, list[dict | None]], key: str, kind: str = "S", table: str = "things") -> list[dict]:
    """Records of items, each of which has its states an hour apart."""
    made = []
    for name, images in states.items():
        own = {key: {kind: name}}
        steps = [(NOON + at * HOUR, None if image is None else own | image) for at, image in enumerate(images)]
        before = [None, *images]
        made += chain(
            own, [step for step, was in zip(steps, before, strict=False) if (was, step[1]) != (None, None)], table=table
        )
    return made


def n(value: int) -> dict:
    return {"n": {"N": str(value)}}


@pytest.fixture
def both(tmp_path) -> tuple[Path, Path]:
    """Production, keyed by pk, and a copy, keyed by id: b differs, c is in production only, d in the copy, e is gone."""
    production = told({"a": [n(1)], "b": [n(1), n(2)], "c": [n(1)], "e": [n(1), None]}, "pk")
    copy = told({"a": [{"n": {"N": "1.0"}}], "b": [n(1)], "d": [n(1)], "e": [n(1), None]}, "id", table="copy")
    return write_log(tmp_path / "one", production), write_log(tmp_path / "two", copy)


def rows(df: pd.DataFrame) -> list[tuple]:
    return [tuple(None if value is pd.NA else value for value in row) for row in df.to_numpy().tolist()]


EXPECTED = [
    ("b", "changed", "n", "changed", 2, 1, "N", "N"),
    ("c", "removed", "n", "removed", 1, None, "N", None),
    ("d", "added", "n", "added", None, 1, None, "N"),
]


def test_a_table_is_compared_with_its_copy_whose_key_is_called_differently(both, tmp_path):
    one, two = (Workbench(log, home=tmp_path / "home") for log in both)
    found = one.diff("things", LATE, against="copy", against_source=two, key_map={"pk": "id"})
    assert list(found.df.columns)[:3] == ["pk", "item", "path"]
    assert rows(found.df) == EXPECTED
    assert found.verdict == (
        f"things against copy of source={str(both[1])!r}: 1 added, 1 removed, 1 changed; 1 items the same"
    )
    assert found.items == {"added": 1, "removed": 1, "changed": 1, "same": 1}
    assert not found.agrees
    assert found.stats.objects == 2
    assert found.sql.count("-- What is in the table") == 2
    by_folder = one.diff("things", LATE, against="copy", against_source=both[1], key_map="pk=id")
    assert rows(by_folder.df) == EXPECTED
    back = two.diff("copy", LATE, against="things", against_source=one, key_map={"id": "pk"})
    assert back.items == found.items
    assert next(iter(back.df.columns)) == "id"
    assert rows(back.df[back.df["id"] == "c"]) == [("c", "added", "n", "added", None, 1, None, "N")]


def test_at_one_instant_or_two(both, tmp_path):
    one, two = (Workbench(log, home=tmp_path / "home") for log in both)
    options = {"against": "copy", "against_source": two, "key_map": {"pk": "id"}}
    assert one.diff("things", "2026-01-01T12:30Z", **options).items["changed"] == 0, "b has not changed yet"
    assert one.diff("things", LATE, "2026-01-01T12:30Z", **options).items == {
        "added": 2,  # d, and e, which is in the copy still
        "removed": 1,
        "changed": 1,
        "same": 1,
    }
    own = Workbench(both[0], home=tmp_path / "home")
    twin = own.diff("things", "2026-01-01T12:30Z", LATE, against=Workbench(both[0], home=tmp_path / "other"))
    assert rows(twin.df) == rows(own.diff("things", "2026-01-01T12:30Z", LATE).df)


def test_only_some_items_by_this_tables_names(both, tmp_path):
    one = Workbench(both[0], home=tmp_path / "home")
    options = {"against": "copy", "against_source": both[1], "key_map": {"pk": "id"}}
    assert rows(one.diff("things", LATE, key="pk=b", **options).df) == EXPECTED[:1]
    assert rows(one.diff("things", LATE, key="pk=c pk=d", **options).df) == EXPECTED[1:]
    assert rows(one.diff("things", LATE, key="pk=", prefix=True, **options).df) == EXPECTED


def test_two_tables_of_one_log(tmp_path):
    write_log(tmp_path / "log" / "things", told({"a": [n(1)], "b": [n(1)]}, "pk"))
    write_log(tmp_path / "log" / "copy", told({"a": [n(2)], "b": [n(1)]}, "pk", table="copy"))
    wb = Workbench(tmp_path / "log", home=tmp_path / "home")
    found = wb.diff("things", LATE, against="copy")
    assert found.verdict == "things against copy: 1 changed; 1 items the same"
    assert found.asked["against"] == "copy"
    with pytest.raises(ParameterError, match="'things' would be compared with itself"):
        wb.diff("things", LATE, against="things")
    assert wb.diff("things", "2026-01-01", LATE, against="things").items["added"] == 2


@pytest.mark.parametrize(
    ("key_map", "message"),
    [
        (None, r"the key of 'things' is pk \(S\), that of 'copy' id \(S\): say how .*key_map='pk=id'"),
        ({"pkk": "id"}, r"'pkk' is no key attribute of this table, which has pk\. Did you mean 'pk'\?"),
        ({"pk": "idd"}, r"'idd' is no key attribute of the other table, which has id\. Did you mean 'id'\?"),
        ("pk", "write it like pk=id"),
    ],
)
def test_keys_that_are_called_differently_are_refused_in_a_line(both, tmp_path, key_map, message):
    one = Workbench(both[0], home=tmp_path / "home")
    with pytest.raises(ParameterError, match=message) as error:
        one.diff("things", LATE, against="copy", against_source=both[1], key_map=key_map)
    assert "\n" not in str(error.value)


def test_keys_of_different_types_are_refused_in_a_line(tmp_path):
    one = write_log(tmp_path / "one", told({"1": [n(1)]}, "pk"))
    two = write_log(tmp_path / "two", told({"1": [n(1)]}, "pk", "N"))
    with pytest.raises(
        ParameterError, match=r"of different types .* that of 'things' is pk \(S\), .* pk \(N\)"
    ) as error:
        Workbench(one, home=tmp_path / "home").diff("things", LATE, against_source=two)
    assert "\n" not in str(error.value)


def test_what_is_said_of_the_other_log_is_said_with_its_name(both, tmp_path):
    (both[1] / "bad.json").write_text("{}\n")
    one = Workbench(both[0], home=tmp_path / "home")
    found = one.diff("things", LATE, against="copy", against_source=both[1], key_map="pk=id")
    assert f"newest change of copy of source={str(both[1])!r}: 2026-01-01 13:00:00 UTC" in found.stats.notes
    assert [each.object for each in found.stats.unreadable] == [str(both[1] / "bad.json")]
    with pytest.raises(ParameterError, match="key_map is for two tables"):
        one.diff("things", LATE, key_map="pk=id")
    with pytest.raises(ParameterError, match="against is a workbench"):
        one.diff("things", LATE, against=one, against_source=both[1])


def test_the_other_log_may_have_a_file_of_settings_of_its_own(both, tmp_path, monkeypatch):
    other = tmp_path / "other"
    other.mkdir()
    (other / "workbench.toml").write_text('source = "../two"\nmask = ["n"]\nmask_with = "redact"\nactor = "n"')
    (tmp_path / "workbench.toml").write_text('source = "one"')
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKBENCH_NUMBERS", "decimal")
    wb = Workbench()
    options = {"against": "copy", "key_map": "pk=id"}
    found = wb.diff("things", LATE, against_source=other / "workbench.toml", **options)
    assert [row[:2] for row in rows(found.df)] == [row[:2] for row in EXPECTED]
    assert set(found.df[["before", "after"]].stack().dropna()) == {"[masked]"}
    (other / "workbench.toml").write_text('sorce = "../two"')
    with pytest.raises(ConfigError, match=r"there is no setting 'sorce'\. Did you mean 'source'\?"):
        wb.diff("things", LATE, against_source=other / "workbench.toml", **options)
    with pytest.raises(ConfigError, match="cannot be read"):
        wb.diff("things", LATE, against_source=tmp_path / "none.toml", **options)


@pytest.mark.parametrize(
    ("own", "other"),
    [
        ({"mask": ["n"]}, {}),
        ({}, {"mask": ["n"]}),
        ({"mask": ["pk"], "mask_with": "redact"}, {"mask": ["n"]}),
        ({"mask": ["n"]}, {"mask": ["id"], "mask_with": "redact"}),
    ],
)
def test_a_mask_of_either_holds_for_both(both, tmp_path, own, other):
    one = Workbench(both[0], home=tmp_path / "home", **own)
    two = Workbench(both[1], home=tmp_path / "home", **other)
    found = one.diff("things", LATE, key="pk=b pk=c pk=d", against="copy", against_source=two, key_map="pk=id")
    assert len(found.df) == 3
    values = found.df[["before", "after"]].stack().dropna()
    assert not set(values) & {1, 2}
    if {"pk", "id"} & {*one.settings.mask, *two.settings.mask}:
        assert set(found.df["pk"]) == {"[masked]"}
        path = found.to_csv(tmp_path / "out.csv")
        meta = json.loads(Path(f"{path}.meta.json").read_text())
        assert meta["parameters"]["key"] == "[masked]"
        assert '"b"' not in found.sql.replace("\\", "")
        assert "pk=b" not in repr(found)


def test_on_the_command_line(both, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    command = ["diff", "things", LATE, "--source", str(both[0]), "--against", "copy", "--against-source", str(both[1])]
    ran = CliRunner().invoke(main, [*command, "--map", "pk=id", "--json"])
    assert [(row["pk"], row["item"]) for row in json.loads(ran.stdout)] == [row[:2] for row in EXPECTED]
    shown = CliRunner().invoke(main, [*command, "--key-map", "pk=id"])
    assert shown.stdout.startswith("things against copy of source=")
    refused = CliRunner().invoke(main, command)
    assert refused.exit_code == 1
    assert len(refused.stderr.strip().splitlines()) == 1


NUMBERS = [{"N": "1"}, {"N": "1.0"}, {"N": "2"}]
SETS = [{"SS": ["a", "b"]}, {"SS": ["b", "a"]}]
OTHERS = [{"S": "x"}, {"NULL": True}, {"L": [{"N": "1"}]}, {"L": []}, {"M": {"x": {"S": ""}}}, {"M": {}}]
VALUES = st.sampled_from([*NUMBERS, *SETS, *OTHERS])
IMAGES = st.none() | st.dictionaries(st.sampled_from(["a", "m", "id", "pk", "b.c"]), VALUES, max_size=3)
HISTORIES = st.dictionaries(st.sampled_from(["x", "y", 'ö"\\']), st.lists(IMAGES, min_size=1, max_size=3), max_size=3)


@examples(60)
@given(HISTORIES, HISTORIES, st.integers(0, 3), st.integers(0, 3), st.booleans())
def test_any_two_histories_differ_as_their_images_do(tmp_path_factory, one, two, before, after, renamed):
    """Attributes that are called as the other table's key is are attributes."""
    folder = tmp_path_factory.mktemp("logs")
    names = ("pk", "id" if renamed else "pk")
    made, states = [], []
    for history, name, at in zip((one, two), names, (before, after), strict=True):
        own = {
            key: [None if image is None else {k: v for k, v in image.items() if k != name} for image in images]
            for key, images in history.items()
        }
        own["always"] = [n(1)]
        made.append(write_log(folder / f"log{len(made)}", told(own, name)))
        there = {key: images[: at + 1][-1] for key, images in own.items()}
        states.append({key: image for key, image in there.items() if image is not None})
    moments = [pd.Timestamp(NOON + at * HOUR, unit="us", tz="UTC") for at in (before, after)]
    with closing(Workbench(made[0], home=folder / "home")) as wb:
        found = wb.diff("things", *moments, against_source=made[1], key_map={"pk": "id"} if renamed else None)
    expected = {}
    for key in states[0].keys() | states[1].keys():
        for each in differences(states[0].get(key), states[1].get(key)):
            sides = [None if side is None else from_dynamodb({"": side})[""] for side in (each.before, each.after)]
            expected[key, each.path[0], each.path[1:], each.change] = sides
    listed = found.df.dropna(subset="path")
    assert len(listed) == len(expected)
    for row in listed.itertuples(index=False):
        sides = [None if side is pd.NA else side for side in (row.before, row.after)]
        assert sides in [
            value for (key, *_, change), value in expected.items() if (key, change) == (row.pk, row.change)
        ]
    counts = {
        "added": len(states[1].keys() - states[0].keys()),
        "removed": len(states[0].keys() - states[1].keys()),
        "changed": len({key for key, *_ in expected} & states[0].keys() & states[1].keys()),
    }
    assert {name: found.items[name] for name in counts} == counts
