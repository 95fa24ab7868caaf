"""Whether an export is what it should be, seen from a clean process.

verifying, reload_program              reloaded by TensorFlow alone
comparing_numbers, numbers_program   its numbers compared with Keras's
"""

from .comparing_numbers import verify_numbers
from .reload_program import digest
from .verifying import difference, reload, run_in, storable, verify_checkpoint

__all__ = [
    "difference",
    "digest",
    "reload",
    "run_in",
    "storable",
    "verify_checkpoint",
    "verify_numbers",
]
