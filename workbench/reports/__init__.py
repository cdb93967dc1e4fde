"""Notebooks as reports: run by papermill, written as pages that stand alone, and listed in an index."""
