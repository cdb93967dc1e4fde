"""What is seen of a masked value, and which texts may name one."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence
from typing import Literal

from workbench.model.attribute_paths import column_path

How = Literal["hash", "redact"]
REDACTED = "[masked]"
UNMATCHED = "the mask {} applies to nothing here"
AttributePath = tuple[str, ...]
_UNQUOTED = re.compile(r"[\"'\\]")
_INDEX = re.compile(r'("(?:[^"]|"")*")|\[\d*\](?=[.\[]|\Z)')


def hashed(value: bytes, salt: str) -> str:
    """Return what a mask shows of a value, given as canonical DynamoDB JSON: 16 hex digits of its HMAC-SHA-256.

    >>> hashed(b'{"N":"1"}', "")
    '7bd745c3eaf176cc'
    """
    return hmac.new(salt.encode(), value, hashlib.sha256).hexdigest()[:16]


def names_masked(text: str, paths: str | Sequence[str]) -> bool:
    """Return whether a text, such as SQL or a condition, names an attribute at one of some paths.

    By the attribute's own name, whatever stands above it: rather too often than not often enough.

    >>> names_masked("json_extract_scalar(image, '$.person.M.email.S') = 'x'", ["person.email"])
    True
    """
    plain = _UNQUOTED.sub("", text)
    return any(
        re.search(rf"(?<!\w){re.escape(_UNQUOTED.sub('', path[-1]))}(?!\w)", plain, re.IGNORECASE)
        for path in masked_paths(paths)
    )


def masked_paths(paths: str | Sequence[str]) -> list[AttributePath]:
    """Return the paths of a mask as names, without the indexes of lists' elements, which are all masked.

    >>> masked_paths(["people[0].email", 'a."b[0]"'])
    [('people', 'email'), ('a', 'b[0]')]
    """
    return [masked_path(path) for path in ([paths] if isinstance(paths, str) else paths)]


def masked_path(text: str) -> AttributePath:
    """Split a path, without the indices of lists' elements; quoted, they belong to a name.

    >>> masked_path("people[0].email")
    ('people', 'email')
    """
    return column_path(_INDEX.sub(lambda match: match[1] or "", text))
