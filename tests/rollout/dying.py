"""A deploy that is killed at a stage: `python -m rollout.dying JSON`, in the folder of the tests."""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path

from clusters import Cluster
from rollout.shop import Shop, Told, model_of


def main(order: dict[str, str]) -> None:
    version = int(order["version"])
    model = model_of(version, Path(order["bundle"]))
    cluster = Cluster(order["kubeconfig"], order["services"])
    shop = Shop(cluster, order["namespace"], Path(order["folder"]), {version: order["image"]}, {version: model})
    killed = Told(order["at"], lambda: os.kill(os.getpid(), signal.SIGKILL))
    shop.serving(version).roll_out(model, killed)


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
