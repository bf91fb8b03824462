"""The test kit: AWS on loopback. moto answers; what moto lacks is added here, once, and nowhere in retailops.

    with Emulator() as aws:
        aws.environment          # what a process needs to talk to it: AWS_ENDPOINT_URL, credentials, region
        aws.client("s3")         # a boto3 client that looks from outside, for a test's own checks
        aws.reset()              # an empty account again
        aws.answer(hook)         # a fault, or an answer of one's own: hook(Request) -> Response, HANG_UP or None

What is added lives in modules beside this one, each a list of hooks named HOOKS:
    athena_queries  Athena's answers, by DuckDB over the catalog and S3
    budget_reads    a budget's tags
    eks_addons      add-ons, with their tags
    eks_clusters, eks_scaling_groups, feature_groups, memory
                    what EKS, EC2, S3 and SageMaker were asked to be, told as they tell it
    endings         ends that moto doesn't see
    endpoint_scaling  what takes part in an endpoint's scaling, and goes with it
    feature_records the feature store's runtime: records online, and as parquet offline
    iam_simulation  SimulatePrincipalPolicy over the policies that are really stored
    quotas          Service Quotas beyond the network's
    sagemaker_ends  what SageMaker ends and moto cannot: jobs, packages and their groups, feature groups
    sagemaker_packages  a model package asked for twice with one token, and what its facts may look like
    sagemaker_refusals  what SageMaker refuses and moto takes: used names, spot without a limit, invented machines
    sagemaker_tags  tags that are changed, and those of feature groups
    transport       traffic with the emulator counts as TLS

And SageMaker's machines, for tests that want jobs to be really run (executor.py says how):
    with Executor(aws, folder) as machines:
        ...
Its endpoints, for tests that want them to really answer (hosting.py):
    with Hosting(aws, folder) as hosting:
        ...
And Glue's, for its job: SparkCluster (spark_cluster.py), with pyspark or a stand-in.
retailops knows nothing of all this but the endpoint variable.
"""

from emulator.executor import Executor
from emulator.hosting import Hosting
from emulator.server import HANG_UP, Emulator, Request, Response

__all__ = ["HANG_UP", "Emulator", "Executor", "Hosting", "Request", "Response"]
