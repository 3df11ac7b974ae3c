"""Files from strangers: what is checked before an interpreter sees one. No TensorFlow."""

from converters.untrusted.allow_list import BUILTIN_RULES, CUSTOM_RULES
from converters.untrusted.check import check_graph, read_untrusted
from converters.untrusted.policy import DEFAULT_POLICY, Policy, RefusedFileError, Spending

__all__ = [
    "BUILTIN_RULES",
    "CUSTOM_RULES",
    "DEFAULT_POLICY",
    "Policy",
    "RefusedFileError",
    "Spending",
    "check_graph",
    "read_untrusted",
]
