"""Titles of issues that an OpenAI-compatible endpoint writes; off unless the installation names one."""
