"""What a person does to sign in: the commands of ``tap-bitbucket auth``."""
