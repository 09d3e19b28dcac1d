"""Entry point of the trimmer."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

# Run as a folder, in isolated mode, as the shim is: the package is found from here.
sys.path.insert(0, os.path.abspath(os.path.join(os.path.dirname(__file__), "..", "..", "..", "..")))

from launcher.logs.rotated import trim_folder
from launcher.logs.trimming import trim

_NICENESS = 19


def main() -> int:
    """PATH BYTES, as the package says."""
    os.nice(_NICENESS)
    path, most = Path(sys.argv[1]), int(sys.argv[2])
    try:
        if path.is_dir():
            return 0 if trim_folder(path, most) else errno.ENODATA
        trim(path, most)
    except OSError as error:
        return error.errno or errno.EIO
    return 0


if __name__ == "__main__":
    sys.exit(main())
