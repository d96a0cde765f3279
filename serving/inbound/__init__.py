"""Webhooks of survey tools: each vendor's payload turned into responses."""
