"""Masked attributes hold no value any more, in whatever frame they are."""

from __future__ import annotations

import hashlib
import hmac
import json
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.helpers.logs import chain, micros, write_log
from tests.helpers.profiles import examples
from workbench.errors import ParameterError
from workbench.model.attributes import frame
from workbench.model.items import from_dynamodb, to_dynamodb
from workbench.model.records import canonical_json
from workbench.questions.masking import REDACTED, mask, names_masked
from workbench.questions.nesting import nest
from workbench.workbench import Workbench

NA = pd.NA
SECRET = "ann@example.com"


def cells(df: pd.DataFrame, name: str) -> list:
    return [
        None if value is None else NA if pd.api.types.is_scalar(value) and pd.isna(value) else value
        for value in df[name].astype(object)
    ]


def objects(**columns: list) -> pd.DataFrame:
    made = {}
    for name, values in columns.items():
        made[name] = np.empty(len(values), dtype=object)
        made[name][:] = values
    return pd.DataFrame({name: pd.Series(values, dtype=object) for name, values in made.items()})


def hashed(value: object, salt: str = "") -> str:
    """The hash of one value, alone in a frame."""
    return mask(objects(a=[value]), ["a"], salt=salt).loc[0, "a"]


def history(*rows: tuple, **more: list) -> pd.DataFrame:
    paths, before, after = zip(*rows, strict=True)
    df = objects(before=list(before), after=list(after), **more)
    df.insert(0, "path", pd.Series(list(paths), dtype="str"))
    return df


# --- hashes


def test_a_hash_is_the_hmac_of_the_values_canonical_dynamodb_json():
    assert hashed("x", "pepper") == hmac.new(b"pepper", b'{"S":"x"}', hashlib.sha256).hexdigest()[:16]
    assert (
        hashed({"b": {2, 1}, "a": None})
        == hmac.new(b"", b'{"M":{"a":{"NULL":true},"b":{"NS":["1","2"]}}}', hashlib.sha256).hexdigest()[:16]
    )


@pytest.mark.parametrize(
    "same",
    [
        (1, 1.0, Decimal("1.00"), np.int64(1), np.float64(1)),
        (frozenset({1, 2}), frozenset({Decimal("2.0"), Decimal(1)})),
        ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ],
    ids=str,
)
def test_equal_values_have_equal_hashes(same):
    assert len(set(map(hashed, same))) == 1


def test_values_of_different_types_have_different_hashes():
    different = ["1", 1, True, None, "", "true", b"1", [1], frozenset({1}), {"a": 1}, [], {}]
    assert len(set(map(hashed, different))) == len(different)
    assert len({mask(objects(a=different), "a").loc[at, "a"] for at in range(len(different))}) == len(different)


def test_a_salt_changes_every_hash_and_a_hash_joins_frames_whatever_the_type_of_their_column():
    integers, floats = frame(['{"n":{"N":"1"}}']), frame(['{"n":{"N":"1"}}', '{"n":{"N":"1.5"}}'])
    assert integers["n"].dtype != floats["n"].dtype
    assert mask(integers, ["n"], salt="s").merge(mask(floats, ["n"], salt="s"), on="n").shape == (1, 1)
    assert hashed("x", "s") != hashed("x", "t")


@given(
    st.lists(
        st.one_of(
            st.text(),
            st.integers(-(10**37), 10**37),
            st.booleans(),
            st.none(),
            st.binary(),
            st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-9999, max_value=9999),
        ),
        min_size=1,
        max_size=4,
    )
)
@examples(100)
def test_hashes_are_equal_exactly_where_the_canonical_json_is(values):
    def canonical(value):
        return canonical_json(to_dynamodb({"a": value}))

    found = mask(objects(a=values), ["a"])["a"]
    for one, text in zip(values, found, strict=True):
        for other, other_text in zip(values, found, strict=True):
            assert (text == other_text) is (canonical(one) == canonical(other))


# --- columns


def test_a_path_masks_its_column_and_all_under_it_and_nothing_beside_it():
    df = frame(
        [
            '{"pk":{"S":"a"},"person":{"M":{"email":{"S":"ann@example.com"},"home":{"M":{"zip":{"N":"1"}}}}},'
            '"personal":{"S":"x"},"x":{"M":{"person":{"S":"y"}}}}'
        ],
        keys=["pk"],
    )
    assert mask(df, ["person.email"], "redact").loc[0].to_dict() == {
        "pk": "a",
        "person.email": REDACTED,
        "person.home.zip": 1,
        "personal": "x",
        "x.person": "y",
    }
    assert mask(df, ["person"], "redact").loc[0].to_dict() == {
        "pk": "a",
        "person.email": REDACTED,
        "person.home.zip": REDACTED,
        "personal": "x",
        "x.person": "y",
    }


