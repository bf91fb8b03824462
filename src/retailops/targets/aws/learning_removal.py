"""Floor 4, aws: ending what SageMaker runs and keeps for us, which Terraform doesn't know."""

from __future__ import annotations

from collections.abc import Iterator

from retailops.progress import Progress
from retailops.targets.aws.endpoint_guards import Alarms, release
from retailops.targets.aws.inventory.account import Account, unless_gone
from retailops.targets.aws.inventory.kind import Found
from retailops.targets.aws.inventory.learning import LEARNING
from retailops.targets.aws.session import translated
from retailops.targets.aws.waiting import LOOK_S, until

# kind → the call that ends it, and what that calls its id; in the order in which one holds the next
ENDINGS = {
    "SageMaker endpoint": ("delete_endpoint", "EndpointName"),
    "endpoint config": ("delete_endpoint_config", "EndpointConfigName"),
    "SageMaker model": ("delete_model", "ModelName"),
    "tuning job": ("stop_hyper_parameter_tuning_job", "HyperParameterTuningJobName"),
    "training job": ("stop_training_job", "TrainingJobName"),
    "processing job": ("stop_processing_job", "ProcessingJobName"),
    "transform job": ("stop_transform_job", "TransformJobName"),
    "model package": ("delete_model_package", "ModelPackageName"),
}
_PAUSED = 300.0  # seconds that a job, which saves a checkpoint first, and an endpoint may take


class Learning:
    def __init__(self, account: Account, *, seconds: float = _PAUSED, look_s: float = LOOK_S) -> None:
        self._account = account
        self._seconds = seconds
        self._look_s = look_s

    def remove(self, progress: Progress) -> None:
        """Endpoints and what they are made of, running jobs, registered versions. None there is success."""
        progress.stage("Ending what SageMaker runs")
        for name in release(self._account, [found.name for found in self.standing("SageMaker endpoint")]):
            progress.note(f"endpoint scaling {name}")
        for kind, (operation, argument) in ENDINGS.items():
            for found in self.standing(kind):
                progress.note(f"{kind} {found.name}")
                if found.facts.get("state") != "Stopping":
                    with translated(f"Ending the {kind} {found.name}"), unless_gone():
                        getattr(self._account.client("sagemaker"), operation)(**{argument: found.id})
        until(self._is_quiet, self._seconds, self._look_s)
        for name in Alarms(self._account.session).remove_all():
            progress.note(f"alarm {name}")

    def standing(self, kind_name: str) -> Iterator[Found]:
        """Those of a kind that carry our tags; a name alone is no proof."""
        kind = next(kind for kind in LEARNING if kind.name == kind_name)
        for each in kind.listing(self._account) if kind.listing else ():
            with translated(f"Looking at the {kind.name} {each}"):
                facts = kind.looking(self._account, each)
            if facts is not None and self._account.has_own_tags(Found(kind, each, facts).tags):
                yield Found(kind, each, facts)

    def _is_quiet(self) -> bool:
        """Whether nothing of ours runs any more, machines of endpoints and jobs alike."""
        running = [name for name in ENDINGS if name.endswith(("endpoint", "job"))]
        return not any(True for name in running for _ in self.standing(name))
