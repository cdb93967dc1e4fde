"""Settings: a keyword wins over WORKBENCH_* in the environment, that over workbench.toml, that over the default."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

import pandas as pd
from pydantic import AfterValidator, ByteSize, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from workbench.errors import ConfigError, did_you_mean
from workbench.instants import duration


def _length(text: str) -> str:
    duration(text)
    return text


Length = Annotated[str, AfterValidator(_length)]


class Settings(BaseSettings):
    """Where the change log is and how it is read; frozen. Make one with `load_settings`."""

    model_config = SettingsConfigDict(
        env_prefix="WORKBENCH_",
        toml_file="workbench.toml",
        frozen=True,
        extra="forbid",
        validate_default=True,
        use_attribute_docstrings=True,
    )

    engine: Literal["duckdb", "athena"] = "duckdb"
    """Where questions are answered: by the embedded engine, or on AWS."""
    home: Path = Path(".workbench")
    """Folder of the embedded lake and item store."""
    source: str | None = None
    """A folder, file or glob of change logs to read instead of the embedded lake."""
    keys: tuple[str, ...] = ()
    """Names of the key attributes, for `flat` logs that do not carry them."""
    baseline: str | None = None
    """A folder with exports of tables to S3: states to begin with, for items older than the log."""
    checkpoints: str | None = None
    """Where checkpoints are kept: a folder, ``s3://…/`` on Athena, or ``off``; else `home`/checkpoints, there off."""
    mask: tuple[str, ...] = ()
    """Attributes whose values no answer shows, such as ``person.email``."""
    mask_with: Literal["hash", "redact"] = "hash"
    """Whether hidden values that are equal can be seen to be."""
    mask_salt: str = ""
    """Key of the hashes; without one, values that can be guessed can be found out."""
    numbers: Literal["auto", "decimal"] = "auto"
    """Whether numbers are integers and floats where they lose nothing by it, or always decimals."""
    late_arrival: Length = "24h"
    """How late changes arrive at most: Athena reads partitions so far past a window, checkpoints keep all of it."""
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
    query_timeout: Length = "30min"
    """How long an Athena query may take; then it is stopped."""
    result_reuse: Length = "0min"
    """Answer again from a result of Athena that is no older."""
    count_unreadable: bool = True
    """Whether Athena also counts the lines that are no change record, which scans a log a second time."""
    memory_limit: str | None = None
    """DuckDB's memory limit, such as ``2GB``; what does not fit is spilled to `home`/tmp."""
    threads: int | None = None
    """DuckDB's threads; without it, one a core."""

    @property
    def lake(self) -> Path:
        """The embedded lake: a bucket's `data/` and `errors/` on disk."""
        return self.home / "lake"

    @property
    def store(self) -> Path:
        """The embedded item store."""
        return self.home / "store.sqlite"

    @classmethod
    def settings_customise_sources(
        cls, settings_cls: type[BaseSettings], init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource, dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:  # fmt: skip
        """Say where settings come from, the first winning."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def explain(**given: Any) -> pd.DataFrame:
    """Tell each setting's value and where it is from.

    Returns
    -------
    pandas.DataFrame
        setting, value (as text), source (``keyword``, the name of a variable, ``workbench.toml`` or ``default``) and
        what it is for.
    """
    settings = load_settings(**given)
    path = Path(str(Settings.model_config.get("toml_file")))
    told = tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    environment = {name.upper(): name for name in os.environ}
    rows = []
    for name, field in Settings.model_fields.items():
        variable = environment.get(f"WORKBENCH_{name}".upper())
        source = variable or ("workbench.toml" if name in told else "default")
        value = "(hidden)" if name == "mask_salt" and settings.mask_salt else getattr(settings, name)
        purpose = " ".join((field.description or "").split())
        shown = "" if value is None else str(value)
        rows.append((name, shown, "keyword" if given.get(name) is not None else source, purpose))
    return pd.DataFrame(rows, columns=["setting", "value", "source", "purpose"])


def load_settings(**given: Any) -> Settings:
    """Read the settings now; a keyword that is None counts as not given.

    Raises
    ------
    ConfigError
        Naming the setting, the value and what would do.
    """
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            hint = did_you_mean(name, Settings.model_fields)
            raise ConfigError(f"there is no setting {name!r}.{hint}") from error
        raise ConfigError(f"setting {name!r} is {first['input']!r}: {first['msg']} (a keyword, WORKBENCH_"
                          f"{name.upper()} or workbench.toml sets it)") from error  # fmt: skip
    except SettingsError as error:
        name = next((name for name in Settings.model_fields if f'"{name}"' in str(error)), "")
        raise ConfigError(f'WORKBENCH_{name.upper()} is not JSON, such as ["pk"]: {error.__cause__}') from error
    except (ValueError, OSError) as error:
        raise ConfigError(f"workbench.toml cannot be read: {error}") from error
