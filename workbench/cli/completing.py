"""What the shell offers when Tab is pressed: tables, attributes, keys, questions, parameters, notebooks and files.

It must be quick, silent and free: tables of the lake are its folders, and all else was noted in `home` when it was
shown (`note`); no log is read for it, no AWS is asked, and whatever goes wrong, nothing is offered.
"""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from workbench.text import plain
from workbench.vocabulary import ALIASES, QUESTIONS, question_name

if TYPE_CHECKING:
    from workbench.config import Settings
    from workbench.questions.result import Result

FILE = "completion.json"
"""The file in `home` of what was shown: by the place asked, its tables, and of each its attributes and key."""
_MOST = 2_000  # names kept of a kind
_TYPED = re.compile(r"[\w.\[\]@#%+:,/-]+")  # what needs no quotes, in any shell
_DECLARED = re.compile(r"^(\w+)\s*:", re.MULTILINE)
Offer = Callable[[click.Context, str], Iterable[str]]
Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _offers(offer: Offer) -> Completer:
    """Make a completer of click's: of what is offered, the names that begin as what is typed and can be typed."""

    @wraps(offer)
    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        try:
            names = list(dict.fromkeys(offer(ctx, incomplete)))
        except Exception:  # whoever types is not told of errors between two keys
            return []
        found = [name for name in names if name.startswith(incomplete)]
        return [CompletionItem(name) for name in found if _TYPED.fullmatch(name.rstrip("=")) and plain(name) == name]

    return complete


