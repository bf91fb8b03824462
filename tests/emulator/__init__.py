"""The test kit: AWS on loopback. moto answers; what moto lacks is added here, once, and nowhere in retailops.

    with Emulator() as aws:
        aws.environment          # what a process needs to talk to it: AWS_ENDPOINT_URL, credentials, region
        aws.client("s3")         # a boto3 client that looks from outside, for a test's own checks
        aws.reset()              # an empty account again
        aws.answer(hook)         # a fault, or an answer of one's own: hook(Request) -> Response | None

What is added lives in modules beside this one, each a list of hooks named HOOKS:
    iam_simulation  SimulatePrincipalPolicy over the policies that are really stored
    quotas          Service Quotas beyond the network's
    sagemaker_ends  what SageMaker ends and moto cannot: jobs, packages and their groups, feature groups
    sagemaker_tags  tags that are changed, and those of feature groups
retailops knows nothing of all this but the endpoint variable.
"""

from emulator.server import Emulator, Request, Response

__all__ = ["Emulator", "Request", "Response"]
