"""What Tab offers: names that are there, at once, without a log read or AWS asked, and never an error."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import BashComplete
from click.testing import CliRunner

from tests.helpers.logs import chain, micros, write_log
from workbench import Workbench
from workbench.cli import completing, main

NOON = micros("2026-01-01T12:00:00")
ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake of two tables, one of which was asked."""
    monkeypatch.chdir(tmp_path)
    for name in ("persons", "orders"):
        key = {"pk": {"S": f"{name}-1"}}
        state = key | {"age": {"N": "1"}, "person": {"M": {"city": {"S": "x"}, "a b": {"S": "y"}}}}
        write_log(tmp_path / ".workbench" / "lake" / "data" / name, chain(key, [(NOON, state)], table=name))
    asked = CliRunner().invoke(main, ["latest_state", "persons"])
    assert asked.exit_code == 0, asked.output
    return tmp_path


def offered(line: str) -> list[str]:
    """What is offered behind a line, whose last word is begun."""
    *words, begun = line.split(" ")
    return [item.value for item in BashComplete(main, {}, "workbench", "_C").get_completions(words, begun)]


@pytest.mark.parametrize(
    ("line", "names"),
    [
        ("cha", ["change_frequency", "changes"]),
        ("changes ", ["orders", "persons"]),
        ("changes pe", ["persons"]),
        ("diff persons -1d --against o", ["orders"]),
        ("view create ", ["orders", "persons"]),
        ("undo pers", ["persons"]),
        ("latest_state persons --ord", ["--order"]),
        ("latest_state persons --order ", ["newest", "oldest"]),
        ("latest_state persons --where ag", ["age"]),
        ("latest persons --columns pk,p", ["pk,person.city"]),
        ("latest_state persons --columns ", ["pk", "age", "person.city", "_changed_at"]),
        ("changes persons --columns age,event", ["age,event_name", "age,event_id"]),
        ("transitions persons per", ["person.city"]),
        ("trend persons count(*) --by p", ["person.city"]),
        ("get persons --key ", ["pk="]),
        ("undo persons --kept a", ["age"]),
        ("ask hot_", ["hot_keys"]),
        ("sql lat", ["latest", "latest_state"]),
        ("ask hot_keys persons -p ", ["start=", "end=", "limit="]),
        ("export latest persons f.csv -p ", ["as_of=", "include_deleted=", "where="]),
        ("report run 03", ["03_change_frequency"]),
        ("report describe 02_l", ["02_latest_state"]),
    ],
)
def test_names_are_offered_that_are_there(line, names):
    assert sorted(offered(line)) == sorted(names)


def test_parameters_of_a_notebook_and_reports_of_a_suite_are_offered(home):
    assert "table=" in offered("report run 03_change_frequency -p ")
    (home / "reports.toml").write_text('[reports.nightly]\nnotebook = "03_change_frequency"\ntables = ["persons"]\n')
    assert offered("report run night") == ["nightly", "nightly-persons"]
    assert "every=" in offered("report run nightly-persons -p ")


def test_every_table_and_file_that_a_verb_takes_is_completed():
    def of(group):
        for command in group.commands.values():
            yield from of(command) if hasattr(command, "commands") else [command]

    bare = [
        f"{command.name} {each.name}"
        for command in of(main)
        for each in command.params
        if each.name in ("table", "against", "plan", "file", "out", "source", "columns", "where", "parameters", "names")
        and not each._custom_shell_complete
        and (command.name, each.name) not in EXCEPT
    ]
    assert bare == []


EXCEPT = {
    *((verb, "out") for verb in ("run", "index", "demo")),  # places, also in S3
    ("check", "out"),
    ("replay", "out"),
    ("reconcile", "against"),
    ("profile", "against"),  # an instant
    ("query", "file"),
    ("run", "file"),
    ("versions", "names"),
}


def test_what_needs_quotes_in_a_shell_or_would_act_on_a_terminal_is_not_offered(home):
    assert "a b" not in " ".join(offered("latest_state persons --columns "))
    known = json.loads((home / ".workbench" / completing.FILE).read_text())
    known["lake"]["persons"]["attributes"] += ["\x1b[31mred", "$(id)", "a;b", "'q'", "fine"]
    (home / ".workbench" / completing.FILE).write_text(json.dumps(known))
    assert offered("latest_state persons --where ") == ["age", "person.city", "fine"]


