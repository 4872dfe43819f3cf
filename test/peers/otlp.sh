#!/usr/bin/env bash
# Installs opentelemetry-proto, the protobuf definitions of OpenTelemetry, with which a test reads what we export over
# OTLP, into a cache outside the repository.
# Prints the path of its Python as the only stdout line. A second call finds it and returns at once;
# concurrent calls wait for one another.
#
# Usage: test/peers/otlp.sh
# Exit:  0 done, 4 no usable Python, 1 anything else. PYTHON=/path/to/python3 chooses the interpreter.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
say() { printf '[otlp] %s\n' "$*" >&2; }

python=""
for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11; do
  if command -v "$candidate" >/dev/null &&
    "$candidate" -c 'import sys, venv, ensurepip; assert sys.version_info >= (3, 11)' 2>/dev/null; then
    python="$candidate"
    break
  fi
done
if [ -z "$python" ]; then
  say "no Python 3.11 or newer with venv: opentelemetry-proto cannot be installed (Debian: apt-get install python3-venv)"
  exit 4
fi

version="$("$python" -c 'import platform; print(platform.python_version(), platform.machine())')"
hash="$({ echo "$version"; cat "$here/otlp-requirements.txt"; } | sha256sum | cut -c1-16)"
root="${AURAISON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/auraison-edge}/otlp"
venv="$root/$hash"
mkdir -p "$root"

exec 9>"$root/$hash.lock"
if ! flock --nonblock 9; then
  say "another process is installing opentelemetry-proto; waiting for it"
  flock 9
fi

if [ -f "$venv/ready" ]; then
  say "present"
else
  say "installing opentelemetry-proto for Python $version (5 to 30 s)"
  started=$SECONDS
  rm -rf "$venv"
  "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/otlp-requirements.txt"
  touch "$venv/ready"
  say "installed in $((SECONDS - started)) s"
fi
echo "$venv/bin/python"
