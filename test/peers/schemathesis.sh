#!/usr/bin/env bash
# Installs schemathesis, which reads our OpenAPI document and attacks the API with what it forbids, into a
# Python environment in a cache outside the repository. A second call finds it and returns at once.
#
# Usage: test/peers/schemathesis.sh [install|path]     (default: install)
# Exit:  0 done, 4 no usable Python, 1 anything else.
set -euo pipefail

what="${1:-install}"
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cache="${AURAISON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/auraison-edge}/schemathesis"
venv="$cache/$(sha256sum "$here/schemathesis-requirements.txt" | cut -c1-16)"
say() { printf '[schemathesis] %s\n' "$*" >&2; }

if [ "$what" = path ]; then
  printf '%s\n' "$venv/bin/schemathesis"
  exit 0
fi

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [ -f "$venv/ready" ]; then
  say "present"
  exit 0
fi
if ! command -v python3 >/dev/null; then
  say "python3 was not found: the API cannot be tested from its own document."
  exit 4
fi
say "installing (10 to 60 s)"
started=$SECONDS
rm -rf "$venv"
python3 -m venv "$venv"
"$venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/schemathesis-requirements.txt"
touch "$venv/ready"
say "installed in $((SECONDS - started)) s"
