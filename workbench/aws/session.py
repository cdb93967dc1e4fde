"""The boto3 session everything on AWS goes through: profile, region, role, endpoint and retries in one place.

>>> from workbench.config import load_settings
>>> session = open_session(load_settings(region="eu-central-1", profile="analyst"))  # doctest: +SKIP
>>> session.client("glue").get_databases()["DatabaseList"]  # doctest: +SKIP
[{'Name': 'logs', …}]
"""

from __future__ import annotations

import os
import re
from datetime import datetime
from threading import Lock
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import BotoCoreError
from botocore.utils import parse_timestamp

from workbench.config import Settings
from workbench.errors import ConfigError

# Adds a token bucket to the back-off, as https://boto3.amazonaws.com/v1/documentation/api/latest/guide/retries.html
# advises for clients that are throttled.
_RETRIES = Config(
    retries={"mode": "standard", "max_attempts": 8},
    user_agent_appid="dynamodb-workbench",  # type: ignore[call-arg]  # botocore-stubs lag behind
)


class Session(boto3.Session):
    """A session whose clients use one endpoint, where one is set, and retry what is transient.

    awswrangler takes it as ``boto3_session=``, so that its global configuration stays as it is. It asks for a client
    with every call, which takes some 20 ms and a new connection each: clients are made once and shared, as they may be
    among threads (https://boto3.amazonaws.com/v1/documentation/api/latest/guide/clients.html).
    """

    endpoint: str | None = None

    _clients: dict[str, object]

    if not TYPE_CHECKING:  # types-boto3 knows the client of each service, which overrides here would hide

        def __init__(self, *args, **options):
            super().__init__(*args, **options)
            parsers = self._session.get_component("response_parser_factory")
            parsers.set_parser_defaults(timestamp_parser=_instant)
            self._clients = {}
            self._making = Lock()  # a session makes one client at a time

        def client(self, service_name, *args, **options):
            """Return the client of a service: the one there is with these options, or a new one."""
            given = self._with(options)
            if args or any(name.startswith("aws_") for name in given):  # credentials of its own
                return super().client(service_name, *args, **given)
            key = repr([service_name, sorted((given | {"config": vars(given["config"])}).items())])
            with self._making:
                if key not in self._clients:
                    self._clients[key] = super().client(service_name, **given)
                return self._clients[key]

        def resource(self, service_name, *args, **options):
            """Make a resource."""
            return super().resource(service_name, *args, **self._with(options))

        def _with(self, options):
            given = options.get("config")
            config = _RETRIES.merge(given) if given else _RETRIES
            return options | {"config": config, "endpoint_url": options.get("endpoint_url") or self.endpoint}


def _instant(value: Any) -> datetime:
    """Read a time in an answer of AWS, those in ISO 8601 without dateutil: a listing has one an object.

    >>> _instant("2026-11-18T09:30:00.000Z").isoformat(), _instant(1).isoformat()
    ('2026-11-18T09:30:00+00:00', '1970-01-01T00:00:01+00:00')
    """
    if isinstance(value, str) and "T" in value and value.endswith("Z"):
        try:
            return datetime.fromisoformat(value)
        except ValueError:  # botocore reads more, or says what is wrong
            pass
    return parse_timestamp(value)


def open_session(settings: Settings) -> Session:
    """Make the session the settings describe; no request is made before a client is used.

    Raises
    ------
    ConfigError
        Where the profile is not configured, or no region is known.
    """
    # boto3 reads AWS_DEFAULT_REGION only; every other SDK, and Lambda, AWS_REGION.
    region = settings.region or os.environ.get("AWS_REGION") or None
    named = {"endpoint": settings.endpoint} if settings.endpoint else {}
    named |= {name: url for name, url in os.environ.items() if name.startswith("AWS_ENDPOINT_URL")}
    for name, url in named.items():
        if url and not re.match("https?://.", url):
            raise ConfigError(f"{name} {url!r} is no URL: write it like http://localhost:4566")
    try:
        session = Session(profile_name=settings.profile, region_name=region)
    except BotoCoreError as error:
        raise ConfigError(
            f"{error}: set profile= or AWS_PROFILE to one that `aws configure list-profiles` shows"
        ) from error
    if not session.region_name:
        raise ConfigError("no AWS region: set region=, WORKBENCH_REGION or AWS_REGION, such as eu-central-1")
    session.endpoint = settings.endpoint
    if settings.role:
        source = session.get_credentials()
        if source is None:
            raise ConfigError(f"no AWS credentials to assume {settings.role} with: `aws configure` or `aws sso login`")
        fetcher = AssumeRoleCredentialFetcher(
            session.client, source, settings.role, extra_args={"RoleSessionName": "dynamodb-workbench"}
        )
        core: Any = session._session  # botocore has no public way to give a session credentials of one's own
        core._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")
    return session


def account_of(session: Session) -> str | None:
    """Return the account of a session's credentials, where these tell it; nobody is asked for it.

    >>> from workbench.config import load_settings
    >>> account_of(open_session(load_settings(region="eu-central-1"))) is None  # doctest: +SKIP
    False
    """
    try:
        credentials = session.get_credentials()
        account: str | None = credentials.account_id if credentials else None  # type: ignore[attr-defined]  # stubs lag
    except BotoCoreError:  # they have expired, and cannot be renewed
        return None
    return account or None
