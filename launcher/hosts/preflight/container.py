"""Whether ranks start where the cluster spec seems to say: in a container, or outside."""

from __future__ import annotations

from collections.abc import Iterator

from launcher.hosts.preflight.finding import Check, Finding, Severity
from launcher.hosts.preflight.subject import Subject


def check_container(subject: Subject) -> Iterator[Finding]:
    """Hosts with a `container`, which nothing but `plan -o docker` and `plan -o k8s` starts."""
    for host in subject.cluster.hosts:
        if host.container is not None:
            yield Finding(
                Severity.WARN,
                Check.CONTAINER,
                f"ranks start outside of the container {host.container.image}",
                "container is used by plan -o docker and plan -o k8s only",
                "npu-launch plan RECIPE -o docker, or start npu-launch inside of the container",
                host.name,
            )
