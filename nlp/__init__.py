"""Understanding customer verbatims: pure functions and values, no input or output but in `artifact`."""
