"""What Python's `logging` writes: its default, and the forms that frameworks give it.

The stamped forms are many, and all are a stamp, then in any order a level, a name and a place, each set apart by
brackets, dashes, colons or bars. So one pattern reads the stamp, another what stands between it and the text.
"""

from __future__ import annotations

import re

from launcher.logs.grammar.clock import Clock, dated_time, iso_time
from launcher.logs.grammar.header import LEVEL_WORDS, Grammar, Header, level_named, whole_number

_ZONE = r"(?: ?(Z|[+-]\d\d:?\d\d))?"
_ISO = rf"(\d{{4}}[-/]\d\d[-/]\d\d[-T _]\d\d:\d\d:\d\d)([.,:]\d{{1,9}})?{_ZONE}"
_PLACE = r"[\w./<>-]+:(?:[\w<>]+:)?\d+(?::[\w<>]+)?"

# `INFO 03-26 11:49:00 executor_base.py:111] text`, `ERROR 09-04 09:50:12 [core.py:702] text`: vLLM.
_VLLM = re.compile(
    rf"({LEVEL_WORDS}) (\d\d)-(\d\d) (\d\d:\d\d:\d\d)((?:[.,]\d+)?) (?:\[?([\w./-]+:\d+)\])? ?", re.ASCII
)
# `ERROR:torch.distributed.elastic:text`: logging.basicConfig().
_DEFAULT = re.compile(r"(DEBUG|INFO|WARNING|ERROR|CRITICAL):([\w.]+):", re.ASCII)
# `torch.distributed.elastic.multiprocessing.api: [ERROR] text`
_NAME_FIRST = re.compile(r"([\w.]+\.\w+): \[(DEBUG|INFO|WARNING|ERROR|CRITICAL)\] ?", re.ASCII)
# `INFO 2021-09-14 09:26:01 - root - file.py:test_run:50 - text`,
# `[INFO|trainer.py:2078] 2024-05-24 17:16:12,790 >> text`, `[INFO|2025-02-12 15:29:03] loading.data:157 >> text`.
_LEVEL_FIRST = re.compile(
    rf"\[?({LEVEL_WORDS})(?:\\?\||\]?[ :]) ?(?:({_PLACE})\] ?)?\[?{_ISO}\]? ?(?:\((\d+)\) ?)?(?:- ?)?", re.ASCII
)
# `05/24/2024 17:16:11 - INFO - name - text`
_AMERICAN = re.compile(r"(\d\d)/(\d\d)/(\d{4}) (\d\d:\d\d:\d\d)([.,]\d+)? ?", re.ASCII)
# `[2024-05-21 11:58:06,441] name: [WARNING] text` and all others that begin with their stamp; a pid may come first.
_STAMPED = re.compile(rf"(?:\[(\d+)\] )?(\[)?{_ISO}", re.ASCII)
# SGLang names the process by its place in the parallelism inside the brackets: `[2025-04-28 02:50:24 DP1 TP3] text`.
_BRACKET_END = re.compile(r"(?: (?:[DTPES]P\d+ ?)+)?\] ?", re.ASCII)

_FIELDS = re.compile(
    rf"[ :|-]{{0,8}}(?:\[?(?P<first>{_PLACE}|[\w.]+(?:\[[^\]]*\])?)\]? ?[-:|]* ?)??"
    rf"(?:(?P<bracketed>\[(?i:{LEVEL_WORDS})\])|(?P<level>{LEVEL_WORDS})(?=[\s:|\]-]))"
    rf"[ :|-]{{0,8}}(?:\[(?P<pid>\d+)\] ?)?(?:\[(?P<place>{_PLACE})\] ?|"
    rf"(?P<named>{_PLACE}|[\w.]+) +(?:-{{1,2}}|>>|\|) |"
    r"(?P<colon>[\w.]+\.\w+): )?(?:>> )?",
    re.ASCII,
)
_NAME = re.compile(rf"({_PLACE}|[\w.]+) (?:-|>>) ", re.ASCII)
_RANK = re.compile(r"\[[Rr]ank:? ?(\d+)\] ?", re.ASCII)


def _placed(text: str, when: float | None, pid: int | None = None, level: str = "", place: str = "") -> Header:
    """A header whose stamp has been read, by what else stands before the text."""
    module = ""
    if not level and (fields := _FIELDS.match(text)) is not None:
        level = (fields["level"] or fields["bracketed"]).strip("[]")
        pid = whole_number(fields["pid"]) if pid is None else pid
        for name in (fields["first"], fields["place"], fields["named"], fields["colon"]):
            if name and "[" in name:  # MindFormers: `mindformers[core/callback.py:311]`
                module, place = name.rstrip("]").split("[", 1)
            elif name and ":" in name:
                place = name
            elif name:
                module = name
        text = text[fields.end() :]
    else:
        while level and (name := _NAME.match(text)) is not None:
            module, place = (module, name[1]) if ":" in name[1] else (name[1], place)
            text = text[name.end() :]
    rank = _RANK.match(text)
    return Header(
        text[rank.end() :] if rank else text,
        when,
        level_named(level) if level else None,
        module,
        pid,
        whole_number(rank[1]) if rank else None,
        place=place,
    )


def _vllm(match: re.Match[str], clock: Clock) -> Header:
    level, month, day, clock_time, fraction, place = match.groups()
    when = dated_time(month, day, clock_time, clock, fraction)
    return Header(match.string[match.end() :], when, level_named(level), place=place or "")


def _default(match: re.Match[str], _clock: Clock) -> Header:
    return Header(match.string[match.end() :], None, level_named(match[1]), match[2])


def _name_first(match: re.Match[str], _clock: Clock) -> Header:
    return Header(match.string[match.end() :], None, level_named(match[2]), match[1])


def _level_first(match: re.Match[str], clock: Clock) -> Header:
    level, place, stamp, fraction, zone, pid = match.groups()
    text = match.string[match.end() :].removeprefix(">> ")
    return _placed(text, iso_time(stamp, clock, fraction or "", zone or ""), whole_number(pid), level, place or "")


def _american(match: re.Match[str], clock: Clock) -> Header:
    month, day, year, clock_time, fraction = match.groups()
    return _placed(match.string[match.end() :], dated_time(month, day, clock_time, clock, fraction or "", year))


def _stamped(match: re.Match[str], clock: Clock) -> Header | None:
    pid, bracket, stamp, fraction, zone = match.groups()
    end = match.end()
    if bracket:
        closed = _BRACKET_END.match(match.string, end)
        if closed is None:
            return None
        end = closed.end()
    text = match.string[end:].lstrip(" :")
    return _placed(text, iso_time(stamp, clock, fraction or "", zone or ""), whole_number(pid))


GRAMMARS = (
    Grammar("DINWECF", "-", _VLLM, _vllm),
    Grammar("DIWEC", ":", _DEFAULT, _default),
    Grammar("[DIWECFN", ":", _LEVEL_FIRST, _level_first),
    Grammar("[0123456789", ":", _STAMPED, _stamped),
    Grammar("01", "/", _AMERICAN, _american),
    Grammar("abcdefghijklmnopqrstuvwxyz_", ": [", _NAME_FIRST, _name_first),
)

# Where a line of these begins inside another.
GLUED = rf"(?:{LEVEL_WORDS}) \d\d-\d\d \d\d:\d\d:\d\d \[?[\w./-]+\.py:\d+\]"
