"""Rewrites of a converted file, one per module: formula, preconditions, refusals, ``run``.

None knows Keras; their order is in :mod:`converters.lce.pipeline`.
"""

from converters.passes._result import PassResult, Refusal, Rewrite, Target, checked_target

__all__ = ["PassResult", "Refusal", "Rewrite", "Target", "checked_target"]
