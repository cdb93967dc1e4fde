"""Masks: frames in which chosen attributes hold no value any more."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np
import pandas as pd

from workbench.errors import ParameterError, RecordRefused
from workbench.model.attribute_paths import RESERVED
from workbench.model.items import from_dynamodb, to_dynamodb
from workbench.model.masked_values import REDACTED as REDACTED
from workbench.model.masked_values import AttributePath, hashed, masked_path
from workbench.model.masked_values import How as How
from workbench.model.masked_values import masked_paths as masked_paths
from workbench.model.masked_values import names_masked as names_masked
from workbench.model.records import canonical_json
from workbench.questions.cells import is_absent
from workbench.questions.columns import ACTOR, ANSWERS, UNDO
from workbench.questions.large import Frame, LargeFrame, parts

_VALUES = frozenset({"before", "bad", "now", "after", "member"})  # columns of values of attributes that others name
_IMAGES = frozenset({"keys", "image", "new_image", "old_image"})  # columns of DynamoDB JSON text


def mask(
    df: pd.DataFrame, paths: str | Sequence[str], how: How = "hash", salt: str = "", *, actor: str | None = None
) -> pd.DataFrame:
    """Return the frame with no value left in the attributes at some paths, nor in anything under them.

    They are found as columns of their own (also those that begin with ``new.`` and ``old.``), inside the maps and
    lists of a column above them, in the columns before and after of a history, and in texts of DynamoDB JSON
    (the columns keys, image, new_image and old_image). An absent attribute stays absent; NULL is masked too.

    Parameters
    ----------
    paths
        As in column names, ``person.email``; a list is passed through: ``people.email`` is that of all its elements.
    how
        ``"redact"``: the text ``[masked]``. ``"hash"``: the first 16 hex digits of the HMAC-SHA-256 of the value as
        canonical DynamoDB JSON, such as ``{"N":"1"}``, so that equal values stay equal, within a frame and between.
    salt
        Key of the hashes. Without a secret one, a value that can be guessed (an email, a number, a yes or no) can be
        found out by hashing the guesses.
    actor
        The path of the attribute that the column `actor` shows, where there is such a column.

    Returns
    -------
    pandas.DataFrame
        A new frame, or the same one where nothing is to be masked. A masked column is ``str``.

    Raises
    ------
    ParameterError
        Where `how` is none of the two or a path is malformed.

    >>> mask(pd.DataFrame({"pk": ["a"], "person.email": ["ann@example.com"]}), ["person"], "redact").loc[0].to_list()
    ['a', '[masked]']
    """
    hide, masked = _hider(how, salt), masked_paths(paths)
    names = set(map(str, df.columns))
    items = bool(names & RESERVED)  # a state: all others are attributes
    own = RESERVED if items else frozenset[str]().union(*(each for each in ANSWERS if each.keys() <= names))
    replaced: dict[int, pd.Series] = {}
    for at, name in enumerate(map(str, df.columns) if masked else ()):
        column = df.iloc[:, at]
        hidden = column
        if not items and name in _VALUES and {"path", "before", "after"} <= names:
            hidden = _differences(hidden, df["path"], masked, hide)
        elif not items and name in _VALUES and UNDO.keys() <= names:
            hidden = _by_paths(hidden, masked, hide)
        if actor and name == ACTOR:
            hidden = _attribute(hidden, masked_paths(actor), masked, hide)
        elif name not in own:
            hidden = _attribute(hidden, _places(name, prefixed=not items), masked, hide)
        if name in _IMAGES and not items:
            hidden = _images(hidden, masked, hide)
        if hidden is not column:
            replaced[at] = hidden
    if not replaced:
        return df
    new = df.copy(deep=False)
    for at, hidden in replaced.items():
        new.isetitem(at, hidden.array)
    return new


def hide(
    frame: Frame,
    paths: str | Sequence[str],
    how: How,
    salt: str = "",
    *,
    keys: int = 0,
    within: Sequence[str] = (),
    actor: str | None = None,
) -> Frame:
    """Return a frame as `mask` does, ordered by what is seen in it, where its rows stood in the order of masked keys.

    The rows of an item stay together, as they are. Items are ordered by their keys as masked, and where these are equal
    by all that is seen of them, so that the order tells nothing.

    Parameters
    ----------
    keys
        So many of the first columns are the key.
    within
        Columns by which rows are ordered before the key.
    actor
        As of `mask`.

    Examples
    --------
    >>> hide(pd.DataFrame({"email": ["ann@x", "bob@x"], "n": [2, 1]}), "email", "redact", keys=1)["n"].to_list()
    [1, 2]
    """
    changed = any(_keys_differ(part, mask(part, paths, how, salt), keys) for part in parts(frame)) if keys else False

    def hidden(part: pd.DataFrame) -> pd.DataFrame:
        masked = mask(part, paths, how, salt, actor=actor)
        return _reordered(part, masked, keys, within) if changed and len(part) > 1 else masked

    if not isinstance(frame, LargeFrame):
        return hidden(frame)
    if changed and not (within and list(within) == list(frame.within)):  # any item may come to stand in any part
        return hidden(frame.whole())
    return frame.map(hidden) if paths else frame


def _keys_differ(df: pd.DataFrame, hidden: pd.DataFrame, keys: int) -> bool:
    return not all(df.iloc[:, at].equals(hidden.iloc[:, at]) for at in range(keys))


def _reordered(df: pd.DataFrame, hidden: pd.DataFrame, keys: int, within: Sequence[str]) -> pd.DataFrame:
    columns = [df.iloc[:, at] for at in range(keys)]
    block = _runs([df[name] for name in within], len(df))
    run = _runs([*(df[name] for name in within), *columns], len(df))
    seen = pd.DataFrame({"block": block, "run": run}, index=hidden.index)
    for at in range(keys):
        column = hidden.iloc[:, at]
        seen[f"key {at}"] = column.array if pd.api.types.is_numeric_dtype(column) else column.map(str).array
    first = seen.drop_duplicates("run").set_index("run")
    if first.duplicated().any():
        text = hidden.astype(object).map(str).agg("\x1f".join, axis="columns")
        first["all"] = text.groupby(run).agg("\x1e".join)
    place = pd.Series(range(len(first)), first.sort_values(list(first.columns)).index)
    return hidden.iloc[np.argsort(place.loc[run].to_numpy(), kind="stable")].reset_index(drop=True)


def _runs(columns: Sequence[pd.Series], rows: int) -> np.ndarray:
    """Return the number, from 0 on, of the run of equal rows that each row is in."""
    begins = np.zeros(rows, dtype=bool)
    for column in columns:
        codes = pd.factorize(column.map(repr))[0]
        begins[1:] |= codes[1:] != codes[:-1]
    return np.cumsum(begins)


class ImageMask:
    """Masks images as `mask` does columns of them, and knows which of its paths were in one.

    Attributes
    ----------
    unmatched
        The paths that were in no image so far.

    >>> hidden = ImageMask(["person.email", "phone"], "redact")
    >>> hidden('{"person":{"M":{"email":{"S":"ann@example.com"}}}}'), hidden.unmatched
    ('{"person":{"M":{"email":{"S":"[masked]"}}}}', ['phone'])
    """

    def __init__(self, paths: Sequence[str], how: How = "hash", salt: str = "") -> None:
        self.unmatched, self._hide = [*paths], _hider(how, salt)
        self._paths = dict(zip(paths, masked_paths(paths), strict=True))

    def __call__(self, text: str) -> str:
        """Return an image, given as DynamoDB JSON text, without the values that are masked."""
        for path, names in self._paths.items():
            hidden = _image(text, [names], self._hide)
            if path in self.unmatched and hidden is not text:
                self.unmatched.remove(path)
            text = hidden
        return text


def unmatched(df: Frame, paths: Sequence[str]) -> list[str]:
    """Return the paths at which a frame of items or of changes holds nothing to mask.

    >>> unmatched(pd.DataFrame({"pk": ["a"], "person.email": ["x"]}), ["person", "address"])
    ['address']
    """
    return [path for path in paths if all(mask(part, [path], "redact") is part for part in parts(df))]


def beside(paths: Sequence[str], columns: Iterable[str]) -> list[str]:
    """Return the paths that are none of a log's attributes, by their columns, nor above or below one.

    >>> beside(["person.email", "address"], ["pk", "person.email"])
    ['address']
    """
    attributes = [place for name in columns for place in _places(name, prefixed=False)]
    return [path for path in paths if not any(_below(place, masked_paths(path)) for place in attributes)]


def _places(name: str, *, prefixed: bool) -> list[AttributePath]:
    """Return the attribute paths a column may hold; none where its name is no path."""
    try:
        path = masked_path(name)
    except ParameterError:
        return []
    return [path, path[1:]] if prefixed and path[0] in ("new", "old") else [path]


def _below(place: AttributePath, masked: Sequence[AttributePath]) -> list[AttributePath]:
    """Return what is masked from a place on: nothing, all of it, which is an empty path, or paths inside of it."""
    if any(place[: len(path)] == path for path in masked):
        return [()]
    return [path[len(place) :] for path in masked if path[: len(place)] == place]


def _attribute(
    column: pd.Series, places: Sequence[AttributePath], masked: Sequence[AttributePath], hide: Callable[[Any], Any]
) -> pd.Series:
    below = [path for place in places for path in _below(place, masked)]
    scalar = column.dtype.kind != "O" or isinstance(column.dtype, pd.StringDtype)
    if not below or (scalar and () not in below):
        return column
    if () not in below:
        return _replaced(column, [_inside(value, below, hide) for value in column])
    if scalar:  # values of one type, which repeat: hashing takes its time
        return column.astype(object).map({value: hide(value) for value in column.dropna().unique()}).astype("string")
    cells = [pd.NA if is_absent(value) else hide(value) for value in column]
    return pd.Series(cells, column.index, "string", column.name)


def _differences(
    column: pd.Series, paths: pd.Series, masked: Sequence[AttributePath], hide: Callable[[Any], Any]
) -> pd.Series:
    """Mask the values before or after of attributes that are named in another column; without a path it is an item."""
    below = {
        path: [part for place in (_places(path, prefixed=False) if path else [()]) for part in _below(place, masked)]
        for path in paths.dropna().unique()
    }
    if not any(below.values()):
        return column
    return _replaced(column, [_inside(value, below.get(path), hide) for path, value in zip(paths, column, strict=True)])


def _by_paths(column: pd.Series, masked: Sequence[AttributePath], hide: Callable[[Any], Any]) -> pd.Series:
    """Mask values that each row has by the paths of their attributes."""

    def hidden(values: Mapping[str, Any]) -> Mapping[str, Any]:
        below = {
            path: [part for place in _places(path, prefixed=False) for part in _below(place, masked)] for path in values
        }
        if not any(below.values()):
            return values
        return {path: _inside(value, below[path], hide) for path, value in values.items()}

    return _replaced(column, [hidden(values) for values in column])


def _images(column: pd.Series, masked: Sequence[AttributePath], hide: Callable[[Any], Any]) -> pd.Series:
    """Mask inside texts of DynamoDB JSON; a text that is none stays."""

    texts = (
        {text: _image(text, masked, hide) for text in column.dropna().unique() if isinstance(text, str)}
        if column.dtype == object or isinstance(column.dtype, pd.StringDtype)
        else {}
    )
    if all(text is hidden for text, hidden in texts.items()):
        return column
    return column.map(lambda value: texts.get(value, value)).astype(column.dtype)


def _image(text: str, masked: Sequence[AttributePath], hide: Callable[[Any], Any]) -> str:
    """Mask inside a text of DynamoDB JSON; the same text where nothing is."""
    with suppress(ValueError, TypeError, AttributeError):  # RecordRefused is a ValueError
        item = from_dynamodb(json.loads(text))
        changed = _inside(item, masked, hide)
        return text if changed is item else canonical_json(to_dynamodb(changed))
    return text


def _inside(value: Any, below: Sequence[AttributePath] | None, hide: Callable[[Any], Any]) -> Any:
    """Return the value with what is below it masked; the same value where nothing is."""
    if not below:
        return value
    if () in below:
        return hide(value)
    if isinstance(value, Mapping):
        changed = {
            name: _inside(child, [path[1:] for path in below if path[0] == name], hide) for name, child in value.items()
        }
        return changed if any(changed[name] is not child for name, child in value.items()) else value
    if isinstance(value, list | tuple | np.ndarray):
        elements = [_inside(element, below, hide) for element in value]
        return elements if any(new is not old for new, old in zip(elements, value, strict=True)) else value
    return value


def _replaced(column: pd.Series, values: Sequence[Any]) -> pd.Series:
    if all(new is old for new, old in zip(values, column, strict=True)):
        return column
    cells = np.empty(len(column), dtype=object)
    cells[:] = values
    return pd.Series(cells, column.index, object, column.name)


def _hider(how: str, salt: str) -> Callable[[Any], Any]:
    if how not in ("hash", "redact"):
        raise ParameterError(f"a mask cannot {how!r}: use 'hash' or 'redact'")

    def hide(value: Any) -> Any:
        if is_absent(value):
            return value
        return REDACTED if how == "redact" else hashed(_canonical(value), salt)

    return hide


def _canonical(value: Any) -> bytes:
    try:
        return canonical_json(to_dynamodb({"": value}))[4:-1].encode()  # without the name and its braces
    except (ParameterError, RecordRefused):  # nothing DynamoDB could hold, in a frame of other origin
        return str(value).encode(errors="surrogatepass")
