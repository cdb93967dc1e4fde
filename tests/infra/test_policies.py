"""Every statement of every variant and of docs/policies, against AWS's own reference of actions and their resources.

The reference is policy-sentry's copy of https://docs.aws.amazon.com/service-authorization/latest/reference/.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("policy_sentry", reason="pip install -e '.[infra]'")
from policy_sentry.querying.actions import get_action_data

from tests.infra.conftest import resources
from tests.infra.test_rules import ALL, listed, statements, written

DOCUMENTED = sorted(Path(__file__).parents[2].joinpath("docs", "policies").glob("*.json"))
# Actions that a service asks for, and the reference leaves out; and their kinds of resources.
UNLISTED = {
    # https://docs.aws.amazon.com/opensearch-service/latest/developerguide/createdomain-configure-slow-logs.html
    "logs:PutLogEventsBatch": ["arn:aws:logs:${Region}:${Account}:log-group:${LogGroupName}"],
}
# Actions with resources that are allowed on *, and why.
ON_ANY = {
    # Lambda makes and deletes the interfaces of a function by its role, whose policy AWS's own names none:
    # https://docs.aws.amazon.com/lambda/latest/dg/configuration-vpc.html#configuration-vpc-permissions
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:UnassignPrivateIpAddresses",
    # https://docs.aws.amazon.com/firehose/latest/dev/controlling-access.html#using-iam-es-vpc
    "ec2:DescribeVpcAttribute",
}
# What CloudFormation makes of a reference to a resource; - is the name of one.
ARNS = {
    "AWS::DynamoDB::Table Arn": "arn:aws:dynamodb:-:-:table/-",
    "AWS::DynamoDB::Table StreamArn": "arn:aws:dynamodb:-:-:table/-/stream/-",
    "AWS::EC2::SecurityGroup GroupId": "-",
    "AWS::EC2::Subnet Ref": "-",
    "AWS::ECS::Cluster Arn": "arn:aws:ecs:-:-:cluster/-",
    "AWS::ECS::TaskDefinition Ref": "arn:aws:ecs:-:-:task-definition/-:1",
    "AWS::Glue::Database Ref": "-",
    "AWS::Glue::Table Ref": "-",
    "AWS::IAM::Role Arn": "arn:aws:iam::-:role/-",
    "AWS::Kinesis::Stream Arn": "arn:aws:kinesis:-:-:stream/-",
    "AWS::Kinesis::Stream Ref": "-",
    "AWS::KMS::Key Arn": "arn:aws:kms:-:-:key/-",
    "AWS::Lambda::Function Arn": "arn:aws:lambda:-:-:function:-",
    "AWS::Logs::LogGroup Arn": "arn:aws:logs:-:-:log-group:-:*",
    "AWS::Logs::LogGroup Ref": "-",
    "AWS::OpenSearchService::Domain Arn": "arn:aws:es:-:-:domain/-",
    "AWS::S3::Bucket Arn": "arn:aws:s3:::-",
    "AWS::SNS::Topic Ref": "arn:aws:sns:-:-:-",
    "AWS::SQS::Queue Arn": "arn:aws:sqs:-:-:-",
}


@cache
def kinds(action: str) -> tuple[str, ...]:
    """The kinds of resources that an action is asked for, as ARNs; ("*",) where it has none; () if nobody knows it."""
    service, _, name = action.partition(":")
    found = get_action_data(service, name)
    named = [row["resource_arn_format"] for row in found[service]] if found else UNLISTED.get(action, [])
    # The reference stops at the domain: https://docs.aws.amazon.com/opensearch-service/latest/developerguide/ac.html
    return (*named, *(f"{kind}/${{Path}}" for kind in named if service == "es"))


def trouble(statement: Mapping[str, Any], made: Mapping[str, str], *, of_resource: bool = False) -> Iterator[str]:
    """What is wrong with a statement that allows: actions and resources that have nothing to do with each other.

    Every action is to be one there is, and to have one of its resources, or * if it has none; every resource is to be
    one of some action. In the policy of a resource (a key's, an endpoint's) * is what the policy is of.
    """
    actions = listed(statement["Action"])
    if any("*" in action for action in actions):  # the account's own, and the CDK's: tests/infra/test_rules.py
        return
    targets = [resolved(written(each), made) for each in listed(statement["Resource"])]
    for action in actions:
        if not (asked := kinds(action)):
            yield f"{action}: there is no such action"
        elif "*" in targets:
            if set(asked) != {"*"} and not of_resource and action not in ON_ANY:
                yield f"{action} on *: it has resources, {', '.join(asked)}"
        elif not any(fits(kind, target) for kind in asked for target in targets):
            yield f"{action} on {', '.join(targets)}: it is asked for {', '.join(asked)}"
    for target in targets:
        if target != "*" and not any(fits(kind, target) for action in actions for kind in kinds(action)):
            yield f"{target}: no action of {', '.join(actions)} is asked for it"


def fits(kind: str, target: str) -> bool:
    """Whether an ARN is of a kind: its service, and the parts that are no names.

    >>> fits("arn:${Partition}:glue:${Region}:${Account}:table/${Database}/${Table}", "arn:aws:glue:-:-:table/lake/*")
    True
    >>> fits("arn:${Partition}:s3:::${BucketName}", "arn:aws:s3:::bucket/data/*")
    False
    """
    if kind == "*":
        return False
    *_, service, region, account, kind_of = kind.split(":", 5)
    *_, its_service, its_region, its_account, named = (target.split(":", 5) + [""] * 6)[:6]
    if (service, bool(region), bool(account)) != (its_service, bool(its_region), bool(its_account)):
        return False
    if named.endswith("*"):  # more of the name, and what comes behind it: a group of logs is all of its streams
        patterns = [_pattern(kind_of[: placeholder.end()]) for placeholder in re.finditer(r"\$\{\w+\}", kind_of)]
        return any(re.fullmatch(pattern, named[:-1] + "-") for pattern in patterns)
    return re.fullmatch(_pattern(kind_of), named) is not None


def _pattern(kind_of: str) -> str:
    return re.sub(r"\\\$\\\{(\w+)\\\}", lambda name: ".+" if name[1] in _SLASHES else "[^/]+", re.escape(kind_of))


_SLASHES = ("ObjectName", "LogGroupName", "Path", "RoleNameWithPath")  # names that may have slashes in them


def resolved(target: str, made: Mapping[str, str]) -> str:
    """An ARN with references to what the template makes as ARNs and names."""

    def reference(named: re.Match[str]) -> str:
        if named[1].startswith("AWS::"):
            return "aws" if named[1] == "AWS::Partition" else "-"
        name, _, attribute = named[1].partition(".")
        return ARNS[f"{made[name]} {attribute or 'Ref'}"]

    return re.sub(r"\$\{([\w:.]+)\}", reference, target)


@pytest.mark.parametrize("variant", ALL)
def test_every_action_is_known_and_has_a_resource_of_its_own(variants, variant):
    found = []
    templates = variants[variant].templates
    all_made = {each: of["Type"] for template in templates.values() for each, of in template["Resources"].items()}
    for name, resource in resources(variants[variant]).items():
        own = {each: of["Type"] for each, of in templates[name.partition("/")[0]]["Resources"].items()}
        made = all_made | own  # a nested stack is given what others have made
        for statement in statements(resource.get("Properties", {})):
            if statement["Effect"] == "Allow" and "Action" in statement and "Resource" in statement:
                of_resource = resource["Type"] in ("AWS::KMS::Key", "AWS::EC2::VPCEndpoint")
                found += [f"{name}: {each}" for each in trouble(statement, made, of_resource=of_resource)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("path", DOCUMENTED, ids=lambda path: path.stem)
def test_the_documented_policies_are_right_too(path):
    policy = json.loads(path.read_text())
    found = [each for statement in policy.get("Statement", ()) for each in documented(statement)]
    assert found == []


def documented(statement: Mapping[str, Any]) -> list[str]:
    return list(trouble(statement, {})) if "Resource" in statement else []


@pytest.mark.parametrize(
    ("actions", "targets", "says"),
    [
        ("dynamodb:ListExports", "arn:aws:dynamodb:eu-central-1:123456789012:table/orders", "it is asked for *"),
        ("dynamodb:ListExport", "*", "no such action"),
        ("dynamodb:Scan", "*", "it has resources"),
        ("s3:GetObject", "arn:aws:s3:::lake", "it is asked for"),
        (["s3:GetObject"], ["arn:aws:s3:::lake/data/*", "arn:aws:s3:::lake"], "no action"),
        ("sqs:SendMessage", "arn:aws:sns:eu-central-1:123456789012:alarms", "it is asked for"),
    ],
)
def test_what_is_wrong_with_a_statement_is_found(actions, targets, says):
    statement = {"Effect": "Allow", "Action": actions, "Resource": targets}
    assert any(says in each for each in trouble(statement, {}))
