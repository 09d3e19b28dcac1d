"""A plan for Kubernetes: documents that its own schemas take, and a script that does in a pod what the plan says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from scripts import TEXTS, bash, complaints, cpus, hostile_texts, npus, plain

from launcher.errors import PlanError
from launcher.planning.rendering import k8s_files, render_k8s
from launcher.specs import Cluster, Container, Recipe

CRDS = Path(__file__).parent / "crds"
IMAGE = Container(image="ascend/train:1", mounts=("/data:/in/data:ro",), shm_size=16 << 30)
Document = dict[str, Any]


def documents(recipe: Recipe, cluster: Cluster, runs: str = "/runs") -> dict[str, list[Document]]:
    files = k8s_files(recipe, cluster, name="My Job", runs=runs, python="python3")
    return {file.name: list(yaml.safe_load_all(file.text)) for file in files}


def templates(job: Document) -> list[Document]:
    if job["kind"] == "Job":
        return [task["template"] for task in job["spec"]["tasks"]]
    return [replica["template"] for replica in job["spec"]["replicaSpecs"].values()]


def check(document: Document) -> None:
    """Hold a document against Kubernetes' own schemas, and a custom one against what its CRD says."""
    if document["kind"] == "ConfigMap":
        kubernetes_validate.validate(document, "1.30", strict=True)
        return
    schema = CRDS / ("volcano_job.json" if document["kind"] == "Job" else "ascend_job.json")
    jsonschema.validate(document, json.loads(schema.read_text()))
    for template in templates(document):
        pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "any", **template["metadata"]}}
        kubernetes_validate.validate(pod | {"spec": template["spec"]}, "1.30", strict=True)


@pytest.mark.parametrize("framework", ["mindspore", "pytorch", "tensorflow", "plain"])
@pytest.mark.parametrize("hosts", [1, 2])
def test_every_document_is_valid(tmp_path: Path, framework: str, hosts: int) -> None:
    cluster = npus(*range(8), hosts=hosts, container=IMAGE)
    found = documents(plain(tmp_path, framework=framework, ranks=8 * hosts), cluster)
    assert list(found) == ["volcano-job.yaml", "ascend-job.yaml"]
    assert [document["kind"] for document in found["volcano-job.yaml"]] == ["ConfigMap", "ConfigMap", "Job"]
    assert [document["kind"] for document in found["ascend-job.yaml"]] == ["ConfigMap", "ConfigMap", "AscendJob"]
    for document in (document for file in found.values() for document in file):
        check(document)


def test_a_pod_asks_for_the_devices_of_a_host(tmp_path: Path) -> None:
    cluster = npus(*range(8), hosts=2, container=IMAGE)
    job = documents(plain(tmp_path, ranks=16), cluster)["volcano-job.yaml"][-1]
    assert (job["metadata"]["name"], job["spec"]["minAvailable"]) == ("my-job", 2)
    (container,) = templates(job)[0]["spec"]["containers"]
    assert container["name"] == "ascend"
    assert container["resources"] == {
        "limits": {"huawei.com/Ascend910": 8},
        "requests": {"huawei.com/Ascend910": 8},
    }
    volumes = {volume["name"]: volume for volume in templates(job)[0]["spec"]["volumes"]}
    mounts = {mount["mountPath"]: volumes[mount["name"]] for mount in container["volumeMounts"]}
    assert mounts["/dev/shm"]["emptyDir"] == {"medium": "Memory", "sizeLimit": str(16 << 30)}
    assert mounts["/in/data"]["hostPath"]["path"] == "/data"
    assert mounts["/user/serverid/devindex/config"]["configMap"] == {"name": "rings-config-my-job"}
    assert mounts[str(tmp_path)]["hostPath"] == {"path": str(tmp_path), "type": "Directory"}


@pytest.mark.parametrize(
    ("framework", "first"), [("mindspore", "Scheduler"), ("pytorch", "Master"), ("tensorflow", "Chief")]
)
def test_the_first_pod_of_an_ascend_job_is_the_first_host(tmp_path: Path, framework: str, first: str) -> None:
    recipe = plain(tmp_path, framework=framework, ranks=6)
    job = documents(recipe, npus(0, 1, hosts=3, container=IMAGE))["ascend-job.yaml"][-1]
    roles = job["spec"]["replicaSpecs"]
    assert {role: spec["replicas"] for role, spec in roles.items()} == {first: 1, "Worker": 2}
    assert job["spec"]["runPolicy"]["schedulingPolicy"]["minAvailable"] == 3
    for role, number in ((first, "0"), ("Worker", "1")):
        (container,) = roles[role]["template"]["spec"]["containers"]
        assert {"name": "FIRST_HOST", "value": number} in container["env"]
        assert container["resources"]["limits"] == {"huawei.com/Ascend910": 2}
    alone = documents(plain(tmp_path, framework=framework), npus(0, 1, container=IMAGE))["ascend-job.yaml"][-1]
    assert list(alone["spec"]["replicaSpecs"]) == [first]


def test_the_port_on_which_ranks_meet_is_the_one_that_a_service_passes_on(tmp_path: Path) -> None:
    for port, wanted in ((2222, {}), (7000, {"scheduler_port": 7000})):
        recipe = plain(tmp_path, framework="pytorch", ranks=4, **wanted)
        files = documents(recipe, npus(0, 1, hosts=2, container=IMAGE))["ascend-job.yaml"]
        assert f"MASTER_PORT={port}\n" in files[0]["data"]["launch.sh"]
        (container,) = templates(files[-1])[0]["spec"]["containers"]
        assert container["ports"] == [{"name": "ascendjob-port", "containerPort": port}]


