"""Named queries beside the package's own, made of its SQL: a flattened view, and examples of the generated tables."""

from __future__ import annotations

from dataclasses import replace

from infra_cdk.config import Config
from infra_cdk.named_query import named_query
from workbench.sql.literals import identifier, literal
from workbench.sql.query.whole import athena_view


def extra_queries(config: Config) -> dict[str, tuple[str, str]]:
    """Name what is asked beside the package's own questions: a description and the SQL of each."""
    made: dict[str, tuple[str, str]] = {}
    if config.view:
        made["flattened view"] = (
            "Run once, it makes the view that BI tools read: what is the latest state, a column an attribute?",
            athena_view(config.database, f"{config.log_name}_latest", flattened(config)),
        )
    if config.generator == "persons":
        names = replace(config, view="pk:S,person.firstname:S,person.lastname:S")
        made["names of persons"] = ("What are the persons called who are there now?", flattened(names))
    if config.generator == "heartrate":
        made["heart rates over 120"] = (
            "Which changes of the last 7 days left a heart rate of more than 120?",
            named_query(
                "changes",
                database=config.database,
                table=config.log_name,
                layout=config.layout,
                crawled=config.catalog == "crawler",
                where=f"{_value('new_image', ('HeartRate',), 'N')} > 120",
            ),
        )
    if config.generator == "orders":
        names = replace(config, view="order_id:S,customer.name:S,status:S,total:N,updated_by:S")
        made["status of orders"] = ("Which orders are there, and how far is each?", flattened(names))
    return made


def flattened(config: Config) -> str:
    """Write the latest state as one row an item, with a column for each of `view`, and for its last change.

    Numbers are doubles, as BI tools add and plot them, and times are of milliseconds, which Athena's views and tables
    have; the image, a column too, has every digit.
    """
    columns = [f"{_value('image', each.steps, each.kind)} as {identifier(each.name)}" for each in config.view_columns]
    state = named_query("latest_state", database=config.database, table=config.log_name, layout=config.layout)
    listed = ",\n    ".join([*columns, "cast(ts as timestamp(3)) as changed_at", "image"])
    return f"select\n    {listed}\nfrom (\n{state}\n) as state"


def _value(column: str, steps: tuple[str, ...], kind: str) -> str:
    escaped = [step.replace("\\", "\\\\").replace('"', '\\"') for step in steps]
    path = "$" + '["M"]'.join(f'["{step}"]' for step in escaped) + f'["{kind}"]'
    text = f"json_extract_scalar({column}, {literal(path)})"
    types = {"N": "double", "BOOL": "boolean"}
    return f"try_cast({text} as {types[kind]})" if kind in types else text
