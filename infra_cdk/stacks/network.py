"""The network of functions and tasks: private, without a way to the internet, or public, for tasks alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra_cdk.config import Config
from infra_cdk.stacks.functions import log_group

_GATEWAYS = {"s3": ec2.GatewayVpcEndpointAwsService.S3, "dynamodb": ec2.GatewayVpcEndpointAwsService.DYNAMODB}


class Network(Construct):
    """`vpc`: two `subnets` in two zones, and a log of its flows. Endpoints are made for what is asked for, alone.

    What runs here has a security group of its own (`group`), which may reach nothing, and says of each service what it
    does there (`reach`): that is what the service's endpoint lets through.
    """

    def __init__(self, scope: Construct, id: str, *, config: Config, key: kms.IKey) -> None:
        super().__init__(scope, id)
        self.private = config.network == "private"
        kind = ec2.SubnetType.PRIVATE_ISOLATED if self.private else ec2.SubnetType.PUBLIC
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            nat_gateways=0,
            create_internet_gateway=not self.private,
            availability_zones=[cdk.Fn.select(zone, cdk.Fn.get_azs()) for zone in (0, 1)],
            ip_addresses=ec2.IpAddresses.cidr("10.0.0.0/22"),
            subnet_configuration=[
                ec2.SubnetConfiguration(
                    name="Subnet",
                    subnet_type=kind,
                    cidr_mask=24,
                    map_public_ip_on_launch=None if self.private else False,
                )
            ],
        )
        self.subnets = ec2.SubnetSelection(subnet_type=kind)
        self._endpoints: dict[str, tuple[Any, ec2.SecurityGroup | None]] = {}
        self.vpc.add_flow_log(
            "Flows", destination=ec2.FlowLogDestination.to_cloud_watch_logs(log_group(self, "FlowLog", config, key))
        )

    def group(self, id: str, description: str) -> ec2.SecurityGroup:
        """Make a security group that lets nothing in, and nothing out."""
        return ec2.SecurityGroup(self, id, vpc=self.vpc, description=description, allow_all_outbound=False)

    def place(self, group: ec2.SecurityGroup) -> dict[str, Any]:
        """Say where a function runs, in the words of `lambda.Function`."""
        return {"vpc": self.vpc, "vpc_subnets": self.subnets, "security_groups": [group]}

    def reach(
        self, service: str, group: ec2.SecurityGroup, role: iam.IRole, rights: Iterable[iam.PolicyStatement]
    ) -> None:
        """Let a role do at a service what its rights there are, from a security group.

        Where the network is public there is no endpoint, and whatever address has HTTPS may be reached.

        Parameters
        ----------
        service
            As the endpoint is called: ``athena``, ``ecr.api``. Of the rights, those whose actions begin with it count.
        """
        if not self.private:
            group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.HTTPS, "Public endpoints")
            return
        endpoint, guard = self._endpoints.get(service) or self._endpoints.setdefault(service, self._open(service))
        for statement in rights:
            if through := _through(statement, service.partition(".")[0], role):
                endpoint.add_to_policy(through)
        if guard is None:  # its addresses are in a list that CloudFormation cannot look up; no other way leads out
            group.add_egress_rule(ec2.Peer.any_ipv4(), ec2.Port.HTTPS, f"Gateway endpoint: {service}")
        else:
            group.connections.allow_to(guard, ec2.Port.HTTPS, f"Endpoint: {service}")

    def let_layers_through(self) -> None:
        """Let images be pulled: ECR hands out addresses of objects in a bucket of its own, signed by itself.

        https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html#ecr-setting-up-s3-gateway
        """
        if self.private:
            self._endpoints["s3"][0].add_to_policy(
                iam.PolicyStatement(
                    principals=[iam.AnyPrincipal()],
                    actions=["s3:GetObject"],
                    resources=[f"arn:{cdk.Aws.PARTITION}:s3:::prod-{cdk.Aws.REGION}-starport-layer-bucket/*"],
                )
            )

    def _open(self, service: str) -> tuple[Any, ec2.SecurityGroup | None]:
        id = service.title().replace(".", "")
        if service in _GATEWAYS:
            return self.vpc.add_gateway_endpoint(id, service=_GATEWAYS[service], subnets=[self.subnets]), None
        guard = self.group(f"{id}Group", f"The endpoint of {service}")
        return self.vpc.add_interface_endpoint(
            id,
            service=ec2.InterfaceVpcEndpointAwsService(service),
            subnets=self.subnets,
            open=False,
            security_groups=[guard],
        ), guard


def _through(statement: iam.PolicyStatement, prefix: str, role: iam.IRole) -> iam.PolicyStatement | None:
    """Make of a role's right what an endpoint lets through, or nothing where the right is another service's."""
    told = statement.to_statement_json()
    actions = [action for action in _listed(told["Action"]) if action.startswith(f"{prefix}:")]
    if not actions:
        return None
    return iam.PolicyStatement(
        principals=[iam.AnyPrincipal()],
        actions=actions,
        resources=_listed(told["Resource"]),
        conditions={"ArnEquals": {"aws:PrincipalArn": role.role_arn}},
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
