#!/usr/bin/env bash
# Installs zenoh-ros2-sdk, an implementation of the rmw_zenoh conventions that is not ours, into a Python
# environment in a cache outside the repository. A second call finds it and returns at once; concurrent calls
# wait for one another. Prints the path of its Python as the only stdout line.
#
# Usage: test/peers/zenoh-ros.sh
# Exit:  0 done, 4 no usable Python, 1 anything else.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cache="${AURAISON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/auraison-edge}/zenoh-ros"
say() { printf '[zenoh-ros] %s\n' "$*" >&2; }

python=""
for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11; do
  if command -v "$candidate" >/dev/null &&
    "$candidate" -c 'import sys, venv, ensurepip; assert sys.version_info >= (3, 11)' 2>/dev/null; then
    python="$candidate"
    break
  fi
done
if [ -z "$python" ]; then
  say "no Python 3.11 or newer with venv: the independent ROS nodes over Zenoh cannot be installed"
  exit 4
fi

version="$("$python" -c 'import platform; print(platform.python_version(), platform.machine())')"
venv="$cache/$({ echo "$version"; cat "$here/zenoh-ros-requirements.txt"; } | sha256sum | cut -c1-16)"
mkdir -p "$cache"
exec 9>"$cache/lock"
if ! flock --nonblock 9; then
  say "another process is installing; waiting for it"
  flock 9
fi

if [ -f "$venv/ready" ]; then
  say "present"
else
  say "installing zenoh-ros2-sdk (10 to 60 s)"
  started=$SECONDS
  rm -rf "$venv"
  "$python" -m venv "$venv"
  # --no-deps: the list is complete, so that nothing can drift.
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps -r "$here/zenoh-ros-requirements.txt"
  touch "$venv/ready"
  say "installed in $((SECONDS - started)) s"
fi
echo "$venv/bin/python"
