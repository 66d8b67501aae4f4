#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What is too long for CI. All parts run, whatever becomes of the others; in the end there is a list of them, and failure if one failed.
#   tests/soak.sh [NAME=NUMBER...]     0 leaves a part out
#     fuzz=1800      seconds for each fuzzer, on its kept corpus
#     sim=20000      seeds of the simulated link between two stacks of ours
#     goodput=1      the whole table of goodput against the kernel's TCP, over an emulated link: an hour
#     e2e=3          rounds of the end-to-end suites, without and with sanitizers
set -uo pipefail
self=$(realpath "$0")
cd "$(dirname "$self")/.." || exit
declare -A much=([fuzz]=1800 [sim]=20000 [goodput]=1 [e2e]=3)
for word in "$@"; do
  if [[ ! $word =~ ^([a-z0-9]+)=([0-9]+)$ ]] || [ -z "${much[${BASH_REMATCH[1]}]:-}" ]; then
    sed -n '3,8s/^# \{0,1\}//p' "$self" >&2
    exit 2
  fi
  much[${BASH_REMATCH[1]}]=$((10#${BASH_REMATCH[2]}))
done
[ "$(id -u)" -eq 0 ] || exec sudo -- "$self" "$@"

done_parts=()
failed=0
part() {  # WHAT COMMAND...
  local what=$1 started=$SECONDS verdict=passed
  shift
  printf '\n== %s\n' "$what"
  "$@" || { verdict=FAILED failed=1; }
  done_parts+=("$verdict  $what, $((SECONDS - started)) s")
}

# shellcheck disable=SC2317  # called by part
goodput() {  # at real-time priority: what else runs here must not decide
  chrt -r 10 tests/packet/kernel/goodput.py build/check/tests/packet/tcp_echo build/check/tests/support/link/link
}

if ((much[fuzz])); then part "fuzzers, ${much[fuzz]} s each" env SLUICE_FUZZ_SECONDS="${much[fuzz]}" ./test.sh fuzz; fi
if ((much[sim] + much[goodput])); then
  part "building" tests/support/build.sh check tests/packet/packet_tcp tests/packet/tcp_echo tests/support/link/link
fi
if ((much[goodput])); then part "goodput" goodput; fi
if ((much[sim])); then
  part "${much[sim]} simulated links" env SLUICE_SIM_SEEDS="${much[sim]}" build/check/tests/packet/packet_tcp --gtest_filter='TcpSim.*'
fi
for ((round = 1; round <= much[e2e]; ++round)); do part "round $round of ${much[e2e]}: e2e, sanitizer" ./test.sh e2e sanitizer; done

printf '\n'
printf '%s\n' "${done_parts[@]-nothing was to be done}"
exit $failed
