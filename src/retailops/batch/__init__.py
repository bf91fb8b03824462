"""Floor 3: a job of ours as a Kubernetes Job: written down, followed, let go, explained. Knows no cloud.

On this machine: objects (what Kubernetes is told), attempt, voice, reasons; carried, carriage (for clusters without a
way to the lake). In the pod: inside, box. Both ends: agreed.
"""
