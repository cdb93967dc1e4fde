"""Paths and files: what ``~``, ``file://`` and ``s3://`` are, which names are hidden, and how a file is written whole.

Every path a user gives, for reading or writing, goes through this module.
"""

from __future__ import annotations

import glob
import os
import platform
import re
import secrets
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import url2pathname

from workbench.errors import ExportError, ParameterError, WorkbenchError

if TYPE_CHECKING:
    import boto3

UNFINISHED = ".*.part"
"""Matches the files that a process leaves which is killed within `write_atomically`."""
_LEFT = 86_400  # seconds after which a private folder was left by a process that was killed
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")  # one letter is a drive; pathlib makes s3:/x of s3://x


def is_s3(given: str | Path) -> bool:
    """Return whether a path is a place in S3, also where pathlib took one of its slashes.

    >>> is_s3("s3://bucket/data/"), is_s3(Path("s3://bucket/data")), is_s3("data/s3")
    (True, True, False)
    """
    return str(given).lower().startswith(("s3://", "s3:/"))


def is_hidden(name: str) -> bool:
    """Return whether a name of a file or folder is hidden, as Athena and Hive have it: it begins with ``.`` or ``_``.

    >>> [is_hidden(name) for name in (".DS_Store", "_SUCCESS", "year=2026", "..")]
    [True, True, False, False]
    """
    return name[:1] in (".", "_") and name not in (".", "..")


def local_path(given: str | Path, error: type[WorkbenchError] = ParameterError, advice: str = "") -> Path:
    """Return a path of this machine: ``~`` is the home folder, ``file://…`` the path in it.

    Parameters
    ----------
    error
        What is raised where `given` is no path of this machine.
    advice
        What to do then, the end of the error's message.

    >>> local_path("file:///data/a%20log").as_posix(), local_path("C:/data").as_posix()
    ('/data/a log', 'C:/data')
    """
    text = str(given)
    advice = advice or "give a folder or file of this machine"
    if "\0" in text:
        raise error(f"{text!r} is no path: {advice}")
    if scheme := _SCHEME.match(text):
        if scheme[1].lower() != "file":
            raise error(f"{text} is no path of this machine: {advice}")
        try:
            url = urlsplit(text)
        except ValueError as reason:
            raise error(f"{text} is no address: {reason}; write it like file:///folder/file") from reason
        if url.netloc not in ("", "localhost"):
            raise error(f"{text} names another machine: write it like file:///folder/file")
        text = url2pathname(url.path)
    try:
        return Path(text).expanduser()
    except RuntimeError as reason:  # no such user, or nobody's home
        raise error(f"{given}: there is no home folder for ~ here; write the whole path") from reason


def split_s3_uri(uri: str | Path, error: type[WorkbenchError] = ParameterError, advice: str = "") -> tuple[str, str]:
    """Split a place in S3 into its bucket and its key or prefix, which may be empty.

    Parameters
    ----------
    error
        What is raised where it is no place in S3.
    advice
        What to do then, the end of the error's message.

    >>> split_s3_uri("s3://bucket/data/persons/"), split_s3_uri("s3://bucket")
    (('bucket', 'data/persons/'), ('bucket', ''))
    """
    parts = re.fullmatch(r"s3://([^/]+)(?:/(.*))?", str(uri), re.DOTALL)
    if not parts:
        raise error(f"{uri} is no place in S3: {advice or 'write it like s3://bucket/prefix/'}")
    return parts[1], parts[2] or ""


def split_s3_object(uri: str | Path) -> tuple[str, str]:
    """Split the address of an object into its bucket and key.

    Raises
    ------
    ExportError
        Where it is none: without a key, or that of a prefix, which ends with ``/``.

    >>> split_s3_object("s3://bucket/reports/index.html")
    ('bucket', 'reports/index.html')
    """
    advice = "write a file, or an object, s3://bucket/key"
    bucket, key = split_s3_uri(uri, ExportError, advice)
    if not key or key.endswith("/"):
        raise ExportError(f"{uri} is no object: {advice}")
    return bucket, key


