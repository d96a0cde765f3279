"""Recurring and emerging issues: found, kept under their names, told of when they rise, worked on by people."""
