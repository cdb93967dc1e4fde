"""What differs between the states of two logs: of two tables, sources or accounts, such as production and its copy."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from workbench.config import Settings, settings_of
from workbench.engines import Answer, open_engine
from workbench.errors import ParameterError, did_you_mean
from workbench.log.contents import alive_at
from workbench.log.known import as_known
from workbench.model.attribute_paths import column_name, column_path
from workbench.model.canonical import canonical_keys
from workbench.model.keys import Key
from workbench.model.times import Moment, instant
from workbench.paths import is_s3, local_path
from workbench.questions.asking import Asking
from workbench.questions.history import Comparison
from workbench.questions.state import images_by_key, state_at
from workbench.questions.state_comparison import compare
from workbench.sql.filters import Filter, Keys
from workbench.text import plain

_OF_THIS_LOG = ("baseline", "log_region", "log_account", "checkpoints", "compacted")
"""Settings that are about a log, and not about how it is read."""
KeyMap = Mapping[str, str] | str
"""Key attributes of a table and what another one calls them; as text ``pk=id sk=range``."""


def diff_of_logs(
    asking: Asking,
    table: str,
    before: Moment,
    after: Moment | None,
    *,
    key: Key | Sequence[Key] | None,
    prefix: bool,
    against: str,
    other: Asking,
    key_map: KeyMap | None,
) -> Comparison:
    """Compare a table with another one, at one instant or two; see `Workbench.diff`.

    Parameters
    ----------
    against
        The other table's name.
    other
        Its log.
    """
    at = instant(before)
    moments = at, at if after is None else instant(after)
    if (other.engine, against, moments[1]) == (asking.engine, table, moments[0]):
        raise ParameterError(
            f"{table!r} would be compared with itself: name another table, another log or a second instant"
        )
    named = _named(key_map)
    asking, other = _with_all_masks(asking, other, named)
    own, theirs = (each.engine.keys(name) for each, name in ((asking, table), (other, against)))
    called = _called(table, alive_at(own, moments[0]).types, against, alive_at(theirs, moments[1]).types, named)
    matching = asking.read_keys(table, key, prefix)
    place = against if other.engine is asking.engine else f"{against} of {other.engine.place_of_logs}"

    def states() -> tuple[Answer, Mapping[str, str]]:
        answer = state_at(asking, table, moments[0], where=Filter(matching))
        return answer, images_by_key(answer.rows)

    def other_states() -> tuple[Answer, Mapping[str, str]]:
        answer = state_at(other, against, moments[1], where=Filter(_renamed_keys(matching, called)))
        return answer, images_by_key(answer.rows)

    def ask() -> Comparison:
        (answer, one), (other_answer, two) = states(), other_states()
        renamed = any(name != own_name for own_name, name in called.items())
        if renamed:
            back = {name: own_name for own_name, name in called.items()}
            one = {key: _without(image, called) for key, image in one.items()}
            two = {_renamed(key, back): _without(image, back) for key, image in two.items()}
        df, items = compare(
            one,
            two,
            list(called),
            ("added", "removed", "changed"),
            of_keys=renamed,
            threads=asking.settings.threads,
        )
        asked: dict[str, Any] = {"before": at, "after": after and moments[1], "key": key, "prefix": prefix}
        asked |= {"against": place, "key_map": dict(called) if renamed else None}
        newest = other_answer.newest_change
        fresh = f"newest change of {place}: {f'{newest:%Y-%m-%d %H:%M:%S} UTC' if newest else 'not known'}"
        notes = [
            *asking.notes(table, moments[0]),
            fresh,
            *(f"{place}: {as_known(each)}" for each in (other.settings.known_at,) if each),
            *(f"{place}: {note}" for note in (*other.notes(against, moments[1]), *other_answer.notes)),
        ]
        both = _together(table, answer, place, other_answer)
        return asking.result(Comparison, df, both, "diff", table, asked, items=items, notes=notes)

    return other.retrying(against, lambda: asking.retrying(table, ask))


@contextmanager
def log_of(asking: Asking, source: Asking | str | Path | None) -> Iterator[Asking]:
    """Open another log: one that is asked already, or of a file of settings, or a folder, file or glob.

    A folder is read as this log is, with its settings but those that are about this log. None is this log.
    """
    if source is None or isinstance(source, Asking):
        yield asking if source is None else source
        return
    if not is_s3(source) and local_path(source).suffix == ".toml":
        settings = settings_of(local_path(source))
    else:
        given = asking.settings.model_dump() | dict.fromkeys(_OF_THIS_LOG) | {"engine": "duckdb", "source": str(source)}
        settings = Settings.of_file(asking.settings.file, {**given, "table_names": {}})
    with closing(open_engine(settings)) as engine:
        yield Asking(engine, settings)


def _named(key_map: KeyMap | None) -> dict[str, str]:
    if not isinstance(key_map, str):
        return dict(key_map or {})
    pairs = [pair.partition("=") for pair in shlex.split(key_map)]
    for name, _, other in pairs:
        if not name or not other:
            raise ParameterError(f"key_map={key_map!r}: write it like pk=id, this table's name before the other's")
    return {name: other for name, _, other in pairs}


def _called(
    table: str, own: Mapping[str, str], against: str, theirs: Mapping[str, str], named: Mapping[str, str]
) -> dict[str, str]:
    """Return what the other table calls the key attributes.

    Raises
    ------
    ParameterError
        Where the keys cannot be compared.
    """
    for kind, names, known in (("this", named, own), ("the other", named.values(), theirs)):
        for name in names:
            if name not in known:
                raise ParameterError(
                    f"{name!r} is no key attribute of {kind} table, which has {', '.join(known)}."
                    f"{did_you_mean(name, known)}"
                )
    called = {name: named.get(name, name) for name in own}
    if sorted(called.values()) != sorted(theirs):
        example = " ".join(f"{name}={other}" for name, other in zip(own, theirs, strict=False) if name != other)
        advice = f": say how they are called, key_map={example!r}" if len(own) == len(theirs) else ""
        raise ParameterError(f"the key of {table!r} is {_words(own)}, that of {against!r} {_words(theirs)}{advice}")
    if any(kind != theirs[called[name]] for name, kind in own.items()):
        raise ParameterError(
            f"the keys are of different types and cannot be compared: that of {table!r} is {_words(own)}, that of "
            f"{against!r} {_words(theirs)}"
        )
    return called


def _words(types: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in types.items())


def _with_all_masks(asking: Asking, other: Asking, named: Mapping[str, str]) -> tuple[Asking, Asking]:
    """Return both with what either hides hidden, under either's names of key attributes, and the safer way."""
    masking = [each.settings for each in (asking, other) if each.settings.mask]
    if not masking:
        return asking, other
    paths = [path for each in masking for path in each.mask]
    for names in (named, {name: own for own, name in named.items()}):
        paths += [
            column_name((names[first], *rest)) for first, *rest in map(column_path, tuple(paths)) if first in names
        ]
    hidden = {
        "mask": tuple(dict.fromkeys(paths)),
        "mask_with": "redact" if any(each.mask_with == "redact" for each in masking) else "hash",
        "mask_salt": next((each.mask_salt for each in masking if each.mask_salt), ""),
    }
    one, two = (replace(each, settings=each.settings.model_copy(update=hidden)) for each in (asking, other))
    return one, two


def _renamed_keys(keys: Keys, names: Mapping[str, str]) -> Keys:
    return tuple(
        _renamed(each, names)
        if isinstance(each, str)
        else tuple(replace(part, name=names.get(part.name, part.name)) for part in each)
        for each in keys
    )


def _renamed(key: str, names: Mapping[str, str]) -> str:
    return canonical_keys({names.get(name, name): value for name, value in json.loads(key).items()})


def _without(image: str, names: Mapping[str, str]) -> str:
    """Take key attributes out of an image."""
    attributes = orjson.loads(image)
    return orjson.dumps({name: value for name, value in attributes.items() if name not in names}).decode()


def _together(table: str, one: Answer, place: str, other: Answer) -> Answer:
    """Return what both answers took."""
    return replace(
        one,
        sql=f"-- {plain(table)}\n{one.sql}\n\n-- {plain(place)}\n{other.sql}",
        seconds=one.seconds + other.seconds,
        objects=one.objects + other.objects,
        bytes=one.bytes + other.bytes,
        unreadable=(*one.unreadable, *other.unreadable),
        queries=(*one.queries, *other.queries),
    )
