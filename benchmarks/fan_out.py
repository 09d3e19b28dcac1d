"""How long it takes to reach many hosts over ssh: so many addresses of one machine stand for so many hosts.

`measure` has the laptop do it; run by itself (`fan_out.py ADDRESS...`) this is what the laptop runs.
"""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.machines import Machine, Machines

_FIRST = 100  # the last number of the first address that is added
_AT_ONCE = 32  # connections of `xargs`, as many as npu-launch makes
_OPTIONS = "-o BatchMode=yes -o ControlMaster=no"
_BY_SHELL = {
    "ssh in a loop": f"for host; do ssh {_OPTIONS} $host true || echo lost; done",
    f"xargs -P {_AT_ONCE} ssh": (
        f"printf '%s\\n' \"$@\" | xargs -P {_AT_ONCE} -I+ sh -c 'ssh {_OPTIONS} + true || echo lost'"
    ),
}


def addresses(machines: Machines, name: str, count: int) -> list[str]:
    """Give a machine so many addresses more, whose keys the laptop knows."""
    machine, found = machines[name], []
    network = machine.address.rpartition(".")[0]
    for number in range(_FIRST, _FIRST + count):
        found.append(f"{network}.{number}")
        machine.run("ip", "addr", "add", f"{found[-1]}/24", "dev", "eth0")
    known = machines.laptop.path("/root/.ssh/known_hosts")
    key = next(line for line in known.read_text().splitlines() if line.startswith(f"{name},")).partition(" ")[2]
    known.write_text(known.read_text() + "".join(f"{address} {key}\n" for address in found))
    return found


def measure(laptop: Machine, hosts: Sequence[str]) -> dict[str, float]:
    """Seconds for each thing that is done on all hosts, by its name, with npu-launch and with the ssh program."""
    done = laptop.run(sys.executable, Path(__file__), *hosts, timeout=300)
    assert done.returncode == 0, done.stderr
    found: dict[str, float] = json.loads(done.stdout)
    for name, script in _BY_SHELL.items():
        began = time.monotonic()
        said = laptop.run("sh", "-c", script, "sh", *hosts, timeout=300)
        found[f"{name}: log in, `true`"] = time.monotonic() - began
        found[f"{name}: hosts lost"] = said.stdout.count("lost")
    return found


def _fan_out(hosts: Sequence[str]) -> dict[str, float]:
    from launcher.hosts.provision.look import look
    from launcher.hosts.reading.request import Level
    from launcher.hosts.survey import Request, survey_hosts
    from launcher.hosts.ways import open_reach
    from launcher.specs import Cluster, Device, Host
    from launcher.supervise.fleet.asking import everywhere, sort_out

    members = tuple(Host(name=f"host-{n}", address=a, devices=(Device(id=0),)) for n, a in enumerate(hosts))
    cluster = Cluster(name="fan-out", soc="CPU", hosts=members)
    found: dict[str, float] = {}

    def timed(what: str, work: Callable[[], Any]) -> None:
        before, began = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
        failed = sort_out(work())[1]
        found[f"npu-launch: {what}"] = time.monotonic() - began
        after = resource.getrusage(resource.RUSAGE_SELF)
        found[f"processor time here: {what}"] = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        assert not failed, failed

    with open_reach(cluster) as reach:
        ways = {host.name: reach(host) for host in members}
        request = Request(level=Level.FAST)
        timed("log in, `true`", lambda: everywhere(lambda h: ways[h.name].run(["true"], timeout=60), members))
        timed("one `true` more", lambda: everywhere(lambda h: ways[h.name].run(["true"], timeout=60), members))
        timed("preflight's look", lambda: survey_hosts(members, request, lambda h: ways[h.name], 60))
        timed("up's look", lambda: everywhere(lambda h: look(h, ways[h.name], None, "3.11"), members))
        for way in ways.values():
            way.close()
    return found


if __name__ == "__main__":
    print(json.dumps(_fan_out(sys.argv[1:])))
