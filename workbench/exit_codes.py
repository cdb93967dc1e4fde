"""With what the program ends: programs and schedules read that, people read the line."""

ERROR = 1  # which click.ClickException has too; 2 is a wrong use, by click.UsageError
DISAGREES = 3
"""A log that is not complete, or does not agree with the table."""
STOPPED = 130
"""By Ctrl-C: 128 and the signal's number, as shells have it."""
TERMINATED = 143
"""By SIGTERM."""
