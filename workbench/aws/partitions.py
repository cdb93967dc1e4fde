"""How a table's partitions follow the time of arrival, and which of them a window of time needs.

What the columns tell is read off the values of the partitions there are, never taken from the columns' names: these
only break a tie. Firehose puts an object under the hour in which its oldest record arrived, and changes arrive later
than they are made: a window of event time needs the partitions from an hour before it to `late_arrival` after it. In
which time zone that hour is, `workbench.log.arrivals` tells.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import product

from workbench.log.arrivals import OFFSETS, ChangeTimes
from workbench.sql.layouts import glue_type
from workbench.sql.literals import identifier, literal
from workbench.sql.templates import part

BEFORE = timedelta(hours=1)
_DIGITS = {"Y": 4, "m": 2, "d": 2, "H": 2}
_NAMES = {
    "Y": {"year", "y", "yyyy", "yr"},
    "m": {"month", "m", "mm", "mon"},
    "d": {"day", "d", "dd"},
    "H": {"hour", "h", "hh", "hr"},
}
_RANGES = {"Y": (1970, 2999), "m": (1, 12), "d": (1, 31), "H": (0, 23)}
_DATED = re.compile(
    r"(\d{4})([-/_.])(\d{1,2})(?:\2(\d{1,2})(?:[-/_.T: ](\d{1,2}))?)?|(\d{4})(\d\d)(?:(\d\d)(?:[-T_]?(\d\d))?)?"
)
_FORMS = {"yyyy": "%Y", "MM": "%m", "dd": "%d", "HH": "%H", "M": "%-m", "d": "%-d", "H": "%-H"}
_NOW = re.compile(r"NOW\s*(?:([+-])\s*(\d+)\s*(YEAR|MONTH|WEEK|DAY|HOUR|MINUTE|SECOND)S?)?", re.IGNORECASE)
_LENGTHS = {"YEAR": 366, "MONTH": 31, "WEEK": 7, "DAY": 1}
_LONGEST = 20_000  # characters of a condition, beyond which the partitions between are read too
_NULL = "__HIVE_DEFAULT_PARTITION__"
Values = tuple[str, ...]


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
        found = self._place.match(path.removeprefix(location.rstrip("/") + "/"))
        if not found:
            return None
        values = tuple(found[f"c{number}"] for number in range(len(self.columns)))
        return values if all(map(self._is_projected, self.columns, values)) else None

    def interval(self, values: Values) -> tuple[datetime, datetime] | None:
        """Return from when to when, by its values, the objects of a partition arrived; None where they do not tell."""
        told: dict[str, int] = {}
        for text, units in zip(values, self.units, strict=False):
            if units:
                read = _read(text)
                if len(read) != len(units):
                    return None
                told |= dict(zip(units, read, strict=True))
        return _interval(told) if told else None

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
            _among(column, {values[number] for values in each})
            for number, column in enumerate(self.columns)
            if not self.units[number : number + 1] or not self.units[number]
        ]
        conditions = [text for text in conditions if text]
        spans = {values: self.interval(values) for values in each}
        known = {values: span for values, span in spans.items() if span}
        if len(known) == len(each):
            levels = sorted(
                (number for number, units in enumerate(self.units) if units),
                key=lambda number: "YmdH".index(self.units[number][0]),
            )
            unwanted = set(others) - set(each)
            text = self._tree(known, unwanted, levels, *_ends(known.values()))
            if len(text) > _LONGEST:
                text = self._tree(known, set(), levels, *_ends(known.values()))
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
            low, high = _sorted({each[number] for each in kept}, column)
            name = identifier(column[0])
            return f"{name} = {low}" if low == high else f"{name} >= {low} and {name} <= {high}"
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
                    f"{_among(column, {text})} and {inner}"
                    if len(groups) == 1
                    else f"({_among(column, {text})} and {inner})"
                )
        if whole:
            parts.insert(0, _among(column, whole))
        return parts[0] if len(parts) == 1 else "(" + " or ".join(parts) + ")"

    def _spans(self, values: Values, units: Collection[str], first: datetime, last: datetime) -> bool:
        """Tell whether all of the year, month or day that values tell lies between two times."""
        told: dict[str, int] = {}
        for text, each in zip(values, self.units, strict=True):
            told |= (
                {unit: number for unit, number in zip(each, _read(text), strict=True) if unit in units} if each else {}
            )
        span = _interval({unit: number for unit, number in told.items() if unit in units})
        return bool(span and first <= span[0] and span[1] <= last)

    def _is_between(self, text: str, ends: Sequence[str], column: tuple[str, str]) -> bool:
        def order(value: str) -> tuple[int, str]:
            return (int(value), "") if glue_type(column[1]).is_number else (0, value)

        return min(map(order, ends)) <= order(text) <= max(map(order, ends))

    def settled(self, witnesses: Sequence[tuple[Values, ChangeTimes]]) -> Partitions:
        """Keep the readings by which no object lies in a folder earlier, or far later, than its changes."""
        fits = [units for units in self.readings if self._fits(units, witnesses)]
        if len(fits) > 1 and not _natural(fits[0]):  # which of several is meant cannot be told
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
            known = [span for span in spans if span]
            return bool(known) and len(known) == len(spans) and known == sorted(known)
        places = [
            self.template.find("{" + name + "}")
            for (name, _), units in zip(self.columns, self.units, strict=True)
            if units
        ]
        return bool(
            all(self.units)
            and "".join(self.units) == "YmdH"[: len("".join(self.units))]
            and places == sorted(places)
            and all(map(self._is_padded, self.columns))
        )

    def folder(self, moment: datetime) -> str | None:
        """Return where the objects that arrived at a local time lie, below the table's location; None: anywhere."""
        if not self.sort or not self.template:
            return None
        values = {
            name: _written(moment, self.projection.get(f"projection.{name}.format", ""), units)
            for (name, _), units in zip(self.columns, self.units, strict=True)
        }
        return re.sub(r"\{(\w+)\}", lambda found: values[found[1]], self.template)

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
        written = []
        for unit in "YmdH":
            for (name, _), units in zip(self.columns, self.units, strict=False):
                if unit in units:
                    text = f"cast({identifier(name)} as varchar)"
                    if len(units) > 1:
                        text = part("dated", text=text, number=str(1 + units.index(unit)))
                    written.append(f"lpad({text}, {_DIGITS[unit]}, '0')")
        missing = "".join({"m": "01", "d": "01", "H": "00"}["YmdH"[number]] for number in range(len(written), 4))
        if not written:
            return "null"
        return f"try(date_parse({' || '.join(written)} || {literal(missing)}, '%Y%m%d%H'))"

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

    def _is_projected(self, column: tuple[str, str], text: str) -> bool:
        told = {
            name: self.projection.get(f"projection.{column[0]}.{name}", "")
            for name in ("type", "values", "range", "digits", "interval", "format")
        }
        low, _, high = (each.strip() for each in told["range"].partition(","))
        if told["type"] == "enum":
            return text in {each.strip() for each in told["values"].split(",")}
        if told["type"] == "integer" and low.isdecimal() and high.isdecimal():
            padded = str(int(text)).rjust(int(told["digits"] or 0), "0") if text.isdecimal() else ""
            return text == padded and int(low) <= int(text) <= int(high)
        if told["type"] == "date" and (form := _java(told["format"])):
            at = _interval(dict(zip("YmdH", _read(text), strict=False)))
            ends = _end(low, form, latest=False), _end(high, form, latest=True)
            return (
                at is not None
                and at[0].strftime(form) == text
                and (ends[0] is None or at[0] >= ends[0])
                and (ends[1] is None or at[0] <= ends[1])
            )
        return True

    def _is_padded(self, column: tuple[str, str]) -> bool:
        kind, form = (self.projection.get(f"projection.{column[0]}.{name}", "") for name in ("type", "format"))
        if kind == "integer":
            digits = int(self.projection.get(f"projection.{column[0]}.digits") or 0)
            return digits >= 2 or self.units[self.columns.index(column)] == "Y"
        return kind == "date" and "%-" not in _java(form)


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
        texts = [_projected(name, parameters) for name, _ in columns]
    else:
        texts = [{values[number] for values in registered.values()} for number in range(len(columns))]
    readings = _readings(columns, texts)
    return Partitions(columns, tuple(readings), template, dict(parameters), registered)


