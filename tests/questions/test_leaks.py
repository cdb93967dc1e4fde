"""The leak test: with a mask over every attribute, keys included, no clear value is seen anywhere, by whatever verb."""

from __future__ import annotations

import base64
import io
import re
import zipfile
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import click
import nbformat
import pandas as pd
import pytest
from click.testing import CliRunner
from nbformat.v4 import new_code_cell, new_notebook

from tests.helpers.logs import chain, micros, write_log
from workbench import workbench as face
from workbench.cli import main
from workbench.questions.result import Result
from workbench.sandbox import ItemStore
from workbench.sql.questions import questions
from workbench.vocabulary import QUESTIONS
from workbench.workbench import Workbench

pytestmark = pytest.mark.slow
T0 = micros("2026-11-01T10:00:00")
NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
TEXTS = [f"GEHEIM{name}" for name in ("pk1", "pk2", "pk3", "email", "city", "phone", "tag", "note", "wrong", "zz")]
NUMBERS = [90817263541, 90817263542, 90817263543, 81726354091, 72635409181, 63540918172]
BINARY = [b"GEHEIM\x00bytes-1", b"GEHEIM\x00bytes-2"]
MASK = ["pk", "sk", "email", "address", "phones", "tags", "scores", "blob", "blobs", "salary", "note"]


def spellings() -> list[str]:
    """Every clear value as it may be written: as it is, in base64 once and twice, in hex, with separators, rounded."""
    found = []
    for text in [*(text.encode() for text in TEXTS), *BINARY, *(str(number).encode() for number in NUMBERS)]:
        once = base64.b64encode(text)
        found += [once.decode().rstrip("="), base64.b64encode(once).decode().rstrip("="), text.hex()]
    for number in NUMBERS:
        found += [str(number), f"{number:,}", f"{number:.4e}"[:6] + "e", f"{Decimal(number):.6E}"[:8]]
    return [*TEXTS, "GEHEIM", "bytes-1", *found]


SPELLINGS = spellings()


def clean(text: str, where: object) -> None:
    plain = text.replace("\\u0000", "\0")
    leaked = [each for each in SPELLINGS if each.lower() in plain.lower()]
    assert not leaked, f"{where} shows {leaked}: …{plain[max(0, plain.lower().find(leaked[0].lower()) - 200) :][:300]}…"


def test_the_search_finds_what_leaks():
    for text in [
        "x GEHEIMemail",
        "'90817263541'",
        "90,817,263,541",
        base64.b64encode(b"GEHEIMpk1").decode(),
        "47454845494d706b31",
    ]:
        with pytest.raises(AssertionError):
            clean(text, "here")
    clean("[masked] 0.25 2026-11-01", "here")


