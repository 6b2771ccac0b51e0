"""A Singer tap for Bitbucket Cloud."""
