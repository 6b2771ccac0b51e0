"""Tests of reading over HTTP."""
