"""The test kit for real clusters: Kubernetes, a container engine and a registry, wherever they are.

Nothing here knows a machine. What a test may use is named by the environment; what isn't named is skipped, and the
reason says which variable is missing:

    KUBECONFIG               a cluster's file; its current context is used, and namespaces are made and deleted in it
    DOCKER_HOST              the engine that builds images (the docker command's own default counts too)
    RETAILOPS_TEST_REGISTRY  HOST:PORT of a registry that the engine may push to and the cluster pulls from
    RETAILOPS_TEST_SERVICES  a command that prints a line `NAMESPACE/SERVICE:PORT ADDRESS:PORT` per port of a Service:
                             where this machine reaches it. Unset, no cluster is touched, whatever KUBECONFIG says

On kind and minikube (Linux) the addresses of Services can be reached once they have a way: `minikube tunnel`, or
`ip route add 10.96.0.0/16 via NODE` for kind. Then the command is kubectl itself, in a script of three lines:

    kubectl get services --all-namespaces --output go-template='{{range .items}}{{$s := .}}{{range .spec.ports}}
    {{- $s.metadata.namespace}}/{{$s.metadata.name}}:{{.port}} {{$s.spec.clusterIP}}:{{.port}}{{"\\n"}}{{end}}{{end}}'

Registry: kind's "local registry" page, `minikube addons enable registry`; on EKS the account's own, after
`aws ecr get-login-password | docker login`. On EKS run the tests where Services can be reached: on a node, or in a VPN
with a route. `kubectl port-forward` won't do: it stays with one pod and loses requests when that one leaves.

In a test:
    def test_nobody_notices(cluster, registry, docker, bundle_folder):
        with cluster.namespace("shop-dev") as namespace:
            cluster.apply(*objects)                           # as aged for this server
            address = cluster.address(namespace, "api", 80)
            with Load(address, bodies(bundle_folder)) as running:
                ...
            print(running)                                    # requests 1200 total / 0 failed
            assert running.total and not running.failed, running.failures
`cluster.aged` is what a test gives to a target so that its manifests suit a server that is older than they are.
"""

from clusters.aging import aged
from clusters.cluster import Answer, Cluster, until
from clusters.engine import Docker, ServingImage, registry_at
from clusters.kubelet import Kubelet
from clusters.load import Failure, Load, baskets, batch, bodies

__all__ = [
    "Answer",
    "Cluster",
    "Docker",
    "Failure",
    "Kubelet",
    "Load",
    "ServingImage",
    "aged",
    "baskets",
    "batch",
    "bodies",
    "registry_at",
    "until",
]
