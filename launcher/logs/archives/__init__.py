"""Archives of logs that came from elsewhere, unpacked without trust in whoever made them."""

from launcher.logs.archives.limits import Limits
from launcher.logs.archives.unpacking import is_archive, unpacked

__all__ = ["Limits", "is_archive", "unpacked"]
