"""The promises of tap_bitbucket.auth."""
