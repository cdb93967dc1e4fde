"""Settings: a keyword wins over WORKBENCH_* in the environment, that over workbench.toml, that over the default.

The file is the nearest ``workbench.toml`` upwards: from the working folder, and where there is none, from the folder
of the notebook that asks. ``WORKBENCH_CONFIG``, or ``workbench --config FILE``, names another. What is relative in a
file (`home`, `source`, `baseline`, `checkpoints`, `compacted`), and `home` where nobody sets it, is relative to the
file's folder, so that a lake, a log and a mask are the same wherever below it the program is started.
"""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, ByteSize, PrivateAttr, ValidationError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from workbench.errors import ConfigError, ParameterError, did_you_mean
from workbench.model.attribute_paths import column_path
from workbench.model.times import Moment, instant, units_of
from workbench.paths import is_s3, local_path

if TYPE_CHECKING:
    import pandas as pd

FILE = "workbench.toml"
CONFIG = "WORKBENCH_CONFIG"
_PLACES = ("home", "source", "baseline", "checkpoints", "compacted")


def _checked_length(text: str) -> str:
    units_of(text)
    return text


def _checked_mask(paths: tuple[str, ...]) -> tuple[str, ...]:
    for path in paths:
        column_path(path)  # one that is malformed is a mask that holds nowhere
    return paths


def _checked_path(path: str | None) -> str | None:
    if path is not None:
        column_path(path)
    return path


ENGINES = {
    "duckdb": "workbench.engines.duckdb:DuckDBEngine",
    "athena": "workbench.engines.athena:AthenaEngine",
}
"""The classes of engines, by the names that the setting `engine` takes; see `workbench.engines.register`."""


def _as_text(place: object) -> object:
    return str(place) if isinstance(place, Path) else place


def _expanded_place(text: str | None) -> str | None:
    return text if text is None or is_s3(text) or "~" not in text[:1] else str(local_path(text))


def _local_folder(path: Path) -> Path:
    return local_path(path, ParameterError, "the embedded lake is a folder of this machine")


def _engine(name: str) -> str:
    if name not in ENGINES:
        raise ValueError(f"it must be one of {', '.join(ENGINES)}.{did_you_mean(name, ENGINES)}")
    return name


def _instant(value: Moment | None) -> datetime | None:
    return None if value is None else instant(value)


Length = Annotated[str, AfterValidator(_checked_length)]
Place = Annotated[str | None, BeforeValidator(_as_text), AfterValidator(_expanded_place)]


