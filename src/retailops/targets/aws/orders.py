"""Floor 4, aws: a job as SageMaker is asked for it: Processing for ETL and batch scoring, Training for training."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from retailops import files
from retailops.ports import Job
from retailops.retail import algorithms
from retailops.targets.aws.images import for_jobs
from retailops.targets.aws.keys import key_arn
from retailops.targets.aws.mirror import Mirror
from retailops.targets.aws.rights import partition
from retailops.targets.aws.session import Session

WORKER = ("python", "-P", "-m", "retailops.worker")
CHECKPOINTS = "/opt/ml/checkpoints"
HOSTS = "/opt/ml/input/config/resourceconfig.json"  # which machines SageMaker has given to a job, and which this one is
# The entry point of the jobs' image: the tuner starts its trials by it, and can name no other.
IMAGE = (*WORKER, "--hyperparameters=/opt/ml/input/config/hyperparameters.json")
ZONES = ("silver", "gold", "quarantine")  # what an ETL job makes, each for its own bucket
PARAMETERS = "parameters.json"
_LONGEST = 63  # characters of a job's name
_ATTEMPTS = len("-99")
_UNREAD = "quarantine"  # nobody computes with refused rows


@dataclass(frozen=True)
class Api:
    """One of SageMaker's two ways to run a container: what its calls are called, and where it puts things inside."""

    thing: str
    camel: str
    inputs: str
    output: str
    failure: str  # file whose first kilobyte the description of the job shows
    message: str  # where it shows it

    @property
    def logs(self) -> str:
        return f"/aws/sagemaker/{self.camel}s"

    @property
    def words(self) -> str:
        return self.thing.replace("_", " ")


PROCESSING = Api(
    "processing_job",
    "ProcessingJob",
    inputs="/opt/ml/processing/input",
    output="/opt/ml/processing/output",
    failure="/opt/ml/output/message",
    message="ExitMessage",
)
TRAINING = Api(
    "training_job",
    "TrainingJob",
    inputs="/opt/ml/input/data",
    output="/opt/ml/model",
    failure="/opt/ml/output/failure",
    message="FailureReason",
)


TUNING = Api(  # its jobs are training jobs; it has no container of its own
    "hyper_parameter_tuning_job",
    "HyperParameterTuningJob",
    inputs=TRAINING.inputs,
    output=TRAINING.output,
    failure=TRAINING.failure,
    message="FailureReason",
)


def api(job: Job) -> Api:
    return TRAINING if job.kind in ("train", "tune") else PROCESSING


