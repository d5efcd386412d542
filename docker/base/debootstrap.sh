#!/bin/sh
# Makes the root of a base as a tar, without a container registry: debootstrap.sh SUITE PACKAGES OUTPUT.tar
# The same packages give the same bytes; the mirror has only today's, so what was installed is recorded by the caller.
set -eu
suite=$1 packages=$2 output=$3
here=$(cd "$(dirname "$0")" && pwd)
: "${SOURCE_DATE_EPOCH:=1735689600}"
export SOURCE_DATE_EPOCH CLEAN="$here/clean.sh"
command -v mmdebstrap >/dev/null || { echo "mmdebstrap is not installed" >&2; exit 127; }
# resolv.conf and hostname would carry this machine's name into the image. The hooks are shell of mmdebstrap's own.
# shellcheck disable=SC2016
exec mmdebstrap --variant=minbase --include="$packages" \
    --aptopt='Acquire::Retries "1"' --aptopt='Acquire::http::Timeout "20"' \
    --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' \
    --customize-hook='rm -f "$1/etc/hostname" "$1/etc/resolv.conf"' \
    --customize-hook='sh "$CLEAN" "$1"' \
    "$suite" "$output"
