"""Tests of tap-bitbucket, one file per promise."""
