"""Executes a query as Athena engine version 3 does, in DuckDB over moto's Glue and S3."""

from __future__ import annotations

import functools
import random
import re
import time
import uuid
from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import sqlglot
from moto.glue.models import glue_backends
from sqlglot import exp
from sqlglot.optimizer.scope import Scope, traverse_scope

from tests.helpers.aws.dialect import java_double, translated
from tests.helpers.aws.serde import Unreadable
from tests.helpers.aws.storage import ACCOUNT, listed, save
from tests.helpers.aws.tables import Table, find

_UNLOAD = re.compile(r"\s*unload\s*\((.*)\)\s*to\s*'([^']*)'(?:\s*with\s*\((.*)\))?\s*;?\s*", re.I | re.S)
_VIEW = re.compile(r'\s*create\s+(or\s+replace\s+)?view\s+"(.*?)"\."(.*?)"\s+as\s+(.*?);?\s*', re.I | re.S)
_FILES = 3
_COMPRESSIONS = {"SNAPPY", "GZIP", "ZSTD", "LZ4", "NONE"}


class Failed(Exception):
    """A query that ends FAILED, with Athena's words."""


@dataclass
class Outcome:
    """What a query left."""

    columns: list[tuple[str, str]] = field(default_factory=list)
    rows: list[tuple[str | None, ...]] = field(default_factory=list)
    scanned: int = 0
    files: list[str] = field(default_factory=list)
    unload: bool = False


def parse(sql: str) -> tuple[Any, dict[str, str] | None]:
    """Parse a query; with UNLOAD also its target and options. Trees are shared: copy one before it is changed.

    Raises
    ------
    ValueError
        As StartQueryExecution does.
    """
    options: dict[str, str] | None = None
    if found := _VIEW.fullmatch(sql):
        options = {"database": found[2], "view": found[3], "replace": found[1] or "", "text": found[4]}
        sql = re.sub(r"[^\n]", " ", sql[: found.start(4)]) + found[4]
    elif found := _UNLOAD.fullmatch(sql):
        pairs = re.findall(r"(\w+)\s*=\s*(?:'([^']*)'|([^,\s]+))", found[3] or "")
        options = {name.lower(): text or bare for name, text, bare in pairs} | {"to": found[2]}
        sql = re.sub(r"[^\n]", " ", sql[: found.start(1)]) + found[1]  # places in it stay what they are
    try:
        tree = _tree(sql.rstrip().rstrip(";"))
    except sqlglot.errors.SqlglotError as error:
        at = (getattr(error, "errors", None) or [{}])[0]
        raise ValueError(
            f"line {at.get('line', 1)}:{at.get('col', 1)}: mismatched input '{at.get('highlight', '')}'"
        ) from error
    if not isinstance(tree, exp.Query):
        raise ValueError(f"line 1:1: mismatched input '{sql.split()[0]}'. Only queries and UNLOAD are served here")
    return tree, options


@functools.lru_cache(maxsize=256)
def _tree(sql: str) -> Any:
    return sqlglot.parse_one(sql, read="athena")


