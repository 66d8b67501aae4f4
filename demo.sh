#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Shows Sluice at work on this machine, without a special NIC: a client and three nginx backends in network
# namespaces, sluiced between them on DPDK ports over veth, configured over REST, reached with curl over HTTP and HTTPS.
#   ./demo.sh                  installs what is missing, builds, shows, and stays up until Ctrl-C
#   ./demo.sh --once           ends after the show; exit status 0 says that every step worked
#   ./demo.sh --driver NAME    af_xdp, af_packet or tap (default: af_xdp where it works, else af_packet)
#   ./demo.sh --kubernetes     the Ingress controller: a real API server, an Ingress, a rollout (also with --once)
set -euo pipefail
cd "$(dirname "$0")"
for argument in "$@"; do
  case "$argument" in -h | --help) sed -n '3,8s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
done
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "demo.sh needs root (network namespaces, raw ports), or sudo." >&2; exit 1; }
  exec sudo -- "$0" "$@"
fi
if [ "${1:-}" = --kubernetes ]; then
  shift
  tests/support/deps.sh build demo test kubernetes
  tests/kubernetes/apiserver.sh >/dev/null
  tests/support/build.sh release --quiet mgmt/daemon/sluiced mgmt/ingress/sluice-ingress
  exec /usr/bin/python3 -B tests/kubernetes/demo.py "$@"
fi
tests/support/deps.sh build demo
echo "Building (the first time takes some minutes)..."
tests/support/build.sh release --quiet mgmt/daemon/sluiced mgmt/cli/sluicectl
exec /usr/bin/python3 -B tests/support/demo.py "$@"
