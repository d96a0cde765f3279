"""Responses on their way in: taken, read, stored, turned into cases and events in one transaction."""
