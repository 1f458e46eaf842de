"""Searches of binary architectures: what they choose from, how they choose, and what they find."""
