"""The questions: each a `.sql` file in this folder, whose head declares what an engine and a person must know of it.

The head is the comment before the text: the question itself, ``Parameters:`` with their types and defaults, the
``Window:`` of event time that every delivery it reads is in, the columns a ``Filter:`` is about, what it ``Reads:``,
what its ``Rows:`` are, and the ``Columns:`` it answers with. A file whose head and text disagree is refused.

>>> load_question("hot_keys").title
'Which items change most?'
>>> load_question("hot_keys").parameters["limit"]
Parameter(name='limit', type='bigint', default=20, meaning='how many items')
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from numbers import Integral
from types import MappingProxyType

from workbench.errors import ParameterError, did_you_mean
from workbench.model.times import END_OF_TIME, START_OF_TIME, instant
from workbench.sql.filters import key_schema
from workbench.sql.templates import files, fill, load, part, placeholders, words

READS = ("keys", "images", "arrivals", "repeats")
"""What a question may read of deliveries: their keys, events and times; their images; when they arrived; that a change
was delivered more than once, where its answer depends on that."""
STATE = ("keys", "ts", "event_id", "event_name", "new_image", "old_image", "by_ttl")
"""The columns of a change that decide a state."""
CHANGE = ("keys", "ts", "event_id", "event_name", "new_image", "old_image", "size_bytes", "by_ttl")
"""Those that a checkpoint keeps: a state's, and what else a change tells."""
_SQL_MADE = frozenset(
    {"deliveries", "canonical", "matching", "alive", "candidates", "latest_state", "settled_instants", "key_schema"}
)  # that `compose` fills in
_PARAMETER = re.compile(
    r":(?P<name>\w+) (?P<type>timestamp|bigint|boolean|varchar) = (?P<default>.+?)(?: {2,}(?P<meaning>.*))?"
)
_COLUMN = re.compile(r"(?P<name>\w+) (?P<type>[a-z()]+)(?: {2,}(?P<meaning>.*))?")
_WINDOW = re.compile(r"(?:from :(?P<first>\w+), )?(?:before|until) :(?P<last>\w+)")
_PLAIN = frozenset({"keys", "event_id", "event_name"})  # columns that a mask finds, or that are no attribute's
_COUNTS = frozenset({"bigint", "decimal", "double", "boolean", "timestamp"})
_FEW = {  # of questions that have a text in parts/rows: the deliveries that their own text has to look at
    "latest_state": "tied_changes",
    "chosen_chains": "",
    "changes": "(select * from {deliveries} as log where event_id in (select event_id from repeated))",
    "delivery": "",
    "record_sizes": "",
    "versions": "",
}
_ENGINES = frozenset({"question", "table", "where", "over", "after"})  # parameters of `Engine.ask`
_COLUMNS_READ = {"new_image": "images", "old_image": "images", "arrival": "arrivals"}
_TIMES = {"beginning": START_OF_TIME, "end": END_OF_TIME}
_SECTIONS = "Parameters, Window, Filter, Reads, Rows, Columns"
_SECTION = re.compile(rf"(?P<name>{_SECTIONS.replace(', ', '|')}):(?: (?P<text>.*))?")


@dataclass(frozen=True)
class Parameter:
    """A ``:value`` that a question takes."""

    name: str
    type: str
    """timestamp (UTC), bigint, boolean or varchar."""
    default: object
    meaning: str = ""

    def value(self, given: object) -> object:
        """Return a value that is given, also as text, as one of its type.

        Raises
        ------
        ParameterError
            Where the text is none.
        """
        if self.type == "timestamp":
            return instant(given)  # type: ignore[arg-type]
        if self.type == "varchar":
            if isinstance(given, str):
                return given
            raise ParameterError(f"{self.name} is {given!r}: it must be a text")
        if self.type == "boolean" and isinstance(given, bool):
            return given
        if self.type == "bigint" and isinstance(given, Integral) and not isinstance(given, bool) and int(given) >= 0:
            return int(given)
        if self.type == "boolean" and given in ("true", "false"):
            return given == "true"
        if self.type == "bigint" and isinstance(given, str) and re.fullmatch("[0-9]{1,18}", given):
            return int(given)
        wanted = "true or false" if self.type == "boolean" else "a whole number"
        raise ParameterError(f"{self.name} is {given!r}: it must be {wanted}")


