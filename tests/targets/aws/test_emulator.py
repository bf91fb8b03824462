"""What the test kit adds to moto for Terraform's sake, asked as the provider asks it."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from emulator import Emulator, grounds


@pytest.fixture
def eks(aws: Emulator) -> Any:
    client = aws.client("eks")
    client.create_cluster(
        name="shop",
        roleArn=f"arn:aws:iam::{aws.account}:role/cluster",
        resourcesVpcConfig={"subnetIds": []},
        accessConfig={"authenticationMode": "API"},
        upgradePolicy={"supportType": "STANDARD"},
    )
    return client


def test_an_addon_is_there_until_it_is_deleted_or_its_cluster(eks: Any, aws: Emulator) -> None:
    asked = {"clusterName": "shop", "addonName": "coredns", "clientRequestToken": "once", "tags": {"a": "b"}}
    assert eks.create_addon(**asked)["addon"]["status"] == "ACTIVE"
    assert eks.create_addon(**asked)["addon"]["tags"] == {"a": "b"}
    with pytest.raises(ClientError, match="already exists"):
        eks.create_addon(**{**asked, "clientRequestToken": "twice"})
    eks.update_addon(clusterName="shop", addonName="coredns", configurationValues="{}")
    assert eks.describe_addon(clusterName="shop", addonName="coredns")["addon"]["configurationValues"] == "{}"
    eks.delete_addon(clusterName="shop", addonName="coredns")
    assert eks.list_addons(clusterName="shop")["addons"] == []
    with pytest.raises(ClientError, match="ResourceNotFoundException"):
        eks.describe_addon(clusterName="shop", addonName="coredns")


def test_a_cluster_remembers_how_it_was_asked_for_and_takes_another_version(eks: Any) -> None:
    cluster = eks.describe_cluster(name="shop")["cluster"]
    assert cluster["accessConfig"]["authenticationMode"] == "API"
    assert cluster["upgradePolicy"]["supportType"] == "STANDARD"
    update = eks.update_cluster_version(name="shop", version="1.35")["update"]
    assert eks.describe_update(name="shop", updateId=update["id"])["update"]["status"] == "Successful"
    assert eks.describe_cluster(name="shop")["cluster"]["version"] == "1.35"
    eks.update_cluster_config(name="shop", resourcesVpcConfig={"endpointPublicAccess": False})
    assert eks.describe_cluster(name="shop")["cluster"]["resourcesVpcConfig"]["subnetIds"] == []


def test_the_scaling_group_of_nodes_carries_tags_and_has_no_invented_key(eks: Any, aws: Emulator) -> None:
    role = f"arn:aws:iam::{aws.account}:role/nodes"
    eks.create_nodegroup(clusterName="shop", nodegroupName="base", nodeRole=role, subnets=[])
    nodes = eks.describe_nodegroup(clusterName="shop", nodegroupName="base")["nodegroup"]
    assert "remoteAccess" not in nodes
    (group,) = nodes["resources"]["autoScalingGroups"]
    scaling = aws.client("autoscaling")
    tag = {"ResourceId": group["name"], "ResourceType": "auto-scaling-group", "Key": "owner", "Value": "a<b"}
    scaling.create_or_update_tags(Tags=[{**tag, "PropagateAtLaunch": True}])
    asked = [{"Name": "auto-scaling-group", "Values": [group["name"]]}]
    (found,) = scaling.describe_tags(Filters=asked)["Tags"]
    assert (found["Value"], found["PropagateAtLaunch"]) == ("a<b", True)
    scaling.delete_tags(Tags=[{"ResourceId": tag["ResourceId"], "ResourceType": tag["ResourceType"], "Key": "owner"}])
    assert scaling.describe_tags(Filters=asked)["Tags"] == []


def test_a_budget_tells_its_tags_and_who_is_told(aws: Emulator) -> None:
    budgets = aws.client("budgets")
    limit = {"Amount": "250", "Unit": "USD"}
    budget = {"BudgetName": "shop", "BudgetType": "COST", "TimeUnit": "MONTHLY", "BudgetLimit": limit}
    notice = {"NotificationType": "ACTUAL", "ComparisonOperator": "GREATER_THAN", "Threshold": 80.0}
    people = [{"SubscriptionType": "EMAIL", "Address": "a@example.com"}]
    budgets.create_budget(
        AccountId=aws.account,
        Budget=budget,
        NotificationsWithSubscribers=[{"Notification": notice, "Subscribers": people}],
        ResourceTags=[{"Key": "owner", "Value": "team"}],
    )
    arn = f"arn:aws:budgets::{aws.account}:budget/shop"
    assert budgets.list_tags_for_resource(ResourceARN=arn)["ResourceTags"] == [{"Key": "owner", "Value": "team"}]
    told = budgets.describe_subscribers_for_notification(AccountId=aws.account, BudgetName="shop", Notification=notice)
    assert told["Subscribers"] == people


def test_a_bucket_that_wants_tls_takes_what_comes_by_it_and_tells_of_event_bridge(aws: Emulator) -> None:
    s3 = aws.client("s3")
    s3.create_bucket(Bucket="shop", CreateBucketConfiguration={"LocationConstraint": aws.region})
    s3.put_bucket_notification_configuration(Bucket="shop", NotificationConfiguration={"EventBridgeConfiguration": {}})
    assert s3.get_bucket_notification_configuration(Bucket="shop")["EventBridgeConfiguration"] == {}
    deny = '{"Effect": "Deny", "Principal": {"AWS": "*"}, "Action": "s3:*", "Resource": "arn:aws:s3:::shop/*"%s}'
    insecure = ', "Condition": {"Bool": {"aws:SecureTransport": "false"}}'
    s3.put_bucket_policy(Bucket="shop", Policy=f'{{"Version": "2012-10-17", "Statement": [{deny % insecure}]}}')
    s3.put_object(Bucket="shop", Key="taken", Body=b"")
    s3.put_bucket_policy(Bucket="shop", Policy=f'{{"Version": "2012-10-17", "Statement": [{deny % ""}]}}')
    with pytest.raises(ClientError, match="403"):
        s3.put_object(Bucket="shop", Key="refused", Body=b"")


def test_a_feature_group_is_described_as_it_was_asked_for(aws: Emulator) -> None:
    sagemaker = aws.client("sagemaker")
    sagemaker.create_feature_group(
        FeatureGroupName="shop-store",
        Description="Stores",
        RecordIdentifierFeatureName="store",
        EventTimeFeatureName="at",
        FeatureDefinitions=[{"FeatureName": name, "FeatureType": "String"} for name in ("store", "at")],
        RoleArn=f"arn:aws:iam::{aws.account}:role/sagemaker",
        OnlineStoreConfig={"EnableOnlineStore": True},
        OfflineStoreConfig={"S3StorageConfig": {"S3Uri": "s3://shop/features"}, "DisableGlueTableCreation": True},
    )
    found = sagemaker.describe_feature_group(FeatureGroupName="shop-store")
    assert (found["Description"], found["OnlineStoreConfig"]) == ("Stores", {"EnableOnlineStore": True})
    assert "DataCatalogConfig" not in found["OfflineStoreConfig"]
    sagemaker.delete_feature_group(FeatureGroupName="shop-store")
    with pytest.raises(ClientError, match="ResourceNotFound"):
        sagemaker.describe_feature_group(FeatureGroupName="shop-store")


def test_a_record_gives_way_to_one_that_is_not_earlier_and_a_mark_keeps_older_ones_out(aws: Emulator) -> None:
    grounds.lay(aws)
    grounds.store(aws)
    runtime = aws.client("sagemaker-featurestore-runtime")
    key = {"FeatureGroupName": "retail-demo-dev-store", "RecordIdentifierValueAsString": "s"}

    def put(time: str, region: str, stores: list[str]) -> None:
        values = {"record_id": "s", "event_time": time, "store_region": region}
        record = [{"FeatureName": name, "ValueAsString": value} for name, value in values.items()]
        runtime.put_record(FeatureGroupName=key["FeatureGroupName"], Record=record, TargetStores=stores)

    def region() -> str | None:
        found = runtime.get_record(**key, FeatureNames=["store_region"]).get("Record")
        return found[0]["ValueAsString"] if found else None

    put("2007-01-02T00:00:00Z", "E02", ["OnlineStore"])
    put("2007-01-01T00:00:00Z", "E01", ["OnlineStore"])
    assert region() == "E02"
    runtime.delete_record(**key, EventTime="2007-01-03T00:00:00Z", TargetStores=["OnlineStore"])
    put("2007-01-02T00:00:00Z", "E02", ["OnlineStore"])
    assert region() is None
    put("2007-01-04T00:00:00Z", "E04", ["OnlineStore", "OfflineStore"])
    with pytest.raises(ClientError, match="later"):
        runtime.delete_record(**key, EventTime="2007-01-04T00:00:00Z", DeletionMode="HardDelete")
    runtime.delete_record(**key, EventTime="2007-01-05T00:00:00Z", DeletionMode="HardDelete")
    put("2007-01-01T00:00:00Z", "E01", ["OnlineStore"])
    assert region() == "E01"
    gold = aws.client("s3").list_objects_v2(Bucket=f"retail-demo-dev-gold-{aws.account}")["Contents"]
    assert [each["Key"].partition("/data/")[2][:31] for each in gold] == [
        "year=2007/month=01/day=04/hour=",
        "year=2007/month=01/day=05/hour=",
    ]


def test_records_are_judged_before_they_are_taken(aws: Emulator) -> None:
    grounds.store(aws)
    runtime = aws.client("sagemaker-featurestore-runtime")
    good = {"record_id": "c", "event_time": "2007-01-02T00:00:00Z", "baskets": "1"}
    for wrong in ({"record_id": ""}, {"event_time": "yesterday"}, {"baskets": "1.5"}, {"shoe_size": "46"}):
        record = [{"FeatureName": name, "ValueAsString": value} for name, value in {**good, **wrong}.items()]
        with pytest.raises(ClientError, match="ValidationError"):
            runtime.put_record(FeatureGroupName="retail-demo-dev-customer", Record=record)
    with pytest.raises(ClientError, match="does not exist"):
        runtime.get_record(FeatureGroupName="none", RecordIdentifierValueAsString="c")
    many = {"FeatureGroupName": "retail-demo-dev-customer", "RecordIdentifiersValueAsString": ["c", "c"]}
    with pytest.raises(ClientError, match="each once"):
        runtime.batch_get_record(Identifiers=[many])


def training(**changes: Any) -> dict[str, Any]:
    return {
        "TrainingJobName": "one",
        "AlgorithmSpecification": {"TrainingImage": "some", "TrainingInputMode": "File"},
        "RoleArn": "arn:aws:iam::123456789012:role/some",
        "OutputDataConfig": {"S3OutputPath": "s3://some"},
        "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 60},
        **changes,
    }


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "ResourceInUse"),
        ({"TrainingJobName": "two", "EnableManagedSpotTraining": True}, "MaxWaitTimeInSeconds"),
        (
            {
                "TrainingJobName": "two",
                "EnableManagedSpotTraining": True,
                "StoppingCondition": {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 59},
            },
            "MaxWaitTimeInSeconds",
        ),
        (
            {
                "TrainingJobName": "two",
                "ResourceConfig": {"InstanceType": "ml.m9.pocket", "InstanceCount": 1, "VolumeSizeInGB": 1},
            },
            "enum value set",
        ),
    ],
)
def test_a_training_job_that_sagemaker_would_refuse_is_refused(
    aws: Emulator, changes: dict[str, Any], words: str
) -> None:
    sagemaker = aws.client("sagemaker")
    sagemaker.create_training_job(**training())
    with pytest.raises(ClientError, match=words):
        sagemaker.create_training_job(**training(**changes))
