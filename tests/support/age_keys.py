"""Keys of age, as tests need them."""

import pyrage


def recipient_of(identity: str) -> str:
    """The public half of a secret key."""
    return str(pyrage.x25519.Identity.from_str(identity).to_public())
