#!/usr/bin/env bash
# Installs the real language model that `auraison models add local` installs, by the same installer: llama.cpp's
# OpenAI-compatible server and the weights of SmolLM2-135M, into the cache. Prints where they are as JSON.
# A second call finds it and returns at once; concurrent calls wait for one another.
#
# Usage: test/peers/llama.sh
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
data="$(mktemp -d)"
trap 'rm -rf "$data"' EXIT
AURAISON_CONFIG=/dev/null "$root/bin/auraison" --data-dir "$data" --json models add local --install-only
