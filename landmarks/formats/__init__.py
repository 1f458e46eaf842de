"""Readers of annotated points, a module a format."""
