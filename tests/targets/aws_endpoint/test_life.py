"""From the first version to the next and back, over servers that really answer."""

from __future__ import annotations

import json
from typing import Any

import pytest

from emulator import Emulator
from emulator.planting import PREFIX
from retailops.errors import NotReady, UsageError
from retailops.progress import Silent

pytestmark = pytest.mark.slow  # each trains once for all, and starts servers

QUIET = Silent()
NAME = f"{PREFIX}-api"


def test_the_first_version_comes_into_service_proved_scaled_and_watched(place: Any, watcher: Any) -> None:
    model = place.model(1)
    endpoint = place.serving().roll_out(model, watcher)
    assert (endpoint.state, endpoint.version) == ("ready", 1)
    assert endpoint.url == f"https://runtime.sagemaker.ap-southeast-1.amazonaws.com/endpoints/{NAME}/invocations"
    assert endpoint.detail["bundle_hash"] == model.run.bundle_hash
    assert (endpoint.detail["instance"], endpoint.detail["instances"]) == ("ml.m5.large", 1)
    assert place.version == 1
    golden = json.loads((model.run.bundle / "golden.json").read_text())
    assert ("note", f"{len(golden)} golden rows came out of the endpoint as they did in training") in watcher.told
    assert len(place.hosting.invoked) == len(golden) + 1
    (config,) = place.standing()["configs"]
    assert place.standing() == {
        "endpoints": [NAME],
        "configs": [config],
        "models": place.standing()["models"],
        "targets": [f"endpoint/{NAME}/variant/live 1-2"],
        "policies": [f"{NAME}-requests"],
        "alarms": [f"{config}-errors", f"{config}-slow"],
        "tracking": ["High", "Low"],
    }
    assert place.shelf.built == [1]


def test_what_sagemaker_is_asked_for_is_encrypted_shut_in_and_of_its_own_role(place: Any, aws: Emulator) -> None:
    place.serving(deploy="max_lines: 77").roll_out(place.model(1), QUIET)
    sagemaker = aws.client("sagemaker")
    (config,), (model,) = place.standing()["configs"], place.standing()["models"]
    made = sagemaker.describe_model(ModelName=model)
    assert made["ExecutionRoleArn"].endswith(f":role/{PREFIX}-endpoint")
    assert made["PrimaryContainer"]["Image"] == place.shelf.find(place.model(1)).reference
    words = made["PrimaryContainer"]["Environment"]["SERVING_ARGUMENTS"].split()
    assert {"--version=1", "--max-lines=77", "--max-baskets=1000", "--retention-days=14"} <= set(words)
    told = sagemaker.describe_endpoint_config(EndpointConfigName=config)
    assert ":key/" in told["KmsKeyId"]
    (variant,) = told["ProductionVariants"]
    assert (variant["InstanceType"], variant["InitialInstanceCount"]) == ("ml.m5.large", 1)
    alarms = {each["AlarmName"]: each for each in aws.client("cloudwatch").describe_alarms()["MetricAlarms"]}
    slow, errors = alarms[f"{config}-slow"], alarms[f"{config}-errors"]
    assert (slow["MetricName"], slow["ExtendedStatistic"], slow["Threshold"]) == ("ModelLatency", "p95", 200_000.0)
    assert (errors["MetricName"], errors["Statistic"], errors["Threshold"]) == ("Invocation5XXErrors", "Average", 0.01)
    watched = {each["Name"]: each["Value"] for each in slow["Dimensions"]}
    assert watched == {"EndpointName": NAME, "VariantName": "live", "EndpointConfigName": config}
    (group,) = aws.client("logs").describe_log_groups(logGroupNamePrefix="/aws/sagemaker/Endpoints")["logGroups"]
    assert group["retentionInDays"] == 14 and "kmsKeyId" in group


def test_every_name_bears_the_project_s_tags(place: Any, aws: Emulator) -> None:
    place.serving().roll_out(place.model(1), QUIET)
    sagemaker = aws.client("sagemaker")
    standing = place.standing()
    arns = [
        sagemaker.describe_model(ModelName=standing["models"][0])["ModelArn"],
        sagemaker.describe_endpoint_config(EndpointConfigName=standing["configs"][0])["EndpointConfigArn"],
        sagemaker.describe_endpoint(EndpointName=NAME)["EndpointArn"],
    ]
    for arn in arns:
        tags = {each["Key"]: each["Value"] for each in sagemaker.list_tags(ResourceArn=arn)["Tags"]}
        assert tags["retailops:project"] == "retail-demo" and tags["retailops:environment"] == "dev"


def test_the_next_version_takes_its_place_and_the_first_is_kept_for_the_way_back(place: Any) -> None:
    place.serving().roll_out(place.model(1), QUIET)
    (first,) = place.standing()["configs"]
    endpoint = place.serving().roll_out(place.model(2), QUIET)
    assert endpoint.version == place.version == 2
    (update,) = place.hosting.updates
    assert update["RetainAllVariantProperties"], "as many machines as the load has brought"
    policy = update["DeploymentConfig"]["BlueGreenUpdatePolicy"]
    assert policy["TrafficRoutingConfiguration"]["Type"] == "ALL_AT_ONCE" and policy["TerminationWaitInSeconds"] == 300
    second = update["EndpointConfigName"]
    ringing = [each["AlarmName"] for each in update["DeploymentConfig"]["AutoRollbackConfiguration"]["Alarms"]]
    assert ringing == [f"{second}-errors", f"{second}-slow"]
    standing = place.standing()
    assert standing["configs"] == sorted([first, second]) and len(standing["models"]) == 2
    assert standing["alarms"] == ringing, "one version is watched: the live one"


