"""Takes this host out of the Ray of a cluster, and out of the cluster: nothing is left but locks and logs.

Run as `python -m launcher.supervise.on_ray.end CLUSTER`, where CLUSTER is an id. Returns when all is gone, with a line
of JSON on standard output: `{"ended": true}`, also where nothing was; `{"error": TEXT}` and exit code 2 on a head whose
Ray is held by runs, which goes on as it was but ends with the last of them.
"""

from __future__ import annotations

from launcher.runs.clusters import membership_path, token_path
from launcher.runs.home import remove_runtime_directory
from launcher.supervise.on_ray.ending import end_service
from launcher.supervise.on_ray.remote import Answer, reply
from launcher.supervise.on_ray.service import head_service, node_service
from launcher.supervise.warm import release_and_wait


async def end(cluster: str) -> Answer:
    """End what is there. Raises UsageError while runs hold it."""
    await release_and_wait(cluster)
    for service in (head_service(cluster), node_service(cluster)):
        await end_service(service)
    for path in (membership_path(cluster), token_path(cluster)):
        path.unlink(missing_ok=True)
    remove_runtime_directory()
    return {"ended": True}


if __name__ == "__main__":
    reply(end)
