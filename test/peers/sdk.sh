#!/usr/bin/env bash
# Installs openapi-typescript, which writes clients/typescript/auraison-api.d.ts, with the compiler that it needs, and
# openapi-fetch, on which the client stands, into a cache outside the repository.
# Prints their node_modules as its only stdout line. A second call finds them and returns at once; concurrent calls wait
# for one another.
#
# Usage: test/peers/sdk.sh
# Exit:  0 done, 4 no npm, 1 anything else.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cache="${AURAISON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/auraison-edge}/sdk"
home="$cache/$(sha256sum "$here/sdk/package.json" | cut -c1-16)"
say() { printf '[sdk] %s\n' "$*" >&2; }

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [ -f "$home/ready" ]; then
  say "present"
else
  if ! command -v npm >/dev/null; then
    say "npm was not found: the types of the TypeScript client cannot be generated."
    exit 4
  fi
  say "installing openapi-typescript and openapi-fetch (5 to 60 s)"
  started=$SECONDS
  rm -rf "$home"
  mkdir -p "$home"
  cp "$here/sdk/package.json" "$home/"
  (cd "$home" && npm install --silent --ignore-scripts --no-package-lock --no-audit --no-fund >&2)
  touch "$home/ready"
  say "installed in $((SECONDS - started)) s"
fi
echo "$home/node_modules"
