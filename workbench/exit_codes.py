"""With what the program ends: programs and schedules read that, people read the line."""

ERROR = 1  # which click.ClickException has too
USAGE = 2  # which click.UsageError has too
DISAGREES = 3
"""A log that is not complete, or does not agree with the table."""
STOPPED = 130
"""By Ctrl-C: 128 and the signal's number, as shells have it."""
TERMINATED = 143
"""By SIGTERM."""
