#!/bin/sh
# Installs locked wheels below ROOT/opt/coralline/site: install.sh LOCK ROOT [WHEEL...]. The same lock gives the same bytes.
set -eu
lock=$1 root=$2
shift 2
site=$root/opt/coralline/site
[ ! -e ca.crt ] || export PIP_CERT=/build/ca.crt
[ -n "${PIP_INDEX_URL:-}" ] || unset PIP_INDEX_URL
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore PIP_PROGRESS_BAR=off
pip=$(echo /usr/share/python-wheels/pip-*.whl)
install() {
    PYTHONPATH=$pip python3 -m pip install --retries 2 --timeout 15 --no-deps --no-compile --target "$site" "$@"
}
install --require-hashes --only-binary :all: -r "$lock"
[ $# = 0 ] || install --no-index "$@" # fetched and checked before
# Console scripts are not used (python3 -m ...), and pip writes when and how it was called into them.
rm -rf "${site:?}/bin"
# Read-only containers can never write bytecode: without it TensorFlow takes 8 s to import instead of 3. Some packages
# ship templates that are no Python; they are listed and left uncompiled.
PYTHONHASHSEED=0 python3 -m compileall -q -j 2 --invalidation-mode unchecked-hash -s "$root" -p / "$site" || echo "some files have no bytecode"
find "$root" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
