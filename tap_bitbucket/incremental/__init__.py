"""How a stream is read again: which request, when to stop, what its bookmark means.

A strategy is a value in a stream's declaration. ``begin`` makes of it a pass over one partition.
"""

from tap_bitbucket.incremental.below_commits import BelowCommits
from tap_bitbucket.incremental.changed_parents import ChangedParents
from tap_bitbucket.incremental.from_feed import FromFeed
from tap_bitbucket.incremental.full_table import FullTable, WhenHeadMoved
from tap_bitbucket.incremental.new_commits import NewCommits
from tap_bitbucket.incremental.newest_first import NewestFirst
from tap_bitbucket.incremental.passes import Pass, Strategy
from tap_bitbucket.incremental.updated_since import UpdatedSince

__all__ = [
    "BelowCommits",
    "ChangedParents",
    "FromFeed",
    "FullTable",
    "NewCommits",
    "NewestFirst",
    "Pass",
    "Strategy",
    "UpdatedSince",
    "WhenHeadMoved",
]
