#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing, builds, runs the suites, and ends with one line: N passed, N failed, N skipped.
#   ./test.sh                 all suites; kubernetes builds an API server first, once
#   ./test.sh unit packet     only those          ./test.sh --list   their names
set -euo pipefail
cd "$(dirname "$0")"
case "${1:-}" in
  -h | --help) sed -n '3,5s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac
tests/support/deps.sh build demo test bench clients vm
exec /usr/bin/python3 tests/support/run_suites.py "$@"
