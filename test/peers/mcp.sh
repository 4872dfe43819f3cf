#!/usr/bin/env bash
# Installs what the MCP tests talk to, into a cache outside the repository: two servers of the MCP project itself
# (everything, filesystem) from npm, and its official Python client. A second call finds them and returns at once.
#
# Usage: test/peers/mcp.sh [install|paths]     (default: install)
# Exit:  0 done, 4 no usable Python or npm, 1 anything else.
set -euo pipefail

what="${1:-install}"
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cache="${AURAISON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/auraison-edge}/mcp"
hash="$(cat "$here/mcp/package.json" "$here/mcp-requirements.txt" | sha256sum | cut -c1-16)"
home="$cache/$hash"
say() { printf '[mcp] %s\n' "$*" >&2; }

if [ "$what" = paths ]; then
  printf 'servers=%s\n' "$home/servers/node_modules/@modelcontextprotocol"
  printf 'python=%s\n' "$home/venv/bin/python"
  exit 0
fi

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [ -f "$home/ready" ]; then
  say "present"
  exit 0
fi
for program in python3 npm; do
  if ! command -v "$program" >/dev/null; then
    say "$program was not found: MCP cannot be tested against the software of others."
    exit 4
  fi
done
say "installing two MCP servers and the Python client (20 to 90 s)"
started=$SECONDS
rm -rf "$home"
mkdir -p "$home/servers"
cp "$here/mcp/package.json" "$home/servers/"
(cd "$home/servers" && npm install --silent --ignore-scripts --no-package-lock --no-audit --no-fund >&2)
python3 -m venv "$home/venv"
"$home/venv/bin/pip" install --quiet --disable-pip-version-check -r "$here/mcp-requirements.txt"
touch "$home/ready"
say "installed in $((SECONDS - started)) s"
