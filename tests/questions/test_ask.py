"""Any question is asked by its name: by its method, or by what the head of its file declares."""

from __future__ import annotations

import warnings
from contextlib import closing

import pandas as pd
import pytest

from workbench import Workbench
from workbench.errors import ParameterError
from workbench.sql.questions import load_question, parse_question, questions
from workbench.sql.templates import load
from workbench.vocabulary import QUESTIONS

FILES = [name for name in questions() if name not in QUESTIONS]
DTYPES = {"bigint": "Int64", "double": "float64", "boolean": "boolean", "varchar": "string"}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("home")
    with closing(Workbench(home=folder)) as wb:
        wb.generate("persons", items=30, changes=200, progress=False)
    return folder


@pytest.fixture(scope="module")
def wb(home):
    with closing(Workbench(home=home)) as opened:
        yield opened


@pytest.mark.parametrize("name", FILES)
def test_a_file_answers_with_the_columns_of_its_head_and_their_types(name, wb):
    df, columns = wb.ask(name, "persons").df, load_question(name).columns
    assert len(df) or name == "ambiguous_items"  # of which a log that is whole has none
    assert list(df.columns) == ["pk" if column.name == "keys" else column.name for column in columns]
    for column in columns:
        if column.type in DTYPES and column.name != "keys":
            assert df[column.name].dtype == DTYPES[column.type], column
        if column.type == "timestamp":
            assert str(df[column.name].dtype) == "datetime64[us, UTC]", column


@pytest.mark.parametrize(("name", "method"), [("latest", "latest_state"), ("change-frequency", "change_frequency")])
def test_a_question_with_a_method_is_answered_by_it(name, method, wb):
    expected = getattr(wb, method)("persons")
    answer = wb.ask(name, "persons")
    assert type(answer) is type(expected)
    pd.testing.assert_frame_equal(answer.df, expected.df)


def test_parameters_are_those_of_the_head_also_as_text_and_shown_as_asked(wb):
    answer = wb.ask("hot_keys", "persons", limit="3", start="-3d")
    assert len(answer.df) == 3
    assert (answer.asked["question"], answer.asked["table"], answer.asked["limit"]) == ("hot_keys", "persons", 3)
    assert (
        answer.df["changes"].tolist()
        == wb.change_frequency("persons", by="key", start="-3d", limit=3).df["changes"].tolist()
    )
    assert wb.ask("hot_keys", "persons").asked.keys() == {"question", "table"}
    with pytest.raises(ParameterError, match=r"no parameter 'limits'.*limit"):
        wb.ask("hot_keys", "persons", limits=3)
    with pytest.raises(ParameterError, match=r"there is no question 'hot_key'.*hot_keys"):
        wb.ask("hot_key", "persons")


def test_an_answer_that_could_show_what_is_masked_is_refused(home):
    names = {f"p-{number:06}" for number in range(30)}
    with closing(Workbench(home=home, mask=["pk"], mask_with="redact")) as wb:
        for name in (*FILES, "latest_state", "changes"):
            if name in FILES and not load_question(name).tells_no_values:
                with pytest.raises(ParameterError, match=r"could show what is masked \(pk\)"):
                    wb.ask(name, "persons")
                continue
            written = wb.ask(name, "persons").df.to_csv()
            assert not any(key in written for key in names), name
        assert set(wb.ask("hot_keys", "persons").df["pk"]) == {"[masked]"}


def test_an_answer_over_a_window_without_changes_has_its_columns(wb):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        df = wb.ask("hot_keys", "persons", end="2001-01-01").df
    assert df.empty
    assert {"changes": "Int64", "first_change": "datetime64[us, UTC]"}.items() <= df.dtypes.astype(
        str
    ).to_dict().items()


@pytest.mark.parametrize(
    ("question", "values", "message"),
    [
        ("diff", {}, "diff needs a value for 'before'"),
        ("diff", {"befor": "-1d"}, r"diff has no parameter 'befor'. Did you mean 'before'\?"),
        ("latest", {"as_off": "-1d"}, r"latest_state has no parameter 'as_off'. Did you mean 'as_of'\?"),
        ("latest", {"table": "persons"}, "latest_state has no parameter 'table'"),
    ],
)
def test_a_parameter_that_is_missing_or_unknown_is_named_in_a_line(question, values, message, wb):
    with pytest.raises(ParameterError, match=message):
        wb.ask(question, "persons", **values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"start": "2025-11-20", "end": "2025-11-18"}, "ends before it starts|not before|wrong way round|after"),
        ({"limit": 2.5}, "limit is 2.5: it must be a whole number"),
        ({"limit": -1}, "limit is -1: it must be a whole number"),
        ({"limit": True}, "limit is True: it must be a whole number"),
    ],
)
def test_a_value_that_is_not_of_its_parameters_type_is_refused(values, message, wb):
    with pytest.raises(ParameterError, match=message):
        wb.ask("hot_keys", "persons", **values)


def test_the_most_changed_items_are_in_the_order_of_the_method_whatever_is_masked(wb, home):
    whole = wb.ask("hot_keys", "persons")
    assert whole.df["changes"].tolist() == sorted(whole.df["changes"], reverse=True)
    with closing(Workbench(home=home, mask=["pk"])) as masked:
        by_name, by_method = masked.ask("hot_keys", "persons"), masked.change_frequency("persons", by="key")
        assert by_name.df["changes"].tolist() == whole.df["changes"].tolist()
        assert by_name.df["pk"].tolist() == by_method.df["pk"].tolist()


def test_an_estimate_of_what_cannot_be_asked_is_refused(wb):
    with pytest.raises(ParameterError, match="no question 'nonsense'"):
        wb.estimate("nonsense", "persons")
    with pytest.raises(ParameterError, match="no parameter 'foo'"):
        wb.estimate("hot_keys", "persons", foo=1)


def test_frequency_by_nothing_is_refused(wb):
    with pytest.raises(ParameterError, match="by='None' is unknown"):
        wb.change_frequency("persons", by=None)


def test_a_question_about_states_begins_with_the_baseline_as_latest_state_does(tmp_path, monkeypatch):
    with closing(Workbench(home=tmp_path / "home")) as wb:
        wb.generate("persons", items=20, changes=100, progress=False)
        exports = wb.export_baseline("persons", tmp_path / "exports")
        objects = sorted(item for item in (wb.settings.lake / "data").rglob("*") if item.is_file())
        for item in objects[:-1]:
            item.unlink()
    meant = parse_question("items_there", load("latest_state"))
    monkeypatch.setattr("workbench.questions.by_name.as_question", lambda name: meant)
    with closing(Workbench(home=tmp_path / "home", baseline=exports)) as wb:
        by_name, by_method = wb.ask("items_there", "persons"), wb.latest_state("persons")
        assert len(by_name) == len(by_method) > 10
        assert any("from the export of" in note for note in by_name.stats.notes)
        hot = wb.ask("change_frequency", "persons")
        assert not any("from the export of" in note for note in hot.stats.notes)
