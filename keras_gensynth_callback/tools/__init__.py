"""What is done with a checkpoint that is there.

freeze, compare, downgrade, tensorboard   the commands of those names
resolve_conditionals          branches of a constant predicate, in the place of their conditional
trying, try_program   used in a clean process as a TensorFlow 1.x program would
doctor                        what is installed, and whether an export works here
"""

from .compare import compare_checkpoints
from .doctor import diagnose
from .downgrade import downgrade_checkpoint
from .freeze import freeze_checkpoint, keep_predictions
from .tensorboard import write_event_file
from .trying import try_checkpoint

__all__ = [
    "compare_checkpoints",
    "diagnose",
    "downgrade_checkpoint",
    "freeze_checkpoint",
    "keep_predictions",
    "try_checkpoint",
    "write_event_file",
]
