"""Pull requests and what people say about them."""

from tap_bitbucket.demo.api.reviews import (
    pull_requests,
    reviews,
)

__all__ = [
    "pull_requests",
    "reviews",
]
