"""A change log as it is stored: its objects and their readers, exports of the table, checkpoints, Regions and keys."""
