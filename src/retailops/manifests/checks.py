"""The table of checks for the objects of any cluster; a target adds those of its own annotations."""

from __future__ import annotations

from retailops.manifests import links, naming, pods, scaling
from retailops.manifests.lint import Check

CHECKS = (
    Check("one namespace", naming.one_namespace),
    Check("names", naming.names),
    Check("labels", naming.labels),
    Check("twice", naming.twice),
    Check("deployment selector", links.own_pods),
    Check("service selector", links.service_selector),
    Check("target port", links.target_port),
    Check("ingress backend", links.ingress_backend),
    Check("network policy", links.network_policy),
    Check("service account", links.service_account),
    Check("config reference", links.config_reference),
    Check("argument variable", links.argument_variable),
    Check("volume", links.volumes),
    Check("spread", links.spread),
    Check("probe port", pods.probe_port),
    Check("probes", pods.probes),
    Check("digest", pods.digest),
    Check("resources", pods.resources),
    Check("leaving", pods.leaving),
    Check("restricted", pods.restricted),
    Check("autoscaler target", scaling.autoscaler_target),
    Check("autoscaler bounds", scaling.autoscaler_bounds),
    Check("replicas", scaling.replicas),
    Check("disruption budget", scaling.disruption_budget),
    Check("rolling update", scaling.rolling_update),
)
