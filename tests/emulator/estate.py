"""A whole project as it stands, without Terraform: what teardown's own steps remove, and a destroy that is played."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from moto.eks.models import eks_backends
from moto.sagemaker.models import sagemaker_backends

from emulator.planting import OURS, PREFIX, Garden, tag_list
from emulator.server import Emulator
from retailops.progress import Progress

ZONES = ("raw", "silver", "gold", "models", "quarantine", "logs", "trail")
KEPT = ("raw", "silver", "gold", "models", "quarantine")


@dataclass
class Builder:
    """Plays AwsInfra: `destroy` runs what it was given, the last first; `forget` takes addresses out of the state."""

    built: dict[str, Callable[[], object]] = field(default_factory=dict)
    forgotten: list[str] = field(default_factory=list)
    destroyed: int = 0
    before: Callable[[], None] = lambda: None

    def destroy(self, progress: Progress) -> None:
        self.destroyed += 1
        self.before()
        for address in reversed(list(self.built)):
            self.built[address]()
            del self.built[address]

    def forget(self, addresses: list[str]) -> None:
        self.forgotten += addresses
        for address in addresses:
            self.built.pop(address, None)


class Estate:
    def __init__(self, aws: Emulator) -> None:
        self.aws = aws
        self.garden = Garden(aws)
        self.infra = Builder()
        self._region = aws.region

    def name(self, zone: str) -> str:
        return f"{PREFIX}-{zone}-{self.aws.account}"

    def build(self) -> None:
        """Everything: buckets with a key, a cluster, an endpoint, a running job, a registered version, log groups."""
        self.lake()
        self.endpoint()
        self.job(f"{PREFIX}-train-1", OURS)
        self.package()
        self.garden.log_group(f"{PREFIX}/etl")
        self.garden.log_group(f"/aws/eks/{PREFIX}/cluster", {})  # EKS makes it, and tags nothing

    def lake(self) -> None:
        self.state()
        kms, s3 = self.aws.client("kms"), self.aws.client("s3")
        key = kms.create_key(Tags=tag_list(OURS, "TagKey", "TagValue"))["KeyMetadata"]
        kms.create_alias(AliasName=f"alias/{PREFIX}-data", TargetKeyId=key["KeyId"])
        rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key["Arn"]}}
        resources = [
            _resource("aws_kms_key", "data", {"id": key["KeyId"], "key_id": key["KeyId"], "arn": key["Arn"]}),
            _resource("aws_kms_alias", "data", {"id": f"alias/{PREFIX}-data", "target_key_id": key["KeyId"]}),
        ]
        self.infra.built['aws_kms_key.main["data"]'] = lambda: kms.schedule_key_deletion(KeyId=key["KeyId"])
        self.infra.built['aws_kms_alias.main["data"]'] = lambda: kms.delete_alias(AliasName=f"alias/{PREFIX}-data")
        for zone in ZONES:
            name = self.name(zone)
            self.garden.bucket(name)
            if zone in KEPT:
                s3.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})
                default = [{"kms_master_key_id": key["Arn"], "sse_algorithm": "aws:kms"}]
                encrypted = {"id": name, "bucket": name, "rule": [{"apply_server_side_encryption_by_default": default}]}
                resources.append(
                    _resource("aws_s3_bucket_server_side_encryption_configuration", zone, encrypted, "zone")
                )
            resources.append(_resource("aws_s3_bucket", zone, {"id": name, "bucket": name}, "zone"))
            resources.append(_resource("aws_s3_bucket_versioning", zone, {"id": name, "bucket": name}, "zone"))
            self.infra.built[f'aws_s3_bucket.zone["{zone}"]'] = lambda name=name: s3.delete_bucket(Bucket=name)
        self.write_state(resources)

    def state(self) -> None:
        self.garden.bucket(self.name("tfstate"), versions=0)
        self.write_state([])

    def write_state(self, resources: list[dict[str, Any]]) -> None:
        body = json.dumps({"version": 4, "resources": resources}).encode()
        s3 = self.aws.client("s3")
        s3.put_object(Bucket=self.name("tfstate"), Key="infra/terraform.tfstate", Body=body)
        self.infra.built.setdefault("the state itself", self._empty_state)

    def _empty_state(self) -> None:
        body = json.dumps({"version": 4, "resources": []}).encode()
        self.aws.client("s3").put_object(Bucket=self.name("tfstate"), Key="infra/terraform.tfstate", Body=body)

    def cluster(self, endpoint: str) -> None:
        """Our EKS cluster, its API at `endpoint`."""
        eks = self.aws.client("eks")
        role = f"arn:aws:iam::{self.aws.account}:role/some"
        subnets = {"subnetIds": self.garden.subnets}
        eks.create_cluster(name=PREFIX, roleArn=role, resourcesVpcConfig=subnets, tags=OURS)
        eks_backends[self.aws.account][self._region].clusters[PREFIX].endpoint = endpoint
        self.infra.built["aws_eks_cluster.main"] = lambda: eks.delete_cluster(name=PREFIX)

    def endpoint(self) -> None:
        sagemaker = self.aws.client("sagemaker")
        image = {"Image": "123456789012.dkr.ecr.ap-southeast-1.amazonaws.com/api:1", "ModelDataUrl": "s3://some/model"}
        role, name, tags = f"arn:aws:iam::{self.aws.account}:role/some", f"{PREFIX}-api", tag_list()
        sagemaker.create_model(ModelName=name, ExecutionRoleArn=role, PrimaryContainer=image, Tags=tags)
        variant = {"VariantName": "all", "ModelName": name, "InitialInstanceCount": 1, "InstanceType": "ml.m5.large"}
        sagemaker.create_endpoint_config(EndpointConfigName=name, ProductionVariants=[variant], Tags=tags)
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name, Tags=tags)

    def job(self, name: str, tags: dict[str, str]) -> None:
        """A training job that still runs."""
        self.aws.client("sagemaker").create_training_job(
            TrainingJobName=name,
            AlgorithmSpecification={"TrainingImage": "some", "TrainingInputMode": "File"},
            RoleArn=f"arn:aws:iam::{self.aws.account}:role/some",
            OutputDataConfig={"S3OutputPath": "s3://some"},
            ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            StoppingCondition={"MaxRuntimeInSeconds": 60},
            Tags=tag_list(tags),
        )
        backend = sagemaker_backends[self.aws.account][self._region]
        backend.training_jobs[name].training_job_status = "InProgress"

    def package(self) -> None:
        sagemaker = self.aws.client("sagemaker")
        sagemaker.create_model_package_group(ModelPackageGroupName=PREFIX, Tags=tag_list())
        container = {"Image": "some", "ModelDataUrl": "s3://some/model"}
        sagemaker.create_model_package(
            ModelPackageGroupName=PREFIX,
            InferenceSpecification={
                "Containers": [container],
                "SupportedContentTypes": ["text/csv"],
                "SupportedResponseMIMETypes": ["text/csv"],
            },
        )
        self.infra.built["aws_sagemaker_model_package_group.main"] = lambda: sagemaker.delete_model_package_group(
            ModelPackageGroupName=PREFIX
        )


def _resource(kind: str, key: str, values: dict[str, Any], name: str = "main") -> dict[str, Any]:
    return {"mode": "managed", "type": kind, "name": name, "instances": [{"index_key": key, "attributes": values}]}
