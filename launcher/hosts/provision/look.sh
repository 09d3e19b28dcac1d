# Says what a host is like, as far as an environment there depends on it: sh -s HOME MINOR NAMED MARK IDENTITY
# HOME: npu-launch's home there, empty for its default; MINOR: 3.11; NAMED: the interpreter that the spec names, or empty;
# MARK: a word of nobody else's; IDENTITY: the program that an interpreter describes itself with.
# One line a fact, "key TAB value"; of an interpreter its path too, before the value.
# shellcheck disable=SC2088  # a tilde of a spec is for this script to expand
umask 077
export LC_ALL=C
home=${1:-${NPU_LAUNCH_HOME:-$HOME/.npu-launch}}
case $home in
  /*) ;;
  "~/"*) home=$HOME/${home#"~/"} ;;
  *) home=$HOME/$home ;;
esac
minor=$2 named=$3 mark=$4 identity=$5
limit=
command -v timeout >/dev/null 2>&1 && limit="timeout 10"

say() { printf '%s\t%s\n' "$1" "$2"; }

say system "$(uname -s)"
say machine "$(uname -m)"
say user "$(id -un 2>/dev/null)"
say home "$home"
say libc "$( (getconf GNU_LIBC_VERSION || ldd --version) 2>&1 | head -n 1)"

# Whether the home takes files, and which file system's it is: hosts with the same .id have it in common.
problem=$({ mkdir -p "$home/env" && : >"$home/env/.try.$mark"; } 2>&1) || say unwritable "${problem:-unknown reason}"
if [ -e "$home/env/.try.$mark" ]; then
  rm -f "$home/env/.try.$mark"
  [ -s "$home/env/.id" ] || { echo "$mark" >"$home/env/.id.$mark" && ln "$home/env/.id.$mark" "$home/env/.id"; } 2>/dev/null
  rm -f "$home/env/.id.$mark"
  say id "$(cat "$home/env/.id" 2>/dev/null)"
fi
nearest=$home
while [ ! -d "$nearest" ]; do nearest=$(dirname "$nearest"); done
say space "$(df -Pk "$nearest" 2>/dev/null | tail -n 1)"

for environment in "$home"/env/[0-9a-f]*; do
  [ -d "$environment" ] && say environment "${environment##*/}"
done

# An interpreter that hangs or is too old to understand the program says nothing, or an error.
ask() {
  said=$($limit "$2" -I -c "$identity" </dev/null 2>"$errors") && case $said in
    *"{"*"}"*) printf '%s\t%s\t%s\n' "$1" "$2" "$(printf '%s\n' "$said" | tail -n 1)"; return ;;
  esac
  [ "$1" = candidate ] || say named-problem "$(tail -n 1 "$errors" 2>/dev/null)"
}

errors=/dev/null
if [ -n "$named" ]; then
  found=$(command -v "$named" 2>/dev/null)
  case $named in "~/"*) found=$HOME/${named#"~/"} ;; esac
  errors=${TMPDIR:-/tmp}/npu-launch-look.$mark
  if (set -C; : >"$errors") 2>/dev/null; then trap 'rm -f "$errors"' EXIT; else errors=/dev/null; fi
  ask named "${found:-$named}" 2>/dev/null
fi
asked=:
for python in "$(command -v "python$minor")" "$(command -v python3)" "/usr/bin/python$minor" "/usr/local/bin/python$minor" \
  /usr/local/python"$minor"*/bin/python3 "$HOME"/*conda3/bin/python3 /opt/*conda*/bin/python3 /usr/local/*conda3/bin/python3; do
  [ -x "$python" ] || continue
  case $asked in *":$python:"*) continue ;; esac
  asked=$asked$python:
  ask candidate "$python"
done
exit 0
