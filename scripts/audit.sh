#!/bin/sh
# Asks PyPI whether a package that an installation gets today, extras and development tools
# included, has a weakness that is known. Fails as well where one of them cannot be looked up.
#
# Usage: audit.sh UV [options of pip-audit]
set -eu
uv=$1
shift

packages=$(mktemp)
trap 'rm -f "$packages"' EXIT
"$uv" export --quiet --all-extras --all-groups --no-emit-project --output-file "$packages" >/dev/null
"$uv" run --quiet --group lint pip-audit --strict --disable-pip --progress-spinner off \
    --requirement "$packages" "$@"
