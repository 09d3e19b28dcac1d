"""The reference of recipes and clusters, made from the models: `python -m launcher.specs.reference > docs/specs.md`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from launcher.specs.cluster_file import ClusterFile, Exclusion, HostDefaults, HostEntry
from launcher.specs.container import Container, ContainerChanges
from launcher.specs.device import Device, Level, LevelAddress
from launcher.specs.login import Ssh
from launcher.specs.placeholders import PLACEHOLDERS
from launcher.specs.problems import annotation_of, form_of
from launcher.specs.ray import Ray, RayTls
from launcher.specs.recipe import Checkpoint, Recipe
from launcher.specs.recovery import Budgets, Hang, Restart
from launcher.specs.servers import SERVERS, Allocation, Server

_INTRODUCTION = """\
# Recipes and clusters

A recipe says what to run, a cluster says where it can run. Both are YAML 1.2 files: `off` is a text, `1e-3` a number,
and quotes make a text of anything. Unknown and repeated keys are errors, as are anchors, aliases, tags and merge keys.

`npu-launch schema recipe` and `npu-launch schema cluster` print JSON schemas, by which editors complete and check
specs: begin a file with `# yaml-language-server: $schema=PATH`, as the examples do with `schemas/` of this repository.

This page is made from the models in `launcher/specs`: `python -m launcher.specs.reference > docs/specs.md`.
"""

_RULES = """\
## From `args` to the command line

| in the recipe | the script gets |
|---|---|
| `batch_size: 4` | `--batch_size=4` |
| `fast: true` | `--fast` |
| `fast: false`, `fast: null` | nothing |
| `fast: "true"`, `fast: "True"` | `--fast=true`, `--fast=True` |
| `layers: [3, 4, 23]` | `--layers 3 4 23` |
| `lr: 1e-3` | `--lr=0.001`: numbers are numbers, so that a fix can change them |
| `version: "1.10"` | `--version=1.10`: quotes keep a number as it is written |

With a list, as in `args: [train, --lr, 1e-3]`, the script gets each item as it is written.

A restart from a checkpoint adds `--<resume_arg>=<checkpoint>` as the last argument, in place of the same key in `args`.

## Environment

Values of `env` are taken as they are written: `1.10` stays `1.10`, `true` is the text `true`. For an empty value, write
`""`.

The variables by which ranks know who they are and find each other follow from `ranks` and the cluster; a recipe that
sets one is refused. So that nothing of another launcher leaks into a rank, these and OMP_NUM_THREADS are not inherited
from the shell; all else is. On CPU each rank has OMP_NUM_THREADS=1 unless the recipe says otherwise, since ranks share
the cores. [The environment of a rank](environment.md) has them all, by framework.

## Which device a rank has

Ranks fill the hosts in order, spares last, the devices of a host by ascending id, one rank a device. A MindSpore job on
NPUs of several hosts numbers its ranks in the order of the hosts' `server_id` (the address, unless given) as texts,
those of one super pod together, which is what MindSpore asks of a rank table. PyTorch scripts select `npu:LOCAL_RANK`:
where a host's devices are not 0 to n-1, ASCEND_RT_VISIBLE_DEVICES makes that right.
"""

_SWEEPS = """\
## Sweeps

```yaml
framework: plain
gang: false
args: {lr: 0.1, seed: 1, epochs: 20}
sweep: {args.lr: [0.3, 0.1, 0.03, 0.01], args.seed: [1, 2]}
checkpoint: {dir: "{run_dir}/checkpoints/{rank}", resume_arg: resume_from}
```

Each rank runs one combination of the lists, in the place of what `args` or `env` has: the last list counts fastest, so
rank 0 has `lr=0.3 seed=1`, rank 1 `lr=0.3 seed=2`, and rank 7 `lr=0.01 seed=2`. `ranks` follows from the lists; where
it is given nevertheless, it has to be their product. What is swept has a value in `args` or `env`, too: a misspelt name
is an error, and `--set sweep={} --set ranks=1` runs the recipe once. `--set 'sweep.args.lr=[0.2, 0.05]'` sweeps
something else; `--set args.lr=0.2`, which no rank would see, is refused.

The ranks are independent: one that fails leaves the others alone, and `npu-launch rerun --ranks failed` runs those
again that have not succeeded, each from the newest checkpoint in its own folder. Every combination has a device to
itself: a sweep with more combinations than there are devices is refused, and has to be run in parts, one after another.
"""

_PLACEHOLDERS = """\
## Placeholders

These are replaced in `args`, in the values of `env`, in `cwd` and in `checkpoint.dir`. Any other text in braces is left
alone, so JSON can be passed on. MindSpore's scheduler, which has no rank, reads `scheduler` for `{rank}`.

| placeholder | is |
|---|---|
"""

_OVERRIDES = """\
## Overrides

`--set KEY=VALUE` changes any value by its dotted path: `--set args.batch_size=8`, `--set restart.policy=group`. The
value is YAML: `8` is a number, `'"8"'` a text, `'[3, 4]'` a list, `null` removes an optional key. Below `args`, `env`
and `knobs` the rest of the path is one key, dots and all, and a new key is added. `--env NAME=VALUE` sets a variable.
"""


_HOSTS = """\
### Host lists

