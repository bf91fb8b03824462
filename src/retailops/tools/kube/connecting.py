"""The two ways to a cluster: an address with a token, as clouds give it, or a context of somebody's kubeconfig."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from retailops.errors import ConfigError, NotReady
from retailops.tools.kube.cluster import Cluster
from retailops.tools.kube.wire import Wire


@contextmanager
def connect(endpoint: str, certificate: str, token: str) -> Iterator[Cluster]:
    """The cluster behind `endpoint`; `certificate` is its CA in base64, as clouds hand it out. No call is made yet."""
    client = _library()
    with tempfile.TemporaryDirectory() as folder:
        configuration = client.Configuration()
        configuration.host = endpoint
        configuration.api_key = {"authorization": f"Bearer {token}"}
        if certificate:
            authority = Path(folder) / "ca.crt"
            authority.write_bytes(base64.b64decode(certificate))
            configuration.ssl_ca_cert = str(authority)
        with _opened(client, configuration) as found:
            yield found


@contextmanager
def connect_context(context: str) -> Iterator[Cluster]:
    """The cluster of a context of the kubeconfig (KUBECONFIG, or ~/.kube/config). No call is made yet.

    ConfigError when there is no such context, or its credentials can't be had.
    """
    client = _library()
    from kubernetes import config
    from kubernetes.config.config_exception import ConfigException

    configuration = client.Configuration()
    load: Any = config.load_kube_config
    try:
        load(context=context, client_configuration=configuration, persist_config=False)
    except (ConfigException, OSError) as problem:
        raise ConfigError(
            f"deploy.kubernetes.context: the context {context!r} can't be used: {problem}",
            "kubectl config get-contexts lists those that are there; KUBECONFIG names the file.",
        ) from problem
    with _opened(client, configuration) as found:
        yield found


@contextmanager
def _opened(client: Any, configuration: Any) -> Iterator[Cluster]:
    configuration.retries = False
    with client.ApiClient(configuration) as api:
        try:
            yield Cluster(Wire(api.rest_client.pool_manager, configuration))
        finally:
            api.rest_client.pool_manager.clear()


def _library() -> Any:
    try:
        from kubernetes import client
    except ImportError as problem:
        raise NotReady(
            "The library that speaks to Kubernetes isn't installed.", "Install it: pip install 'retailops[kubernetes]'"
        ) from problem
    return client
