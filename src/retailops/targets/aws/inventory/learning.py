"""Floor 4, aws, inventory: SageMaker."""

from __future__ import annotations

from collections.abc import Iterable

from retailops.targets.aws.inventory.account import Account, unless_gone
from retailops.targets.aws.inventory.kind import Facts, Kind, Line, Looking, Price, free, gone_is_none, look, names
from retailops.targets.aws.inventory.network import HOURS

RUNNING = ("InProgress", "Stopping")
_TAGS = ("list_tags", "ResourceArn", "Tags")


def _endpoint(account: Account, id: str) -> Facts | None:
    sagemaker = account.client("sagemaker")
    found = sagemaker.describe_endpoint(EndpointName=id)
    tags = sagemaker.list_tags(ResourceArn=found["EndpointArn"])["Tags"]
    machines: dict[str, int] | None = None
    with unless_gone():  # its config may be gone before it
        config = sagemaker.describe_endpoint_config(EndpointConfigName=found["EndpointConfigName"])
        machines = _machines(config["ProductionVariants"], found.get("ProductionVariants", []))
    return {"tags": tags, "machines": machines, "detail": _many(machines)}


def _machines(wanted: list[Facts], running: list[Facts]) -> dict[str, int]:
    """Instance type → how many; a serverless variant has none, and is paid by request."""
    now = {each["VariantName"]: each.get("CurrentInstanceCount") for each in running}
    found: dict[str, int] = {}
    for each in wanted:
        if "InstanceType" in each:
            count = now.get(each["VariantName"]) or each["InitialInstanceCount"]
            found[each["InstanceType"]] = found.get(each["InstanceType"], 0) + count
    return found


def _many(machines: dict[str, int] | None) -> str | None:
    return None if machines is None else ", ".join(f"{count} × {each}" for each, count in machines.items())


def _machines_price(facts: Facts) -> list[Line] | None:
    """By the hour of each machine, as long as it runs; None when it isn't known what runs."""
    machines: dict[str, int] | None = facts.get("machines")
    return None if machines is None else [Line(f"sagemaker.{each}", n * HOURS) for each, n in machines.items()]


def _job(thing: str, name: str, resources: str) -> Looking:
    """A job that still runs; one that has ended costs nothing, and stays in SageMaker's history."""

    def looking(account: Account, id: str) -> Facts | None:
        import jmespath

        sagemaker = account.client("sagemaker")
        found = getattr(sagemaker, f"describe_{thing}")(**{f"{name}Name": id})
        if found[f"{name}Status"] not in RUNNING:
            return None
        tags = sagemaker.list_tags(ResourceArn=found[f"{name}Arn"])["Tags"]
        machine = jmespath.search(resources, found) or {}
        known = {machine["InstanceType"]: machine.get("InstanceCount", 1)} if machine.get("InstanceType") else None
        return {"tags": tags, "machines": known, "detail": _many(known), "state": found[f"{name}Status"]}

    return gone_is_none(looking)


def _packages(account: Account) -> Iterable[str]:
    summaries = "ModelPackageGroupSummaryList[].ModelPackageGroupName"
    ask = account.ask
    for group in ask("sagemaker", "list_model_package_groups", summaries, NameContains=account.prefix):
        if account.is_named_ours(group):
            packages = "ModelPackageSummaryList[].ModelPackageArn"
            yield from ask("sagemaker", "list_model_packages", packages, ModelPackageGroupName=group)


def _package(account: Account, id: str) -> Facts | None:
    """A version of a group has no tags: it is whose its group is."""
    sagemaker = account.client("sagemaker")
    found = sagemaker.describe_model_package(ModelPackageName=id)
    group = sagemaker.describe_model_package_group(ModelPackageGroupName=found["ModelPackageGroupName"])
    tags = sagemaker.list_tags(ResourceArn=group["ModelPackageGroupArn"])["Tags"]
    version = found.get("ModelPackageVersion", "")
    return {"name": f"{found['ModelPackageGroupName']}/{version}", "tags": tags}