class Execution:
    """One run of a query."""

    def __init__(self, con: duckdb.DuckDBPyConnection, database: str, region: str, cutoff: int | None) -> None:
        self.con, self.database, self.region, self.cutoff = con, database, region, cutoff
        self.outcome = Outcome()

    def run(self, sql: str, output: str) -> Outcome:
        """Run a query and write its results.

        Raises
        ------
        Failed
            With Athena's words.
        BytesScannedCutoff
            Where the workgroup stops it.
        """
        tree, options = parse(sql)
        if options:
            self._check_unload(tree, options)
        tree = self._without_views(tree)
        try:
            bound = self._bind_tables(tree)
            if "duckdb" not in tree.meta:  # what it is written as does not depend on what lies in the tables
                tree.meta["duckdb"] = translated(bound)
            answer = self.con.execute(tree.meta["duckdb"])  # a relation would be planned several times
            names = [str(column[0]).lower() for column in answer.description or ()]
            types = [column[1] for column in answer.description or ()]
            kinds = ["BIGINT" if str(kind) == "HUGEINT" else str(kind) for kind in types]
            if options:
                _check_types(names, kinds)
            columns = list(zip(*answer.fetchall(), strict=True)) or [()] * len(names)
            rows = pa.Table.from_arrays(
                [pa.array(column, _arrow(kind)) for column, kind in zip(columns, types, strict=True)], names=names
            )
        except Unreadable as error:
            raise Failed(str(error)) from error
        except duckdb.InterruptException:
            raise
        except (duckdb.Error, ValueError) as error:
            raise Failed(_said(error, tree)) from error
        if options and "view" in options:
            self._create_view(options, names)
        elif options:
            self._unload(rows, options)
        else:
            self._results(rows, kinds, output)
        return self.outcome

    def _without_views(self, tree: Any) -> Any:
        """Put the text of each view where its name is."""
        tables = glue_backends[ACCOUNT][self.region]
        for node in list(tree.find_all(exp.Table)):
            database = (node.db or self.database).lower()
            found = getattr(tables.databases.get(database), "tables", {}).get(node.name.lower())
            if found and found.as_dict().get("TableType") == "VIRTUAL_VIEW":
                view = _tree(b64decode(found.as_dict()["ViewOriginalText"]).decode())
                tree = tree.copy() if node.root() is tree and "copied" not in tree.meta else tree
                tree.meta["copied"] = True
                for each in tree.find_all(exp.Table):
                    if (each.db, each.name) == (node.db, node.name):
                        named = each.alias_or_name
                        each.replace(
                            exp.Subquery(this=view.copy(), alias=exp.TableAlias(this=exp.to_identifier(named, True)))
                        )
        return tree

    def _create_view(self, options: dict[str, str], names: list[str]) -> None:
        """Register a view, its text as it was given; Athena's own has more in it."""
        database = glue_backends[ACCOUNT][self.region].databases[options["database"]]
        if options["view"] in database.tables and not options["replace"]:
            raise Failed(f"View already exists: '{options['database']}.{options['view']}'")
        definition = {
            "Name": options["view"],
            "TableType": "VIRTUAL_VIEW",
            "ViewOriginalText": b64encode(options["text"].encode()).decode(),
            "ViewExpandedText": "/* Presto View */",
            "StorageDescriptor": {"Columns": [{"Name": name, "Type": "string"} for name in names], "Location": ""},
            "Parameters": {"presto_view": "true"},
        }
        glue = glue_backends[ACCOUNT][self.region]
        if options["view"] in database.tables:
            glue.delete_table(options["database"], options["view"])
        glue.create_table(options["database"], options["view"], definition)

    def _bind_tables(self, whole: exp.Expression) -> exp.Expression:
        """Give each table in the query its partitions' rows, as a relation of its own; return the query over them."""
        bound: exp.Expression = whole.copy()
        seen = 0
        for scope in traverse_scope(bound):
            for alias, (node, source) in scope.selected_sources.items():
                if not isinstance(source, exp.Table):
                    continue
                table = self._table(source)
                wanted = _wanted(whole, table)
                reads = self._pruned(table, scope, alias)
                self.outcome.scanned += table.scanned(reads, wanted)
                if self.cutoff and self.outcome.scanned > self.cutoff:
                    raise BytesScannedCutoff
                name = f"glue_{seen}"
                self.con.register(name, table.load(reads, wanted))
                seen += 1
                for star in scope.expression.expressions:
                    inner = star.this if isinstance(star, exp.Column) else star
                    if isinstance(inner, exp.Star):
                        inner.set("except_", [*(inner.args.get("except_") or []), exp.to_identifier("$path", True)])
                for column in scope.columns:
                    if source.db and (column.db, column.table) == (source.db, alias):
                        column.set("db", None)  # else it is a member of a struct
                node.replace(exp.alias_(exp.to_table(name), alias, table=True, quoted=True))
        return bound

    def _table(self, source: exp.Table) -> Table:
        database = (source.db or self.database or "default").lower()
        found = find(database, source.name.lower(), self.region)
        if found is None:
            raise Failed(
                f"TABLE_NOT_FOUND: {_place(source.args.get('db') or source.this)}: "
                f"Table 'awsdatacatalog.{database}.{source.name.lower()}' does not exist"
            )
        return found

    def _pruned(self, table: Table, scope: Scope, alias: str) -> list[Any]:
        """Return the partitions that the conjuncts on partition columns alone let through."""
        conditions = [
            each for each in _conjuncts(scope.expression.args.get("where")) if _only(each, table, alias, scope)
        ]
        _check_comparisons(scope, table, alias)
        fixed = {
            node.this.name.lower()
            for each in conditions
            for node in [each]
            if isinstance(node, exp.EQ | exp.In) and isinstance(node.this, exp.Column)
        }
        for name in table.injected():
            if name not in fixed:
                raise Failed(
                    f"CONSTRAINT_VIOLATION: For the injected projected partition column {name}, the WHERE "
                    "clause must contain only static equality conditions, and at least one such condition "
                    "must be present."
                )
        reads = table.partitions()
        if not conditions or not reads:
            return reads
        self.con.register("glue_partitions", table.partition_rows(reads))
        where = exp.and_(*(each.copy() for each in conditions))
        for column in where.find_all(exp.Column):
            column.set("table", None)
        chosen = exp.select("_place").from_("glue_partitions").where(where)
        kept = {place for (place,) in self.con.sql(translated(chosen)).fetchall()}
        return [read for number, read in enumerate(reads) if number in kept]

    def _check_unload(self, tree: Any, options: dict[str, str]) -> None:
        names: set[str] = set()
        for number, column in enumerate(tree.selects, 1):
            named = isinstance(column, exp.Alias | exp.Column | exp.Dot | exp.Star)
            name = column.alias_or_name.lower() if named else ""
            if not name:
                raise Failed(f"MISSING_COLUMN_NAME: line 1:1: Column name not specified at position {number}")
            if name in names:
                raise Failed(f"DUPLICATE_COLUMN_NAME: line 1:1: Column name '{name}' specified more than once")
            names |= {name} - {"*"}
        if "view" in options:
            return
        if options.get("format", "").upper() != "PARQUET":
            raise Failed(f"NOT_SUPPORTED: this server unloads Parquet only, not {options.get('format')!r}")
        compression = options.get("compression", "GZIP").upper()
        if compression not in _COMPRESSIONS:
            raise Failed(f"INVALID_TABLE_PROPERTY: Invalid compression codec: {compression}")
        if listed(options["to"]):
            raise Failed(
                f"HIVE_PATH_ALREADY_EXISTS: Target directory for table 'awsdatacatalog.{self.database}."
                f"temp_table_{uuid.uuid4().hex}' already exists: {options['to']}. You may need to manually "
                f"clean the data at location '{options['to']}' before retrying. Athena will not delete data "
                "in your account."
            )

    def _unload(self, rows: pa.Table, options: dict[str, str]) -> None:
        """Write rows into several files, in which no order is kept."""
        self.outcome.unload = True
        numbers = list(range(rows.num_rows))
        random.shuffle(numbers)
        each = max(1, -(-len(numbers) // _FILES))
        stamp = datetime.now(UTC).strftime("%Y%m%d_%H%M%S")
        for start in range(0, len(numbers), each):
            part = rows.take(pa.array(numbers[start : start + each]))
            sink = BytesIO()
            codec = options.get("compression", "GZIP").upper()
            pq.write_table(part, sink, compression=codec, use_deprecated_int96_timestamps=True)
            path = f"{options['to'].rstrip('/')}/{stamp}_00042_abcde_{uuid.uuid4()}"
            save(path, sink.getvalue())
            self.outcome.files.append(path)
        random.shuffle(self.outcome.files)

    def _results(self, rows: pa.Table, kinds: list[str], output: str) -> None:
        self.outcome.columns = list(zip(rows.column_names, map(_athena_type, kinds), strict=True))
        columns = [
            [_shown(value.as_py() if not pa.types.is_timestamp(value.type) else str(value), kind) for value in column]
            for column, kind in zip(rows.columns, kinds, strict=True)
        ]
        self.outcome.rows = list(zip(*columns, strict=True)) if columns else []
        if output:
            lines = [rows.column_names, *self.outcome.rows]
            text = "".join(
                ",".join("" if value is None else '"' + value.replace('"', '""') + '"' for value in line) + "\n"
                for line in lines
            )
            save(f"{output}.csv", text.encode())
            save(f"{output}.csv.metadata", b"\x0a\x00")


class BytesScannedCutoff(Exception):
    """The workgroup's limit is reached."""


def _conjuncts(node: Any) -> Iterator[Any]:
    node = node.this if isinstance(node, exp.Where | exp.Paren) else node
    if isinstance(node, exp.And):
        yield from _conjuncts(node.left)
        yield from _conjuncts(node.right)
    elif node is not None:
        yield node


def _only(condition: Any, table: Table, alias: str, scope: Scope) -> bool:
    """Tell whether a condition names columns of the table's partitions, and nothing else."""
    columns = list(condition.find_all(exp.Column))
    alone = sum(not isinstance(node, exp.Unnest) for node, _ in scope.selected_sources.values()) == 1
    return (
        bool(columns)
        and not condition.find(exp.Query)
        and all(
            column.name.lower() in table.keys and (column.table == alias or (not column.table and alone))
            for column in columns
        )
    )


def _wanted(tree: exp.Expression, table: Table) -> set[str] | None:
    """Return the names of the table's columns that a query could use; None where it may be any."""
    stars = [star for star in tree.find_all(exp.Star) if not isinstance(star.parent, exp.Count)]
    scopes = [star.find_ancestor(exp.Select) for star in stars]
    if any(
        each is not None
        and each.find(exp.Table)
        and any(found.name.lower() == table.name for found in each.args["from_"].find_all(exp.Table))
        for each in scopes
    ):
        return None
    return {part.name.lower() for part in tree.find_all(exp.Identifier)} & set(table.columns)


def _check_comparisons(scope: Scope, table: Table, alias: str) -> None:
    """Refuse to compare a column with a literal of another kind, which DuckDB would cast."""
    kinds = {**table.columns, **table.keys}
    for node in scope.find_all(exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.In, exp.Between):
        others = [node.args[name] for name in ("expression", "low", "high") if node.args.get(name)]
        for left, right in [(node.this, each) for each in [*others, *node.expressions]] + [
            (o, node.this) for o in others
        ]:
            if not isinstance(left, exp.Column) or not isinstance(right, exp.Literal) or left.table not in ("", alias):
                continue
            kind = kinds.get(left.name.lower())
            if kind is None or (len(scope.selected_sources) > 1 and not left.table):
                continue
            numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
            if numeric != (not right.is_string) or (not numeric and kind != pa.string()):
                have = (
                    "varchar"
                    if kind == pa.string()
                    else "integer"
                    if kind == pa.int32()
                    else "bigint"
                    if kind == pa.int64()
                    else str(kind).replace("date32[day]", "date")
                )
                literal = f"varchar({len(right.this)})" if right.is_string else "integer"
                sign = {"NEQ": "<>", "GT": ">", "GTE": ">=", "LT": "<", "LTE": "<="}.get(type(node).__name__, "=")
                raise Failed(
                    f"TYPE_MISMATCH: {_place(left.find(exp.Identifier))}: Cannot apply operator: "
                    f"{have} {sign} {literal}"
                )


def _check_types(names: list[str], kinds: list[str]) -> None:
    if twice := [name for number, name in enumerate(names) if name in names[:number]]:
        raise Failed(f"DUPLICATE_COLUMN_NAME: line 1:1: Column name '{twice[0]}' specified more than once")
    for kind in kinds:
        precision = {"TIMESTAMP": 6, "TIMESTAMP_S": 0, "TIMESTAMP_NS": 9}.get(kind)
        if precision is not None:
            raise Failed(
                f"NOT_SUPPORTED: Incorrect timestamp precision for timestamp({precision}); the configured "
                "precision is MILLISECONDS; column name: " + names[kinds.index(kind)]
            )
        name = {
            "NULL": "unknown",
            '"NULL"': "unknown",
            "TIMESTAMP WITH TIME ZONE": "timestamp(3) with time zone",
            "JSON": "json",
            "TIME": "time(3)",
            "INTERVAL": "interval day to second",
        }.get(kind)
        if name:
            raise Failed(f"NOT_SUPPORTED: Unsupported Hive type: {name}")


def _place(identifier: Any) -> str:
    meta = getattr(identifier, "meta", {}) or {}
    if not meta:
        return "line 1:1"
    return f"line {meta['line']}:{meta['col'] - (meta['end'] - meta['start'])}"


def _said(error: Exception, tree: exp.Expression) -> str:
    """Put DuckDB's words into Athena's."""
    words = str(error).splitlines()[0]
    if found := re.search(
        r'Referenced column "(.*?)" not found|Could not find key "(.*?)" in struct|'
        r'does not have a column named "(.*?)"',
        str(error),
    ):
        name = next(part for part in found.groups() if part)
        at = next((each for each in tree.find_all(exp.Identifier) if each.name.lower() == name.lower()), None)
        return f"COLUMN_NOT_FOUND: {_place(at)}: Column '{name}' cannot be resolved"
    if found := re.search(r"Function with name (\w+) does not exist", words):
        return f"FUNCTION_NOT_FOUND: line 1:1: Function '{found[1]}' not registered"
    if found := re.search(r"ValueError: (.*)|Error: (Incorrect padding|Non-base64.*|Only base64.*)", str(error)):
        return f"INVALID_FUNCTION_ARGUMENT: {found[1] or found[2]}"
    if found := re.search(r"no (timestamp|date): ([^\"']*)", words):
        return f"INVALID_CAST_ARGUMENT: Value cannot be cast to {found[1]}: {found[2]}"
    if isinstance(error, duckdb.ConversionException):
        if found := re.search(r"string '(?:no \w+: )?(.*)' to (\w+)", words):
            return f"INVALID_CAST_ARGUMENT: Cannot cast '{found[1]}' to {found[2].replace('INT64', 'BIGINT')}"
        return f"INVALID_CAST_ARGUMENT: {words}"
    if "Division by zero" in words:
        return "DIVISION_BY_ZERO: Division by zero"
    if "must appear in the GROUP BY" in words:
        return f"EXPRESSION_NOT_AGGREGATE: line 1:1: {words}"
    if isinstance(error, duckdb.BinderException):
        return f"TYPE_MISMATCH: line 1:1: {words}"
    if isinstance(error, ValueError):
        return f"INVALID_FUNCTION_ARGUMENT: {words}"
    return f"GENERIC_INTERNAL_ERROR: {words}"


_ATHENA_TYPES = {
    "VARCHAR": "varchar",
    "BIGINT": "bigint",
    "INTEGER": "integer",
    "SMALLINT": "smallint",
    "TINYINT": "tinyint",
    "DOUBLE": "double",
    "FLOAT": "float",
    "BOOLEAN": "boolean",
    "DATE": "date",
    "BLOB": "varbinary",
    "JSON": "json",
    "TIMESTAMP": "timestamp",
    "TIMESTAMP_MS": "timestamp",
    "TIMESTAMP_S": "timestamp",
    "UBIGINT": "bigint",
    "TIMESTAMP WITH TIME ZONE": "timestamp with time zone",
    '"NULL"': "unknown",
    "NULL": "unknown",
}


_ARROW = {
    "boolean": pa.bool_(),
    "tinyint": pa.int8(),
    "smallint": pa.int16(),
    "integer": pa.int32(),
    "bigint": pa.int64(),
    "hugeint": pa.int64(),
    "utinyint": pa.int64(),
    "usmallint": pa.int64(),
    "uinteger": pa.int64(),
    "ubigint": pa.int64(),
    "float": pa.float32(),
    "double": pa.float64(),
    "blob": pa.binary(),
    "date": pa.date32(),
    "timestamp": pa.timestamp("us"),
    "timestamp_ms": pa.timestamp("ms"),
    "timestamp_s": pa.timestamp("s"),
    "timestamp with time zone": pa.timestamp("us", "UTC"),
    "sqlnull": pa.null(),
    '"null"': pa.null(),
}


def _arrow(kind: Any) -> pa.DataType:
    """Return the Arrow type of a result's column; sums of bigint are bigint, as they are to Trino."""
    if kind.id == "list":
        return pa.list_(_arrow(kind.children[0][1]))
    if kind.id == "struct":
        return pa.struct([(name, _arrow(each)) for name, each in kind.children])
    if kind.id == "map":
        return pa.map_(*(_arrow(each) for _, each in kind.children))
    if kind.id == "decimal":
        return pa.decimal128(*(size for _, size in kind.children))
    return _ARROW.get(kind.id, pa.string())


def _athena_type(kind: str) -> str:
    if kind.endswith("[]"):
        return "array"
    if kind.startswith(("STRUCT", "MAP", "DECIMAL")):
        return {"S": "row", "M": "map", "D": "decimal"}[kind[0]]
    return _ATHENA_TYPES.get(kind, "varchar")


def _shown(value: Any, kind: str) -> str | None:
    """Write a value as results in CSV have it."""
    if value is None or (value == "None" and kind.startswith("TIMESTAMP")):
        return None
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return java_double(value)
    if isinstance(value, bytes):
        return value.hex(" ")
    if kind.startswith("TIMESTAMP"):
        digits = {"TIMESTAMP_S": 0, "TIMESTAMP": 6}.get(kind, 3)
        text = str(value).replace("T", " ").removesuffix("Z").partition("+")[0]
        whole, _, fraction = text.partition(".")
        shown = f"{whole}.{fraction.ljust(digits, '0')[:digits]}" if digits else whole
        return f"{shown} UTC" if kind.endswith("ZONE") else shown
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name}={_inner(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        if kind.startswith("MAP"):
            return "{" + ", ".join(f"{_inner(name)}={_inner(each)}" for name, each in value) + "}"
        return "[" + ", ".join(map(_inner, value)) + "]"
    return str(value)


def _inner(value: Any) -> str:
    shown = _shown(value, "")
    return "null" if shown is None else shown


def pause(seconds: float, stopped: Any) -> None:
    """Wait, but no longer than until a query is stopped."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and not stopped.is_set():
        stopped.wait(min(0.05, end - time.monotonic()))
