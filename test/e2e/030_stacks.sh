#!/usr/bin/env bash
# Frames of captured stack traces; stacks.py tells.
set -euo pipefail

exec python3 "$(dirname "${BASH_SOURCE[0]}")/stacks.py"
