# Shared by the peers that are packages of Debian, unpacked without root; sourced, not run.
#
# pinned_debs LIST HOME
#   Unpacks every package of LIST (lines of name, version, SHA-256) into HOME/root. Fails where this host has other packages; exits
#   where one has another hash. HOME/deb and HOME/apt are left for the caller to remove.

pinned_debs() {
  local list="$1" home="$2" package version hash file
  [ "$(uname -m)" = x86_64 ] && command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || return 1
  # The lists of packages of this user: those of the host may be old, and only root may fetch them there.
  local own=(-o "Dir::State::Lists=$home/apt/lists" -o "Dir::Cache=$home/apt/cache" -o "APT::Sandbox::User=root"
    -o "Debug::NoLocking=1")
  mkdir -p "$home/deb" "$home/root" "$home/apt/lists/partial" "$home/apt/cache/archives/partial"
  while read -r package version hash; do
    (cd "$home/deb" && apt-get download -qq "$package=$version" >/dev/null 2>&1) || {
      [ -f "$home/apt/updated" ] || { apt-get "${own[@]}" update -qq >/dev/null 2>&1 && touch "$home/apt/updated"; }
      (cd "$home/deb" && apt-get "${own[@]}" download -qq "$package=$version" >/dev/null 2>&1) || return 1
    }
    file=("$home/deb/$package"_*.deb)
    echo "$hash  ${file[0]}" | sha256sum --check --quiet >&2 || { echo "$package has another hash" >&2; exit 1; }
    dpkg-deb -x "${file[0]}" "$home/root"
  done < <(grep -v '^#' "$list")
}

# A program of HOME/root with the libraries that lie there; fails where it does not start. Further words are its arguments for the try.
deb_program() {
  local home="$1" program="$2"
  shift 2
  mkdir -p "$home/bin"
  printf '#!/bin/sh\nLD_LIBRARY_PATH=%q exec %q "$@"\n' \
    "$home/root/usr/lib/x86_64-linux-gnu" "$home/root/$program" >"$home/bin/${program##*/}"
  chmod 755 "$home/bin/${program##*/}"
  "$home/bin/${program##*/}" "$@" >/dev/null 2>&1
}
