"""The generator function, packaged and run as Lambda runs it, on a table of moto's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import boto3
import pytest

moto = pytest.importorskip("moto.server", reason="pip install -e '.[dev]'")

from infra_cdk import bundling  # noqa: E402
from infra_cdk.stacks.generator import FILES, REQUIREMENTS  # noqa: E402
from tests.infra.conftest import _RUNTIME, only  # noqa: E402
from workbench.sandbox.datasets import DATASETS  # noqa: E402

LAMBDAS_OWN = ("boto3", "botocore", "s3transfer", "jmespath", "dateutil", "urllib3", "six.py")


@pytest.fixture(scope="module")
def aws() -> Iterator[dict[str, str]]:
    """Credentials and endpoint of a server that stands in for AWS."""
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }
    server.stop()


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The function's package, with what Lambda's runtime has beside it."""
    folder = tmp_path_factory.mktemp("generator")
    try:
        bundling.write(folder, FILES, REQUIREMENTS)
    except subprocess.CalledProcessError:
        pytest.skip("uv cannot fetch what the function needs: no network, and nothing in its cache")
    packages = Path(str(find_spec("boto3").origin)).parents[1]  # type: ignore[union-attr]
    for name in LAMBDAS_OWN:
        (folder / name).symlink_to(packages / name)
    return folder


@pytest.mark.parametrize(
    ("variant", "dataset"),
    [("generator", "persons"), ("generator-heartrate", "heartrate"), ("generator-orders", "orders")],
)
def test_it_writes_as_many_items_as_it_is_told(variants, aws, package, variant, dataset):
    function = only(variants[variant], "AWS::Lambda::Function", "Generator")
    table = only(variants[variant], "AWS::DynamoDB::Table")
    client = boto3.client(
        "dynamodb",
        endpoint_url=aws["AWS_ENDPOINT_URL"],
        region_name="eu-central-1",
        aws_access_key_id="testing",
        aws_secret_access_key="testing",
    )
    client.create_table(
        TableName=dataset, **{name: table[name] for name in ("AttributeDefinitions", "KeySchema", "BillingMode")}
    )
    environment = function["Environment"]["Variables"] | {"TABLE": dataset}
    events: list[Any] = [{"batchSize": 5}, {"batchSize": 60}, {}]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _RUNTIME, str(package), function["Handler"]],
        text=True,
        input="".join(json.dumps(event) + "\n" for event in events),
        capture_output=True,
        env=environment | aws | {"PATH": os.environ["PATH"]},
        timeout=function["Timeout"],
    )
    assert done.returncode == 0, done.stderr
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert [answer["written"] for answer in answers] == [5, 60, 5]
    items = client.scan(TableName=dataset)["Items"]
    assert len(items) == sum(answer["inserted"] for answer in answers)
    assert all(set(DATASETS[dataset].key) <= set(item) for item in items)  # type: ignore[attr-defined]
    client.close()


def test_the_package_holds_no_more_than_it_needs(package):
    assert {str(path.relative_to(package)) for path in (package / "workbench").rglob("*.py")} == set(FILES)
    size = sum(
        path.stat().st_size
        for path in package.rglob("*")
        if path.is_file() and not any(name in path.parts for name in LAMBDAS_OWN)
    )
    assert size < 50_000_000  # uncompressed; Lambda takes 250 MB
