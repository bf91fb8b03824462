"""Floor 4, aws: what stands beside an endpoint: the alarms that undo an update, and how many machines there may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from retailops.targets.aws.endpoint_history import Edition
from retailops.targets.aws.endpoint_plan import VARIANT, endpoint_name
from retailops.targets.aws.inventory.account import Account, unless_gone
from retailops.targets.aws.inventory.kind import plain_tags
from retailops.targets.aws.names import Names
from retailops.targets.aws.rights import partition
from retailops.targets.aws.session import Session, translated

DIMENSION = "sagemaker:variant:DesiredInstanceCount"
ENDPOINT = "retailops:endpoint"  # tag of an alarm that is an endpoint's
_SERVICE = {"ServiceNamespace": "sagemaker"}


def scaled_id(names: Names) -> str:
    """How Application Auto Scaling calls the machines of the endpoint."""
    return f"endpoint/{endpoint_name(names)}/variant/{VARIANT}"


def release(account: Account, endpoints: Iterable[str]) -> Iterator[str]:
    """End the scaling of these endpoints, and of the project's own, which may be gone before it; what was ended."""
    ours = {endpoint_name(account.names), *endpoints}
    targets = account.ask("application-autoscaling", "describe_scalable_targets", "ScalableTargets[]", **_SERVICE)
    for each in targets:
        if each["ResourceId"].split("/")[1] in ours:
            what = {key: each[key] for key in ("ResourceId", "ScalableDimension")}
            with translated(f"Ending the scaling of {each['ResourceId']}"), unless_gone():
                account.client("application-autoscaling").deregister_scalable_target(**_SERVICE, **what)
            yield each["ResourceId"]


class Alarms:
    """Two a configuration: of its own machines alone, so that an old version's errors can't undo their repair."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def names(self, config: str) -> list[str]:
        return [f"{config}-{what}" for what in ("errors", "slow")]

    def put(self, config: str) -> list[str]:
        """Have the alarms of a configuration; their names. Those that are as they should be stay untouched."""
        errors, slow = self.names(config)
        gates, monitor = self._session.config.gates, self._session.config.monitor
        share = monitor.max_error_rate
        wanted = {
            errors: {  # SageMaker counts a failed request as 1 and any other as 0
                "AlarmDescription": f"More than {share:.2%} of requests end in a server error",
                "MetricName": "Invocation5XXErrors",
                "Statistic": "Average",
                "Threshold": share,
            },
            slow: {
                "AlarmDescription": f"The 95th percentile of predictions takes more than {gates.p95_ms:g} ms",
                "MetricName": "ModelLatency",
                "ExtendedStatistic": "p95",
                "Threshold": gates.p95_ms * 1000,  # microseconds
            },
        }
        told = self._cloudwatch.describe_alarms(AlarmNames=[*wanted])["MetricAlarms"]
        known = {each["AlarmName"]: each["Threshold"] for each in told}
        for name, alarm in wanted.items():
            if known.get(name) != alarm["Threshold"]:
                self._cloudwatch.put_metric_alarm(AlarmName=name, **self._common(config), **alarm)
        return [*wanted]

    def remove(self, configs: Sequence[str]) -> None:
        """Those of these configurations. Nothing there is success."""
        wanted = {name for config in configs for name in self.names(config)}
        self._delete([each["AlarmName"] for each in self._standing() if each["AlarmName"] in wanted])

    def remove_all(self) -> list[str]:
        """Every alarm of an endpoint of this project, whatever became of its configuration; their names."""
        ours = []
        for each in self._standing():
            with unless_gone():
                tags = plain_tags(self._cloudwatch.list_tags_for_resource(ResourceARN=each["AlarmArn"])["Tags"])
                if ENDPOINT in tags and self._account.has_own_tags(tags):
                    ours.append(str(each["AlarmName"]))
        self._delete(ours)
        return ours

    def _standing(self) -> list[dict[str, Any]]:
        prefix = self._account.prefix
        return self._account.ask("cloudwatch", "describe_alarms", "MetricAlarms[]", AlarmNamePrefix=prefix)

    def _delete(self, names: list[str]) -> None:
        if names:
            self._cloudwatch.delete_alarms(AlarmNames=names)

    def _common(self, config: str) -> dict[str, Any]:
        names = self._session.names
        dimensions = {"EndpointName": endpoint_name(names), "VariantName": VARIANT, "EndpointConfigName": config}
        tags = {**self._session.tags, ENDPOINT: endpoint_name(names)}
        topic = f"arn:{partition(names.region)}:sns:{names.region}:{names.account}:{names.prefix}-alarms"
        return {
            "Namespace": "AWS/SageMaker",
            "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
            "Period": 60,
            "EvaluationPeriods": 3,
            "DatapointsToAlarm": 2,
            "ComparisonOperator": "GreaterThanThreshold",
            "TreatMissingData": "notBreaching",  # nobody asks, nobody is failed
            "AlarmActions": [topic],
            "Tags": [{"Key": name, "Value": value} for name, value in tags.items()],
        }

    @cached_property
    def _account(self) -> Account:
        return Account(self._session)

    @cached_property
    def _cloudwatch(self) -> Any:
        return self._session.client("cloudwatch")


class Scaling:
    """Machines between aws.endpoint.instances_min and instances_max, by the requests that each gets."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._what = {"ResourceId": scaled_id(session.names), "ScalableDimension": DIMENSION}

    @property
    def wanted(self) -> bool:
        machines = self._session.settings.endpoint
        return machines.instances_max > machines.instances_min

    def put(self) -> None:
        """Have it so; what is so already stays untouched."""
        if not self.wanted:
            self.remove()
            return
        machines = self._session.settings.endpoint
        limits = {"MinCapacity": machines.instances_min, "MaxCapacity": machines.instances_max}
        target = self._target()
        if {key: target.get(key) for key in limits} != limits:
            self._scaling.register_scalable_target(**_SERVICE, **self._what, **limits)
        policy, target_value = f"{endpoint_name(self._session.names)}-requests", float(machines.invocations_per_minute)
        told = self._scaling.describe_scaling_policies(**_SERVICE, **self._what)["ScalingPolicies"]
        known = {each["PolicyName"]: each["TargetTrackingScalingPolicyConfiguration"]["TargetValue"] for each in told}
        if known.get(policy) != target_value:
            tracked = {
                "TargetValue": target_value,
                "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
                "ScaleOutCooldown": 60,
                "ScaleInCooldown": 300,
            }
            self._scaling.put_scaling_policy(
                **_SERVICE,
                **self._what,
                PolicyName=policy,
                PolicyType="TargetTrackingScaling",
                TargetTrackingScalingPolicyConfiguration=tracked,
            )

    def make_way(self, live: Edition | None, coming: Edition) -> None:
        """An update to another type of machine is refused for as long as the old ones are scaled."""
        if live is None or live.variant.get("InstanceType") != coming.variant.get("InstanceType"):
            self.remove()

    def remove(self) -> bool:
        """Policies and their alarms go with it. Nothing there is success; whether there was something."""
        if not self._target():
            return False
        with unless_gone():
            self._scaling.deregister_scalable_target(**_SERVICE, **self._what)
        return True

    def _target(self) -> dict[str, Any]:
        found = self._scaling.describe_scalable_targets(**_SERVICE, ResourceIds=[self._what["ResourceId"]])
        return next(iter(found["ScalableTargets"]), {})

    @cached_property
    def _scaling(self) -> Any:
        return self._session.client("application-autoscaling")
