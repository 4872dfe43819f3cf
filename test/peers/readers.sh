#!/usr/bin/env bash
# Installs the foreign readers (and one foreign writer) of bags that the recorder tests are checked with: the
# Python packages mcap, mcap-ros2-support and rosbags, into a cache outside the repository.
# Prints the path of that Python as its only stdout line. A second call finds it and returns at once;
# concurrent calls wait for one another.
#
# Usage: test/peers/readers.sh
# Exit:  0 done, 4 no usable Python, 1 anything else. PYTHON=/path/to/python3 chooses the interpreter.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/lib-venv.sh"
peer_venv readers 10 '10 to 60 s' 'mcap, mcap-ros2-support and rosbags'
