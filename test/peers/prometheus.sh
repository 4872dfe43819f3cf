#!/usr/bin/env bash
# Fetches Prometheus and promtool, as Debian packages them, into a cache outside the repository; nothing is installed.
# apt checks the package against the keys of the distribution.
# Prints the folder of both programs as its only stdout line. A second call finds them and returns at once; concurrent
# calls wait for one another.
#
# Needs apt. Without it the script says so and prints nothing: the tests then leave out what needs Prometheus.
#
# Usage: test/peers/prometheus.sh
set -euo pipefail
say() { printf '[prometheus] %s\n' "$*" >&2; }

place="${AURAISON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/auraison-edge}/prometheus"
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
  say 'no apt: the dashboard is not tried against Prometheus on this host'
  exit 0
fi
mkdir -p "$place"
exec 9>"$place/lock"
flock --nonblock 9 || { say 'another process is fetching it; waiting'; flock 9; }
if [ ! -f "$place/ready" ]; then
  say 'fetching Prometheus from the distribution (20 MB)'
  rm -rf "$place/tree" "$place/package"
  mkdir -p "$place/package"
  (
    cd "$place/package"
    # Lists may be missing, and another peer may hold their lock.
    for _ in 1 2 3; do
      apt-get download -qq prometheus >&2 && break
      apt-get update -qq >&2 || sleep 10
    done
    dpkg-deb -x prometheus_*.deb "$place/tree"
  )
  rm -rf "$place/package"
  "$place/tree/usr/bin/prometheus" --version >&2
  touch "$place/ready"
else
  say 'present'
fi
echo "$place/tree/usr/bin"
