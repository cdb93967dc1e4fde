"""A suite: the reports that a file `reports.toml` names, with their notebooks, parameters, windows and alerts.

All of it is checked, and every window resolved against one instant, before the first report runs.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool, StrictFloat, StrictInt
from pydantic import ValidationError as Invalid

from workbench import paths
from workbench.config import Settings, find_file
from workbench.errors import ConfigError, ParameterError, WorkbenchError, did_you_mean
from workbench.model.masked_values import REDACTED
from workbench.model.times import duration, zone_of
from workbench.reports.alerts import Rule, parse
from workbench.reports.notebook import notebook_of, read_notebook
from workbench.reports.parameters import as_text, coerce_all, read_parameters
from workbench.reports.record import RunRecord, Window
from workbench.reports.window import parameters_of, resolve, takes_window
from workbench.text import file_name

FILE = "reports.toml"
NO_WINDOW = "none"
TIMEOUT = 600
"""Seconds a cell may take, where nobody says so."""


def _zone(name: str) -> str:
    return zone_of(name).key


def _length(text: str) -> str:
    duration(text)
    return text


def _rules(given: object) -> object:
    return [given] if isinstance(given, str) else given


def _rule(text: str) -> str:
    parse(text)
    return text


def _window(text: str) -> str:
    if text != NO_WINDOW:
        resolve(text, datetime.fromisoformat("2026-11-20T12:00:00Z"))  # whether it is one does not hang on when
    return text


def _as_text(given: object) -> object:
    """Write the dates and instants that TOML has as parameters take them."""
    return as_text(given) if isinstance(given, date) else given


Words = Annotated[str, Field(strict=True)]
Scalar = Annotated[StrictBool | StrictInt | StrictFloat | Words, BeforeValidator(_as_text)]


class Defaults(BaseModel):
    """What holds for each report of a suite that does not say otherwise."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    window: Annotated[Words, AfterValidator(_window)] | None = None
    """The window the report tells of, such as ``yesterday`` or ``-7d``; ``none`` keeps it from ``--for`` too."""
    timezone: Annotated[Words, AfterValidator(_zone)] | None = None
    """Whose days and weeks windows are; a notebook with a parameter ``timezone`` gets it too. Without it, UTC."""
    tables: list[Words] = []
    """One run for each, whose name is the report's, ``-``, and the table's; the notebook gets it as ``table``."""
    parameters: dict[str, Scalar | list[Scalar]] = {}
    """Parameters of the notebook, and settings; a report's own are put to those of the defaults."""
    alert: Annotated[list[Annotated[Words, AfterValidator(_rule)]], BeforeValidator(_rules)] = []
    """Rules on headlines, such as ``deletes > 5%`` or ``changes drops 50%``: one, or a list."""
    max_age: Annotated[Words, AfterValidator(_length)] | None = None
    """How old the newest change that was read may be when the run starts, such as ``6h``."""
    timeout: Annotated[int, Field(strict=True, ge=1)] = TIMEOUT
    """Seconds a cell may take."""


class Entry(Defaults):
    """A report of a suite."""

    notebook: Words
    """A path from the file's folder, or the name of a notebook in ``notebooks/`` there, or of one that is shipped."""


