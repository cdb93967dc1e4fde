"""The columnar store of a log: which of its objects are in which Parquet segment, so that each is read once.

A store is a folder below `home` with immutable segments ``<uuid>.parquet`` and one manifest, ``manifest.jsonl``: a line
about the store and a line a segment. A segment counts when the manifest names it, and the manifest is replaced as a
whole; so whatever ends when, an object is in one segment or in none, and what is in none is read again.

Two processes may add at once: the second one that has read an object takes its segment back. A lock keeps them from
doing so for nothing; on file systems without locks, as NFS may be, the later of two changes of the manifest wins, and
the objects of the other are read again. Files that the manifest names no more stay for an hour, for those who still
read them; a reader whose file has vanished takes the manifest again and asks again.

Everything is private to the user: the store holds what the log holds.
"""

from __future__ import annotations

import errno
import hashlib
import os
import re
import time
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4
from weakref import WeakSet

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from workbench.errors import StoreError, StoreUnavailable
from workbench.lock import alone
from workbench.log.segments import Segment, decoded, dumped, encoded, loaded, object_number, without
from workbench.paths import flush_to_disk, local_path, write_atomically
from workbench.text import file_name
from workbench.version import __version__

READING = 1
"""What segments hold and how it is read; raised when either changes: what an older one has read is read again."""
FOLDER = "store"
"""The folder of `home` with the stores of all logs."""
MANIFEST = "manifest.jsonl"
_PROGRAM = "dynamodb-changelog-workbench store"
_FORMAT = 1  # of the manifest
# By what is read of a manifest that is damaged, or another program's.
_NOT_OURS = (ValueError, TypeError, KeyError, AttributeError, RecursionError)
_FOLDER_NAME = re.compile(r"-[0-9a-f]{16}\Z")
_KEPT = 3600  # seconds that a file stays which no manifest names: it is being written, or still read
_PATIENCE = 10  # seconds to wait for the lock
_HEAD = 41  # bytes of a manifest that tell it from the one before: {"id":"<32 digits>"
_CHUNK = 1 << 20
_READABLE_NAME = 60  # characters of a log's name in that of its folder


