#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Builds on Debian 13 (DPDK 24.11, OpenSSL 3.5, IPsec-MB 2.0) in a chroot, and runs the unit and packet tests there.
#   tests/debian13.sh [CHROOT]             kept for the next run; default /var/cache/sluice/trixie
#   tests/debian13.sh --engine [CHROOT]    instead: measures RSA handshakes with qatengine's multi-buffer mode (docs/qat.md)
set -euo pipefail
cd "$(dirname "$0")/.."
[ "$(id -u)" -eq 0 ] || exec sudo -- "$0" "$@"
what=tests
if [ "${1:-}" = --engine ]; then what=engine; shift; fi
chroot=${1:-/var/cache/sluice/trixie}

if [ ! -x /usr/sbin/debootstrap ]; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
fi
if [ ! -e "$chroot/.ready" ]; then
  rm -rf --one-file-system "$chroot"
  mkdir -p "$chroot"
  # The mirror that this machine itself uses; the sources file may be in either format.
  mirror=$( (cat /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true) | grep -v -e '^ *#' -e security |
    grep -oE '(https?|file)://[^ ]+' | head -n 1 || true)
  debootstrap --variant=minbase --include=ca-certificates trixie "$chroot" ${mirror:+"$mirror"}
  # How this machine reaches its mirror (a proxy, a certificate) holds for the chroot too.
  { grep -lsE '^ *Acquire' /etc/apt/apt.conf /etc/apt/apt.conf.d/* || true; } | while read -r file; do
    install -D -m 644 "$file" "$chroot$file"
  done
  cp /etc/resolv.conf "$chroot/etc/resolv.conf" 2>/dev/null || true
  touch "$chroot/.ready"
fi

cleanup() { for mount in src proc dev sys; do umount -l "$chroot/$mount" 2>/dev/null || true; done; }
trap cleanup EXIT
mkdir -p "$chroot/src"
mount --bind "$PWD" "$chroot/src"
mount -o remount,ro,bind "$chroot/src"
mount -t proc proc "$chroot/proc"
mount --rbind /dev "$chroot/dev"
mount --rbind /sys "$chroot/sys"
mount --make-rslave "$chroot/dev"
mount --make-rslave "$chroot/sys"

chroot "$chroot" /bin/bash -euo pipefail -c '
  export LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
  /src/tests/support/deps.sh build
  apt-get install -y -qq --no-install-recommends libgtest-dev libgmock-dev libbenchmark-dev >/dev/null
  cd /src
  [ -f /build/build.ninja ] || meson setup /build --buildtype=debug -Doptimization=1 -Dtests=enabled
  if [ "$1" = tests ]; then
    ninja -k 0 -C /build
    meson test -C /build --suite unit --suite packet --print-errorlogs --num-processes 2
    exit
  fi
  apt-get install -y -qq --no-install-recommends qatengine >/dev/null
  ninja -C /build tests/unit/l7_tls/handshake_rate >/dev/null
  folder=$(openssl version -e | grep -o "/[^\"]*")
  engine=$(python3 /src/tests/support/engine_for_this_cpu.py "$folder/qatengine.so" /build)
  /build/tests/unit/l7_tls/handshake_rate "$engine"
' sh "$what"
