"""Views over a log in the Glue catalog: made by Athena, told from others by a mark, and removed.

>>> views = Views(session, "logs", Athena(session, settings))  # doctest: +SKIP
>>> [view.name for view in views.made()]  # doctest: +SKIP
['persons_changes', 'persons_latest', 'persons_versions']
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import awswrangler as wr

from workbench.aws.athena import Athena
from workbench.aws.errors import explained
from workbench.aws.session import Session
from workbench.aws.table_definitions import VIEW
from workbench.errors import ParameterError, QueryError

if TYPE_CHECKING:
    from types_boto3_glue.type_defs import TableTypeDef

_TABLE, _RELATION = "workbench.view.table", "workbench.view.relation"  # the marks


@dataclass(frozen=True)
class MadeView:
    """A view that this program made."""

    name: str
    table: str
    """The DynamoDB table whose log it is of."""
    relation: str
    """latest, changes or versions."""
    columns: Sequence[str]


class Views:
    """The views of a database of the Glue catalog that were made here.

    Every method raises QueryError where Athena or Glue refuses.
    """

    def __init__(self, session: Session, database: str, athena: Athena) -> None:
        self._session, self._database, self._athena = session, database, athena

    def made(self) -> list[MadeView]:
        """List them, by name."""
        with explained("the views cannot be listed", "glue:GetTables", on=self._database, raises=QueryError):
            pages = cast(
                "Iterator[TableTypeDef]", wr.catalog.get_tables(database=self._database, boto3_session=self._session)
            )
            views = [_made(each) for each in pages if _TABLE in each.get("Parameters", {})]
        return sorted(views, key=lambda each: each.name)

    def refuse(self, names: Sequence[str], *, replace: bool) -> None:
        """Refuse to take the place of what is called so, and was not made here.

        Raises
        ------
        ParameterError
            Which names it; with `replace` where it is a table alone.
        """
        glue = self._session.client("glue")
        for name in names:
            with explained("a view cannot be looked up", "glue:GetTable", on=name, raises=QueryError):
                try:
                    there = glue.get_table(DatabaseName=self._database, Name=name)["Table"]
                except glue.exceptions.EntityNotFoundException:
                    continue
            if there.get("TableType") != VIEW:
                raise ParameterError(f"{self._database}.{name} is there already, and is a table: nothing replaces it")
            if _TABLE not in there.get("Parameters", {}) and not replace:
                raise ParameterError(
                    f"{self._database}.{name} is there already, and was made by somebody else: --replace replaces it"
                )

    def create(self, name: str, statement: str, table: str, relation: str) -> None:
        """Run the statement that makes a view, or replaces it, and mark it as one of ours."""
        self._athena.execute(statement)
        trouble = f"the view {name} was made, but not marked as one of ours"
        needed = "glue:GetTable", "glue:UpdateTable"
        with explained(trouble, *needed, on=f"{self._database}.{name}", raises=QueryError):
            wr.catalog.upsert_table_parameters(
                parameters={_TABLE: table, _RELATION: relation},
                database=self._database,
                table=name,
                boto3_session=self._session,
            )

    def drop(self, view: MadeView) -> None:
        """Remove a view."""
        with explained("a view cannot be removed", "glue:DeleteTable", on=view.name, raises=QueryError):
            wr.catalog.delete_table_if_exists(database=self._database, table=view.name, boto3_session=self._session)


def _made(table: TableTypeDef) -> MadeView:
    marks, stored = table.get("Parameters", {}), table.get("StorageDescriptor", {})
    columns = [column["Name"] for column in stored.get("Columns", [])]
    return MadeView(table["Name"], marks[_TABLE], marks.get(_RELATION, ""), columns)
