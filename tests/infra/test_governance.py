"""Lake Formation, the replica, the flattened view, exports, undos, and the examples beside the package's own questions."""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import awswrangler as wr
import boto3
import pytest
from botocore.validate import ParamValidator

pytest.importorskip("moto.server", reason="pip install -e '.[dev]'")

from infra_cdk.config import Config
from infra_cdk.synth import synthesise
from infra_cdk.variants import VARIANTS
from infra_cdk.views import extra_queries, flattened
from tests.helpers.aws.server import AwsServer
from tests.helpers.logs import chain, micros
from tests.infra.conftest import only, resources
from tests.infra.test_rules import listed, rights, written
from workbench.aws.session import Session
from workbench.aws.table_definitions import table_input

NOON = micros("2026-01-01T12:00:00")


def test_the_log_is_registered_and_readers_may_describe_and_select_and_nothing_else(variants):
    made = variants["governed"]
    location = only(made, "AWS::LakeFormation::Resource")
    assert written(location["ResourceArn"]).endswith("/data/")
    assert location["HybridAccessEnabled"] is True
    grants = [each["Properties"] for each in resources(made, "AWS::LakeFormation::PrincipalPermissions").values()]
    readers = {json.dumps(each["Principal"]["DataLakePrincipalIdentifier"]) for each in grants}
    assert {'"arn:aws:iam::123456789012:role/Analyst"', '"arn:aws:iam::123456789012:user/ada"'} < readers
    assert any("ReportsTaskRole" in each for each in readers)
    assert len(readers) == 3
    for grant in grants:
        assert grant["PermissionsWithGrantOption"] == []
        reports = "ReportsTaskRole" in json.dumps(grant["Principal"])  # they make the table of checkpoints
        on_database = ["CREATE_TABLE", "DESCRIBE"] if reports else ["DESCRIBE"]
        assert grant["Permissions"] == (on_database if "Database" in grant["Resource"] else ["DESCRIBE", "SELECT"])
    role = {right.action for right in rights(made) if "LakeFormation" in right.resource}
    assert not role


def test_lake_formation_decides_for_readers_which_an_administrator_says_one_after_the_other(variants):
    made = variants["governed"]
    opted = {name.partition("/")[2]: each for name, each in resources(made, "Custom::LakeFormationOptIn").items()}
    told = []
    for each in opted.values():
        create, delete = (json.loads(written(each["Properties"][when])) for when in ("Create", "Delete"))
        assert (create["service"], create["action"]) == ("LakeFormation", "createLakeFormationOptIn")
        assert delete == create | {
            "action": "deleteLakeFormationOptIn",
            "ignoreErrorCodesMatching": "EntityNotFoundException",
        } | {"physicalResourceId": delete["physicalResourceId"]}
        assert create["assumedRoleArn"] == VARIANTS["governed"]["lake_formation_admin"]
        shape = (
            boto3.client("lakeformation", region_name="eu-central-1")
            .meta.service_model.operation_model("CreateLakeFormationOptIn")
            .input_shape
        )
        assert not ParamValidator().validate(create["parameters"], shape).has_errors()
        told.append(
            (create["parameters"]["Principal"]["DataLakePrincipalIdentifier"], *create["parameters"]["Resource"])
        )
    grants = [each["Properties"] for each in resources(made, "AWS::LakeFormation::PrincipalPermissions").values()]
    readers = {written(each["Principal"]["DataLakePrincipalIdentifier"]) for each in grants}
    assert sorted(told) == sorted((reader, what) for reader in readers for what in ("Database", "Table"))
    before = [[name for name in each["DependsOn"] if name in opted] for each in opted.values()]
    assert sorted(map(len, before)) == [0, *[1] * (len(opted) - 1)]
    assumes = [right for right in rights(made) if right.action == "sts:AssumeRole"]
    assert {right.resource for right in assumes} == {VARIANTS["governed"]["lake_formation_admin"]}


