"""What holds for every variant: no right too many, no finding without a reason, no name that collides."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra_cdk.app import build
from infra_cdk.nag import REASONS
from infra_cdk.synth import FLAGS, Synthesised, synthesise, unused
from infra_cdk.variants import VARIANTS
from tests.infra.conftest import resources

ALL = list(VARIANTS)

# Allowed actions and resources with a * and why; every other one fails the tests.
WILDCARDS = {
    r"AWS::KMS::Key .*": "the statement of the account's root, which lets IAM decide; and in a key's policy * is the "
    "key itself",
    r"AWS::S3::BucketPolicy s3:(PutBucketPolicy|GetBucket\*|List\*|DeleteObject\*) on .*": "the CDK's emptying of buckets that are to be deleted: keep=false only",
    r"AWS::(IAM::Policy|IAM::ManagedPolicy|EC2::VPCEndpoint) s3:\w+ on .*/(data|errors|checkpoints|compacted|results|reports|search|exports|iceberg|iceberg-errors)/"
    r"(\w+/)?\*": "objects, whose names are not known before, below one prefix",
    r"AWS::(IAM::Policy|EC2::VPCEndpoint) s3:\w+ on .*/reports/\*/(\*|run\.json)": "runs of reports, which have the "
    "time in their names; the index is none of them",
    r"AWS::S3::BucketPolicy s3:\w+ on .*/(data/\w+/|errors/\w+/|lake/|results/|reports/|replica/)\*": "the same, by another account's Firehose, or by S3's access logs",
    r"AWS::(IAM::Policy|IAM::ManagedPolicy|S3::BucketPolicy|EC2::VPCEndpoint) s3:\w+ on .*/(data|errors)/\*/\*": "the "
    "folders of several tables, so that one more changes no policy",
    r"AWS::(IAM::Policy|IAM::ManagedPolicy|EC2::VPCEndpoint) glue:\w+ on .*:table/\w+/\*_(checkpoints|compacted)": "the "
    "tables of what is made of the logs of several tables, so that one more changes no policy",
    r"AWS::EC2::VPCEndpoint s3:GetObject on .*:s3:::prod-.*-starport-layer-bucket/\*": "the layers of images are there",
    r"AWS::(IAM::Policy|EC2::VPCEndpoint) ecr:GetAuthorizationToken on \*": "has no resource",
    r"AWS::IAM::Policy ec2:((Create|Delete|Describe)NetworkInterfaces?|DescribeSubnets|(Una|A)ssignPrivateIpAddresses) on \*": "Lambda makes the interfaces of a function in a VPC by the function's role",
    r"AWS::IAM::Policy ec2:Describe\w+ on \*": "Firehose looks at the network it enters; what describes has no resource",
    r"AWS::IAM::Policy ec2:\w+ on .*:network-interface/\*": "interfaces are not known before Firehose makes them",
    r"AWS::IAM::ManagedPolicy (athena:List(DataCatalogs|WorkGroups)|dynamodb:ListExports) on \*": "have no resource",
    r"AWS::IAM::Policy glue:GetSecurityConfiguration on \*": "has no resource",
    r"AWS::IAM::Policy dynamodb:ListStreams on \*": "has no resource",
    r"AWS::IAM::(Managed)?Policy lakeformation:GetDataAccess on \*": "has no resource",
    r"AWS::IAM::Policy es:ESHttp\w+ on .*/(\w+-changes|_nodes/)\*(/stats)?": "indexes of a period, and nodes, which "
    "Firehose asks how they are",
    r"AWS::IAM::Role lambda:InvokeFunction on .*SearchSetup.*:\*": "the versions of the one function that prepares the "
    "domain, called when the stack changes",
    r"AWS::IAM::Policy kms:(Encrypt|GenerateDataKey) on .*:kms:eu-west-1:.*:key/\*": "the replica's key, by its alias",
    r"AWS::IAM::ManagedPolicy dynamodb:DescribeExport on .*/export/\*": "the exports of the one table",
    r"AWS::(IAM::Policy|IAM::ManagedPolicy|EC2::VPCEndpoint) glue:\w+ on .*:table/\w+/(workbench_baseline_)?\*": "the tables of this one database",
    r"AWS::IAM::Policy logs:\w+ on .*:log-group:/aws-glue/crawlers\*": "Glue names a crawler's log group",
    r"AWS::IAM::Policy logs:\w+ on .*:log-group:/aws-glue/iceberg-[a-z-]+/logs:\*": "Glue names the streams of its "
    "optimizers' logs",
    r"AWS::IAM::Policy kms:(Decrypt|GenerateDataKey) on .*:210987654321:key/\*": "the other account's key, by its alias",
}

# Names that are not generated, which another stack, or the service, needs; all are made from the stack's name.
NAMED = {
    ("AWS::KMS::Alias", "AliasName"),
    ("AWS::Glue::Database", "DatabaseInput.Name"),
    ("AWS::Athena::WorkGroup", "Name"),
    ("AWS::Glue::SecurityConfiguration", "Name"),
    ("AWS::IAM::Role", "RoleName"),
    ("AWS::S3::Bucket", "BucketName"),
    ("AWS::Logs::ResourcePolicy", "PolicyName"),
}
INSIDE = {  # names within something that has one of these
    ("AWS::Athena::NamedQuery", "Name"),
    ("AWS::Glue::Table", "TableInput.Name"),
    ("AWS::Logs::LogStream", "LogStreamName"),
    ("AWS::IAM::Policy", "PolicyName"),
    ("AWS::Glue::Table", "DatabaseName"),
    ("AWS::Glue::Table", "Name"),
    ("AWS::Glue::TableOptimizer", "DatabaseName"),
    ("AWS::Glue::TableOptimizer", "TableName"),
    ("AWS::Glue::Crawler", "DatabaseName"),
    ("AWS::Logs::LogStream", "LogGroupName"),
    ("AWS::SNS::Topic", "DisplayName"),
    ("AWS::CloudWatch::Alarm", "MetricName"),
    ("AWS::Logs::MetricFilter", "LogGroupName"),
    ("AWS::EC2::FlowLog", "LogGroupName"),
    ("AWS::EC2::VPCEndpoint", "ServiceName"),
    ("AWS::Lambda::Version", "FunctionName"),
    ("AWS::Lambda::EventSourceMapping", "FunctionName"),
    ("AWS::Events::Rule", "EventBusName"),
}


@dataclass(frozen=True)
class Right:
    kind: str
    action: str
    resource: str

    def __str__(self) -> str:
        return f"{self.kind} {self.action} on {self.resource}"


def rights(made: Synthesised) -> Iterator[Right]:
    """Every action that is allowed, with each resource it is allowed on."""
    for resource in resources(made).values():
        for statement in statements(resource.get("Properties", {})):
            if statement["Effect"] == "Allow" and "Action" in statement and "Resource" in statement:
                for action in listed(statement["Action"]):
                    for target in listed(statement["Resource"]):
                        yield Right(resource["Type"], action, written(target))


def statements(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "Effect" in value:
            yield value
        for each in value.values():
            yield from statements(each)
    elif isinstance(value, list):
        for each in value:
            yield from statements(each)


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def written(value: Any) -> str:
    """An ARN as text, with intrinsic functions as what they name."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return separator.join(map(written, parts))
    ((_, named),) = value.items()
    return "${" + (".".join(named) if isinstance(named, list) else str(named)) + "}"


