#!/usr/bin/env bash
# Installs kubernetes-validate, the schemas of Kubernetes with a strict validator, which our manifests are checked with,
# into a cache outside the repository. Prints the path of its Python as the only stdout line.
# A second call finds it and returns at once; concurrent calls wait for one another.
#
# Usage: test/peers/kubernetes.sh
# Exit:  0 done, 4 no usable Python, 1 anything else. PYTHON=/path/to/python3 chooses the interpreter.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/lib-venv.sh"
peer_venv kubernetes 10 '5 to 30 s' 'kubernetes-validate'
