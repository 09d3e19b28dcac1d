"""What a host keeps of each cluster that it belongs to: its membership, the token of its Ray, locks and logs."""

from __future__ import annotations

import hashlib
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from launcher.errors import InfrastructureError
from launcher.runs.home import machine_directory, machine_path, write_file

if TYPE_CHECKING:
    from launcher.specs import Cluster


class _Kept(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Member(_Kept):
    """A host of the cluster; `ip` is what the others reach it by, and what Ray calls it."""

    name: str
    ip: str


class Tls(_Kept):
    """Certificates for the traffic of Ray: absolute paths on this host, PEM."""

    server_cert: str
    server_key: str
    ca_cert: str


class Membership(_Kept):
    """A cluster as one of its hosts knows it."""

    version: Literal[1] = 1
    cluster: str  # its name
    id: str
    head: str  # name of the host with Ray's head, and with the runs
    me: str  # name of this host
    members: tuple[Member, ...]
    port: int  # the first of Ray's
    stay: bool  # whether Ray stays when no run needs it
    python: str  # the interpreter that has npu-launch and Ray on this host
    external: str | None = None  # `host:port` of a Ray that somebody else keeps
    tls: Tls | None = None

    @property
    def is_head(self) -> bool:
        """Whether Ray's head is on this host."""
        return self.me == self.head

    def ip(self, host: str) -> str:
        """The address of a member."""
        return next(member.ip for member in self.members if member.name == host)

    @model_validator(mode="after")
    def _has_its_own(self) -> Membership:
        names = [member.name for member in self.members]
        if missing := {self.head, self.me}.difference(names):
            raise ValueError(f"'{min(missing)}' is no member")
        if len(set(names)) < len(names):
            raise ValueError("a member is named twice")
        return self


def cluster_id(cluster: Cluster) -> str:
    """Eight hex digits for a set of hosts, whatever else a spec says of them."""
    hosts = "\n".join(sorted(f"{host.name}={host.address}" for host in cluster.hosts))
    return hashlib.sha256(hosts.encode()).hexdigest()[:8]


def cluster_directory(cluster: str) -> Path:
    """The folder (mode 0700) of the cluster with this id on this host, of each host even where they share a home."""
    return machine_path() / "clusters" / cluster


def membership_path(cluster: str) -> Path:
    """The file (mode 0600) that says who belongs to the cluster with this id."""
    return cluster_directory(cluster) / "membership.json"


def token_path(cluster: str) -> Path:
    """The file (mode 0600) with the token that every connection to the cluster's Ray must show."""
    return cluster_directory(cluster) / "token"


def read_membership(cluster: str) -> Membership | None:
    """What this host knows of the cluster with this id; None when it does not belong to it.

    Raises InfrastructureError when the file cannot be read, or is not one of ours.
    """
    path = membership_path(cluster)
    try:
        membership = Membership.model_validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, f"cannot be read: {error.strerror or error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise _unusable(path, f"{place}: {first['msg']}" if place else first["msg"]) from error
    if membership.id != cluster:
        raise _unusable(path, f"is of the cluster {membership.id}")
    return membership


def write_membership(membership: Membership) -> None:
    """Make this host a member, or change what it knows. Raises InfrastructureError when it cannot be written."""
    directory = cluster_directory(membership.id)
    machine_directory()
    with suppress(OSError):  # which writing the file meets too, and tells
        for folder in (directory.parent, directory):
            folder.mkdir(mode=0o700, exist_ok=True)
    write_file(membership_path(membership.id), membership.model_dump_json(indent=1) + "\n")


def _unusable(path: Path, why: str) -> InfrastructureError:
    return InfrastructureError(
        why,
        where=str(path),
        expected="what `npu-launch up` wrote when this host joined the cluster",
        remedy="npu-launch up CLUSTER writes it anew",
    )
