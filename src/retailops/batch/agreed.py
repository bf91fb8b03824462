"""What both ends of a job on a cluster take for granted. Imports nothing: a pod starts with it."""

from __future__ import annotations

CONTAINER = "etl"
PORT = 9400  # where a pod that is carried to listens
BLOCK = 8 << 20  # bytes, of what is carried
DATA, SCRATCH, TOKEN = "/data", "/tmp", "/token"  # noqa: S108 (folders of the pod's own)
RESULT = "result.json"  # the last that is written, and the last that is taken
VERDICTS = (2, 3, 4, 6)  # exit codes that stay the same however often it is tried; errors.py has what they mean
GATE_FAILED = 4  # the verdict after which what was refused is worth a look
