"""The stand-in Bitbucket: it keeps the rules of the real one."""
