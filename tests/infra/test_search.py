"""Search: what is deployed for it, and its functions run as Lambda runs them, on a domain that does as OpenSearch does."""

from __future__ import annotations

import base64
import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from infra_cdk.stacks.search import FILES
from infra_cdk.variants import VARIANTS
from tests.helpers.logs import chain, micros, record
from tests.infra.conftest import _RUNTIME, event, only, resources
from tests.infra.test_generator import LAMBDAS_OWN
from tests.infra.test_rules import rights, written

FIREHOSE = ["search-firehose", "private-search", "search-only-firehose"]
STREAMS = ["search-lambda", "search-existing", "private-search-lambda", "search-only-lambda", "search-only-existing"]
NOON = micros("2026-01-01T12:00:00")
KEY = {"pk": {"S": "p-1"}}


@dataclass
class Index:
    """An index of documents with versions, as https://docs.opensearch.org has `_bulk` with `external_gte`."""

    documents: dict[str, tuple[int, dict[str, Any]]] = field(default_factory=dict)
    requests: list[tuple[str, str, dict[str, str], str]] = field(default_factory=list)
    busy: int = 0  # so many requests are answered 429 before one is served
    busy_items: int = 0

    def bulk(self, body: str) -> dict[str, Any]:
        lines, items = [json.loads(line) for line in body.splitlines()], []
        for action, source in zip(lines[::2], lines[1::2], strict=True):
            told = action["index"]
            assert told["version_type"] == "external_gte"
            there = self.documents.get(told["_id"], (0, {}))[0]
            status = 201 if there <= told["version"] else 409
            if self.busy_items > 0:
                self.busy_items, status = self.busy_items - 1, 429
            elif source.get("keys") == '{"pk":{"S":"refused"}}':
                status = 400
            elif "" in (source.get("item") or {}):
                status = 400  # mapper_parsing_exception: field name cannot be an empty string
            if status == 201:
                self.documents[told["_id"]] = (told["version"], source)
            items.append(
                {
                    "index": {
                        "_id": told["_id"],
                        "status": status,
                        **({"error": {"type": "mapper_parsing_exception"}} if status == 400 else {}),
                    }
                }
            )
        return {"errors": any(item["index"]["status"] > 201 for item in items), "items": items}

    def state(self) -> dict[str, Any]:
        """What is found by the alias: items that are there, by their key."""
        found = [source for _, source in self.documents.values() if not source["deleted"]]
        return {json.loads(source["keys"])["pk"]["S"]: json.loads(source["image"]) for source in found}


@pytest.fixture
def domain() -> Iterator[tuple[Index, str]]:
    """A domain at an address."""
    index = Index()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            index.requests.append((self.command, self.path, dict(self.headers), body))
            status, said = 200, {}
            if index.busy > 0:
                index.busy, status = index.busy - 1, 429
            elif self.path.endswith("/_bulk"):
                said = index.bulk(body)
            elif (
                self.command == "PUT"
                and self.path.endswith("-state")
                and len([each for each in index.requests if each[1] == self.path]) > 1
            ):
                status, said = 400, {"error": {"type": "resource_already_exists_exception"}}
            content = json.dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_PUT = do_POST = answer

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield index, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


