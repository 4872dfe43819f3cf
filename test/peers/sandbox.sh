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
cache="${AURAISON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/auraison-edge}/sandbox"
home="$cache/$(sha256sum "${BASH_SOURCE[0]}" "$here/sandbox-packages.txt" | sha256sum | cut -c1-16)"

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9
if [ -f "$home/ready" ]; then
  say "present"
  printf '%s\n' "$home/bin"
  exit 0
fi
rm -rf "$home"
mkdir -p "$home/bin" "$home/deb" "$home/root"
started=$SECONDS

# The lists of packages of this user: those of the host may be old, and only root may fetch them there.
own=(-o "Dir::State::Lists=$home/apt/lists" -o "Dir::Cache=$home/apt/cache" -o "APT::Sandbox::User=root"
  -o "Debug::NoLocking=1")

# Every package of the list, by hash.
pinned() {
  [ "$(uname -m)" = x86_64 ] && command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
  mkdir -p "$home/apt/lists/partial" "$home/apt/cache/archives/partial"
  local package version hash
  while read -r package version hash; do
    (cd "$home/deb" && apt-get download -qq "$package=$version" >/dev/null 2>&1) || {
      [ -f "$home/apt/updated" ] || { apt-get "${own[@]}" update -qq >/dev/null 2>&1 && touch "$home/apt/updated"; }
      (cd "$home/deb" && apt-get "${own[@]}" download -qq "$package=$version" >/dev/null 2>&1) || return 1
    }
    file=("$home/deb/$package"_*.deb)
    echo "$hash  ${file[0]}" | sha256sum --check --quiet >&2 || { say "$package has another hash"; exit 1; }
    dpkg-deb -x "${file[0]}" "$home/root"
  done < <(grep -v '^#' "$here/sandbox-packages.txt")
  for program in usr/bin/bwrap usr/bin/crun usr/sbin/runc; do
    printf '#!/bin/sh\nLD_LIBRARY_PATH=%q exec %q "$@"\n' \
      "$home/root/usr/lib/x86_64-linux-gnu" "$home/root/$program" >"$home/bin/${program##*/}"
    chmod 755 "$home/bin/${program##*/}"
    "$home/bin/${program##*/}" --version >/dev/null 2>&1 || return 1
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
