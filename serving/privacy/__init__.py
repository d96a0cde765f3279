"""A person's rights over what is stored: erasure, export, retention."""
