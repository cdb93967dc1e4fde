"""The questions as `.sql` files in Athena's dialect, and the only code that writes SQL text."""
