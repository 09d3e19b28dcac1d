"""Whether what is known of a run fulfils what a rule asks of it."""

from __future__ import annotations

from launcher.diagnose.context import Context
from launcher.diagnose.rule import When
from launcher.specs.soc import family_of


def fulfils(context: Context, when: When) -> bool:
    """Whether each condition is known to be true; one that nothing is known about is not."""
    return (
        (not when.exit_code or context.exit_code in when.exit_code)
        and (not when.signal or context.signal in when.signal)
        and (not when.framework or context.framework in when.framework)
        and (not when.soc or _is_chip(context.soc, when.soc))
        and all(_is_in(context.versions.get(package), wanted) for package, wanted in when.versions.items())
    )


def _is_chip(soc: str | None, chips: tuple[str, ...]) -> bool:
    if soc is None:
        return False
    family = family_of(soc)
    return soc in chips or (family is not None and family.value in chips)


def _is_in(version: str | None, wanted: str) -> bool:
    """Whether a version lies in a range (`>=7.0,<8.0.RC2`); one that has another form than Python's does not."""
    from packaging.specifiers import InvalidSpecifier, SpecifierSet
    from packaging.version import InvalidVersion

    try:
        return version is not None and SpecifierSet(wanted).contains(version, prereleases=True)
    except (InvalidSpecifier, InvalidVersion):
        return False
