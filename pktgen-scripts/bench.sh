#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Runs the benchmarks: pktgen-scripts/bench.sh [NAME...] [--quick] [--json FILE] [--rounds N]; all without a name.
# `bench.sh --help` names them; docs/benchmarks.md says what each one measures and against whom.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)  # the folder stays the caller's: FILE is relative to it
export PYTHONPATH=$root:$root/pktgen-scripts PYTHONDONTWRITEBYTECODE=1
case " $* " in
  *" -h "* | *" --help "*) ;;
  *) if [ "$(id -u)" -ne 0 ]; then exec sudo -- "$root/pktgen-scripts/bench.sh" "$@"; fi ;;
esac
exec /usr/bin/python3 -P -m bench "$@"
