#!/usr/bin/env bash
# Installs zenoh-ros2-sdk, an implementation of the rmw_zenoh conventions that is not ours, into a Python
# environment in a cache outside the repository. A second call finds it and returns at once; concurrent calls
# wait for one another. Prints the path of its Python as the only stdout line.
#
# Usage: test/peers/zenoh-ros.sh
# Exit:  0 done, 4 no usable Python, 1 anything else.
set -euo pipefail

source "$(dirname "${BASH_SOURCE[0]}")/lib-venv.sh"
# --no-deps: the list is complete, so that nothing can drift.
peer_venv zenoh-ros 11 '10 to 60 s' 'zenoh-ros2-sdk' --no-deps
