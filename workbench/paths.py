"""Every path a user gives, for reading or writing: what ``~``, ``file://`` and ``s3://`` are, and what is no place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import urlsplit
from urllib.request import url2pathname

from workbench.errors import ExportError, ParameterError, WorkbenchError

if TYPE_CHECKING:
    import boto3

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")  # one letter is a drive; pathlib makes s3:/x of s3://x


def remote(given: str | Path) -> bool:
    """Tell whether a path is a place in S3."""
    return str(given).lower().startswith(("s3://", "s3:/"))


def local(given: str | Path, error: type[WorkbenchError] = ParameterError, advice: str = "") -> Path:
    """Return a path of this machine: ``~`` is the home folder, ``file://…`` the path in it.

    Parameters
    ----------
    error, advice
        What is raised where it is none, and what to do then.

    >>> local("file:///data/a%20log").as_posix(), local("C:/data").as_posix()
    ('/data/a log', 'C:/data')
    """
    text = str(given)
    advice = advice or "give a folder or file of this machine"
    if "\0" in text:
        raise error(f"{text!r} is no path: {advice}")
    if found := _SCHEME.match(text):
        if found[1].lower() != "file":
            raise error(f"{text} is no path of this machine: {advice}")
        try:
            told = urlsplit(text)
        except ValueError as failed:
            raise error(f"{text} is no address: {failed}; write it like file:///folder/file") from failed
        if told.netloc not in ("", "localhost"):
            raise error(f"{text} names another machine: write it like file:///folder/file")
        text = url2pathname(told.path)
    try:
        return Path(text).expanduser()
    except RuntimeError as failed:  # no such user, or nobody's home
        raise error(f"{given}: there is no home folder for ~ here; write the whole path") from failed


def s3_object(given: str | Path) -> tuple[str, str]:
    """Split the address of an object, ``s3://bucket/key``, into its bucket and key."""
    found = re.fullmatch(r"s3://([^/]+)/((?:.*/)?[^/]+)", str(given))
    if not found:
        raise ExportError(f"{given}: write a file, or an object, s3://bucket/key")
    return found[1], found[2]


def writable(given: str | Path, session: boto3.Session | None) -> Path | str:
    """Return where a file goes, checked: a path of this machine, or an object's address as text."""
    if not remote(given):
        return local(given, ExportError, "write a file, or an object, s3://bucket/key")
    s3_object(given)
    if session is None:
        raise ExportError(f'{given}: write to S3 with engine="athena", or write a file and copy it there')
    return str(given)


def beneath(folder: str | Path, name: str, session: boto3.Session | None) -> Path | str:
    """Return where a file of a folder goes, or of a prefix in S3."""
    if remote(folder):
        return writable(f"{str(folder).rstrip('/')}/{name}", session)
    return local(folder, ExportError, "write to a folder, or to a place in S3, s3://bucket/prefix/") / name


def exists(place: Path | str, session: boto3.Session | None) -> bool:
    """Tell whether a file, or an object of S3, is there."""
    if isinstance(place, Path):
        return place.exists()
    import awswrangler as wr  # takes a second to import
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return bool(wr.s3.does_object_exist(place, boto3_session=session))
    except (ClientError, BotoCoreError) as error:
        raise ExportError(
            f"{place} cannot be looked for: {error}; the permissions are s3:GetObject and s3:ListBucket"
        ) from error


def upload(file: Path, place: str, session: boto3.Session | None, *, overwrite: bool) -> None:
    """Bring a file to S3, whole; refused where an object is there and not to be replaced."""
    from botocore.exceptions import BotoCoreError, ClientError

    assert session
    bucket, key = s3_object(place)
    try:
        # awswrangler's upload would hold the file in memory, and try a refused one again when it is forgotten.
        with file.open("rb") as body:
            if overwrite:
                session.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
            else:
                session.client("s3").put_object(Bucket=bucket, Key=key, Body=body, IfNoneMatch="*")
    except (ClientError, BotoCoreError) as error:
        if isinstance(error, ClientError) and error.response["Error"]["Code"] == "PreconditionFailed":
            refuse_existing(place, error)
        raise ExportError(
            f"{place} could not be written: {error}; the permissions are s3:PutObject and, where a KMS "
            "key encrypts it, kms:GenerateDataKey"
        ) from error


def refuse_existing(place: Path | str, cause: Exception | None = None) -> NoReturn:
    """Say that something is there already."""
    raise ExportError(f"{place} exists already: choose another name or overwrite it (--overwrite)") from cause
