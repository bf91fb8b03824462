"""SageMaker's endpoints: what is created really answers, updates go blue/green, and what SageMaker refuses is refused.

    with Hosting(aws, tmp_path) as hosting:
        hosting.images[reference] = Image(bundle, version)   # what the registry's image holds
        hosting.capacity.clear()                             # no machine comes until `capacity.set()`
        hosting.watching = lambda: ...                       # traffic has gone over, the old machines still stand
        hosting.settle()                                     # waits until nothing is on its way any more

An endpoint has one server process, however many machines it asks for. Times to wait are none; alarms, which moto never
evaluates, are looked at once, after `watching`. A configuration in use can't be deleted: SageMaker says it must not be.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from moto.cloudwatch.models import cloudwatch_backends
from moto.core import DEFAULT_ACCOUNT_ID
from moto.sagemaker.models import FakeEndpoint, sagemaker_backends

from emulator import endpoint_scaling
from emulator.fleet import Fleet, Image
from emulator.sagemaker_refusals import refused
from emulator.server import Emulator, Request, Response

_INVOKED = re.compile(r"/endpoints/([^/]+)/invocations")
_BUSY = ("Creating", "Updating", "RollingBack", "Deleting")
_ATTRIBUTES = "X-Amzn-SageMaker-Custom-Attributes"


class Hosting:
    """Active from `with` on, until its end or the emulator's `reset`."""

    def __init__(self, aws: Emulator, folder: Path) -> None:
        self.aws = aws
        self._folder = folder
        self.images: dict[str, Image] = {}
        self.capacity = threading.Event()
        self.capacity.set()
        self.watching: Callable[[], None] = lambda: None
        self.invoked: list[str] = []  # the configuration that answered, call by call
        self.updates: list[dict[str, Any]] = []
        self._fleets: dict[str, Fleet] = {}
        self._threads: list[threading.Thread] = []
        self._operations = {
            "CreateModel": self._create_model,
            "CreateEndpointConfig": self._create_config,
            "DeleteEndpointConfig": self._delete_config,
            "CreateEndpoint": self._create,
            "UpdateEndpoint": self._update,
            "DeleteEndpoint": self._delete,
        }

    def __enter__(self) -> Self:
        self.aws.answer(self._answer)
        return self

    def __exit__(self, *problem: object) -> None:
        if self._answer in self.aws.hooks:
            self.aws.hooks.remove(self._answer)
        self.capacity.set()
        self.settle()
        for fleet in self._fleets.values():
            fleet.end()

    def settle(self) -> None:
        for thread in self._threads:
            thread.join(120)
            assert not thread.is_alive()

    @property
    def _sagemaker(self) -> Any:
        return sagemaker_backends[DEFAULT_ACCOUNT_ID][self.aws.region]

    def _answer(self, request: Request) -> Response | None:
        if found := _INVOKED.fullmatch(request.path):
            return self._invoke(found.group(1), request)
        operation = self._operations.get(request.target.removeprefix("SageMaker."))
        return operation(json.loads(request.body)) if operation else None

    def _create_model(self, wanted: dict[str, Any]) -> Response | None:
        if wanted["ModelName"] in self._sagemaker._models:
            return _exists("model", wanted["ModelName"])
        return None

    def _create_config(self, wanted: dict[str, Any]) -> Response | None:
        if wanted["EndpointConfigName"] in self._sagemaker.endpoint_configs:
            return _exists("endpoint configuration", wanted["EndpointConfigName"])
        for variant in wanted["ProductionVariants"]:
            if variant["ModelName"] not in self._sagemaker._models:
                return _unknown("model", variant["ModelName"])
        return None

    def _delete_config(self, wanted: dict[str, Any]) -> Response | None:
        name = wanted["EndpointConfigName"]
        for endpoint in self._sagemaker.endpoints.values():
            pending = getattr(endpoint, "pending_deployment_summary", None) or {}
            if name in (endpoint.endpoint_config_name, pending.get("EndpointConfigName")):
                return refused("ValidationException", f"{name} is in use by {endpoint.endpoint_name}")
        return None

    def _create(self, wanted: dict[str, Any]) -> Response | None:
        name, config = wanted["EndpointName"], wanted["EndpointConfigName"]
        if name in self._sagemaker.endpoints:
            return _exists("endpoint", name)
        if config not in self._sagemaker.endpoint_configs:
            return _unknown("endpoint configuration", config)
        endpoint = self._sagemaker.create_endpoint(name, config, wanted.get("Tags", []))
        endpoint.endpoint_status = "Creating"
        self._begin(endpoint, config, None)
        return Response(json.dumps({"EndpointArn": endpoint.arn}).encode())

    def _update(self, wanted: dict[str, Any]) -> Response | None:
        name, config = wanted["EndpointName"], wanted["EndpointConfigName"]
        endpoint = self._sagemaker.endpoints.get(name)
        if endpoint is None:
            return _unknown("endpoint", name)
        if endpoint.endpoint_status in _BUSY:
            return refused("ValidationException", f'Cannot update in-progress endpoint "{endpoint.arn}".')
        if config not in self._sagemaker.endpoint_configs:
            return _unknown("endpoint configuration", config)
        if config == endpoint.endpoint_config_name:
            return refused("ValidationException", "The endpoint has this configuration already.")
        problem = self._unfit(endpoint, config, wanted.get("DeploymentConfig", {}))
        if problem:
            return refused("ValidationException", problem)
        self.updates.append(wanted)
        endpoint.endpoint_status, endpoint.failure_reason = "Updating", None
        endpoint.pending_deployment_summary = {"EndpointConfigName": config}
        self._begin(endpoint, config, wanted)
        return Response(json.dumps({"EndpointArn": endpoint.arn}).encode())

    def _unfit(self, endpoint: FakeEndpoint, config: str, how: dict[str, Any]) -> str:
        configs = self._sagemaker.endpoint_configs
        (new,) = configs[config].production_variants
        old = configs.get(endpoint.endpoint_config_name)
        changed = old is not None and old.production_variants[0]["InstanceType"] != new["InstanceType"]
        if changed and endpoint_scaling.scaled(self.aws.region, endpoint.endpoint_name):
            return (
                f'The variant(s) "[{new["VariantName"]}]" must be deregistered as scalable target with AutoScaling '
                "before they can be removed or have their instance type updated."
            )
        traffic = how.get("BlueGreenUpdatePolicy", {}).get("TrafficRoutingConfiguration", {})
        if traffic.get("Type", "ALL_AT_ONCE") != "ALL_AT_ONCE" and new["InitialInstanceCount"] < 2:
            return "The canary or linear step must be at most 50% of the variant's total instance count."
        return ""

    def _delete(self, wanted: dict[str, Any]) -> Response | None:
        endpoint = self._sagemaker.endpoints.get(wanted["EndpointName"])
        if endpoint is not None and endpoint.endpoint_status in _BUSY:
            return refused("ValidationException", f'Cannot update in-progress endpoint "{endpoint.arn}".')
        if fleet := self._fleets.pop(wanted["EndpointName"], None):
            fleet.end()
        return None

    def _begin(self, endpoint: FakeEndpoint, config: str, update: dict[str, Any] | None) -> None:
        thread = threading.Thread(target=self._deploy, args=(endpoint, config, update), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _deploy(self, endpoint: FakeEndpoint, config: str, update: dict[str, Any] | None) -> None:
        self.capacity.wait()
        fleet, reason = self._started(endpoint.endpoint_name, config)
        old = self._fleets.get(endpoint.endpoint_name)
        if fleet is not None:
            self._fleets[endpoint.endpoint_name] = fleet
            self.watching()
            alarms = (update or {}).get("DeploymentConfig", {}).get("AutoRollbackConfiguration", {}).get("Alarms", [])
            if ringing := self._ringing([each["AlarmName"] for each in alarms]):
                reason = f"The deployment was rolled back because of alarms in ALARM state: {', '.join(ringing)}"
        if reason:
            self._failed(endpoint, fleet, old, reason)
            return
        if old is not None:
            old.end()
        variants = self._sagemaker.endpoint_configs[config].production_variants
        endpoint.production_variants = endpoint._process_production_variants(variants)
        endpoint.endpoint_config_name = config
        endpoint.pending_deployment_summary = None  # type: ignore[attr-defined]
        endpoint.endpoint_status = "InService"

    def _failed(self, endpoint: FakeEndpoint, fleet: Fleet | None, old: Fleet | None, reason: str) -> None:
        """An update is taken back, a creation stays as it is."""
        if old is not None:
            endpoint.endpoint_status = "RollingBack"
            self._fleets[endpoint.endpoint_name] = old
        if fleet is not None:
            fleet.end()
        endpoint.failure_reason = reason  # type: ignore[assignment]
        endpoint.pending_deployment_summary = None  # type: ignore[attr-defined]
        endpoint.endpoint_status = "InService" if old is not None else "Failed"

    def _started(self, name: str, config: str) -> tuple[Fleet | None, str]:
        (variant,) = self._sagemaker.endpoint_configs[config].production_variants
        container = self._sagemaker._models[variant["ModelName"]].primary_container
        image = self.images.get(container["Image"])
        if image is None:
            return None, f"The image {container['Image']} can't be pulled from its repository."
        fleet = Fleet(self.aws, name, config, image, container.get("Environment", {}), self._folder)
        if fleet.ready():
            return fleet, ""
        fleet.end()
        return None, (
            f"The primary container for production variant {variant['VariantName']} did not pass the ping health "
            "check. Please check CloudWatch logs for this endpoint."
        )

    def _ringing(self, alarms: list[str]) -> list[str]:
        known = cloudwatch_backends[DEFAULT_ACCOUNT_ID][self.aws.region].alarms
        return [name for name in alarms if name not in known or known[name].state_value == "ALARM"]

    def _invoke(self, name: str, request: Request) -> Response:
        fleet = self._fleets.get(name)
        if fleet is None:
            headers = {"x-amzn-errortype": "ValidationError"}
            says = {"message": f"Endpoint {name} of account {DEFAULT_ACCOUNT_ID} not found."}
            return Response(json.dumps(says).encode(), 400, headers)
        asked = {"Content-Type": request.headers.get("CONTENT_TYPE", "")}
        if attributes := request.headers.get(_ATTRIBUTES.upper().replace("-", "_")):
            asked[_ATTRIBUTES] = attributes
        status, body = fleet.invoke(request.body, asked)
        self.invoked.append(fleet.config)
        if status == 200:
            return Response(body, headers={"x-Amzn-Invoked-Production-Variant": "live"})
        text = body.decode(errors="replace")
        says = {
            "Message": f"Received {'client' if status < 500 else 'server'} error ({status}) from primary with message "
            f'"{text}".',
            "OriginalMessage": text,
            "OriginalStatusCode": str(status),
        }
        return Response(json.dumps(says).encode(), 424, {"x-amzn-errortype": "ModelError"})


def _exists(what: str, name: str) -> Response:
    return refused("ValidationException", f'Cannot create already existing {what} "{name}".')


def _unknown(what: str, name: str) -> Response:
    return refused("ValidationException", f'Could not find {what} "{name}".')
