"""Floor 4, aws: which calls create something that can be left behind, and where its name stands in call and answer.

`service.Operation` → (kind, as the inventory calls it; where its id is; where its name is). The paths are looked up in
the call's parameters and the answer together. A create call of ours that isn't here fails a test.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

CREATIONS: dict[str, tuple[str, str, str]] = {
    "application-autoscaling.RegisterScalableTarget": ("endpoint scaling", "ResourceId", "ResourceId"),
    "athena.CreateWorkGroup": ("Athena workgroup", "Name", "Name"),
    "cloudwatch.PutDashboard": ("dashboard", "DashboardName", "DashboardName"),
    "cloudwatch.PutMetricAlarm": ("alarm", "AlarmName", "AlarmName"),
    "ec2.AllocateAddress": ("Elastic IP", "AllocationId", "PublicIp"),
    "ec2.CreateNatGateway": ("NAT gateway", "NatGateway.NatGatewayId", "NatGateway.NatGatewayId"),
    "ec2.CreateSnapshot": ("snapshot", "SnapshotId", "SnapshotId"),
    "ec2.CreateVolume": ("EBS volume", "VolumeId", "VolumeId"),
    "ec2.RunInstances": ("EC2 instance", "Instances[].InstanceId", "Instances[].InstanceId"),
    "ecr.CreateRepository": ("ECR repository", "repositoryName", "repositoryName"),
    "eks.CreateCluster": ("EKS cluster", "name", "name"),
    "elbv2.CreateLoadBalancer": ("load balancer", "LoadBalancers[].LoadBalancerArn", "Name"),
    "elbv2.CreateTargetGroup": ("target group", "TargetGroups[].TargetGroupArn", "Name"),
    "events.PutRule": ("EventBridge rule", "Name", "Name"),
    "glue.CreateDatabase": ("Glue database", "DatabaseInput.Name", "DatabaseInput.Name"),
    "glue.CreateJob": ("Glue job", "Name", "Name"),
    "glue.CreateTable": ("Glue database", "DatabaseName", "DatabaseName"),  # which a table goes with
    "iam.CreatePolicy": ("IAM policy", "Policy.Arn", "PolicyName"),
    "iam.CreateRole": ("IAM role", "RoleName", "RoleName"),
    "kms.CreateAlias": ("KMS alias", "AliasName", "AliasName"),
    "kms.CreateKey": ("KMS key", "KeyMetadata.KeyId", "KeyMetadata.KeyId"),
    "logs.CreateLogGroup": ("log group", "logGroupName", "logGroupName"),
    "s3.CreateBucket": ("S3 bucket", "Bucket", "Bucket"),
    "sagemaker.CreateEndpoint": ("SageMaker endpoint", "EndpointName", "EndpointName"),
    "sagemaker.CreateEndpointConfig": ("endpoint config", "EndpointConfigName", "EndpointConfigName"),
    "sagemaker.CreateFeatureGroup": ("feature group", "FeatureGroupName", "FeatureGroupName"),
    "sagemaker.CreateHyperParameterTuningJob": (
        "tuning job",
        "HyperParameterTuningJobName",
        "HyperParameterTuningJobName",
    ),
    "sagemaker.CreateModel": ("SageMaker model", "ModelName", "ModelName"),
    "sagemaker.CreateModelPackage": ("model package", "ModelPackageArn", "ModelPackageGroupName"),
    "sagemaker.CreateModelPackageGroup": ("model package group", "ModelPackageGroupName", "ModelPackageGroupName"),
    "sagemaker.CreateProcessingJob": ("processing job", "ProcessingJobName", "ProcessingJobName"),
    "sagemaker.CreateTrainingJob": ("training job", "TrainingJobName", "TrainingJobName"),
    "sagemaker.CreateTransformJob": ("transform job", "TransformJobName", "TransformJobName"),
    "sns.CreateTopic": ("SNS topic", "TopicArn", "Name"),
}


def created(operation: str, parameters: Mapping[str, Any], answer: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(kind, id, name) of all that this successful call created; nothing for a call that creates nothing."""
    import jmespath

    if operation not in CREATIONS:
        return []
    kind, id_path, name_path = CREATIONS[operation]
    known = {**parameters, **answer}
    ids, names = (_list(jmespath.search(path, known)) for path in (id_path, name_path))
    return [(kind, each, names[at] if at < len(names) else each) for at, each in enumerate(ids)]


def _list(found: Any) -> list[str]:
    many = found if isinstance(found, list) else [found]
    return [str(each) for each in many if each]
