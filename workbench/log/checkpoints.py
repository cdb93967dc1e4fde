"""Checkpoints: what a change log came to at a time, kept so that later answers read it and the new objects only.

A checkpoint is a folder, or a prefix in S3, ``TABLE/checkpoint=ID/``, of Parquet files with the changes that
`workbench/sql/parts/checkpoint.sql` chooses, and ``_checkpoint.parquet``, which lists the objects of the log they come
from. That one is written last: a folder without it is no checkpoint. One that is there never changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from workbench.log.contents import Part
from workbench.log.files import Files, LocalFiles
from workbench.log.manifests import Log, read_manifest, write_manifest
from workbench.log.objects import Object, Stamp, Unreadable, stamps
from workbench.model.attribute_schema import Held
from workbench.text import count, file_name, size

_MANIFEST = "_checkpoint.parquet"
_TIME = "%Y%m%dT%H%M%S%f"
_ID = re.compile(r"checkpoint=(?P<id>(?P<since>\d{8}T\d{12})Z-(?P<created>\d{8}T\d{12})Z)/")
_UNFINISHED = timedelta(days=1)  # after which a checkpoint without its list of objects was left by one who failed


@dataclass(frozen=True)
class Checkpoint:
    """What the log of a table came to."""

    table: str
    since: datetime
    """The state at any instant from here on can be told from it, UTC."""
    created: datetime
    """UTC."""
    keys: Mapping[str, str]
    """The key attributes and their types S, N or B."""
    log: Log = field(repr=False)
    place: str
    """Its folder or ``s3://`` prefix."""
    bytes: int
    """Size of the changes it keeps."""
    objects: frozenset[Stamp] = field(repr=False)
    """The objects it was made from, by path, size and time of modification."""
    unreadable: tuple[Unreadable, ...] = field(default=(), repr=False)
    """Their lines that are no change record."""
    contents: tuple[Part, ...] = field(default=(), repr=False)
    """What they hold: Regions, accounts, keys and times."""
    held: Held | None = field(default=None, repr=False, compare=False)
    """What all images of them hold, and not only of the changes it keeps; None where that was not looked at."""

    @property
    def id(self) -> str:
        """Its name, which no other of the table has: since when it holds, and when it was made."""
        return f"{self.since:{_TIME}}Z-{self.created:{_TIME}}Z"

    def __str__(self) -> str:
        """Write it in a line."""
        return (
            f"checkpoint of {self.table}: {count(len(self.objects), 'object')} in {size(self.bytes)}, for states "
            f"from {self.since:%Y-%m-%d %H:%M:%S} UTC on, in {self.place}"
        )

    def holds(self, item: Object) -> bool:
        """Return whether it was made from an object."""
        return item.stamp in self.objects

    def notes(self, listed: Iterable[Object] | None, read: int) -> tuple[str, ...]:
        """Return notes on what an answer that begins with it stands on.

        Parameters
        ----------
        listed
            All objects of the log; None where they are not known.
        read
            How many objects were read beside it.
        """
        notes = [f"from the checkpoint of {self.created:%Y-%m-%d %H:%M:%S} UTC on, and {count(read, 'later object')}"]
        there = list(listed) if listed is not None else []
        other = self.objects - stamps(there) if listed is not None else set()
        changed = len({path for path, *_ in other} & {item.path for item in there})
        if len(other) > changed:
            gone = f"{count(len(other) - changed, 'object')} of the checkpoint"
            notes.append(f"gone from the log: {gone}, whose changes still count")
        if changed:
            again = f"{count(changed, 'object')} of the checkpoint"
            notes.append(f"changed since: {again}, read again; what was in them before counts too")
        return tuple(notes)


