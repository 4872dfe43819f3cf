# Shared by the peers that are a Python environment with pinned packages; sourced, not run.
#
# peer_venv NAME PYTHON_MINOR MEGABYTES_AND_TIME WHAT [pip options]
#   Makes <cache>/NAME/<hash> from NAME-requirements.txt unless it is there, and prints the path of its Python as the
#   only line on stdout. A second call finds it; concurrent calls wait for one another. Exits 4 without a usable
#   Python; PYTHON=/path/to/python3 chooses the interpreter.

peer_venv() {
  local name="$1" minor="$2" cost="$3" what="$4"
  shift 4
  local here python="" candidate version hash root venv started
  here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
  say() { printf '[%s] %s\n' "$name" "$*" >&2; }

  for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 python3.10; do
    if command -v "$candidate" >/dev/null &&
      "$candidate" -c "import sys, venv, ensurepip; assert sys.version_info >= (3, $minor)" 2>/dev/null; then
      python="$candidate"
      break
    fi
  done
  if [ -z "$python" ]; then
    say "no Python 3.$minor or newer with venv: $what cannot be installed (Debian: apt-get install python3-venv)"
    exit 4
  fi

  version="$("$python" -c 'import platform; print(platform.python_version(), platform.machine())')"
  hash="$({ echo "$version"; cat "$here/$name-requirements.txt"; } | sha256sum | cut -c1-16)"
  root="${AURAISON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/auraison-edge}/$name"
  venv="$root/$hash"
  mkdir -p "$root"

  exec 9>"$root/$hash.lock"
  if ! flock --nonblock 9; then
    say "another process is installing $what; waiting for it"
    flock 9
  fi
  if [ -f "$venv/ready" ]; then
    say "present"
  else
    say "installing $what for Python $version ($cost)"
    started=$SECONDS
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@" -r "$here/$name-requirements.txt"
    touch "$venv/ready"
    say "installed in $((SECONDS - started)) s"
  fi
  echo "$venv/bin/python"
}
