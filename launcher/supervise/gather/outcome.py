"""What came of gathering: values, as `gathered.json` has them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")


class Limits(_Value):
    """How much is gathered, and how fast. Bytes of a host in all, and a second; seconds for a host to answer."""

    host_bytes: int = 512 << 20
    rate: int = 32 << 20
    hosts_at_once: int = 8
    patience: float = 30.0


class CutFile(_Value):
    """A file that was too long: it has `size` bytes on its host, and `kept` here (none when there is no file here)."""

    path: str
    size: int
    kept: int


class Missing(_Value):
    """What could not be had, and why."""

    what: str
    why: str


class FromHost(_Value):
    """What came of one host: files and bytes that are here now."""

    host: str
    files: int = 0
    bytes: int = 0
    cut: tuple[CutFile, ...] = ()
    missing: tuple[Missing, ...] = ()

    @property
    def is_lost(self) -> bool:
        """Whether the host did not answer, or not to the end; asking again goes on from there."""
        return any(each.what == self.host for each in self.missing)

    def __str__(self) -> str:
        parts = [f"{self.files} files, {self.bytes / (1 << 20):,.1f} MiB of {self.host}"]
        if self.cut:
            parts.append(f"{len(self.cut)} cut")
        if self.missing:
            parts.append(f"{len(self.missing)} not to be had ({self.missing[0].what}: {self.missing[0].why})")
        return ", ".join(parts)


class Gathered(_Value):
    """What came of one attempt's hosts, in the order of their names."""

    attempt: int
    hosts: tuple[FromHost, ...]

    def after(self, before: Gathered | None) -> Gathered:
        """What there is now: of a host that has not answered this time, what came `before`."""
        known = {} if before is None else {host.host: host for host in before.hosts}
        hosts = {host.host: host for host in self.hosts}
        for name, host in known.items():
            if name not in hosts:
                hosts[name] = host
            elif hosts[name].is_lost and hosts[name].files < host.files:
                hosts[name] = host.model_copy(update={"missing": hosts[name].missing})
        return self.model_copy(update={"hosts": tuple(hosts[name] for name in sorted(hosts))})

    def __str__(self) -> str:
        return f"evidence of attempt {self.attempt}: {'; '.join(map(str, self.hosts))}"
