"""Text from data reaches a terminal as something to read, by every verb, and whatever the terminal's encoding is."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from tests.helpers.logs import chain, micros, record, write_log
from workbench import terminal
from workbench.cli import main
from workbench.text import plain, plain_json
from workbench.workbench import Workbench

T0 = micros("2026-11-01T10:00:00")
ROOT = Path(__file__).resolve().parents[1]
HOSTILE = [
    "\x1b[2J\x1b]0;owned\x07",
    "a\rb",
    "line\nline",
    "\u202egnp.exe",
    "\u2066x\u2069",
    "zero\u200bwidth",
    "\x9b31m",
    "\x7f\x08\ufeff",
    "t\tt",
]
ACTS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")


@pytest.fixture(scope="module")
def log(tmp_path_factory) -> Path:
    """A table whose name, keys, attribute names and values all would act on a terminal, lost changes and bad lines."""
    root = tmp_path_factory.mktemp("hostile")
    made = []
    for at, text in enumerate(HOSTILE):
        key = {"pk\x1b[1m\u202e": {"S": text}}
        states = [
            (
                T0 + at * 10 + n,
                key
                | {
                    f"a{text}": {"S": text + str(n)},
                    "m": {"M": {text: {"S": text}}},
                    "s": {"SS": [text]},
                    "l": {"L": [{"S": text}, {"M": {text: {"N": "1"}}}]},
                },
            )
            for n in range(4)
        ]
        rows = chain(key, states, table="t\x1b[31m")
        made += [*rows[:2], rows[0], *rows[3:]]
    write_log(root, made, "raw", "log \x1b[5m")
    (root / "bad \x1b[7m.json").write_text(
        '{"eventName": "\\u001b[31m"}\n{"\x1b": \n'
        + json.dumps(record("INSERT", {"pk": {"S": "x"}}, T0, new={"a\x1b[8m": {"N": "x"}}))
    )
    return root


VERBS = [
    ("tables",),
    ("latest", "T"),
    ("changes", "T"),
    ("history", "T"),
    ("diff", "T", "2026-11-01T10:00:00.00001Z"),
    ("frequency", "T", "--by", "attribute"),
    ("frequency", "T", "--by", "key"),
    ("quality", "T"),
    ("checkpoint", "T"),
    ("latest", "wrong \x1b[31m"),
    ("latest", "T", "--where", "\x1b[31m ><"),
    ("history", "T", "--key", "x\x1b=1"),
    ("sql", "latest_state", "x\x1b[31m"),
    ("sql", "changes", "T", "-p", "where=x = '\u202e'"),
    ("changes", "T", "--limit", "3"),
    ("export", "latest", "T", "no/such\x1b[31m.ending"),
]


@pytest.mark.parametrize("verb", VERBS, ids=[" ".join(verb)[:20] for verb in VERBS])
def test_no_verb_and_no_error_lets_data_act_on_the_terminal(log, monkeypatch, tmp_path, verb):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WORKBENCH_SOURCE", str(log))
    arguments = ["t\x1b[31m" if each == "T" else each for each in verb]
    ran = CliRunner().invoke(main, arguments)
    assert ran.exception is None or isinstance(ran.exception, SystemExit), ran.exception
    assert ran.output
    assert not ACTS.findall(ran.output)
    assert not ACTS.findall(ran.stderr)


@pytest.mark.parametrize("verb", VERBS[:8], ids=[" ".join(verb)[:20] for verb in VERBS[:8]])
def test_json_for_programs_holds_the_same_text_and_nothing_that_acts(log, monkeypatch, tmp_path, verb):
    monkeypatch.chdir(tmp_path)
    arguments = ["t\x1b[31m" if each == "T" else each for each in verb]
    ran = CliRunner().invoke(main, [*arguments, "--from", str(log), "--json"])
    assert not ACTS.findall(ran.stdout)
    assert json.loads(ran.stdout)
    if verb[0] == "latest":
        assert {
            row['"pk\x1b[1m\u202e"' if '"pk\x1b[1m\u202e"' in row else "pk\x1b[1m\u202e"]
            for row in json.loads(ran.stdout)
        } == set(HOSTILE)


def test_nor_does_a_result_shown_by_python_or_a_notebook(log, tmp_path):
    wb = Workbench(log, home=tmp_path)
    for told in (
        wb.latest_state("t\x1b[31m"),
        wb.changes("t\x1b[31m"),
        wb.item_history("t\x1b[31m"),
        wb.data_quality("t\x1b[31m"),
        wb.diff("t\x1b[31m", "2026-11-01T10:00:00.00001Z"),
    ):
        assert not ACTS.findall(repr(told) + str(told))
        assert not ACTS.findall(told._repr_html_())


@pytest.mark.process
@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
@pytest.mark.parametrize("verb", [("latest",), ("latest", "--json"), ("history",), ("quality",)], ids=" ".join)
def test_an_encoding_that_lacks_a_character_ends_in_no_traceback(tmp_path, verb, encoding):
    texts = ["Łódź ☃ 😀", "漢字"]
    made = [
        each for text in texts for each in chain({"pk": {"S": text}}, [(T0, {"pk": {"S": text}, "ü→": {"S": text}})])
    ]
    write_log(tmp_path / "log", made)
    name, *more = verb
    ran = subprocess.run(
        [sys.executable, "-c", "from workbench.cli import main; main()", name, "things", "--from", "log", *more],
        capture_output=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONIOENCODING": encoding, "PYTHONPATH": str(ROOT)},
    )
    assert b"Traceback" not in ran.stderr, ran.stderr.decode(encoding)
    assert ran.returncode in (0, 3)
    if more:
        assert {row["pk"] for row in json.loads(ran.stdout.decode(encoding))} == set(texts)
    elif name == "latest":
        assert (texts[0] if encoding == "utf-8" else r"\u2603 \U0001f600") in ran.stdout.decode(encoding)


@pytest.mark.process
def test_a_file_name_that_is_no_text_ends_in_no_traceback(tmp_path):
    (tmp_path / "log").mkdir()
    try:
        Path(os.fsdecode(os.fsencode(tmp_path / "log") + b"/bad-\xff.json")).write_text("{\n")
    except OSError:
        pytest.skip("this file system takes no such names")
    ran = subprocess.run(
        [sys.executable, "-c", "from workbench.cli import main; main()", "latest", "things", "--from", "log"],
        capture_output=True,
        cwd=tmp_path,
        env=os.environ | {"PYTHONIOENCODING": "utf-8", "PYTHONPATH": str(ROOT)},
    )
    assert b"Traceback" not in ran.stderr, ran.stderr


def test_text_of_people_stays_as_it_is():
    for text in ["Łódź ☃ 漢字 👩\u200d💻 שלום", "C:\\x", ""]:
        assert plain(text) == text
        assert plain_json(json.dumps(text, ensure_ascii=False)) == json.dumps(text, ensure_ascii=False)
    for text in HOSTILE:
        assert json.loads(plain_json(json.dumps(text, ensure_ascii=False), ascii_only=True)) == text


@pytest.mark.parametrize(
    ("said", "width"), [("100", 100), ("0", 160), ("-5", 160), ("", 160), ("wide", 160), ("²", 160)]
)
def test_a_width_that_says_nothing_is_none(monkeypatch, capsys, said, width):
    monkeypatch.setenv("COLUMNS", said)
    assert terminal.console().width == width
    terminal.print_frame(pd.DataFrame({"pk": ["a"]}))
    assert capsys.readouterr().out.split() == ["pk", "a"]