def test_absent_stays_absent_and_null_and_an_empty_text_are_masked():
    df = frame(
        [
            '{"a":{"S":"x"},"n":{"N":"1"},"b":{"BOOL":true},"m":{"NULL":true}}',
            "{}",
            '{"a":{"S":""},"n":{"N":"1.5"},"b":{"BOOL":false},"m":{"S":"x"}}',
        ]
    )
    hidden = mask(df, ["a", "n", "b", "m"], "redact")
    for name in df.columns:
        assert cells(hidden, name) == [REDACTED, NA, REDACTED]
        assert hidden[name].dtype == "string"
    empty = frame(["{}"], keys=["a"])
    assert cells(mask(empty, ["a"]), "a") == [NA]
    assert cells(mask(frame([], keys=["a"]), ["a"]), "a") == []


@pytest.mark.parametrize("path", ['"a.b"', 'p."first.name"', 'p."say ""hi"""', '"_changed_at"', '"a[0]"', "x y"])
def test_a_name_that_needs_quotes_is_masked_as_the_column_is_called(path):
    df = pd.DataFrame({path: ["x"], "other": ["y"], "_changed_at": [pd.Timestamp(0, tz="UTC")]})
    assert mask(df, [path], "redact").loc[0].to_list()[:2] == [REDACTED, "y"]
    assert mask(df, [path])["_changed_at"].equals(df["_changed_at"])


def test_both_images_of_a_change_are_masked_and_its_key():
    df = pd.DataFrame({"email": ["k"], "new.email": ["n"], "old.email": ["o"], "new.x": [1], "newer.email": ["-"]})
    assert mask(df, ["email"], "redact").loc[0].to_list() == [REDACTED, REDACTED, REDACTED, 1, "-"]


def test_an_item_with_a_map_called_new_is_no_change():
    df = pd.DataFrame({"new.email": ["x"], "_changed_at": [pd.Timestamp(0, tz="UTC")]})
    assert mask(df, ["email"]) is df
    assert mask(df, ["new.email"], "redact").loc[0, "new.email"] == REDACTED


def test_a_key_called_like_a_column_of_the_question_is_masked_and_the_column_is_not():
    counts = {name: [3] for name in ("changes", "inserts", "modifies", "removes")}
    times = dict.fromkeys(("first_change", "last_change"), pd.to_datetime(["2026-01-01T00:00Z"]))
    df = pd.DataFrame({'"changes"': ["k"], **counts, "share": [1.0], **times})
    hidden = mask(df, ["changes", "share"], "redact")
    assert hidden.loc[0].to_list()[:2] == [REDACTED, 3]
    assert hidden.drop(columns='"changes"').equals(df.drop(columns='"changes"'))


def test_an_attribute_called_like_a_column_of_a_question_is_masked_in_a_state():
    df = pd.DataFrame({"ts": ["x"], "event_name": ["x"], "by_ttl": ["x"], "size_bytes": ["x"], "event_id": ["x"]})
    df["_changed_at"] = pd.Timestamp(0, tz="UTC")
    assert mask(df, ["ts"], "redact").loc[0, "ts"] == REDACTED


# --- values in maps and lists


def test_maps_and_lists_above_a_path_are_masked_inside():
    people = [
        {"name": "Ann", "email": SECRET},
        [{"email": SECRET}],
        "ann",
        {"phone": {"email": SECRET}},
        {"email": None},
    ]
    df = objects(people=[people, {"email": SECRET}, [], None, NA, "text"])
    assert cells(mask(df, ["people.email"], "redact"), "people") == [
        [
            {"name": "Ann", "email": REDACTED},
            [{"email": REDACTED}],
            "ann",
            {"phone": {"email": SECRET}},
            {"email": REDACTED},
        ],
        {"email": REDACTED},
        [],
        None,
        NA,
        "text",
    ]
    assert people[0]["email"] == SECRET, "the input is never changed"


def test_a_path_with_an_index_masks_all_elements():
    assert mask(objects(p=[[{"e": 1}, {"e": 2}]]), ["p[0].e"], "redact").loc[0, "p"] == [{"e": REDACTED}] * 2


