#!/bin/sh
# Makes sure that there is a Redis: Airflow's workers get their tasks by one.
set -eu

has() { command -v "$1" >/dev/null 2>&1; }

has redis-server && exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    as_root="sudo -n"
fi
if has apt-get && $as_root true 2>/dev/null; then
    echo "There is no Redis here: installing it ..."
    apt() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" >/dev/null; }
    if apt update && apt install -y --no-install-recommends redis-server && has redis-server; then
        exit 0
    fi
fi
echo "These tests need Redis: install redis-server." >&2
exit 1
