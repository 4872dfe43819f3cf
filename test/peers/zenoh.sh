#!/usr/bin/env bash
# Builds what the Zenoh tests need, into a cache outside the repository:
#   1. the native driver (adapters/zenoh/native) with cargo;
#   2. a Python environment with eclipse-zenoh, the independent peer;
#   3. the real router zenohd and the WebSocket bridge zenoh-bridge-remote-api, from crates.io.
# A second call finds both and returns at once. Several calls at the same time wait for one another.
#
# Usage: test/peers/zenoh.sh [all|native|python|router|paths]     (default: all)
# Exit:  0 done, 3 no usable cargo, 4 no usable Python, 1 anything else.
set -euo pipefail

what="${1:-all}"
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
native="$here/../../adapters/zenoh/native"
cache="${AURAISON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/auraison-edge}/zenoh"
# The newest Rust that one of the crates in Cargo.lock asks for.
rust_min=1.89.0
say() { printf "[${AURAISON_PEER_LABEL:-zenoh}] %s\n" "$*" >&2; }

# The same hash as in adapters/zenoh/native-loader.ts: sha256 over "<sha256>  <path>\n" of each source.
source_hash() { (cd "$native" && find Cargo.toml Cargo.lock build.rs src -type f | LC_ALL=C sort | xargs sha256sum | sha256sum | cut -c1-16); }
hash="$(source_hash)"
addon="$cache/$hash/auraison-zenoh.node"
venv="$cache/python-$(sha256sum "$here/zenoh-requirements.txt" | cut -c1-16)"
# The version of the crate that the driver links, so that all peers speak the same protocol.
zenoh_version="$(sed -n 's/^zenoh = { version = "=\([0-9.]*\)".*/\1/p' "$native/Cargo.toml")"
programs="$cache/programs-$zenoh_version-$(cd "$here/zenoh" && sha256sum Cargo.toml Cargo.lock | sha256sum | cut -c1-8)"

if [ "$what" = paths ]; then
  printf 'addon=%s\npython=%s\n' "$addon" "$venv/bin/python"
  printf 'zenohd=%s\nbridge=%s\n' "$programs/zenohd" "$programs/zenoh-bridge-remote-api"
  exit 0
fi

mkdir -p "$cache"
# One lock per part: who only wants the driver does not wait for the router.
take_lock() {
  exec 9>"$cache/lock-$1"
  if ! flock --nonblock 9; then
    say "another process is preparing the Zenoh peers ($1); waiting for it"
    flock 9
  fi
}

need_cargo() {
  if ! command -v cargo >/dev/null; then
    say "cargo was not found: the native Zenoh driver and its peers cannot be built here."
    say "Install Rust $rust_min or newer (rustup), or set AURAISON_ZENOH_NATIVE to a built auraison-zenoh.node."
    exit 3
  fi
  version="$(cargo --version | cut -d' ' -f2)"
  if [ "$(printf '%s\n' "$rust_min" "$version" | sort -V | head -n1)" != "$rust_min" ]; then
    say "cargo $version is too old: the native Zenoh driver needs Rust $rust_min or newer (distributions are often behind; rustup is not)."
    exit 3
  fi
}

build_native() {
  take_lock native
  if [ -f "$addon" ]; then
    say "native driver: present, $addon"
    return
  fi
  need_cargo
  say "native driver: building with cargo $version, about 300 crates, 4 to 8 minutes on two cores"
  local started=$SECONDS target="$cache/target"
  # Paths of this machine do not belong in the artefact.
  export CARGO_TARGET_DIR="$target"
  export RUSTFLAGS="${RUSTFLAGS:-} --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=cargo"
  (cd "$native" && nice -n 5 cargo build --release --locked ${AURAISON_CARGO_FLAGS:---quiet})
  if [ "$(source_hash)" != "$hash" ]; then
    say "the sources of the driver changed while it was built; run again"
    exit 1
  fi
  mkdir -p "$cache/$hash"
  # Written beside and renamed: a reader never sees half a library.
  cp "$target/release/libauraison_zenoh.so" "$addon.tmp"
  mv "$addon.tmp" "$addon"
  say "native driver: built in $((SECONDS - started)) s, $(du -h "$addon" | cut -f1), $addon"
}

