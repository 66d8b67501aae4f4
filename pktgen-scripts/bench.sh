#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures proxied requests per busy core-second of the load balancer, Sluice beside nginx and HAProxy, interleaved in one
# run over the same veth network, and prints the ratios.
#   pktgen-scripts/bench.sh [http-small] [https-small] [--quick] [--rounds N] [--driver af_packet|af_xdp] [--json FILE]
set -euo pipefail
cd "$(dirname "$0")/.."
for argument in "$@"; do
  case "$argument" in -h | --help) sed -n '3,5s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
done
if [ "$(id -u)" -ne 0 ]; then exec sudo -- "$0" "$@"; fi
tests/support/deps.sh build demo test
tests/support/build.sh release --quiet mgmt/daemon/sluiced mgmt/cli/sluicectl
exec /usr/bin/python3 -B pktgen-scripts/bench.py "$@"