@dataclass(frozen=True)
class Column:
    """A column of a question's answer."""

    name: str
    type: str
    """In Athena's dialect; ``any`` where engines differ."""
    meaning: str = ""


@dataclass(frozen=True)
class EventWindow:
    """The window of event time that every delivery a question reads is in."""

    last: str
    """The parameter that says where it ends."""
    first: str | None = None
    """The parameter that says where it begins; None where the question reads all that was before."""


@dataclass(frozen=True)
class Question:
    """A question that engines answer: its text, and what its head declares."""

    name: str
    text: str
    """In Athena's dialect, with ``:values`` and ``{identifiers}`` to be filled in."""
    title: str = ""
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    window: EventWindow | None = None
    filters: tuple[str, ...] = ()
    """The columns of images that its filter is about; none where it takes no filter."""
    reads: frozenset[str] = frozenset({"keys"})
    """Some of `READS`."""
    rows: str = ""
    columns: tuple[Column, ...] = ()
    notes: str = ""
    state: tuple[str, ...] = ()
    """The columns of changes it needs where it is about states, and begins with the changes that can decide one."""

    @property
    def images(self) -> bool:
        """Whether it reads images."""
        return "images" in self.reads

    @property
    def arrivals(self) -> bool:
        """Whether it reads when deliveries arrived."""
        return "arrivals" in self.reads

    @property
    def repeats(self) -> bool:
        """Whether its answer depends on how often a change was delivered."""
        return self.arrivals or "repeats" in self.reads

    @property
    def about_states(self) -> bool:
        """Whether it is about states, for which a table that was made again with another key ends what was before."""
        return bool({"candidates", "latest_state", "settled_instants"} & placeholders(self.text).names)

    @property
    def tells_no_values(self) -> bool:
        """Whether its answer holds no value of an attribute, but keys in a column of that name.

        >>> load_question("hot_keys").tells_no_values, load_question("changes").tells_no_values
        (True, False)
        """
        plain = all(column.name in _PLAIN or column.type in _COUNTS for column in self.columns)
        return not self.images and bool(self.columns) and plain

    def bind(self, given: Mapping[str, object]) -> dict[str, object]:
        """Return a value for each parameter: as given, else its default; None is not given.

        Raises
        ------
        ParameterError
            For a name that is no parameter, or a value not of its type.
        """
        values = {name: value for name, value in given.items() if value is not None}
        for name in values:
            if name not in self.parameters:
                hint = did_you_mean(name, self.parameters)
                raise ParameterError(f"{self.name} has no parameter {name!r}.{hint}")
        return {
            name: parameter.value(values[name]) if name in values else parameter.default
            for name, parameter in self.parameters.items()
        }

    def compose(
        self,
        values: Mapping[str, object],
        *,
        deliveries: str,
        canonical: str = "image",
        matching: str = "true",
        alive: str | None = None,
        items: str = "true",
        row: str = "",
        images: bool = True,
    ) -> str:
        """Fill its text in; parameters that are not given have their defaults.

        Parameters
        ----------
        deliveries, canonical, matching, alive
            SQL: the relation it is asked of, the canonical form of the column ``image``, the condition on its rows, and
            whether an item is of the table that was alive last.
        items
            A condition on keys and events that `matching` implies.
        row
            A column that tells deliveries apart: the candidates of a state are found by it alone, and their
            images fetched after; a question that has a text for that, in ``parts/rows``, is asked by it.
        images
            Whether the images it answers with are wanted: where fetching them is a step of its own, it is left out.
        """
        bound = self.bind(values)
        names = {"deliveries": deliveries, "canonical": canonical, "matching": matching}
        if "latest_state" in placeholders(self.text).names:
            states = {"as_of": bound["as_of"], "include_deleted": False}
            latest = load_question("latest_state")
            text = latest.compose(states, deliveries=deliveries, canonical=canonical, alive=alive, row=row)
            return fill(self.text, names={"latest_state": text})
        names["items"] = items if alive == "true" else "true"  # which table was alive last, other items tell
        if self.name not in _FEW or not row or (self.about_states and alive != "true"):
            return compose(self.text, bound, names, state=self.state, alive=alive, row=row)
        fetched = images or matching != items
        names["image"] = "coalesce(spans.image, log.new_image)" if fetched else "spans.image"
        names["images"] = f"left join {deliveries} as log on spans.row_id = log.row_id" if fetched else ""
        restricted = names | {"deliveries": _FEW[self.name].replace("{deliveries}", deliveries)}
        question = compose(self.text, bound, restricted, state=self.state, alive=alive, row=row)
        text = load(f"parts/rows/{self.name}")
        names |= {"question": question, "items": items}
        return compose(text, bound, names, alive=alive, row=row)


