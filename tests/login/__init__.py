"""Signing in: what a person does, sees and is told."""
