# For scripts that make sure of a program: they say by `ready` whether it is there.

has() { command -v "$1" >/dev/null 2>&1; }

# Ends the script: well if the program is there or apt-get installs it, else with advice.
#
# Usage: ensure PROGRAM ADVICE PACKAGE...
ensure() {
    ready && exit 0

    program=$1
    advice=$2
    shift 2
    as_root=
    if [ "$(id -u)" != 0 ]; then
        as_root="sudo -n"
    fi
    if has apt-get && $as_root true 2>/dev/null; then
        echo "There is no $program here: installing it ..."
        apt() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" >/dev/null; }
        if apt update && apt install -y --no-install-recommends "$@" && ready; then
            exit 0
        fi
    fi
    echo "$advice" >&2
    exit 1
}
