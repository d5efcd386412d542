#!/bin/sh
# Takes out of a Debian root ($1) what differs from build to build or serves no stage, and compiles the standard
# library so that the same source gives the same bytes (Python 3.9's own .pyc files do not).
set -eu
root=${1%/}
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/* "$root"/var/cache/debconf/* "$root"/var/cache/ldconfig/aux-cache \
    "$root"/var/log/* "$root"/tmp/* "$root"/root/.wget-hsts
rm -rf "$root"/usr/share/man/* "$root"/usr/share/locale/* "$root"/usr/share/info/*
find "$root/usr/share/doc" -depth -type f ! -name copyright -delete
find "$root/usr/lib/python3" "$root"/usr/lib/python3.* -depth -name __pycache__ -type d -exec rm -rf {} +
# -j and the hash seed are fixed: on Python 3.9 both change the bytes.
for folder in "$root"/usr/lib/python3 "$root"/usr/lib/python3.*; do
    PYTHONHASHSEED=0 chroot "${root:-/}" python3 -m compileall -q -j 2 --invalidation-mode unchecked-hash "${folder#"$root"}"
done
