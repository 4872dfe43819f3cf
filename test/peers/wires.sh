#!/usr/bin/env bash
# Installs the stock peers of the wires of policies: openpi-client and its server of the Python package index, as they
# are published, and pyzmq with msgpack, of which GR00T's client and server are made, into a cache outside the repository.
# Prints the path of that Python as its only stdout line. A second call finds it and returns at once;
# concurrent calls wait for one another.
#
# Usage: test/peers/wires.sh
# Exit:  0 done, 4 no usable Python, 1 anything else. PYTHON=/path/to/python3 chooses the interpreter.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/lib-venv.sh"
peer_venv wires 10 '10 to 60 s' 'openpi-client, openpi-server and pyzmq'
