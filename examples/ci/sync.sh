#!/usr/bin/env bash
# Reads what changed in Bitbucket into a Singer target, and keeps the state in a file:
#
#   sync.sh target-postgres --config=ENV
#
# Settings come from the environment (TAP_BITBUCKET_...). The exit code is the tap's, or else the
# target's; what was loaded until then is in the state, and the next run goes on from there.
set -euo pipefail
umask 077 # nobody else on the machine reads what is written here

state=${STATE_FILE:-state/state.json}
mkdir -p "$(dirname "$state")"
states=$(mktemp)

keep_state() {
  # A line that a killed target did not finish is left out.
  tail -n 2 "$states" | while IFS= read -r line; do printf '%s\n' "$line" > "$state.new"; done
  if [ -s "$state.new" ]; then mv "$state.new" "$state"; fi
  rm -f "$states"
}
trap keep_state EXIT

arguments=(--config=ENV)
if [ -s "$state" ]; then arguments+=(--state "$state"); fi
tap-bitbucket "${arguments[@]}" | "$@" > "$states"
