"""How many bytes the same changes are, by form and compression: ``python -m benchmarks.sizes --changes 300000``.

An object as Firehose writes it, one file of all that stands by items and time, as a checkpoint does, and a compacted day
of all, as the query of `workbench compact` makes it. Shares are of the gzip JSON of the same changes; Athena bills a
question that reads no images by the columns it reads. Then, by the rows in a row group of that day, what its statistics
leave to read where a question is about one item.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.logs import made_log
from workbench.model.canonical import canonical_json
from workbench.sql.dialects import to_duckdb
from workbench.sql.literals import literal
from workbench.sql.templates import part

FORMS = (
    "gzip JSON",
    "Parquet, SNAPPY",
    "Parquet, GZIP",
    "Parquet, ZSTD",
    "in order, SNAPPY",
    "in order, ZSTD",
    "compacted, ZSTD",
)
"""As what the changes are stored."""
GROUPS = (1_000, 10_000, 100_000)
"""Rows in a row group."""
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
        made = {"in order": lambda: [ordered], "compacted": lambda: [compacted_day(place, changes)]}
        rows = made.get(form.partition(",")[0], lambda: objects)()
        bytes_ = [sum(each) for each in zip(*_bytes(rows, form.rpartition(" ")[2]), strict=True)]
        found[form] = bytes_[0] / whole, bytes_[1] / whole
    return found


def compacted_day(place: Path, changes: int) -> pa.Table:
    """Return a log's rows as the query of compaction makes them, as if all had arrived on one day."""
    paths = [str(path) for path in made_log(place, changes, "parquet").paths]
    arrived = r"regexp_replace(filename, '.*-(\d+-\d+-\d+)-(\d+)-(\d+)-(\d+)-\d+\.parquet', '\1 \2:\3:\4')"
    delivered = f"{arrived} || ' ' || substr(filename, strpos(filename, '/data/') + 6)"
    with duckdb.connect() as con:
        con.execute(
            "create view delivered as "
            f"select *, {delivered} as arrival from read_parquet([{literal(paths)[1:-1]}], filename = true)"
        )
        return con.sql(to_duckdb(part("compact", deliveries="delivered"))).to_arrow_table()


def touched(place: Path, changes: int) -> dict[int, float]:
    """Return what is read of a compacted day for one item with a few changes, as a share of it, by rows in a row group.

    >>> import tempfile
    >>> found = touched(Path(tempfile.mkdtemp()), 2_000)
    >>> found[1_000] < found[10_000] == found[100_000] == 1
    True
    """
    rows, key = compacted_day(place, changes), {"pk": {"S": made_log(place, changes, "parquet").ordinary}}
    keys, shares_of_day = canonical_json(key), dict[int, float]()
    for size in GROUPS:
        sink = BytesIO()
        pq.write_table(rows, sink, compression="ZSTD", row_group_size=size)
        groups = pq.read_metadata(sink)
        every = [groups.row_group(number) for number in range(groups.num_row_groups)]
        bytes_ = [
            sum(group.column(number).total_compressed_size for number in range(group.num_columns)) for group in every
        ]
        of_keys = [group.column(rows.column_names.index("keys")).statistics for group in every]
        read = [each for each, found in zip(bytes_, of_keys, strict=True) if found.min <= keys <= found.max]
        shares_of_day[size] = sum(read) / sum(bytes_)
    return shares_of_day


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
    print("\n| rows in a row group | one item reads, of a compacted day |\n|---|--:|")
    for size, share in touched(given.folder, given.changes).items():
        print(f"| {size:,} | {share:.1%} |")
