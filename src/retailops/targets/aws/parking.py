"""Floor 4, aws: what park takes away that Terraform doesn't know, remembered so that wake brings back exactly that.

An endpoint comes back with the same configuration, so the same model; the cluster's ways in with the same manifest.
The record lies in the state's bucket and is written before anything goes: whoever is cut short parks or wakes again.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from retailops.errors import TargetFailed
from retailops.progress import Progress
from retailops.targets.aws import cluster as clusters
from retailops.targets.aws.balancers import Balancers, Patience
from retailops.targets.aws.inventory.account import Account, unless_gone
from retailops.targets.aws.learning_removal import Learning
from retailops.targets.aws.session import Session, translated
from retailops.targets.aws.state import State
from retailops.targets.aws.waiting import until
from retailops.tools import kube
from retailops.tools.kube import Unreachable

RECORD = "infra/parked.json"
_SCALABLE = ("ResourceId", "ScalableDimension", "MinCapacity", "MaxCapacity")
_POLICY = (
    "PolicyName",
    "ResourceId",
    "ScalableDimension",
    "PolicyType",
    "TargetTrackingScalingPolicyConfiguration",
    "StepScalingPolicyConfiguration",
)
_SERVING_S = 1800.0  # an endpoint needs five to ten minutes for its machines


class Parking:
    def __init__(self, session: Session, state: State, patience: Patience | None = None) -> None:
        self._session = session
        self._state = state
        self._patience = patience or Patience()

    def park(self, progress: Progress) -> None:
        """Load balancers and SageMaker endpoints go; twice is harmless, what is remembered already stays remembered."""
        account = Account(self._session)
        record = self._state.read(RECORD)
        endpoints = {each["name"]: each for each in self._endpoints(account)}
        entrances = {_key(each): each for each in self._entrances(progress)}
        remembered = {
            "endpoints": {**record.get("endpoints", {}), **endpoints},
            "entrances": {**record.get("entrances", {}), **entrances},
        }
        if any(remembered.values()):
            self._state.write(RECORD, remembered)
        Balancers(account, self._patience).remove(progress)
        for name, each in endpoints.items():
            progress.note(f"endpoint {name} is stopped")
            self._stop(each)

    def wake(self, progress: Progress) -> None:
        """Everything remembered is back and serves; nothing remembered is success."""
        record = self._state.read(RECORD)
        for each in record.get("entrances", {}).values():
            self._open(each, progress)
        endpoints = list(record.get("endpoints", {}).values())
        for each in endpoints:
            progress.note(f"endpoint {each['name']} is started with {each['config']}")
            self._start(each)
        for each in endpoints:
            progress.stage(f"Waiting for the endpoint {each['name']}")
            self._serving(each["name"])
            self._scale(each)
        if record:
            self._state.drop(RECORD)

    def _endpoints(self, account: Account) -> Iterator[dict[str, Any]]:
        sagemaker = self._session.client("sagemaker")
        for found in Learning(account).standing("SageMaker endpoint"):
            with translated(f"Looking at the endpoint {found.name}"):
                described = sagemaker.describe_endpoint(EndpointName=found.name)
                tags = sagemaker.list_tags(ResourceArn=described["EndpointArn"])["Tags"]
                yield {
                    "name": found.name,
                    "config": described["EndpointConfigName"],
                    "tags": tags,
                    **self._scaling(found.name, described.get("ProductionVariants", [])),
                }

    def _scaling(self, name: str, variants: list[dict[str, Any]]) -> dict[str, Any]:
        scaling = self._session.client("application-autoscaling")
        ids = [f"endpoint/{name}/variant/{each['VariantName']}" for each in variants]
        targets = scaling.describe_scalable_targets(ServiceNamespace="sagemaker", ResourceIds=ids)["ScalableTargets"]
        policies = [
            policy
            for each in ids
            for policy in scaling.describe_scaling_policies(ServiceNamespace="sagemaker", ResourceId=each)[
                "ScalingPolicies"
            ]
        ]
        return {
            "targets": [{key: each[key] for key in _SCALABLE} for each in targets],
            "policies": [{key: each[key] for key in _POLICY if key in each} for each in policies],
        }

    def _stop(self, endpoint: dict[str, Any]) -> None:
        scaling = self._session.client("application-autoscaling")
        with translated(f"Stopping the endpoint {endpoint['name']}"):
            for each in endpoint["targets"]:
                with unless_gone():
                    scaling.deregister_scalable_target(
                        ServiceNamespace="sagemaker",
                        ResourceId=each["ResourceId"],
                        ScalableDimension=each["ScalableDimension"],
                    )
            with unless_gone():
                self._session.client("sagemaker").delete_endpoint(EndpointName=endpoint["name"])

    def _start(self, endpoint: dict[str, Any]) -> None:
        sagemaker = self._session.client("sagemaker")
        with translated(f"Starting the endpoint {endpoint['name']}"):
            known = sagemaker.list_endpoints(NameContains=endpoint["name"])["Endpoints"]
            if endpoint["name"] not in [each["EndpointName"] for each in known]:
                sagemaker.create_endpoint(
                    EndpointName=endpoint["name"], EndpointConfigName=endpoint["config"], Tags=endpoint["tags"]
                )

    def _serving(self, name: str) -> None:
        sagemaker = self._session.client("sagemaker")

        def state() -> str:
            with translated(f"Looking at the endpoint {name}"):
                return str(sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"])

        if (
            not until(lambda: state() in ("InService", "Failed"), _SERVING_S, self._patience.look)
            or state() == "Failed"
        ):
            raise TargetFailed(
                f"The endpoint {name} didn't come up: it is {state()}.",
                "Its log group, /aws/sagemaker/Endpoints/" + name + ", says why; then run this again: it goes on.",
            )

    def _scale(self, endpoint: dict[str, Any]) -> None:
        scaling = self._session.client("application-autoscaling")
        with translated(f"Giving the endpoint {endpoint['name']} its scaling"):
            for each in endpoint["targets"]:
                scaling.register_scalable_target(ServiceNamespace="sagemaker", **each)
            for each in endpoint["policies"]:
                scaling.put_scaling_policy(ServiceNamespace="sagemaker", **each)

    def _entrances(self, progress: Progress) -> list[dict[str, Any]]:
        """The manifests of the cluster's Ingresses and balanced Services; none where the cluster can't be asked."""
        cluster = clusters.described(self._session)
        if cluster is None or cluster.get("status") != "ACTIVE":
            return []
        try:
            with clusters.connected(self._session, cluster) as kubernetes:
                return [kube.manifest(kubernetes, each) for each in kube.entrances(kubernetes)]
        except Unreachable as problem:
            progress.note(f"{problem.what} What is in the cluster stays; load balancers are looked for by their tags.")
            return []

    def _open(self, manifest: dict[str, Any], progress: Progress) -> None:
        cluster = clusters.described(self._session)
        if cluster is None:
            return
        progress.note(f"{manifest['kind']} {manifest['metadata']['name']} is restored")
        with clusters.connected(self._session, cluster) as kubernetes:
            kube.restore(kubernetes, manifest)


def _key(manifest: dict[str, Any]) -> str:
    return f"{manifest['kind']} {manifest['metadata']['namespace']}/{manifest['metadata']['name']}"