build_python() {
  take_lock python
  if [ -f "$venv/ready" ]; then
    say "python peer: present"
    return
  fi
  if ! command -v python3 >/dev/null; then
    say "python3 was not found: the independent Zenoh peer of the tests cannot be installed."
    exit 4
  fi
  say "python peer: installing eclipse-zenoh and numpy (10 to 60 s)"
  local started=$SECONDS
  rm -rf "$venv"
  python3 -m venv "$venv" || { say "python3 has no venv module (Debian: apt-get install python3-venv)"; exit 4; }
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -r "$here/zenoh-requirements.txt"
  touch "$venv/ready"
  say "python peer: installed in $((SECONDS - started)) s"
}

# The sources as published (their checksums are in zenoh/Cargo.lock), in one workspace, so that what both share is
# compiled once. Only their manifests are made leaner: no QUIC, no build tools of the release process.
build_programs() {
  take_lock programs
  if [ -f "$programs/ready" ]; then
    say "zenohd and bridge: present ($zenoh_version)"
    return
  fi
  need_cargo
  say "zenohd and bridge $zenoh_version: building with cargo $version, about 300 crates, 3 to 8 minutes on two cores"
  local started=$SECONDS work="$cache/programs-work" crate
  rm -rf "$work" "$programs"
  mkdir -p "$work" "$programs"
  for crate in zenohd zenoh-bridge-remote-api zenoh-plugin-remote-api; do
    (cd "$work" && unpack_crate "$crate")
  done
  cp "$here/zenoh/Cargo.toml" "$here/zenoh/Cargo.lock" "$work/"
  lean_manifests "$work"
  (cd "$work" && CARGO_TARGET_DIR="$work/target" nice -n 5 cargo build --release --locked ${AURAISON_CARGO_FLAGS:---quiet})
  cp "$work/target/release/zenohd" "$work/target/release/zenoh-bridge-remote-api" "$programs/"
  # Half a gigabyte that nobody needs again.
  rm -rf "$work"
  touch "$programs/ready"
  say "zenohd and bridge: built in $((SECONDS - started)) s, $programs"
}

# A published crate as a folder: cargo itself fetches and unpacks it, we copy that.
unpack_crate() {
  local crate="$1" source
  cargo info --quiet --registry crates-io "$crate@$zenoh_version" >/dev/null
  source="$(ls -d "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/"$crate-$zenoh_version" | head -n1)"
  cp -r "$source" "$crate"
  # The workspace has one of its own.
  rm -f "$crate/Cargo.lock"
}

lean_manifests() {
  local transports='"zenoh/transport_tcp", "zenoh/transport_tls", "zenoh/transport_udp", "zenoh/transport_unixsock-stream", "zenoh/shared-memory"'
  sed -i "s|^default = \[\"zenoh/default\"\]|default = [$transports]|" "$1/zenohd/Cargo.toml"
  sed -i -e '/^resolver = /d' -e '/^    "cdylib",/d' \
    -e 's/^\[dependencies\.zenoh\]$/&\ndefault-features = false/' \
    -e '/^\[build-dependencies\.cargo-run-bin\]/,/^$/d' \
    "$1"/zenoh-bridge-remote-api/Cargo.toml "$1"/zenoh-plugin-remote-api/Cargo.toml
}

case "$what" in
  all) build_python; build_native; build_programs ;;
  router) build_programs ;;
  native) build_native ;;
  python) build_python ;;
  *) say "unknown argument '$what'; use all, native, python, router or paths"; exit 1 ;;
esac