def test_who_writes_the_catalog_and_who_reads_its_columns_have_grants_before_they_need_them(tmp_path):
    given = {name: VARIANTS["governed"][name] for name in ("lake_formation", "lake_formation_admin")}
    made = synthesise({"catalog": "both", "format": "parquet", **given}, tmp_path)
    grants = {
        name.partition("/")[2]: each
        for name, each in resources(made, "AWS::LakeFormation::PrincipalPermissions").items()
    }
    by: dict[str, dict[str, list[str]]] = {}
    for each in grants.values():
        ((what, _),) = each["Properties"]["Resource"].items()
        principal = written(each["Properties"]["Principal"]["DataLakePrincipalIdentifier"])
        by.setdefault(re.sub(r"\W|[0-9A-F]{8}|Arn", "", principal), {})[what] = each["Properties"]["Permissions"]
    assert by["CatalogCrawlerRole"] == {
        "DataLocation": ["DATA_LOCATION_ACCESS"],
        "Database": ["CREATE_TABLE", "DESCRIBE"],
        "Table": ["ALTER", "DESCRIBE"],
    }
    assert by["DeliveryRole"] == {"Table": ["DESCRIBE", "SELECT"]}
    ((_, stream),) = resources(made, "AWS::KinesisFirehose::DeliveryStream").items()
    assert {name for name in stream["DependsOn"] if name in grants} == {
        name for name, each in grants.items() if "DeliveryRole" in json.dumps(each)
    }
    (location,) = resources(made, "AWS::LakeFormation::Resource").values()
    assert any(name.startswith("CatalogTable") for name in location["DependsOn"])


def test_who_asks_what_lake_formation_governs_may_ask_it_for_the_data(variants):
    asks = [
        (right.kind, right.resource)
        for right in rights(variants["governed"])
        if right.action == "lakeformation:GetDataAccess"
    ]
    assert sorted(asks) == [("AWS::IAM::ManagedPolicy", "*"), ("AWS::IAM::Policy", "*")]
    assert not [right for right in rights(variants["reports"]) if right.action.startswith("lakeformation:")]


def test_the_log_is_replicated_to_a_bucket_whose_name_and_key_are_known_before(variants):
    made = variants["governed"]
    assert set(made.templates) == {"Workbench", "WorkbenchReplica"}
    there = only(made, "AWS::S3::Bucket", "WorkbenchReplica/Replica")
    (rule,) = only(made, "AWS::S3::Bucket", "StorageLake")["ReplicationConfiguration"]["Rules"]
    assert rule["Filter"] == {"Prefix": "data/"}  # checkpoints can be made again from it
    assert rule["DeleteMarkerReplication"] == {"Status": "Disabled"}
    assert rule["SourceSelectionCriteria"] == {"SseKmsEncryptedObjects": {"Status": "Enabled"}}
    assert written(rule["Destination"]["Bucket"]).endswith(":::" + written(there["BucketName"]))
    alias = only(made, "AWS::KMS::Alias", "WorkbenchReplica")["AliasName"]
    assert written(rule["Destination"]["EncryptionConfiguration"]["ReplicaKmsKeyID"]).endswith(f":{alias}")
    assert ":kms:eu-west-1:" in written(rule["Destination"]["EncryptionConfiguration"]["ReplicaKmsKeyID"])
    assert there["VersioningConfiguration"] == {"Status": "Enabled"}
    assert "Fn::ImportValue" not in json.dumps(made.templates)


def test_the_replica_is_deployed_first(variants):
    manifest = json.loads((variants["governed"].folder / "manifest.json").read_text())
    assert "WorkbenchReplica" in manifest["artifacts"]["Workbench"]["dependencies"]
    assert manifest["artifacts"]["WorkbenchReplica"]["environment"].endswith("/eu-west-1")


def test_who_exports_may_export_the_table_below_one_prefix(variants):
    made = variants["reports"]
    policy = only(made, "AWS::IAM::ManagedPolicy", "Exporter")["PolicyDocument"]["Statement"]
    actions = {
        action
        for each in policy
        for action in (each["Action"] if isinstance(each["Action"], list) else [each["Action"]])
    }
    assert {"dynamodb:ExportTableToPointInTime", "s3:PutObject", "s3:PutObjectAcl", "kms:GenerateDataKey"} <= actions
    (lists,) = [each for each in policy if each["Action"] == "dynamodb:ListExports"]
    assert lists["Resource"] == "*"  # it has none
    (store,) = [each for each in policy if each["Sid"] == "Store"]
    assert written(store["Resource"]).endswith("/exports/*")
    assert not resources(variants["single"], "AWS::IAM::ManagedPolicy").keys() & {"Exporter"}


