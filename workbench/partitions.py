"""How a table's partitions follow the time of arrival, and which of them a window of time needs.

Firehose puts an object under the hour (UTC) in which its oldest record arrived, and changes arrive later than they
are made: a window of event time needs the partitions from an hour before it to `late_arrival` after it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from workbench.instants import END_OF_TIME, START_OF_TIME
from workbench.layouts import glue_type
from workbench.render import identifier, literal

BEFORE = timedelta(hours=1)
_UNITS = ("year", "month", "day", "hour")
_DIGITS = {"year": 4, "month": 2, "day": 2, "hour": 2}
_FORMATS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H"}
_DATED = re.compile(r"\d{4}(?P<a>[-/]?)\d\d(?P<b>[-/]?)\d\d(?:(?P<c>[-/ T]?)\d\d)?")


@dataclass(frozen=True)
class Partitions:
    """The partition columns that tell the time of arrival.

    Attributes
    ----------
    columns
        Names and Glue types of all partition columns.
    by
        ``units``: a column each for year, month, day and hour, or the first of them; ``text``: one column, whose
        values in `form` sort as time does; ``none``.
    form
        The one column's form, as strftime takes it.
    template
        Where partitions lie below the table's location, with ``{column}`` for values.
    """

    columns: tuple[tuple[str, str], ...] = ()
    by: str = "none"
    form: str = ""
    template: str = ""

    def within(self, start: datetime, end: datetime) -> str:
        """Write the condition for arrivals from `start` to `end`, both inclusive, on plain partition columns."""
        low, high = self._values(start, START_OF_TIME), self._values(end, END_OF_TIME)
        names = [identifier(name) for name, _ in self.columns[: self._depth]]
        shared = 0
        while low and high and shared < len(names) and low[shared] == high[shared]:
            shared += 1
        parts = [f"{names[number]} = {low[number]}" for number in range(shared)]
        if shared < len(names):
            parts += [f"{names[shared]} >= {low[shared]}"] if low else []
            parts += [f"{names[shared]} <= {high[shared]}"] if high else []
            for values, sign in ((low, ">"), (high, "<")):
                if values and shared + 1 < len(names):
                    parts.append(_beyond(names[shared:], values[shared:], sign))
        return " and ".join(parts) or "true"

    def folder(self, moment: datetime) -> str | None:
        """Return where the objects that arrived at a time lie, below the table's location; None: anywhere."""
        if self.by == "none" or not self.template:
            return None
        values = {name: moment.strftime(form) for (name, _), form in zip(self.columns, self._forms, strict=False)}
        return re.sub(r"\{(\w+)\}.*" if len(values) < len(self.columns) else r"\{(\w+)\}",
                      lambda found: values.get(found[1], ""), self.template)  # fmt: skip

    @property
    def _depth(self) -> int:
        return len(self._forms)

    @property
    def _forms(self) -> list[str]:
        if self.by == "units":
            return [f"%{letter}" for letter, _ in zip("YmdH", self.columns, strict=False)]
        return [self.form] if self.by == "text" else []

    def _values(self, moment: datetime, endless: datetime) -> list[str]:
        if moment == endless:
            return []
        values = [moment.strftime(form).rjust(4 if form == "%Y" else 0, "0") for form in self._forms]
        return [_value(value, kind) for value, (_, kind) in zip(values, self.columns, strict=False)]


def partitions_of(keys: Sequence[tuple[str, str]], parameters: Mapping[str, str], sample: Sequence[str] = (),
                  location: str = "") -> Partitions:  # fmt: skip
    """Recognise the scheme of a table's partition columns.

    Parameters
    ----------
    keys
        Names and Glue types of the partition columns.
    parameters
        The table's, where partitions are projected.
    sample
        The values of one registered partition.
    """
    columns = tuple(keys)
    names = [name for name, _ in columns]
    template = parameters.get("storage.location.template", "").replace("${", "{")
    if template.startswith(location):
        template = template[len(location) :].lstrip("/")
    crawled = [f"partition_{number}" for number in range(len(names))]
    if names and names == list(_UNITS)[: len(names)]:
        return Partitions(columns, "units", template=template or "".join(f"{name}={{{name}}}/" for name in names))
    if names == crawled and names and all(map(_is_unit, sample, _UNITS)):
        return Partitions(columns, "units", template=template or "".join(f"{{{name}}}/" for name in names))
    if len(names) == 1:
        form = parameters.get(f"projection.{names[0]}.format", "")
        for letters, code in _FORMATS.items():
            form = form.replace(letters, code)
        form = form.replace("'", "")
        if not form and sample and (found := _DATED.fullmatch(sample[0])):
            form = f"%Y{found['a']}%m{found['b']}%d" + (f"{found['c']}%H" if found["c"] is not None else "")
        if not form and columns[0][1] == "date":
            form = "%Y-%m-%d"
        if form.startswith("%Y"):
            folder = f"{{{names[0]}}}/" if names == crawled else f"{names[0]}={{{names[0]}}}/"
            return Partitions(columns, "text", form, template or folder)
    return Partitions(columns)


def _beyond(names: Sequence[str], values: Sequence[str], sign: str) -> str:
    """Write that columns, compared from left to right, are at or beyond values."""
    if len(names) == 1:
        return f"{names[0]} {sign}= {values[0]}"
    return f"({names[0]} {sign} {values[0]} or {names[0]} = {values[0]} and {_beyond(names[1:], values[1:], sign)})"


def _value(text: str, kind: str) -> str:
    if glue_type(kind).is_number:
        return str(int(re.sub(r"\D", "", text)))
    return f"date {literal(text)}" if kind == "date" else literal(text)


def _is_unit(value: str, unit: str) -> bool:
    return value.isdecimal() and len(value) == _DIGITS[unit]
