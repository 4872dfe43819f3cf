#!/usr/bin/env bash
# Installs the official Python library of the Agent2Agent protocol into a cache outside the repository, and prints the
# path of its Python. A second call finds it; concurrent calls wait for one another.
#
# Usage: test/peers/a2a.sh
# Exit:  0 done, 4 no usable Python, 1 anything else.
set -euo pipefail
. "$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)/lib-venv.sh"
peer_venv a2a 10 "60 MB, 20 to 60 s" "the Python library of A2A"
