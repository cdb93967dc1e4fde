"""The engines a question can run on; each takes the same questions, and gives the same answers.

- `base`: what every engine does, and what is left to each
- `duckdb`: the embedded engine, over a lake folder or any folder of change logs
- `athena`: Amazon Athena over change logs in the Glue catalog
- `staging`, `exported`: how the embedded engine reads a log, and a table's exports
- `images`, `comparison`: columns of DynamoDB JSON images decoded, and compared pair by pair, of any engine's answer
- `snapshots`: logs as they are now, for connections and files of DuckDB's
- `scan`, `reading`: what a question on Athena will read, and the limit on it
- `unload`: Athena's results as those of the embedded engine
"""

from __future__ import annotations

from importlib import import_module

from workbench.config import ENGINES, Settings
from workbench.engines.base import TABLES as TABLES
from workbench.engines.base import Answer as Answer
from workbench.engines.base import Asked as Asked
from workbench.engines.base import Engine as Engine
from workbench.engines.base import Estimate as Estimate
from workbench.engines.base import Listed as Listed
from workbench.engines.base import Over as Over


def open_engine(settings: Settings) -> Engine:
    """Make the engine the settings name; what it needs is imported now."""
    module, _, name = ENGINES[settings.engine].partition(":")
    engine: Engine = getattr(import_module(module), name)(settings)
    return engine


def register(name: str, place: str) -> None:
    """Add an engine, which settings may then name.

    Parameters
    ----------
    place
        Its class, as ``module:Class``; it is imported when it is first asked for.
    """
    ENGINES[name] = place