@contextmanager
def write_atomically(target: Path, *, make_folder: bool = True) -> Iterator[Path]:
    """Hand out a path to write to; when the block ends, the file there takes the place of `target`, all of it at once.

    Readers see the old file or the new one, also after a loss of power. Until then the new one lies beside the target
    under a name of its own, so that writers at the same time never share one; the name is hidden (`is_hidden`), so that
    no listing of a log takes it up. Where the block fails, the target stays as it was and the new file is removed; what
    a killed process leaves matches `UNFINISHED`.

    Parameters
    ----------
    make_folder
        Make the target's folder where it is missing.

    Raises
    ------
    OSError
        Where the file cannot be written.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with write_atomically(Path(folder, "a", "b.txt")) as part:
    ...         _ = part.write_text("whole")
    ...     Path(folder, "a", "b.txt").read_text(), len(list(Path(folder, "a").iterdir()))
    ('whole', 1)
    """
    if make_folder:
        target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{secrets.token_hex(8)}.part")  # without the target's name, which may be the longest
    try:
        yield part
        flush_to_disk(part)
        os.replace(part, target)
        flush_to_disk(target.parent)
    finally:
        part.unlink(missing_ok=True)


def flush_to_disk(path: Path) -> None:
    """Wait until a file, or which files a folder holds, would also be there after a loss of power.

    >>> flush_to_disk(Path("."))
    """
    folder = path.is_dir()
    if folder and os.name != "posix":  # elsewhere a folder cannot be opened
        return
    descriptor = os.open(path, os.O_RDONLY if folder else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def private_folder(parent: Path, prefix: str) -> Path:
    """Make a folder that its user alone can read; those that killed processes left there go after a day.

    >>> folder = private_folder(Path(tempfile.gettempdir()), "doctest-")
    >>> folder.stat().st_mode & 0o77
    0
    >>> folder.rmdir()
    """
    before = time.time() - _LEFT
    for left in parent.glob(f"{prefix}*"):
        with suppress(OSError):
            if left.stat().st_mtime < before:
                shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))


def process_folder(parent: Path, prefix: str) -> Path:
    """Make a folder that its user alone can read, and that stays while this process runs, however long that is.

    Those that processes of this machine left there, which run no more, go after a day.

    >>> folder = process_folder(Path(tempfile.gettempdir()), "doctest-")
    >>> folder.stat().st_mode & 0o77
    0
    >>> folder.rmdir()
    """
    prefix += f"{platform.node()}-"
    before = time.time() - _LEFT
    for left in parent.glob(f"{glob.escape(prefix)}*"):
        with suppress(OSError):
            if left.stat().st_mtime < before and not _runs(left.name.removeprefix(prefix).partition("-")[0]):
                shutil.rmtree(left, ignore_errors=True)
    return Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=parent))


def _runs(process: str) -> bool:
    """Return whether a process of this machine, given by its number, may still run."""
    if os.name != "posix" or not process.isdigit():  # elsewhere to ask is to end it
        return True
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def writable(given: str | Path, session: boto3.Session | None) -> Path | str:
    """Return where a file goes, checked: a path of this machine, or an object's address as text.

    Parameters
    ----------
    session
        With which objects are written; None where S3 is not written to, as by the embedded engine.

    Raises
    ------
    ExportError
        Where it is neither, or an object and there is no session.

    >>> writable("out/persons.parquet", None).as_posix()
    'out/persons.parquet'
    """
    if not is_s3(given):
        return local_path(given, ExportError, "write a file, or an object, s3://bucket/key")
    split_s3_object(given)
    if session is None:
        raise ExportError(f'{given}: write to S3 with engine="athena", or write a file and copy it there')
    return str(given)


def beneath(folder: str | Path, name: str, session: boto3.Session | None) -> Path | str:
    """Return where a file of a folder goes, or of a prefix in S3.

    >>> beneath("reports", "index.html", None).as_posix()
    'reports/index.html'
    """
    if is_s3(folder):
        return writable(f"{str(folder).rstrip('/')}/{name}", session)
    return local_path(folder, ExportError, "write to a folder, or to a place in S3, s3://bucket/prefix/") / name


def already_there(place: Path | str) -> ExportError:
    """Return the error of what is there already, and is not to be replaced.

    >>> str(already_there("out/persons.csv"))
    'out/persons.csv exists already: choose another name or overwrite it (--overwrite)'
    """
    return ExportError(f"{place} exists already: choose another name or overwrite it (--overwrite)")
