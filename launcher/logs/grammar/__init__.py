"""The one place that turns lines of logs, whoever wrote them, into records."""

from launcher.logs.decoding import decoded
from launcher.logs.grammar.clock import Clock
from launcher.logs.grammar.normalising import normalised
from launcher.logs.grammar.quick import level_of, stamp_of
from launcher.logs.grammar.reader import Reader
from launcher.logs.grammar.reading import read_records

__all__ = ["Clock", "Reader", "decoded", "level_of", "normalised", "read_records", "stamp_of"]
