"""What table a prefix needs, read off its objects: their layout, their form, and how their folders tell the time."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from workbench.aws.files import S3Files
from workbench.aws.partition_values import interval_of, numbers_of
from workbench.aws.session import Session
from workbench.aws.table_definitions import TableOptions
from workbench.errors import ParameterError
from workbench.log.listing import list_objects
from workbench.log.objects import Object
from workbench.log.reader import layout_of

_HOURS = re.compile(r"year=\d{4}/month=\d\d/day=\d\d/hour=\d\d/")
_DATED = re.compile(r"(?P<name>\w+=)?\d{4}(?P<by>[-/]?)\d\d(?P=by)\d\d(?:(?P<last>[-/]?)\d\d)?/")


def options_of(session: Session, location: str, objects: Sequence[Object], first_year: int | None) -> TableOptions:
    """Return how a table over a prefix has to be described, as `workbench.aws.table_definitions.table_input` takes it.

    Parameters
    ----------
    objects
        Those below the prefix; the newest is looked into.
    first_year
        The first year whose folders Athena looks into; where it is not given, the first folder there is.

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
    below = [item.path.removeprefix(location.rstrip("/") + "/") for item in (newest, *objects)]
    if _HOURS.match(below[0]):
        timed = _HOURS
    elif dated := _DATED.match(below[0]):
        timed = _DATED
        options["form"] = "yyyy{0}MM{0}dd".format(dated["by"]) + (f"{dated['last']}HH" if dated["last"] else "")
        options["template"] = f"{dated['name'] or ''}${{arrival}}/"
    else:
        return {**options, "partitions": "none"}
    told = (numbers_of(found[0].rstrip("/")) for path in below if (found := timed.match(path)))
    spans = (interval_of(dict(zip("YmdH", numbers, strict=False))) for numbers in told)
    first = datetime(first_year, 1, 1) if first_year else min((span[0] for span in spans if span), default=None)
    # Firehose may name its folders in any time zone, of which the furthest is so far ahead of UTC.
    return {**options, "first": first, "until": "NOW+14HOURS"}
