"""One line of what is ready and what is not, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "failed"]


@dataclass(frozen=True)
class Check:
    """How one part is."""

    check: str
    status: Status
    detail: str
    remedy: str = ""
