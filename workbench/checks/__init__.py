"""Whether everything is ready: this machine, the account, the pipeline.

Each check says what is wrong and what mends it.
"""

from workbench.checks.machine import require_ready as require_ready
from workbench.checks.machine import run_checks as run_checks
from workbench.checks.machine import show_checks as show_checks
