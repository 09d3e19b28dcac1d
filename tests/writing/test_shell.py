"""The shell's words and numbers, beside a real one."""

from __future__ import annotations

import subprocess

import pytest

from launcher.writing.shell.marks import is_known
from launcher.writing.shell.reader import read_script
from launcher.writing.shell.record import Reading
from launcher.writing.shell.scope import Arguments, Scope

SETTING = """\
X=abc.tar.gz; P=/a/b/c; E=; N=7; L="one two"; A=(x "y z" w); i=3; H=x16
f() { local n=$1; shift; echo "<$n>" "$@"; }
"""
WORDS = [
    *(
        "$X",
        "${X%.*}",
        "${X%%.*}",
        "${X#*.}",
        "${X##*.}",
        "${P##*/}",
        "${P%/*}",
        "${X:0:3}",
        "${X:4}",
        "${#X}",
        "${X/a/b}",
    ),
    *(
        "${E:-d}",
        "${E-d}",
        "${E:+s}",
        "${X:+s}",
        "${U:-$P/q}",
        "${U:=v}",
        "'$X'",
        '"$X $P"',
        "$L",
        '"$L"',
        'a"$L"b',
        "\\$X",
    ),
    *(
        "$((N / 2))",
        "$((-N / 2))",
        "$((N % 4 * 2))",
        "$(( (N + 1) << 2 ))",
        "$((N > 3 ? 10 : 20))",
        "$((2 ** 5))",
        "$((i++ + i))",
    ),
    *("$((0x1f + 010))", "$((N == 7 && N != 8 || 0))", "$((!N))", "$(($N*8))"),
    *(
        '"${A[@]}"',
        "${A[1]}",
        "${#A[@]}",
        "${A[@]}",
        '"${A[*]:0:1}"',
        "{1..4}",
        "{3..1}",
        "$(echo a b)",
        '"$(echo a   b)"',
    ),
    *(
        "`basename $P`",
        "$(dirname $P)",
        "$(seq 1 3)",
        "$(seq 0 2 6)",
        "$(expr $N + 1)",
        "$(f 1 2 3)",
        "$#",
        "$2",
        '"$@"',
        "${@:2}",
    ),
    *("x'a b'y", '"a\\"b"', "$'t\\tq'", '"${P}/../x"', "${X^^}", "${H//[a-z]/_}", "--a=$L", '""', "${!Q}"),
]
CONDITIONS = [
    *(
        "[ $N -eq 7 ]",
        "[ $N != 7 ]",
        '[ "$E" = "" ]',
        "[ -z $E ]",
        "[ -n $X ]",
        "[[ $X == abc* ]]",
        '[[ $X == "abc*" ]]',
    ),
    *("[[ -z $U || $N -gt 3 ]]", "[ $N -gt 3 -a $N -lt 5 ]", "! [ $N = 7 ]", "((N > 7))", "[ x$E = x ] && [ $N = 7 ]"),
    *("[ $N = 8 ] || [ $N = 7 ]", "[[ $N != 8 && ! -z $X ]]", "test $N -le 7", "false || true"),
]


def reading(text: str, *given: str) -> Reading:
    scope = Scope("/lab", Arguments("/lab/run.sh", given))
    return read_script(text, scope, lambda _: None, lambda argv: argv[0] == "python")


def bash(text: str, *given: str) -> list[str]:
    """The arguments of each `show` of a script, as bash gives them."""
    show = 'show() { printf "%s|" "$@"; echo; }\n'
    done = subprocess.run(["bash", "-c", show + text, "run.sh", *given], capture_output=True, text=True, timeout=20)
    return done.stdout.splitlines()


def test_words_are_as_in_bash() -> None:
    script = SETTING + "Q=N\n" + "\n".join(f"show w {word}" for word in WORDS)
    ours = ["".join(f"{word}|" for word in each.argv[1:]) for each in reading(script, "one", "two 2", "3").invocations]
    found = zip(WORDS, ours, bash(script, "one", "two 2", "3"), strict=True)
    assert [(word, got, wanted) for word, got, wanted in found if got != wanted] == []


def test_conditions_are_as_in_bash() -> None:
    script = SETTING + "\n".join(f"if {each}; then show yes; else show no; fi" for each in CONDITIONS)
    ours = [f"{each.argv[1]}|" for each in reading(script).invocations]
    found = zip(CONDITIONS, ours, bash(script), strict=True)
    assert [(condition, got, wanted) for condition, got, wanted in found if got != wanted] == []


@pytest.mark.parametrize(
    "word", ["$HOME/x", "$(hostname)", "$(cat f | wc -l)", "${UNSET}", "$((UNSET2 / 0))", "$RANDOM"]
)
def test_what_only_a_running_script_knows_is_marked(word: str) -> None:
    assert not is_known(reading(f"show {word}").invocations[0].argv[1])


def test_a_branch_that_ends_the_script_is_a_check_that_passes() -> None:
    argv = [
        each.argv
        for each in reading("[ -f $1 ] || exit 1\nif [ ! -d $2 ]; then exit 2; fi\nshow", "a", "b").invocations
    ]
    assert argv == [("show",)]


def test_the_branch_that_starts_a_training_is_taken() -> None:
    read = reading("if [ -d cache ]; then python train.py; else show; fi")
    assert [each.argv[0] for each in read.invocations] == ["python"]
    assert "taken as true" in read.remarks[0].what


def test_a_subshell_changes_nothing_outside() -> None:
    read = reading("(cd x; A=1; export A); B=$(cd y; pwd); show $B")
    assert (read.invocations[0].argv, read.invocations[0].cwd, read.invocations[0].env) == (
        ("show", "/lab/y"),
        "/lab",
        {},
    )
