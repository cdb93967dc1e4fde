"""The verbs about reports: a notebook run as one, and the demonstration."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from workbench.cli.asking import open_workbench, pairs, print_table
from workbench.cli.options import as_json, parameters
from workbench.cli.program import REPORTS, main, say


@main.verb(REPORTS)
@click.argument("notebook")
@parameters
@click.option("--out", default="reports", show_default=True, metavar="FOLDER", help="Where the report goes.")
@click.option("--name", help="Name of the two files; else the notebook's.")
@click.option("--timeout", type=int, default=600, show_default=True, help="Seconds a cell may take.")
@click.option("--overwrite", is_flag=True, help="Replace an earlier report.")
@click.option("--describe", is_flag=True, help="List the notebook's parameters instead.")
@as_json
def report(notebook: str, parameters: tuple[str, ...], describe: bool, as_json: bool, **options: Any) -> None:
    """Run NOTEBOOK (a path, or a name in notebooks/) as a report: the executed notebook and one HTML file.

    \b
    Example: workbench report 03_change_frequency -p table=persons -p every=1d --out reports
    """
    import pandas as pd

    from workbench import reports

    path = _notebook(notebook)
    if describe:
        listed = [vars(parameter) | {"default": str(parameter.default)} for parameter in reports.describe(path)]
        print_table(pd.DataFrame(listed), as_json)
        return
    made = reports.run_report(path, pairs(parameters), settings=click.get_current_context().obj, **options)
    if as_json:
        say(json.dumps(vars(made), default=str))
    else:
        say(f"{made.html} ({made.seconds:.1f} s)")
    if made.failed_cell:
        number, heading, why = made.failed_cell
        raise click.ClickException(f"{path.name}: cell {number} ({heading}) failed: {why}; see {made.html}")


@main.verb(REPORTS)
@click.option("--out", default="reports", show_default=True, metavar="FOLDER", help="Where the reports go.")
@click.option("--changes", type=int, default=20_000, show_default=True, help="Changes of each table.")
def demo(out: str, changes: int) -> None:
    """Generate both tables, run the notebooks on them and say what was found.

    \b
    Example: workbench demo
    """
    from workbench.demo import run_demo
    from workbench.reports import shipped

    for line in run_demo(open_workbench(), shipped(), out, changes=changes):
        say(line)


def _notebook(name: str) -> Path:
    path = Path(name)
    if path.suffix == ".ipynb" or path.exists():
        return path
    from workbench.reports import shipped

    own = Path("notebooks") / f"{name}.ipynb"
    return own if own.exists() else shipped() / own.name
