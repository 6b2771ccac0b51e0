#!/bin/sh
# Makes sure that Chromium and its driver are there: the tests of web pages click in one.
set -eu

has() { command -v "$1" >/dev/null 2>&1; }
ready() { has chromedriver && { has chromium || has google-chrome; }; }

ready && exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    as_root="sudo -n"
fi
if has apt-get && $as_root true 2>/dev/null; then
    echo "There is no Chromium here: installing it ..."
    apt() { $as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq "$@" >/dev/null; }
    if apt update &&
        apt install -y --no-install-recommends chromium chromium-driver fonts-dejavu-core &&
        ready; then
        exit 0
    fi
fi
echo "The tests need a browser: install chromium (or google-chrome) and chromedriver." >&2
exit 1