class Store:
    """A store in its folder.

    Parameters
    ----------
    about
        What its manifest begins with: where the log is, what it is read by, and who reads it.
    beginning
        What the paths of the log's objects begin with.

    Raises
    ------
    StoreUnavailable
        By every method that reads or writes, where the file system refuses that.
    """

    def __init__(self, folder: Path, about: Mapping[str, Any], beginning: str) -> None:
        self.folder, self.about = folder, about
        self._beginning = beginning
        self._head = b""
        self._lines: dict[bytes, Segment] = {}
        self._dropped: set[str] = set()
        self._sound: set[tuple[str, int]] = set()

    def segments(self) -> tuple[Segment, ...]:
        """Return the segments there are now, in the order they came in.

        There are none of a manifest that is damaged, none of ours, or that this user may not read.
        """
        held: Mapping[bytes, Segment] = {}
        with suppress(OSError):
            held = self._read()
        return tuple(each for each in held.values() if each.name not in self._dropped)

    def number(self, name: tuple[str, int, int]) -> int:
        """Return the number of an object, given by path, size and time of modification; see `object_number`."""
        path, size, modified = name
        return object_number(without(self._beginning, path), size, modified)

    def path(self, segment: Segment) -> Path:
        """Return where a segment's file is."""
        return self.folder / segment.name

    def new_file(self) -> Path:
        """Return where a segment can be written to, and make the folder for it."""
        with available(self.folder):
            _make_private(self.folder)
        return self.folder / f"{uuid4().hex}.parquet"

    def add(self, file: Path, segment: Segment, replaces: Collection[str] = ()) -> bool:
        """Take a segment up whose file is written, in place of others where it is made of these.

        Parameters
        ----------
        file
            By `new_file`; the segment's name is its own.

        Returns
        -------
        bool
            False where another process was quicker: one of its objects is in another segment already, or one that it
            replaces is there no more. Then its file is removed.
        """
        replaced, added = set(replaces), False
        try:
            with available(self.folder):
                added = self._add(file, segment, replaced)
        finally:
            if not added:
                self._remove_unnamed(file)
        return added

    def drop(self, names: Collection[str]) -> None:
        """Take segments out, so that their objects are read again; where nothing can be written, for this process."""
        if not names:
            return
        self._dropped.update(names)
        with suppress(StoreUnavailable), available(self.folder), changing(self.folder.parent):
            held = self._read()
            left = {line: each for line, each in held.items() if each.name not in self._dropped}
            if len(left) < len(held):
                self._write(left, self._dropped & {each.name for each in held.values()})

    def note(self, name: str, facts: Mapping[str, Any]) -> bool:
        """Keep what was found out about a segment's columns, beside what is; return whether it is still there."""
        with available(self.folder), changing(self.folder.parent):
            held = self._read()
            noted = [
                replace(each, facts={**each.facts, **facts}) if each.name == name else each for each in held.values()
            ]
            lines = {
                encoded(each, self._beginning) if each.name == name else line: each
                for line, each in zip(held, noted, strict=True)
            }
            if lines.keys() != held.keys():
                self._write(lines, ())
        return any(each.name == name for each in noted)

    def damaged(self, *, whole: bool = False) -> dict[str, str]:
        """Name the segments that cannot be what was written, and why.

        Parameters
        ----------
        whole
            Read the files, which tells every damage; else only those that have another time than they were written at,
            as one that was changed or copied has, and of the others the size.
        """
        found, seen = {}, set[tuple[str, int, int]]()
        for segment in self.segments():
            reason = self._fault(segment, whole=whole)
            if whole and not reason and not seen.isdisjoint(segment.objects):
                reason = "holds an object that is in another one too"
            if reason:
                found[segment.name] = reason
            else:
                seen |= segment.objects
        return found

    def collect(self) -> None:
        """Remove files that no manifest names, an hour after they were written or replaced."""
        with suppress(OSError), changing(self.folder.parent):
            named = {MANIFEST, *(segment.name for segment in self._read().values())}
            before = time.time() - _KEPT
            for entry in list(os.scandir(self.folder)):
                with suppress(OSError):  # on Windows: open
                    if entry.name not in named and entry.is_file() and entry.stat().st_mtime < before:
                        os.unlink(entry.path)

    def touch(self) -> None:
        """Note that the store is used now."""
        with suppress(OSError):
            _refuse_read_only(self.folder)
            os.utime(self.folder / MANIFEST)

    def _add(self, file: Path, segment: Segment, replaced: set[str]) -> bool:
        try:
            os.chmod(file, 0o600)
            flush_to_disk(file)
            flush_to_disk(self.folder)
            size, checksum = _measured(file)
            modified = file.stat().st_mtime_ns
        except FileNotFoundError:  # another process took it for one that nobody wants, or cleared the store
            return False
        segment = replace(segment, name=file.name, bytes=size, checksum=checksum, modified=modified)
        line = encoded(segment, self._beginning)
        with changing(self.folder.parent):
            held = self._read()
            replaced |= self._dropped & {each.name for each in held.values()}  # that could not be written down then
            left = {line: each for line, each in held.items() if each.name not in replaced}
            if len(held) - len(left) < len(replaced) or not file.exists():
                return False
            if any(not segment.objects.isdisjoint(each.objects) for each in left.values()):
                return False
            self._write(left | {line: segment}, replaced)
        return True

    def _remove_unnamed(self, file: Path) -> None:
        """Remove the file of a segment that was not taken up; one that was, before an error, stays."""
        with suppress(OSError):  # also of reading the manifest: then nobody knows
            if all(each.name != file.name for each in self._read().values()):
                file.unlink(missing_ok=True)

    def _fault(self, segment: Segment, *, whole: bool) -> str:
        path = self.path(segment)
        try:
            stat = path.stat()
            if stat.st_size != segment.bytes:
                return f"its file has {stat.st_size:,} bytes instead of {segment.bytes:,}"
            name = segment.name, stat.st_mtime_ns
            if not whole and (stat.st_mtime_ns == segment.modified or name in self._sound):
                return ""
            if _measured(path) != (segment.bytes, segment.checksum):
                return "its file is not what was written"
            if not whole:  # copied; with the time it had, nobody has to read it again to tell
                self._sound.add(name)
                with suppress(OSError):
                    _refuse_read_only(self.folder)
                    os.utime(path, ns=(stat.st_atime_ns, segment.modified))
                return ""
            with pq.ParquetFile(path) as parquet:
                if parquet.metadata.num_rows != segment.rows:
                    return f"its file has {parquet.metadata.num_rows:,} changes instead of {segment.rows:,}"
                numbers = {
                    number
                    for batch in parquet.iter_batches(columns=["object"])
                    for number in pc.unique(batch[0]).to_pylist()
                }
        except FileNotFoundError:
            return "its file is gone"
        except OSError as error:
            return f"its file cannot be read: {error.strerror or error}"
        except (pa.ArrowException, KeyError) as error:
            return f"its file is no segment: {(str(error).splitlines() or [''])[0]}"
        if numbers - {self.number(name) for name in segment.objects}:
            return "its file has changes of other objects"
        return ""

    def _read(self) -> dict[bytes, Segment]:
        """Return the segments by their lines in the manifest; only those that are new are decoded."""
        try:
            with (self.folder / MANIFEST).open("rb") as file:
                head = file.read(_HEAD)
                if head == self._head:
                    return self._lines
                about, *lines = (head + file.read()).split(b"\n")
        except FileNotFoundError:
            self._head, self._lines = b"", {}
            return self._lines
        known = self._lines
        self._head, self._lines = b"", {}
        with suppress(*_NOT_OURS):
            if self._ours(loaded(about), lines):
                self._lines = {line: known.get(line) or decoded(line, self._beginning) for line in lines}
                self._head = head
        return self._lines

    def _ours(self, about: Mapping[str, Any], lines: Sequence[bytes]) -> bool:
        return all(about[name] == value for name, value in self.about.items()) and about["crc32"] == _crc32(lines)

    def _write(self, lines: Mapping[bytes, Segment], replaced: Iterable[str]) -> None:
        """Replace the manifest; from now on the files of what is replaced grow old."""
        _make_private(self.folder)
        for name in replaced:
            with suppress(OSError):  # of another user, or gone
                os.utime(self.folder / name)
        about = dumped({"id": uuid4().hex, **self.about, "crc32": _crc32([*lines])})
        with write_atomically(self.folder / MANIFEST, make_folder=False) as part:
            os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            part.write_bytes(b"\n".join([about, *lines]))
        self._head, self._lines = about[:_HEAD], dict(lines)


