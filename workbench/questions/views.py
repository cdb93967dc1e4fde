"""Views of Athena's over a log: what is in a table, its changes and its versions, an attribute a column."""

from __future__ import annotations

from collections.abc import Mapping

import pandas as pd

from workbench.aws.views import MadeView
from workbench.errors import ParameterError, did_you_mean
from workbench.model.stream_views import have_states
from workbench.questions.asking import Asking
from workbench.questions.query import Tables, masks_of
from workbench.sql.query import whole
from workbench.sql.query.relations import KINDS

RELATIONS: Mapping[str, str] = {"latest": "", "changes": "$changes", "versions": "$versions"}
"""The relations there are views of, and how they are called in a query."""


def statements(asking: Asking, table: str) -> dict[str, tuple[str, str]]:
    """Return the relation and the statement that makes it, of each view of a table, by its name."""
    settings = asking.settings
    engine = asking.engine
    log = engine.catalog.table(table)
    asking.refuse_known("a view shows what is known when it is asked")
    if settings.baseline:
        raise ParameterError("a view is of the log alone: leave out baseline")
    masks = masks_of(settings)
    if masks.paths and masks.how == "hash" and masks.salt:
        raise ParameterError(
            "the text of a view would show mask_salt to all who may see it: set mask_with=redact, or no mask_salt"
        )
    catalog, known = Tables(engine), engine.views(table)
    made = {}
    for relation, suffix in RELATIONS.items():
        if "image" in KINDS[suffix].images.values() and known and not have_states(known):
            continue  # no state is known
        plan = whole.whole(table, suffix, catalog, masks)
        text = whole.on_athena(engine.view_text(plan, masks), plan)
        name = f"{log.name}_{relation}"
        made[name] = relation, whole.athena_view(log.database, name, text)
    return made


def create(asking: Asking, table: str, *, replace: bool) -> pd.DataFrame:
    """Make the views of a table; see `Workbench.create_views`."""
    made = asking.retrying(table, lambda: statements(asking, table))
    made_views = asking.engine.made_views
    made_views.refuse([*made], replace=replace)
    for name, (relation, statement) in made.items():
        made_views.create(name, statement, table, relation)
    return _frame([each for each in made_views.made() if each.name in made])


def ddl(asking: Asking, table: str) -> str:
    """Write the statements that make the views of a table; see `Workbench.view_ddl`."""
    made = asking.retrying(table, lambda: statements(asking, table))
    return "\n\n".join(f"{statement};" for _, statement in made.values())


def made(asking: Asking, table: str | None) -> pd.DataFrame:
    """List the views; see `Workbench.views`."""
    return _frame(_of(asking, table))


def drop(asking: Asking, table: str) -> pd.DataFrame:
    """Remove the views of a table; see `Workbench.drop_views`."""
    found = _of(asking, table)
    if not found:
        tables = sorted({each.table for each in asking.engine.made_views.made()})
        there = f"there are of {', '.join(tables)}.{did_you_mean(table, tables)}" if tables else "there is none at all"
        raise ParameterError(f"there is no view of {table!r} that was made here; {there}")
    for each in found:
        asking.engine.made_views.drop(each)
    return _frame(found)


def _of(asking: Asking, table: str | None) -> list[MadeView]:
    return [each for each in asking.engine.made_views.made() if table in (None, each.table)]


def _frame(views: list[MadeView]) -> pd.DataFrame:
    rows = [(each.name, each.table, each.relation, len(each.columns)) for each in views]
    df = pd.DataFrame(rows, columns=["view", "table", "relation", "columns"])
    return df.astype({"view": "str", "table": "str", "relation": "str", "columns": "int64"})