class Checkpoints:
    """The checkpoints under a folder, or under a prefix in S3."""

    def __init__(self, place: str, files: Files | None = None) -> None:
        self._root, self._files = place.rstrip("/"), files or LocalFiles()
        self._read: dict[tuple[str, Log], Checkpoint | None] = {}

    def top(self, table: str) -> str:
        """Return the folder or prefix of a table's checkpoints."""
        return f"{self._root}/{file_name(table)}/"

    def begin(
        self,
        table: str,
        log: Log,
        objects: Iterable[Object],
        keys: Mapping[str, str],
        late: timedelta,
        before: Checkpoint | None,
    ) -> Checkpoint:
        """Return a new checkpoint of objects, with its place, into which its changes are to be written before `add`.

        Parameters
        ----------
        late
            How long after they were made changes arrive, as a rule.
        before
            The checkpoint that it begins with.
        """
        covered_objects = list(objects)
        arrived = max(item.arrival or datetime.fromtimestamp(item.modified / 1e9, UTC) for item in covered_objects)
        since = max(arrived - late, before.since) if before else arrived - late
        covered = stamps(covered_objects)
        checkpoint = Checkpoint(table, since, datetime.now(UTC), keys, log, "", 0, covered)
        return replace(checkpoint, place=f"{self.top(table)}checkpoint={checkpoint.id}/")

    def find(
        self, table: str, log: Log, at: datetime, whole: Callable[[Checkpoint], bool] = lambda checkpoint: True
    ) -> Checkpoint | None:
        """Return the newest checkpoint from which the state at an instant follows, and which is `whole`; else None."""
        usable = [each for each in self._folders(table) if each.finished and each.since <= at]
        newest = sorted(usable, key=lambda each: (each.since, each.created), reverse=True)
        return next(
            (
                checkpoint
                for each in newest
                if (checkpoint := self._get(each, log)) and checkpoint.table == table and whole(checkpoint)
            ),
            None,
        )

    def add(self, checkpoint: Checkpoint) -> None:
        """Write down what a checkpoint was made from, its changes being in their place: from now on it is found."""
        uri = checkpoint.place + _MANIFEST
        write_manifest(self._files, uri, checkpoint, "checkpoint", {"keys": dict(checkpoint.keys)})

    def has(self, checkpoint: Checkpoint) -> bool:
        """Return whether a checkpoint that was found is still there."""
        return _MANIFEST in self._files.list(checkpoint.place)

    def remove(self, checkpoint: Checkpoint) -> None:
        """Remove all that is there of a checkpoint."""
        self._files.remove(checkpoint.place, first=_MANIFEST)

    def discard(self, table: str, log: Log, keep: int = 0) -> list[str]:
        """Remove all but the newest so many checkpoints of a log, and what failed ones left; return their ids."""
        folders = self._folders(table)
        own = [
            each
            for each in folders
            if each.finished and (checkpoint := self._get(each, log)) and checkpoint.table == table
        ]
        old = sorted(own, key=lambda each: each.created, reverse=True)[keep:]
        left = datetime.now(UTC) - _UNFINISHED
        old += [each for each in folders if not each.finished and each.created < left]
        for each in old:
            self._read.pop((each.place, log), None)
            self._files.remove(each.place, first=_MANIFEST)
        return [each.id for each in old]

    def _folders(self, table: str) -> list[_Folder]:
        top, folders = self.top(table), dict[str, _Folder]()
        for name in self._files.list(top):
            if match := _ID.match(name):
                since, created = (
                    datetime.strptime(match[part], _TIME).replace(tzinfo=UTC) for part in ("since", "created")
                )
                finished = name == match[0] + _MANIFEST or (match[0] in folders and folders[match[0]].finished)
                folders[match[0]] = _Folder(top + match[0], match["id"], since, created, finished)
        return list(folders.values())

    def _get(self, folder: _Folder, log: Log) -> Checkpoint | None:
        """Read a checkpoint; None where it is of another log, or was removed since it was found."""
        place = folder.place
        if (place, log) not in self._read:
            manifest = read_manifest(self._files, place, _MANIFEST, log, "checkpoint")
            if manifest is None:
                return None
            self._read[place, log] = Checkpoint(
                manifest.about["table"],
                folder.since,
                folder.created,
                manifest.about["keys"],
                log,
                place,
                manifest.about["bytes"],
                manifest.objects,
                manifest.unreadable,
                manifest.contents,
                manifest.held,
            )
        return self._read[place, log]


@dataclass(frozen=True)
class _Folder:
    """A folder of a checkpoint, as its name and its files tell."""

    place: str
    id: str
    since: datetime
    created: datetime
    finished: bool
