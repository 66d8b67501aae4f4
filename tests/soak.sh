#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What is too long for CI: each fuzzer for minutes or hours on its kept corpus, then the end-to-end suites again and again.
#   tests/soak.sh [FUZZ_SECONDS_PER_TARGET] [E2E_ROUNDS]        default 1800 3
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-1800}
rounds=${2:-3}
[ "$(id -u)" -eq 0 ] || exec sudo -- "$0" "$@"

SLUICE_FUZZ_SECONDS=$seconds ./test.sh fuzz
for round in $(seq "$rounds"); do
  echo "round $round of $rounds"
  ./test.sh e2e sanitizer
done