def item(pk: str, sk: int, **more: dict) -> dict:
    return {"pk": {"S": pk}, "sk": {"N": str(sk)}, **more}


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A project with a log of every type, gaps, ties, doubles and bad lines; started from a folder of it."""
    root = tmp_path_factory.mktemp("project")

    def rich(pk: str, sk: int, number: int) -> dict:
        return item(
            pk,
            sk,
            email={"S": f"GEHEIMemail{number}"},
            note={"NULL": True} if number % 2 else {"S": "GEHEIMnote"},
            address={"M": {"city": {"S": "GEHEIMcity"}, "zip": {"N": str(NUMBERS[4])}}},
            scores={"NS": [str(NUMBERS[5]), "1"]},
            phones={"L": [{"S": "GEHEIMphone"}, {"M": {"tag": {"S": "GEHEIMtag"}}}]},
            tags={"SS": ["GEHEIMtag", "a"]},
            blob={"B": twice(BINARY[0])},
            blobs={"BS": [twice(BINARY[1])]},
            salary={"N": str(NUMBERS[3] + number)},
        )

    records = []
    for at, (pk, sk) in enumerate(zip(TEXTS[:3], NUMBERS[:3], strict=True)):
        key = item(pk, sk)
        states = [(T0 + at * 10**9 + n * 60_000_000, rich(pk, sk, n)) for n in range(6)]
        made = chain(key, [*states, (states[-1][0] + 9, None)] if at == 2 else states)
        records += [*made[:2], made[0], *made[3:]]  # one twice, one lost
        records += chain(item(f"GEHEIMzz{at}", 5), [(T0 + 7, rich("GEHEIMzz", 5, at))])
    write_log(root / "logs" / "things", records, "raw", "good")
    wrong = [dict(records[0], eventID=f"bad-{n}") for n in range(7)]
    for row, image in zip(
        wrong,
        [
            {"email": {"N": "GEHEIMwrong"}},
            {"blob": {"B": "GEHEIM!wrong"}},
            {"scores": {"NS": ["GEHEIMwrong"]}},
            {"email": "GEHEIMwrong"},
        ],
        strict=False,
    ):
        row["dynamodb"] = row["dynamodb"] | {"NewImage": item(TEXTS[0], NUMBERS[0]) | image}
    wrong[4] = wrong[4] | {"eventName": "GEHEIMwrong"}
    wrong[5]["dynamodb"] = wrong[5]["dynamodb"] | {"ApproximateCreationDateTime": "GEHEIMwrong"}
    wrong[6]["dynamodb"] = wrong[6]["dynamodb"] | {"Keys": {"pk": {"N": "GEHEIMwrong"}}}
    write_log(root / "logs" / "things", wrong, "raw", "bad")
    (root / "logs" / "things" / "cut.json").write_text('{"eventName": "GEHEIMwrong", "dynamodb": {"Keys')
    lines = [
        f"{name} = {value}"
        for name, value in {
            "mask": MASK,
            "mask_with": '"redact"',
            "mask_salt": '"GEHEIMsalt"',
            "source": '"logs/things"',
            "actor": '"email"',
        }.items()
    ]
    (root / "workbench.toml").write_text("\n".join(lines))
    (root / "notebooks").mkdir()
    cells = [
        new_code_cell('key: str = ""\nwhere: str = ""', metadata={"tags": ["parameters"]}),
        *map(new_code_cell, CELLS),
    ]
    nbformat.write(new_notebook(cells=cells), root / "notebooks" / "own.ipynb")
    nbformat.write(new_notebook(cells=[*cells[:2], new_code_cell(FAILS)]), root / "notebooks" / "fails.ipynb")
    with ItemStore(root / ".workbench" / "store.sqlite") as store:
        store.create_table("things", {"pk": "S", "sk": "N"})
        store.put_item("things", {"pk": TEXTS[0], "sk": NUMBERS[0], "email": TEXTS[3], "salary": NUMBERS[3]})
    return root


def twice(value: bytes) -> str:
    return base64.b64encode(base64.b64encode(value)).decode()


CELLS = [
    "from workbench.workbench import Workbench\nwb = Workbench()\nstate = wb.latest_state('things', where=where or None)\nstate",
    "print(repr(state), str(state), state.sql, state.asked, state.stats)\nstate.df",
    "history = wb.item_history('things', key or None)\nprint(history, history.sql, history.asked)\nhistory",
    "quality = wb.data_quality('things')\nprint(quality)\nquality",
    "diff = wb.diff('things', '2026-11-01T10:02Z', key=key or None)\nprint(diff)\ndiff",
    "print(wb.settings.mask, wb, wb.changes('things', key=key or None, where=where or None))",
]
FAILS = "wb.latest_state('things', where=where + ' ><')"

KEY = ["--key", f"pk={TEXTS[0]}", "--key", f"sk={NUMBERS[0]}"]
WHERE = f"email like 'GEHEIM%' or salary > {NUMBERS[3]}"
# Every verb there is, and how it is tried: arguments that succeed, and some that fail. A new verb must be put here.
NEEDED = {
    "diff": ["-p", "before=2026-11-01T10:01Z"],
    "stale": ["-p", "older_than=2026-11-30"],
    "transitions": ["-p", "path=email"],
    "trend": ["-p", "aggregate=max(email)"],
    "undo": ["-p", "to=2026-11-01T10:02Z"],
}
VERBS: dict[str, list[list[str]]] = {
    "check": [[]],
    "tables": [[], ["--json"]],
    "generate": [["persons", "--items", "3", "--changes", "5"]],
    "latest_state": [
        ["things"],
        ["things", "--include-deleted", "--where", WHERE],
        ["things", "--as-of", "2026-11-01T10:03Z"],
        ["things", "--where", "email >< 'GEHEIMemail'"],
        ["things", "--where", f"salary > 'x' or pk = {TEXTS[0]}"],
    ],
    "get": [["things"], ["things", *KEY], ["things", "--key", "sk=GEHEIMwrong"]],
    "stale": [["things", "2026-11-30"], ["things", "2026-11-30", "--where", WHERE]],
    "lifetimes": [["things"], ["things", "--by", "email"]],
    "transitions": [["things", "email"], ["things", "case when salary > 1 then 'GEHEIMwrong' end"]],
    "trend": [["things", "count(*)"], ["things", "max(email)", "--by", "address.city"], ["things", "sum(salary)"]],
    "profile": [["things"], ["things", "--against", "2026-11-01T10:01Z"]],
    "query": [
        ["select * from things"],
        [f"select count(*) as n from things where email = '{TEXTS[3]}'"],
        ["select email from things where emial = :e", "-p", f"e={TEXTS[3]}"],
        ['select * from "things$changes"'],
        ['select * from "things$versions" order by pk'],
        ['select * from "things$items"'],
    ],
    "export_db": [["things.json", "--overwrite"]],
    "replay": [["things", "--to-table", "copy", "--mask-with", "hash"], ["things", "--to-table", "things"]],
    "view create": [["things"]],
    "view list": [[]],
    "view show": [["things"]],
    "view drop": [["things"]],
    "versions": [["things"], ["things", *KEY], ["things", "--where", WHERE], ["things", "--names", "dbt"]],
    "changes": [
        ["things"],
        ["things", "--where", WHERE],
        ["things", *KEY],
        ["things", "--key", "pk=GEHEIM", "--prefix"],
        ["things", "--key", "sk=GEHEIMwrong"],
        ["things", "--key", f"pk='{TEXTS[0]}"],
    ],
    "item_history": [["things"], ["things", *KEY], ["things", "--key", "sk=GEHEIMwrong"]],
    "diff": [
        ["things", "2026-11-01T10:01Z"],
        ["things", "2026-11-01T10:01Z", "2026-11-01T10:04Z", *KEY],
        ["things", "2026-11-01T10:01Z", "2026-11-01T10:04Z", "--against-source", "../logs", *KEY],
    ],
    "change_frequency": [
        ["things", "--by", kind] for kind in ("event", "attribute", "key", "concentration", "interval")
    ],
    "data_quality": [["things"]],
    "reconcile": [["things"], ["things", "--against", "exports"]],
    "undo": [
        ["things", "--to", "2026-11-01T10:02Z"],
        ["things", "--start", "2026-11-01T10:02Z", "--end", "2026-11-01T10:04Z"],
        ["things", "--where", WHERE, "--on-conflict", "before", "--lists", "index"],
        ["things", "--to", "2026-11-01T10:02Z", *KEY, "--out", "plan.html", "--overwrite"],
        ["things", "--key", "sk=GEHEIMwrong"],
        ["things", "--actor", TEXTS[3]],
        ["things", "--actor", f"email={TEXTS[3]}1"],
        ["things", "--to", "2026-11-01T10:02Z", "--live"],
        ["things", "--journal", "nowhere.journal"],
    ],
    "apply": [["nowhere.jsonl"], ["nowhere.jsonl", "--yes"]],
    "export": [
        [name, "things", "exported.csv", "--overwrite"]
        for name in ("latest", "changes", "history", "quality", "frequency")
    ],
    "ask": [[name, "things", *NEEDED.get(name, [])] for name in (*QUESTIONS, *questions())],
    "checkpoint": [["things"]],
    "compact": [["things"], ["things", "--again", "--archive"]],
    "store verify": [[], ["--json"]],
    "store clear": [["nowhere"], []],
    "baseline start": [["things"]],
    "baseline status": [["things"]],
    "sql": [
        ["latest_state", "things"],
        ["changes", "things", "-p", f"where={WHERE}"],
        ["hot_keys", "things"],
        ["latest_state", "things", "--estimate"],
    ],
    "table create": [["things", "s3://bucket/data/"]],
    "table show": [["things"]],
    "config": [[], ["--json"]],
    "report run": [["fails.ipynb", "-p", f"where=email = '{TEXTS[3]}'"]],
    "report describe": [["fails.ipynb"]],
    "report index": [[]],
    "demo": [],  # counts only; its notebooks are tried below
}
PLURAL = set(QUESTIONS)
GIVEN = {
    "diff": ["2026-11-01T10:01Z"],
    "changes": ["--where", WHERE],
    "item_history": KEY,
    "get": KEY,
    "stale": ["2026-11-30"],
    "transitions": ["email"],
    "trend": ["max(email)"],
    "undo": ["--start", "2026-11-01T10:02Z"],
}


def verbs(group: click.Group = main, above: str = "") -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from verbs(command, f"{above}{name} ")
        else:
            yield above + name


def test_every_verb_is_tried():
    assert sorted(verbs()) == sorted(VERBS)


def test_every_question_of_the_workbench_is_a_verb_that_is_tried():
    kinds = {kind.__name__ for kind in (Result, *Result.__subclasses__())}
    answering = {
        name
        for name, each in vars(face.Workbench).items()
        if not name.startswith("_") and callable(each) and str(each.__annotations__.get("return")) in kinds
    }
    others = {"ask", "query"}  # which take any of them by name, and SQL
    assert answering - others == set(QUESTIONS), "and each of these is in VERBS"
    assert set(QUESTIONS) <= set(VERBS)


def ran(*arguments: str) -> str:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.output + result.stderr


def written(path: Path) -> str:
    """All there is in a file, whatever its format: its bytes, its members, its cells."""
    raw = path.read_bytes()
    text = raw.decode("utf-8", "ignore")
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(io.BytesIO(raw)) as parts:
            text += "".join(parts.read(name).decode("utf-8", "ignore") for name in parts.namelist())
    if path.suffix == ".parquet":
        df = pd.read_parquet(path)
        text += df.to_csv() + repr(df.to_dict("records"))
    return text


@pytest.mark.parametrize(
    "verb", [pytest.param(verb, marks=[pytest.mark.process] * (verb == "report run")) for verb in VERBS if VERBS[verb]]
)
def test_no_verb_shows_a_masked_value(project, monkeypatch, verb):
    monkeypatch.chdir(project / "notebooks")
    for arguments in VERBS[verb]:
        clean(ran(*verb.split(), *arguments), (verb, arguments))
        if verb in PLURAL and arguments is VERBS[verb][0]:
            assert CliRunner().invoke(main, [verb, *arguments]).exit_code in (0, 3), "it answers"
        if verb in PLURAL:
            clean(ran(*verb.split(), *arguments, "--json"), (verb, arguments, "--json"))
    for path in (
        path
        for folder in ("reports", ".")
        for path in Path(folder).glob("**/*.*" if folder == "reports" else "*.*")
        if "ipynb" not in path.name or folder != "."
    ):
        clean(written(path), path)


@pytest.mark.parametrize("how", ["hash", "redact"])
@pytest.mark.parametrize("kind", ["parquet", "csv", "xlsx", "json"])
def test_no_file_holds_a_masked_value_nor_does_the_one_beside_it(project, monkeypatch, tmp_path, kind, how):
    monkeypatch.chdir(project / "notebooks")
    for verb in sorted(PLURAL - {"reconcile"}):
        arguments = GIVEN.get(verb, [])
        out = tmp_path / f"{verb}.{kind}"
        more = ["--nested"] if verb == "latest_state" else []
        clean(ran(verb, "things", *arguments, "--out", str(out), "--mask-with", how, *more), verb)
        clean(written(out) + Path(f"{out}.meta.json").read_text(), (verb, kind))


@pytest.mark.process
@pytest.mark.parametrize(
    "name", ["own", "00_explore", "02_latest_state", "03_change_frequency", "04_item_history", "05_data_quality"]
)
def test_no_report_and_no_executed_notebook_shows_a_masked_value(project, monkeypatch, tmp_path, name):
    monkeypatch.chdir(project)  # beside the notebooks' own folder
    path = project / "notebooks" / "own.ipynb" if name == "own" else NOTEBOOKS / f"{name}.ipynb"
    given = {
        "own": ["-p", f"key=pk={TEXTS[0]} sk={NUMBERS[0]}", "-p", f"where={WHERE}"],
        "04_item_history": ["-p", "table=things", "-p", f"key=pk={TEXTS[0]} sk={NUMBERS[0]}"],
    }
    output = ran("report", "run", str(path), *given.get(name, ["-p", "table=things"]), "--out", str(tmp_path))
    clean(output, name)
    (page,) = tmp_path.glob("*/*/report.html")
    assert "This report is not complete" not in page.read_text(), output
    for made in tmp_path.rglob("*.*"):
        if made.suffix != ".png":  # the same is in the .svg beside it, as text
            text = re.sub(r'data:image/[a-z+]+;base64,[^"]*|"image/png": "[^"]*"', "", written(made))
            clean(text, made.name)


def test_nothing_of_python_shows_a_masked_value(project, monkeypatch):
    monkeypatch.chdir(project)
    wb = Workbench()
    for told in (
        wb.latest_state("things", where=WHERE),
        wb.changes("things", key={"pk": TEXTS[0]}),
        wb.item_history("things"),
        wb.diff("things", "2026-11-01T10:01Z"),
        wb.data_quality("things"),
        wb.change_frequency("things", by="key"),
    ):
        html = told._repr_html_()
        clean(repr(told) + str(told) + html + str(vars(told)) + told.summary, type(told))
        assert len(told.df)
    for ask in (
        lambda: wb.latest_state("things", where=f"email = '{TEXTS[3]}' ><"),
        lambda: wb.sql("changes", "things", where=WHERE),
        lambda: wb.item_history("things", {"sk": TEXTS[0]}),
        lambda: wb.item_history("things", TEXTS[0]),
    ):
        with pytest.raises(Exception) as error:
            ask()
        clean(str(error.value), error.value)


@pytest.mark.parametrize("how", ["hash", "redact"])
def test_the_order_of_rows_tells_nothing_of_masked_keys(tmp_path, how):
    names = [f"key-{n:02}" for n in range(30)]
    made = []
    for n, name in enumerate(names):  # in the order of keys, nothing else is in an order
        states = [{"pk": {"S": name}, "n": {"N": str(100 + (n * step) % 31)}} for step in (11, 13)]
        made += chain({"pk": {"S": name}}, [(T0 + (n * 7) % 30, states[0]), (T0 + 10**6, states[1])])
    log = write_log(tmp_path, made)

    def rows(**mask) -> list[list]:
        wb = Workbench(log, home=tmp_path / "home", **mask)
        each = [
            wb.latest_state("things"),
            wb.item_history("things", [{"pk": name} for name in names]),
            wb.diff("things", "2026-11-01T10:00:00.5Z"),
            wb.change_frequency("things", by="key", limit=99),
            wb.changes("things", start="2026-11-01T10:00:00.9Z"),
        ]
        assert wb.changes("things").df["ts"].is_monotonic_increasing
        return [
            told.df[[name for name in told.df if name.split(".")[-1] != "pk"]].astype(str).to_numpy().tolist()
            for told in each
        ]

    clear, hidden, other = rows(), rows(mask=("pk",), mask_with=how), rows(mask=("email",), mask_with=how)
    for one, two, three in zip(clear, hidden, other, strict=True):
        assert one != two
        assert sorted(one) == sorted(two), "the same rows"
        assert one == three
    if how == "hash":
        shown = Workbench(log, mask=("pk",), home=tmp_path / "home").latest_state("things").df
        assert shown["pk"].is_monotonic_increasing, "by what is seen"


@pytest.mark.parametrize("kind", ["csv", "json"])
def test_rows_are_ordered_anew_in_a_file_that_alone_is_masked(tmp_path, kind):
    made = [
        each
        for n in range(20)
        for each in chain({"pk": {"S": f"k{n:02}"}}, [(T0 + (n * 7) % 20, {"pk": {"S": f"k{n:02}"}})])
    ]
    told = Workbench(write_log(tmp_path / "log", made), home=tmp_path / "home").latest_state("things")
    path = told.write(tmp_path / f"out.{kind}", mask="pk", mask_with="redact")
    times = (pd.read_csv(path) if kind == "csv" else pd.read_json(path))["_changed_at"].astype(str).to_list()
    assert times == sorted(times)
    assert times != told.df["_changed_at"].astype(str).to_list()


def test_a_mask_of_the_command_line_holds_on_the_terminal_too_and_beside_the_settings(project, monkeypatch, tmp_path):
    log = write_log(tmp_path, chain({"pk": {"S": "a"}}, [(T0, {"pk": {"S": "a"}, "x": {"S": "GEHEIMemail"}})]))
    monkeypatch.chdir(project)
    shown = ran("latest", "things", "--from", str(log), "--mask", "x")
    assert shown.count("[masked]") == 2
    clean(shown, "latest")


def test_a_mask_that_applies_to_nothing_is_said_and_one_that_applies_is_not(tmp_path):
    log = write_log(tmp_path, chain({"pk": {"S": "a"}}, [(T0, {"pk": {"S": "a"}, "email": {"S": "x"}})]))
    wb = Workbench(log, mask=("emial", "email"), home=tmp_path / "home")
    for told in (
        wb.latest_state("things"),
        wb.changes("things"),
        wb.data_quality("things"),
        wb.versions("things"),
        wb.query("select count(*) from things"),
        wb.transitions("things", "pk"),
        wb.trend("things", "count(*)"),
        wb.lifetimes("things"),
        wb.profile("things"),
    ):
        assert [note for note in told.stats.notes if "mask " in note] == ["the mask emial applies to nothing here"]
    assert "mask" not in wb.latest_state("things", where="email = 'none'").summary, "which holds of no item"
