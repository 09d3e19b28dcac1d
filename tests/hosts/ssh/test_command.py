"""What a command over ssh is given and gives back."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.hosts.ssh.connections import SshReach
from launcher.hosts.ssh.quoting import command_line, kill_line, own_words

HOSTILE = [
    "a'; echo foo",
    '"; rm -rf "$HOME"; `id` $(id) ${IFS}',
    "back\\slash \\0101 \\n %s %d %%",
    "new\nline\n",
    "!! !event ^old^new",
    "中文 é",
    "bytes \udcff\udcfe",
    "\x01\x1b[31m\x7f",
    "",
    "-n",
    "*",
    "~",
    "#",
    "&& || ; | < > ( ) { } [ ]",
    "=cmd",
    "\t ",
]
ECHO = ["sh", "-c", 'printf "%s\\0" "$@"', "sh"]


def test_every_argument_arrives_as_it_was(reach: SshReach) -> None:
    answer = reach.run([*ECHO, *HOSTILE], timeout=20)
    assert answer.stderr == b""
    assert list(map(os.fsdecode, answer.stdout.split(b"\0")[:-1])) == HOSTILE


def test_both_outputs_and_the_exit_status_come_back(reach: SshReach) -> None:
    answer = reach.run(["sh", "-c", "printf out; printf err >&2; exit 7"], timeout=20)
    assert (answer.code, answer.stdout, answer.stderr, answer.problem) == (7, b"out", b"err", "")


def test_bytes_of_all_kinds_pass_both_ways(reach: SshReach) -> None:
    every = bytes(range(256)) * 40
    assert reach.run(["cat"], input=every, timeout=20).stdout == every


def test_five_megabytes_go_in_while_as_much_comes_out_of_both_ends(reach: SshReach) -> None:
    data = bytes(5_000_000)
    answer = reach.run(["sh", "-c", "tee /dev/stderr"], input=data, timeout=60)
    assert (len(answer.stdout), len(answer.stderr), answer.code) == (len(data), len(data), 0)


def test_input_that_nobody_reads_holds_nothing_up(reach: SshReach) -> None:
    assert reach.run(["true"], input=bytes(5_000_000), timeout=20).code == 0


def test_a_command_without_input_finds_its_end(reach: SshReach) -> None:
    assert reach.run(["cat"], timeout=20).code == 0


@pytest.mark.parametrize(("name", "number"), [("KILL", -9), ("TERM", -15), ("SEGV", -11)])
def test_a_command_that_a_signal_ends_says_which(reach: SshReach, name: str, number: int) -> None:
    assert reach.run(["sh", "-c", f"kill -{name} $$"], timeout=20).code == number


def test_what_exit_status_137_is_stays_137(reach: SshReach) -> None:
    assert reach.run(["sh", "-c", "exit 137"], timeout=20).code == 137


def test_a_command_that_is_not_there_is_the_shells_127(reach: SshReach) -> None:
    answer = reach.run(["no-such-command"], timeout=20)
    assert answer.code == 127
    assert b"no-such-command" in answer.stderr


@pytest.mark.parametrize("pid", [1, 0, -1, 2**32 + 1])
def test_a_process_group_that_means_more_than_a_command_is_never_killed(pid: int) -> None:
    with pytest.raises(ValueError, match="is not a command's"):
        kill_line(pid)


def test_arguments_too_long_for_the_other_side_are_said_so(reach: SshReach) -> None:
    answer = reach.run(["echo", "x" * 200_000], timeout=20)
    assert answer.problem == "echo: its arguments are too long for ssh; give them by stdin"


SHELLS = [shell for shell in ("sh", "bash", "dash", "zsh", "csh", "tcsh", "fish", "busybox") if shutil.which(shell)]


@pytest.mark.parametrize("shell", SHELLS)
def test_any_login_shell_hands_the_arguments_on(shell: str) -> None:
    login = [shell, *(["sh"] if shell == "busybox" else [])]
    line = command_line([*ECHO, *HOSTILE])
    said = subprocess.run([*login, "-c", line], check=True, capture_output=True).stdout
    assert list(map(os.fsdecode, own_words(said)[1].split(b"\0")[:-1])) == HOSTILE


@given(argument=st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"])))
@settings(max_examples=30, deadline=None)
def test_any_argument_survives_the_shell(argument: str) -> None:
    said = subprocess.run(["sh", "-c", command_line(["printf", "%s", argument])], check=True, capture_output=True)
    assert own_words(said.stdout)[1].decode() == argument
