"""Training: configuration, callbacks, checkpoints, run folder and loop."""
