"""With what the program ends: programs and schedules read that, people read the line."""

ERROR = 1  # which click.ClickException has too; 2 is a wrong use, by click.UsageError
"""Something is wrong; of a report: a cell failed."""
DISAGREES = 3
"""A log that is not complete, or does not agree with the table."""
LEFT = 4
"""Writes of a plan that were not made: it was stopped, or items have changed meanwhile."""
REFUSED = 5
"""A report's query would have scanned more than `max_scan_bytes`."""
TIMED_OUT = 6
"""A cell of a report did not end in time."""
DIED = 7
"""The kernel of a report was killed, or ended by itself."""
EMPTY = 8
"""A report is complete, and tells of no change."""
NOT_PUBLISHED = 9
"""A report, or the index of them, could not be written where it was to be."""
ALERT = 10
"""A report is complete, and broke a rule of its own."""
STOPPED = 130
"""By Ctrl-C: 128 and the signal's number, as shells have it."""
TERMINATED = 143
"""By SIGTERM."""
