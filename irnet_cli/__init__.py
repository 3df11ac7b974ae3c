"""The ``irnet`` command: one module per verb in ``irnet_cli.commands``."""
