"""The environment of a process, as the layers it comes in: defaults, the recipe's own, and what only the plan knows."""

from __future__ import annotations

from collections.abc import Mapping

from launcher.planning.environment import (
    Contract,
    Job,
    Service,
    default_variables,
    rank_identity,
    service_identity,
    shared_identity,
)
from launcher.planning.environment.hccl import INSTEAD_OF_IT, OF_THE_HOST
from launcher.planning.model import Environment, EnvironmentLayer, Origin
from launcher.planning.placement import Seat
from launcher.planning.stencil import Stencils
from launcher.specs import Host, Recipe


class Layers:
    """The layers of one job, of which a later one wins: what ranks have in common is put together once."""

    def __init__(self, job: Job, contract: Contract, recipe: Recipe, shared_words: Mapping[str, str]) -> None:
        self._job = job
        self._contract = contract
        of_contract = contract.defaults(job)
        keeps_them = of_contract.keys().isdisjoint(recipe.env)
        self._defaults = {**default_variables(job), **(of_contract if keeps_them else {})}
        self._of_hosts = {name: self._of_host(host, recipe) for name, host in job.hosts.items()}
        self._recipe, self._shared_words = recipe, shared_words
        self._names = tuple(recipe.env)
        self._values = self._stencils(recipe)
        self._shared = {**shared_identity(job, contract), **contract.shared(job)}

    def of_rank(self, seat: Seat, words: Mapping[str, str], cann_log: str) -> Environment:
        """What a rank is given; its log folder of CANN is the last word it needs."""
        below = {**self._defaults, **self._of_hosts[seat.host.name]}
        sweeps = any(path.startswith("env.") for path in self._recipe.sweep)
        values = self._stencils(self._recipe.for_rank(seat.rank)) if sweeps else self._values
        return Environment({**below, **self._recipes(values, words), **self._shared, **self._own(seat, cann_log)})

    def of_service(self, service: Service, words: Mapping[str, str]) -> Environment:
        """What a service is given: the recipe's environment too, for its interpreter needs the same paths as ranks'."""
        return Environment(
            {**self._defaults, **self._recipes(self._values, words), **service_identity(self._job), **service.env}
        )

    def names(self) -> tuple[EnvironmentLayer, ...]:
        """Who gives which names to ranks, the lowest layer first; all ranks are given the same names."""
        return (
            EnvironmentLayer(
                origin=Origin.DEFAULT, names=(*self._defaults, *self._of_hosts[self._job.seats[0].host.name])
            ),
            EnvironmentLayer(origin=Origin.RECIPE, names=self._names),
            EnvironmentLayer(
                origin=Origin.CONTRACT, names=tuple({**self._shared, **self._own(self._job.seats[0], "")})
            ),
        )

    def _of_host(self, host: Host, recipe: Recipe) -> Mapping[str, str]:
        found = dict(self._contract.of_host(self._job, host))
        if not recipe.env.keys().isdisjoint(INSTEAD_OF_IT):
            found.pop(OF_THE_HOST, None)
        return found

    def _stencils(self, recipe: Recipe) -> Stencils:
        return Stencils((("", value) for value in recipe.env.values()), self._shared_words)

    def _recipes(self, values: Stencils, words: Mapping[str, str]) -> dict[str, str]:
        return dict(zip(self._names, values.filled(words), strict=True))

    def _own(self, seat: Seat, cann_log: str) -> dict[str, str]:
        return {**rank_identity(self._job, self._contract, seat, cann_log), **self._contract.of_rank(self._job, seat)}
