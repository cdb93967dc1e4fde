"""Parameters of a notebook: read from its cell tagged `parameters`, and strict where papermill only warns.

papermill runs on with an unknown parameter, and turns the key ``00123`` into 123. Here the parameter cell
decides: its lines read ``name: type = literal  # help``; types are str, int, float, bool and Optional[].

The cell is read by Python's own parser: `papermill.inspect_notebook` leaves out each line that has a second ``=``, such
as in its help, and ends the default ``"USER#1"`` at the ``#``.
"""

from __future__ import annotations

import ast
import io
import math
import re
import tokenize
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

from nbformat import NotebookNode

from workbench.errors import ParameterError, ReportError, did_you_mean

Value: TypeAlias = str | int | float | bool | None


@dataclass(frozen=True)
class Parameter:
    """One line of a parameter cell.

    Attributes
    ----------
    name, help
        As written.
    type
        ``str``, ``int``, ``float``, ``bool``, or ``Optional[...]`` of one of them.
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
        """
        if self.optional and (value is None or value == "None"):
            return None
        kind = self.type.removeprefix("Optional[").removesuffix("]")
        try:
            return _COERCE[kind](value)
        except ValueError:
            wanted = f"{_WORDS[kind]}{', or None' if self.optional else ''}"
            raise ParameterError(f"parameter {self.name!r} is {value!r}: it must be {wanted}") from None


def read_parameters(notebook: NotebookNode, path: Path) -> list[Parameter]:
    """Return the parameters a notebook declares.

    Raises
    ------
    ReportError
        When a line of the parameter cell is not ``name: type = literal  # help``.

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
    parameters = []
    for statement in statements:
        if isinstance(statement, ast.Import | ast.ImportFrom):  # Optional has to come from somewhere
            continue
        parameter = _declared(statement, comments)
        if parameter is None:
            line = source.splitlines()[statement.lineno - 1].strip()
            raise ReportError(
                f"{path}, parameter cell, line {statement.lineno}: {line!r} is no declaration. "
                "Write name: type = literal  # help; types are str, int, float, bool and Optional[] of them"
            )
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


def _declared(statement: ast.stmt, comments: dict[int, str]) -> Parameter | None:
    if not (isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name)):
        return None
    kind = ast.unparse(statement.annotation)
    if kind.removeprefix("Optional[").removesuffix("]") not in _COERCE:
        return None
    try:
        default = ast.literal_eval(statement.value or ast.Constant(...))
        parameter = Parameter(statement.target.id, kind, None, comments.get(statement.end_lineno or 0, ""))
        return Parameter(parameter.name, kind, parameter.coerce(default), parameter.help)
    except ValueError:  # ParameterError too: a default that is not of its own type
        return None


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
    if value is None or isinstance(value, bool):
        raise ValueError
    if isinstance(value, str) and not re.fullmatch(r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?", value):
        raise ValueError
    number = float(value)
    if not math.isfinite(number):
        raise ValueError
    return number


def _truth(value: Value) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    raise ValueError


_COERCE: dict[str, Callable[[Any], Value]] = {"str": _text, "int": _integer, "float": _number, "bool": _truth}
_WORDS = {"str": "text", "int": "a whole number, such as 42", "float": "a number, such as 0.5", "bool": "true or false"}
