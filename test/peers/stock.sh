#!/usr/bin/env bash
# Installs programs in Python that people attach to robots: roslibpy and ros-mcp (over rosbridge), and the parser of
# Prometheus' own client, into a cache outside the repository.
# Prints the path of its Python as the only stdout line. A second call finds it and returns at once;
# concurrent calls wait for one another.
#
# Usage: test/peers/stock.sh
# Exit:  0 done, 4 no usable Python, 1 anything else. PYTHON=/path/to/python3 chooses the interpreter.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/lib-venv.sh"
peer_venv stock 10 '150 MB, 20 to 90 s' 'roslibpy, ros-mcp and prometheus-client'
