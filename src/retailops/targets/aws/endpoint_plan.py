"""Floor 4, aws: an endpoint as SageMaker is asked for it, each part called by what it is: asked twice, it is there."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from retailops.ports import ModelVersion
from retailops.targets.aws.keys import key_arn
from retailops.targets.aws.names import Names
from retailops.targets.aws.rights import partition
from retailops.targets.aws.session import Session
from retailops.targets.aws.settings import Endpoint

VARIANT = "live"  # one for ever: an update may not rename it
# Tags of a configuration. LIMITS: the words that its servers were started with.
VERSION, BUNDLE, LIMITS = "retailops:version", "retailops:bundle", "retailops:limits"
_LONGEST = 63  # characters of a name
_READY_S = 300  # from the start of a container until it answers /ping
_STEPS = {"canary": 1, "linear": 3}  # waits until all of the traffic is over
_TIMEOUT_S = 1800  # for machines, on top of the waits


@dataclass(frozen=True)
class Plan:
    """A model and a configuration: everything that a version serves with, except how many machines there may be."""

    model: Mapping[str, Any]  # arguments of create_model
    config: Mapping[str, Any]  # arguments of create_endpoint_config

    @property
    def name(self) -> str:
        return str(self.config["EndpointConfigName"])


def endpoint_name(names: Names) -> str:
    return f"{names.prefix}-api"


def plan(session: Session, model: ModelVersion, image: str) -> Plan:
    """What `model` in `image` needs. NotReady when the infrastructure doesn't stand."""
    names, wanted = session.names, session.settings.endpoint
    limits = " ".join(f"--{name}={value}" for name, value in _limits(session).items())
    told = {
        "ExecutionRoleArn": f"arn:{partition(names.region)}:iam::{names.account}:role/{names.prefix}-endpoint",
        "PrimaryContainer": {
            "Image": image,
            "Environment": {"SERVING_ARGUMENTS": f"--version={model.version} {limits}"},
        },
        "EnableNetworkIsolation": True,  # the bundle is in the image: there is nothing to reach
    }
    created = {**told, "ModelName": _named(names, model, told), "Tags": _tags(session, {})}
    variant = {
        "VariantName": VARIANT,
        "ModelName": created["ModelName"],
        "InstanceType": wanted.instance,
        "InitialInstanceCount": wanted.instances_min,
        "InitialVariantWeight": 1.0,
        "ContainerStartupHealthCheckTimeoutInSeconds": _READY_S,
    }
    told = {"ProductionVariants": [variant], **_encrypted(session, wanted.instance)}
    known = _tags(session, {VERSION: str(model.version), BUNDLE: model.run.bundle_hash, LIMITS: limits})
    return Plan(created, {**told, "EndpointConfigName": _named(names, model, told), "Tags": known})


def shifting(wanted: Endpoint, alarms: list[str]) -> dict[str, Any]:
    """How an update goes: the new machines beside the old ones, traffic in steps, back by itself when one rings."""
    traffic: dict[str, Any] = {"Type": wanted.shift.upper().replace("-", "_"), "WaitIntervalInSeconds": wanted.bake_s}
    if wanted.shift == "canary":
        traffic["CanarySize"] = {"Type": "CAPACITY_PERCENT", "Value": 10}
    if wanted.shift == "linear":
        traffic["LinearStepSize"] = {"Type": "CAPACITY_PERCENT", "Value": 25}
    return {
        "BlueGreenUpdatePolicy": {
            "TrafficRoutingConfiguration": traffic,
            "TerminationWaitInSeconds": wanted.bake_s,
            "MaximumExecutionTimeoutInSeconds": longest_s(wanted),
        },
        "AutoRollbackConfiguration": {"Alarms": [{"AlarmName": name} for name in alarms]},
    }


def longest_s(wanted: Endpoint) -> int:
    """Seconds after which SageMaker itself gives an update up."""
    return _TIMEOUT_S + wanted.bake_s * (_STEPS.get(wanted.shift, 0) + 1)


_KEYS = {  # the server's flags → the keys of retail.yaml that they come from
    "max-lines": "deploy.max_lines",
    "max-baskets": "deploy.max_baskets",
    "max-body-kb": "deploy.max_body_kb",
    "body-timeout-s": "deploy.body_timeout_s",
    "retention-days": "monitor.retention_days",
}


def _limits(session: Session) -> dict[str, Any]:
    known = session.config.flat()
    return {flag: known[key] for flag, key in _KEYS.items()}


def limits_of(words: str) -> dict[str, float | int]:
    """What a configuration has of retail.yaml, by dotted key, from the words that its servers were started with."""
    pairs = (word.removeprefix("--").split("=", 1) for word in words.split())
    return {_KEYS[flag]: int(text) if text.isdigit() else float(text) for flag, text in pairs if flag in _KEYS}


def _encrypted(session: Session, instance: str) -> dict[str, str]:
    """Disks under the data's key, except those that are part of a machine, which it encrypts itself."""
    own_disk = re.match(r"ml\.\w\d(a|i)?d", instance)
    return {} if own_disk else {"KmsKeyId": key_arn(session, "data")}


def _named(names: Names, model: ModelVersion, content: Mapping[str, Any]) -> str:
    text = json.dumps([content, model.run.bundle_hash], sort_keys=True)
    return f"{names.prefix}-v{model.version}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"[:_LONGEST]


def _tags(session: Session, more: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in {**session.tags, **more}.items()]
