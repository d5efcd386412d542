#!/bin/sh
# Installs the host side's locked packages, and pip, for the base's Python below ROOT: packages.sh LOCK ROOT.
set -eu
lock=$1 root=$2
site=$root$(python3 -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
wheel=$(echo /usr/share/python-wheels/pip-*.whl)
[ ! -e ca.crt ] || export PIP_CERT=/build/ca.crt
[ -n "${PIP_INDEX_URL:-}" ] || unset PIP_INDEX_URL
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore PIP_PROGRESS_BAR=off
PYTHONPATH=$wheel python3 -m pip install --retries 2 --timeout 15 --no-deps --no-compile --only-binary :all: \
    --require-hashes --target "$site" -r "$lock"
mkdir -p "$root/usr/local/bin"
mv "$site/bin/uv" "$root/usr/local/bin/"
rm -rf "${site:?}/bin" # the other scripts carry this build's paths
python3 -m zipfile -e "$wheel" "$site"
PYTHONHASHSEED=0 python3 -m compileall -q -j 2 --invalidation-mode unchecked-hash -s "$root" -p / "$site"
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
