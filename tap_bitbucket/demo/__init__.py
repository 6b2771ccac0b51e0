"""A strict Bitbucket Cloud to try things with: API, OAuth server and an example world."""

from tap_bitbucket.demo.example.company import EXAMPLE_WORKSPACE, example_world
from tap_bitbucket.demo.example.large import large_world
from tap_bitbucket.demo.faults import Fault
from tap_bitbucket.demo.rate_limit import RateLimit
from tap_bitbucket.demo.served import ServedRequest
from tap_bitbucket.demo.server import BitbucketServer
from tap_bitbucket.demo.world import Credentials, World

__all__ = [
    "EXAMPLE_WORKSPACE",
    "BitbucketServer",
    "Credentials",
    "Fault",
    "RateLimit",
    "ServedRequest",
    "World",
    "example_world",
    "large_world",
]
