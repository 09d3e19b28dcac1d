"""From a recipe and a cluster to a launch plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from launcher.errors import PlanError
from launcher.planning.arguments import CommandLine
from launcher.planning.binding import bound_cpus
from launcher.planning.claims import device_claim, named_blocks, ports_claim
from launcher.planning.environment import (
    UNSET,
    Job,
    Service,
    check_settings,
    contract_of,
    hidden_folders,
    refuse_contradictions,
)
from launcher.planning.layers import Layers
from launcher.planning.model import Checkpoints, Claim, LaunchPlan, RankProcess, ServiceProcess, Target
from launcher.planning.openings import openings
from launcher.planning.place import Place, hccl_ports
from launcher.planning.placement import Seat, keep_seats, place_ranks
from launcher.planning.ranktable.formats import RankTable, rank_table
from launcher.planning.stencil import Stencils
from launcher.runs.layout import AttemptLayout, RunLayout
from launcher.specs import Binding, Cluster, Framework, FrozenMap, Prewarm, Recipe
from launcher.specs.placeholders import fill, used
from launcher.specs.sweep import combination


def plan(recipe: Recipe, cluster: Cluster, place: Place | None = None) -> LaunchPlan:
    """All that one attempt starts: a pure function, the same bytes for the same values.

    Without a place it is the plan of `Place.example`, to be looked at. Raises PlanError when recipe, cluster and place
    do not fit together.
    """
    return _Composer(recipe, cluster, place or Place.example(recipe)).plan()


class _Composer:
    """The parts of one plan, which share what was worked out on the way.

    What is the same for all ranks is worked out once, before any rank: there may be a hundred thousand.
    """

    def __init__(self, recipe: Recipe, cluster: Cluster, place: Place) -> None:
        self.recipe, self.cluster, self.place = recipe, cluster, place
        self.where = str(recipe.source or "")
        self._refuse_misfits()
        self.contract = contract_of(recipe, cluster.soc)
        refuse_contradictions(recipe, self.contract)
        self.layout = RunLayout(Path(place.directory))
        self.attempt: AttemptLayout = self.layout.attempt(place.attempt)
        self.seats = (
            place_ranks(recipe, cluster, frozenset(place.unavailable))
            if place.seats is None
            else keep_seats(cluster, place.seats)
        )
        first = self.seats[0].host
        is_one_host = self.seats[-1].host is first
        has_table = not cluster.is_cpu and self.contract.has_identity
        job = Job(
            place=place,
            target=Target.CPU if cluster.is_cpu else Target.ASCEND,
            seats=self.seats,
            meeting_host="127.0.0.1",
            rank_table_path=str(self.attempt.rank_table) if has_table else None,
            max_restarts=recipe.restart.max_restarts,
        )
        self.job = job if is_one_host else replace(job, meeting_host=job.ip(first))
        self.shared_words = self._shared_words()
        self.layers = Layers(self.job, self.contract, recipe, self.shared_words)
        self.command = CommandLine(recipe, self.shared_words)
        self.own_checkpoints = dict(place.own_checkpoints)
        self.cwd = Stencils([("", recipe.cwd)], self.shared_words)
        self.cpus = self._cpus()

    def plan(self) -> LaunchPlan:
        recipe, place = self.recipe, self.place
        launched = range(recipe.ranks) if place.ranks is None else sorted(set(place.ranks))
        ranks = tuple(self._rank(self.seats[rank]) for rank in launched)
        warnings = check_settings(recipe, ranks, self.cluster.soc)
        self._refuse_ports(ranks[0])
        hosts = {seat.host.name for seat in self.seats}
        services = tuple(self._service(service) for service in self.contract.services(self.job))
        environments = tuple(each for each in place.host_environments if not hosts.isdisjoint(each.hosts))
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
            log_limit=recipe.log_limit,
            prewarm=_prewarms(recipe, self.job.target),
            resume_from=place.resume_from,
            checkpoints=self._checkpoints(),
            rank_table=self._rank_table(),
            rank_table_path=self.job.rank_table_path,
            unset=UNSET,
            ranks=ranks,
            services=services,
            claims=self._claims(),
            host_environments=environments,
            openings=openings(self.cluster, recipe.framework, self.job.target, ranks, services),
            layers=self.layers.names(),
            warnings=tuple(dict.fromkeys((*place.warnings, *warnings, *hidden_folders(recipe, environments)))),
        )

    def _rank(self, seat: Seat) -> RankProcess:
        is_cpu = self.cluster.is_cpu
        files = self.attempt.rank(seat.rank)
        cann_log = str(files.cann)
        words = self._words(seat, str(files.work))
        own = self.own_checkpoints.get(seat.rank)
        resume_from = self.place.resume_from if own is None else own
        return RankProcess.model_construct(  # values known to be good: validation would take half of the time
            rank=seat.rank,
            local_rank=seat.local_rank,
            host=seat.host.name,
            device=None if is_cpu else seat.device.id,
            device_node=None if is_cpu else f"/dev/davinci{seat.device.id}",
            slot=seat.device.id,
            argv=self.command.of_rank(seat.rank, words, seat.host.python or self.place.python, resume_from),
            env=self.layers.of_rank(seat, words, cann_log),
            cwd=self._absolute(self.cwd.filled(words)[0]),
            log=str(files.log),
            cann_log_dir=cann_log,
            cpus=self.cpus.get(seat.rank),
            combination=FrozenMap(combination(self.recipe.sweep, seat.rank)),
            resume_from=own,
        )

    def _service(self, service: Service) -> ServiceProcess:
        files, host = self.attempt.service(service.name), self.seats[0].host
        work = str(files.work)
        words = {**self.shared_words, "rank": service.name, "local_rank": service.name, "rank_dir": work}
        return ServiceProcess(
            name=service.name,
            host=host.name,
            argv=(self.recipe.python_command or host.python or self.place.python, "-c", service.code),
            env=self.layers.of_service(service, self._with_checkpoint_dir(words)),
            cwd=work,
            log=str(files.log),
        )

    def _rank_table(self) -> RankTable | None:
        if self.job.rank_table_path is None:
            return None
        return rank_table(self.seats, self.cluster, self.recipe.rank_table)

    def _cpus(self) -> Mapping[int, tuple[int, ...]]:
        """The processors of each rank that is bound: none where torch_npu is told to bind its threads itself."""
        binds_itself = self.recipe.env.get("CPU_AFFINITY_CONF", "").startswith(("1", "2"))
        if self.recipe.binding is Binding.OFF or binds_itself:
            return {}
        return bound_cpus(self.seats, {(host, device): cpus for host, device, cpus in self.place.near_cpus})

    def _claims(self) -> tuple[Claim, ...]:
        """The devices of all ranks, for one that is not launched now may be launched later, and blocks of ports."""
        folder, block = self.place.claims, self.place.port_block
        if folder is None:
            return ()
        found: list[Claim] = []
        if not self.cluster.is_cpu:
            found += [Claim(host=s.host.name, path=device_claim(folder, s.device.id)) for s in self.seats]
        named = () if self.cluster.is_cpu else named_blocks(self.recipe.env)
        hosts = dict.fromkeys(seat.host.name for seat in self.seats)
        own = () if block is None else (block,)
        blocks = dict.fromkeys((*own, *named))
        found += [Claim(host=host, path=ports_claim(folder, each)) for each in blocks for host in hosts]
        return tuple(found)

    def _checkpoints(self) -> Checkpoints | None:
        if self.recipe.checkpoint is None:
            return None
        if "checkpoint_dir" in self.shared_words:
            directories = {self.shared_words["checkpoint_dir"]: None}
        else:
            all_words = (self._words(seat, str(self.attempt.rank(seat.rank).work)) for seat in self.seats)
            directories = dict.fromkeys(words["checkpoint_dir"] for words in all_words)
        are_apart = 1 < len(directories) == len(self.seats)
        return Checkpoints(
            directories=tuple(directories),
            pattern=self.recipe.checkpoint.pattern,
            each_its_own=are_apart and not self.recipe.gang,
        )

    def _words(self, seat: Seat, work: str) -> dict[str, str]:
        words = {**self.shared_words, "rank": str(seat.rank), "local_rank": str(seat.local_rank), "rank_dir": work}
        return self._with_checkpoint_dir(words)

    def _shared_words(self) -> dict[str, str]:
        words = {
            "run": self.place.run,
            "run_dir": str(self.layout.directory),
            "attempt_dir": str(self.attempt.directory),
            "recipe_dir": str(self.recipe.directory),
            "world_size": str(self.recipe.ranks),
        }
        checkpoint = self.recipe.checkpoint
        is_one_folder = checkpoint is None or words.keys() >= set(used(checkpoint.dir))
        return self._with_checkpoint_dir(words) if is_one_folder else words

    def _with_checkpoint_dir(self, words: dict[str, str]) -> dict[str, str]:
        """A recipe without a checkpoint section cannot use the word: that is refused when it is read."""
        if "checkpoint_dir" not in words:
            checkpoint = self.recipe.checkpoint
            words["checkpoint_dir"] = self._absolute(fill(checkpoint.dir, words)) if checkpoint else ""
        return words

    def _absolute(self, path: str) -> str:
        return path if path.startswith("/") else str(self.recipe.directory / path)

    def _refuse_misfits(self) -> None:
        recipe, place = self.recipe, self.place
        if not recipe.directory.is_absolute():
            raise PlanError(
                "the recipe was read from no file, so its script could be anywhere",
                expected="relative_to, an absolute folder",
                remedy="set relative_to, or load the recipe from a file",
            )
        self._refuse_ranks()
        resumes = [*(() if place.resume_from is None else (place.resume_from,)), *dict(place.own_checkpoints).values()]
        if resumes and recipe.checkpoint is None:
            raise PlanError(
                f"a checkpoint to resume from, {resumes[0]}, but the recipe does not say how",
                where=self.where,
                expected="a checkpoint section with dir and resume_arg",
            )

    def _refuse_ports(self, rank: RankProcess) -> None:
        if self.cluster.is_cpu:
            return
        ports = hccl_ports(int(rank.env["HCCL_IF_BASE_PORT"]))
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

    By default where it is verified: MindSpore and PyTorch on CPU.
    """
    if not recipe.runs_python or recipe.prewarm is Prewarm.OFF:
        return False
    verified = target is Target.CPU and recipe.framework in (Framework.MINDSPORE, Framework.PYTORCH)
    return recipe.prewarm is Prewarm.ON or verified
