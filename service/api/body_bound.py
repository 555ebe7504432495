"""What a kind of body may bring, and the error for one that brings more."""

from dataclasses import dataclass

from service.errors import BodyTooLarge


@dataclass(frozen=True)
class BodyBound:
    """What a kind of body may bring, and the settings that say so."""

    most_bytes: int
    most_unpacked_bytes: int
    setting: str
    unpacked_setting: str
    silence_s: float
    whole_s: float


def too_large(most_bytes: int, how: str) -> BodyTooLarge:
    return BodyTooLarge(f"The body has more than {most_bytes} bytes {how}. Send it in smaller parts.")
