"""What table a prefix needs, read off its objects: their layout, their form, and how their folders tell the time."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from workbench.aws.files import S3Files
from workbench.aws.session import Session
from workbench.aws.table_definitions import TableOptions
from workbench.errors import ParameterError
from workbench.log.listing import list_objects
from workbench.log.objects import Object
from workbench.log.reader import layout_of

_DATED = re.compile(r"(?P<name>\w+=)?\d{4}(?P<by>[-/]?)\d\d(?P=by)\d\d(?:(?P<last>[-/]?)\d\d)?/")


def options_of(session: Session, location: str, objects: Sequence[Object], first_year: int | None) -> TableOptions:
    """Return how a table over a prefix has to be described, as `workbench.aws.table_definitions.table_input` takes it.

    Parameters
    ----------
    objects
        Those below the prefix; the newest is looked into.
    first_year
        The first year that is projected; that of the oldest object where not given.

    Raises
    ------
    ParameterError
        Where there are no objects, or such as Athena would not read rightly; the message says what to do.
    """
    if not objects:
        raise ParameterError(f"{location} holds no objects: give the prefix of a change log, s3://bucket/data/table/")
    newest = max(objects, key=lambda item: item.modified)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, newest.path.rpartition("/")[2])
        S3Files(session, ParameterError).download(newest.path, path)
        layout, joined, _ = layout_of(list_objects(path)[0])
    if layout not in ("envelope", "raw"):
        raise ParameterError(f"{newest.path} is of the layout {layout!r}: a crawler makes a table for it")
    if joined:
        raise ParameterError(
            f"{newest.path} has records without a line end between them, of which Athena would "
            "read the first only: let Firehose add one (AppendDelimiterToRecord)"
        )
    options: TableOptions = {"layout": layout, "stored": "parquet" if newest.format == "parquet" else "json"}
    years = [item.arrival.year for item in objects if item.arrival]
    options["first_year"] = first_year or min(years, default=datetime.now(UTC).year)
    below = newest.path.removeprefix(location.rstrip("/") + "/")
    if re.match(r"year=\d{4}/month=\d\d/day=\d\d/hour=\d\d/", below):
        return options
    if dated := _DATED.match(below):
        form = "yyyy{0}MM{0}dd".format(dated["by"]) + (f"{dated['last']}HH" if dated["last"] else "")
        return {**options, "partitions": "text", "form": form, "template": f"{dated['name'] or ''}${{arrival}}/"}
    return {**options, "partitions": "none"}