def test_the_same_version_again_is_proved_again_and_nothing_is_done(place: Any) -> None:
    place.serving().roll_out(place.model(1), QUIET)
    standing, asked = place.standing(), len(place.hosting.invoked)
    place.asked.clear()
    endpoint = place.serving().roll_out(place.model(1), QUIET)
    assert place.asked == [] and place.standing() == standing
    assert endpoint.state == "ready" and len(place.hosting.invoked) > asked


def test_a_rollback_undoes_the_last_deploy_once_and_goes_to_a_version_by_its_number(place: Any) -> None:
    for version in (1, 2, 3):
        place.serving().roll_out(place.registered(version), QUIET)
    live = place.serving().endpoint()
    assert [each.version for each in live.before] == [1, 2] and not live.returned
    assert place.serving().roll_back(None, QUIET).version == place.version == 2
    place.asked.clear()
    again = place.serving().roll_back(None, QUIET)
    assert (again.version, again.returned, place.asked) == (2, True, []), "repeated, it goes neither back nor forth"
    assert place.serving().roll_back(1, QUIET).version == place.version == 1
    assert place.serving().roll_out(place.registered(3), QUIET).returned is False
    assert place.serving().roll_back(None, QUIET).version == place.version == 1


def test_limits_come_back_with_the_version_that_had_them(place: Any) -> None:
    place.serving(deploy="max_baskets: 2").roll_out(place.registered(1), QUIET)
    place.serving(deploy="max_baskets: 9").roll_out(place.registered(2), QUIET)
    endpoint = place.serving(deploy="max_baskets: 9").roll_back(None, QUIET)
    assert endpoint.settings["deploy.max_baskets"] == 2 and endpoint.settings["deploy.body_timeout_s"] == 5.0
    baskets = [json.loads((place.bundles[0] / "golden.json").read_text())[0]["basket"]] * 3
    runtime = place.aws.client("sagemaker-runtime")
    with pytest.raises(runtime.exceptions.ModelError, match="at most 2 are taken"):
        runtime.invoke_endpoint(
            EndpointName=NAME, ContentType="application/json", Body=json.dumps({"baskets": baskets})
        )


@pytest.mark.parametrize("lost", ["image", "model", "version"])
def test_a_way_back_that_no_longer_loads_changes_nothing(place: Any, aws: Emulator, lost: str) -> None:
    place.serving().roll_out(place.registered(1), QUIET)
    (model,) = place.standing()["models"]
    place.serving().roll_out(place.registered(2), QUIET)
    if lost == "image":
        aws.client("ecr").batch_delete_image(repositoryName=PREFIX, imageIds=[{"imageTag": "api-1"}])
    elif lost == "model":
        aws.client("sagemaker").delete_model(ModelName=model)
    else:
        packages = aws.client("sagemaker").list_model_packages(ModelPackageGroupName=PREFIX)
        arns = [each["ModelPackageArn"] for each in packages["ModelPackageSummaryList"]]
        aws.client("sagemaker").delete_model_package(ModelPackageName=min(arns))
    place.asked.clear()
    with pytest.raises(NotReady):
        place.serving().roll_back(None, QUIET)
    assert place.asked == [] and place.version == 2


def test_without_anything_before_there_is_no_way_back(place: Any) -> None:
    with pytest.raises(NotReady, match="Nothing is deployed"):
        place.serving().roll_back(None, QUIET)
    place.serving().roll_out(place.registered(1), QUIET)
    with pytest.raises(NotReady, match="Nothing served before version 1"):
        place.serving().roll_back(None, QUIET)
    with pytest.raises(UsageError, match="Version 7 never served here"):
        place.serving().roll_back(7, QUIET)


def test_only_as_many_are_kept_as_a_way_back_needs(place: Any) -> None:
    for version in (1, 2, 3):
        for lines in (101, 102):
            place.serving(deploy=f"max_lines: {lines}").roll_out(place.model(version), QUIET)
    standing = place.standing()
    assert len(standing["configs"]) == len(standing["models"]) == 4, "the live one, and three before it"
    assert place.version == 3


def test_its_servers_log_is_read_from_all_machines(place: Any) -> None:
    with pytest.raises(NotReady):
        list(place.serving().logs(10, follow=False))
    place.serving().roll_out(place.model(1), QUIET)
    place.serving().roll_out(place.model(2), QUIET)
    lines = list(place.serving().logs(100, follow=False))
    assert sum("Model version 1 serves" in line for line in lines) == 1
    assert sum("Model version 2 serves" in line for line in lines) == 1
    assert list(place.serving().logs(1, follow=False)) == lines[-1:]
    assert list(place.serving().logs(0, follow=False)) == []
