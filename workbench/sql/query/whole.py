"""Relations as they are, with all their columns: views, tables and macros made of them, in DuckDB and on Athena."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from itertools import count

from sqlglot import exp

from workbench.errors import ParameterError
from workbench.sql.dialects import to_duckdb
from workbench.sql.literals import identifier
from workbench.sql.query.names import OutColumn, Source, every, label_text, quoted
from workbench.sql.query.plan import Plan
from workbench.sql.query.relations import KINDS, Catalog, Relation
from workbench.sql.typed_attributes import NO_MASKS, AttributeColumn, Masks, column_type, refuse_masked_within


def whole(table: str, suffix: str, catalog: Catalog, masks: Masks = NO_MASKS) -> Plan:
    """Return the query of all columns of a relation, called as ``select *`` has them, in no order.

    A map or list that is taken whole, and holds an attribute that is masked, is masked as a whole.

    Parameters
    ----------
    suffix
        Which relation of the table: one of `KINDS`.
    """
    relation = Relation(table, KINDS[suffix], catalog.schema(table), tuple(catalog.keys(table)))
    columns = [OutColumn(*column) for column in _columns(relation, masks)]
    selected = [exp.alias_(exp.column(quoted(each.of), table=quoted("s")), each.name, quoted=True) for each in columns]
    tree = exp.select(*selected).from_(exp.alias_(exp.table_("$r1", quoted=True), "s", table=True, quoted=True))
    names = [label_text(each.label) for each in columns]
    return Plan(f"select * from {identifier(table + suffix)}", [relation], columns, names, (), (), tree)


def _columns(relation: Relation, masks: Masks) -> Iterable[tuple[tuple[str | int, ...], str, str, str]]:
    """Yield the columns: their labels, their types, what they are called in the answer, and in the relation."""
    for number, hit in enumerate(every(Source("", "", relation)), 1):
        if hit.metadata:
            column, kind = relation.metadata(hit.metadata)
        else:
            node = relation.node(hit.image, hit.path)
            assert node is not None
            attribute = AttributeColumn(f"c{number}", hit.image, hit.path, node)
            try:
                refuse_masked_within(attribute, masks)
            except ParameterError:
                attribute = replace(attribute, masked=True)
            relation.columns[hit.image, hit.path, "value"] = attribute
            column, kind = attribute.name, column_type(attribute, masks)
        yield hit.label, kind, f"o{number}", column


def distinct(names: Sequence[str], kept: Collection[int] = ()) -> list[str]:
    """Return names that differ otherwise than by capitals, as those of tables and columns must: counted from 2.

    Parameters
    ----------
    kept
        The places of names that stay as they are; else the first of each does.

    >>> distinct(["Id", "id", "ID", "id_2"]), distinct(["Id", "id"], kept=[1])
    (['Id', 'id_3', 'ID_4', 'id_2'], ['Id_2', 'id'])
    """
    taken, seen, made = {name.lower() for name in names}, set[str](), dict[int, str]()
    for at in sorted(range(len(names)), key=lambda at: at not in kept):
        name = names[at]
        if name.lower() in seen:
            name += next(ending for number in count(2) if (name + (ending := f"_{number}")).lower() not in taken)
        taken.add(name.lower())
        seen.add(name.lower())
        made[at] = name
    return [made[at] for at in range(len(names))]


def _of_metadata(plan: Plan) -> list[bool]:
    """Tell which columns are no attributes: people count on their names, whatever attributes there are."""
    return [any(each.label == (name,) for name in plan.relations[0].kind.metadata) for each in plan.columns]


def called(sql: str, plan: Plan) -> str:
    """Write the query in DuckDB's dialect of a plan's columns by the names that people see, and of the types they have.

    Names that are alike but for capitals are told apart. Sums come wider than they are, and times from files as texts.
    """
    names = distinct(plan.names, [at for at, metadata in enumerate(_of_metadata(plan)) if metadata])
    cells = [
        f"cast({identifier(each.name)} as {each.kind}) as {identifier(name)}"
        for each, name in zip(plan.columns, names, strict=True)
    ]
    return f"{to_duckdb(f'select {_listed(cells)}')}\nfrom (\n{sql}\n) as relation"


def view(name: str, sql: str) -> str:
    """Write the statement that makes a view, in any dialect."""
    return f"create view {identifier(name)} as\n{sql}"


def table(name: str, sql: str, *, shuffled: bool = False) -> str:
    """Write the statement that makes a table of what a query finds, in DuckDB's dialect.

    Parameters
    ----------
    shuffled
        Whether its rows are to be ordered by what they show, and so tell nothing of what is masked.
    """
    order = "\norder by all" if shuffled else ""
    return f"create table {identifier(name)} as\n{sql}{order}"


def on_athena(sql: str, plan: Plan) -> str:
    """Write the query of a plan's columns as a view of Athena's has them: in lower case, of types that it can have.

    Views have no times finer than a millisecond: what is finer is cut off, and is in a text beside, ``ts_text``.
    """
    cells = list[tuple[str, str, bool]]()
    for column, name, metadata in zip(plan.columns, plan.names, _of_metadata(plan), strict=True):
        value = identifier(column.name)
        if column.kind == "timestamp":
            cells.append((f"cast(date_trunc('millisecond', {value}) as timestamp(3))", name.lower(), metadata))
            cells.append((f"cast({value} as varchar)", f"{name.lower()}_text", metadata))
        else:
            cells.append((f"cast({value} as {column.kind})", name.lower(), metadata))
    names = distinct([name for _, name, _ in cells], [at for at, (*_, metadata) in enumerate(cells) if metadata])
    listed = [f"{value} as {identifier(name)}" for (value, *_), name in zip(cells, names, strict=True)]
    return f"select\n    {_listed(listed)}\nfrom (\n{sql}\n) as relation"


def athena_view(database: str, name: str, sql: str) -> str:
    """Write the statement of Athena's that makes a view, or replaces it."""
    return f"create or replace view {identifier(database)}.{identifier(name)} as\n{sql}"


def as_of(name: str, versions: str) -> str:
    """Write the macro of DuckDB that tells the items there were at an instant, its argument, in UTC or with a zone.

    Parameters
    ----------
    versions
        What the relation of versions is called.
    """
    # The attributes are not named: an argument would stand for one that is called like it. A cast to timestamp would
    # leave a zone out, and one to timestamp with time zone take that of the session for UTC.
    text = "cast(instant as varchar)"
    zoned = f"regexp_matches({text}, ':[0-9.]+ ?(Z|UTC|[+-][0-9:]+)$')"
    given = f"make_timestamp(epoch_us(cast({text} as timestamptz)))"
    moment = f"case when {zoned} then {given} else cast({text} as timestamp) end"
    return (
        f"create macro {identifier(name)}(instant) as table\n"
        "select versions.* exclude (valid_to, is_current, ended_by)\n"
        f"from {identifier(versions)} as versions\n"
        f"where versions.valid_from <= {moment}\n"
        f"    and (versions.valid_to is null or versions.valid_to > {moment})"
    )


def _listed(cells: Iterable[str]) -> str:
    return ",\n    ".join(cells)
