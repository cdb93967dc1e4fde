"""Parameters of a notebook: read from its cell tagged `parameters`, and strict where papermill only warns.

papermill runs on with an unknown parameter, and turns the key ``00123`` into 123. Here the parameter cell decides: its
lines read ``name: type = literal  # help``. Types are str, int, float, bool, date and datetime, ``list[...]`` of one
of them, and ``Optional[...]`` of any. A list is text with commas between, ``a,b``, or where its texts hold commas,
spaces at an end or nothing, in JSON, ``["a, b", ""]``. A datetime is an instant, in UTC where it names no zone; it may
be so long ago, ``-7d``, and is told once, when the run begins.

The cell is read by Python's own parser: `papermill.inspect_notebook` leaves out each line that has a second ``=``, such
as in its help, and ends the default ``"USER#1"`` at the ``#``.
"""

from __future__ import annotations

import ast
import io
import json
import math
import re
import tokenize
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, TypeAlias

from nbformat import NotebookNode

from workbench.errors import ParameterError, ReportError, did_you_mean

Scalar: TypeAlias = str | int | float | bool | date
"""A date or an instant is a `date`: `datetime` is one."""
Value: TypeAlias = Scalar | Sequence[Scalar] | None


@dataclass(frozen=True)
class Parameter:
    """One line of a parameter cell.

    Attributes
    ----------
    name, help
        As written.
    type
        ``str``, ``int``, ``float``, ``bool``, ``date``, ``datetime``, ``list[...]`` of one of them, or
        ``Optional[...]`` of any.
    default
        The value when none is given.
    """

    name: str
    type: str
    default: Value
    help: str

    @property
    def optional(self) -> bool:
        """Whether None is a value of it."""
        return self.type.startswith("Optional[")

    @property
    def many(self) -> bool:
        """Whether a value of it is a list."""
        return _of_many(self.type)

    @property
    def default_text(self) -> str:
        """The default as `as_text` writes it."""
        return as_text(self.default)

    def coerce(self, value: Value) -> Value:
        """Return the value as the declared type.

        Text is read strictly: ``00123`` stays text for a str, and is 123 for an int; ``None`` is None where
        the type is Optional.

        Raises
        ------
        ParameterError
            When the value is none of that type.

        Examples
        --------
        >>> Parameter("limit", "int", 10, "").coerce("007"), Parameter("key", "Optional[str]", None, "").coerce("007")
        (7, '007')
        >>> Parameter("days", "list[date]", [], "").coerce("2026-11-01, 2026-11-02")
        [datetime.date(2026, 11, 1), datetime.date(2026, 11, 2)]
        """
        if self.optional and (value is None or value == "None"):
            return None
        kind = _scalar_of(self.type)
        try:
            return [_COERCE[kind](each) for each in _elements(value)] if self.many else _COERCE[kind](value)
        except ValueError:
            one = _WORDS[kind]
            wanted = f'a list, each {one}, written a,b or in JSON, ["a", "b"]' if self.many else one
            more = ", or None" if self.optional else ""
            raise ParameterError(f"parameter {self.name!r} is {as_text(value)!r}: it must be {wanted}{more}") from None


def read_parameters(notebook: NotebookNode, path: Path) -> list[Parameter]:
    """Return the parameters a notebook declares.

    Raises
    ------
    ReportError
        When a line of the parameter cell is not ``name: type = literal  # help``, or a name is declared twice.

    Examples
    --------
    >>> from nbformat.v4 import new_code_cell, new_notebook
    >>> cell = new_code_cell("key: str = 'USER#1'  # such as pk=1", metadata={"tags": ["parameters"]})
    >>> read_parameters(new_notebook(cells=[cell]), Path("a.ipynb"))
    [Parameter(name='key', type='str', default='USER#1', help='such as pk=1')]
    """
    cells = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    if not cells:
        return []
    source = cells[0].source
    try:
        statements = ast.parse(source).body
    except SyntaxError as error:
        raise ReportError(f"{path}, parameter cell, line {error.lineno}: {error.msg}") from None
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {t.start[0]: t.string.lstrip("# ") for t in tokens if t.type == tokenize.COMMENT}
    parameters: list[Parameter] = []
    for statement in statements:
        if isinstance(statement, ast.Import | ast.ImportFrom):  # Optional and date have to come from somewhere
            continue
        parameter = _declared(statement, comments)
        if parameter is None:
            line = source.splitlines()[statement.lineno - 1].strip()
            raise ReportError(
                f"{path}, parameter cell, line {statement.lineno}: {line!r} is no declaration. "
                "Write name: type = literal  # help; types are str, int, float, bool, date and datetime, "
                "list[] of them and Optional[] of any"
            )
        if parameter.name in {each.name for each in parameters}:
            raise ReportError(f"{path}, parameter cell, line {statement.lineno}: {parameter.name} is declared twice")
        parameters.append(parameter)
    return parameters


def coerce_all(given: Mapping[str, Value], declared: list[Parameter], path: Path) -> dict[str, Value]:
    """Return the given values as their declared types.

    Raises
    ------
    ParameterError
        When one is unknown, or not of its type.
    """
    by_name = {parameter.name: parameter for parameter in declared}
    for name in given:
        if name not in by_name:
            has = f"it has {', '.join(by_name)}" if by_name else "it has no cell tagged 'parameters'"
            raise ParameterError(f"{path.name} has no parameter {name!r}: {has}.{did_you_mean(name, by_name)}")
    return {name: by_name[name].coerce(value) for name, value in given.items()}


