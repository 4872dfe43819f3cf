#!/usr/bin/env bash
# A real browser for the live page: Debian's Chromium, where none is there yet.
set -euo pipefail
say() { printf 'browser: %s\n' "$*"; }
for name in chromium chromium-browser google-chrome; do
  if command -v "$name" >/dev/null; then
    say "$("$name" --version 2>/dev/null | head -1)"
    exit 0
  fi
done
say "installing Chromium from the distribution (about 300 MB)"
sudo=""
[ "$(id -u)" = 0 ] || sudo="sudo -n"
$sudo apt-get update -qq
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null
say "$(chromium --version)"
