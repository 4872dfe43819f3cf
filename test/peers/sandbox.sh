#!/usr/bin/env bash
# Installs what the sandbox tests need: bwrap, crun and runc of Debian with the libraries that only they need, unpacked
# into a cache outside the repository, without root. Packages are pinned by version and hash. Where the distribution
# has others, those of the host are used, or installed by its package manager.
# Prints the folder with the programs as its only stdout line. A second call finds it and returns at once; concurrent
# calls wait for one another.
#
# Usage: test/peers/sandbox.sh
# Exit:  0 done, 4 no such packages here, 1 anything else.
set -euo pipefail

say() { printf '[sandbox] %s\n' "$*" >&2; }
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
. "$here/lib-debs.sh"
cache="${AURAISON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/auraison-edge}/sandbox"
home="$cache/$(cat "${BASH_SOURCE[0]}" "$here/lib-debs.sh" "$here/sandbox-packages.txt" | sha256sum | cut -c1-16)"

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [ -f "$home/ready" ]; then
  say "present"
  printf '%s\n' "$home/bin"
  exit 0
fi
rm -rf "$home"
mkdir -p "$home/bin"
started=$SECONDS

# Every package of the list, by hash.
pinned() {
  pinned_debs "$here/sandbox-packages.txt" "$home" || return 1
  for program in usr/bin/bwrap usr/bin/crun usr/sbin/runc; do
    deb_program "$home" "$program" --version || return 1
  done
}

if ! pinned; then
  say "the pinned packages are not for this host: those of the distribution are taken"
  missing=""
  for pair in bwrap:bubblewrap crun:crun runc:runc; do
    PATH="$PATH:/usr/sbin:/sbin" command -v "${pair%%:*}" >/dev/null || missing="$missing ${pair##*:}"
  done
  if [ -n "$missing" ]; then
    sudo=""
    [ "$(id -u)" = 0 ] || sudo="sudo -n"
    { $sudo apt-get update -qq && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
      --no-install-recommends $missing; } >&2 || { say "install$missing"; exit 4; }
  fi
  for program in bwrap crun runc; do
    ln -sf "$(PATH="$PATH:/usr/sbin:/sbin" command -v "$program")" "$home/bin/$program"
  done
fi
rm -rf "$home/deb" "$home/apt"
touch "$home/ready"
say "installed in $((SECONDS - started)) s: $("$home/bin/bwrap" --version), $("$home/bin/crun" --version | head -1), $("$home/bin/runc" --version | head -1)"
printf '%s\n' "$home/bin"
