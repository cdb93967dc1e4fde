"""What is kept, below `home`, of the schemas of logs in S3: which objects were looked through, and what they hold."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from workbench.log.objects import Stamp
from workbench.model.attribute_schema import Held
from workbench.paths import write_atomically
from workbench.text import file_name

FOLDER = "schemas"
"""The folder of `home`."""
_VERSION = 1


@dataclass(frozen=True)
class Seen:
    """Some objects of a log, and what all their images hold."""

    objects: frozenset[Stamp]
    held: Held
    unknown: int
    """How many changes do not say what they left, as often as they were delivered."""


class KeptSchemas:
    """The schemas of logs that were looked through, in this process and, where they are kept, by others.

    Parameters
    ----------
    home
        Where they are kept; None where they are not. What cannot be read or written there is looked through again.
    """

    def __init__(self, home: Path | None) -> None:
        self._home = home
        self._seen: dict[Path, Seen] = {}

    def find(self, about: Mapping[str, Any]) -> Seen:
        """Return what is known of a log, which `about` tells from all others: with no object, where nothing is."""
        path = self._path(about)
        if path not in self._seen:
            self._seen[path] = Seen(frozenset(), Held(), 0)
            with suppress(OSError, ValueError, KeyError, TypeError, AttributeError):  # damaged, or another version's
                told = orjson.loads(gzip.decompress(path.read_bytes()))
                if self._home and told["about"] == json.loads(json.dumps(dict(about))):
                    objects = zip(told["paths"], told["sizes"], told["times"], strict=True)
                    self._seen[path] = Seen(frozenset(objects), Held.from_json(told["held"]), told["unknown"])
        return self._seen[path]

    def keep(self, about: Mapping[str, Any], seen: Seen) -> None:
        """Keep what is known of a log now."""
        path = self._path(about)
        self._seen[path] = seen
        if self._home is None:
            return
        paths, sizes, times = zip(*sorted(seen.objects), strict=True) if seen.objects else ((), (), ())
        told: dict[str, Any] = {"about": about, "paths": paths, "sizes": sizes, "times": times}
        told |= {"held": seen.held.to_json(), "unknown": seen.unknown}
        with suppress(OSError):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with write_atomically(path) as part:
                os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
                part.write_bytes(gzip.compress(json.dumps(told).encode()))

    def _path(self, about: Mapping[str, Any]) -> Path:
        digest = hashlib.sha256(json.dumps([_VERSION, dict(about)], sort_keys=True).encode()).hexdigest()[:16]
        return (self._home or Path()) / FOLDER / f"{file_name(str(about.get('table', '')))}-{digest}.json.gz"
