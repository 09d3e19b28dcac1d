"""From a recipe and a cluster to a launch plan."""

from __future__ import annotations

from pathlib import Path

from launcher.errors import PlanError
from launcher.planning.arguments import argv_of
from launcher.planning.claims import device_claim, ports_claim
from launcher.planning.environment import CONTRACTS, UNSET, Job, common_variables, rank_variables, refuse_owned
from launcher.planning.environment.contract import Service
from launcher.planning.layout import AttemptLayout, RunLayout
from launcher.planning.model import Checkpoints, Claim, Environment, LaunchPlan, RankProcess, ServiceProcess, Target
from launcher.planning.place import Place, hccl_ports
from launcher.planning.placement import Seat, keep_seats, place_ranks
from launcher.planning.ranktable.v1_0 import rank_table
from launcher.specs import Cluster, Framework, Prewarm, Recipe
from launcher.specs.placeholders import fill


def plan(recipe: Recipe, cluster: Cluster, place: Place | None = None) -> LaunchPlan:
    """All that one attempt starts: a pure function, the same bytes for the same values.

    Without a place it is the plan of `Place.example`, to be looked at. Raises PlanError when recipe, cluster and place
    do not fit together.
    """
    return _Composer(recipe, cluster, place or Place.example(recipe)).plan()


