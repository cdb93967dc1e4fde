"""How a table's partitions follow the time of arrival, and which of them a window of time needs.

What the columns tell is read off the values of the partitions there are, never taken from the columns' names: these
only break a tie. Firehose puts an object under the hour in which its oldest record arrived, and changes arrive later
than they are made: a window of event time needs the partitions from an hour before it to `late_arrival` after it. In
which time zone that hour is, `workbench.log.arrivals` tells.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property

from workbench.aws.partition_literals import among, extremes
from workbench.aws.partition_values import Values, ends_of, interval_of, is_natural, numbers_of, possible_units
from workbench.aws.projection import is_padded, is_projected, projected_values, strftime_form, value_at
from workbench.log.arrivals import OFFSETS, ChangeTimes
from workbench.sql.layouts import glue_type
from workbench.sql.literals import identifier, literal
from workbench.sql.templates import part

BEFORE = timedelta(hours=1)
_DIGITS = {"Y": 4, "m": 2, "d": 2, "H": 2}
_LONGEST = 20_000  # characters of a condition, beyond which the partitions between are read too


@dataclass(frozen=True)
class Partitions:
    """The partition columns of a table, and what they tell of the time of arrival."""

    columns: tuple[tuple[str, str], ...] = ()
    """Names and Glue types of all partition columns."""
    readings: tuple[Values, ...] = ()
    """What their values may mean, likeliest first: for each column, which of Y, m, d and H it tells."""
    template: str = ""
    """Of projected partitions: where they lie below the table's location, with ``{column}`` for values."""
    projection: Mapping[str, str] = field(default_factory=dict)
    """The parameters of the projection."""
    registered: Mapping[str, Values] = field(default_factory=dict)
    """Of registered partitions: their values by where they lie, ``s3://…/``."""

    @property
    def units(self) -> Values:
        """What the columns tell; empty where that is not known."""
        return self.readings[0] if self.readings else ()

    def values(self, path: str, location: str) -> Values | None:
        """Return the values of the partition that an object is read with; None where no partition has it."""
        if not self.columns:
            return ()
        if not self.template:
            parts = path.split("/")
            above = ("/".join(parts[:number]) + "/" for number in range(len(parts) - 1, 2, -1))
            return next((self.registered[each] for each in above if each in self.registered), None)
        place = self._place.match(path.removeprefix(location.rstrip("/") + "/"))
        if not place:
            return None
        values = tuple(place[f"c{number}"] for number in range(len(self.columns)))
        columns = zip(self.columns, values, strict=True)
        return values if all(is_projected(name, self.projection, value) for (name, _), value in columns) else None

    def interval(self, values: Values) -> tuple[datetime, datetime] | None:
        """Return from when to when, by its values, the objects of a partition arrived; None where they do not tell."""
        numbers: dict[str, int] = {}
        for text, units in zip(values, self.units, strict=False):
            if units:
                read = numbers_of(text)
                if len(read) != len(units):
                    return None
                numbers |= dict(zip(units, read, strict=True))
        return interval_of(numbers) if numbers else None

    def within(self, kept: Iterable[Values], others: Collection[Values] = ()) -> str:
        """Write the condition, on plain partition columns, that keeps partitions; of `others` as few as can be.

        Values are compared as they are written, so that it does not matter how they are padded.
        """
        each = sorted(set(kept))
        if not self.columns:
            return "true"
        if not each:
            return "false"
        conditions = [
            among(column, {values[number] for values in each})
            for number, column in enumerate(self.columns)
            if not self.units[number : number + 1] or not self.units[number]
        ]
        conditions = [text for text in conditions if text]
        spans = {values: self.interval(values) for values in each}
        dated = {values: span for values, span in spans.items() if span}
        if len(dated) == len(each):
            levels = sorted(
                (number for number, units in enumerate(self.units) if units),
                key=lambda number: "YmdH".index(self.units[number][0]),
            )
            unwanted = set(others) - set(each)
            text = self._tree(dated, unwanted, levels, *ends_of(dated.values()))
            if len(text) > _LONGEST:
                text = self._tree(dated, set(), levels, *ends_of(dated.values()))
            conditions.append(text)
        return " and ".join(conditions) or "true"

    def _tree(
        self,
        kept: Mapping[Values, tuple[datetime, datetime]],
        unwanted: set[Values],
        levels: Sequence[int],
        first: datetime,
        last: datetime,
    ) -> str:
        """Write the condition level by level: what all partitions below a value fulfil is not written out."""
        number, *finer = levels
        column, units = self.columns[number], self.units[number]
        if (
            not finer
            and len(units) > 1
            and not any(
                self._is_between(values[number], [each[number] for each in kept], column) for values in unwanted
            )
        ):
            runs = " or ".join(_between(column, run) for run in self._runs(kept, number))
            if runs.count(" or ") == 0 or len(runs) > _LONGEST:
                return _between(column, {each[number] for each in kept})
            return f"({runs})"
        groups: dict[str, dict[Values, tuple[datetime, datetime]]] = {}
        for values, span in kept.items():
            groups.setdefault(values[number], {})[values] = span
        whole, parts = set[str](), []
        above = {unit for level in self.units if level for unit in level} - {
            unit for level in finer for unit in self.units[level]
        }
        for text, below in sorted(groups.items()):
            spared = {values for values in unwanted if values[number] == text}
            if not finer or (not spared and self._spans(next(iter(below)), above, first, last)):
                whole.add(text)
            else:
                inner = self._tree(below, spared, finer, first, last)
                parts.append(
                    f"{among(column, {text})} and {inner}"
                    if len(groups) == 1
                    else f"({among(column, {text})} and {inner})"
                )
        if whole:
            parts.insert(0, among(column, whole))
        return parts[0] if len(parts) == 1 else "(" + " or ".join(parts) + ")"

    def _runs(self, kept: Mapping[Values, tuple[datetime, datetime]], number: int) -> Iterator[set[str]]:
        """Yield what one column has, split where there is a projected partition between: Athena would list it."""
        run: set[str] = set()
        last: datetime | None = None
        for values, (begin, end) in sorted(kept.items(), key=lambda each: each[1]):
            if self.template and last and begin > last:
                yield run
                run = set()
            run.add(values[number])
            last = end
        yield run

    def _spans(self, values: Values, units: Collection[str], first: datetime, last: datetime) -> bool:
        """Return whether all of the year, month or day that values tell lies between two times."""
        numbers: dict[str, int] = {}
        for text, each in zip(values, self.units, strict=True):
            numbers |= (
                {unit: number for unit, number in zip(each, numbers_of(text), strict=True) if unit in units}
                if each
                else {}
            )
        span = interval_of({unit: number for unit, number in numbers.items() if unit in units})
        return bool(span and first <= span[0] and span[1] <= last)

    def _is_between(self, text: str, ends: Sequence[str], column: tuple[str, str]) -> bool:
        def order(value: str) -> tuple[int, str]:
            return (int(value), "") if glue_type(column[1]).is_number else (0, value)

        return min(map(order, ends)) <= order(text) <= max(map(order, ends))

    def settled(self, witnesses: Sequence[tuple[Values, ChangeTimes]]) -> Partitions:
        """Keep the readings by which no object lies in a folder earlier, or far later, than its changes."""
        fits = [units for units in self.readings if self._fits(units, witnesses)]
        if len(fits) > 1 and not is_natural(fits[0]):  # which of several is meant cannot be told
            fits = []
        return replace(self, readings=tuple(fits))

    def _fits(self, units: Values, witnesses: Sequence[tuple[Values, ChangeTimes]]) -> bool:
        one, later = replace(self, readings=(units,)), 0
        for values, seen in witnesses:
            span = one.interval(values)
            if span is None:
                return False
            later += span[0] - seen.last > OFFSETS[-1] + timedelta(days=2)
            if span[1] - seen.first < OFFSETS[0]:
                return False
        return 2 * later <= len(witnesses)

    @property
    def sort(self) -> bool:
        """Whether the folders, as far as they are known before they are listed, sort as time does."""
        if len(self.readings) != 1:
            return False
        if not self.template:
            spans = [self.interval(values) for _, values in sorted(self.registered.items())]
            dated = [span for span in spans if span]
            return bool(dated) and len(dated) == len(spans) and dated == sorted(dated)
        places = [
            self.template.find("{" + name + "}")
            for (name, _), units in zip(self.columns, self.units, strict=True)
            if units
        ]
        return bool(
            all(self.units)
            and "".join(self.units) == "YmdH"[: len("".join(self.units))]
            and places == sorted(places)
            and all(
                is_padded(name, units, self.projection)
                for (name, _), units in zip(self.columns, self.units, strict=True)
            )
        )

    def folder(self, moment: datetime) -> str | None:
        """Return where the objects that arrived at a local time lie, below the table's location; None: anywhere."""
        if not self.sort or not self.template:
            return None
        values = {
            name: value_at(moment, self.projection.get(f"projection.{name}.format", ""), units)
            for (name, _), units in zip(self.columns, self.units, strict=True)
        }
        return re.sub(r"\{(\w+)\}", lambda match: values[match[1]], self.template)

    def between(self, location: str, low: datetime, high: datetime) -> tuple[str, str]:
        """Return the paths that listing may begin after and end at for partitions of two local times; '' where all."""
        if not self.sort:
            return "", ""
        top = location.rstrip("/") + "/"
        if self.template:
            first, last = (self.folder(each) if datetime.min < each < datetime.max else None for each in (low, high))
            return top + first if first else "", top + last + "\U0010ffff" if last else ""
        spans = {place: span for place, values in self.registered.items() if (span := self.interval(values))}
        return (
            max((place for place, span in spans.items() if span[1] <= low), default=""),
            min((place for place, span in spans.items() if span[0] > high), default=""),
        )

    def arrival(self) -> str:
        """Write the time that the partition columns tell, without a zone, as SQL; null where they do not."""
        return f"try(date_parse({digits}, '%Y%m%d%H'))" if (digits := self._digits()) else "null"

    def lately(self) -> str:
        """Write a condition that keeps the partitions of the last week, with a word to who moves it; UTC.

        It is for people who ask in Athena's console: when they do is not known here.
        """
        if self.sort and self.template and len(self.columns) == 1:
            (name, _), arrived = self.columns[0], identifier(self.columns[0][0])
            form = strftime_form(self.projection.get(f"projection.{name}.format", ""))
        else:
            arrived, form = self._digits(), "%Y%m%d%H"
        return part("arrived_lately", arrived=arrived, form=literal(form)) if arrived and form else "true"

    def _digits(self) -> str:
        """Write year, month, day and hour that the partition columns tell as one text of ten digits; '' for none."""
        written = []
        for unit in "YmdH":
            for (name, _), units in zip(self.columns, self.units, strict=False):
                if unit in units:
                    text = f"cast({identifier(name)} as varchar)"
                    if len(units) > 1:
                        text = part("dated", text=text, number=str(1 + units.index(unit)))
                    written.append(f"lpad({text}, {_DIGITS[unit]}, '0')")
        missing = "".join({"m": "01", "d": "01", "H": "00"}["YmdH"[number]] for number in range(len(written), 4))
        return " || ".join([*written, *([literal(missing)] if written and missing else [])])

    @cached_property
    def _place(self) -> re.Pattern[str]:
        """What matches the place of a projected partition, with a group a column: c0, c1, …."""
        places = {name: f"(?P<c{number}>{self._folders(name)})" for number, (name, _) in enumerate(self.columns)}
        parts = re.split(r"(\{\w+\})", self.template.rstrip("/") + "/")
        return re.compile(
            "".join(
                places.get(each.strip("{}"), re.escape(each)) if each.startswith("{") else re.escape(each)
                for each in parts
            )
        )

    def _folders(self, name: str) -> str:
        form, values = (self.projection.get(f"projection.{name}.{each}", "") for each in ("format", "values"))
        form = form or values.partition(",")[0]
        return "/".join(["[^/]+"] * (1 + form.count("/")))


def _between(column: tuple[str, str], texts: Collection[str]) -> str:
    """Write that a column has the least of some values, the greatest, or one between."""
    (low, high), name = extremes(texts, column), identifier(column[0])
    return f"{name} = {low}" if low == high else f"{name} >= {low} and {name} <= {high}"


def partitions_of(
    keys: Sequence[tuple[str, str]],
    parameters: Mapping[str, str],
    registered: Mapping[str, Values] | None = None,
    location: str = "",
) -> Partitions:
    """Recognise the scheme of a table's partition columns.

    Parameters
    ----------
    keys
        Names and Glue types of the partition columns.
    parameters
        The table's, where partitions are projected.
    registered
        The values of the registered partitions by where they lie.
    """
    columns, registered = tuple(keys), registered or {}
    template = ""
    if parameters:
        template = parameters.get("storage.location.template", "").replace("${", "{").removeprefix(location)
        template = template.lstrip("/") or "".join(f"{name}={{{name}}}/" for name, _ in columns)
        texts = [projected_values(name, parameters) for name, _ in columns]
    else:
        texts = [{values[number] for values in registered.values()} for number in range(len(columns))]
    readings = possible_units(columns, texts)
    return Partitions(columns, tuple(readings), template, dict(parameters), registered)