@pytest.mark.parametrize("prefix", ["", "new."])
@pytest.mark.parametrize("path", ["p.e", "p.q.r", "other"])
def test_a_nested_frame_is_masked_as_the_flattened_one_is(path, prefix):
    df = frame(['{"p":{"M":{"e":{"S":"x"},"q":{"M":{"r":{"N":"1"}}}}}}', "{}"]).add_prefix(prefix)
    pd.testing.assert_frame_equal(mask(nest(df), [path]), nest(mask(df, [path])))
    assert ("'x'" in str(mask(nest(df), [path]).to_dict())) is (path != "p.e")


# --- histories


def test_differences_at_under_and_above_a_path_are_masked():
    df = history(
        ("person.email", "old", SECRET),
        ("person.email.local", NA, 1),
        ("person", {}, {"email": SECRET, "age": 1}),
        ("person.age", 40, 41),
        ("personal", "x", None),
        (NA, NA, NA),
        ("people[0].email", None, "x"),
        ("people[1]", NA, {"email": "x"}),
        ("person", [{"email": "x"}], "x"),
    )
    df["before_type"] = "S"
    hidden = mask(df, ["person.email", "people.email"], "redact")
    assert cells(hidden, "before") == [REDACTED, NA, {}, 40, "x", NA, REDACTED, NA, [{"email": REDACTED}]]
    assert cells(hidden, "after") == [
        REDACTED,
        REDACTED,
        {"email": REDACTED, "age": 1},
        41,
        None,
        NA,
        REDACTED,
        {"email": REDACTED},
        "x",
    ]
    assert hidden[["path", "before_type"]].equals(df[["path", "before_type"]])


def test_sets_and_indices_within_quoted_names_are_understood_in_a_history():
    df = history(("tags", frozenset({"a"}), NA), ('"a.b"[3]."c[0]"', 1, 2), ('"a.b".x', 1, 2))
    hidden = mask(df, ["tags", '"a.b"."c[0]"'], "redact")
    assert cells(hidden, "before") == [REDACTED, REDACTED, 1]
    assert cells(hidden, "after") == [NA, REDACTED, 2]


def test_a_key_attribute_beside_a_history_is_masked_too():
    df = history(("age", 1, 2), pk=["p-1"])
    assert mask(df, ["pk"], "redact").loc[0, ["pk", "before"]].to_list() == [REDACTED, 1]


# --- texts of DynamoDB JSON


def test_keys_and_images_as_text_are_masked_as_canonical_json_with_the_same_hash():
    text = canonical_json({"pk": {"S": "a"}, "n": {"N": "1"}})
    df = pd.DataFrame({"keys": pd.Series([text, None, "no JSON", "[1]", '{"pk":{"S":"a"}}'], dtype="str")})
    hidden = mask(df, ["n"])
    assert cells(hidden, "keys")[1:] == [NA, "no JSON", "[1]", '{"pk":{"S":"a"}}']
    assert from_dynamodb(json.loads(hidden.loc[0, "keys"])) == {"pk": "a", "n": hashed(1)}
    assert hidden["keys"].dtype == "str"
    assert mask(df, ["other"]) is df


# --- the rest


def test_a_wrong_how_or_path_is_refused():
    df = pd.DataFrame({"a": [1]})
    with pytest.raises(ParameterError, match="'md5'"):
        mask(df, [], "md5")  # type: ignore[arg-type]
    for path in ("", "a.", ".a", 'a"b', '"a'):
        with pytest.raises(ParameterError, match="no attribute path"):
            mask(df, [path])


def test_a_frame_without_anything_to_mask_is_the_same_frame_at_once():
    df = pd.DataFrame({f"c{number}": np.arange(1_000_000) for number in range(5)} | {"t": ["x"] * 1_000_000})
    assert mask(df, ["a.b", "t.x", "other"]) is df
    assert mask(df, []) is df


def test_the_input_is_never_changed():
    df = history(("a", {"b": 1}, [1]), a=[{"b": SECRET}], keys=['{"a":{"S":"x"}}'])
    df.index = pd.Index([7])
    before = df.copy(deep=True).to_dict()
    hidden = mask(df, ["a.b", "a"], "redact")
    assert df.to_dict() == before
    assert SECRET not in str(hidden.to_dict())
    assert list(hidden.index) == [7]


