#!/bin/sh
# Puts the programs that the host side calls below ROOT: client.sh ROOT. Docker's client with buildx, from the release
# after the base's: daemons of 2025 and later refuse the client of Debian 12 (API 1.41). And git, which a run asks for its
# commit. They need libraries that the base has.
set -eu
root=$1
update() { apt-get -q -o Acquire::Check-Valid-Until=false -o Acquire::Retries=1 -o Acquire::http::Timeout=20 update; }
update
apt-get -q download git
# The base's own sources name the moment that it was made from; the other release is taken from the same one.
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*; do
    [ ! -f "$list" ] || sed -i 's/bookworm/trixie/g' "$list"
done
update
apt-get -q download docker-cli docker-buildx
for package in ./*.deb; do dpkg-deb --extract "$package" unpacked; done
mkdir -p "$root/usr/bin" "$root/usr/libexec"
cp unpacked/usr/bin/docker unpacked/usr/bin/git "$root/usr/bin/"
cp -R unpacked/usr/libexec/docker "$root/usr/libexec/"
rm -rf ./*.deb unpacked /var/lib/apt/lists/*