class _File(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    defaults: Defaults = Defaults()
    reports: dict[str, Entry] = Field(min_length=1)


@dataclass(frozen=True)
class Planned:
    """A run that is to be made.

    Attributes
    ----------
    name
        Of its folder, below that of all reports.
    notebook
        The file.
    parameters
        What it is given, the window's instants included; settings too.
    window
        What it tells of; None for all there is.
    rules, max_age
        What it is held to.
    timeout
        Seconds a cell may take.
    """

    name: str
    notebook: Path
    parameters: Mapping[str, Any] = field(default_factory=dict)
    window: Window | None = None
    rules: tuple[Rule, ...] = ()
    max_age: timedelta | None = None
    timeout: int = TIMEOUT


class Suite:
    """The reports of a file; make one with `read_suite`.

    Attributes
    ----------
    file
        That file.
    """

    def __init__(self, file: Path, content: _File) -> None:
        self.file = file
        self._defaults = content.defaults
        self._own = content.reports
        self._entries = {
            name: entry.model_copy(
                update={
                    each: getattr(self._defaults, each)
                    for each in Defaults.model_fields.keys() - entry.model_fields_set
                }
            )
            for name, entry in self._own.items()
        }
        self._runs = {name: _runs_of(name, entry) for name, entry in self._entries.items()}
        folders: dict[str, str] = {}
        for run in (run for runs in self._runs.values() for run in runs):
            same = folders.setdefault(file_name(run).casefold(), run)
            if not run.strip() or same is not run:
                raise ConfigError(
                    f"two runs would be called {run!r}: choose other names of reports"
                    if run.strip()
                    else "a report has no name"
                )

    def __contains__(self, name: str) -> bool:
        return name in self.names

    @property
    def names(self) -> list[str]:
        """What may be chosen: the reports, and of one on several tables each run."""
        return [*self._runs, *(run for name, runs in self._runs.items() for run in runs if run != name)]

    def plan(
        self,
        at: datetime,
        names: Iterable[str] = (),
        *,
        asked: str | None = None,
        timezone: str | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> list[Planned]:
        """Return the runs to make, each checked as far as it can be before it runs.

        Parameters
        ----------
        at
            Now, for all windows.
        names
            Reports, and runs of them by their whole names; all without any.
        asked, timezone
            The window that takes the place of all others, and whose days it has.
        parameters
            Given to each of them, before what the file says.

        Raises
        ------
        ConfigError, ParameterError, ReportError
            Naming the file and the report: there is no such notebook, parameter or window.
        """
        chosen = list(names)
        for name in chosen:
            if name not in self:
                raise ConfigError(f"{self.file} has no report {name!r}.{did_you_mean(name, self.names)}")
        if not chosen:
            self._refuse_what_holds_nowhere()
        planned = []
        for name, runs in self._runs.items():
            for run, table in runs.items():
                if not chosen or {name, run} & set(chosen):
                    with _named(f"{self.file}, reports.{name}"):
                        given = self._given(name, table)
                        if timezone is not None:
                            given.pop("timezone", None)
                        given |= parameters or {}
                        planned.append(self._planned(run, name, given, at, asked, timezone))
        return planned

    def _planned(
        self, run: str, name: str, given: dict[str, Any], at: datetime, asked: str | None, timezone: str | None
    ) -> Planned:
        entry = self._entries[name]
        return plan_run(
            run,
            notebook_of(entry.notebook, self.file.parent),
            given,
            at,
            None if entry.window == NO_WINDOW else asked or entry.window,
            timezone or entry.timezone,
            where_taken=asked is None and "window" not in self._own[name].model_fields_set,
            rules=entry.alert,
            max_age=entry.max_age,
            timeout=entry.timeout,
        )

    def _given(self, name: str, table: str | None) -> dict[str, Any]:
        """Return what a report gives its notebook: of the parameters of the defaults, those it takes."""
        own = self._own[name].parameters
        if table is not None and "table" in own:
            raise ParameterError("it has tables, and a parameter table beside them: leave one out")
        taken = self._taken_by(name)
        given = {key: value for key, value in self._defaults.parameters.items() if key in taken} | own
        return {**given, **({} if table is None else {"table": table})}

    def _taken_by(self, name: str) -> set[str]:
        """Return the names of the parameters that the notebook of a report takes, settings included."""
        notebook = notebook_of(self._own[name].notebook, self.file.parent)
        declared = read_parameters(read_notebook(notebook), notebook)
        return {parameter.name for parameter in declared} | Settings.model_fields.keys()

    def _refuse_what_holds_nowhere(self) -> None:
        taken: set[str] = set()
        for name in self._own:
            with _named(f"{self.file}, reports.{name}"):
                taken |= self._taken_by(name)
        for key in self._defaults.parameters:
            if key not in taken:
                raise ConfigError(
                    f"{self.file}, defaults.parameters: no notebook has a parameter {key!r}.{did_you_mean(key, taken)}"
                )


def find_suite() -> Path | None:
    """Return the file of the suite: the one in the working folder, else beside the file of settings that holds here."""
    settings = find_file()
    folders = [Path.cwd(), *([settings.parent] if settings else [])]
    return next((folder / FILE for folder in folders if (folder / FILE).is_file()), None)


def read_suite(file: str | Path) -> Suite:
    """Read a file of reports.

    Raises
    ------
    ConfigError
        In one line, naming the file and the place in it: it is missing, no TOML, or has an unknown key, or a value that
        does not do.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     file = Path(folder, "reports.toml")
    ...     _ = file.write_text('[reports.daily]\\nnotebook = "03_change_frequency"\\ntables = ["persons", "orders"]')
    ...     read_suite(file).names
    ['daily', 'daily-persons', 'daily-orders']
    """
    path = paths.local_path(file, ConfigError, "a suite is a file of this machine")
    if not path.is_file():
        raise ConfigError(f"there is no file of reports {path}: write one, docs/reports.md says how")
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from error
    try:
        return Suite(path, _File.model_validate(content))
    except Invalid as error:
        raise ConfigError(f"{path}: {_in_words(error)}") from error
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error


def plan_run(
    name: str,
    notebook: Path,
    given: Mapping[str, Any],
    at: datetime,
    asked: str | Window | None = None,
    timezone: str | None = None,
    *,
    where_taken: bool = False,
    rules: Sequence[str] = (),
    max_age: str | None = None,
    timeout: int = TIMEOUT,
) -> Planned:
    """Plan one run: check its notebook and parameters, and resolve its window.

    Parameters
    ----------
    asked
        The window, in words or resolved.
    timezone
        Whose days it has, where no parameter ``timezone`` is given; a notebook that declares one gets it. Else UTC.
    where_taken
        Leave the window out where the notebook takes none, instead of refusing it.

    Raises
    ------
    ParameterError
        Where a parameter is unknown, or not of its type, or the window is none, or the notebook takes none.
    ReportError
        Where there is no such notebook.

    Examples
    --------
    >>> from datetime import UTC
    >>> notebook = notebook_of("02_latest_state", Path())
    >>> run = plan_run("a", notebook, {}, datetime(2026, 11, 20, tzinfo=UTC), "2026-11-01")
    >>> run.parameters
    {'compare_to': '2026-11-01T00:00:00Z', 'as_of': '2026-11-02T00:00:00Z'}
    """
    declared = {parameter.name: parameter for parameter in read_parameters(read_notebook(notebook), notebook)}
    parameters = dict(given)
    if timezone is not None and "timezone" in declared:
        parameters.setdefault("timezone", timezone)
    zone = str(parameters.get("timezone") or timezone or "UTC")
    window = resolve(asked, at, zone) if isinstance(asked, str) else asked
    if window and where_taken and not takes_window(declared):
        window = None
    if window:
        parameters |= parameters_of(window, declared, parameters, notebook.name)
    own = {key: value for key, value in parameters.items() if key in declared or key not in Settings.model_fields}
    parameters |= coerce_all(own, [*declared.values()], notebook)
    age = duration(max_age).to_pytimedelta() if max_age else None
    return Planned(name, notebook, parameters, window, tuple(map(parse, rules)), age, timeout)


def plan_named(
    names: Sequence[str],
    suite: Suite | None,
    at: datetime,
    *,
    asked: str | None = None,
    timezone: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    called: str | None = None,
    timeout: int | None = None,
) -> list[Planned]:
    """Plan the reports of a suite that are named, and notebooks; without a name, the whole suite.

    Parameters
    ----------
    names
        Reports of the suite, runs of them, and notebooks: paths, or names of those in ``notebooks/`` or shipped.
    asked, timezone, parameters, timeout
        What takes the place of what the suite says: the window in words, whose days it has, parameters, seconds.
    called
        The name of the report, where it is one notebook.

    Raises
    ------
    ConfigError, ParameterError, ReportError
        Saying what does not fit; nothing was run then.
    """
    if not names and suite is None:
        raise ConfigError(f"name a notebook, or write a file {FILE}, all of whose reports run: there is none here")
    if called is not None and (len(names) != 1 or (suite and names[0] in suite)):
        raise ParameterError(f"the name {called!r} is for one notebook that is run without a suite")
    of_suite = [name for name in names if suite and name in suite]
    planned = suite.plan(at, of_suite, asked=asked, timezone=timezone, parameters=parameters) if suite else []
    if names and not of_suite:
        planned = []
    for name in names:
        if name in of_suite:
            continue
        notebook = notebook_of(name, Path())
        if suite and not notebook.is_file():
            hint = did_you_mean(name, [*suite.names, *(each.stem for each in notebook.parent.glob("*.ipynb"))])
            raise ConfigError(f"{suite.file} has no report {name!r}, and there is no notebook of this name.{hint}")
        planned.append(plan_run(called or notebook.stem, notebook, parameters or {}, at, asked, timezone))
    return _within(timeout, planned)


def plan_failed(
    records: Iterable[RunRecord],
    suite: Suite | None,
    at: datetime,
    names: Sequence[str] = (),
    *,
    timeout: int | None = None,
) -> list[Planned]:
    """Plan anew the reports whose latest run did not complete, with the parameters and the window of that run.

    Each is held to what the suite says of it now.

    Parameters
    ----------
    names
        Reports, and runs of a suite; all without any.
    timeout
        Seconds a cell may take, in the place of what the suite says.

    Raises
    ------
    ParameterError
        Where a name is of no report that has run, or a value is hidden in a record.
    """
    latest = {record.name: record for record in sorted(records, key=lambda each: each.started)}
    held = {file_name(each.name): each for each in suite.plan(at)} if suite else {}
    chosen = {file_name(name) for name in names}
    if suite:
        for name in names:
            chosen |= {file_name(each.name) for each in suite.plan(at, [name])} if name in suite else set()
    for name in names:
        if file_name(name) not in latest and not (suite and name in suite):
            raise ParameterError(f"no report {name!r} has run.{did_you_mean(name, latest)}")
    failed = [
        record
        for name, record in sorted(latest.items())
        if not record.status.complete and (not names or name in chosen)
    ]
    return _within(timeout, [_again(record, held.get(record.name), at) for record in failed])


def _within(timeout: int | None, planned: list[Planned]) -> list[Planned]:
    return planned if timeout is None else [replace(each, timeout=timeout) for each in planned]


def _again(record: RunRecord, held: Planned | None, at: datetime) -> Planned:
    given: dict[str, Any] = {name: record.parameters[name] for name in record.given}
    if hidden := [name for name, value in given.items() if value == REDACTED]:
        raise ParameterError(
            f"{record.name} cannot be run again by its record, in which {hidden[0]} is hidden: run it by its name"
        )
    if record.window:
        of_window = parameters_of(record.window, record.parameters, (), record.notebook)
        given = {name: value for name, value in given.items() if name not in of_window}
    notebook = held.notebook if held else notebook_of(record.notebook.removesuffix(".ipynb"), Path())
    with _named(f"{record.name}, run again"):
        planned = plan_run(unquote(record.name), notebook, given, at, record.window)  # its folder has the name quoted
    if held is None:
        return planned
    return replace(planned, name=held.name, rules=held.rules, max_age=held.max_age, timeout=held.timeout)


def _runs_of(name: str, entry: Entry) -> dict[str, str | None]:
    """Return the runs of a report by their names, with the table of each; None is the notebook's own choice."""
    if twice := [table for at, table in enumerate(entry.tables) if table in entry.tables[:at]]:
        raise ConfigError(f"reports.{name}.tables names {twice[0]!r} twice")
    return {f"{name}-{table}": table for table in entry.tables} if entry.tables else {name: None}


def _in_words(error: Invalid) -> str:
    errors = error.errors()
    first = next((each for each in errors if each["type"] == "extra_forbidden"), errors[0])  # then others follow of it
    where = [str(part) for part in first["loc"] if isinstance(part, str)]
    at, key = ".".join(where), where[-1] if where else ""
    if first["type"] == "extra_forbidden":
        model = _File if len(where) == 1 else Defaults if where[0] == "defaults" else Entry
        return f"there is no key {at}.{did_you_mean(key, model.model_fields)}"
    if first["type"] == "missing":
        return f"{at} is missing" + (": [reports.NAME] says what to run" if at == "reports" else "")
    message = first["msg"].removeprefix("Value error, ")
    if "parameters" in where:  # whose values may be hidden ones
        return f"{at} is no value of a parameter: it is a text, a number, true, false, a time, or a list of these"
    return f"{at} is {first['input']!r}: {message[:1].lower()}{message[1:]}"


@contextmanager
def _named(place: str) -> Iterator[None]:
    """Put a place before the message of an error of ours."""
    try:
        yield
    except WorkbenchError as error:
        raise type(error)(f"{place}: {error}") from error
