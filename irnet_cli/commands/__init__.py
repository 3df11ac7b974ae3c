"""Verbs of the ``irnet`` command."""