def test_all_documents_in_one_text_are_told_apart_by_a_label(tmp_path: Path) -> None:
    text = render_k8s(plain(tmp_path), npus(0, 1, container=IMAGE), name="My Job", runs="/runs", python="python3")
    labels = [document["metadata"]["labels"]["npu-launch/for"] for document in yaml.safe_load_all(text)]
    assert labels == ["volcano"] * 3 + ["ascend"] * 3


def test_ranks_on_cpus_are_a_volcano_job(tmp_path: Path) -> None:
    found = documents(plain(tmp_path), cpus(container=IMAGE))
    assert list(found) == ["volcano-job.yaml"]
    for document in found["volcano-job.yaml"]:
        check(document)


def test_what_pods_cannot_be_is_refused(tmp_path: Path) -> None:
    for recipe, cluster, words in (
        (plain(tmp_path), cpus(), "does not say which image"),
        (plain(tmp_path, ranks=3), cpus(hosts=2, each=2, container=IMAGE), "pods of a job are equal"),
        (plain(tmp_path), cpus(container=Container(image="a", mounts=("data",))), "container.mounts has 'data'"),
        (plain(tmp_path), npus(0, 1, soc="Ascend310P3", container=IMAGE), "Ascend310P3"),
    ):
        with pytest.raises(PlanError, match=re.escape(words)):
            documents(recipe, cluster)


def run_pod(folder: Path, script: str, name: str, **env: str) -> None:
    (folder / "pod.sh").write_text(script)
    pod = {"POD_NAME": name, "POD_IP": "127.0.0.1", "FIRST_HOST": "0", "PEERS": "localhost localhost"}
    done = bash(folder / "pod.sh", env=pod | env)
    assert done.returncode == 0, done.stderr


def answer(folder: Path, rank: int) -> dict[str, Any]:
    log = folder / "runs" / "my-job" / "attempts" / "1" / "ranks" / str(rank) / "stdout.log"
    said: dict[str, Any] = json.loads(log.read_text())
    return said


@given(hostile_texts)
@settings(max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_rank_in_a_pod_gets_what_the_plan_says_whatever_it_is(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    folder = tmp_path_factory.mktemp("pod")
    recipe = plain(folder, framework="pytorch", args=[text, "{rank}"], env={"A": text, "host": text}, ranks=2)
    files = documents(recipe, cpus(hosts=2, each=1, container=IMAGE), str(folder / "runs"))["volcano-job.yaml"]
    run_pod(folder, files[0]["data"]["launch.sh"], "my-job-host-1")
    said = answer(folder, 1)
    assert said["argv"] == [text, "1"]
    assert (said["env"]["A"], said["env"]["host"], said["env"]["RANK"]) == (text, text, "1")
    assert said["env"]["MASTER_ADDR"] == "127.0.0.1"
    assert not {"POD_NAME", "PEERS"} & said["env"].keys()
    assert not (folder / "runs" / "my-job" / "attempts" / "1" / "ranks" / "0").exists()


def test_a_pod_takes_ascend_operators_word_for_where_the_first_is(tmp_path: Path) -> None:
    recipe = plain(tmp_path, framework="pytorch", ranks=2)
    cluster = npus(0, hosts=2, container=IMAGE)
    script = documents(recipe, cluster, str(tmp_path / "runs"))["ascend-job.yaml"][0]["data"]["launch.sh"]
    table = tmp_path / "hccl.json"
    table.write_text('{"status":"completed"}')
    script = script.replace("/user/serverid/devindex/config/hccl.json", str(table))
    operator = {"MASTER_ADDR": "127.0.0.9", "RANK": "1", "LOCAL_RANK": "0", "WORLD_SIZE": "2"}
    run_pod(tmp_path, script, "my-job-worker-0", FIRST_HOST="1", PEERS="", **operator)
    env = answer(tmp_path, 1)["env"]
    assert (env["MASTER_ADDR"], env["RANK"], env["LOCAL_RANK"]) == ("127.0.0.9", "1", "0")
    run_pod(tmp_path, script, "my-job-master-0", FIRST_HOST="0", PEERS="", **operator)
    assert answer(tmp_path, 0)["env"]["MASTER_ADDR"] == "127.0.0.1"


def test_a_pod_waits_for_the_rank_table_and_copies_it(tmp_path: Path) -> None:
    cluster = npus(4, 5, container=IMAGE)
    files = documents(plain(tmp_path), cluster, str(tmp_path / "runs"))["ascend-job.yaml"]
    table = tmp_path / "hccl.json"
    (tmp_path / "data").write_text('{"status": "completed"}')
    table.symlink_to("data")  # as a ConfigMap is mounted
    script = files[0]["data"]["launch.sh"].replace("/user/serverid/devindex/config/hccl.json", str(table))
    run_pod(tmp_path, script, "my-job-master-0", MASTER_ADDR="127.0.0.1")
    env = answer(tmp_path, 1)["env"]
    copy = Path(env["RANK_TABLE_FILE"])
    assert (copy.read_text(), copy.is_symlink()) == ('{"status": "completed"}', False)
    assert env["DEVICE_ID"] == "1"


def test_shellcheck_has_nothing_to_say(tmp_path: Path) -> None:
    for framework, args in (("mindspore", TEXTS), ("pytorch", ["x"])):
        recipe = plain(tmp_path, framework=framework, ranks=4, args=args)
        files = documents(recipe, npus(4, 5, hosts=2, container=IMAGE))
        (tmp_path / f"{framework}.sh").write_text(files["ascend-job.yaml"][0]["data"]["launch.sh"])
    assert complaints(*tmp_path.glob("*.sh")) == ""
