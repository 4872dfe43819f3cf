#!/usr/bin/env bash
# Makes the root file systems that the tests of the Debian package boot and check with, into a cache outside the repository:
# Debian 12 with systemd (200 MB), and the same with lintian. Debian's keyring, which the host has, proves each package; which
# versions they have is in the file `packages` beside each. Prints the folder of both as its only line on stdout.
# A second call finds them; concurrent calls wait for one another.
#
# Needs root and apt. Without them it says so and makes nothing: the tests then say what was not tested.
#
# Usage: test/peers/debian.sh
set -euo pipefail
say() { printf '[debian] %s\n' "$*" >&2; }

suite=bookworm
include=systemd,systemd-sysv,dbus,libstdc++6
hash="$(echo "1 $suite $include" | sha256sum | cut -c1-16)"
root="${AURAISON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/auraison-edge}/debian"
place="$root/$hash"

if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || ! ls /usr/share/keyrings/debian-archive-*.gpg >/dev/null 2>&1; then
  say 'no root, no apt, or no keyring of Debian: the Debian package is not tried under systemd on this host'
  exit 0
fi
mkdir -p "$root"
exec 9>"$root/$hash.lock"
flock --nonblock 9 || { say 'another process is making the root file systems; waiting for it'; flock 9; }
if [ ! -f "$place/ready" ]; then
  say "making Debian $suite with systemd, and once more with lintian (1 to 4 min, 600 MB)"
  started=$SECONDS
  rm -rf "$place"
  mkdir -p "$place/tools"
  # A script in Perl that needs no installation.
  (
    cd "$place/tools"
    # Lists may be missing, and another peer may hold their lock.
    for _ in 1 2 3; do
      apt-get download -qq mmdebstrap >&2 && break
      apt-get update -qq >&2 || sleep 10
    done
    dpkg-deb -x mmdebstrap_*.deb .
  )
  make() {
    perl "$place/tools/usr/bin/mmdebstrap" --quiet --mode=root --variant=apt --include="$2" \
      --customize-hook='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*' \
      "$suite" "$place/$1" >&2
    chroot "$place/$1" dpkg-query --show >"$place/$1.packages"
  }
  make base "$include"
  make lintian "$include,lintian"
  rm -rf "$place/tools"
  touch "$place/ready"
  say "made in $((SECONDS - started)) s"
else
  say 'present'
fi
echo "$place"
