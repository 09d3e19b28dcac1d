"""The place in a run's logs that somebody who follows them has come to, from which another following can go on."""

from __future__ import annotations

import base64
import json
import os
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from launcher.logs.record import LogFile
from launcher.logs.tail import Place, file_id
from launcher.logs.whole import Part

Mark = Mapping[str, Any]
"""Fields of a cursor that have changed, as JSON has them; of its places, those that have."""


@dataclass(frozen=True)
class Cursor:
    """Of a following that began with `attempt`, on a machine with this name.

    Its files, by their names, were read up to their places. While the past is shown, what there was when the following
    began, `shown` bytes of that have been; then it is None. `written` is when each file of the past was written to
    last, which orders the lines of those that tell no times.
    """

    machine: str
    attempt: int
    places: Mapping[str, Place]
    written: Mapping[str, float]
    shown: int | None

    @classmethod
    def before(cls, attempt: int, past: Iterable[Part]) -> Cursor:
        """That of a following which is about to show the past."""
        places, written = {}, {}
        for part in past:
            places[part.file.name] = Place(part.size, file_id(part.file.path))
            written[part.file.name] = part.written
        return cls(os.uname().nodename, attempt, places, written, 0)

    @classmethod
    def decoded(cls, text: str) -> Cursor:
        """One that `encoded` has made of the sum of its marks. Raises ValueError for anything else."""
        try:
            fields = json.loads(zlib.decompress(base64.b64decode(text)))
            places = {name: Place(*place) for name, place in fields["places"].items()}
            return cls(**{**fields, "places": places})
        except (zlib.error, KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no cursor: {error!r}") from error

    @property
    def mark(self) -> Mark:
        """All of it."""
        return dict(vars(self))

    def past(self, files: Iterable[LogFile]) -> list[Part]:
        """What these files held when the following began."""
        known = ((file, self.place_of(file), self.written.get(file.name)) for file in files)
        return [Part(file, place.offset, when) for file, place, when in known if place and when is not None]

    def place_of(self, file: LogFile) -> Place | None:
        """How far a file was read; None for one that had not been there. It may have been renamed since.

        On another machine, which has copies of the files, the names tell.
        """
        now = file_id(file.path)
        by_name = self.places.get(file.name)
        if self.machine != os.uname().nodename or not now or (by_name is not None and by_name.file_id in (now, 0)):
            return by_name
        return next((place for place in self.places.values() if place.file_id == now), None)


def summed(marks: Mark, mark: Mark) -> Mark:
    """The fields of a cursor after one more mark."""
    places = {**marks.get("places", {}), **mark.get("places", {})}
    return {**marks, **mark, "places": places}


def encoded(marks: Mark) -> str:
    """The sum of a cursor's marks as a word for a command line."""
    return base64.b64encode(zlib.compress(json.dumps(marks).encode())).decode()
