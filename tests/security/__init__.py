"""What is promised about secrets, each promise with a test that fails when it is broken."""
