"""What to run."""

from __future__ import annotations

import os
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, Discriminator, Field, Tag, WithJsonSchema, model_validator

from launcher.specs.choices import Binding, Preflight, RankTableFormat, Rendezvous
from launcher.specs.dotted import NoSuchPath, look_up
from launcher.specs.fields import (
    ArgumentName,
    ArgumentValue,
    Count,
    EnvName,
    EnvValue,
    FilledText,
    Form,
    KnobName,
    Port,
    RunName,
    Seconds,
    Size,
    Text,
    WrittenOut,
    refuse,
)
from launcher.specs.frozen import FrozenMap
from launcher.specs.memory import Memory
from launcher.specs.patterns import MOST_PATTERNS, MetricPattern
from launcher.specs.placeholders import used
from launcher.specs.recovery import Hang, HangPolicy, Restart, RestartPolicy
from launcher.specs.shape import list_or_mapping
from launcher.specs.spec import Part, Spec
from launcher.specs.sweep import Sweep, Value, check_sweep, combination, with_ranks


class Framework(str, Enum):
    """What the script trains with, which decides the environment that its ranks get."""

    MINDSPORE = "mindspore"
    PYTORCH = "pytorch"
    TENSORFLOW = "tensorflow"
    PLAIN = "plain"


class Prewarm(str, Enum):
    """Whether ranks are forked from one process that has imported the framework; `auto`: on CPU, not on NPUs."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class Checkpoint(Part):
    """Where the script keeps its checkpoints, so that a restart can resume from the last one."""

    dir: FilledText = Field(
        description="Folder of the checkpoints. Relative paths start from the recipe's folder; "
        'most recipes want `"{run_dir}/checkpoints"`.'
    )
    resume_arg: ArgumentName = Field(
        description="Option that makes the script resume: `resume_from` adds `--resume_from=<checkpoint>`."
    )
    pattern: FilledText = Field(default="*.ckpt", description="File name pattern of a complete checkpoint.")


# The file's own spelling of a number is kept by the reader.
ListedArgument = Annotated[Text, Form("text", {"type": ["string", "number", "boolean"]})]
Arguments = Annotated[
    Annotated[FrozenMap[ArgumentName, ArgumentValue], Form("a mapping of option names to values"), Tag("mapping")]
    | Annotated[tuple[ListedArgument, ...], Field(strict=False), Form("a list of texts"), Tag("list")],
    Discriminator(list_or_mapping),
    Form("a mapping of option names to values, or a list of texts"),
]


# A file may have the versions without quotes, as numbers.
_TABLE_SCHEMA = WithJsonSchema({"enum": [*(each.value for each in RankTableFormat), 1.0, 1.2, 2.0]})


def _holds_a_log(size: int) -> int:
    if size < 1 << 20:
        raise refuse("is less than the 1 MB that head, errors and tail of a log need")
    return size


_LogLimit = Annotated[Size, AfterValidator(_holds_a_log), Form("a size from 1 MB up, such as 2 GB")]


class Recipe(Spec):
    """A training job: the script, how many ranks of it, and what becomes of it when a rank fails."""

    name: RunName = Field(description="What to call the job; any text on one line.")
    framework: Annotated[Framework, Form("mindspore, pytorch, tensorflow or plain")] = Field(
        strict=False,
        description="What the script trains with. `plain` gets the rank table and RANK_ID, and no rendezvous.",
    )
    cluster: FilledText = Field(
        default="auto",
        description="A cluster file, relative to the recipe, or `auto`: this machine's NPUs, else its CPU.",
    )
    ranks: Count = Field(
        description="How many processes there are; each has a device to itself. Beside a `sweep` it may be left out."
    )
    script: FilledText = Field(
        description="What each rank runs, relative to the recipe. Python runs it; with framework `plain`, "
        "a script whose name does not end in `.py` is a program of its own."
    )
    python: FilledText | None = Field(
        default=None,
        description="Python to run the script with: a command, or a path relative to the recipe when it has a `/`. "
        "Default: the one that runs npu-launch.",
    )
    args: Arguments = Field(
        default=FrozenMap[str, ArgumentValue](),
        description="The script's options as a mapping, or its arguments as a list, passed on as they stand.",
    )
    env: Annotated[FrozenMap[EnvName, EnvValue], Form("a mapping of variables to values")] = Field(
        default=FrozenMap[str, str](), description="Environment variables of every rank. Values are taken as written."
    )
    sweep: Sweep = Field(
        default=FrozenMap[str, tuple[Value, ...]](),
        description="Lists of values for some of `args` and `env`, of which each rank runs one combination: "
        "see [Sweeps](#sweeps). With framework `plain` and `gang: false`.",
    )
    cwd: FilledText = Field(
        default="{rank_dir}",
        description="Working folder of a rank, by default one of its own: MindSpore drops files where it runs.",
    )
    checkpoint: Annotated[Checkpoint | None, Form("a mapping with dir and resume_arg")] = Field(
        default=None, description="Where checkpoints are; without it, every start is from the beginning."
    )
    restart: Annotated[Restart, Form("a mapping with policy and max_restarts")] = Field(
        default_factory=Restart, description="What to do when the job fails."
    )
    gang: Annotated[bool, Form("true or false")] = Field(
        default=True, description="Whether the failure of one rank ends the others. false: ranks are independent."
    )
    grace: Seconds = Field(
        default=10.0, description="Seconds that a rank has between SIGTERM and SIGKILL when the run is stopped."
    )
    lease: Annotated[float, Field(ge=1, le=86400), Form("seconds from 1 up")] = Field(
        default=60.0,
        description="Seconds after which a host that hears nothing of the supervisor ends its ranks, so that the group "
        "can be started elsewhere without a twin.",
    )
    log_limit: _LogLimit = Field(
        default=2 << 30,
        description="Disk that the log of one rank may take, 1 MB at least. Of a longer one the middle is freed: head, "
        "first errors and tail stay. CANN's logs of a rank may take as much: beyond it the oldest of its files go.",
    )
    hang: Annotated[Hang, Form("a mapping with policy and seconds")] = Field(
        default_factory=Hang, description="What to do when no rank comes on any more."
    )
    prewarm: Annotated[Prewarm, Form("auto, on or off")] = Field(
        default=Prewarm.AUTO,
        strict=False,
        description="Whether ranks are forked from one process per host that has imported the framework: they start "
        "sooner, and share its memory. auto: on CPU, where it is verified; not on NPUs until you say on.",
    )
    metrics: Annotated[
        tuple[MetricPattern, ...],
        Field(max_length=MOST_PATTERNS),
        Form(f"a list of {MOST_PATTERNS} patterns at most"),
    ] = Field(
        default=(),
        strict=False,
        description="Patterns by which lines of the script's own are understood, beside those of the known trainers: "
        "see [Progress and trouble](metrics.md#metrics-of-your-own).",
    )
    knobs: Annotated[FrozenMap[KnobName, FilledText], Form("a mapping of names to dotted paths")] = Field(
        default=FrozenMap[str, str](),
        description="What a suggested fix may turn: a name, and the dotted path of the value in this recipe.",
    )
    scheduler_port: Port | None = Field(
        default=None, description="Port on which ranks meet on the first host. Default: a free one, chosen at launch."
    )
    rendezvous: Annotated[Rendezvous, Form("auto, dynamic_cluster, rank_table or cm")] = Field(
        default=Rendezvous.AUTO,
        strict=False,
        description="How ranks find each other. dynamic_cluster: MindSpore's scheduler; rank_table: the table alone "
        "(MindSpore, TensorFlow); cm: TensorFlow's CM_* variables, without a table. auto: dynamic_cluster with "
        "MindSpore, rank_table with TensorFlow, and what each framework has of its own.",
    )
    rank_table: Annotated[RankTableFormat, WrittenOut, _TABLE_SCHEMA, Form("auto, 1.0, 1.2, 2.0 or legacy")] = Field(
        default=RankTableFormat.AUTO, strict=False, description="Version of the rank table. auto: what the chip needs."
    )
    binding: Annotated[Binding, Form("auto or off")] = Field(
        default=Binding.AUTO,
        strict=False,
        description="Whether each rank is bound to the processors near to its device. auto: where the host tells "
        "which those are.",
    )
    data: Annotated[tuple[FilledText, ...], Form("a list of paths")] = Field(
        default=(), strict=False, description="Paths that must exist on every host, relative to the recipe."
    )
    memory: Memory | None = Field(
        default=None,
        description="Device memory that a rank needs, so that preflight can tell whether it fits. With sizes for parts "
        "of it, such as layers, it says which of them take most.",
    )
    preflight: Annotated[Preflight, Form("fast, full or off")] = Field(
        default=Preflight.FAST,
        strict=False,
        description="How closely hosts are looked at before the run starts on them.",
    )
    relative_to: FilledText | None = Field(
        default=None,
        description="Folder that relative paths start from. Default: the recipe's own; a run's copy has it set.",
    )

    @property
    def directory(self) -> Path:
        """The folder that relative paths start from; absolute, except for a recipe made in Python without one."""
        home = self.source.parent if self.source else Path()
        return home / self.relative_to if self.relative_to else home

    @property
    def script_path(self) -> Path:
        """Where the script is."""
        return self._path(self.script)

    @property
    def data_paths(self) -> tuple[Path, ...]:
        """Where the data is, on every host."""
        return tuple(map(self._path, self.data))

    @property
    def cluster_path(self) -> Path | None:
        """Where the cluster's file is, or None for `auto`."""
        return None if self.cluster == "auto" else self._path(self.cluster)

    @property
    def python_command(self) -> str | None:
        """The interpreter as a command or an absolute path, or None for the launcher's own."""
        return str(self._path(self.python)) if self.python and "/" in self.python else self.python

    @property
    def runs_python(self) -> bool:
        """Whether the script is given to Python, or is a program of its own."""
        return self.framework is not Framework.PLAIN or self.script.endswith(".py")

    def for_rank(self, rank: int) -> Recipe:
        """The recipe with the values that a rank of its sweep has; itself where there is none."""
        changed: dict[str, dict[str, object]] = {}
        for path, value in combination(self.sweep, rank).items():
            section, _, name = path.partition(".")
            changed.setdefault(section, dict(getattr(self, section)))[name] = value
        return self.model_copy(update={section: FrozenMap(values) for section, values in changed.items()})

    def resolved(self) -> Recipe:
        """The same recipe with paths that mean the same from any folder, as a run keeps it."""
        return self.model_copy(
            update={
                "script": str(self.script_path),
                "cluster": str(self.cluster_path or "auto"),
                "python": self.python_command,
                "data": tuple(map(str, self.data_paths)),
                "relative_to": str(self.directory),
            }
        )

    def _path(self, text: str) -> Path:
        return self.directory / os.path.expanduser(text)  # noqa: PTH111 (pathlib's raises for an unknown ~user)

    @model_validator(mode="before")
    @classmethod
    def _with_ranks_of_its_sweep(cls, values: Any) -> Any:
        return with_ranks(values)

    @model_validator(mode="after")
    def _is_sound(self) -> Recipe:
        for path, text in self._filled_texts():
            words = set(used(text))
            changing = words & {"attempt_dir", "rank_dir"}
            if "checkpoint_dir" in words and self.checkpoint is None:
                raise refuse("uses {checkpoint_dir}, but the recipe has no checkpoint section", *path)
            if "checkpoint_dir" in words and path == ("checkpoint", "dir"):
                raise refuse("uses {checkpoint_dir}, which is itself", *path)
            if changing and path == ("checkpoint", "dir"):
                raise refuse(f"uses {{{min(changing)}}}: a restart, which has another, would never find them", *path)
        if self.restart.policy is RestartPolicy.RANKS and self.gang:
            raise refuse("is ranks, but the ranks form a gang: say gang: false, or policy: group", "restart", "policy")
        if self.restart.policy is RestartPolicy.ELASTIC and not self.gang:
            raise refuse("is elastic, but the ranks form no gang: say policy: ranks", "restart", "policy")
        if self.hang.policy is HangPolicy.STOP and not self.gang:
            raise refuse("is stop, but the ranks form no gang that could be stopped: say report", "hang", "policy")
        if self.sweep:
            if self.framework is not Framework.PLAIN:
                raise refuse(f"is for ranks that train alone: {self.framework.value} is not framework plain", "sweep")
            if self.gang:
                raise refuse("is for ranks of which none ends the others: say gang: false", "sweep")
            check_sweep(self)
        for name, target in self.knobs.items():
            try:
                look_up(self, target)
            except NoSuchPath as missing:
                raise refuse(str(missing), "knobs", name) from None
        return self

    def _filled_texts(self) -> Iterator[tuple[tuple[str | int, ...], str]]:
        """Every text in which placeholders are replaced, with its path."""
        yield ("cwd",), self.cwd
        if self.checkpoint:
            yield ("checkpoint", "dir"), self.checkpoint.dir
        yield from ((("env", name), value) for name, value in self.env.items())
        for path, values in self.sweep.items():
            yield from ((("sweep", path, at), text) for at, text in enumerate(values) if isinstance(text, str))
        if isinstance(self.args, tuple):
            yield from ((("args", position), text) for position, text in enumerate(self.args))
            return
        for name, value in self.args.items():
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, str):
                    yield ("args", name), item
