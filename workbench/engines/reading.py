"""What a question on Athena reads: objects of a log, or a checkpoint and the objects after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

from workbench.aws.log_tables import Listing, LogTable
from workbench.engines.scan import Window
from workbench.log.checkpoints import Checkpoint
from workbench.log.objects import Object


@dataclass(frozen=True)
class Reading:
    """What a question reads: objects of a log, or a checkpoint and the objects after it."""

    listing: Listing
    """The objects of the window."""
    window: Window = field(default_factory=Window)
    checkpoint: Checkpoint | None = None

    @property
    def log(self) -> LogTable:
        """The log, with what is known of its partitions."""
        return self.listing.log

    @property
    def listed(self) -> Sequence[Object]:
        """The objects of the window that Athena can read."""
        return self.listing.objects

    @cached_property
    def objects(self) -> list[Object]:
        """Those that are read."""
        return [item for item in self.listed if not (self.checkpoint and self.checkpoint.holds(item))]

    @property
    def scanned(self) -> list[Object]:
        """Those in the partitions that are read."""
        kept = {self.log.values(item) for item in self.objects}
        return [item for item in (*self.listed, *self.listing.left_out) if self.log.values(item) in kept]

    @property
    def bytes(self) -> int:
        """Size of what is read."""
        return sum(item.size for item in self.objects) + (self.checkpoint.bytes if self.checkpoint else 0)

    @property
    def notes(self) -> tuple[str, ...]:
        """What an answer stands on."""
        whole = self.window == Window(starts=self.window.starts)
        notes = self.checkpoint.notes(self.listed if whole else None, len(self.objects)) if self.checkpoint else ()
        return (*notes, *self.listing.notes)