@pytest.mark.parametrize("variant", ALL)
def test_no_policy_allows_more_than_named_actions_on_named_resources(variants, variant):
    found = list(rights(variants[variant]))
    assert len(found) > 20
    assert [
        str(right)
        for right in found
        if "*" in right.action + right.resource and not any(re.fullmatch(allowed, str(right)) for allowed in WILDCARDS)
    ] == []


def test_every_wildcard_that_is_allowed_is_needed_by_some_variant(variants):
    found = {str(right) for made in variants.values() for right in rights(made) if "*" in right.action + right.resource}
    assert [allowed for allowed in WILDCARDS if not any(re.fullmatch(allowed, right) for right in found)] == []


@pytest.mark.parametrize("variant", ALL)
def test_all_actions_but_the_accounts_own_are_whole_words(variants, variant):
    wide = {right.action for right in rights(variants[variant]) if "*" in right.action}
    assert wide <= (
        {"kms:*", "s3:GetBucket*", "s3:List*", "s3:DeleteObject*"} if variant == "disposable" else {"kms:*"}
    )


@pytest.mark.parametrize("variant", ALL)
def test_every_finding_of_cdk_nag_has_a_reason(variants, variant):
    assert variants[variant].findings == []


def test_every_reason_is_needed_by_some_variant(variants):
    assert unused(variants.values()) == []


@pytest.mark.parametrize("reason", REASONS, ids=lambda reason: f"{reason.rule} {reason.path}")
def test_without_a_reason_synthesis_fails(variants, reason, tmp_path):
    variant = next(name for name, made in variants.items() if made.used[reason])
    context = {**FLAGS, "aws:cdk:bundling-stacks": [], **VARIANTS[variant]}
    app, rules = build(context, str(tmp_path), reasons=[each for each in REASONS if each is not reason])
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    assert rules.findings


def test_cfn_lint_finds_no_error(variants):
    templates = [str(path) for made in variants.values() for path in made.folder.glob("*.template.json")]
    # W3005: the CDK writes down what a function depends on, even where it can be told
    done = subprocess.run(
        [
            Path(sys.executable).with_name("cfn-lint"),
            "--regions",
            "eu-central-1",
            "--ignore-checks",
            "W3005",
            "--format",
            "json",
            "--template",
            *templates,
        ],
        capture_output=True,
        text=True,
    )
    assert [(each["Filename"], each["Message"]) for each in json.loads(done.stdout or "[]")] == [], done.stderr


