"""Floor 4, aws: an endpoint asked as its users ask it, by InvokeEndpoint, and held against the golden rows."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from retailops.errors import TargetFailed
from retailops.retail.predictor import Prediction, Predictor, disagrees
from retailops.targets.aws.session import Session, code_of, translated

EXPLAIN = "explain=features"
_FIX = "The image doesn't hold the bundle that is registered: retailops image build, then deploy again."


def prove(session: Session, endpoint: str, predictor: Predictor) -> int:
    """Every golden row through the endpoint: features bit-equal, predictions equal, the version's own number.

    Returns how many rows. TargetFailed tells the first that comes out differently, or isn't answered at all.
    """
    client = session.client("sagemaker-runtime")
    limit = session.config.deploy.max_lines
    golden = [row for row in predictor.golden if len(row["basket"]["lines"]) <= limit]
    if not golden:
        raise TargetFailed("No golden row of the bundle fits into deploy.max_lines.", "Raise deploy.max_lines.")
    for row in golden:
        with translated(f"Asking the endpoint {endpoint}"):
            answer = _asked(client, endpoint, row["basket"])
        problem = _wrong(row, answer, predictor)
        if problem:
            name = row["basket"]["basket_id"]
            raise TargetFailed(f"The golden basket {name} comes out differently of the endpoint: {problem}.", _FIX)
    return len(golden)


def _asked(client: Any, endpoint: str, basket: dict[str, Any]) -> Any:
    from botocore.exceptions import ClientError

    try:
        answer = client.invoke_endpoint(
            EndpointName=endpoint,
            ContentType="application/json",
            CustomAttributes=EXPLAIN,
            Body=json.dumps(basket).encode(),
        )
        return json.loads(answer["Body"].read())
    except ClientError as problem:
        if code_of(problem) != "ModelError":
            raise
        said = str(problem.response.get("OriginalMessage") or problem)
        raise TargetFailed(f"The endpoint answers a golden basket with an error: {said}", _FIX) from problem
    except ValueError as problem:
        raise TargetFailed(f"The endpoint's answer to a golden basket isn't JSON: {problem}.", _FIX) from problem


def _wrong(row: dict[str, Any], answer: Any, predictor: Predictor) -> str | None:
    try:
        prediction, features = msgspec.convert(answer, Prediction), answer["features"]
        differs = disagrees(row, prediction, features, predictor.feature_names)
    except (KeyError, TypeError, ValueError) as problem:
        return f"it isn't a prediction with its features ({problem})"
    if prediction.model_version != predictor.version:
        return f"version {prediction.model_version} answered, not version {predictor.version}"
    return differs