def _readings(columns: Sequence[tuple[str, str]], texts: Sequence[Collection[str]]) -> list[Values]:
    """List what columns of these values may tell, the likeliest first: together a year and what follows it."""
    if not 1 <= len(columns) <= 8:
        return []
    found = []
    for units in product(*map(_meanings, texts)):
        told = "".join(units)
        if told and sorted(told, key="YmdH".index) == list("YmdH"[: len(told)]):
            found.append(units)
    most = max((len("".join(units)) for units in found), default=0)
    found = [units for units in found if len("".join(units)) == most]
    named = {
        units: sum(name.lower() in _NAMES.get(unit, ()) for (name, _), unit in zip(columns, units, strict=True))
        for units in found
    }
    if found and most == max(named.values()):  # names and values agree
        return [max(found, key=lambda units: named[units])]
    return sorted(found, key=lambda units: (-named[units], not _natural(units)))


def _meanings(texts: Collection[str]) -> list[str]:
    """List what one column may tell by its values."""
    numbers = [_read(text) for text in texts]
    if not texts or not all(numbers):
        return [""]
    if len(numbers[0]) > 1:
        return ["YmdH"[: len(numbers[0])], ""] if len({len(each) for each in numbers}) == 1 else [""]
    if any(len(each) > 1 for each in numbers):
        return [""]
    return [unit for unit, (low, high) in _RANGES.items() if all(low <= each[0] <= high for each in numbers)] + [""]


