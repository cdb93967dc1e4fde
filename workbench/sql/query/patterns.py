r"""Regular expressions that every engine reads alike: what is not surely so is refused.

Athena's Joni and DuckDB's RE2 differ in look-arounds, back references, flags, word boundaries, classes of Unicode, what
``\s`` is, and whether ``$`` matches before a newline at the end. What is left is what people mostly write.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

_ESCAPED = r"\\[.^$|?*+()\[\]{}/\\-]"
_TOKEN = re.compile(
    rf"""
    (?P<set>\[\^?(?:{_ESCAPED}|\\[dDwWstnr]|[^\\\[\]&])+\])
    |(?P<open>\((?:\?:|(?!\?)))
    |(?P<close>\))
    |(?P<either>\|)
    |(?P<times>(?:[*+?]|\{{\d{{1,3}}(?:,\d{{0,3}})?\}})\??)
    |(?P<anchor>[\^$])
    |(?P<one>{_ESCAPED}|\\[dDwWsStnr]|[^\\\[\](){{}}*+?|^$])
    """,
    re.VERBOSE | re.DOTALL,
)
_SPACE = r"\t\n\x0b\f\r "
_WRITTEN = {"$": r"\z", r"\s": f"[{_SPACE}]", r"\S": f"[^{_SPACE}]"}
_BLURRED = re.compile(r"-\\[dDwWs]|\\[dDwWs]-(?!\])|\\\\s")


@dataclass(frozen=True)
class Pattern:
    """A regular expression that every engine reads alike."""

    text: str
    """As engines are given it."""
    groups: tuple[bool, ...]
    """Of each group in parentheses, whether it is part of every match."""
    matches_nothing: bool
    """Whether it matches the empty text too."""


@lru_cache(maxsize=256)
def pattern_of(written: str) -> Pattern:
    r"""Read a regular expression.

    Raises
    ------
    ValueError
        Which says what in it engines read differently.

    >>> pattern_of(r"^(\d+)(px)?$")
    Pattern(text='^(\\d+)(px)?\\z', groups=(True, False), matches_nothing=False)
    """
    certain: list[bool] = []
    opened: list[tuple[int, bool]] = []  # of each parenthesis: how many groups began before it, and if it is one
    either = [False]  # of the pattern and of each parenthesis, whether it has |
    at, begin, repeats, pieces = 0, 0, False, list[str]()
    while at < len(written):
        token = _TOKEN.match(written, at)
        kind, text = (str(token.lastgroup), token[0]) if token else ("", written[at : at + 3])
        at += len(text)
        if kind == "times" and repeats:
            if text[0] in "*?" or re.match(r"\{0+[,}]", text):
                certain[begin:] = [False] * (len(certain) - begin)
        elif kind in ("times", "") or (kind == "close" and not opened):
            raise ValueError(f"engines read {text!r} in a pattern differently, or not at all")
        elif kind == "open":
            opened.append((len(certain), text == "("))
            either.append(False)
            certain += [True] * (text == "(")
        elif kind == "either":
            either[-1] = True
        begin = len(certain)
        if kind == "close":
            begin, is_group = opened.pop()
            if either.pop():
                certain[begin + is_group :] = [False] * (len(certain) - begin - is_group)
        elif kind == "set":
            if _BLURRED.search(text):
                raise ValueError(f"engines read {text!r} in a pattern differently")
            text = text.replace(r"\s", _SPACE)
        elif kind in ("anchor", "one"):
            text = _WRITTEN.get(text, text)
        repeats = kind in ("set", "close", "one")
        pieces.append(text)
    if opened:
        raise ValueError("a parenthesis in the pattern is never closed")
    if either[0]:
        certain = [False] * len(certain)
    try:
        nothing = re.compile(written).match("") is not None
    except re.error as error:
        raise ValueError(f"the pattern cannot be read: {error}") from None
    return Pattern("".join(pieces), tuple(certain), nothing)


def replacement_of(written: str, pattern: Pattern) -> str:
    """Read what matches of a pattern are replaced by: groups are ``$1`` to ``$9``, and ``$0`` is the match.

    Raises
    ------
    ValueError
        Which says what in it engines read differently.
    """
    for found in re.finditer(r"\\|\$(?:(\d)(?!\d))?", written):
        if found[1] is None or int(found[1]) > len(pattern.groups):
            raise ValueError(f"of a replacement, {found[0]!r} is no group: $0 is the match, $1 to $9 are its groups")
    return written