class LogStore(Store):
    """The store of one log.

    Parameters
    ----------
    source
        The log's root folder, a file, or a glob.
    reading
        What of the settings changes what is read, such as the names of keys: each has a store of its own.
    """

    opened: ClassVar[WeakSet[LogStore]] = WeakSet()
    """Those that this process has in use."""

    def __init__(self, home: Path, source: str | Path, reading: str = "") -> None:
        root = local_path(source)
        resolved, within = root.resolve(), home.resolve()
        inside = resolved.is_relative_to(within)
        about = {
            "program": _PROGRAM,
            "format": _FORMAT,
            "version": version(),
            "source": str(resolved.relative_to(within) if inside else resolved),
            "inside": inside,
            "reading": reading,
        }
        digest = hashlib.sha256(dumped(about)).hexdigest()[:16]
        folder = home.absolute() / FOLDER / f"{file_name(resolved.name[:_READABLE_NAME])}-{digest}"
        super().__init__(folder, about, _beginning(root))
        self.opened.add(self)


def version() -> str:
    """Return by what segments are read here: those of another version are none."""
    return f"{READING} {__version__}"


def found(home: Path) -> Iterator[tuple[Path, Store | None]]:
    """Yield the folder of every store of `home`, and the store in it, its objects' paths relative to the log's root.

    None stands for one without a manifest of ours, such as one that has just been begun.
    """
    for folder in sorted(home.absolute().joinpath(FOLDER).glob("*")):
        if _FOLDER_NAME.search(folder.name) and folder.is_dir():
            store = None
            with available(folder), suppress(FileNotFoundError, *_NOT_OURS):
                with (folder / MANIFEST).open("rb") as file:
                    about = loaded(file.readline())
                if (about["program"], about["format"]) == (_PROGRAM, _FORMAT):
                    names = ("program", "format", "version", "source", "inside", "reading")
                    store = Store(folder, {name: about[name] for name in names}, "")
            yield folder, store


@contextmanager
def changing(folder: Path) -> Iterator[None]:
    """Wait for others who change one of the stores in a folder; without locks, or where one takes long, go on.

    Raises
    ------
    PermissionError
        Where nothing may be written there.
    """
    _refuse_read_only(folder)
    with ExitStack() as held:
        with suppress(StoreError):
            held.enter_context(alone(folder, "changing", "changing the store", _PATIENCE))
        yield


@contextmanager
def available(folder: Path) -> Iterator[None]:
    """Raise StoreUnavailable where the file system refuses what is done with a store."""
    try:
        yield
    except OSError as error:
        raise StoreUnavailable(
            f"the store {folder} cannot be used: {error.strerror or error}; set home to a folder that can be "
            "written and has room, or store to off"
        ) from error


def _beginning(root: Path) -> str:
    """Return what the paths of a log's objects begin with, whose root, file or glob this is."""
    if not root.is_dir():
        fixed = root.parent
        while not root.exists() and re.search(r"[*?[]", str(fixed)):
            fixed = fixed.parent
        root = fixed
    return str(root / "x")[:-1]


def _refuse_read_only(folder: Path) -> None:
    there = next(each for each in (folder, *folder.parents) if each.exists())
    if not os.access(there, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


def _make_private(folder: Path) -> None:
    _refuse_read_only(folder)
    folder.parent.parent.mkdir(parents=True, exist_ok=True)
    for each in (folder.parent, folder):
        each.mkdir(mode=0o700, exist_ok=True)


def _measured(file: Path) -> tuple[int, int]:
    """Return size and CRC-32 of a file."""
    size = checksum = 0
    with file.open("rb") as opened:
        while chunk := opened.read(_CHUNK):
            size, checksum = size + len(chunk), zlib.crc32(chunk, checksum)
    return size, checksum


def _crc32(lines: Iterable[bytes]) -> int:
    checksum = 0
    for line in lines:
        checksum = zlib.crc32(b"\n", zlib.crc32(line, checksum))
    return checksum
