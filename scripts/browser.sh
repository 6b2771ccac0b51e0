#!/bin/sh
# Makes sure that Chromium and its driver are there: the tests of web pages click in one.
set -eu
. "$(dirname "$0")/program.sh"

ready() { has chromedriver && { has chromium || has google-chrome; }; }

ensure Chromium \
    "The tests need a browser: install chromium (or google-chrome) and chromedriver." \
    chromium chromium-driver fonts-dejavu-core
