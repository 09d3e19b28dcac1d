"""Starts what keeps this host in the Ray of a cluster, and leaves it running: head or node, as its membership says.

Run as `python -m launcher.supervise.on_ray.start CLUSTER`, where CLUSTER is the id of a cluster that this host has a
membership.json and a token of. Started already, it does as membership.json says now. Returns at once, before Ray is up
(`joined` waits for that), with a line of JSON on standard output: `{"running": true}`, or `{"error": TEXT}` and exit
code 4.
"""

from __future__ import annotations

from launcher.supervise.on_ray.ending import end_service
from launcher.supervise.on_ray.remote import Answer, reply
from launcher.supervise.on_ray.service import head_service, node_service
from launcher.supervise.on_ray.terms import own_membership


async def start(cluster: str) -> Answer:
    """Have the right process run. Raises InfrastructureError."""
    membership = own_membership(cluster)
    head, node = head_service(cluster), node_service(cluster)
    right, wrong = (head, node) if membership.is_head else (node, head)
    await end_service(wrong)
    if membership.external is None:
        _, writer = await right.ask("start", start=True)
        writer.close()
    else:
        await end_service(right)
    return {"running": True}


if __name__ == "__main__":
    reply(start)
