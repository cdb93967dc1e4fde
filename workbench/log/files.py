"""Files that are kept beside a log, in a folder or, by `workbench.aws.files`, in S3."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from workbench.paths import write_atomically


class Files(Protocol):
    """Files below places, which are folders or ``s3://`` prefixes and end with ``/``."""

    def list(self, top: str) -> list[str]:
        """List the files below a place, by their names from there on."""

    def opened(self, name: str) -> AbstractContextManager[Path]:
        """Have a file here for a moment."""

    def put(self, path: Path, name: str) -> None:
        """Store a file, all of it or none."""

    def remove(self, place: str, *, first: str) -> None:
        """Remove a place, and before all else the file by which it is found."""


class LocalFiles:
    """Files on this machine."""

    def list(self, top: str) -> list[str]:
        """List the files below a folder, beside others who remove some."""
        paths = (Path(folder, name) for folder, _, names in os.walk(top, onerror=_unless_gone) for name in names)
        return [path.relative_to(top).as_posix() for path in paths]

    @contextmanager
    def opened(self, name: str) -> Iterator[Path]:
        """Have a file here."""
        yield Path(name)

    def put(self, path: Path, name: str) -> None:
        """Write a file, all of it or none."""
        with write_atomically(Path(name), make_folder=False) as part:  # a folder that was removed meanwhile stays so
            shutil.copyfile(path, part)

    def remove(self, place: str, *, first: str) -> None:
        """Remove a folder, and before all else the file by which it is found."""
        Path(place, first).unlink(missing_ok=True)
        shutil.rmtree(place, ignore_errors=True)


def _unless_gone(error: OSError) -> None:
    if not isinstance(error, FileNotFoundError):
        raise error
