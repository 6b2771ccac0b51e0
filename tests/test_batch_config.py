"""The SDK's `batch_config`, which this tap does not use."""

from __future__ import annotations

from pathlib import Path

from tap_bitbucket.demo import BitbucketServer
from tests.support import api_token_config, run_here


def test_batches_are_refused_in_the_log_and_rows_are_written(
    server: BitbucketServer, tmp_path: Path
) -> None:
    """With `batch_config` the rows still come one by one, with their versions, and the log says so.

    A row out of a batch has no version, so the target would delete it again.
    """
    files = tmp_path / "batches"
    storage = {"root": files.as_uri()}
    batches = {"encoding": {"format": "jsonl", "compression": "gzip"}, "storage": storage}
    plain = run_here(api_token_config(server))
    run = run_here(api_token_config(server, batch_config=batches))
    assert run.code == 0, run.log
    assert run.counts == plain.counts
    assert {message["type"] for message in run.messages} == {
        message["type"] for message in plain.messages
    }
    assert not files.exists()
    (said,) = [line for line in run.log.splitlines() if "batch_config" in line]
    assert said.startswith("WARNING")
