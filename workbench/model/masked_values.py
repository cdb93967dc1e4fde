"""What is seen of a masked value."""

from __future__ import annotations

import hashlib
import hmac
from typing import Literal

How = Literal["hash", "redact"]
REDACTED = "[masked]"
UNMATCHED = "the mask {} applies to nothing here"


def hashed(value: bytes, salt: str) -> str:
    """Return what a mask shows of a value, given as canonical DynamoDB JSON: 16 hex digits of its HMAC-SHA-256.

    >>> hashed(b'{"N":"1"}', "")
    '7bd745c3eaf176cc'
    """
    return hmac.new(salt.encode(), value, hashlib.sha256).hexdigest()[:16]
