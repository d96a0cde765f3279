"""Proof of the loop and what moves the score: counts, shares and effects over what is stored."""
