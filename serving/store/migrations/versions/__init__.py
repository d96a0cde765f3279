"""What each version changed; never edited once released."""
