"""Floor 0: variables that other people's libraries read once, at their import; settings of ours never pass here.

Reading the environment is config's business. Writing it has no other way: OpenMP and BLAS size their thread pools, and
MLflow decides about telemetry, from variables alone and before any call could tell them.
"""

from __future__ import annotations

import os
from pathlib import Path


def limit_threads(threads: int) -> None:
    """Native thread pools of this process use at most `threads`. Call before numpy is imported."""
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ[name] = str(threads)
    # Waiting threads sleep instead of spinning: on busy cores spinning made XGBoost with two threads six times slower.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def no_telemetry() -> None:
    """Libraries imported after this send no usage statistics anywhere."""
    os.environ["DO_NOT_TRACK"] = "true"
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"


def quiet_terraform() -> None:
    """Terraform started after this asks nothing, advertises no further commands and calls nobody about new versions."""
    os.environ["TF_INPUT"] = "0"
    os.environ["TF_IN_AUTOMATION"] = "1"
    os.environ["CHECKPOINT_DISABLE"] = "1"


def docker_folder() -> Path:
    """Where the docker command keeps its contexts and credentials: its own variable, which is no setting of ours."""
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker")


def kubeconfig() -> str | None:
    """What kubectl's own variable says at this moment; its library would keep what it was at the import."""
    return os.environ.get("KUBECONFIG") or None
