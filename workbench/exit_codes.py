"""With what the program ends: programs and schedules read that, people read the line."""

ERROR = 1  # which click.ClickException has too; 2 is a wrong use, by click.UsageError
DISAGREES = 3
"""A log that is not complete, or does not agree with the table."""
LEFT = 4
"""Writes of a plan that were not made: it was stopped, or items have changed meanwhile."""
STOPPED = 130
"""By Ctrl-C: 128 and the signal's number, as shells have it."""
TERMINATED = 143
"""By SIGTERM."""
