"""What stays behind is what git would leave behind, and what .npulaunchignore says on top of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from launcher.hosts.code.tree import read_tree

NAMES = ("a", "b", "a.o", "build", "#x", "!y")
PATTERNS = (
    *("a", "b/", "/a", "*.o", "!a.o", "build", "!build/", "a/*", "!a/b", "**/a", "a/**", "b/**/a", "a/b", "/b/*.o"),
    *("", "# a comment", "\\#x", "\\!y", "[ab]", "?", "*", "!*/", "!", "/", "a ", "*.o\r", "***", "a//b"),
)


def travelling(root: Path) -> set[str]:
    return {file.path for file in read_tree(root, print).files}


def by_git(root: Path) -> set[str]:
    """The files that git would put into its index."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(root), "GIT_CONFIG_NOSYSTEM": "1"}
    for argv in (["init", "-q"], ["ls-files", "-z", "--others", "--exclude-standard"]):
        told = subprocess.run(["git", *argv], cwd=root, env=environment, capture_output=True, check=True).stdout
    return {os.fsdecode(name) for name in told.split(b"\0") if name}


def fill(root: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    return root


@settings(max_examples=60, deadline=None)
@given(
    paths=st.sets(st.lists(st.sampled_from(NAMES), min_size=1, max_size=4).map(tuple), min_size=1, max_size=12),
    ignoring=st.dictionaries(
        st.sampled_from(("", "a/", "b/", "a/b/", "build/")), st.lists(st.sampled_from(PATTERNS), max_size=4), max_size=3
    ),
)
def test_it_is_what_git_would_take(paths: set[tuple[str, ...]], ignoring: dict[str, list[str]]) -> None:
    with TemporaryDirectory() as folder:
        root = Path(folder)
        files = {"/".join(path): "" for path in paths if not any(path[:end] in paths for end in range(1, len(path)))}
        fill(root, files)
        for where, lines in ignoring.items():
            if (root / where).is_dir():
                (root / where / ".gitignore").write_text("\n".join(lines))
        assert travelling(root) == by_git(root)


def test_our_own_file_takes_along_what_git_ignores_and_leaves_behind_more(tmp_path: Path) -> None:
    fill(
        tmp_path,
        {
            ".gitignore": "*.so\ndata/\n",
            "src/.gitignore": "gen.py\n",
            ".npulaunchignore": "!op.so\n!gen.py\ndocs/\n",
            "src/op.so": "",
            "src/other.so": "",
            "src/gen.py": "",
            "data/big": "",
            "docs/page.md": "",
            "docs/.npulaunchignore": "!page.md\n",
        },
    )
    taken = travelling(tmp_path)
    assert taken == {".gitignore", ".npulaunchignore", "src/.gitignore", "src/op.so", "src/gen.py"}


def test_the_repository_itself_stays_behind_and_so_do_those_within(tmp_path: Path) -> None:
    fill(tmp_path, {".git/config": "", "sub/.git": "gitdir: ../.git/modules/sub\n", "sub/a.py": "", "a.py": ""})
    assert travelling(tmp_path) == {"a.py", "sub/a.py"}


@pytest.mark.parametrize("content", [b"caf\xe9\n", b"\xef\xbb\xbfb\n"], ids=["no UTF-8", "with a mark of UTF-8"])
def test_a_file_of_patterns_need_not_be_plain_text(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".gitignore").write_bytes(content)
    for name in (b"caf\xe9", b"b", b"c"):
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name)).write_text("")
    assert travelling(tmp_path) == by_git(tmp_path)