def compose(
    text: str,
    values: Mapping[str, object],
    names: Mapping[str, str],
    *,
    state: Sequence[str] = (),
    alive: str | None = None,
    row: str = "",
) -> str:
    """Fill a text in with what it needs of `names`; see `Question.compose`. With `state`, it begins with candidates."""
    needed = placeholders(text).names
    names = dict(names)
    if "alive" in needed:
        names["alive"] = alive or part("alive", key_schema=key_schema())
    names["key_schema"] = "''" if alive == "true" else key_schema()
    if "settled_instants" in needed:
        names["settled_instants"] = _settled_instants(values["as_of"], names, row if alive == "true" else "")
        values = {name: value for name, value in values.items() if name != "as_of"}
    if state:
        columns = {"deliveries": names["deliveries"], "columns": row or ", ".join(state)}
        candidates = fill(load("parts/candidates"), {"as_of": values["as_of"]}, columns)
        if row:
            candidates = f"select * from {names['deliveries']} as deliveries join ({candidates}) as found using ({row})"
        names["candidates"] = candidates
        values = {name: value for name, value in values.items() if name != "as_of"}
    return fill(text, values, {name: sql for name, sql in names.items() if name in needed})


def _settled_instants(as_of: object, names: Mapping[str, str], row: str) -> str:
    """Write what each instant of an item left; with a `row`, only those that need it are settled by their images."""
    text, given = load("parts/settled_instants"), {name: names[name] for name in ("deliveries", "canonical", "items")}
    if not row:
        return fill(text, {"as_of": as_of}, given)
    few = fill(text, {"as_of": as_of}, given | {"deliveries": "touched_changes", "items": "true"})
    names = {"deliveries": names["deliveries"], "items": names["items"], "few": few}
    return fill(load("parts/rows/settled_instants"), {"as_of": as_of}, names)


def questions() -> list[str]:
    """Name the questions there is a `.sql` file for."""
    return files()


@lru_cache(maxsize=256)
def load_question(name: str) -> Question:
    """Return a question by its name.

    Raises
    ------
    ParameterError
        Where there is none of that name, or its head and its text disagree.
    """
    if name not in questions():
        raise ParameterError(
            f"there is no question {name!r}; there are: {', '.join(questions())}.{did_you_mean(name, questions())}"
        )
    return parse_question(name, load(name))


def load_query(name: str) -> Question:
    """Return a query over the relations of a log, by its name; what fills its ``{names}`` in, who asks it knows.

    >>> load_query("transitions").columns[0].name
    'from_value'
    """
    text = load(f"queries/{name}")
    return parse_question(name, text, placeholders(text).names)


