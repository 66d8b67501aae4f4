#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Prints the path of a kube-apiserver, building it first (minutes) when the cache has none: apiserver.sh
# Source: Debian's package `kubernetes` of bookworm with Debian's Go. SLUICE_CACHE (/var/cache/sluice) keeps the binary.
set -euo pipefail

cache=${SLUICE_CACHE:-/var/cache/sluice}/kubernetes
program=$cache/kube-apiserver
if [ -x "$program" ]; then echo "$program"; exit 0; fi

mkdir -p "$cache"
exec 9>"$cache/lock"
flock 9  # Two runs at once build it once.
if [ -x "$program" ]; then echo "$program"; exit 0; fi

work=$(mktemp -d "$cache/build.XXXXXX")
trap 'chmod -R u+w "$work" 2>/dev/null || true; rm -rf "$work"' EXIT
exec 3>&1 1>&2

# A source list of its own, so that the machine's apt configuration stays as it is.
mirror=$(apt-cache policy base-files | grep -oE 'https?://[^ ]+' | head -1)
keyring=/usr/share/keyrings/debian-archive-keyring.gpg
mkdir -p "$work/lists/partial" "$work/source" "$work/go/src/k8s.io"
echo "deb-src [signed-by=$keyring] ${mirror:-http://deb.debian.org/debian} bookworm main" >"$work/sources.list"
apt=(apt-get -qq -o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
  -o "Dir::State::lists=$work/lists" -o APT::Sandbox::User=root)
"${apt[@]}" update
(cd "$work/source" && "${apt[@]}" source --download-only kubernetes && dpkg-source --no-check -x ./*.dsc tree >/dev/null)

export GOPATH=$work/go GOCACHE=$work/cache GO111MODULE=off GOFLAGS= CGO_ENABLED=0 GOTOOLCHAIN=local
ln -s "$work/source/tree" "$GOPATH/src/k8s.io/kubernetes"
cd "$GOPATH/src/k8s.io/kubernetes"

# reflect2 1.0.1 crashes with Go 1.18 and later.
rm -rf vendor/github.com/modern-go/reflect2
cp -r /usr/share/gocode/src/github.com/modern-go/reflect2 vendor/github.com/modern-go/

# The package leaves out one generated file: the OpenAPI definitions of all types that are marked for it.
go build -o "$work/openapi-gen" ./vendor/k8s.io/kube-openapi/cmd/openapi-gen
inputs=$(grep -rl --include='*.go' '+k8s:openapi-gen=true' staging/src/k8s.io pkg | xargs -n1 dirname | sort -u |
  sed -e 's,^staging/src/,,' -e 's,^pkg/,k8s.io/kubernetes/pkg/,' | grep -v -e '/generated' -e testdata | paste -sd,)
extra=k8s.io/apimachinery/pkg/apis/meta/v1,k8s.io/apimachinery/pkg/runtime,k8s.io/apimachinery/pkg/version
"$work/openapi-gen" --go-header-file=/dev/null --output-base="$work/openapi" --report-filename="$work/violations" \
  --output-package=k8s.io/kubernetes/pkg/generated/openapi --output-file-base=zz_generated.openapi \
  --input-dirs="$inputs,$extra"
cp "$work/openapi/k8s.io/kubernetes/pkg/generated/openapi/zz_generated.openapi.go" pkg/generated/openapi/

version=k8s.io/kubernetes/vendor/k8s.io/component-base/version
go build -ldflags "-s -w -X $version.gitVersion=v1.20.2 -X $version.gitMajor=1 -X $version.gitMinor=20" \
  -o "$work/kube-apiserver" ./cmd/kube-apiserver
mv "$work/kube-apiserver" "$program"
exec 1>&3
echo "$program"
