"""A model of what people do at Bitbucket, of how a tap fares meanwhile, and of what it promises."""
