"""The `aws` section of retail.yaml."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from retailops.config import Folder, Section

_DEFAULTS: Any = {}  # an absent section is validated like an empty one


class Nodes(Section):
    types: tuple[str, ...] = Field(
        ("t3.medium", "t3a.medium"),
        strict=False,
        min_length=1,
        description="Instance types of the cluster's nodes, x86-64, of one size; on-demand nodes are of the first.",
    )
    base: int = Field(1, ge=0, le=100, description="On-demand nodes that always run, also when spot has none.")
    spot_min: int = Field(1, ge=0, le=100, description="Spot nodes at least.")
    spot_max: int = Field(3, ge=0, le=500, description="Spot nodes at most, when the load asks for them.")
    disk_gb: int = Field(20, ge=20, le=16_384, description="Disk of each node in GB.")


class Usage(Section):
    """What a month brings, for the price that is told beforehand."""

    requests_million: float = Field(1, ge=0, le=1e6, description="Predictions asked of the API, in millions.")
    nat_gb: float = Field(20, ge=0, le=1e7, description="GB through the NAT gateway: images, logs, AWS APIs.")
    etl_runs: float = Field(8, ge=0, le=10_000, description="ETL runs.")
    training_runs: float = Field(4, ge=0, le=10_000, description="Training runs of all algorithms.")
    query_gb: float = Field(10, ge=0, le=1e7, description="GB scanned by queries.")
    log_gb: float = Field(5, ge=0, le=1e6, description="GB of logs.")
    rows_million: float = Field(2.7, ge=0, le=1e5, description="Transaction rows in the lake, in millions.")


# x86-64 as the image is, and without GPUs, which nothing here would use.
_INSTANCE = r"^ml\.[cmrt]\d(a|i)?d?n?\.\w+$"


class Jobs(Section):
    instance: str = Field("ml.m5.large", pattern=_INSTANCE, description="Instance type of ETL and batch scoring.")
    volume_gb: int = Field(30, ge=1, le=16_384, description="Disk in GB: the rows, and what becomes of them.")
    max_minutes: int = Field(120, ge=5, le=7200, description="Minutes after which a job is ended, whatever it does.")


class Spark(Section):
    worker: Literal["G.1X", "G.2X", "G.4X", "G.8X"] = Field(
        "G.1X", description="Machine type of the ETL on Glue; each step is twice the one before."
    )
    workers: int = Field(2, ge=2, le=299, description="Machines, one of which leads.")
    max_minutes: int = Field(60, ge=5, le=2880, description="Minutes after which a run is ended.")


class Training(Section):
    instance: str = Field("ml.m5.large", pattern=_INSTANCE, description="Instance type of training.")
    instances: int = Field(
        1, ge=1, le=8, description="Instances that train one model together; several: xgboost alone."
    )
    volume_gb: int = Field(30, ge=1, le=16_384, description="Disk in GB.")
    max_minutes: int = Field(240, ge=5, le=40_320, description="Minutes of training after which it is ended.")
    parallel_trials: int = Field(2, ge=1, le=100, description="Trials of a tuning at once; fewer learn more.")
    spot: bool = Field(True, description="On spare capacity, about a third of the price; may be interrupted.")
    max_wait_minutes: int = Field(
        480,
        ge=5,
        le=40_320,
        description="With spot: minutes for training and waiting together, at least max_minutes.",
    )

    @model_validator(mode="after")
    def _waits_long_enough(self) -> Self:
        if self.max_wait_minutes < self.max_minutes:
            raise ValueError("max_wait_minutes counts waiting and training together: at least max_minutes")
        return self


class Endpoint(Section):
    """A SageMaker endpoint, which serves with deploy.engine: sagemaker."""

    instance: str = Field("ml.m5.large", pattern=_INSTANCE, description="Instance type of the endpoint.")
    instances_min: int = Field(1, ge=1, le=100, description="Instances that always run, paid by the hour.")
    instances_max: int = Field(2, ge=1, le=100, description="Instances at most, when the load asks for them.")
    invocations_per_minute: int = Field(
        6000, ge=1, le=10_000_000, description="Requests a minute that one instance is meant for; more bring another."
    )
    shift: Literal["all-at-once", "canary", "linear"] = Field(
        "all-at-once",
        description="How traffic goes over to the new version's instances: at once, after a tenth of it, or in four "
        "steps. The last two need two instances.",
    )
    bake_s: int = Field(
        300, ge=0, le=3600, description="Seconds that a step is watched; if the new version is worse, it is undone."
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.instances_max < self.instances_min:
            raise ValueError("instances_max is at least instances_min")
        if self.instances_max > self.instances_min and self.instance.startswith("ml.t"):
            raise ValueError("SageMaker doesn't scale burstable machines (ml.t…): set instances_max to instances_min")
        if self.shift != "all-at-once" and self.instances_min < 2:
            raise ValueError(f"shift: {self.shift} needs instances_min of 2: a part of one instance can't be had")
        return self


class Ingress(Section):
    public: bool = Field(False, description="Reachable from the internet; needs a certificate.")
    certificate_arn: str = Field(
        "",
        pattern=r"^(arn:aws[a-z-]*:acm:[a-z0-9-]+:\d{12}:certificate/[0-9a-f-]{36})?$",
        description="ACM certificate of deploy.kubernetes.host: HTTPS, and HTTP is redirected; empty = HTTP alone.",
    )
    cidrs: tuple[str, ...] = Field(
        (),
        strict=False,
        description="Networks that may ask; empty = the VPC's own, and with public the internet.",
    )
    waf_arn: str = Field(
        "",
        pattern=r"^(arn:aws[a-z-]*:wafv2:[a-z0-9-]+:\d{12}:regional/webacl/[\w-]+/[0-9a-f-]{36})?$",
        description="Web ACL (WAF) before the load balancer; empty = none.",
    )
    access_logs: bool = Field(False, description="A line about each request in the bucket of logs.")

    @field_validator("cidrs")
    @classmethod
    def _networks(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            _network(value)
        return values

    @model_validator(mode="after")
    def _encrypted(self) -> Self:
        if self.public and not self.certificate_arn:
            raise ValueError("a public API needs a certificate: set certificate_arn")
        return self


class Settings(Section):
    region: str = Field("ap-southeast-1", pattern=r"^[a-z]{2}(-[a-z]+)+-\d$", description="Region of everything.")
    account: str = Field(
        "",
        pattern=r"^(\d{12})?$",
        description="The twelve digits of the account; credentials of another are refused. Empty = whichever it is.",
    )
    folder: Folder = Field(
        Path(".retailops-aws"),
        description="Folder for Terraform's working files and the ledger; the state itself is in S3. "
        "A relative path starts at this file's folder.",
    )
    vpc_cidr: str = Field("10.20.0.0/16", description="Addresses of the network, a private /16 to /20.")
    zones: int = Field(2, ge=2, le=3, description="Availability zones.")
    nat: Literal["single", "per-az"] = Field(
        "single", description="One NAT gateway, or one in each zone so that a zone's outage stays in that zone."
    )
    endpoints: Literal["auto", "on", "off"] = Field(
        "auto", description="Interface endpoints for ECR and CloudWatch; auto = when they cost less than NAT."
    )
    api_cidrs: tuple[str, ...] = Field(
        (),
        strict=False,
        description="Networks that may reach the cluster's public API endpoint; empty = from inside the VPC alone.",
    )
    kubernetes: str = Field("1.35", pattern=r"^1\.\d\d$", description="Kubernetes version, in EKS standard support.")
    nodes: Nodes = Field(_DEFAULTS, description="The cluster's nodes.")
    ingress: Ingress = Field(_DEFAULTS, description="The load balancer before the API.")
    endpoint: Endpoint = Field(_DEFAULTS, description="The machines of the API with deploy.engine: sagemaker.")
    registry_arn: str = Field(
        "",
        pattern=r"^(arn:aws[a-z-]*:sagemaker:[a-z0-9-]+:\d{12}:model-package-group/[A-Za-z0-9-]+)?$",
        description="Model package group of another account to read versions from; empty = the project's own.",
    )
    alarm_email: str = Field(
        "",
        pattern=r"^([^@\s]+@[^@\s]+\.[^@\s]+)?$",
        max_length=254,
        description="Address that alarms and the budget write to; empty = the topic has no subscriber.",
    )
    log_days: Literal[1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365] = Field(
        14, description="Days that logs are kept."
    )
    image: str = Field(
        "",
        pattern=r"^(\S+[:@]\S+)?$",
        description="Image of jobs, with tag or digest; empty = the one of image build --worker.",
    )
    jobs: Jobs = Field(_DEFAULTS, description="The machine of ETL and batch scoring.")
    spark: Spark = Field(_DEFAULTS, description="The machines of the ETL with etl.engine: spark.")
    training: Training = Field(_DEFAULTS, description="The machine of training.")
    query_limit_gb: float = Field(10, ge=0.01, le=1e5, description="GB that one query may scan before it is ended.")
    usage: Usage = Field(_DEFAULTS, description="What a month brings, for the price told beforehand.")

    @model_validator(mode="after")
    def _ingress_is_here(self) -> Self:
        for key in ("certificate_arn", "waf_arn"):
            arn = getattr(self.ingress, key)
            if arn and arn.split(":")[3] != self.region:
                raise ValueError(f"ingress.{key} is of {arn.split(':')[3]}; a load balancer takes its own region's")
        return self

    @field_validator("vpc_cidr")
    @classmethod
    def _private_network(cls, value: str) -> str:
        network = _network(value)
        if not (network.version == 4 and network.is_private and 16 <= network.prefixlen <= 20):
            raise ValueError("must be a private IPv4 network between /16 and /20, like 10.20.0.0/16")
        return value

    @field_validator("api_cidrs")
    @classmethod
    def _networks(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        for value in values:
            if _network(value).prefixlen == 0:
                raise ValueError(f"{value} is the whole internet; name the networks that may, like 203.0.113.4/32")
        return values


def _network(value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    try:
        return ipaddress.ip_network(value)
    except ValueError as error:
        raise ValueError(f"must be a network like 10.20.0.0/16 ({error})") from None
