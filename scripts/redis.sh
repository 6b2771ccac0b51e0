#!/bin/sh
# Makes sure that there is a Redis: Airflow's workers get their tasks by one.
set -eu
. "$(dirname "$0")/program.sh"

ready() { has redis-server; }

ensure Redis "These tests need Redis: install redis-server." redis-server