def _natural(units: Values) -> bool:
    """Tell whether columns go from the year to the hour."""
    told = "".join(units)
    return told == "YmdH"[: len(told)]


def _read(text: str) -> tuple[int, ...]:
    """Read the numbers of a date, or one number; nothing where a text is neither."""
    if found := _DATED.fullmatch(text):
        return tuple(int(each) for each in found.groups() if each is not None and each.isdecimal())
    return (int(text),) if text.isascii() and text.isdecimal() and len(text) <= 4 else ()


def _interval(told: Mapping[str, int]) -> tuple[datetime, datetime] | None:
    try:
        start = datetime(told["Y"], told.get("m", 1), told.get("d", 1), told.get("H", 0))
    except (KeyError, ValueError):
        return None
    if "d" in told:
        return start, start + timedelta(hours=1 if "H" in told else 24)
    later = start.replace(day=28) + timedelta(days=4) if "m" in told else start.replace(month=12, day=31) + timedelta(1)
    return start, later.replace(day=1)


def _ends(spans: Iterable[tuple[datetime, datetime]]) -> tuple[datetime, datetime]:
    each = list(spans)
    return min(span[0] for span in each), max(span[1] for span in each)


def _among(column: tuple[str, str], texts: Collection[str]) -> str:
    """Write that a column has one of some values; '' where they are not all of its type."""
    name, kind = column
    if _NULL in texts or (glue_type(kind).is_number and not all(text.isdecimal() for text in texts)):
        return ""
    values = _ordered(texts, column)
    return f"{identifier(name)} = {values[0]}" if len(values) == 1 else f"{identifier(name)} in ({', '.join(values)})"


def _sorted(texts: Collection[str], column: tuple[str, str]) -> tuple[str, str]:
    values = _ordered(texts, column)
    return values[0], values[-1]


def _ordered(texts: Collection[str], column: tuple[str, str]) -> list[str]:
    """Write values as literals, in the order in which Athena compares them."""
    if glue_type(column[1]).is_number:
        return [str(number) for number in sorted({int(text) for text in texts})]
    return [f"date {literal(text)}" if column[1] == "date" else literal(text) for text in sorted(texts)]


def _projected(name: str, parameters: Mapping[str, str]) -> set[str]:
    """Return values of a projected column, the least and the greatest among them."""
    kind, low_high = (parameters.get(f"projection.{name}.{each}", "") for each in ("type", "range"))
    if kind == "enum":
        return {each.strip() for each in parameters.get(f"projection.{name}.values", "").split(",")}
    if kind == "integer":
        digits = int(parameters.get(f"projection.{name}.digits") or 0)
        return {each.strip().rjust(digits, "0") for each in low_high.split(",")}
    if kind == "date" and (form := _java(parameters.get(f"projection.{name}.format", ""))):
        return {datetime(year, 12, 31, 23).strftime(form) for year in (2000, 2099)}
    return set()


def _java(form: str) -> str:
    """Translate a form of Java's, of years to hours, to strftime's; '' where it has something else."""
    text = re.sub(
        r"'([^']*)'|yyyy|MM|dd|HH|M|d|H|[A-Za-z]+",
        lambda found: found[1] if found[1] is not None else _FORMS.get(found[0], "\0"),
        form,
    )
    return "" if "\0" in text else text


def _written(moment: datetime, form: str, units: str) -> str:
    return moment.strftime(_java(form) or "".join(f"%{unit}" for unit in units)).rjust(4 if "Y" in units else 0, "0")


def _end(text: str, form: str, *, latest: bool) -> datetime | None:
    """Read one end of a projection's range; None where it is not known."""
    if found := _NOW.fullmatch(text.strip()):
        days = int(found[2] or 0) * _LENGTHS.get((found[3] or "").upper(), 1) * (-1 if found[1] == "-" else 1)
        return datetime.now(UTC).replace(tzinfo=None) + timedelta(days=days if latest else days - 1)
    told = _interval(dict(zip("YmdH", _read(text), strict=False)))
    return told and told[0]
