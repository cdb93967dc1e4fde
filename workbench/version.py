"""The version of this distribution, in one place: the build reads it here, and programs need no installed metadata."""

__version__ = "0.2.0"
