"""Floor 4, aws: the table of what retailops does in an account, from which come the check of rights and the policy.

One row = actions of one service on the resources they touch. `*` as a resource stands only where the service knows
nothing finer; what has no name of ours (a VPC, a key) is held to the project's tags.
"""

from __future__ import annotations

from retailops.targets.aws.names import Names
from retailops.targets.aws.rights import HERE, NEW, OURS, Conditions, Right, Row, filled, linked_to, passed_to
from retailops.targets.aws.settings import Settings


def rights(names: Names, settings: Settings) -> list[Right]:
    """What this config will do, as actions on ARNs."""
    return filled(TABLE, names, settings)


def _mailed(settings: Settings) -> bool:
    return bool(settings.alarm_email)


# What each kind of thing in the network is asked to do or to bear, once it stands.
_NETWORK = {
    "vpc": "CreateSubnet CreateRouteTable CreateSecurityGroup CreateVpcEndpoint CreateFlowLogs ModifyVpcAttribute "
    "AttachInternetGateway DetachInternetGateway DeleteVpc",
    "subnet": "ModifySubnetAttribute AssociateRouteTable DisassociateRouteTable ReplaceRouteTableAssociation "
    "CreateNatGateway CreateVpcEndpoint ModifyVpcEndpoint DeleteSubnet",
    "route-table": "CreateRoute ReplaceRoute DeleteRoute AssociateRouteTable DisassociateRouteTable "
    "ReplaceRouteTableAssociation CreateVpcEndpoint ModifyVpcEndpoint DeleteRouteTable",
    "internet-gateway": "AttachInternetGateway DetachInternetGateway DeleteInternetGateway",
    "natgateway": "DeleteNatGateway",
    "elastic-ip": "CreateNatGateway DisassociateAddress ReleaseAddress",
    "vpc-endpoint": "ModifyVpcEndpoint DeleteVpcEndpoints",
    "security-group": "AuthorizeSecurityGroupIngress RevokeSecurityGroupEgress RevokeSecurityGroupIngress "
    "ModifySecurityGroupRules CreateVpcEndpoint ModifyVpcEndpoint DeleteSecurityGroup",
    "security-group-rule": "ModifySecurityGroupRules",
    "vpc-flow-log": "DeleteFlowLogs",
    "launch-template": "CreateLaunchTemplateVersion ModifyLaunchTemplate DeleteLaunchTemplate",
}
_NEW_IN_NETWORK = {
    "vpc": "CreateVpc",
    "subnet": "CreateSubnet",
    "route-table": "CreateRouteTable",
    "internet-gateway": "CreateInternetGateway",
    "natgateway": "CreateNatGateway",
    "elastic-ip": "AllocateAddress",
    "vpc-endpoint": "CreateVpcEndpoint",
    "security-group": "CreateSecurityGroup",
    "security-group-rule": "AuthorizeSecurityGroupIngress",
    "vpc-flow-log": "CreateFlowLogs",
    "launch-template": "CreateLaunchTemplate",
}
_MAKERS = tuple(sorted({"RunInstances"} | {each for actions in _NEW_IN_NETWORK.values() for each in actions.split()}))
_BY_A_TEMPLATE: Conditions = {
    "ArnLike": {"ec2:LaunchTemplate": ("arn:{partition}:ec2:{region}:{account}:launch-template/*",)}
}

_ATTACHED = (  # AWS's own policies, the only ones that our roles may get
    "AmazonEC2ContainerRegistryPullOnly",
    "AmazonEKSClusterPolicy",
    "AmazonEKSWorkerNodePolicy",
    "AmazonEKS_CNI_Policy",
)

# Tags that Kubernetes and its controllers give to what they make for the cluster.
_BY_BALANCERS: Conditions = {"StringEquals": {"aws:ResourceTag/elbv2.k8s.aws/cluster": ("{prefix}",)}}
_BY_PODS: Conditions = {"StringEquals": {"aws:ResourceTag/cluster.k8s.amazonaws.com/name": ("{prefix}",)}}
_BY_CLUSTER: Conditions = {"StringEquals": {"aws:ResourceTag/kubernetes.io/cluster/{prefix}": ("owned",)}}

