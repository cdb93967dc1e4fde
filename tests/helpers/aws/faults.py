"""What goes wrong on purpose: faults that tests queue, each used up by the requests it is for."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal

Kind = Literal["refused", "ends", "slow", "denied", "truncated"]


@dataclass
class Fault:
    """One fault, and for how many requests, queries or objects it stays."""

    kind: Kind
    times: float
    operation: str = ""
    code: str = ""
    message: str = ""
    status: int = 400
    state: str = "FAILED"
    retryable: bool = False
    seconds: float = 0.0
    prefix: str = ""


class Faults:
    """The queue; `len` tells how many faults wait."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._waiting)

    def throttle(
        self, times: int = 1, *, code: str = "ThrottlingException", operation: str = "StartQueryExecution"
    ) -> None:
        """Throttle an operation so many times; code may be TooManyRequestsException."""
        message = (
            "Rate exceeded"
            if code == "ThrottlingException"
            else "You have exceeded the limit for the number of queries you can run concurrently. Please reduce the number of concurrent queries submitted by this account. Contact customer support to request a concurrent query limit increase."
        )
        self.refuse(operation, code, message, times=times)

    def expire(self, operation: str = "", times: float = float("inf")) -> None:
        """Let the credentials expire, for one operation or for all."""
        words = "The security token included in the request is expired"
        self.refuse(operation, "ExpiredTokenException", words, times=times)

    def refuse(self, operation: str, code: str, message: str, *, times: float = 1, status: int = 400) -> None:
        """Answer an operation with an error; '' is any operation."""
        self._add(Fault("refused", times, operation, code, message, status))

    def fail(self, reason: str, *, retryable: bool = False, times: int = 1) -> None:
        """Let a query end FAILED."""
        self._add(Fault("ends", times, message=reason, retryable=retryable))

    def cancel(self, reason: str = "Query cancelled", *, times: int = 1) -> None:
        """Let a query end CANCELLED."""
        self._add(Fault("ends", times, message=reason, state="CANCELLED"))

    def slow(self, seconds: float, *, times: int = 1) -> None:
        """Let a query run for so long, or until it is stopped."""
        self._add(Fault("slow", times, seconds=seconds))

    def deny(self, prefix: str, *, operation: str = "GetObject", times: float = float("inf")) -> None:
        """Deny an operation of S3 on what begins with ``s3://bucket/prefix``."""
        self._add(Fault("denied", times, operation, "AccessDenied", "Access Denied", 403, prefix=prefix))

    def truncate(self, prefix: str = "s3://", *, times: int = 1) -> None:
        """Cut an object of a result in two: the first that is written under a prefix."""
        self._add(Fault("truncated", times, prefix=prefix))

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._waiting.clear()

    def take(self, kind: Kind, operation: str = "", path: str = "") -> Fault | None:
        """Use up the first fault that is for this."""
        with self._lock:
            for fault in self._waiting:
                if fault.kind == kind and fault.operation in ("", operation) and path.startswith(fault.prefix):
                    fault.times -= 1
                    if fault.times <= 0:
                        self._waiting.remove(fault)
                    return fault
        return None

    def _add(self, fault: Fault) -> None:
        with self._lock:
            self._waiting.append(fault)