def parse_question(name: str, text: str, made: Collection[str] = _SQL_MADE) -> Question:
    """Read a question's head, in whose text some ``{names}`` may stand.

    Raises
    ------
    ParameterError
        Where the head does not say what the text needs, or says what it does not take.
    """
    sections: dict[str, list[str]] = {"": []}
    lines = sections[""]
    for line in text.splitlines():
        if not line.startswith("--"):
            break
        line = line.removeprefix("--").removeprefix(" ")
        if section := _SECTION.fullmatch(line):
            lines = sections.setdefault(section["name"], [])
            if section["text"]:
                lines.append(section["text"])
        elif not line.strip() or line.startswith("  "):
            lines.append(line.strip())
        elif re.match(r"[A-Z]\w+:", line):
            section_name = line.partition(":")[0]
            raise ParameterError(f"{name}.sql: {section_name!r} is no section of a head; there are: {_SECTIONS}")
        else:
            lines = lines if lines is sections[""] else sections.setdefault("notes", [])
            lines.append(line)
    title, *notes = sections[""] or [""]
    named = [_matched(_PARAMETER, line, name) for line in sections.get("Parameters", []) if line]
    parameters = {
        each["name"]: Parameter(each["name"], each["type"], _default(each["default"], name), each["meaning"] or "")
        for each in named
    }
    columns = [_matched(_COLUMN, line, name) for line in sections.get("Columns", []) if line]
    window = None
    if spoken := " ".join(sections.get("Window", [])).strip():
        found = _matched(_WINDOW, spoken, name)
        window = EventWindow(found["last"], found["first"])
    listed = {section: _listed(sections.get(section, [])) for section in ("Filter", "Reads")}
    read = Question(
        name,
        text,
        title,
        MappingProxyType(parameters),
        window,
        listed["Filter"],
        frozenset(listed["Reads"]),
        " ".join(filter(None, sections.get("Rows", []))),
        tuple(Column(each["name"], each["type"], each["meaning"] or "") for each in columns),
        "\n".join([*notes, *sections.get("notes", [])]).strip(),
        STATE if {"candidates", "latest_state"} & placeholders(text).names else (),
    )
    _agree(read, made)
    return read


def _agree(read: Question, made: Collection[str]) -> None:
    """Refuse a question whose head does not say what its text is."""
    open_ = placeholders(read.text)
    values = open_.values | ({"as_of"} if read.about_states else set())
    window = {name for name in (read.window.first, read.window.last) if name} if read.window else set()
    found = words(read.text)
    faults = [
        *(f":{name} has the name of a parameter that every question has" for name in sorted(values & _ENGINES)),
        *(
            f"the text reads {column}, and the head has no {part_read} among what it Reads:"
            for column, part_read in _COLUMNS_READ.items()
            if column in found and part_read not in read.reads
        ),
        *(f"the text has no :{name}" for name in sorted(read.parameters.keys() - values)),
        *(f"the head has no parameter :{name}" for name in sorted(values - read.parameters.keys())),
        *(f"the window names :{name}, which is no parameter" for name in sorted(window - read.parameters.keys())),
        *(f"nothing fills {{{name}}} in" for name in sorted(open_.names - {*made})),
        *(f"reads {name!r}: it must be of {', '.join(READS)}" for name in sorted(read.reads - {*READS})),
        *(["the head has no Filter: for {matching}"] if "matching" in open_.names and not read.filters else []),
        *(["the text has no {matching} for its Filter:"] if read.filters and "matching" not in open_.names else []),
    ]
    if faults:
        raise ParameterError(f"{read.name}.sql: {'; '.join(faults)}")


def _matched(pattern: re.Pattern[str], line: str, name: str) -> re.Match[str]:
    if (found := pattern.fullmatch(line)) is None:
        raise ParameterError(f"{name}.sql: the head's line {line!r} cannot be read")
    return found


def _listed(lines: Sequence[str]) -> tuple[str, ...]:
    return tuple(each.strip() for each in " ".join(lines).split(",") if each.strip())


def _default(text: str, name: str) -> object:
    if text in _TIMES:
        return _TIMES[text]
    if text in ("true", "false"):
        return text == "true"
    if re.fullmatch("'[^']*'", text):
        return text[1:-1]
    if re.fullmatch("[0-9]+", text):
        return int(text)
    raise ParameterError(f"{name}.sql: the default {text!r} cannot be read")