TABLE: tuple[Row, ...] = (
    # network: the VPC and what is in it
    Row(
        "network",
        "ec2: DescribeAddresses DescribeAddressesAttribute DescribeAvailabilityZones DescribeFlowLogs "
        "DescribeInstanceTypeOfferings DescribeInstanceTypes DescribeInstances DescribeInternetGateways "
        "DescribeLaunchTemplateVersions DescribeLaunchTemplates DescribeNatGateways DescribeNetworkAcls "
        "DescribeNetworkInterfaces DescribePrefixLists DescribeManagedPrefixLists DescribeRegions DescribeRouteTables "
        "DescribeSecurityGroupRules DescribeSecurityGroups DescribeSubnets DescribeTags DescribeVolumes "
        "DescribeVpcEndpoints DescribeVpcs",
        "*",
        HERE,
    ),
    Row("network", "ec2: DescribeVpcAttribute", "vpc/*"),
    *(Row("network", f"ec2: {actions}", f"{kind}/*", NEW) for kind, actions in _NEW_IN_NETWORK.items()),
    *(Row("network", f"ec2: {actions}", f"{kind}/*", OURS) for kind, actions in _NETWORK.items()),
    Row("network", "ec2: CreateTags", "*/*", {"StringEquals": {"ec2:CreateAction": _MAKERS}}),
    Row("network", "ec2: CreateTags DeleteTags", "*/*", OURS),
    # AWS makes a VPC's default group itself, without our tags; it gets them before its rules are taken away.
    Row("network", "ec2: CreateTags", "security-group/*", NEW),
    Row("network", "logs: CreateLogDelivery DeleteLogDelivery", "*", HERE),  # flow logs of the network
    # cluster: EKS, its nodes, what they leave behind
    Row("cluster", "eks: CreateCluster", "*", NEW),
    Row("cluster", "eks: DescribeAddonVersions DescribeClusterVersions ListClusters", "*", HERE),
    Row(
        "cluster",
        "eks: CreateAddon CreateNodegroup DeleteCluster DescribeCluster "
        "DescribeUpdate ListAddons ListNodegroups ListTagsForResource ListUpdates TagResource "
        "UntagResource UpdateClusterConfig UpdateClusterVersion",
        "cluster/{prefix}",
    ),
    Row(
        "cluster",
        "eks: DeleteNodegroup DescribeNodegroup DescribeUpdate ListTagsForResource TagResource UntagResource "
        "UpdateNodegroupConfig UpdateNodegroupVersion",
        "nodegroup/{prefix}/*/*",
    ),
    Row(
        "cluster",
        "eks: DeleteAddon DescribeAddon DescribeUpdate ListTagsForResource TagResource UntagResource UpdateAddon",
        "addon/{prefix}/*/*",
    ),
    Row(  # EKS starts nodes of a launch template only for those who might start them themselves
        "cluster",
        "ec2: RunInstances",
        "instance/* launch-template/* network-interface/* security-group/* subnet/* volume/* "
        "arn:{partition}:ec2:{region}::image/*",
        _BY_A_TEMPLATE,
    ),
    Row("cluster", "autoscaling: DescribeAutoScalingGroups DescribeTags", "*", HERE),
    Row(
        "cluster",
        "autoscaling: CreateOrUpdateTags DeleteTags",
        "autoScalingGroup:*:autoScalingGroupName/eks-{prefix}-*",
    ),
    # roles: who may do what, and as whom services act
    Row(
        "roles",
        "iam: CreateRole DeleteRole DeleteRolePolicy GetRole GetRolePolicy ListAttachedRolePolicies "
        "ListInstanceProfilesForRole ListRolePolicies ListRoleTags PutRolePolicy TagRole UntagRole "
        "UpdateAssumeRolePolicy UpdateRole UpdateRoleDescription",
        "role/{prefix}-*",
    ),
    Row(
        "roles",
        "iam: AttachRolePolicy DetachRolePolicy",
        "role/{prefix}-*",
        {"ArnEquals": {"iam:PolicyARN": tuple(f"arn:{{partition}}:iam::aws:policy/{name}" for name in _ATTACHED)}},
    ),
    Row(
        "roles",
        "iam: AddClientIDToOpenIDConnectProvider CreateOpenIDConnectProvider DeleteOpenIDConnectProvider "
        "GetOpenIDConnectProvider ListOpenIDConnectProviderTags RemoveClientIDFromOpenIDConnectProvider "
        "TagOpenIDConnectProvider UntagOpenIDConnectProvider UpdateOpenIDConnectProviderThumbprint",
        "oidc-provider/oidc.eks.{region}.amazonaws.com/id/*",
    ),
    Row(
        "roles",
        "iam: PassRole",
        "role/{prefix}-*",
        passed_to("ec2", "eks", "events", "glue", "sagemaker"),
    ),
    Row(
        "roles",
        "iam: CreateServiceLinkedRole",
        "role/aws-service-role/*",
        linked_to(
            "autoscaling", "eks", "eks-nodegroup", "elasticloadbalancing", "sagemaker.application-autoscaling", "spot"
        ),
    ),
    Row("roles", "iam: GetRole", "role/*"),
    Row("roles", "iam: GetUser SimulatePrincipalPolicy", "user/*"),
    Row("roles", "iam: SimulatePrincipalPolicy", "role/*"),
    Row("roles", "iam: ListOpenIDConnectProviders ListRoles", "*"),
    # storage: the lake's buckets and Terraform's, keys, images
    Row("storage", "s3: ListAllMyBuckets", "*"),
    Row(
        "storage",
        "s3: CreateBucket DeleteBucket DeleteBucketPolicy GetAccelerateConfiguration GetBucketAcl GetBucketCORS "
        "GetBucketLocation GetBucketLogging GetBucketNotification GetBucketObjectLockConfiguration "
        "GetBucketOwnershipControls GetBucketPolicy GetBucketPublicAccessBlock "
        "GetBucketRequestPayment GetBucketTagging GetBucketVersioning GetBucketWebsite GetEncryptionConfiguration "
        "GetLifecycleConfiguration GetReplicationConfiguration ListBucket "
        "ListBucketMultipartUploads ListBucketVersions ListTagsForResource PutBucketLogging PutBucketNotification "
        "PutBucketOwnershipControls PutBucketPolicy PutBucketPublicAccessBlock PutBucketTagging PutBucketVersioning "
        "PutEncryptionConfiguration PutLifecycleConfiguration TagResource "
        "UntagResource",
        "{prefix}-*-{account}",
    ),
    Row(
        "storage",
        "s3: AbortMultipartUpload DeleteObject DeleteObjectVersion GetObject GetObjectTagging GetObjectVersion "
        "ListMultipartUploadParts PutObject PutObjectTagging",
        "{prefix}-*-{account}/*",
    ),
    Row("storage", "kms: CreateKey", "*", NEW),
    Row("storage", "kms: TagResource", "key/*", NEW),
    Row("storage", "kms: ListAliases", "*", HERE),
    Row("storage", "kms: CreateAlias DeleteAlias UpdateAlias", "alias/{prefix}*"),
    Row(
        "storage",
        "kms: CancelKeyDeletion CreateAlias CreateGrant Decrypt DeleteAlias DescribeKey EnableKeyRotation "
        "Encrypt GenerateDataKey GetKeyPolicy GetKeyRotationStatus ListGrants ListResourceTags PutKeyPolicy "
        "ReEncryptFrom ReEncryptTo RetireGrant RevokeGrant "
        "ScheduleKeyDeletion TagResource UntagResource UpdateAlias UpdateKeyDescription",
        "key/*",
        OURS,
    ),
    Row("storage", "ecr: GetAuthorizationToken", "*", HERE),
    Row(
        "storage",
        "ecr: BatchCheckLayerAvailability BatchDeleteImage BatchGetImage CompleteLayerUpload CreateRepository "
        "DeleteLifecyclePolicy DeleteRepository DescribeImages DescribeImageScanFindings DescribeRepositories "
        "GetDownloadUrlForLayer GetLifecyclePolicy InitiateLayerUpload ListImages "
        "ListTagsForResource PutImage PutImageScanningConfiguration PutImageTagMutability PutLifecyclePolicy "
        "TagResource UntagResource UploadLayerPart",
        "repository/{prefix}*",
    ),
    # data, and learning, which is SageMaker
    Row(
        "data",
        "glue: CreateDatabase DeleteDatabase GetDatabase UpdateDatabase",
        "catalog database/{snake}*",
    ),
    Row("data", "glue: GetTags TagResource UntagResource", "database/{snake}*"),
    Row("data", "glue: GetDatabases", "catalog database/*"),
    Row(
        "data",
        "glue: CreateTable DeleteTable GetPartitions GetTable GetTables UpdateTable",
        "catalog database/{snake}* table/{snake}*/*",
    ),
    Row(
        "data",
        "glue: BatchStopJobRun CreateJob DeleteJob GetJob GetJobRun GetJobRuns GetTags StartJobRun TagResource "
        "UntagResource UpdateJob",
        "job/{prefix}*",
    ),
    Row(
        "data",
        "glue: CreateTrigger DeleteTrigger GetTags GetTrigger StartTrigger StopTrigger TagResource UntagResource "
        "UpdateTrigger",
        "trigger/{prefix}*",
    ),
    Row(
        "data",
        "glue: CreateWorkflow DeleteWorkflow GetTags GetWorkflow TagResource UntagResource UpdateWorkflow",
        "workflow/{prefix}*",
    ),
    Row(
        "data",
        "glue: CreateSecurityConfiguration DeleteSecurityConfiguration "
        "GetSecurityConfiguration GetSecurityConfigurations ListJobs ListTriggers ListWorkflows",
        "*",
        HERE,
    ),
    Row(
        "data",
        "athena: CreateWorkGroup DeleteWorkGroup GetQueryExecution GetQueryResults GetWorkGroup ListTagsForResource "
        "StartQueryExecution StopQueryExecution TagResource UntagResource UpdateWorkGroup",
        "workgroup/{prefix}*",
    ),
    Row("data", "athena: ListWorkGroups", "*", HERE),
    Row(
        "learning",
        "sagemaker: CreateModelPackageGroup DeleteModelPackageGroup DescribeModelPackageGroup ",
        "model-package-group/{prefix}*",
    ),
    Row(
        "learning",
        "sagemaker: CreateModelPackage DeleteModelPackage DescribeModelPackage UpdateModelPackage",
        "model-package/{prefix}*/*",
    ),
    Row(
        "learning",
        "sagemaker: BatchGetRecord CreateFeatureGroup DeleteFeatureGroup DeleteRecord DescribeFeatureGroup PutRecord "
        "UpdateFeatureGroup",
        "feature-group/{prefix}*",
    ),
    Row(
        "learning",
        "sagemaker: CreateTrainingJob DeleteTrainingJob DescribeTrainingJob StopTrainingJob",
        "training-job/{prefix}*",
    ),
    Row(
        "learning", "sagemaker: CreateProcessingJob DescribeProcessingJob StopProcessingJob", "processing-job/{prefix}*"
    ),
    Row(
        "learning",
        "sagemaker: CreateHyperParameterTuningJob DescribeHyperParameterTuningJob "
        "ListTrainingJobsForHyperParameterTuningJob StopHyperParameterTuningJob",
        "hyper-parameter-tuning-job/{prefix}*",
    ),
    Row("learning", "sagemaker: CreateModel DeleteModel DescribeModel", "model/{prefix}*"),
    Row(
        "learning",
        "sagemaker: CreateEndpointConfig DeleteEndpointConfig DescribeEndpointConfig",
        "endpoint-config/{prefix}*",
    ),
    Row(
        "learning",
        "sagemaker: CreateEndpoint DeleteEndpoint DescribeEndpoint UpdateEndpoint UpdateEndpointWeightsAndCapacities",
        "endpoint/{prefix}*",
    ),
    Row("learning", "sagemaker: CreateEndpoint UpdateEndpoint", "endpoint-config/{prefix}*"),
    Row("learning", "sagemaker: InvokeEndpoint", "endpoint/{prefix}*"),  # the golden rows of a deploy
    Row(  # park takes an endpoint's scaling away with it, wake gives it back
        "learning",
        "application-autoscaling: DeregisterScalableTarget PutScalingPolicy RegisterScalableTarget",
        "scalable-target/*",
        {"StringEquals": {"application-autoscaling:service-namespace": ("sagemaker",)}},
    ),
    Row("learning", "application-autoscaling: DescribeScalableTargets DescribeScalingPolicies", "*", HERE),
    Row("learning", "sagemaker: AddTags DeleteTags ListTags", "*/{prefix}*"),
    Row(
        "learning",
        "sagemaker: ListEndpointConfigs ListEndpoints ListFeatureGroups ListHyperParameterTuningJobs "
        "ListModelPackageGroups ListModelPackages ListModels ListProcessingJobs ListTrainingJobs",
        "*",
        HERE,
    ),
    # watch: logs, alarms, the trail, the budget, the bill
    Row(
        "watch",
        "logs: AssociateKmsKey CreateLogGroup DeleteLogGroup DeleteRetentionPolicy "
        "DisassociateKmsKey FilterLogEvents ListTagsForResource PutRetentionPolicy "
        "TagResource UntagResource",
        "log-group:*{prefix}*",
    ),
    Row("watch", "logs: GetLogEvents", "log-group:*{prefix}*:log-stream:*"),
    Row("watch", "logs: DescribeLogGroups", "*", HERE),
    # What jobs say; their groups are SageMaker's, one for all projects of an account.
    Row("learning", "logs: DescribeLogStreams", "log-group:/aws/sagemaker/*"),
    Row("learning", "logs: GetLogEvents", "log-group:/aws/sagemaker/*:log-stream:{prefix}-*"),
    Row(
        "watch",
        "cloudwatch: DeleteAlarms ListTagsForResource PutMetricAlarm TagResource UntagResource",
        "alarm:{prefix}*",
    ),
    Row(
        "watch",
        "cloudwatch: DeleteDashboards GetDashboard PutDashboard",
        "arn:{partition}:cloudwatch::{account}:dashboard/{prefix}*",
    ),
    Row("watch", "cloudwatch: DescribeAlarms ListDashboards", "*", HERE),
    Row(
        "watch",
        "sns: CreateTopic DeleteTopic GetTopicAttributes ListSubscriptionsByTopic ListTagsForResource "
        "SetTopicAttributes TagResource UntagResource",
        "{prefix}*",
    ),
    Row("watch", "sns: Subscribe", "{prefix}*", wanted=_mailed),
    Row("watch", "sns: GetSubscriptionAttributes SetSubscriptionAttributes Unsubscribe", "*", HERE, wanted=_mailed),
    Row("watch", "sns: ListTopics", "*", HERE),
    Row(
        "watch",
        "events: DeleteRule DescribeRule DisableRule EnableRule ListTagsForResource ListTargetsByRule PutRule "
        "PutTargets RemoveTargets TagResource UntagResource",
        "rule/{prefix}*",
    ),
    Row("watch", "events: ListRules", "*", HERE),
    Row(
        "watch",
        "cloudtrail: AddTags CreateTrail DeleteTrail GetEventSelectors GetTrail GetTrailStatus "
        "ListTags RemoveTags StartLogging StopLogging UpdateTrail",
        "trail/{prefix}*",
    ),
    Row("watch", "cloudtrail: DescribeTrails", "*"),
    Row(
        "watch",
        "budgets: ListTagsForResource ModifyBudget TagResource UntagResource ViewBudget",
        "budget/{prefix}*",
    ),
    Row("watch", "ce: GetCostAndUsage GetCostForecast", "*"),
    Row("watch", "servicequotas: GetAWSDefaultServiceQuota GetServiceQuota ListServiceQuotas", "*"),
    # audit: what only teardown and its audit do, beyond what the other areas have
    Row("audit", "tag: GetResources", "*", HERE),
    Row("audit", "ec2: DescribeSnapshots", "*", HERE),
    Row("audit", "ec2: DeleteNetworkInterface", "network-interface/*", _BY_PODS),
    Row("audit", "ec2: DeleteSecurityGroup", "security-group/*", _BY_BALANCERS),
    Row("audit", "ec2: RevokeSecurityGroupIngress", "security-group/*", _BY_CLUSTER),  # the group that EKS made
    Row(
        "audit",
        "elasticloadbalancing: DescribeListeners DescribeLoadBalancers DescribeTags DescribeTargetGroups",
        "*",
        HERE,
    ),
    Row("audit", "elasticloadbalancing: DeleteLoadBalancer", "loadbalancer/app/* loadbalancer/net/*", _BY_BALANCERS),
    Row("audit", "elasticloadbalancing: DeleteTargetGroup", "targetgroup/*", _BY_BALANCERS),
    Row("audit", "elasticloadbalancing: DeleteLoadBalancer", "loadbalancer/*", _BY_CLUSTER),
    Row("audit", "iam: ListInstanceProfiles ListPolicies", "*"),
    Row("audit", "iam: GetInstanceProfile", "instance-profile/{prefix}*"),
    Row("audit", "iam: GetPolicy", "policy/{prefix}*"),
    Row("audit", "iam: GetOpenIDConnectProvider", "oidc-provider/*"),
    Row("audit", "budgets: ViewBudget", "budget/*"),
    Row("audit", "ecr: DescribeRepositories", "repository/*"),
    Row(
        "audit",
        "glue: DeleteTable GetTable GetTables",
        "catalog database/sagemaker_featurestore table/sagemaker_featurestore/*",
    ),
    Row("audit", "sagemaker: DescribeTransformJob StopTransformJob", "transform-job/{prefix}*"),
    Row("audit", "sagemaker: ListTransformJobs", "*", HERE),
)
