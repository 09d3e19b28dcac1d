"""What the tools of a host answered, by what they were asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from launcher.hosts.reading.text import excerpt
from launcher.hosts.report import Unread

Value = TypeVar("Value")


class Commands:
    """Answers of npu-smi and hccn_tool, found by the command line without the tool's folder: `npu-smi info -m`."""

    def __init__(self, answers: Sequence[dict[str, Any]]) -> None:
        self._answers: dict[str, dict[str, Any]] = {}
        for answer in answers:
            tool, *words = answer["argv"]
            self._answers[" ".join([tool.rpartition("/")[2], *words])] = answer
        self._absent: set[str] = set()
        self.unread: list[Unread] = []

    def __contains__(self, command: str) -> bool:
        return command in self._answers

    def read(self, command: str, parse: Callable[[str], Value | Unread]) -> Value | None:
        """What a command's answer means; None when it was not asked, failed, or is not understood: then it is unread.

        A tool that is not installed is unread once, not for each of its answers.
        """
        answer = self._answers.get(command)
        if answer is None:
            return None
        if answer["code"] is None or answer["code"] != 0:
            self._failed(command, answer)
            return None
        value = parse(answer["text"])
        if isinstance(value, Unread):
            self.unread.append(Unread(command, value.reason, value.text))
            return None
        return value

    def _failed(self, command: str, answer: dict[str, Any]) -> None:
        tool = command.split()[0]
        # A loader that misses a library ends with 127, too: that one says more.
        if answer.get("absent") or (answer["code"] == 127 and "not found" in answer["text"]):
            if tool not in self._absent:
                self.unread.append(Unread(tool, "it is not on the PATH, nor where the driver puts it"))
            self._absent.add(tool)
            return
        self.unread.append(Unread(command, answer["problem"] or f"exit {answer['code']}", excerpt(answer["text"])))