class Orders:
    """Requests for jobs of one project. The same job is always called the same, so that it is found again."""

    def __init__(self, session: Session, mirror: Mirror, worker: Sequence[str] = WORKER) -> None:
        self._session = session
        self._mirror = mirror
        self._worker = list(worker)

    def folder(self, job: Job, *parts: str, zone: str = "models") -> Path:
        """models:jobs/<kind>-<key>/<parts…>, where everything of this job is."""
        return self._mirror.folder(zone, "jobs", f"{job.kind}-{job.key}", *parts)

    def name(self, job: Job, attempt: int) -> str:
        """`<prefix>-<kind>-<key>`, and from the second attempt on its number; shorter for a project with long names."""
        prefix, again = self._session.names.prefix, f"-{attempt}" if attempt > 1 else ""
        name = f"{prefix}-{job.kind}-{job.key}"
        if len(name) + _ATTEMPTS > _LONGEST:
            name = f"{prefix}-{job.kind[0]}-{job.key[:8]}"
        return name + again

    def leave(self, job: Job) -> None:
        """Put the job's parameters where it will find them."""
        parameters = self.folder(job, "order", PARAMETERS)
        parameters.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(parameters, dict(job.parameters))
        self._mirror.push(parameters)

    def request(self, job: Job, name: str) -> dict[str, Any]:
        """The arguments of create_processing_job or create_training_job."""
        tags = [{"Key": key, "Value": value} for key, value in self._session.tags.items()]
        asked = self._training(job, name) if api(job) is TRAINING else self._processing(job, name)
        return {**asked, "RoleArn": self._role(job), "Tags": tags}

    def addresses(self, job: Job) -> dict[str, str]:
        """Path inside the container → where that is on S3, inputs and outputs."""
        channels = {f"{api(job).inputs}/{channel}": uri for channel, (_, uri) in self._channels(job).items()}
        places = {f"{api(job).output}/{zone}": self._mirror.uri(path) for zone, path in self.zones(job).items()}
        return {**channels, **self._outputs(job), **places}

    def checkpoints(self, job: Job) -> Path:
        """models:checkpoints/<kind>-<key>/, which SageMaker keeps in step with a folder of the container."""
        return self._mirror.folder("models", "checkpoints", f"{job.kind}-{job.key}")

    def zones(self, job: Job) -> dict[str, Path]:
        """Zone → the folder that an ETL job writes there; nothing for others."""
        return {zone: self.folder(job, zone=zone) for zone in ZONES if job.kind == "etl"}

    def _channels(self, job: Job) -> dict[str, tuple[str, str]]:
        """Channel → the worker's name of that input (NAME or NAME/PART), S3 URI. Channels have no slashes."""
        found = {"order": ("", self._mirror.uri(self.folder(job, "order")))}
        for name, path in job.inputs.items():
            for part, uri in self._mirror.places(path):
                if part != _UNREAD:
                    inside = name if part == "." else f"{name}/{part}"
                    found[inside.replace("/", "-")] = (inside, uri)
        return found

    def _outputs(self, job: Job) -> dict[str, str]:
        """Folder inside the container → S3 URI where SageMaker takes it."""
        if api(job) is TRAINING:
            return {}  # it decides itself, below the job's folder
        placed = {f"{PROCESSING.output}-{zone}": self._mirror.uri(path) for zone, path in self.zones(job).items()}
        return {PROCESSING.output: self._mirror.uri(self.folder(job, "output")), **placed}

    def _command(self, job: Job) -> list[str]:
        place = api(job)
        inputs = [
            f"--input={inside}={place.inputs}/{channel}"
            for channel, (inside, _) in self._channels(job).items()
            if inside
        ]
        return [
            job.kind,
            *inputs,
            f"--output={place.output}",
            f"--parameters={place.inputs}/order/{PARAMETERS}",
            *(f"--place={zone}={place.output}-{zone}" for zone in self.zones(job)),
            *([f"--checkpoints={CHECKPOINTS}"] if place is TRAINING else []),
            *([f"--hosts={HOSTS}"] if self._instances(job) > 1 else []),
            f"--failure={place.failure}",
        ]

    def _processing(self, job: Job, name: str) -> dict[str, Any]:
        machine = self._session.settings.jobs
        inputs = [
            {
                "InputName": channel,
                "S3Input": {
                    "S3Uri": f"{uri}/",
                    "LocalPath": f"{PROCESSING.inputs}/{channel}",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                    "S3DataDistributionType": "FullyReplicated",
                },
            }
            for channel, (_, uri) in self._channels(job).items()
        ]
        outputs = [
            {
                "OutputName": Path(folder).name,
                "S3Output": {"S3Uri": f"{uri}/", "LocalPath": folder, "S3UploadMode": "EndOfJob"},
            }
            for folder, uri in self._outputs(job).items()
        ]
        return {
            "ProcessingJobName": name,
            "AppSpecification": {
                "ImageUri": self._image,
                "ContainerEntrypoint": self._worker,
                "ContainerArguments": self._command(job),
            },
            "ProcessingInputs": inputs,
            "ProcessingOutputConfig": {"KmsKeyId": self._key, "Outputs": outputs},
            "ProcessingResources": {"ClusterConfig": self._machine(machine.instance, machine.volume_gb)},
            "StoppingCondition": {"MaxRuntimeInSeconds": machine.max_minutes * 60},
            # No network at all: SageMaker itself brings the inputs and takes the outputs away.
            "NetworkConfig": {"EnableNetworkIsolation": True},
        }

    def _training(self, job: Job, name: str) -> dict[str, Any]:
        machine = self._session.settings.training
        if self._instances(job) > 1:
            for algorithm in job.parameters.get("algorithms", ()):
                algorithms.together(algorithm)  # Unsupported before anything is asked for
        channels = [
            {
                "ChannelName": channel,
                "DataSource": {
                    "S3DataSource": {
                        "S3DataType": "S3Prefix",
                        "S3Uri": f"{uri}/",
                        "S3DataDistributionType": "FullyReplicated",
                    }
                },
            }
            for channel, (_, uri) in self._channels(job).items()
        ]
        limits = {"MaxRuntimeInSeconds": machine.max_minutes * 60}
        if machine.spot:
            limits["MaxWaitTimeInSeconds"] = machine.max_wait_minutes * 60
        return {
            "TrainingJobName": name,
            "AlgorithmSpecification": {
                "TrainingImage": self._image,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": self._worker,
                "ContainerArguments": self._command(job),
            },
            "InputDataConfig": channels,
            "OutputDataConfig": {
                "S3OutputPath": self._mirror.uri(self.folder(job)),
                "KmsKeyId": self._key,
                "CompressionType": "NONE",  # files, not an archive: bundles are read one by one
            },
            "ResourceConfig": self._machine(machine.instance, machine.volume_gb, self._instances(job)),
            "StoppingCondition": limits,
            "CheckpointConfig": {"S3Uri": self._mirror.uri(self.checkpoints(job)), "LocalPath": CHECKPOINTS},
            "EnableManagedSpotTraining": machine.spot,
            # Machines of one job reach each other all the same, and nobody else; what they say is encrypted.
            "EnableNetworkIsolation": True,
            "EnableInterContainerTrafficEncryption": self._instances(job) > 1,
        }

    def _machine(self, instance: str, volume_gb: int, count: int = 1) -> dict[str, Any]:
        found = {"InstanceCount": count, "InstanceType": instance, "VolumeSizeInGB": volume_gb}
        # Disks that are part of the machine are encrypted by it, with a key of its own; SageMaker refuses another.
        own_disk = re.match(r"ml\.\w\d(a|i)?d", instance)
        return found if own_disk else {**found, "VolumeKmsKeyId": self._key}

    def _instances(self, job: Job) -> int:
        """Trials of a tuning don't share machines: several of them run at a time instead."""
        return self._session.settings.training.instances if job.kind == "train" else 1

    @cached_property
    def _image(self) -> str:
        return self._session.settings.image or for_jobs(self._session)

    def _role(self, job: Job) -> str:
        """The ETL's role reads raw files and writes the zones; the other reads the zones and writes models."""
        names = self._session.names
        role = "etl" if job.kind == "etl" else "sagemaker"
        return f"arn:{partition(names.region)}:iam::{names.account}:role/{names.prefix}-{role}"

    @cached_property
    def _key(self) -> str:
        return key_arn(self._session, "data")
