"""Every path a user gives goes through one place, and no name in a log is a path."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from nbformat.v4 import new_code_cell, new_notebook, writes

from tests.helpers.logs import chain, micros, record, write_log
from workbench import paths
from workbench.cli import main
from workbench.errors import ConfigError, ExportError, ParameterError
from workbench.text import file_name
from workbench.workbench import Workbench

T0 = micros("2026-11-01T10:00:00")


@pytest.fixture
def here(tmp_path, monkeypatch) -> Path:
    """A working folder with a home folder beside it, and nothing else."""
    (tmp_path / "work").mkdir()
    (tmp_path / "home").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path


def ran(*arguments: str, code: int = 1) -> str:
    result = CliRunner().invoke(main, list(arguments))
    assert result.exit_code == code, result.output
    return result.output


def below(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


# --- files that are written


def test_a_file_is_there_whole_or_not_at_all(tmp_path):
    target = tmp_path / "new" / "file.txt"
    with paths.write_atomically(target) as part:
        part.write_text("first")
        assert not target.exists()
        assert part.parent == target.parent
        assert paths.is_hidden(part.name)
        assert part.match(paths.UNFINISHED)
    with pytest.raises(UnicodeEncodeError), paths.write_atomically(target) as part:
        part.write_text("half" + "\ud800", encoding="utf-8")
    assert target.read_text() == "first"
    assert below(tmp_path) == ["new", "new/file.txt"]


def test_two_that_write_one_file_never_share_what_is_not_whole(tmp_path):
    target = tmp_path / "file.txt"
    with paths.write_atomically(target) as one, paths.write_atomically(target) as other:
        one.write_text("one")
        other.write_text("other")
    assert target.read_text() == "one"  # whose block ended last
    assert below(tmp_path) == ["file.txt"]


def test_a_file_in_a_folder_that_was_removed_stays_unwritten_where_that_is_meant(tmp_path):
    with (
        pytest.raises(FileNotFoundError),
        paths.write_atomically(tmp_path / "gone" / "file", make_folder=False) as part,
    ):
        part.write_text("late")
    assert below(tmp_path) == []


def test_the_longest_name_can_be_written(tmp_path):
    with paths.write_atomically(tmp_path / ("n" * 255)) as part:
        part.write_text("whole")
    assert below(tmp_path) == ["n" * 255]


def test_only_one_place_in_the_package_replaces_files():
    package = Path(paths.__file__).parent
    replacing = {
        path.relative_to(package).as_posix()
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and ast.unparse(node) in {"os.replace", "os.rename", "shutil.move"}
    }
    assert replacing == {"paths.py", "reports/runs.py"}  # a run is a folder, which replaces nothing


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("s3://bucket", ("bucket", "")),
        ("s3://bucket/", ("bucket", "")),
        ("s3://bucket/data/persons/", ("bucket", "data/persons/")),
        ("s3://bucket/a//b", ("bucket", "a//b")),
    ],
)
def test_a_place_in_s3_is_split(uri, parts):
    assert paths.split_s3_uri(uri) == parts


@pytest.mark.parametrize("uri", ["bucket/key", "s3:///key", "s3:/bucket/key", "https://bucket/key", ""])
def test_what_is_no_place_in_s3_is_named(uri):
    with pytest.raises(ParameterError, match=re.escape(f"{uri} is no place in S3: write it like s3://bucket/prefix/")):
        paths.split_s3_uri(uri)


# --- paths that are given


def test_a_path_knows_the_home_folder_and_file_addresses(here):
    assert paths.local_path("~/logs") == here / "home" / "logs"
    assert paths.local_path("file:///logs/a%20b") == Path("/logs/a b")
    assert paths.local_path("file://localhost/logs") == Path("/logs")
    assert paths.local_path(r"C:\logs") == Path(r"C:\logs")


@pytest.mark.parametrize(
    "given",
    [
        "s3://bucket/key",
        "s3:/bucket/key",
        "S3://bucket",
        "http://x/y",
        "abfss://a@b/c",
        "file://elsewhere/x",
        "file://[::1",
        "a\0b",
        "~nobody-of-this-name/x",
    ],
)
def test_what_is_no_path_of_this_machine_is_refused_in_a_line(given):
    with pytest.raises(ParameterError) as error:
        paths.local_path(given)
    assert "\n" not in str(error.value)


def test_the_home_of_the_lake_may_be_in_the_home_folder_and_no_folder_called_so_is_made(here):
    write_log(
        here / "home" / "lake" / "lake" / "data" / "things", chain({"pk": {"S": "a"}}, [(T0, {"pk": {"S": "a"}})])
    )
    assert len(Workbench(home="~/lake").latest_state("things").df) == 1
    Workbench(home="~/lake", checkpoints="~/kept").checkpoint("things")
    assert (here / "home" / "kept" / "things").is_dir()
    assert below(here / "work") == []


def test_a_home_or_checkpoints_in_s3_is_refused_by_the_embedded_engine(here):
    with pytest.raises(ConfigError, match="s3://bucket/lake"):
        Workbench(home="s3://bucket/lake")
    with pytest.raises(ConfigError, match="set checkpoints to a folder"):
        Workbench(checkpoints="s3://bucket/kept")
    assert below(here / "work") == []


@pytest.mark.parametrize(
    "verb",
    [
        ("report", "run", "nb.ipynb", "--out", "s3://bucket/reports"),
        ("report", "run", "nb.ipynb", "--out", "http://x/reports"),
        ("baseline", "start", "persons", "--to", "s3://bucket/exports"),
        ("demo", "--out", "s3://bucket/reports"),
        ("latest", "persons", "--out", "s3://bucket/x.csv"),
        ("latest", "persons", "--out", "ftp://bucket/x.csv"),
        ("latest", "persons", "--out", "s3:/bucket/x.csv"),
    ],
)
def test_an_output_the_embedded_engine_cannot_write_is_refused_and_nothing_is_written(here, verb):
    Path("nb.ipynb").write_text(writes(new_notebook(cells=[new_code_cell("1")])))
    ran("generate", "persons", "--items", "3", "--changes", "5", code=0)
    before = below(here / "work")
    output = ran(*verb)
    assert output.startswith("Error: ")
    assert output.count("\n") == 1
    assert [path for path in below(here / "work") if "spill" not in path] == before


@pytest.mark.process
def test_reports_go_to_the_home_folder_and_a_reports_name_stays_one_file_name(here):
    Path("nb.ipynb").write_text(writes(new_notebook(cells=[new_code_cell("1")])))
    ran("report", "run", "nb.ipynb", "--out", "~/reports", "--name", "../a:b/c", code=0)
    (run,) = (here / "home" / "reports").glob("*/*/")
    assert run.parent.name == "%2E.%2Fa%3Ab%2Fc"
    assert below(run) == ["notebook.ipynb", "report.html", "run.json"]
    assert below(here / "work") == ["nb.ipynb"]


@pytest.mark.process
def test_a_report_is_uploaded_when_it_is_whole(here, aws_server, monkeypatch):
    import boto3

    for name, value in {
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
        "WORKBENCH_ENGINE": "athena",
        "WORKBENCH_REGION": "eu-central-1",
        "WORKBENCH_ENDPOINT": aws_server,
    }.items():
        monkeypatch.setenv(name, value)
    s3 = boto3.client("s3", endpoint_url=aws_server, region_name="eu-central-1")
    s3.create_bucket(Bucket="of-reports", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    Path("nb.ipynb").write_text(writes(new_notebook(cells=[new_code_cell("print('found')")])))
    ran("report", "run", "nb.ipynb", "--out", "s3://of-reports/daily/", code=0)
    index, *names = [each["Key"] for each in s3.list_objects_v2(Bucket="of-reports")["Contents"]]
    run = names[0].rpartition("/")[0]
    assert index == "daily/index.html"
    assert re.fullmatch(r"daily/nb/[0-9T-]{19}Z", run)
    assert names == [f"{run}/{name}" for name in ("notebook.ipynb", "report.html", "run.json")]
    assert b"found" in s3.get_object(Bucket="of-reports", Key=f"{run}/report.html")["Body"].read()
    assert below(here / "work") == ["nb.ipynb"]


def test_an_object_needs_a_key():
    with pytest.raises(ExportError, match="s3://bucket/key"):
        paths.writable("s3://bucket/", None)


# --- names that a log tells


@pytest.mark.parametrize("name", ["../../../escaped", "/tmp/escaped", "x" * 300, "..", "é☃" * 90, "a:b*?[c]", ".x"])
def test_a_tables_name_is_no_path_and_every_question_of_it_is_answered(tmp_path, name):
    made = [record("INSERT", {"pk": {"S": key}}, T0, new={"pk": {"S": key}}, table=name) for key in "ab"]
    other = [record("INSERT", {"pk": {"S": "z"}}, T0, new={"pk": {"S": "z"}}, table="other")]
    write_log(tmp_path / "deep" / "log", [*made, *other], "raw")
    wb = Workbench(tmp_path / "deep" / "log", home=tmp_path / "deep" / "home")
    assert len(wb.latest_state(name).df) == 2
    place = Path(wb.checkpoint(name).place)
    assert place.parent.parent == tmp_path / "deep" / "home" / "checkpoints"
    again = wb.latest_state(name)
    assert len(again.df) == 2
    assert "checkpoint" in again.stats.notes[0]
    assert {path.name for path in tmp_path.iterdir()} == {"deep"}


def test_a_checkpoint_of_another_table_in_the_same_folder_is_not_taken(tmp_path, monkeypatch):
    """As where a file system takes Things and things for one."""
    monkeypatch.setattr("workbench.log.checkpoints.file_name", str.lower)
    for name in ("Things", "things"):
        key = {"pk": {"S": name}}
        write_log(tmp_path / "log", [record("INSERT", key, T0, new=key, table=name)], "raw", name)
    wb = Workbench(tmp_path / "log", home=tmp_path / "home")
    wb.checkpoint("Things")
    assert wb.latest_state("things").df["pk"].to_list() == ["things"]


@given(st.text(min_size=1), st.text(min_size=1))
def test_a_file_name_is_one_name_and_no_two_names_have_the_same(one, other):
    made = file_name(one)
    assert not set(made) & set('/\\:*?"<>|\0\n')
    assert made[0] not in ". "
    assert made[-1] not in ". "
    assert len(made.encode()) <= 200
    assert (made == file_name(other)) is (one == other)


@pytest.mark.parametrize("name", ["orders", "Orders-2026.v1", "a_b", "x" * 200])
def test_the_name_of_a_table_of_dynamodb_stays(name):
    assert file_name(name) == name
