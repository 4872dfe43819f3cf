#!/usr/bin/env bash
# Installs stock LeRobot for machines without a GPU: PolicyServer, RobotClient, LeRobotDataset v3 with videos, training
# of ACT, and what exports it to ONNX, into a cache outside the repository. torch is the published one (530 MB); it
# links CUDA libraries, which small ones stand in for (vllm/stubs.py) and which saves 3.3 GB. torchcodec finds FFmpeg
# in PyAV's package. Every package is named exactly and installed without what it asks for.
# Prints the path of the environment as its only stdout line: <path>/bin/python is ready to use as it is. A second
# call finds it and returns at once; concurrent calls wait for one another.
#
# Usage: test/peers/lerobot.sh        some 2 to 4 minutes and 2 GB at first on two cores
# Exit:  0 done, 4 no usable Python or compiler, 5 no packages for this machine, 1 anything else.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
recipe="$here/lerobot"
say() { printf '[lerobot] %s\n' "$*" >&2; }

if [ "$(uname -sm)" != "Linux x86_64" ]; then
  say "the packages of this peer are for Linux on x86_64"
  exit 5
fi
python=""
for candidate in ${PYTHON:+"$PYTHON"} python3 python3.11 python3.12 python3.13; do
  if command -v "$candidate" >/dev/null &&
    "$candidate" -c 'import sys, venv, ensurepip; assert (3, 11) <= sys.version_info < (3, 14)' 2>/dev/null; then
    python="$candidate"
    break
  fi
done
if [ -z "$python" ] || ! command -v cc >/dev/null; then
  say "needs Python 3.11 to 3.13 with venv, and a C compiler (Debian: apt-get install python3-venv gcc)"
  exit 4
fi

version="$("$python" -c 'import platform; print(platform.python_version(), platform.machine())')"
hash="$({ echo "$version"; cd "$here" && cat lerobot.sh lerobot/requirements.txt vllm/stubs.py; } | sha256sum | cut -c1-16)"
root="${AURAISON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/auraison-edge}/lerobot"
dest="$root/$hash"
mkdir -p "$root"

exec 9>"$root/$hash.lock"
if ! flock --nonblock 9; then
  say "another process is installing LeRobot; waiting for it"
  flock 9
fi

if [ -f "$dest/ready" ]; then
  say "present"
else
  say "installing LeRobot for Python $version (2 GB, 2 to 4 minutes)"
  started=$SECONDS
  rm -rf "$dest"
  "$python" -m venv "$dest"
  "$dest/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-compile -r "$recipe/requirements.txt"
  packages="$("$dest/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')"
  say "making stand-ins for the CUDA libraries"
  "$dest/bin/python" "$here/vllm/stubs.py" "$dest/stubs" "$packages/torch" "$packages/torchvision" "$packages/torchcodec"
  # PyAV's FFmpeg under the names that torchcodec asks for.
  for library in "$packages"/av.libs/lib{avcodec,avdevice,avfilter,avformat,avutil,swresample,swscale}-*.so.*; do
    name="$(basename "$library")"
    major="$(sed -E 's/.*\.so\.([0-9]+).*/\1/' <<<"$name")"
    ln -sf "$name" "$packages/av.libs/${name%%-*}.so.$major"
  done
  # An interpreter that needs no environment: libraries are found, nothing is fetched or sent, one thread computes.
  mv "$dest/bin/python" "$dest/bin/python-real"
  cat >"$dest/bin/python" <<WRAPPER
#!/usr/bin/env bash
export LD_LIBRARY_PATH="$dest/stubs:$packages/av.libs\${LD_LIBRARY_PATH:+:\$LD_LIBRARY_PATH}" CUDA_VISIBLE_DEVICES=
export HF_HUB_OFFLINE="\${HF_HUB_OFFLINE-1}" HF_HUB_DISABLE_TELEMETRY=1 DO_NOT_TRACK=1 WANDB_MODE=disabled
export OMP_NUM_THREADS="\${OMP_NUM_THREADS-1}" TOKENIZERS_PARALLELISM=false
exec "$dest/bin/python-real" "\$@"
WRAPPER
  chmod +x "$dest/bin/python"
  check='import torch, torchvision, torchcodec.decoders, onnx, lerobot.async_inference.policy_server'
  if ! "$dest/bin/python" -c "$check" >"$dest/check.log" 2>&1; then
    tail -n 20 "$dest/check.log" >&2
    exit 1
  fi
  touch "$dest/ready"
  say "installed in $((SECONDS - started)) s"
fi
echo "$dest"
