"""What npu_bridge needs of a rank's environment, asserted by a rank: a plain script in the place of a training.

Sources: facts/env.md, sections 1 and 7; TF Adapter (gitcode.com/cann/tensorflow), ge_plugin.cc, npu_estimator.py.
"""

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from cifar_cnn.npu import npu_settings
from cifar_cnn.options import Options
from cifar_cnn.place import read_place
from training.options import parse


def check_rank_table(environ: Mapping[str, str]) -> None:
    """The table has this rank, on the device that the rank is to take, among all ranks that there are."""
    assert not [name for name in environ if name.startswith("CM_")]
    table = json.loads(Path(environ["RANK_TABLE_FILE"]).read_text(encoding="utf-8"))
    assert table["status"] == "completed"
    assert table["server_count"] == str(len(table["server_list"]))
    devices = [device for server in table["server_list"] for device in server["device"]]
    assert sorted(int(device["rank_id"]) for device in devices) == list(range(int(environ["RANK_SIZE"])))
    (own,) = [device for device in devices if device["rank_id"] == environ["RANK_ID"]]
    assert own["device_id"] == environ["ASCEND_DEVICE_ID"]


def check_chief(environ: Mapping[str, str]) -> None:
    """The five variables are there, none of the other form is, and one of the ranks is the chief."""
    assert {"RANK_TABLE_FILE", "RANK_ID", "RANK_SIZE"}.isdisjoint(environ)
    assert environ["CM_CHIEF_IP"] == environ["CM_WORKER_IP"]
    assert 1 <= int(environ["CM_CHIEF_PORT"]) <= 65520
    is_chief = environ["ASCEND_DEVICE_ID"] == environ["CM_CHIEF_DEVICE"]
    assert is_chief == (environ["DEVICE_INDEX"] == "0")


def main() -> None:
    environ = os.environ
    assert environ["DEVICE_TARGET"] == "Ascend"
    assert environ["JOB_ID"] == environ["NPU_LAUNCH_RUN"]
    assert environ["DEVICE_INDEX"] == environ["NPU_LAUNCH_RANK"]
    assert environ["DEVICE_ID"] == environ["ASCEND_DEVICE_ID"]
    assert "TF_CONFIG" not in environ
    if "CM_CHIEF_IP" in environ:
        check_chief(environ)
    else:
        check_rank_table(environ)
    place = read_place(environ, adapter_is_installed=False)
    settings = npu_settings(parse(Options, sys.argv[1:], ""), place, environ)
    Path("given.json").write_text(json.dumps({"place": asdict(place), "settings": asdict(settings)}))
    print(settings.line())


if __name__ == "__main__":
    main()
