"""The one hierarchy of errors that Holos raises on purpose; each says what, with which value, and what to do."""


class HolosError(Exception):
    """Base of every error a user can mend; the message is fit to be shown as it is."""


class InputError(HolosError):
    """The data given cannot be read or is outside what the contract allows."""


class PolicyError(HolosError):
    """A policy, taxonomy or mapping file is wrong; the message names the file and the key."""


class ModelError(HolosError):
    """A model folder or an encoder is missing, damaged or does not fit this version."""