class _Composer:
    """The parts of one plan, which share what was worked out on the way."""

    def __init__(self, recipe: Recipe, cluster: Cluster, place: Place) -> None:
        self.recipe, self.cluster, self.place = recipe, cluster, place
        self.where = str(recipe.source or "")
        self._refuse_misfits()
        self.layout = RunLayout(Path(place.directory))
        self.attempt: AttemptLayout = self.layout.attempt(place.attempt)
        self.seats = (
            place_ranks(recipe, cluster, frozenset(place.unavailable))
            if place.seats is None
            else keep_seats(cluster, place.seats)
        )
        first = self.seats[0].host
        is_one_host = self.seats[-1].host is first
        self.job = Job(
            place=place,
            target=Target.CPU if cluster.is_cpu else Target.ASCEND,
            seats=self.seats,
            meeting_host="127.0.0.1" if is_one_host else first.address,
            rank_table_path=None if cluster.is_cpu else str(self.attempt.rank_table),
        )

    def plan(self) -> LaunchPlan:
        recipe, place = self.recipe, self.place
        launched = range(recipe.ranks) if place.ranks is None else sorted(set(place.ranks))
        return LaunchPlan(
            run=place.run,
            name=recipe.name,
            attempt=place.attempt,
            framework=recipe.framework,
            target=self.job.target,
            world_size=self.job.world_size,
            gang=recipe.gang,
            grace=recipe.grace,
            lease=recipe.lease,
            prewarm=_prewarms(recipe, self.job.target),
            resume_from=place.resume_from,
            checkpoints=self._checkpoints(),
            rank_table=None if self.cluster.is_cpu else rank_table(self.seats),
            rank_table_path=self.job.rank_table_path,
            unset=UNSET,
            ranks=tuple(self._rank(self.seats[rank]) for rank in launched),
            services=tuple(self._service(service) for service in CONTRACTS[recipe.framework].services(self.job)),
            claims=self._claims(),
        )

    def _rank(self, seat: Seat) -> RankProcess:
        recipe, place, files = self.recipe, self.place, self.attempt.rank(seat.rank)
        words = self._words(seat)
        own = rank_variables(self.job, recipe, seat, self.attempt)
        return RankProcess(
            rank=seat.rank,
            local_rank=seat.local_rank,
            host=seat.host.name,
            device=None if self.cluster.is_cpu else seat.device.id,
            device_node=None if self.cluster.is_cpu else f"/dev/davinci{seat.device.id}",
            slot=seat.device.id,
            argv=argv_of(recipe, words, python=place.python, resume_from=place.resume_from),
            env=Environment(common_variables(self.job) | self._recipe_env(words) | own),
            cwd=self._absolute(fill(recipe.cwd, words)),
            log=str(files.log),
            cann_log_dir=str(files.cann),
        )

    def _service(self, service: Service) -> ServiceProcess:
        """A service has the recipe's environment too: its interpreter needs the same paths as the ranks'."""
        files = self.attempt.service(service.name)
        words = self._shared_words() | {
            "rank": service.name,
            "local_rank": service.name,
            "rank_dir": str(files.work),
        }
        words["checkpoint_dir"] = self._checkpoint_dir(words)
        own = {
            "NPU_LAUNCH_RUN": self.place.run,
            "NPU_LAUNCH_ATTEMPT": str(self.place.attempt),
            "DEVICE_TARGET": self.job.target.value,
        }
        return ServiceProcess(
            name=service.name,
            host=self.seats[0].host.name,
            argv=(self.recipe.python_command or self.place.python, "-c", service.code),
            env=Environment(common_variables(self.job) | self._recipe_env(words) | own | dict(service.env)),
            cwd=str(files.work),
            log=str(files.log),
        )

    def _claims(self) -> tuple[Claim, ...]:
        """The devices of all ranks, for one that is not launched now may be launched later, and a block of ports."""
        folder, block = self.place.claims, self.place.port_block
        if folder is None:
            return ()
        found: list[Claim] = []
        if not self.cluster.is_cpu:
            found += [Claim(host=s.host.name, path=device_claim(folder, s.device.id)) for s in self.seats]
        if block is not None:
            hosts = dict.fromkeys(seat.host.name for seat in self.seats)
            found += [Claim(host=host, path=ports_claim(folder, block)) for host in hosts]
        return tuple(found)

    def _checkpoints(self) -> Checkpoints | None:
        if self.recipe.checkpoint is None:
            return None
        directories = dict.fromkeys(self._words(seat)["checkpoint_dir"] for seat in self.seats)
        return Checkpoints(directories=tuple(directories), pattern=self.recipe.checkpoint.pattern)

    def _recipe_env(self, words: dict[str, str]) -> dict[str, str]:
        return {name: fill(value, words) for name, value in self.recipe.env.items()}

    def _words(self, seat: Seat) -> dict[str, str]:
        words = self._shared_words() | {
            "rank": str(seat.rank),
            "local_rank": str(seat.local_rank),
            "rank_dir": str(self.attempt.rank(seat.rank).work),
        }
        words["checkpoint_dir"] = self._checkpoint_dir(words)
        return words

    def _shared_words(self) -> dict[str, str]:
        return {
            "run": self.place.run,
            "run_dir": str(self.layout.directory),
            "attempt_dir": str(self.attempt.directory),
            "recipe_dir": str(self.recipe.directory),
            "world_size": str(self.recipe.ranks),
        }

    def _checkpoint_dir(self, words: dict[str, str]) -> str:
        """A recipe without a checkpoint section cannot use the word: that is refused when it is read."""
        return self._absolute(fill(self.recipe.checkpoint.dir, words)) if self.recipe.checkpoint else ""

    def _absolute(self, path: str) -> str:
        return str(self.recipe.directory / path)

    def _refuse_misfits(self) -> None:
        recipe, cluster, place = self.recipe, self.cluster, self.place
        if not recipe.directory.is_absolute():
            raise PlanError(
                "the recipe was read from no file, so its script could be anywhere",
                expected="relative_to, an absolute folder",
                remedy="set relative_to, or load the recipe from a file",
            )
        if cluster.soc.startswith("Ascend950"):
            raise PlanError(
                f"cluster {cluster.name} has {cluster.soc}, which needs rank table 2.0",
                where=str(cluster.source or ""),
                expected="an Ascend 910, 910B or 910_93, whose rank table 1.0 this version writes",
            )
        refuse_owned(recipe)
        self._refuse_ports()
        self._refuse_ranks()
        if place.resume_from is not None and recipe.checkpoint is None:
            raise PlanError(
                f"a checkpoint to resume from, {place.resume_from}, but the recipe does not say how",
                where=self.where,
                expected="a checkpoint section with dir and resume_arg",
            )

    def _refuse_ports(self) -> None:
        if self.cluster.is_cpu:
            return
        text = self.recipe.env.get("HCCL_IF_BASE_PORT", str(self.place.hccl_port))
        # Range: HCCL user guide, HCCL_IF_BASE_PORT.
        if not (text.isascii() and text.isdigit() and 1024 <= int(text) <= 65520):
            raise PlanError(
                f"env.HCCL_IF_BASE_PORT is {text!r}", where=self.where, expected="a port from 1024 to 65520"
            )
        ports = hccl_ports(int(text))
        if self.place.scheduler_port in ports:
            raise PlanError(
                f"scheduler port {self.place.scheduler_port} is one of the ports {ports[0]}-{ports[-1]} that HCCL uses",
                where=self.where,
                expected="a port outside that range",
                remedy=f"set scheduler_port to {ports[0] - 1 if ports[0] > 1024 else ports[-1] + 1}, for instance",
            )

    def _refuse_ranks(self) -> None:
        recipe, chosen = self.recipe, self.place.ranks
        if chosen is None:
            return
        beyond = sorted(rank for rank in chosen if not 0 <= rank < recipe.ranks)
        if beyond or not chosen:
            raise PlanError(
                f"no rank {beyond[0]}" if beyond else "no rank to launch",
                where=self.where,
                expected=f"ranks from 0 to {recipe.ranks - 1}",
            )
        if recipe.framework is not Framework.PLAIN and set(chosen) != set(range(recipe.ranks)):
            raise PlanError(
                f"only some of the {recipe.ranks} ranks, but {recipe.framework.value} ranks train together",
                where=self.where,
                expected="all ranks, or framework plain",
                remedy="launch the whole group from its last checkpoint",
            )


def _prewarms(recipe: Recipe, target: Target) -> bool:
    """Whether ranks are forked from a warm process.

    By default where it is verified: MindSpore and PyTorch on CPU (facts/mindspore_cpu.md, "forked ranks").
    """
    if not recipe.runs_python or recipe.prewarm is Prewarm.OFF:
        return False
    verified = target is Target.CPU and recipe.framework in (Framework.MINDSPORE, Framework.PYTORCH)
    return recipe.prewarm is Prewarm.ON or verified
