"""How many examples a law is tried with: as many as it says, or fewer or ten times more with another profile.

``pytest --hypothesis-profile=fast`` or ``thorough``; without, it is ``ci`` where `CI` is set, else ``tests``.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings


def register() -> None:
    """Register the profiles, and load the one of this machine."""
    # No test fails because the machine is slow; and with CI, a submission is judged on its own change, not on luck.
    settings.register_profile("tests", max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    tests = settings.get_profile("tests")
    settings.register_profile("ci", tests, max_examples=50, derandomize=True)
    settings.register_profile("fast", tests, max_examples=10, derandomize=True)
    settings.register_profile("thorough", tests, max_examples=1_000)
    settings.load_profile("ci" if os.environ.get("CI") else "tests")


def examples(count: int, **more: Any) -> settings:
    """Return the settings of a law that is tried `count` times where others are tried 100 times.

    >>> examples(400, derandomize=True).max_examples // settings.default.max_examples
    4
    """
    return settings(max_examples=max(1, count * settings.default.max_examples // 100), **more)
