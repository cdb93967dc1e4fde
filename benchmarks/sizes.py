"""How many bytes the same changes are, by form and compression: ``python -m benchmarks.sizes --changes 300000``.

An object as Firehose writes it, and one file of all that stands by items and time, as a checkpoint or a compacted day
does. Shares are of the gzip JSON of the same changes; Athena bills a question that reads no images by the columns it reads.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.logs import made_log

FORMS = ("gzip JSON", "Parquet, SNAPPY", "Parquet, GZIP", "Parquet, ZSTD", "in order, SNAPPY", "in order, ZSTD")
"""As what the changes are stored."""
_IMAGES = ("new_image", "old_image")


def shares(place: Path, changes: int) -> dict[str, tuple[float, float]]:
    """Return of each form its bytes with and without images, as shares of the gzip JSON.

    >>> import tempfile
    >>> found = shares(Path(tempfile.mkdtemp()), 2_000)
    >>> found["gzip JSON"], found["Parquet, GZIP"] < found["Parquet, SNAPPY"]
    ((1.0, 1.0), True)
    """
    whole = made_log(place, changes, "envelope").bytes
    objects = [pq.read_table(path) for path in made_log(place, changes, "parquet").paths]
    ordered = pa.concat_tables(objects).sort_by([("keys", "ascending"), ("ts", "ascending")])
    found = {"gzip JSON": (1.0, 1.0)}
    for form in FORMS[1:]:
        rows = [ordered] if form.startswith("in order") else objects
        bytes_ = [sum(each) for each in zip(*_bytes(rows, form.rpartition(" ")[2]), strict=True)]
        found[form] = bytes_[0] / whole, bytes_[1] / whole
    return found


def _bytes(tables: list[pa.Table], codec: str) -> Iterator[tuple[int, int]]:
    """Write tables, and yield the bytes of each file, and of its columns but the images."""
    for table in tables:
        sink = BytesIO()
        pq.write_table(table, sink, compression=codec)
        groups = pq.read_metadata(sink)
        columns = [
            groups.row_group(group).column(column)
            for group in range(groups.num_row_groups)
            for column in range(groups.num_columns)
        ]
        yield (
            len(sink.getvalue()),
            sum(each.total_compressed_size for each in columns if each.path_in_schema not in _IMAGES),
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--changes", type=int, default=300_000)
    parser.add_argument("--folder", type=Path, default=Path(".workbench/benchmark"))
    given = parser.parse_args()
    print(f"{given.changes:,} changes\n\n| stored as | bytes | without images |\n|---|--:|--:|")
    for form, (every, few) in shares(given.folder, given.changes).items():
        print(f"| {form} | {every:.2f} | {few:.2f} |")