def test_who_reads_exports_may_start_none_and_write_nothing(variants):
    policy = only(variants["reports"], "AWS::IAM::ManagedPolicy", "ExportReader")["PolicyDocument"]["Statement"]
    assert {action for each in policy for action in listed(each["Action"])} == {
        "dynamodb:DescribeExport",
        "dynamodb:DescribeTable",
        "dynamodb:ListExports",
        "kms:Decrypt",
        "s3:GetBucketLocation",
        "s3:GetObject",
        "s3:ListBucket",
    }
    (read,) = [each for each in policy if each["Sid"] == "Read"]
    assert written(read["Resource"]).endswith("/exports/*")


@pytest.mark.parametrize("variant", ["undo", "undo-existing", "cross-account-undo"])
def test_who_applies_undos_may_read_and_write_items_of_the_one_table_and_is_nobody_by_default(variants, variant):
    made = variants[variant]
    (policy,) = [each for name, each in resources(made, "AWS::IAM::ManagedPolicy").items() if "SourceUndo" in name]
    assert not policy["Properties"].keys() & {"Users", "Groups", "Roles"}
    statements = {each["Sid"]: each for each in policy["Properties"]["PolicyDocument"]["Statement"]}
    assert set(statements) == {"WriteItems", "ReadItems", "KeyOfTable"}
    assert statements["WriteItems"]["Action"] == ["dynamodb:DeleteItem", "dynamodb:PutItem", "dynamodb:UpdateItem"]
    assert statements["ReadItems"]["Action"] == [
        "dynamodb:BatchGetItem",
        "dynamodb:DescribeKinesisStreamingDestination",
        "dynamodb:DescribeTable",
        "dynamodb:DescribeTimeToLive",
        "dynamodb:GetItem",
    ]
    table, key = written(statements["WriteItems"]["Resource"]), written(statements["KeyOfTable"]["Resource"])
    assert written(statements["ReadItems"]["Resource"]) == table
    if variant == "undo-existing":
        assert (table, key) == (VARIANTS[variant]["table"], VARIANTS[variant]["table_key"])
    else:
        assert (table, key) == tuple(
            "${" + name.rpartition("/")[2] + ".Arn}"
            for kind in ("AWS::DynamoDB::Table", "AWS::KMS::Key")
            for name in resources(made, kind)
            if "Consumer" not in name
        )
    (via,) = statements["KeyOfTable"]["Condition"]["StringEquals"].values()
    assert written(via).startswith("dynamodb.")


def test_nobody_may_write_items_where_it_is_not_asked_for(variants):
    for name, made in variants.items():
        if "undo" not in VARIANTS[name]:
            assert not {right.action for right in rights(made)} & {
                "dynamodb:DeleteItem",
                "dynamodb:PutItem",
                "dynamodb:UpdateItem",
            }


def test_an_existing_table_without_a_key_of_its_own_needs_none(tmp_path):
    made = synthesise({"undo": "true", "table": "orders"}, tmp_path)
    policy = only(made, "AWS::IAM::ManagedPolicy", "SourceUndo")["PolicyDocument"]["Statement"]
    assert [each["Sid"] for each in policy] == ["WriteItems", "ReadItems"]