@pytest.mark.parametrize("variant", ALL)
def test_cloudformations_own_rules_find_nothing(variants, variant):
    report = json.loads((variants[variant].folder / "validation-report.json").read_text())
    assert report["pluginReports"] == []


@pytest.mark.parametrize("variant", ["crawler", "cross-account-reports", "private-search", "governed"])
def test_two_copies_live_side_by_side_in_one_account(variants, variant, tmp_path):
    second = synthesise({**VARIANTS[variant], "name": "Second"}, tmp_path)
    names = [set(named(made)) for made in (variants[variant], second)]
    assert names[0]
    assert not names[0] & names[1]
    assert not set(variants[variant].templates) & set(second.templates)


@pytest.mark.parametrize("variant", ALL)
def test_what_another_stack_does_not_need_has_a_generated_name(variants, variant):
    kinds = {(kind, prop) for kind, prop, _ in named(variants[variant])}
    allowed = (
        NAMED
        if variant.startswith(("cross-account", "governed"))
        else NAMED - {("AWS::IAM::Role", "RoleName"), ("AWS::S3::Bucket", "BucketName")}
    )
    assert kinds <= allowed


def named(made: Synthesised) -> Iterator[tuple[str, str, str]]:
    """The names given to resources: type, property, name."""
    for resource in resources(made).values():
        if resource["Type"].startswith("Custom::"):
            continue
        for path, value in flattened(resource.get("Properties", {})):
            if re.fullmatch(r"(\w+Input\.)?(\w*Name)", path) and (resource["Type"], path) not in INSIDE:
                yield resource["Type"], path, json.dumps(value)


def flattened(value: dict[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, each in value.items():
        yield above + name, each
        if isinstance(each, dict):
            yield from flattened(each, f"{above}{name}.")


# How long they may be: the page of each in https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/.
LIMITS = {
    ("AWS::KMS::Alias", "AliasName"): 256,
    ("AWS::Glue::Database", "DatabaseInput.Name"): 255,
    ("AWS::Athena::WorkGroup", "Name"): 128,
    ("AWS::Athena::WorkGroup", "Description"): 1024,
    ("AWS::Athena::NamedQuery", "Name"): 128,
    ("AWS::Athena::NamedQuery", "Description"): 1024,
    ("AWS::Athena::NamedQuery", "QueryString"): 262_144,
    ("AWS::Glue::SecurityConfiguration", "Name"): 255,
    ("AWS::Glue::Table", "TableInput.Name"): 255 - len("_checkpoints"),
    ("AWS::IAM::Role", "RoleName"): 64,
    ("AWS::IAM::Role", "Description"): 1000,
    ("AWS::IAM::ManagedPolicy", "Description"): 1000,
    ("AWS::Lambda::Function", "Description"): 256,
    ("AWS::S3::Bucket", "BucketName"): 63,
    ("AWS::Scheduler::Schedule", "Description"): 512,
    ("AWS::SNS::Topic", "DisplayName"): 100,
}
FARTHEST = "ap-southeast-1"  # no Region's name is longer, but us-isof-south-1


@pytest.mark.parametrize(
    "context",
    [
        {"variant": "cross-account", "catalog": "both", "name": "N" * 30},
        {"replica_region": FARTHEST, "search": "firehose", "reports": "true", "name": "N" * 27},
    ],
    ids=["cross-account", "replica"],
)
def test_what_is_called_after_the_longest_names_is_not_too_long(context, tmp_path):
    accounts = {"producer_account": "123456789012", "consumer_account": "210987654321", "region": FARTHEST}
    given = accounts if "variant" in context else {}
    longest = 72 if context.get("search") == "firehose" else 101
    made, seen = synthesise({"log": "l" * longest} | given | context, tmp_path), set()
    for name, resource in resources(made).items():
        for path, value in flattened(resource.get("Properties", {})):
            if (kind := (resource["Type"], path)) in LIMITS:
                text = written(value).replace("${AWS::AccountId}", "1" * 12).replace("${AWS::Region}", FARTHEST)
                assert len(text) <= LIMITS[kind], f"{name} {path}: {text}"
                seen.add(kind)
    assert {kind for kind in NAMED if kind in LIMITS} - seen <= {
        ("AWS::IAM::Role", "RoleName"),
        ("AWS::Glue::SecurityConfiguration", "Name"),
    }


def test_accounts_and_regions_are_the_callers_unless_given(variants):
    for name in ("single", "parquet", "existing-table"):
        assert not re.search(r":\d{12}:", json.dumps(variants[name].templates))


def test_the_same_sources_make_the_same_templates(variants, tmp_path):
    assert synthesise({}, tmp_path).templates == variants["single"].templates
