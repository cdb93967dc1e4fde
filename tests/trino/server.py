"""A real Trino server on this machine, over a Glue catalog and an S3 that moto plays.

Athena engine 3 is Trino. Its server comes from Maven Central, by the `mvn` at hand and whatever mirror that is set to:
`trino-main` with what it depends on, and the Hive plugin. The archive `trino-server` has the same jars, but Maven
Central's copies have not all versions of it, nor of `trino-hdfs`, without which the plugin reads no file:// and keeps
no metastore in files. It does read S3 and Glue, which is nearer to Athena anyway.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa

VERSION = "435"  # the last that runs on Java 17, as https://trino.io/docs/current/release/release-436.html says
_CACHE = Path(os.environ.get("TRINO_CACHE") or Path.home() / ".cache" / "workbench" / "trino")
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>workbench</groupId><artifactId>trino</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>io.trino</groupId><artifactId>trino-main</artifactId><version>{VERSION}</version></dependency>
  </dependencies>
</project>
"""
# It ends when its input does, so that no server outlives the tests, whatever kills them.
_START = f"""class Start {{
    public static void main(String[] none) throws Exception {{
        new io.trino.server.Server().start("{VERSION}");
        while (System.in.read() >= 0) {{ }}
        Runtime.getRuntime().halt(0);
    }}
}}
"""
_MVN = ("mvn", "--batch-mode", "--quiet", "--strict-checksums")
_FETCHED_IN, _READY_IN = 1200, 180  # seconds


class Unavailable(Exception):
    """Trino cannot be had on this machine: what is missing."""


class TrinoError(Exception):
    """Trino's own words about a query."""


def fetch() -> Path:
    """Return the folder of the server's jars, fetched once and checked against Maven Central's checksums.

    Raises
    ------
    Unavailable
        Where there is no JDK of version 17 or later, no Maven, or no Maven Central.
    """
    home = _CACHE / VERSION
    for tool in ("java", "mvn"):
        if not shutil.which(tool) and (tool == "java" or not home.is_dir()):
            raise Unavailable(f"there is no `{tool}`: install a JDK (17 or later) and Maven")
    modules = subprocess.run(["java", "--list-modules"], capture_output=True, text=True, check=False).stdout
    compiler = re.search(r"^jdk\.compiler@(\d+)", modules, re.MULTILINE)
    if not compiler or int(compiler[1]) < 17:
        raise Unavailable("`java` is no JDK of version 17 or later: it has no compiler, or an older one")
    if not home.is_dir():
        _CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=_CACHE) as folder:
            made = Path(folder, VERSION)
            made.mkdir()
            (made / "pom.xml").write_text(_POM)
            _mvn(made, "dependency:copy-dependencies", "-DincludeScope=runtime", "-DoutputDirectory=lib")
            _mvn(made, "dependency:copy", f"-Dartifact=io.trino:trino-hive:{VERSION}:zip", "-DoutputDirectory=.")
            shutil.unpack_archive(made / f"trino-hive-{VERSION}.zip", made / "plugin")
            (made / f"trino-hive-{VERSION}.zip").unlink()
            made.rename(home)
    return home


def _mvn(folder: Path, *goal: str) -> None:
    try:
        subprocess.run([*_MVN, *goal], cwd=folder, check=True, capture_output=True, text=True, timeout=_FETCHED_IN)
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"Maven Central did not deliver {goal[0]} in {_FETCHED_IN} s") from error
    except subprocess.CalledProcessError as error:
        told = [line for line in (error.stdout + error.stderr).splitlines() if "ERROR" in line]
        raise Unavailable(f"Maven cannot fetch Trino {VERSION}: {told[0] if told else error}") from error


class Trino:
    """A running server, asked by its REST API (https://trino.io/docs/435/develop/client-protocol.html)."""

    def __init__(self, address: str) -> None:
        self._address = address

    def query(self, sql: str) -> pa.Table:
        """Run a query and return its rows.

        Raises
        ------
        TrinoError
            Where Trino refuses it.
        """
        asked = urllib.request.Request(
            f"{self._address}/v1/statement",
            sql.encode(),
            {
                "X-Trino-User": "tests",
                "X-Trino-Catalog": "hive",
                "X-Trino-Time-Zone": "UTC",
                "X-Trino-Client-Capabilities": "PARAMETRIC_DATETIME",
            },
        )
        columns, rows = [], []
        while True:
            with urllib.request.urlopen(asked, timeout=300) as response:
                told = json.load(response)
            if "error" in told:
                raise TrinoError(told["error"]["message"])
            columns = told.get("columns", columns)
            rows += told.get("data", [])
            if "nextUri" not in told:
                break
            asked = urllib.request.Request(told["nextUri"])
        values = zip(*rows, strict=True) if rows else [()] * len(columns)
        return pa.table(
            [_column(column["type"], each) for column, each in zip(columns, values, strict=True)],
            names=[column["name"] for column in columns],
        )


