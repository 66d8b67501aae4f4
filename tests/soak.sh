#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What is too long for CI: each fuzzer for minutes or hours on its kept corpus, the whole table of goodput against the kernel's
# TCP, thousands of simulated links, then the end-to-end suites again and again.
#   tests/soak.sh [FUZZ_SECONDS_PER_TARGET] [E2E_ROUNDS]        default 1800 3
set -euo pipefail
cd "$(dirname "$0")/.."
seconds=${1:-1800}
rounds=${2:-3}
[ "$(id -u)" -eq 0 ] || exec sudo -- "$0" "$@"

SLUICE_FUZZ_SECONDS=$seconds ./test.sh fuzz
./test.sh kernel packet
nice -n -5 tests/packet/kernel/goodput.py build/check/tests/packet/tcp_echo build/check/tests/support/link/link
SLUICE_SIM_SEEDS=20000 build/check/tests/packet/packet_tcp --gtest_filter='TcpSim.*'
for round in $(seq "$rounds"); do
  echo "round $round of $rounds"
  ./test.sh e2e sanitizer
done
