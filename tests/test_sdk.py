"""The SDK's own tests of a tap, against the bundled stand-in; no stream is left out."""

from __future__ import annotations

import atexit
from typing import Any

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class

from tap_bitbucket.demo import BitbucketServer, example_world
from tap_bitbucket.tap import TapBitbucket
from tests.support import api_token_config, select_all

# Not every optional property occurs in the example world; the SDK warns of that.
pytestmark = pytest.mark.filterwarnings("ignore:Fields in transformed catalog:UserWarning")

_SERVER = BitbucketServer(example_world()).start()
"""The SDK makes its tests when this module is read, so the server must be there by then."""

atexit.register(_SERVER.stop)

TestTapBitbucket: Any = get_tap_test_class(
    TapBitbucket,
    config=api_token_config(_SERVER),
    suite_config=SuiteConfig(max_records_limit=300),
    catalog=select_all(TapBitbucket(config={}, validate_config=False).catalog_dict),
)