def as_text(value: Value) -> str:
    """Write a value as people read it, and as it may be given again.

    Examples
    --------
    >>> as_text(["a", "b"]), as_text(["a, b", ""]), as_text([date(2026, 11, 1)]), as_text(None)
    ('a,b', '["a, b", ""]', '2026-11-01', 'None')
    """
    if isinstance(value, Sequence) and not isinstance(value, str):
        written = [as_text(each) for each in value]
        if all(each and each == each.strip() and not set(",[") & set(each) for each in written):
            return ",".join(written)
        return json.dumps([as_text(each) if isinstance(each, date) else each for each in value], ensure_ascii=False)
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, date) else str(value)


def texts_of(value: object) -> Iterator[str]:
    """Yield the texts of a value: those in which a mask may find a name.

    >>> list(texts_of("a")), list(texts_of(["a", "b"])), list(texts_of(1))
    (['a'], ['a', 'b'], [])
    """
    if isinstance(value, str):
        yield value
    elif isinstance(value, Sequence):
        yield from (each for each in value if isinstance(each, str))


def without_values(source: str, names: Collection[str], instead: str) -> str:
    """Return a cell of parameters in which the values of some are a text, however many lines they take.

    Examples
    --------
    >>> without_values("a = [\\n    'x',\\n]  # names\\nb = 2", ["a"], "hidden")
    'a = "hidden"  # names\\nb = 2'
    """
    lines = source.splitlines(keepends=True)
    for statement in reversed(ast.parse(source).body):
        match statement:
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value) if name in names:
                pass
            case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in names:
                pass
            case _:
                continue
        first, last = value.lineno - 1, (value.end_lineno or value.lineno) - 1
        before = lines[first].encode()[: value.col_offset].decode()
        after = lines[last].encode()[value.end_col_offset :].decode()
        lines[first : last + 1] = [f"{before}{json.dumps(instead)}{after}"]
    return "".join(lines)


def _declared(statement: ast.stmt, comments: dict[int, str]) -> Parameter | None:
    if not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)):
        return None
    kind = ast.unparse(statement.annotation)
    if _scalar_of(kind) not in _COERCE:
        return None
    try:
        default = _evaluated(statement.value or ast.Constant(...))
        if isinstance(default, str) and kind not in ("str", "Optional[str]"):
            return None  # what would be read of it here stays a text in the notebook, where nothing is given
        parameter = Parameter(statement.target.id, kind, None, comments.get(statement.end_lineno or 0, ""))
        return Parameter(parameter.name, kind, parameter.coerce(default), parameter.help)
    except (ValueError, TypeError, OverflowError):  # ParameterError too: a default that is not of its own type
        return None


def _of_many(kind: str) -> bool:
    return kind.removeprefix("Optional[").startswith("list[")


def _scalar_of(kind: str) -> str:
    """Return the type of a value, or of each in a list.

    >>> _scalar_of("Optional[list[str]]"), _scalar_of("list[date]"), _scalar_of("int"), _scalar_of("list[list[int]]")
    ('str', 'date', 'int', 'list[int]')
    """
    inner = kind[len("Optional[") : -1] if kind.startswith("Optional[") else kind
    return inner[len("list[") : -1] if inner.startswith("list[") else inner


def _evaluated(node: ast.expr) -> Any:
    """Evaluate a literal, in which dates and instants may be written as calls."""
    match node:
        case ast.List(elts=elements):
            return [_evaluated(element) for element in elements]
        case ast.Call(func=ast.Name(id="date" | "datetime" as kind), args=arguments, keywords=keywords):
            given = {each.arg: _zone(each.value) for each in keywords if each.arg}
            return {"date": date, "datetime": datetime}[kind](*map(ast.literal_eval, arguments), **given)
        case ast.Call(func=ast.Attribute(value=ast.Name(id=kind), attr="fromisoformat"), args=[text], keywords=[]):
            if kind in ("date", "datetime"):
                return {"date": date, "datetime": datetime}[kind].fromisoformat(ast.literal_eval(text))
    return ast.literal_eval(node)


def _zone(node: ast.expr) -> Any:
    return UTC if ast.unparse(node) in ("UTC", "timezone.utc") else ast.literal_eval(node)


def _elements(value: Any) -> Sequence[Any]:
    if isinstance(value, list | tuple):
        return value
    if not isinstance(value, str):
        raise ValueError
    if value.strip().startswith("["):
        read: list[Any] = json.loads(value)  # a JSONDecodeError is a ValueError
        return read
    elements = [each.strip() for each in value.split(",")] if value.strip() else []
    if not all(elements):
        raise ValueError
    return elements


def _text(value: Value) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _integer(value: Value) -> int:
    if isinstance(value, str) and re.fullmatch(r"[+-]?[0-9]+", value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError


def _number(value: Value) -> float:
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise ValueError
    if isinstance(value, str) and not re.fullmatch(r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?", value):
        raise ValueError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _day(value: Value) -> date:
    if isinstance(value, str) and re.fullmatch(r"\d{4}-\d\d-\d\d", value):
        return date.fromisoformat(value)
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    raise ValueError


def _instant(value: Value) -> datetime:
    from workbench.model.times import instant  # pandas, which other types do without

    if isinstance(value, str | datetime):
        return instant(value)
    raise ValueError


def _truth(value: Value) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ValueError


_COERCE: dict[str, Callable[[Any], Scalar]] = {
    "str": _text,
    "int": _integer,
    "float": _number,
    "bool": _truth,
    "date": _day,
    "datetime": _instant,
}
_WORDS = {
    "str": "text",
    "int": "a whole number, such as 42",
    "float": "a number, such as 0.5",
    "bool": "true or false",
    "date": "a date, such as 2026-11-01",
    "datetime": "an instant, such as 2026-11-01T12:00Z or -7d",
}