class Settings(BaseSettings):
    """Where the change log is and how it is read; frozen. Make one with `load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix="WORKBENCH_",
        env_ignore_empty=True,
        frozen=True,
        extra="forbid",
        validate_default=True,
        use_attribute_docstrings=True,
    )

    engine: Annotated[str, AfterValidator(_engine)] = "duckdb"
    """Where questions are answered: by the embedded engine, or on AWS."""
    home: Annotated[Path, AfterValidator(_local_folder)] = Path(".workbench")
    """Folder of the embedded lake, of its item store, and of what was read of logs."""
    source: Place = None
    """A folder, file or glob of change logs to read instead of the embedded lake."""
    log_region: str | None = None
    """The Region whose table is meant, where a log holds tables of one name of several."""
    log_account: str | None = None
    """The account whose table is meant, where a log holds tables of one name of several."""
    keys: tuple[str, ...] = ()
    """Names of the key attributes, for `flat` logs that do not carry them."""
    baseline: Place = None
    """A folder with exports of tables to S3: states to begin with, for items older than the log."""
    known_at: Annotated[datetime | None, BeforeValidator(_instant)] = None
    """Answer from what had arrived until then, such as ``2026-11-01T06:00Z``, whenever it was made."""
    checkpoints: Place = None
    """Where checkpoints are kept: a folder, ``s3://…/`` on Athena, or ``off``; else `home`/checkpoints, there off."""
    compacted: Place = None
    """Where compacted days are kept on Athena, ``s3://…/``, or ``off``; without it, none are."""
    mask: Annotated[tuple[str, ...], AfterValidator(_checked_mask)] = ()
    """Attributes whose values no answer shows, such as ``person.email``."""
    mask_with: Literal["hash", "redact"] = "hash"
    """Whether hidden values that are equal can be seen to be."""
    mask_salt: str = ""
    """Key of the hashes; without one, values that can be guessed can be found out."""
    numbers: Literal["auto", "decimal"] = "auto"
    """Whether numbers are integers and floats where they lose nothing by it, or always decimals."""
    actor: Annotated[str | None, AfterValidator(_checked_path)] = None
    """An attribute in which writers say who they are, such as ``updated_by``: shown beside every change."""
    tracebacks: bool = False
    """Whether an error in a notebook shows its traceback, not its line alone; on the command line ``--debug`` does."""
    late_arrival: Length = "24h"
    """How late changes arrive at most: Athena reads partitions so far past a window, checkpoints keep all of it."""
    arrival_zone: str | None = None
    """Time zone of folders and names on Athena, such as America/New_York or -04:00; else the objects tell it."""
    profile: str | None = None
    """Profile of the AWS configuration; without one, boto3's usual search."""
    region: str | None = None
    """AWS Region, such as eu-central-1; without one, boto3's usual search."""
    role: str | None = None
    """ARN of a role to assume."""
    endpoint: str | None = None
    """URL that takes the place of every AWS endpoint, for emulators."""
    database: str | None = None
    """Glue database of the change logs."""
    workgroup: str = "primary"
    """Athena workgroup the queries run in."""
    output: str | None = None
    """Where Athena's results go for a moment, ``s3://…/``; without it, where the workgroup puts results."""
    table_names: dict[str, str] = {}
    """Glue tables by the names of the DynamoDB tables they log, where these are not the same."""
    max_scan_bytes: ByteSize | None = None
    """Athena queries that would scan more are refused before they start, such as ``10GB``."""
    price_per_tb: float = 5.0
    """Dollars a terabyte scanned costs, https://aws.amazon.com/athena/pricing/."""
    price_per_million_writes: float = 0.625
    """Dollars a million write units of a table on demand cost, https://aws.amazon.com/dynamodb/pricing/on-demand/."""
    query_timeout: Length = "30min"
    """How long an Athena query may take; then it is stopped."""
    result_reuse: Length = "0min"
    """Answer again from a result of Athena that is no older."""
    count_unreadable: bool = True
    """Whether Athena also counts the lines that are no change record, which scans a log a second time."""
    memory_limit: str | None = None
    """DuckDB's memory limit, such as ``2GB``; what does not fit is spilled to a folder in `home`."""
    threads: int | None = None
    """DuckDB's threads; without it, one a core."""
    store: bool = True
    """Whether what was read of a log is kept in `home`/store, ``on`` or ``off``: then each object is read once."""
    store_max_bytes: ByteSize = ByteSize(20_000_000_000)
    """How much is kept of all logs, such as ``50GB``: beyond, the logs that were not asked for the longest time go."""

    _file: Path | None = PrivateAttr(default=None)

    @property
    def file(self) -> Path | None:
        """The file of settings that was read; None where there was none."""
        return self._file

    @property
    def lake(self) -> Path:
        """The embedded lake: a bucket's `data/` and `errors/` on disk."""
        return self.home / "lake"

    @property
    def item_store(self) -> Path:
        """The embedded item store."""
        return self.home / "store.sqlite"

    @classmethod
    def of_file(cls, file: Path | None, values: Mapping[str, Any]) -> Settings:
        """Make settings of values, and remember the file that some of them are from."""
        settings = cls(**values)
        settings._file = file
        return settings

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Take what `load_settings` has put together."""
        return (init_settings,)


def find_file(*folders: Path) -> Path | None:
    """Return the file of settings: the one named, else the nearest upwards from here, or from one of the folders.

    Raises
    ------
    ConfigError
        Where the one that is named is not there.
    """
    if named := os.environ.get(CONFIG):
        path = local_path(named, ConfigError).absolute()
        if not path.is_file():
            raise ConfigError(f"there is no file of settings {path}, which {CONFIG} or --config names")
        return path
    starts = [Path.cwd(), *folders, *_notebook_folders()]
    paths = (folder / FILE for start in starts for folder in (start, *start.parents))
    return next((path for path in paths if path.is_file()), None)


def explain(**given: Any) -> pd.DataFrame:
    """Return each setting's value and where it is from.

    Returns
    -------
    pandas.DataFrame
        setting, value (as text), source (``keyword``, the name of a variable, the path of ``workbench.toml`` or
        ``default``) and what it is for.
    """
    import pandas as pd  # heavy, and settings are read without

    settings = load_settings(**given)
    in_file = _read_file(settings.file)
    environment = {name.upper(): name for name, value in os.environ.items() if value}
    rows = []
    for name, field in Settings.model_fields.items():
        variable = environment.get(f"WORKBENCH_{name}".upper())
        source = variable or (str(settings.file) if name in in_file else "default")
        value = "(hidden)" if name == "mask_salt" and settings.mask_salt else getattr(settings, name)
        purpose = " ".join((field.description or "").split())
        shown = "" if value is None else str(value)
        rows.append((name, shown, "keyword" if given.get(name) is not None else source, purpose))
    return pd.DataFrame(rows, columns=["setting", "value", "source", "purpose"])


def load_settings(**given: Any) -> Settings:
    """Read the settings now; a keyword that is None counts as not given, and so does an empty variable.

    Raises
    ------
    ConfigError
        Naming the setting, the value and what would do; or the variable ``WORKBENCH_…`` that sets nothing.
    """
    file = find_file()
    with _refusing_in_words(file):
        in_file = _read_file(file)
        environment = EnvSettingsSource(Settings)()
        _refuse_unknown_variables()
        keywords = {name: value for name, value in given.items() if value is not None}
        return Settings.of_file(file, {**in_file, **environment, **keywords})


def settings_of(file: Path) -> Settings:
    """Read the settings of a file, and of nothing else: of another log than the one that is asked here.

    Raises
    ------
    ConfigError
        As of `load_settings`.
    """
    with _refusing_in_words(file):
        return Settings.of_file(file, _read_file(file.absolute()))


@contextmanager
def _refusing_in_words(file: Path | None) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            hint = did_you_mean(name, Settings.model_fields)
            raise ConfigError(f"there is no setting {name!r}.{hint}") from error
        shown = "(hidden)" if name == "mask_salt" else repr(first["input"])
        raise ConfigError(
            f"setting {name!r} is {shown}: {first['msg'].removeprefix('Value error, ')} (a keyword, WORKBENCH_"
            f"{name.upper()} or {file or FILE} sets it)"
        ) from error
    except SettingsError as error:
        name = next((name for name in Settings.model_fields if f'"{name}"' in str(error)), "")
        raise ConfigError(f'WORKBENCH_{name.upper()} is not JSON, such as ["pk"]: {error.__cause__}') from error


def _read_file(file: Path | None) -> dict[str, Any]:
    """Read a file of settings, its paths made absolute."""
    if file is None:
        return {}
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError) as error:
        raise ConfigError(f"{file} cannot be read: {error}") from error
    for name in _PLACES:
        text = values.get(name, ".workbench" if name == "home" else None)
        if isinstance(text, str) and not is_s3(text) and (text != "off" or name not in ("checkpoints", "compacted")):
            values[name] = str(file.parent / local_path(text, ConfigError))
    return values


def _refuse_unknown_variables() -> None:
    names = {CONFIG, *(f"WORKBENCH_{name}".upper() for name in Settings.model_fields)}
    for name, value in os.environ.items():
        if name.upper().startswith("WORKBENCH_") and value and name.upper() not in names:
            raise ConfigError(f"there is no setting for the variable {name}: unset it.{did_you_mean(name, names)}")


def _notebook_folders() -> Iterator[Path]:
    """Yield the folder of the notebook this is run in, as VS Code and Jupyter tell it."""
    shell = sys.modules.get("IPython") and sys.modules["IPython"].get_ipython()
    variables = shell.user_ns if shell else {}
    for notebook in (variables.get("__vsc_ipynb_file__"), os.environ.get("JPY_SESSION_NAME") if shell else None):
        if notebook and (path := Path(str(notebook))).is_absolute():
            yield path.parent
