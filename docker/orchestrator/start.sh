#!/bin/sh
# Runs the host side in its image, for sites with Docker but without Python: start.sh PROJECT [WORD...]
# The container sees the project, the artifacts and every path among the words where they are, writes as the calling user,
# has this terminal and this network, gets this process's signals, and ends when it ends.
set -eu
project=$1
shift
words=$#
own="/ /bin /boot /dev /etc /lib /lib64 /opt /proc /run /sbin /sys /usr /usr/bin /usr/lib /usr/local /usr/libexec /var" # the image's
passed="CI CORALLINE_ARTIFACTS CORALLINE_OFFLINE COLUMNS DOCKER_HOST FORCE_COLOR NO_COLOR TERM TMPDIR PIP_INDEX_URL
    HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy PIP_CERT REQUESTS_CA_BUNDLE SSL_CERT_FILE"

fail() { # what is wrong, what to do
    printf 'error: %s\n  %s\n' "$1" "$2" >&2
    exit 4
}

is_own() { case " $own " in *" $1 "*) return 0 ;; *) return 1 ;; esac }

absolute() { case $1 in /*) printf %s "$1" ;; *) printf '%s/%s' "${PWD%/}" "$1" ;; esac }

see() { # notes a path to be mounted, unless it is seen through one of before
    while read -r seen; do
        case $1/ in "$seen"/*) return ;; esac
    done <<END
$mounted
END
    mounted="$mounted
$1"
}

see_word() { # what a word or an option's value names, with what it links to, or the folder that it would be made in
    path=$(absolute "${1#--*=}")
    there=$path
    while [ ! -e "$there" ]; do there=$(dirname -- "$there"); done
    real=$(readlink -f -- "$there")
    if is_own "$there" || is_own "$real"; then
        if [ "$there" != "$path" ]; then return; fi
        fail "$path cannot be used where Python is missing" "name a folder or file below it"
    fi
    see "$there"
    see "$real"
}

quoted() { printf '"%s"' "$(printf %s "$1" | sed 's/"/""/g')"; } # --mount reads CSV, and a comma may be in a path

address=${DOCKER_HOST:-unix:///var/run/docker.sock}
socket=${address#unix://}
[ "$socket" != "$address" ] || fail "DOCKER_HOST is '$address': only a daemon on this machine can be used" "unset DOCKER_HOST"
unset DOCKER_CONTEXT
export DOCKER_HOST="$address"
refusal=$(docker version 2>&1 >/dev/null) || fail "the Docker daemon at $socket cannot be used: $refusal" \
    "start it, or join the group that owns its socket; with Python 3.11 or newer Docker is not needed"
image=$(sh "$project/docker/orchestrator/build.sh") || exit $?

mkdir -p "$project/.coralline" "${CORALLINE_ARTIFACTS:-$project/artifacts}" # the daemon would make them as root
mounted=$project
see "$socket"
see /tmp # also what the host side hands to steps in passing, and locks on sticks
see "${TMPDIR:-/tmp}"
for path in "$project/artifacts" "$project/.coralline"; do
    if [ -L "$path" ]; then see "$(readlink -f -- "$path")"; fi
done
# Who this machine is, its devices, and the locks on them.
for path in /etc/machine-id /run/lock /dev/bus/usb /dev/nvidia0 /dev/nvidiactl \
    "${SSL_CERT_FILE:-}" "${PIP_CERT:-}" "${REQUESTS_CA_BUNDLE:-}"; do
    if [ -n "$path" ] && [ -e "$path" ]; then see "$path"; fi
done
folder=$PWD
if is_own "$folder"; then folder=$project; else see "$folder"; fi
for word in "${CORALLINE_ARTIFACTS:-$project}" "${CORALLINE_OFFLINE:-$project}" "$@"; do see_word "$word"; done

# A daemon without root maps its root to us; else we are who we are, in all our groups and that of the socket.
case $(docker info --format '{{.SecurityOptions}}') in
    *rootless*) set -- "$@" --user 0:0 ;;
    *)
        set -- "$@" --user "$(id -u):$(id -g)" --userns host
        for group in $(id -G) $(stat -Lc %g "$socket"); do set -- "$@" --group-add "$group"; done
        ;;
esac
while read -r path; do
    set -- "$@" --mount "type=bind,$(quoted "source=$path"),$(quoted "target=$path")"
done <<END
$mounted
END
for name in $passed; do set -- "$@" --env "$name"; done
if [ "$(nproc)" != "$(nproc --all)" ]; then # the number of cores is part of what a measurement means
    set -- "$@" --cpuset-cpus "$(sed -n 's/^Cpus_allowed_list:[[:space:]]*//p' /proc/self/status)"
fi
if [ -t 0 ] && [ -t 1 ] && [ -t 2 ]; then set -- "$@" --interactive --tty; fi
set -- "$@" "$image" python3 -P "$project/docker/orchestrator/within.py" $$ "$(umask)" "$project"
while [ "$words" -gt 0 ]; do # the user's words come last
    set -- "$@" "$1"
    shift
    words=$((words - 1))
done
exec docker run --rm --pull never --log-driver none --label coralline.orchestrator=1 --pid host --network host \
    --read-only --cap-drop ALL --security-opt no-new-privileges --tmpfs /home/coralline:mode=1777 \
    --env HOME=/home/coralline --env "PYTHONPATH=$project" --workdir "$folder" "$@"
