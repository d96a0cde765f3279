"""The world around the pure core: files, command line, HTTP."""
