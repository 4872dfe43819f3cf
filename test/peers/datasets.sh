#!/usr/bin/env bash
# Installs what the dataset tests are checked with: pyarrow and pandas, by which LeRobot reads its tables, and a static
# ffmpeg (of the wheel imageio-ffmpeg), into a cache outside the repository. Prints the path of that Python as its only
# stdout line. A second call finds it and returns at once; concurrent calls wait for one another.
#
# Usage: test/peers/datasets.sh
# Exit:  0 done, 4 no usable Python, 1 anything else. PYTHON=/path/to/python3 chooses the interpreter.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/lib-venv.sh"
peer_venv datasets 11 '120 MB, 10 to 60 s' 'pyarrow, pandas and ffmpeg' --no-deps
