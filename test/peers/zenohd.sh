#!/usr/bin/env bash
# zenohd and its bridge alone: a script of its own, so that they are built beside the native driver where
# scripts/test.mjs has a second lane free. See zenoh.sh.
AURAISON_PEER_LABEL=zenohd exec bash "$(dirname "${BASH_SOURCE[0]}")/zenoh.sh" router
