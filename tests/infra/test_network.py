"""The private network: no way out of it, and endpoints for what is used, which let nothing else through."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra_cdk.variants import VARIANTS
from tests.infra.conftest import resources
from tests.infra.test_rules import listed, written

PRIVATE = [name for name, context in VARIANTS.items() if context.get("network") == "private"]
ENDPOINTS = {
    "private": {"s3", "dynamodb", "athena", "glue", "ecr.api", "ecr.dkr", "logs"},
    "cross-account-reports": {"s3", "athena", "glue", "ecr.api", "ecr.dkr", "logs"},
    "private-transform": set(),
    "private-flat": set(),
    "cross-account-private-flat": set(),
    "private-search": set(),
    "private-search-lambda": set(),
    "search-only-existing": set(),
}


def endpoints(made: Any) -> dict[str, dict[str, Any]]:
    return {
        written(each["Properties"]["ServiceName"]).partition("amazonaws.")[2].split(".", 1)[1]: each["Properties"]
        for each in resources(made, "AWS::EC2::VPCEndpoint").values()
    }


@pytest.mark.parametrize("variant", PRIVATE)
def test_there_is_no_way_to_the_internet(variants, variant):
    kinds = {each["Type"] for each in resources(variants[variant]).values()}
    assert not kinds & {
        "AWS::EC2::InternetGateway",
        "AWS::EC2::NatGateway",
        "AWS::EC2::VPCGatewayAttachment",
        "AWS::EC2::Route",
        "AWS::EC2::EIP",
        "AWS::EC2::VPCPeeringConnection",
    }
    subnets = [each["Properties"] for each in resources(variants[variant], "AWS::EC2::Subnet").values()]
    assert len(subnets) in (2, 4)  # 4: a network in each account
    assert not any(each.get("MapPublicIpOnLaunch") for each in subnets)
    assert {json.dumps(each["AvailabilityZone"]) for each in subnets} == {
        json.dumps({"Fn::Select": [zone, {"Fn::GetAZs": ""}]}) for zone in (0, 1)
    }


@pytest.mark.parametrize("variant", PRIVATE)
def test_every_function_of_ours_is_in_it(variants, variant):
    for name, function in resources(variants[variant], "AWS::Lambda::Function").items():
        inside = "VpcConfig" in function["Properties"]
        assert inside is not any(own in name for own in ("CustomResource", "AWSCDK", "AWS679")), name


@pytest.mark.parametrize("variant", PRIVATE)
def test_there_are_endpoints_for_what_is_used_and_no_other(variants, variant):
    assert set(endpoints(variants[variant])) == ENDPOINTS[variant]


@pytest.mark.parametrize("variant", [name for name, there in ENDPOINTS.items() if there])
def test_an_endpoint_lets_a_role_do_what_the_role_may_and_nothing_else(variants, variant):
    made = variants[variant]
    roles = {}  # its actions, by a role's logical id
    for policy in resources(made, "AWS::IAM::Policy").values():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            for role in policy["Properties"]["Roles"]:
                may = roles.setdefault(role["Ref"], set())
                may |= {
                    (action, written(to))
                    for action in listed(statement["Action"])
                    for to in listed(statement["Resource"])
                }
    for service, endpoint in endpoints(made).items():
        prefix = service.partition(".")[0]
        statements = endpoint["PolicyDocument"]["Statement"]
        assert statements
        for statement in statements:
            assert statement["Effect"] == "Allow"
            assert all(action.startswith(f"{prefix}:") for action in listed(statement["Action"]))
            if "starport" in json.dumps(statement["Resource"]):
                continue
            role = statement["Condition"]["ArnEquals"]["aws:PrincipalArn"]["Fn::GetAtt"][0]
            passed = {
                (action, written(to)) for action in listed(statement["Action"]) for to in listed(statement["Resource"])
            }
            assert passed <= roles[role]


@pytest.mark.parametrize("variant", ["private", "cross-account-reports"])
def test_checkpoints_are_written_and_registered_through_the_endpoints(variants, variant):
    passed = {
        service: {
            action
            for statement in endpoint["PolicyDocument"]["Statement"]
            for action in listed(statement["Action"])
            if "checkpoints" in json.dumps(statement["Resource"])
        }
        for service, endpoint in endpoints(variants[variant]).items()
    }
    assert {"s3:PutObject", "s3:DeleteObject", "s3:GetObject"} <= passed["s3"]
    assert {"glue:CreateTable", "glue:CreatePartition", "glue:DeletePartition"} <= passed["glue"]


@pytest.mark.parametrize("variant", PRIVATE)
def test_security_groups_let_in_https_from_other_groups_alone(variants, variant):
    rules = [each["Properties"] for each in resources(variants[variant], "AWS::EC2::SecurityGroupIngress").values()]
    for rule in rules:
        assert (rule["FromPort"], rule["ToPort"], rule["IpProtocol"]) == (443, 443, "tcp")
        assert "SourceSecurityGroupId" in rule
    for group in resources(variants[variant], "AWS::EC2::SecurityGroup").values():
        assert "SecurityGroupIngress" not in group["Properties"]
        for out in group["Properties"].get("SecurityGroupEgress", []):
            nothing = out["CidrIp"] == "255.255.255.255/32"
            assert nothing or (out["FromPort"], out["Description"].partition(":")[0]) == (443, "Gateway endpoint")


@pytest.mark.parametrize("variant", PRIVATE)
def test_the_transform_function_reaches_nothing(variants, variant):
    groups = {
        name: each
        for name, each in resources(variants[variant], "AWS::EC2::SecurityGroup").items()
        if "TransformGroup" in name
    }
    out = [each["Properties"] for each in resources(variants[variant], "AWS::EC2::SecurityGroupEgress").values()]
    for name, group in groups.items():
        assert [each["CidrIp"] for each in group["Properties"]["SecurityGroupEgress"]] == ["255.255.255.255/32"]
        assert name.partition("/")[2] not in json.dumps(out)


@pytest.mark.parametrize("variant", [*PRIVATE, "reports"])
def test_flows_are_logged_all_of_them(variants, variant):
    networks = resources(variants[variant], "AWS::EC2::VPC")
    logs = [each["Properties"] for each in resources(variants[variant], "AWS::EC2::FlowLog").values()]
    assert len(logs) == len(networks) > 0
    assert {each["TrafficType"] for each in logs} == {"ALL"}


def test_reports_without_a_private_network_have_one_that_lets_nothing_in(variants):
    groups = resources(variants["reports"], "AWS::EC2::SecurityGroup").values()
    assert groups
    assert not resources(variants["reports"], "AWS::EC2::SecurityGroupIngress")
    assert all("SecurityGroupIngress" not in each["Properties"] for each in groups)
    assert not resources(variants["reports"], "AWS::EC2::NatGateway")
    assert not resources(variants["reports"], "AWS::EC2::VPCEndpoint")
