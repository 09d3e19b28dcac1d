"""Which scripts set up CANN's environment on a host, and where they can be."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

from launcher.specs import Framework

_ROOT: Final = "/usr/local/Ascend"


def candidates(cann: str | None, framework: Framework) -> tuple[tuple[str, ...], ...]:
    """Groups of absolute paths, in the order in which to source them: of each group the first that is there.

    `cann` is the folder that the cluster names. Without one, CANN is where its installer puts it: `cann` from 8.5 on,
    `ascend-toolkit` before, or `nnae` (CANN software installation guide).
    """
    root = _installation(cann)
    if cann is None:
        toolkit = tuple(str(root / name / "set_env.sh") for name in ("cann", "ascend-toolkit", "nnae"))
    else:
        folder = PurePosixPath(cann)
        toolkit = (str(folder / "set_env.sh"), str(folder.parent / "set_env.sh"))
    groups = [toolkit, (str(root / "nnal/atb/set_env.sh"),)]
    if framework is Framework.TENSORFLOW:
        groups.append((str(root / "tfplugin/set_env.sh"),))
    return tuple(groups)


def driver_libraries(cann: str | None) -> tuple[str, ...]:
    """Folders of the driver's libraries, those that are there to be on LD_LIBRARY_PATH.

    In containers CANN's script leaves them out: `libascend_hal.so: cannot open shared object file`.
    """
    roots = dict.fromkeys((_installation(cann), PurePosixPath(_ROOT)))
    return tuple(str(root / "driver" / name) for root in roots for name in ("lib64", "lib64/common", "lib64/driver"))


def _installation(cann: str | None) -> PurePosixPath:
    """The folder of all Ascend packages: above `ascend-toolkit/latest` and `nnae/8.0.0`, or above `cann-8.5.0`."""
    if cann is None:
        return PurePosixPath(_ROOT)
    above = PurePosixPath(cann).parent
    return above.parent if above.name in ("ascend-toolkit", "nnae", "cann") else above