A host is a mapping, or just its name: `hosts: [node1, node2]`. A name may be a pattern, as Slurm writes them: a range
`node[001-064]` with as many digits as written, a list `node[001-003,007]`, several brackets `rack[1-2]n[01-16]`, of
which the last counts fastest, and several patterns `node[1-3],gpu1`. In braces and brackets of YAML, put it in quotes.
The address of a host is its name, unless `address` says otherwise; beside a pattern it is one with as many values.

```yaml
name: training-room
server: atlas-800t-a2
hosts:
  - name: node[001-064]
    address: 10.0.0.[11-74]
    device_ips: ["192.168.[1-8].[11-74]"]
spares: ["node[061-064]"]
exclude:
  - node013
  - {host: node027, devices: [5]}
```

`device_ips` counts device by device, and for each device host by host: device 0 of the 64 hosts has 192.168.1.11 to
192.168.1.74, device 7 has 192.168.8.11 to 192.168.8.74. A list that cannot be read, a range that runs backwards, a host
or address that is there twice, and a spare or an exclusion that names no host are errors.

Spares get ranks when the other hosts do not suffice, at the start or after one of them was lost. What is excluded gets
none. `ssh`, `cann`, `python` and `container` hold for all hosts; a host that has its own `ssh` or `container` changes
the keys that it gives. A run keeps the cluster as it was at its start, host by host, in its `cluster.yaml`.
"""


def reference() -> str:
    """The whole page as Markdown; pure, and the same bytes for the same models."""
    sections = [
        _INTRODUCTION,
        _section("Recipe", Recipe),
        _section("`checkpoint`", Checkpoint, level=3),
        _section("`restart`", Restart, level=3),
        _section("`restart.budgets`", Budgets, level=3),
        _section("`hang`", Hang, level=3),
        _RULES,
        _SWEEPS,
        _PLACEHOLDERS + "\n".join(f"| `{{{word}}}` | {meaning} |" for word, meaning in PLACEHOLDERS.items()) + "\n",
        _OVERRIDES,
        _section("Cluster", ClusterFile),
        _HOSTS,
        _section("`hosts`", HostEntry, level=3),
        _section("`devices`", Device, level=3),
        _section("`devices.levels`", Level, level=3),
        _section("`devices.levels.addresses`", LevelAddress, level=3),
        _section("`hosts.container`", ContainerChanges, level=3),
        _servers(),
        _section("`defaults`", HostDefaults, level=3),
        _section("`exclude`", Exclusion, level=3),
        _section("`ssh`", Ssh, level=3),
        _section("`container`", Container, level=3),
        _section("`ray`", Ray, level=3),
        _section("`ray.tls`", RayTls, level=3),
    ]
    return "\n".join(sections)


def _servers() -> str:
    return "\n".join(
        [
            "### `server`",
            "",
            "What each server has, as MindCluster's tables of node affinity list it.",
            "",
            "| server | product | chip assumed | devices | links | of one server a job may have |",
            "|---|---|---|---|---|---|",
            *(
                f"| `{server.key}` | {server.product} | {server.soc or 'say `soc`'} | {server.devices} | "
                f"{server.links} | {_sizes(server)} |"
                for server in SERVERS.values()
            ),
            "",
        ]
    )


def _sizes(server: Server) -> str:
    """Which sets of devices a job may have, in words."""
    sizes = ", ".join(map(str, server.sizes))
    if server.sizes == tuple(range(1, server.devices + 1)):
        sizes = f"1 to {server.devices}"
    groups = " / ".join(f"{group[0]}-{group[-1]}" for group in server.groups)
    return {
        Allocation.ANY: sizes,
        Allocation.ONE_GROUP: f"{sizes}; no more than a ring has: in one ring, {groups}",
        Allocation.EQUAL_GROUPS: f"{sizes}; of both modules, {groups}, as many each",
        Allocation.WHOLE_GROUPS: f"{sizes}; an even number in whole pairs, 0-1 and so on",
    }[server.allocation]


def _section(title: str, model: type[BaseModel], *, level: int = 2) -> str:
    return "\n".join([f"{'#' * level} {title}", "", f"{model.__doc__}", "", *_table(model), ""])


def _table(model: type[BaseModel]) -> Iterator[str]:
    yield "| key | value | default | meaning |"
    yield "|---|---|---|---|"
    for name, field in model.model_fields.items():
        yield f"| `{name}` | {form_of(annotation_of(field))} | {_default(field)} | {field.description} |"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    shown = _yaml(field.get_default(call_default_factory=True))
    return f"`{shown}`" if shown else ""


def _yaml(value: Any) -> str:
    """A default as one would write it; nothing for what is absent or empty."""
    if isinstance(value, BaseModel):
        shown = {name: _yaml(getattr(value, name)) for name in type(value).model_fields}
        keys = [f"{name}: {text}" for name, text in shown.items() if text]
        return f"{{{', '.join(keys)}}}" if keys else ""
    if isinstance(value, Mapping | tuple) or value is None:
        return ""
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:g}"
    return f'"{value}"' if isinstance(value, str) and not value.isalnum() else str(value)


if __name__ == "__main__":
    print(reference(), end="")