def test_frames_with_columns_that_are_no_paths_and_twice_the_same_name_can_be_masked():
    df = pd.DataFrame([["x", "y", "z", 1]], columns=["a", "a", 'b"c', 5])
    assert mask(df, ["a"], "redact").loc[0].to_list() == [REDACTED, REDACTED, "z", 1]


def test_texts_that_name_a_masked_attribute_are_recognised():
    assert names_masked("where person.email = 'x'", ["person.email"])
    assert names_masked("""where "first""name" = 1""", ['"first""name"'])
    assert names_masked('$.person.M."e.mail".S', ['person."e.mail"'])
    assert not names_masked("select event_name, emails from persons", ["name", "person.email"])
    assert not names_masked("anything", [])


# --- every answer


@pytest.fixture(scope="module")
def answers(tmp_path_factory):
    """Every answer about a small log, by what was asked: the same with and without masks."""
    log = tmp_path_factory.mktemp("log")
    key = {"user": {"S": "u-secret"}, "ts": {"N": "7"}}
    at = micros("2026-01-01T12:00:00")
    first = key | {"email": {"S": SECRET}, "changes": {"N": "12345678"}, "p": {"L": [{"M": {"email": {"S": SECRET}}}]}}
    second = first | {"email": {"S": "bea@example.com"}, "p": {"L": []}, "x": {"N": "1"}}
    states = [(at, first), (at + 60_000_000, second), (at + 10**9, first)]
    write_log(log / "2026" / "01" / "01" / "12", chain(key, states))

    def asked(**masks):
        wb = Workbench(log, **masks)
        return {
            "latest": wb.latest_state("things"),
            "deleted": wb.latest_state("things", include_deleted=True),
            "changes": wb.changes("things"),
            "history": wb.item_history("things", {"user": "u-secret", "ts": 7}),
            "diff": wb.diff("things", "2026-01-01T12:00:30Z", "2026-01-01T12:02Z"),
            **{
                by: wb.change_frequency("things", by=by)
                for by in ("event", "attribute", "key", "concentration", "interval")
            },
            "attributes": wb.change_frequency("things", by="attribute", every="1h"),
        }

    return asked(), asked


ANSWERS = (
    "latest",
    "deleted",
    "changes",
    "history",
    "diff",
    "event",
    "attribute",
    "key",
    "concentration",
    "interval",
    "attributes",
)


@pytest.mark.parametrize("name", ANSWERS)
def test_no_answer_shows_a_masked_value(answers, name):
    df = mask(answers[0][name].df, ["user", "email", "p.email", "changes"], "redact")
    text = "".join(map(str, (df.to_dict("list"), df.to_html())))
    for secret in ("u-secret", SECRET, "bea@example.com", "12345678"):
        assert secret not in text


@pytest.mark.parametrize("name", ANSWERS)
def test_the_columns_an_answer_adds_are_never_masked(answers, name):
    df = answers[0][name].df
    paths = [column.strip('"') for column in df.columns if "." not in column]
    hidden = mask(df, paths, "redact")
    attributes = {"user", '"ts"' if '"ts"' in df else "ts"}
    if name in ("latest", "deleted"):
        attributes |= {"email", "p", "x", "changes"}
    added = [
        column
        for column in df.columns
        if column not in attributes and column not in ("before", "after") and not column.startswith(("new.", "old."))
    ]
    assert hidden[added].equals(df[added])
    assert "user" not in df or (hidden["user"] == REDACTED).all()


def test_settings_mask_every_answer_with_their_salt(answers):
    plain, asked = answers
    for name, result in asked(mask=("email", "user"), mask_salt="pepper").items():
        expected = mask(plain[name].df, ["email", "user"], salt="pepper")
        pd.testing.assert_frame_equal(result.df, expected)


def test_an_element_that_is_named_by_its_index_is_masked_in_a_query_too(tmp_path):
    key = {"pk": {"S": "x"}}
    item = key | {"people": {"L": [{"M": {"email": {"S": SECRET}, "age": {"N": "41"}}}]}}
    write_log(tmp_path / "lake", chain(key, [(micros("2026-01-01T12:00:00"), item)]))
    for path in ("people[0].email", "people[].email", "people.email"):
        wb = Workbench(tmp_path / "lake", home=tmp_path / "home", mask=[path], mask_with="redact")
        asked = wb.query(
            "select people[1].email as email, people[1].age as age from things where people[1].email <> 'x'"
        )
        assert asked.df.to_numpy().tolist() == [[REDACTED, 41]]
        with pytest.raises(ParameterError, match=r"people\.email, which is masked"):
            wb.query("select people from things")
