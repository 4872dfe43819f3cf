#!/usr/bin/env bash
# Installs a stock agent of the Agent Client Protocol, opencode as npm has it, pinned by acp/package-lock.json, into a cache
# outside the repository. It needs no account and no network: the tests give it a model of their own.
# A second call finds it and returns at once; concurrent calls wait for one another.
#
# Usage: test/peers/acp.sh [install|paths]     (default: install)
# Exit:  0 done, or no opencode is published for this processor; 4 no usable npm, 1 anything else.
set -euo pipefail

what="${1:-install}"
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cache="${AURAISON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/auraison-edge}/acp"
hash="$(cat "$here/acp/package.json" "$here/acp/package-lock.json" | sha256sum | cut -c1-16)"
home="$cache/$hash"
say() { printf '[acp] %s\n' "$*" >&2; }

if [ "$(uname -m)" != x86_64 ]; then
  [ "$what" = paths ] || say "opencode is pinned for x86_64 only: the tests with a stock agent are left out"
  exit 0
fi
if [ "$what" = paths ]; then
  printf 'opencode=%s\n' "$home/node_modules/opencode-linux-x64/bin/opencode"
  exit 0
fi

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [ -f "$home/ready" ]; then
  say "present"
  exit 0
fi
if ! command -v npm >/dev/null; then
  say "npm was not found: no stock agent can be tested"
  exit 4
fi
say "installing opencode (180 MB, 5 to 60 s)"
started=$SECONDS
rm -rf "$home"
mkdir -p "$home"
cp "$here/acp/package.json" "$here/acp/package-lock.json" "$home/"
(cd "$home" && npm ci --silent --ignore-scripts --no-audit --no-fund >&2)
"$home/node_modules/opencode-linux-x64/bin/opencode" --version >&2
touch "$home/ready"
say "installed in $((SECONDS - started)) s"
