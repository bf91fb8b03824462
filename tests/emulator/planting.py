"""Things as they are left behind in an account: what a test plants, and how each is pulled out again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from emulator.server import Emulator

OURS = {
    "retailops:project": "retail-demo",
    "retailops:environment": "dev",
    "retailops:managed-by": "retailops",
}
PREFIX = "retail-demo-dev"
_MANIFEST = {
    "schemaVersion": 2,
    "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
    "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 7023, "digest": "sha256:b5b2"},
    "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar", "size": 32654, "digest": "sha256:e692"}],
}


def tag_list(tags: Mapping[str, str] = OURS, key: str = "Key", value: str = "Value") -> list[dict[str, str]]:
    return [{key: name, value: text} for name, text in tags.items()]


def tagged(kind: str, tags: Mapping[str, str] = OURS) -> list[dict[str, Any]]:
    """EC2's TagSpecifications."""
    return [{"ResourceType": kind, "Tags": tag_list(tags)}]


@dataclass(frozen=True)
class Plant:
    kind: str  # as the inventory calls it
    name: str
    pull: Callable[[], object]


class Garden:
    """Plants in an emulated account."""

    def __init__(self, aws: Emulator) -> None:
        self._aws = aws
        self._ec2 = aws.client("ec2")
        self.subnets = [each["SubnetId"] for each in self._ec2.describe_subnets()["Subnets"]][:2]

    def orphans(self) -> list[Plant]:
        """Twelve kinds, as retailops tags and names them."""
        return [
            self.volume(),
            self.address(),
            self.nat(),
            self.balancer(),
            self.log_group("/aws/lambda/forgotten"),
            self.endpoint(),
            self.bucket("somebodys-export"),
            self.repository(),
            self.key(),
            self.instance(),
            self.topic(),
            self.snapshot(),
        ]

    def volume(self, tags: Mapping[str, str] = OURS) -> Plant:
        made = self._ec2.create_volume(
            Size=100, VolumeType="gp3", AvailabilityZone="ap-southeast-1a", TagSpecifications=tagged("volume", tags)
        )["VolumeId"]
        return Plant("EBS volume", made, lambda: self._ec2.delete_volume(VolumeId=made))

    def address(self) -> Plant:
        made = self._ec2.allocate_address(Domain="vpc", TagSpecifications=tagged("elastic-ip"))["AllocationId"]
        return Plant("Elastic IP", made, lambda: self._ec2.release_address(AllocationId=made))

    def nat(self) -> Plant:
        made = self._ec2.create_nat_gateway(
            SubnetId=self.subnets[0], ConnectivityType="private", TagSpecifications=tagged("natgateway")
        )["NatGateway"]["NatGatewayId"]
        return Plant("NAT gateway", made, lambda: self._ec2.delete_nat_gateway(NatGatewayId=made))

    def balancer(self, name: str = "forgotten", tags: Mapping[str, str] = OURS) -> Plant:
        elbv2 = self._aws.client("elbv2")
        made = elbv2.create_load_balancer(Name=name, Subnets=self.subnets, Tags=tag_list(tags))["LoadBalancers"][0]
        arn = made["LoadBalancerArn"]
        return Plant("load balancer", name, lambda: elbv2.delete_load_balancer(LoadBalancerArn=arn))

    def target_group(self, name: str, tags: Mapping[str, str]) -> Plant:
        elbv2 = self._aws.client("elbv2")
        network = self._ec2.describe_vpcs()["Vpcs"][0]["VpcId"]
        made = elbv2.create_target_group(Name=name, Protocol="HTTP", Port=80, VpcId=network, Tags=tag_list(tags))
        arn = made["TargetGroups"][0]["TargetGroupArn"]
        return Plant("target group", name, lambda: elbv2.delete_target_group(TargetGroupArn=arn))

    def log_group(self, name: str, tags: Mapping[str, str] = OURS) -> Plant:
        logs = self._aws.client("logs")
        logs.create_log_group(logGroupName=name, tags=dict(tags))
        return Plant("log group", name, lambda: logs.delete_log_group(logGroupName=name))

    def endpoint(self, name: str = f"{PREFIX}-api", tags: Mapping[str, str] = OURS) -> Plant:
        """An endpoint whose model and config went before it: it serves, and is paid, all the same."""
        sagemaker = self._aws.client("sagemaker")
        image = {"Image": "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/api:1", "ModelDataUrl": "s3://some/model"}
        role = f"arn:aws:iam::{self._aws.account}:role/some"
        sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer=image)
        variant = {"VariantName": "all", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        sagemaker.create_endpoint_config(EndpointConfigName="else", ProductionVariants=[variant])
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName="else", Tags=tag_list(tags))
        sagemaker.delete_model(ModelName=name)
        return Plant("SageMaker endpoint", name, lambda: sagemaker.delete_endpoint(EndpointName=name))

    def bucket(self, name: str, tags: Mapping[str, str] = OURS, versions: int = 3) -> Plant:
        """Versioned, with a few versions of one object and a delete marker on top."""
        s3 = self._aws.client("s3")
        s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": self._aws.region})
        s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})
        if tags:
            s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": tag_list(tags)})
        for number in range(versions):
            s3.put_object(Bucket=name, Key="rows.csv", Body=b"x" * (number + 1))
        if versions:
            s3.delete_object(Bucket=name, Key="rows.csv")

        def pull() -> None:
            found = s3.list_object_versions(Bucket=name)
            for each in [*found.get("Versions", []), *found.get("DeleteMarkers", [])]:
                s3.delete_object(Bucket=name, Key=each["Key"], VersionId=each["VersionId"])
            s3.delete_bucket(Bucket=name)

        return Plant("S3 bucket", name, pull)

    def repository(self) -> Plant:
        ecr, name = self._aws.client("ecr"), f"{PREFIX}-old"
        ecr.create_repository(repositoryName=name, tags=tag_list())
        ecr.put_image(repositoryName=name, imageManifest=json.dumps(_MANIFEST), imageTag="1")
        return Plant("ECR repository", name, lambda: ecr.delete_repository(repositoryName=name, force=True))

    def key(self, tags: Mapping[str, str] = OURS) -> Plant:
        kms = self._aws.client("kms")
        made = kms.create_key(Tags=tag_list(tags, "TagKey", "TagValue"))["KeyMetadata"]["KeyId"]
        return Plant("KMS key", made, lambda: kms.schedule_key_deletion(KeyId=made, PendingWindowInDays=7))

    def instance(self) -> Plant:
        image = self._ec2.describe_images()["Images"][0]["ImageId"]
        made = self._ec2.run_instances(
            ImageId=image, InstanceType="t3.medium", MinCount=1, MaxCount=1, TagSpecifications=tagged("instance")
        )["Instances"][0]["InstanceId"]
        return Plant("EC2 instance", made, lambda: self._ec2.terminate_instances(InstanceIds=[made]))

    def topic(self) -> Plant:
        sns, name = self._aws.client("sns"), f"{PREFIX}-alarms"
        made = sns.create_topic(Name=name, Tags=tag_list())["TopicArn"]
        return Plant("SNS topic", name, lambda: sns.delete_topic(TopicArn=made))

    def snapshot(self) -> Plant:
        disk = self._ec2.create_volume(Size=30, AvailabilityZone="ap-southeast-1a")["VolumeId"]
        made = self._ec2.create_snapshot(VolumeId=disk, TagSpecifications=tagged("snapshot"))["SnapshotId"]
        return Plant("snapshot", made, lambda: self._ec2.delete_snapshot(SnapshotId=made))
