"""From logs to findings: one pass over each file for what rules cannot do without, then the rules on what is there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Final

from launcher.diagnose.circumstances import fulfils
from launcher.diagnose.context import Context
from launcher.diagnose.finding import Evidence, Finding
from launcher.diagnose.holding import Held, held
from launcher.diagnose.region import Read, Region
from launcher.diagnose.rulebook import Rulebook
from launcher.diagnose.watching import Watch, shared
from launcher.logs.record import LogFile, Record, Source

if TYPE_CHECKING:
    from launcher.logs.grammar import Clock
    from launcher.logs.scan import Match, Scanner

MOST_ALIKE: Final = 16
"""Lines with the same texts in them that are looked at in one file: the first ones, so that a storm costs no more."""

_AROUND: Final = 4 << 10  # bytes read before and after a line in which a rule may hold
_FAR_AROUND: Final = 16 << 10  # the same, for rules that ask for what stands near


def find(
    files: Sequence[LogFile],
    rules: Rulebook,
    context: Context | None = None,
    clock: Clock | None = None,
    watch: Watch | None = None,
) -> list[Finding]:
    """All that the rules find in these logs, in the order of the files and of the lines in them.

    `clock` reads stamps without a zone or a year; `watch` looks for more in the same pass. Raises OSError for a file
    that cannot be read.
    """
    from launcher.logs.scan import matching_lines

    matcher = matcher_of(rules, () if watch is None else watch.texts)
    found: list[Finding] = []
    for file in files:
        matches = matcher.shared(file, matching_lines(file.path, matcher.scanner), watch)
        found += matcher.findings(file, matches, partial(part_of_log, file.path), context, clock)
    return found


def find_in_text(
    text: str,
    rules: Rulebook,
    context: Context | None = None,
    *,
    name: str = "-",
    source: Source = Source.STDOUT,
    watch: Watch | None = None,
) -> list[Finding]:
    """The same for a text that is no file; `name` is what evidence calls it."""
    from launcher.logs.scan import Match

    matcher = matcher_of(rules, () if watch is None else watch.texts)
    block = text.encode(errors="surrogateescape")
    matches = []
    for begin, hits in groupby(matcher.scanner.hits(block), lambda hit: block.rfind(b"\n", 0, hit[1]) + 1):
        line = block[begin:].partition(b"\n")[0]
        matches.append(Match(begin, line, frozenset(index for index, _ in hits), block.count(b"\n", 0, begin) + 1))
    file = LogFile(Path(name), name, source)
    lines = matcher.shared(file, matches, watch)
    return matcher.findings(file, lines, lambda begin, end: block[begin:end], context, None)


class Matcher:
    """A rulebook made ready: a scanner for the texts without which its rules cannot hold."""

    def __init__(self, book: Rulebook, watched: tuple[str, ...]) -> None:
        from launcher.logs.pattern import Pattern
        from launcher.logs.scan import Scanner

        self._book = book
        anchored: dict[Pattern, list[str]] = {}
        for name, rule in book.rules.items():
            for pattern in {Pattern(text, True, each.ignore_case) for each in rule.anchors for text in each.texts}:
                anchored.setdefault(pattern, []).append(name)
        self.scanner: Scanner = Scanner([*anchored, *map(Pattern, watched)])
        self._anchored: Sequence[Sequence[str]] = list(anchored.values())
        self._texts = {
            name: [
                (each.ignore_case, text.lower() if each.ignore_case else text)
                for each in rule.anchors
                for text in each.texts
            ]
            for name, rule in book.rules.items()
        }
        self._looks_around = {
            index
            for index, names in enumerate(self._anchored)
            if any(book.rules[name].near or book.rules[name].away for name in names)
        }

    def shared(self, file: LogFile, matches: Iterable[Match], watch: Watch | None) -> Iterable[Match]:
        """The lines that rules are for, while the others go to the watch."""
        return matches if watch is None else shared(file, matches, len(self._anchored), watch)

    def findings(
        self, file: LogFile, matches: Iterable[Match], read: Read, context: Context | None, clock: Clock | None
    ) -> list[Finding]:
        """What the rules find around these lines of a log; what a rule reads a second time is not told again."""
        from launcher.logs.grammar import Clock

        found: dict[object, Finding] = {}
        for lines in self._together(_some_of_each(matches)):
            region = Region.around(lines, self._reach(lines), read, clock or Clock())
            names = dict.fromkeys(
                name for line in lines for index in sorted(line.patterns) for name in self._anchored[index]
            )
            numbers = {line.number for line in lines}
            records = (record for record in region.records if record.lines > 1 or record.line in numbers)
            for record, name in self._that_may_hold(records, names):
                rule = self._book.rules[name]
                holding = held(rule, record, region, file)
                if holding is not None and fulfils(context or Context(), rule.when):
                    finding = self._finding(file, name, record, holding, region)
                    found.setdefault((name, finding.rank, *sorted(finding.extracted.items())), finding)
        return sorted(found.values(), key=lambda finding: finding.line)

    def _that_may_hold(self, records: Iterable[Record], names: Iterable[str]) -> Iterator[tuple[Record, str]]:
        """Of these rules, for each record those of whose texts one stands in it: expressions cost more than texts."""
        for record in records:
            either = (record.text, record.text.lower())
            for name in names:
                if any(text in either[ignore_case] for ignore_case, text in self._texts[name]):
                    yield record, name

    def _reach(self, lines: Iterable[Match]) -> int:
        return _FAR_AROUND if any(line.patterns & self._looks_around for line in lines) else _AROUND

    def _together(self, matches: Sequence[Match]) -> Iterator[Sequence[Match]]:
        """Lines so near to one another that what stands around them is read once."""
        group: list[Match] = []
        for match in matches:
            if group and match.offset - group[-1].offset > self._reach(group) + self._reach([match]):
                yield group
                group = []
            group.append(match)
        if group:
            yield group

    def _finding(self, file: LogFile, name: str, record: Record, holding: Held, region: Region) -> Finding:
        rule = self._book.rules[name]
        return Finding(
            rule.cause,
            self._book.categories[rule.cause],
            rule.role,
            name,
            rule.confidence,
            rule.weight,
            tuple(Evidence(file.name, line, region.lines[line - region.first].strip()) for line in holding.lines),
            holding.extracted,
            file,
            record.time,
            file.rank if record.rank is None else record.rank,
            file.host,
            file.device if record.device is None else record.device,
        )


@lru_cache(maxsize=4)
def matcher_of(book: Rulebook, watched: tuple[str, ...] = ()) -> Matcher:
    """A rulebook made ready, to look for other texts beside it."""
    return Matcher(book, watched)


def _some_of_each(matches: Iterable[Match]) -> list[Match]:
    """The first lines of each kind, by the texts that are in them."""
    seen: Counter[frozenset[int]] = Counter()
    some = []
    for match in matches:
        seen[match.patterns] += 1
        if seen[match.patterns] <= MOST_ALIKE:
            some.append(match)
    return some


def part_of_log(path: Path, begin: int, end: int) -> bytes:
    """What stands between two offsets of a log's text. Raises OSError."""
    from launcher.logs.packed import open_log

    with open_log(path) as file:
        file.seek(begin)
        return file.read(end - begin)