def test_a_source_and_a_database_are_told_apart_and_neither_is_asked(home, monkeypatch):
    log = home / ".workbench" / "lake" / "data" / "persons"
    assert offered(f"changes --source {log} ") == []
    CliRunner().invoke(main, ["changes", "persons", "--source", str(log)])
    assert offered(f"changes --source {log} ") == ["persons"]
    assert offered(f"changes persons --source {log} --where a") == ["age"]
    monkeypatch.setattr("socket.socket", lambda *_, **__: pytest.fail("a connection is opened"))
    assert offered("--engine athena --database shop changes ") == []
    completing.note_tables(Workbench(engine="athena", database="shop", region="eu-central-1").settings, ["clicks"])
    assert offered("--engine athena --database shop --region eu-central-1 changes ") == ["clicks"]


@pytest.mark.parametrize("wrong", ["", "[]", '{"lake": []}', '{"lake": {"persons": 1}}', "{", "\udcff"])
def test_a_damaged_note_or_a_wrong_setting_offers_nothing_and_says_nothing(home, monkeypatch, wrong, capfd):
    (home / ".workbench" / completing.FILE).write_text(wrong, "utf-8", "surrogateescape")
    assert offered("changes persons --where a") == []
    assert offered("changes ") == ["orders", "persons"]
    assert CliRunner().invoke(main, ["latest_state", "persons"]).exit_code == 0
    (home / "workbench.toml").write_text("nonsense = 1")
    assert offered("changes ") == []
    assert capfd.readouterr() == ("", "")


def test_where_nothing_can_be_noted_answers_come_all_the_same(home):
    (home / ".workbench" / completing.FILE).unlink()
    (home / ".workbench" / completing.FILE).mkdir()
    assert CliRunner().invoke(main, ["latest_state", "persons"]).exit_code == 0
    assert offered("changes persons --where a") == []


@pytest.mark.parametrize(
    ("shell", "shown"), [("bash", "plain,persons\n"), ("zsh", "plain\npersons\n"), ("fish", "plain")]
)
def test_each_shell_is_told_in_its_own_protocol(shell, shown):
    words = {"COMP_WORDS": "workbench changes pe", "COMP_CWORD": "pe" if shell == "fish" else "2"}
    ran = CliRunner().invoke(main, [], prog_name="workbench", env=words | {"_WORKBENCH_COMPLETE": f"{shell}_complete"})
    assert ran.stdout.startswith(shown)
    script = CliRunner().invoke(main, [], prog_name="workbench", env={"_WORKBENCH_COMPLETE": f"{shell}_source"}).stdout
    assert "workbench" in script
    assert f"{shell}_complete" in script


@pytest.mark.process
def test_bash_completes_with_the_line_that_is_documented(home):
    line = "source <(_WORKBENCH_COMPLETE=bash_source workbench)"
    assert f"`{line}`" in (ROOT / "docs" / "commands.md").read_text("utf-8")
    bash = shutil.which("bash")
    assert bash
    (home / "bin").mkdir()
    (home / "bin" / "workbench").write_text(f'#!{bash}\nPYTHONPATH={ROOT} exec {sys.executable} -m workbench "$@"\n')
    (home / "bin" / "workbench").chmod(0o755)
    script = f"""
        PATH={home}/bin:$PATH
        {line}
        COMP_WORDS=(workbench changes p) COMP_CWORD=2
        _workbench_completion workbench
        echo "${{COMPREPLY[@]}}"
    """
    ran = subprocess.run([bash, "-c", script], capture_output=True, text=True, cwd=home)
    assert (ran.stdout, ran.stderr) == ("persons\n", "")


@pytest.mark.process
def test_pandas_and_engines_are_not_imported_to_complete():
    code = (
        "import sys\nfrom click.shell_completion import BashComplete\nfrom workbench.cli import main\n"
        "def ask(*w): return BashComplete(main, {}, 'workbench', 'X').get_completions(list(w[:-1]), w[-1])\n"
        "assert ask('changes', ''), ask('changes', 'persons', '--columns', 'a')\n"
        "heavy = {'pandas', 'pyarrow', 'duckdb', 'boto3', 'sqlglot', 'matplotlib', 'papermill'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
