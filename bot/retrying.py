"""What an error of Telegram's says about trying the same call again; pure."""

from __future__ import annotations

from json import JSONDecodeError

from aiogram.exceptions import (
    AiogramError,
    ClientDecodeError,
    TelegramBadRequest,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
)

PAUSES = (1, 2, 4, 8, 16, 32, 32)  # seconds between tries while Telegram cannot be reached
REFUSALS = (TelegramBadRequest, TelegramNotFound)  # of what is sent, however often it is
_LONGEST_WAIT = 120  # seconds that a flood limit may ask for before a message is given up


def wait_after(error: AiogramError, pause: float | None) -> float | None:
    """Give the seconds until the next try; None where there is none.

    `pause` is how long it is while Telegram cannot be reached, None after the last try.
    """
    if pause is None:
        return None
    match error:
        case TelegramRetryAfter():
            return error.retry_after if error.retry_after <= _LONGEST_WAIT else None
        case TelegramNetworkError() | TelegramServerError():
            return pause
        case ClientDecodeError(original=JSONDecodeError()):  # a proxy's error page
            return pause
        case _:  # what we do not understand has been sent; or the person blocked the bot
            return None
