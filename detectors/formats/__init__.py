"""Readers of annotation files, a format a module; each gives what is written, unchecked."""