def files(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Have the shell offer files."""
    return [CompletionItem(incomplete, type="file")]


@_offers
def tables(ctx: click.Context, incomplete: str) -> Iterable[str]:
    """Offer the tables of the lake, or those that were shown of another place."""
    return _tables(_settings(ctx))


@_offers
def attributes(ctx: click.Context, incomplete: str) -> Iterable[str]:
    """Offer the attributes of the table; of an expression or a condition, as its first word."""
    return _noted_table(ctx).get("attributes", [])


@_offers
def columns(ctx: click.Context, incomplete: str) -> Iterable[str]:
    """Offer columns of an answer, one after the other with commas between."""
    from workbench.questions.columns import CHANGE, COMPARISON, HISTORY, VERSION

    own: Mapping[str, Iterable[str]] = {
        "changes": CHANGE,
        "versions": VERSION,
        "item_history": HISTORY,
        "diff": COMPARISON,
        "latest_state": ["_changed_at"],
        "stale": ["_changed_at"],
    }
    named, comma, _ = incomplete.rpartition(",")
    taken = set(named.split(","))
    noted = _noted_table(ctx)
    names = [*noted.get("keys", []), *noted.get("attributes", []), *own.get(_question(ctx), ())]
    return [f"{named}{comma}{name}" for name in names if name not in taken]


@_offers
def keys(ctx: click.Context, incomplete: str) -> Iterable[str]:
    """Offer the key attributes of the table, for a value to be written behind."""
    return [f"{name}=" for name in _noted_table(ctx).get("keys", [])]


@_offers
def questions(ctx: click.Context, incomplete: str) -> Iterable[str]:
    """Offer the questions, also by their shorter names and those that have a `.sql` file only."""
    files = (Path(__file__).parents[1] / "sql").glob("*.sql")
    return sorted({*QUESTIONS, *ALIASES, *(file.stem for file in files)})


@_offers
def parameters(ctx: click.Context, incomplete: str) -> Iterable[str]:
    """Offer the parameters of the question, or of the notebook, for a value to be written behind."""
    if names := _given(ctx, "names"):
        suite = _suite()
        return [f"{name}=" for each in names for name in _declared(suite.get(each, each))]
    question = _question(ctx)
    command = ctx.find_root().command
    verb = command.commands.get(question) if isinstance(command, click.Group) else None
    if verb and question in QUESTIONS:
        from workbench.cli.options import OF_ANSWERS, ROWS

        others = {*OF_ANSWERS, "table", "key", "prefix"}
        return [f"{each.name}=" for each in verb.params if each.name not in others and each.metavar != ROWS]
    head = (Path(__file__).parents[1] / "sql" / f"{question}.sql").read_text("utf-8")
    return [f"{name}=" for name in re.findall(r"^--\s+:(\w+) ", head, re.MULTILINE)]


@_offers
def notebooks(ctx: click.Context, incomplete: str) -> Iterable[str]:
    """Offer the notebooks here and those that come with the package, and the reports of the suite."""
    named = {file.stem for folder in _notebook_folders() for file in folder.glob("*.ipynb")}
    return [*sorted(named | _suite().keys()), *(str(path) for path in Path().glob(f"{incomplete}*.ipynb"))]


def note(settings: Settings, result: Result) -> None:
    """Note the attributes and the key that an answer showed, for them to be offered."""
    question = result.asked.get("question")
    names = list(result)
    if question == "changes":
        names = [name[4:] for name in names if name.startswith(("new.", "old."))]
    elif question in ("latest_state", "stale", "get"):
        names = [name for name in names if name not in ("_changed_at", "_deleted_at", "_by_ttl")]
    else:
        return
    _note(settings, str(result.asked["table"]), [name for name in names if name not in result.keys], result.keys)


def note_tables(settings: Settings, names: Iterable[str]) -> None:
    """Note which tables there are."""
    for name in list(names)[:_MOST]:
        _note(settings, name, (), ())


def _note(settings: Settings, table: str, attributes: Sequence[str], keys: Sequence[str]) -> None:
    with suppress(OSError, ValueError, AttributeError, TypeError):
        known, place = _read(settings), _place(settings)
        about = known.get(place, {}).get(table, {})
        more = {
            "attributes": sorted({*about.get("attributes", []), *attributes})[:_MOST],
            "keys": list(keys) or about.get("keys", []),
        }
        if more == about or not settings.home.is_dir():
            return
        from workbench.paths import write_atomically

        known.setdefault(place, {})[table] = more
        with write_atomically(settings.home / FILE) as part:
            part.touch(0o600)
            part.write_text(json.dumps(known), "utf-8", "backslashreplace")


def _given(ctx: click.Context, name: str) -> Any:
    """Return a positional argument; behind an option without its value click has not told them apart yet."""
    if value := ctx.params.get(name):
        return value
    places = [each for each in ctx.command.params if isinstance(each, click.Argument)]
    for place, each in enumerate(places):
        if each.name == name:
            return ctx.args if each.nargs == -1 else next(iter(ctx.args[place : place + 1]), None)
    return None


def _settings(ctx: click.Context) -> Settings:
    from workbench.config import CONFIG, load_settings

    given = {name: value for name, value in ctx.find_root().params.items() if name not in ("debug", "file")}
    if file := ctx.find_root().params.get("file"):
        os.environ[CONFIG] = str(Path(file).absolute())
    return load_settings(source=ctx.params.get("source"), **given)


def _read(settings: Settings) -> dict[str, Any]:
    try:
        known = json.loads((settings.home / FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def _place(settings: Settings) -> str:
    """Name what is asked: a database, a source, or the lake."""
    if settings.engine == "athena":
        return f"athena {settings.profile or ''} {settings.region or ''} {settings.database or ''}"
    return f"source {settings.source}" if settings.source else "lake"


def _tables(settings: Settings) -> list[str]:
    if _place(settings) == "lake":
        return sorted(folder.name for folder in (settings.lake / "data").iterdir() if folder.is_dir())
    return sorted(_read(settings).get(_place(settings), {}))


def _noted_table(ctx: click.Context) -> dict[str, list[str]]:
    settings = _settings(ctx)
    noted = _read(settings).get(_place(settings), {}).get(_given(ctx, "table"), {})
    return noted if isinstance(noted, dict) else {}


def _question(ctx: click.Context) -> str:
    return question_name(str(_given(ctx, "question") or ctx.info_name))


def _notebook_folders() -> list[Path]:
    package = Path(__file__).parents[1]
    return [Path("notebooks"), package / "notebooks", package.parent / "notebooks"]


def _suite() -> dict[str, str]:
    """Return the notebooks of the suite here, by the names of its reports and of their runs."""
    with suppress(OSError, ValueError, AttributeError, KeyError, TypeError):
        content = tomllib.loads(Path("reports.toml").read_text("utf-8"))
        tables = content.get("defaults", {}).get("tables", [])
        return {
            run: each["notebook"]
            for name, each in content["reports"].items()
            for run in (name, *(f"{name}-{table}" for table in each.get("tables", tables)))
        }
    return {}


def _declared(notebook: str) -> list[str]:
    """Return the parameters that a notebook declares."""
    places = [Path(notebook), *(folder / f"{notebook}.ipynb" for folder in _notebook_folders())]
    cells = json.loads(next(place for place in places if place.is_file()).read_text("utf-8"))["cells"]
    tagged = [cell for cell in cells if "parameters" in cell["metadata"].get("tags", [])]
    return [name for cell in tagged for name in _DECLARED.findall("".join(cell["source"]))]
