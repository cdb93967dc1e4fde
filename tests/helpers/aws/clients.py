"""Sessions of boto3 for tests."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from workbench.aws.session import Session

if TYPE_CHECKING:
    from tests.helpers.aws.server import AwsServer


@lru_cache(maxsize=4)
def session_of(server: AwsServer) -> Session:
    session = Session("testing", "testing", region_name="eu-central-1")
    session.endpoint = server.endpoint
    return session


def overhear(session: Session, event: str, handler: Callable[..., Any], **more: Any) -> None:
    """Register a handler with a session whose clients are made anew, as those there are do not know it."""
    session.events.register(event, handler, **more)
    session._clients.clear()
