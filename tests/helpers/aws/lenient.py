"""Reads the JSON that is none but that the OpenX SerDe takes; a port of Trino's `openxjson.JsonReader`.

Comments, single quotes, bare words, `=` and `=>` between name and value, `;` between members, and commas too many.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any


class Literally(str):
    """A value that stands in JSON without quotes: a number, or a bare word."""

    __slots__ = ()


class MalformedJson(ValueError):
    """A line that is no JSON even leniently."""


Members = Callable[[list[tuple[str, Any]]], dict[str, Any]]
_BARE = re.compile(r"[^ \r\n\t\f{}\[\]/\\:,=;#]*")
_ESCAPES = {"t": "\t", "b": "\b", "n": "\n", "r": "\r", "f": "\f", "a": "\a", "v": "\t"}


def read_leniently(text: str, members: Members) -> Any:
    """Read the first value of a text; `members` makes an object of its pairs."""
    return _Reader(text, members).value()


class _Reader:
    def __init__(self, text: str, members: Members) -> None:
        self.text, self.members, self.at = text, members, 0

    def value(self) -> Any:
        match self.next():
            case "":
                raise self.error("End of input")
            case "{":
                return self.object()
            case "[":
                return self.array()
            case ("'" | '"') as quote:
                return self.quoted(quote)
        self.at -= 1
        found = _BARE.match(self.text, self.at)
        if not found or not found[0]:
            raise self.error("Expected literal value")
        self.at = found.end()
        return None if found[0].lower() == "null" else Literally(found[0])

    def object(self) -> Any:
        pairs: list[tuple[str, Any]] = []
        first = self.next()
        if first == "}":
            return self.members(pairs)
        self.at -= len(first)
        while True:
            name = self.value()
            if not isinstance(name, str):
                raise self.error(f"Names must be strings, but {name} is none")
            separator = self.next()
            if separator not in (":", "="):
                raise self.error(f"Expected ':' after field {name}")
            if separator == "=" and self.text.startswith(">", self.at):
                self.at += 1
            pairs.append((str(name), self.value()))
            match self.next():
                case "}":
                    return self.members(pairs)
                case "," | ";":
                    continue
            raise self.error("Unterminated object")

    def array(self) -> Any:
        found: list[Any] = []
        trailing = False
        while True:
            match self.next():
                case "":
                    raise self.error("Unterminated array")
                case "]":
                    return [*found, None] if trailing else found
                case "," | ";":
                    found.append(None)
                    trailing = True
                    continue
            self.at -= 1
            found.append(self.value())
            match self.next():
                case "]":
                    return found
                case "," | ";":
                    trailing = True
                    continue
            raise self.error("Unterminated array")

    def quoted(self, quote: str) -> str:
        parts: list[str] = []
        while self.at < len(self.text):
            character = self.text[self.at]
            self.at += 1
            if character == quote:
                text = "".join(parts)
                return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
            if character == "\\":
                escaped = self.text[self.at : self.at + 1]
                self.at += 1
                if escaped == "u":
                    digits = self.text[self.at : self.at + 4]
                    if not re.fullmatch(r"[0-9a-fA-F]{4}", digits):
                        raise self.error(f"Invalid escape sequence: {digits}")
                    self.at += 4
                    character = chr(int(digits, 16))
                elif not escaped:
                    raise self.error("Unterminated escape sequence")
                else:
                    character = _ESCAPES.get(escaped, escaped)
            parts.append(character)
        raise self.error("Unterminated string")

    def next(self) -> str:
        """Return the next character that is neither white space nor of a comment; '' at the end."""
        while self.at < len(self.text):
            character = self.text[self.at]
            self.at += 1
            if character in "\t \n\r":
                continue
            if character == "#" or self.text.startswith("//", self.at - 1):
                end = self.text.find("\n", self.at)
                self.at = len(self.text) if end < 0 else end + 1
            elif self.text.startswith("/*", self.at - 1):
                end = self.text.find("*/", self.at + 1)
                if end < 0:
                    raise self.error("Unterminated c-style comment")
                self.at = end + 2
            else:
                return character
        return ""

    def error(self, message: str) -> MalformedJson:
        return MalformedJson(f"{message} at {self.at}")