def _thing(
    name: str, thing: str, camel: str, listed: str, *, looking: Looking | None = None, price: Price = free, **more: str
) -> Kind:
    """A kind that SageMaker lists by what its names contain, and describes by its name."""
    words = thing.replace("_", "-")
    return Kind(
        name,
        looking or look("sagemaker", f"describe_{thing}", f"{{arn: {camel}Arn}}", _TAGS, **{f"{camel}Name": "{id}"}),
        names("sagemaker", f"list_{thing}s", f"{listed}[].{camel}Name", NameContains="{prefix}"),
        services=("sagemaker",),
        arn=f":sagemaker:.*:{words}/([^/]+)$",
        price=price,
        remove=more.pop("remove", f"sagemaker delete-{words} --{words}-name"),
        swept=True,
        **more,  # type: ignore[arg-type]
    )


def _running(name: str, thing: str, camel: str, listed: str, resources: str) -> Kind:
    words = thing.replace("_", "-")
    return _thing(
        name,
        thing,
        camel,
        listed,
        looking=_job(thing, camel, resources),
        price=_machines_price,
        remove=f"sagemaker stop-{words} --{words}-name",
    )


LEARNING = (
    Kind(
        "endpoint scaling",
        look(
            "application-autoscaling",
            "describe_scalable_targets",
            "ScalableTargets[0].{detail: join(' to ', [to_string(MinCapacity), to_string(MaxCapacity)])}",
            ServiceNamespace="sagemaker",
            ResourceIds=["{id}"],
        ),
        names(
            "application-autoscaling",
            "describe_scalable_targets",
            "ScalableTargets[].ResourceId",
            ServiceNamespace="sagemaker",
        ),
        services=("application-autoscaling",),
        terraform="aws_appautoscaling_target",
        remove="application-autoscaling deregister-scalable-target --service-namespace sagemaker "
        "--scalable-dimension sagemaker:variant:DesiredInstanceCount --resource-id",
        swept=True,
    ),
    _thing(
        "SageMaker endpoint",
        "endpoint",
        "Endpoint",
        "Endpoints",
        looking=gone_is_none(_endpoint),
        price=_machines_price,
        terraform="aws_sagemaker_endpoint",
    ),
    _thing(
        "endpoint config",
        "endpoint_config",
        "EndpointConfig",
        "EndpointConfigs",
        terraform="aws_sagemaker_endpoint_configuration",
    ),
    _thing("SageMaker model", "model", "Model", "Models", terraform="aws_sagemaker_model"),
    _running(
        "tuning job",
        "hyper_parameter_tuning_job",
        "HyperParameterTuningJob",
        "HyperParameterTuningJobSummaries",
        "TrainingJobDefinition.ResourceConfig",
    ),
    _running("training job", "training_job", "TrainingJob", "TrainingJobSummaries", "ResourceConfig"),
    _running(
        "processing job",
        "processing_job",
        "ProcessingJob",
        "ProcessingJobSummaries",
        "ProcessingResources.ClusterConfig",
    ),
    _running("transform job", "transform_job", "TransformJob", "TransformJobSummaries", "TransformResources"),
    Kind(
        "model package",
        gone_is_none(_package),
        _packages,
        services=("sagemaker",),
        arn=r"^(arn:[^:]+:sagemaker:.*:model-package/.+)$",
        remove="sagemaker delete-model-package --model-package-name",
        swept=True,
    ),
)
REGISTRY = (
    Kind(
        "model package group",
        look(
            "sagemaker",
            "describe_model_package_group",
            "{arn: ModelPackageGroupArn}",
            _TAGS,
            ModelPackageGroupName="{id}",
        ),
        names(
            "sagemaker",
            "list_model_package_groups",
            "ModelPackageGroupSummaryList[].ModelPackageGroupName",
            NameContains="{prefix}",
        ),
        services=("sagemaker",),
        terraform="aws_sagemaker_model_package_group",
        arn=r":sagemaker:.*:model-package-group/(.+)$",
        remove="sagemaker delete-model-package-group --model-package-group-name",
    ),
    Kind(
        "feature group",
        look(
            "sagemaker",
            "describe_feature_group",
            "{arn: FeatureGroupArn, detail: FeatureGroupStatus}",
            _TAGS,
            FeatureGroupName="{id}",
        ),
        names("sagemaker", "list_feature_groups", "FeatureGroupSummaries[].FeatureGroupName", NameContains="{prefix}"),
        services=("sagemaker",),
        terraform="aws_sagemaker_feature_group",
        arn=r":sagemaker:.*:feature-group/(.+)$",
        remove="sagemaker delete-feature-group --feature-group-name",
    ),
)
