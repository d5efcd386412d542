#!/bin/sh
# Prints the name of the orchestrator's image, made first where the daemon does not have it for the present recipe.
# Needs sh and a Docker client, no Python. The name is the digest of all that the image is made from but its base.
set -eu
cd -- "$(dirname -- "$0")/../.."
recipe="docker/orchestrator/Dockerfile docker/orchestrator/client.sh docker/orchestrator/packages.sh requirements/host.lock"
suite=bookworm

fail() { # what is wrong, what to do
    printf 'error: %s\n  %s\n' "$1" "$2" >&2
    exit 5
}

has_image() { docker image inspect "$1" >/dev/null 2>&1; }

build() { # docker build ARGUMENT...; clients without buildx have the old builder, which these Dockerfiles do not mind
    if docker buildx version >/dev/null 2>&1; then
        docker buildx build --builder default --load --progress plain "$@" >"$work/log" 2>&1
    else
        DOCKER_BUILDKIT=0 docker build "$@" >"$work/log" 2>&1 || return
        # It keeps the build stage as an image without a name.
        docker image prune --force --filter label=coralline.building=orchestrator >"$work/log" 2>&1
    fi
}

make_base() { # from the pinned Debian image; where no registry answers, from Debian's packages
    debian=$(sed -n 's/^image = "\(.*\)"$/\1/p' docker/base/$suite.toml)
    packages=$(sed -n 's/^packages = \[\(.*\)\]$/\1/p' docker/base/$suite.toml | tr -d '",')
    if docker pull "$debian" >"$work/log" 2>&1; then
        build --tag "$1" --build-arg "DEBIAN=$debian" --build-arg "PACKAGES=$packages" docker/base
    elif command -v mmdebstrap >/dev/null 2>&1; then
        sh docker/base/debootstrap.sh $suite "$(echo "$packages" | tr ' ' ',')" "$work/root.tar" >"$work/log" 2>&1 &&
            docker import "$work/root.tar" "$1" >"$work/log" 2>&1
    else
        fail "no container registry answers, and no base image is here: $(tail -n 1 "$work/log")" \
            "where one answers, run \`./run pack --images --to DIR\`; then here: ./run --offline DIR"
    fi
}

make() {
    echo "making the image of the orchestrator (once, a few minutes)" >&2
    base=coralline-base:$suite
    has_image "$base" || { base=coralline-orchestrator-base:$suite && { has_image "$base" || make_base "$base"; }; } ||
        { tail -n 20 "$work/log" >&2 && fail "the base of the orchestrator cannot be made" "see the lines above"; }
    mkdir "$work/context"
    for file in $recipe; do cp "$file" "$work/context/"; done
    authorities=${SSL_CERT_FILE:-${PIP_CERT:-${REQUESTS_CA_BUNDLE:-}}}
    [ -z "$authorities" ] || cp "$authorities" "$work/context/ca.crt"
    for name in PIP_INDEX_URL HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy; do
        set -- "$@" --build-arg "$name" # its value is the client's own
    done
    build --tag "$image" --build-arg "BASE=$base" "$@" "$work/context" || {
        tail -n 20 "$work/log" >&2
        fail "the image of the orchestrator cannot be made" "are Debian's mirror and the package index reachable? see the lines above"
    }
}

take() { # what was packed for a site without network
    place=images/orchestrator.tar
    sums=$(grep "  $place\$" "$CORALLINE_OFFLINE/SHA256SUMS") ||
        fail "the image of the orchestrator is not in $CORALLINE_OFFLINE" "pack again with --images where there is a network"
    (cd -- "$CORALLINE_OFFLINE" && echo "$sums" | sha256sum -c - >"$work/log" 2>&1) ||
        fail "$CORALLINE_OFFLINE/$place is damaged" "copy the folder again, or pack again"
    echo "loading the image of the orchestrator (once)" >&2
    docker load --quiet --input "$CORALLINE_OFFLINE/$place" >"$work/log" 2>&1 || fail "$(cat "$work/log")" "is there room?"
    has_image "$image" || fail "$CORALLINE_OFFLINE/$place is not the image of this checkout" "use the project beside it"
}

# shellcheck disable=SC2086 # a list of names without spaces
image=coralline-orchestrator:$(cat $recipe | sha256sum | cut -c 1-12)
if ! has_image "$image"; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    trap 'exit 130' INT TERM HUP
    if [ -n "${CORALLINE_OFFLINE:-}" ]; then take; else make; fi
fi
echo "$image"
