"""Turning labelled feedback into models: the only place where torch is imported."""
