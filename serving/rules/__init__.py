"""A workspace's routing rules: read, checked, applied to a response, replayed over history."""