@pytest.fixture(scope="module")
def ask() -> Iterator[Any]:
    """Ask a query of a log of two datasets, on an Athena that answers."""
    person = lambda n, first: {  # noqa: E731
        "pk": {"S": f"p-{n}"},
        "person": {
            "M": {
                "firstname": {"S": first},
                "lastname": {"S": "L'ovelace"},
                "age": {"N": "41"},
                "alive": {"BOOL": True},
            }
        },
    }
    beat = lambda n, rate: {"sensor_id": {"S": f"s-{n}"}, "report_time": {"N": "1"}, "HeartRate": {"N": rate}}  # noqa: E731
    logs = {
        "persons": [
            chain({"pk": {"S": "p-1"}}, [(NOON, person(1, "Ada")), (NOON + 5, person(1, "Augusta"))]),
            chain({"pk": {"S": "p-2"}}, [(NOON, person(2, "Bob")), (NOON + 5, None)]),
        ],
        "heartrate": [
            chain({"sensor_id": {"S": f"s-{n}"}, "report_time": {"N": "1"}}, [(NOON + n, beat(n, rate))])
            for n, rate in enumerate(["119", "120", "120.5", "180"])
        ],
    }
    with pytest.MonkeyPatch.context() as patch, AwsServer() as server:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            patch.setenv(name, "testing")
        patch.setenv("AWS_CONFIG_FILE", "/dev/null")
        s3, glue = (
            boto3.client(name, endpoint_url=server.endpoint, region_name="eu-central-1") for name in ("s3", "glue")
        )
        for bucket in ("lake", "results"):
            s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
        glue.create_database(DatabaseInput={"Name": "workbench"})
        for name, changes in logs.items():
            log = "".join(json.dumps(each) + "\n" for several in changes for each in several)
            s3.put_object(
                Bucket="lake", Key=f"data/{name}/year=2026/month=01/day=01/hour=12/changes.json", Body=log.encode()
            )
            glue.create_table(
                DatabaseName="workbench",
                TableInput=table_input(name, f"s3://lake/data/{name}/", layout="raw", stored="json", first_year=2025),
            )
        session = Session("testing", "testing", region_name="eu-central-1")
        session.endpoint = server.endpoint
        yield lambda sql: wr.athena.read_sql_query(
            sql,
            database="workbench",
            ctas_approach=False,
            unload_approach=True,
            s3_output=f"s3://results/{uuid.uuid4()}/",
            boto3_session=session,
        )


def raw(**settings: Any) -> Config:
    return Config(transform="newline", **settings)


def test_the_persons_that_are_there_now_are_listed_by_their_names(ask):
    ((_, (asked, sql)),) = extra_queries(raw(generator="persons")).items()
    assert asked.endswith("?")
    found = ask(sql)
    assert found[["pk", "person_firstname", "person_lastname"]].to_numpy().tolist() == [["p-1", "Augusta", "L'ovelace"]]


def test_heart_rates_over_120_are_the_changes_that_left_one(ask):
    ((name, (_, sql)),) = extra_queries(raw(generator="heartrate")).items()
    assert name == "heart rates over 120"
    assert ask(f"select count(*) as n from ({sql})")["n"].tolist() == [0]  # they arrived long before the last 7 days
    sql = sql.replace("interval '7' day", "interval '9000' day")
    found = ask(f"select new_image from ({sql})")  # whoever stores the answer must cut its times to milliseconds
    assert sorted(Decimal(json.loads(image)["HeartRate"]["N"]) for image in found["new_image"]) == [
        Decimal("120.5"),
        180,
    ]


def test_the_view_has_a_column_an_attribute_and_one_row_an_item(ask):
    config = raw(table="persons", view="pk:S,person.age:N,person.alive:BOOL,person.none:BOOL")
    ((_, (_, sql)),) = extra_queries(config).items()
    first, _, select = sql.partition("\n")
    assert first == 'create or replace view "workbench"."persons_latest" as'
    assert select == flattened(config)
    found = ask(select)
    assert found[["pk", "person_age", "person_alive"]].to_numpy().tolist() == [["p-1", 41.0, True]]
    assert found["person_alive"].dtype == "boolean"
    assert found["person_none"].isna().all()
    assert set(found.columns) == {"pk", "person_age", "person_alive", "person_none", "changed_at", "image"}


def test_an_attribute_of_any_name_can_be_in_the_view():
    sql = flattened(Config(table="things", view='a."b.c":S, it\'s:N'))
    assert """json_extract_scalar(image, '$["a"]["M"]["b.c"]["S"]') as "a_b.c\"""" in sql
    assert """try_cast(json_extract_scalar(image, '$["it''s"]["N"]') as double) as "it's\"""" in sql
