#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Configures (once) and builds one of the project's build folders: build.sh FLAVOUR [TARGET...]
#   release  programs as shipped: -O3, LTO, debug info        -> build/release
#   check    unit and packet tests, and the programs, under ASan and UBSan   -> build/check
#   fuzz     libFuzzer targets, with clang                    -> build/fuzz
set -euo pipefail
cd "$(dirname "$0")/../.."

flavour=${1:?"usage: build.sh release|check|fuzz [TARGET...]"}
shift
folder=build/$flavour
case "$flavour" in
  release) options=(--buildtype=release -Ddebug=true -Db_lto=true -Db_ndebug=true -Dtests=disabled) ;;
  check) options=(--buildtype=debug -Doptimization=1 -Db_sanitize=address,undefined -Db_lundef=false -Dtests=enabled) ;;
  fuzz) options=(--buildtype=debug -Doptimization=1 -Dfuzz=true -Db_sanitize=address,undefined -Db_lundef=false)
        export CC=clang CXX=clang++ CXXFLAGS=-fsanitize=fuzzer-no-link ;;
  *) echo "build.sh: unknown flavour '$flavour' (release, check, fuzz)" >&2; exit 2 ;;
esac

# A clone elsewhere compiles the same relative paths: let it find what another has compiled.
export CCACHE_NOHASHDIR=1

if [ ! -f "$folder/build.ninja" ]; then
  rm -rf "$folder"
  meson setup "$folder" "${options[@]}" >"/tmp/sluice-setup-$$.log" 2>&1 || {
    cat "/tmp/sluice-setup-$$.log"; rm -f "/tmp/sluice-setup-$$.log"; exit 1; }
  rm -f "/tmp/sluice-setup-$$.log"
fi
ninja -C "$folder" "$@"