def _column(kind: str, values: Sequence[Any]) -> pa.Array:
    """Return a column of the type Athena's UNLOAD writes for one of Trino's."""
    if kind.startswith("array"):
        rows = [None if each is None else _column(kind[6:-1], each).to_pylist() for each in values]
        return pa.array(rows, pa.list_(_column(kind[6:-1], []).type))
    if kind.startswith("decimal"):
        precision, scale = map(int, re.findall(r"\d+", kind))
        return pa.array([value and Decimal(value) for value in values], pa.decimal128(precision, scale))
    if kind == "varbinary":
        return pa.array([None if value is None else base64.b64decode(value) for value in values], pa.binary())
    if kind == "date":
        return pa.array([value and date.fromisoformat(value) for value in values], pa.date32())
    types = {"boolean": pa.bool_(), "integer": pa.int32(), "bigint": pa.int64(), "double": pa.float64()}
    if kind not in types and not kind.startswith("varchar"):
        raise TrinoError(f"UNLOAD to Parquet does not keep a {kind} as it is")
    return pa.array(
        [float(value) if kind == "double" and value is not None else value for value in values],
        types.get(kind, pa.string()),
    )


@contextmanager
def running(endpoint: str) -> Iterator[Trino]:
    """Run a server over the Glue catalog and the S3 at an endpoint, and stop it.

    Raises
    ------
    Unavailable
        See `fetch`.
    """
    home, port = fetch(), _free_port()
    with tempfile.TemporaryDirectory(prefix="trino-") as folder:
        (start := Path(folder, "Start.java")).write_text(_START)
        (catalogs := Path(folder, "catalog")).mkdir()
        (catalogs / "hive.properties").write_text(_CATALOG.format(endpoint=endpoint))
        (config := Path(folder, "config.properties")).write_text(
            _CONFIG.format(port=port, catalogs=catalogs, plugins=home / "plugin")
        )
        with open(log := Path(folder, "server.log"), "wb") as output:
            server = subprocess.Popen(
                [
                    "java",
                    "-Xmx2G",
                    "-XX:+UseG1GC",
                    "-XX:ReservedCodeCacheSize=256M",
                    "-XX:TieredStopAtLevel=1",
                    "-XX:-OmitStackTraceInFastThrow",
                    "-Djdk.attach.allowAttachSelf=true",
                    "-Dfile.encoding=UTF-8",
                    "-Duser.timezone=UTC",
                    f"-Dconfig={config}",
                    "-Dlog.enable-console=true",
                    "-cp",
                    f"{home}/lib/*",
                    str(start),
                ],
                cwd=folder,
                stdout=output,
                stderr=subprocess.STDOUT,
                stdin=subprocess.PIPE,
            )
        try:
            yield _await(server, Trino(f"http://127.0.0.1:{port}"), log)
        finally:
            server.stdin.close()  # type: ignore[union-attr]
            server.terminate()
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _await(server: subprocess.Popen[bytes], trino: Trino, log: Path) -> Trino:
    """Wait until the server answers: for some seconds it has started, and knows of no node to run a query on."""
    until = time.monotonic() + _READY_IN
    while time.monotonic() < until and server.poll() is None:
        with suppress(TrinoError, OSError):
            if trino.query("select count(*) as nodes from system.runtime.nodes").column("nodes")[0].as_py():
                return trino
        time.sleep(0.5)
    told = [line for line in log.read_text(errors="replace").splitlines() if "ERROR" in line or "Error:" in line]
    raise RuntimeError(f"Trino does not start: {told[:5] or log.read_text(errors='replace')[-500:]}")


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


_CONFIG = """coordinator=true
node-scheduler.include-coordinator=true
http-server.http.port={port}
discovery.uri=http://127.0.0.1:{port}
node.environment=tests
node.internal-address=127.0.0.1
catalog.config-dir={catalogs}
plugin.dir={plugins}
query.max-memory-per-node=1GB
"""
# Times in milliseconds, as Athena reads a Glue `timestamp`. Statistics are what moto does not tell.
_CATALOG = """connector.name=hive
hive.metastore=glue
hive.metastore.glue.region=eu-central-1
hive.metastore.glue.endpoint-url={endpoint}
hive.metastore.glue.aws-access-key=testing
hive.metastore.glue.aws-secret-key=testing
hive.metastore.glue.partitions-segments=1
hive.partition-projection-enabled=true
hive.recursive-directories=true
hive.table-statistics-enabled=false
hive.timestamp-precision=MILLISECONDS
hive.compression-codec=ZSTD
hive.non-managed-table-writes-enabled=true
hive.collect-column-statistics-on-write=false
fs.hadoop.enabled=false
fs.native-s3.enabled=true
s3.endpoint={endpoint}
s3.region=eu-central-1
s3.path-style-access=true
s3.aws-access-key=testing
s3.aws-secret-key=testing
"""
