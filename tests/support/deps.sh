#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs what is missing of the Debian packages that a group needs: deps.sh GROUP...
#   build: compile and run sluiced    demo: what demo.sh shows it with    test: what the suites use
#   bench: what is measured against   clients: TLS libraries of others   vm: the suite in a virtual machine
#   kubernetes: an API server to try sluice-ingress with
# Asks dpkg first, so that a second run costs nothing and needs neither root nor a network.
set -euo pipefail

build=(g++ meson ninja-build pkg-config ccache
  libdpdk-dev dpdk libhyperscan-dev libipsec-mb-dev libssl-dev libconfig++-dev libnghttp2-dev
  libcpp-httplib-dev nlohmann-json3-dev libsqlite3-dev libcurl4-openssl-dev libspdlog-dev libfmt-dev libcli11-dev libyaml-cpp-dev)
demo=(nginx-light iproute2 iputils-ping iptables ethtool curl openssl jq procps python3)
test=(libgtest-dev libgmock-dev libbenchmark-dev clang libclang-rt-14-dev clang-format git
  nghttp2-client wrk haproxy python3-pytest python3-pytest-timeout python3-scapy tcpdump sqlite3)
bench=(nginx-light haproxy dpdk-dev nghttp2-client libipsec-mb-dev linux-perf)  # dpdk-dev: dpdk-testpmd
clients=(gnutls-bin libnss3-tools golang-go default-jdk-headless chromium testssl.sh)  # whose TLS is tried
vm=(qemu-system-x86 busybox-static kmod binutils)

# dnsmasq: what ExternalNames are asked of. The API server is built from Debian's source package (tests/kubernetes/apiserver.sh).
kubernetes=(golang-go golang-github-modern-go-reflect2-dev dpkg-dev etcd-server dnsmasq-base)
command -v kubectl >/dev/null || kubernetes+=(kubernetes-client)

[ -r /etc/os-release ] && . /etc/os-release
if [ "${VERSION_CODENAME:-}" = trixie ]; then test=("${test[@]/libclang-rt-14-dev/libclang-rt-dev}"); fi

wanted=()
for group in "$@"; do
  case "$group" in
    build) wanted+=("${build[@]}") ;;
    demo) wanted+=("${demo[@]}") ;;
    test) wanted+=("${test[@]}") ;;
    bench) wanted+=("${bench[@]}") ;;
    clients) wanted+=("${clients[@]}") ;;
    vm) wanted+=("${vm[@]}") ;;
    kubernetes) wanted+=("${kubernetes[@]}") ;;
    *) echo "deps.sh: unknown group '$group' (build, demo, test, bench, clients, vm, kubernetes)" >&2; exit 2 ;;
  esac
done

missing=()
for package in "${wanted[@]}"; do
  status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
  [ "$status" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -eq 0 ] && exit 0

if ! command -v apt-get >/dev/null; then
  echo "These Debian packages are needed: ${missing[*]}" >&2
  exit 1
fi
sudo=()
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "Installing ${missing[*]} needs root or sudo." >&2; exit 1; }
  sudo=(sudo)
fi
echo "Installing: ${missing[*]}"
# Services that packages bring must not start: the suites start their own nginx and HAProxy.
policy=/usr/sbin/policy-rc.d
made_policy=no
if [ ! -e "$policy" ]; then
  printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee "$policy" >/dev/null
  "${sudo[@]}" chmod 755 "$policy"
  made_policy=yes
fi
cleanup() { if [ "$made_policy" = yes ]; then "${sudo[@]}" rm -f "$policy"; fi; }
trap cleanup EXIT
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get update -qq
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