@dataclass(frozen=True)
class Functions:
    """The functions of a deployed variant, at a domain."""

    variants: Any
    folder: Path
    address: str

    def __call__(self, name: str, variant: str, *events: Any, fails: bool = False) -> list[Any]:
        made = self.variants[variant]
        function = only(made, "AWS::Lambda::Function", f"Search{name}")
        digest = function["Code"]["S3Key"].removesuffix(".zip")
        unpacked = self.folder / digest
        if not unpacked.exists():
            shutil.copytree(made.folder / f"asset.{digest}", unpacked)
            packages = Path(str(find_spec("boto3").origin)).parents[1]  # type: ignore[union-attr]
            for own in LAMBDAS_OWN:
                (unpacked / own).symlink_to(packages / own)
        environment = {
            name: value if isinstance(value, str) else "arn:aws:iam::123456789012:role/it"
            for name, value in function["Environment"]["Variables"].items()
        }
        done = subprocess.run(
            [sys.executable, "-I", "-S", "-c", _RUNTIME, str(unpacked), function["Handler"]],
            text=True,
            input="".join(json.dumps(each) + "\n" for each in events),
            capture_output=True,
            timeout=120,
            env=environment
            | {
                "ENDPOINT": self.address,
                "AWS_REGION": "eu-central-1",
                "PATH": os.environ["PATH"],
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",
            },
        )
        assert (done.returncode != 0) is fails, done.stderr
        return [done.stderr] if fails else [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def call(variants, domain, tmp_path) -> Functions:
    return Functions(variants, tmp_path, domain[1])


def streams(records: list[dict[str, Any]]) -> dict[str, Any]:
    """What Lambda sends of DynamoDB Streams, whose times are whole seconds, and binary is encoded once."""
    made = []
    for number, each in enumerate(records):
        change = {name: value for name, value in each["dynamodb"].items() if name in ("Keys", "NewImage", "SizeBytes")}
        made.append(
            {
                "eventID": each["eventID"],
                "eventName": each["eventName"],
                "eventVersion": "1.1",
                "awsRegion": "eu-central-1",
                "eventSource": "aws:dynamodb",
                "userIdentity": each.get("userIdentity"),
                "eventSourceARN": "arn:aws:dynamodb:eu-central-1:123456789012:table/things/stream/2026-01-01T00:00:00.000",
                "dynamodb": change
                | {
                    "SequenceNumber": str(10**20 + number),
                    "StreamViewType": "NEW_IMAGE",
                    "ApproximateCreationDateTime": each["dynamodb"]["ApproximateCreationDateTime"] // 10**6,
                },
            }
        )
    return {"Records": made}


def history() -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Changes of 20 items, some of which are removed, and what is left in the end."""
    chance, changes, left = random.Random(5), [], {}
    for number in range(20):
        key = {"pk": {"S": f"p-{number}"}}
        versions: list[Any] = [key | {"v": {"N": str(version)}} for version in range(chance.randint(1, 5))]
        if number % 3 == 0:
            versions.append(None)
        changes += chain(key, [(NOON + number + 1_000_000 * at, version) for at, version in enumerate(versions)])
        if versions[-1] is not None:
            left[key["pk"]["S"]] = versions[-1]
    return changes, left


def test_in_whatever_order_and_however_often_changes_come_the_index_holds_the_latest_state(call, domain):
    changes, left = history()
    shuffled = changes + changes[::3]
    random.Random(1).shuffle(shuffled)
    (answer,) = call("Function", "search-firehose", event(shuffled))
    assert {each["result"] for each in answer["records"]} == {"Ok"}
    assert domain[0].state() == left
    gone = [source for _, source in domain[0].documents.values() if source["deleted"]]
    assert len(gone) == 7
    assert all(source["item"] is None and source["event_name"] == "REMOVE" for source in gone)


def test_a_change_that_comes_again_long_after_does_not_bring_a_removed_item_back(call, domain):
    changes = chain(KEY, [(NOON, KEY), (NOON + 1, None)])
    call("Function", "search-firehose", event(changes), event(changes[:1]), event(changes[:1]))
    assert domain[0].state() == {}


def test_dynamodb_streams_give_the_same_state_in_their_order_also_within_a_second_and_when_sent_again(call, domain):
    changes, left = history()
    within = chain({"pk": {"S": "p-99"}}, [(NOON + at, {"pk": {"S": "p-99"}, "v": {"N": str(at)}}) for at in range(5)])
    sent = streams(changes + within)
    answers = call("Function", "search-lambda", sent, sent)
    assert answers == [{"batchItemFailures": []}] * 2
    assert domain[0].state() == left | {"p-99": {"pk": {"S": "p-99"}, "v": {"N": "4"}}}


def test_binary_of_dynamodb_streams_is_kept_as_it_is_even_where_it_looks_encoded_again(call, domain):
    once = base64.b64encode(base64.b64encode(b"!")).decode()  # bytes that are base64 text themselves
    call("Function", "search-lambda", streams([record("INSERT", KEY, NOON, new=KEY | {"b": {"B": once}})]))
    assert domain[0].state() == {"p-1": KEY | {"b": {"B": once}}}


def test_firehose_is_handed_one_document_a_change_for_its_own_index(call):
    image = KEY | {
        "n": {"N": "1.5"},
        "big": {"N": "9" * 38},
        "tags": {"SS": ["b", "a"]},
        "m": {"M": {"x": {"BOOL": True}}},
        "l": {"L": [{"N": "1"}, {"NULL": True}]},
        "ns": {"NS": ["2", "1"]},
    }
    (answer,) = call("Function", "search-firehose", event([record("INSERT", KEY, NOON, new=image)]))
    document = json.loads(base64.b64decode(answer["records"][0]["data"]))
    assert document["item"] == {
        "pk": "p-1",
        "n": 1.5,
        "big": 1e38,
        "tags": ["a", "b"],
        "m": {"x": True},
        "l": [1, None],
        "ns": [1, 2],
    }
    assert document["changed_at"] == "2026-01-01T12:00:00.000000Z"
    assert "image" not in document


def test_what_cannot_be_read_or_indexed_fails_alone_and_what_does_not_fit_the_mapping_is_kept_by_its_image(
    call, domain
):
    bad = record("INSERT", {"pk": {"S": "refused"}}, NOON, new={"pk": {"S": "refused"}})
    unnamed = record("INSERT", {"pk": {"S": "p-2"}}, NOON, new={"pk": {"S": "p-2"}, "": {"S": "no name"}})
    fine = record("INSERT", KEY, NOON, new=KEY)
    (answer,) = call("Function", "search-firehose", event(["not json", bad, unnamed, json.dumps(fine) * 2, fine]))
    assert [each["result"] for each in answer["records"]] == [
        "ProcessingFailed",
        "ProcessingFailed",
        "Ok",
        "ProcessingFailed",
        "Ok",
    ]
    assert domain[0].state() == {"p-2": {"pk": {"S": "p-2"}, "": {"S": "no name"}}, "p-1": KEY}
    (odd,) = [source for _, source in domain[0].documents.values() if "unsearchable" in source]
    assert odd["item"] is None


def test_records_of_dynamodb_streams_that_fail_are_reported_one_by_one(call, domain):
    bad = record("INSERT", {"pk": {"S": "refused"}}, NOON, new={"pk": {"S": "refused"}})
    sent = streams([record("INSERT", KEY, NOON, new=KEY), bad, bad])
    sent["Records"][2]["dynamodb"]["NewImage"] = {"pk": "no attribute value"}
    (answer,) = call("Function", "search-lambda", sent)
    assert sorted(each["itemIdentifier"] for each in answer["batchItemFailures"]) == [str(10**20 + 1), str(10**20 + 2)]
    assert domain[0].state() == {"p-1": KEY}


@pytest.mark.parametrize("busy", [{"busy": 1}, {"busy_items": 1}])
def test_a_busy_domain_is_asked_again(call, domain, busy):
    for name, value in busy.items():
        setattr(domain[0], name, value)
    (answer,) = call("Function", "search-lambda", streams([record("INSERT", KEY, NOON, new=KEY)] * 2))
    assert answer == {"batchItemFailures": []}
    assert domain[0].state() == {"p-1": KEY}
    assert len(domain[0].requests) == 2


def test_a_domain_that_stays_busy_fails_the_whole_batch_so_that_nothing_of_it_is_lost(call, domain):
    domain[0].busy = 100
    (said,) = call("Function", "search-lambda", streams([record("INSERT", KEY, NOON, new=KEY)]), fails=True)
    assert "Busy" in said


def test_requests_are_signed_go_to_the_index_of_states_alone_and_stay_below_what_a_domain_takes(call, domain):
    image = {"text": {"S": "x" * 380_000}}
    sent = [record("INSERT", {"pk": {"S": str(n)}}, NOON, new={"pk": {"S": str(n)}} | image) for n in range(12)]
    call("Function", "search-lambda", streams(sent))
    assert len(domain[0].state()) == 12
    assert len(domain[0].requests) > 1
    for verb, path, headers, body in domain[0].requests:
        assert (verb, path) == ("POST", "/items-state/_bulk")
        assert headers["Authorization"].startswith("AWS4-HMAC-SHA256 Credential=testing/")
        assert "/eu-central-1/es/aws4_request" in headers["Authorization"]
        assert len(body) < 10_000_000


def test_a_full_buffer_of_firehose_is_answered_with_less_than_six_mb(call):
    largest = record("INSERT", KEY, NOON, new=KEY | {"quotes": {"S": '"' * 520_000}})
    (answer,) = call("Function", "search-firehose", event([largest] * 2))
    assert {each["result"] for each in answer["records"]} == {"Ok"}
    assert len(json.dumps(answer)) < 6 * 1024 * 1024


def test_the_domain_is_prepared_and_can_be_again(call, domain):
    answers = call("Setup", "search-firehose", {}, {"readers": ["arn:aws:iam::123456789012:role/Analyst"]})
    assert answers == [{"index": "items", "state": "items-state", "changes": "items-changes*"}] * 2
    asked = [(verb, path) for verb, path, _, _ in domain[0].requests]
    sent = {path: json.loads(body) for _, path, _, body in domain[0].requests}
    api = "/_plugins/_security/api"
    assert {verb for verb, _ in asked} == {"PUT"}
    assert sent[f"{api}/roles/items_states"]["index_permissions"] == [
        {"index_patterns": ["items-state"], "allowed_actions": ["crud"]}
    ]
    assert sent[f"{api}/rolesmapping/items_changes"] == {"backend_roles": ["arn:aws:iam::123456789012:role/it"]}
    assert sent[f"{api}/rolesmapping/items_readers"] == {"backend_roles": ["arn:aws:iam::123456789012:role/Analyst"]}
    assert sent["/items-state"] == {"aliases": {"items": {"filter": {"term": {"deleted": False}}}}}
    assert sent["/_index_template/items"]["index_patterns"] == ["items-state", "items-changes*"]


def test_the_function_that_prepares_may_send_what_it_sends_and_nothing_else(call, domain, variants):
    call("Setup", "search-firehose", {"readers": []})
    may = {
        right.resource.partition(".Arn}")[2]
        for right in rights(variants["search-firehose"])
        if right.action == "es:ESHttpPut" and not right.resource.endswith(("_bulk", "changes*"))
    }
    assert {path for _, path, _, _ in domain[0].requests} == may


@pytest.mark.parametrize("variant", FIREHOSE + STREAMS)
def test_the_domain_is_encrypted_everywhere_and_lets_in_who_is_named(variants, variant):
    given = only(variants[variant], "AWS::OpenSearchService::Domain")
    assert given["EncryptionAtRestOptions"]["Enabled"] is True
    assert given["NodeToNodeEncryptionOptions"] == {"Enabled": True}
    assert given["DomainEndpointOptions"] == {
        "EnforceHTTPS": True,
        "TLSSecurityPolicy": "Policy-Min-TLS-1-2-PFS-2023-10",
    }
    assert given["AdvancedSecurityOptions"]["Enabled"] is True
    assert "SetupRole" in json.dumps(given["AdvancedSecurityOptions"]["MasterUserOptions"])
    assert ("VPCOptions" in given) is (VARIANTS[variant].get("network") == "private")
    assert set(given["LogPublishingOptions"]) == {"ES_APPLICATION_LOGS", "SEARCH_SLOW_LOGS", "INDEX_SLOW_LOGS"}


def test_two_nodes_are_in_two_zones(variants):
    given = only(variants["private-search"], "AWS::OpenSearchService::Domain")
    assert given["ClusterConfig"]["InstanceCount"] == 2
    assert given["ClusterConfig"]["ZoneAwarenessConfig"] == {"AvailabilityZoneCount": 2}
    assert len(given["VPCOptions"]["SubnetIds"]) == 2


@pytest.mark.parametrize(
    ("variant", "rotation", "backup"),
    [("search-firehose", "OneMonth", "AllDocuments"), ("private-search", "NoRotation", "FailedDocumentsOnly")],
)
def test_firehose_indexes_changes_in_an_index_of_a_period_and_keeps_documents_in_s3(
    variants, variant, rotation, backup
):
    stream = only(variants[variant], "AWS::KinesisFirehose::DeliveryStream", "SearchDelivery")
    to = stream["AmazonopensearchserviceDestinationConfiguration"]
    assert (to["IndexName"], to["IndexRotationPeriod"], to["S3BackupMode"]) == ("items-changes", rotation, backup)
    assert to["DocumentIdOptions"] == {"DefaultDocumentIdFormat": "FIREHOSE_DEFAULT"}
    assert to["S3Configuration"]["Prefix"] == "search/items/"
    assert to["S3Configuration"]["EncryptionConfiguration"]["KMSEncryptionConfig"]["AWSKMSKeyARN"]
    assert ("VpcConfiguration" in to) is variant.startswith("private")
    source = only(variants[variant], "AWS::KinesisFirehose::DeliveryStream", "/DeliveryStream")
    assert (
        stream["KinesisStreamSourceConfiguration"]["KinesisStreamARN"]
        == source["KinesisStreamSourceConfiguration"]["KinesisStreamARN"]
    )


@pytest.mark.parametrize("variant", STREAMS)
def test_batches_of_dynamodb_streams_are_sent_again_by_halves_and_given_up_into_a_queue(variants, variant):
    given = only(variants[variant], "AWS::Lambda::EventSourceMapping")
    assert given["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert given["BisectBatchOnFunctionError"] is True
    assert given["MaximumRetryAttempts"] == 20
    assert "DeadLetters" in json.dumps(given["DestinationConfig"]["OnFailure"])
    if "existing" in variant:
        assert given["EventSourceArn"].endswith(":table/orders/stream/2026-01-01T00:00:00.000")
    else:
        table = only(variants[variant], "AWS::DynamoDB::Table")
        assert table["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}
    queue = only(variants[variant], "AWS::SQS::Queue", "SearchDeadLetters")
    assert queue["SqsManagedSseEnabled"] is True


@pytest.mark.parametrize("variant", FIREHOSE + STREAMS)
def test_the_function_may_write_the_index_of_states_and_nothing_else_of_the_domain(variants, variant):
    role = only(variants[variant], "AWS::Lambda::Function", "SearchFunction")["Role"]["Fn::GetAtt"][0]
    (policy,) = [
        each["Properties"]["PolicyDocument"]
        for each in resources(variants[variant], "AWS::IAM::Policy").values()
        if {"Ref": role} in each["Properties"]["Roles"]
    ]
    (may,) = [each for each in policy["Statement"] if each.get("Sid") == "Domain"]
    log = {"search-existing": "orders", "search-only-existing": "orders", "search-only-firehose": "persons"}.get(
        variant, "items"
    )
    assert may["Action"] == "es:ESHttpPost"
    assert written(may["Resource"]).endswith(f".Arn}}/{log}-state/_bulk")


def test_the_functions_are_packaged_with_one_module_of_the_workbench(variants):
    made = variants["search-lambda"]
    digest = only(made, "AWS::Lambda::Function", "SearchFunction")["Code"]["S3Key"].removesuffix(".zip")
    asset = made.folder / f"asset.{digest}"
    assert {str(path.relative_to(asset)) for path in asset.rglob("*") if path.is_file()} == set(FILES)


def test_bulks_are_counted_in_bytes_as_they_are_sent():
    from infra_cdk.lambdas.search.documents import Document
    from infra_cdk.lambdas.search.domain import LARGEST_BULK, _bulks

    documents = {number: Document(str(number), 1, {"image": "😀" * 100_000}) for number in range(30)}
    bulks = list(_bulks(documents))
    assert [place for bulk in bulks for place in bulk] == list(range(30))
    assert all(sum(map(len, bulk.values())) <= LARGEST_BULK for bulk in bulks)
    assert len(bulks) == 4


@pytest.mark.parametrize("variant", [*FIREHOSE, *STREAMS])
def test_the_domain_is_made_minutes_after_the_policy_of_its_logs(variants, variant, monkeypatch):
    made = {name.partition("/")[2]: each for name, each in resources(variants[variant]).items()}
    of = {each["Type"]: name for name, each in made.items()}
    policy, waited = of["AWS::Logs::ResourcePolicy"], of["Custom::PolicyIsKnown"]
    assert waited in made[of["AWS::OpenSearchService::Domain"]]["DependsOn"]
    assert policy in made[waited]["DependsOn"]
    (name,) = [name for name in made if name.startswith("SearchWait") and made[name]["Type"] == "AWS::Lambda::Function"]
    assert f"${{{name}}}" in written(made[waited]["Properties"]["Create"])
    function, slept, inside = made[name]["Properties"], [], {}
    exec(function["Code"]["ZipFile"], inside)  # as Lambda runs it: index.handler
    monkeypatch.setattr("time.sleep", slept.append)
    inside["handler"]({}, None)
    assert slept[0] >= 120
    calls = made[made[waited]["Properties"]["ServiceToken"]["Fn::GetAtt"][0]]["Properties"]
    assert min(function["Timeout"], calls["Timeout"]) > slept[0]


def test_the_domain_may_write_batches_into_its_logs(variants):
    policy = written(only(variants["search-lambda"], "AWS::Logs::ResourcePolicy")["PolicyDocument"])
    (allowed,) = json.loads(policy)["Statement"]
    assert allowed["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents", "logs:PutLogEventsBatch"]


def test_the_stream_of_a_table_with_a_key_of_its_own_is_read_with_it(variants):
    on_key = {
        right.action
        for right in rights(variants["search-existing"])
        if right.resource == VARIANTS["search-existing"]["table_key"]
    }
    assert on_key == {"kms:Decrypt", "kms:DescribeKey"}
