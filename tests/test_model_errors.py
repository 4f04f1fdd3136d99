"""The model answerer when a provider, a network or a limit says no: kinds, retries, secrets."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bot.answerers.base import AnswerError, AnswerResult, Turn, Usage
from bot.answerers.model import Limits, ModelAnswerer, build_answerer
from tests.fake_providers import Cut, Fail, FakeProviders, Gate, Raw, Say, Step, Stop, Think
from tests.storages import settle
from tests.waiting import PATIENCE, time_passes, until

KEY = "sk-canary-of-the-provider"
CLAUDE = "anthropic:claude-sonnet-5-5"
LOCAL = "ollama:qwen3:8b"
HOUR = {"Retry-After": "3600"}

both = pytest.mark.parametrize("model", [CLAUDE, LOCAL])


@pytest.fixture
async def fake() -> AsyncIterator[FakeProviders]:
    async with FakeProviders() as fake:
        yield fake


class Asker:
    """Asks the fake provider, and keeps how long was waited between attempts."""

    def __init__(self, fake: FakeProviders) -> None:
        self.waits: list[float] = []
        self.answerers: list[ModelAnswerer] = []
        self._fake = fake

    async def ask(self, model: str, limits: Limits | None = None, **rest: Any) -> AnswerResult:
        answerer = build_answerer(
            model=model, anthropic_api_key=KEY, openai_api_key=KEY,
            anthropic_base_url=rest.get("url", self._fake.anthropic_url),
            openai_base_url=rest.get("url", self._fake.openai_url),
            limits=limits, sleep=self._sleep,
        )  # fmt: skip
        self.answerers.append(answerer)
        async with answerer.answer([Turn("user", "Hello?")], mode="fast") as stream:
            self.stream = stream
            async with asyncio.timeout(PATIENCE):
                async for _ in stream:
                    pass
        return stream.result

    async def fail(self, model: str, limits: Limits | None = None, **rest: Any) -> AnswerError:
        """Ask, and give the error that this must end in."""
        with pytest.raises(AnswerError) as raised:
            await self.ask(model, limits, **rest)
        assert self.stream.result.state == "partial"
        assert self.stream.result.usage is None
        return raised.value

    async def seen(self, text: str) -> None:
        """Wait until so much of an answer has come, and the rest is waited for."""
        await until(lambda: self.stream.result.text == text)
        await settle()

    async def _sleep(self, seconds: float) -> None:
        self.waits.append(seconds)


@pytest.fixture
async def asker(fake: FakeProviders) -> AsyncIterator[Asker]:
    asker = Asker(fake)
    yield asker
    for answerer in asker.answerers:
        await answerer.close()


@both
@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (400, "max_tokens: too many", "bad_request"),
        (401, "invalid key", "auth"),
        (402, "pay first", "quota"),
        (403, "not yours", "auth"),
        (404, "model: nothing like it", "bad_request"),
        (408, "too slow", "timeout"),
        (413, "request too large", "too_long"),
        (418, "a teapot", "bad_request"),
        (422, "what", "bad_request"),
        (429, "slow down", "rate"),
        (500, "oops", "server"),
        (503, "later", "overload"),
        (529, "overloaded", "overload"),
        (400, "the request exceeds the available context size, try increasing it", "too_long"),
        (400, "This model's maximum context length is 8192 tokens", "too_long"),
        (500, "Prompt tokens are greater than the context length", "too_long"),
    ],
)
async def test_a_refusal_has_its_kind(
    model: str, status: int, message: str, kind: str, fake: FakeProviders, asker: Asker
) -> None:
    fake.refuses(status, message, headers=HOUR)
    error = await asker.fail(model)
    assert (error.kind, error.retry_after) == (kind, 3600.0)
    assert message[:20] in error.detail
    assert len(fake.requests) == 1


@pytest.mark.parametrize(
    ("model", "status", "type", "code", "message", "kind"),
    [
        (CLAUDE, 400, "invalid_request_error", None, "prompt is too long: 9 > 8", "too_long"),
        (CLAUDE, 400, "invalid_request_error", None, "Your credit balance is too low", "quota"),
        (LOCAL, 400, "invalid_request_error", "context_length_exceeded", "Shorter!", "too_long"),
        (LOCAL, 429, "insufficient_quota", "insufficient_quota", "Pay", "quota"),
    ],
)
async def test_a_refusal_in_the_providers_own_words(
    model: str, status: int, type: str, code: str, message: str, kind: str,  # noqa: A002
    fake: FakeProviders, asker: Asker,
) -> None:  # fmt: skip
    fake.refuses(status, message, type=type, code=code)
    assert (await asker.fail(model)).kind == kind
    assert len(fake.requests) == 1


@both
async def test_an_unknown_model_is_called_that(
    model: str, fake: FakeProviders, asker: Asker
) -> None:
    fake.refuses(404, "no such thing", type="not_found_error")
    error = await asker.fail(model)
    assert error.detail.startswith("model not found: ")
    assert model.partition(":")[2] in error.detail


@both
@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("0", 0.0), ("9" * 30, 86_400.0), ("-5", None), ("soon", None), ("nan", None)],
)
async def test_how_long_to_wait_is_read_with_care(
    model: str, header: str, seconds: float | None, fake: FakeProviders, asker: Asker
) -> None:
    for _ in range(3):
        fake.refuses(429, headers={"Retry-After": header})
    assert (await asker.fail(model)).retry_after == seconds


@both
@pytest.mark.parametrize("status", [429, 500, 503])
async def test_what_may_pass_is_tried_twice_again(
    model: str, status: int, fake: FakeProviders, asker: Asker
) -> None:
    fake.refuses(status)
    fake.refuses(status, headers={"Retry-After": "7"})
    fake.answers("At last")
    assert (await asker.ask(model)).text == "At last"
    assert asker.waits == [1.0, 7.0]


@both
async def test_a_third_failure_is_told(model: str, fake: FakeProviders, asker: Asker) -> None:
    for _ in range(4):
        fake.refuses(529)
    assert (await asker.fail(model)).kind == "overload"
    assert asker.waits == [1.0, 2.0]
    assert len(fake.requests) == 3


@both
@pytest.mark.parametrize("status", [400, 401, 402, 404, 413])
async def test_what_will_not_pass_is_not_tried_again(
    model: str, status: int, fake: FakeProviders, asker: Asker
) -> None:
    fake.refuses(status)
    await asker.fail(model)
    assert len(fake.requests) == 1


@both
async def test_nobody_is_kept_waiting_long(model: str, fake: FakeProviders, asker: Asker) -> None:
    fake.refuses(429, headers={"Retry-After": "11"})
    assert (await asker.fail(model)).retry_after == 11.0
    assert asker.waits == []


@both
async def test_a_wait_beyond_the_whole_limit_is_not_begun(
    model: str, fake: FakeProviders, asker: Asker
) -> None:
    fake.refuses(429, headers={"Retry-After": "9"})
    assert (await asker.fail(model, Limits(whole=5))).retry_after == 9.0
    assert asker.waits == []


@both
async def test_a_failure_among_thoughts_is_tried_again(
    model: str, fake: FakeProviders, asker: Asker
) -> None:
    fake.streams(Think("Hm"), Fail())
    fake.answers("Hello")
    assert (await asker.ask(model)).text == "Hello"


@both
@pytest.mark.parametrize(
    ("ending", "kinds"),
    [
        ([Fail()], {"overload"}),
        ([Fail("api_error", "Internal server error")], {"server"}),
        ([Fail("rate_limit_error", "Slow down")], {"rate"}),
        ([Fail("odd_error", "Something")], {"server"}),
        ([Cut()], {"network"}),
        ([], {"protocol"}),
        ([Raw(b"event: content_block_delta\ndata: {nope\n\n")], {"protocol"}),
        ([Raw(b'event: content_block_delta\ndata: ["what"]\n\n')], {"protocol"}),
        ([Raw(b'event: message_delta\ndata: {"type": "message_delta"}\n\n')], {"protocol"}),
        ([Raw(b'data: {"choices": "none"}\n\n')], {"protocol"}),
        ([Raw(b'data: {"choices": [{"delta": {"content": 7}}]}\n\n')], {"protocol"}),
        ([Raw(b"event: message_start\ndata: " + b"[" * 100_000 + b"\n\n")], {"protocol"}),
        ([Raw(b"\xff\xfe\x00\n\n")], {"protocol"}),
        ([Raw(b"data: [DONE]\n\n")], {"protocol"}),
    ],
)
async def test_what_came_before_a_failure_is_kept(
    model: str, ending: list[Step], kinds: set[str], fake: FakeProviders, asker: Asker
) -> None:
    fake.streams(Say("So far"), *ending)
    error = await asker.fail(model)
    assert error.kind in kinds
    assert asker.stream.result == AnswerResult("partial", "So far", None, model)
    assert len(fake.requests) == 1, "an answer that began is never begun anew"


@both
@pytest.mark.parametrize(
    ("body", "type"),
    [
        (b"<html>Log in to the hotel's network</html>", "text/html"),
        (b"{}", "application/json"),
        (b"null", "text/event-stream"),
        (b"data: null\n\n", "text/event-stream"),
        (b"event: message_start\ndata: {}\n\n", "text/event-stream"),
        (b"", "text/event-stream"),
        (bytes(range(256)), "application/octet-stream"),
    ],
)
async def test_a_200_that_is_no_answer(
    model: str, body: bytes, type: str, fake: FakeProviders, asker: Asker  # noqa: A002
) -> None:  # fmt: skip
    fake.sends(body, content_type=type)
    assert (await asker.fail(model)).kind == "protocol"


@pytest.mark.parametrize("junk", [7, 1.5, True, ["x"], {"a": 1}])
async def test_a_text_that_is_none(junk: Any, fake: FakeProviders, asker: Asker) -> None:
    fake.streams(Say("So far"), Say(junk), Stop())
    assert (await asker.fail(CLAUDE)).kind == "protocol"
    assert asker.stream.result.text == "So far"


@pytest.mark.filterwarnings(  # the library's own surprise
    "ignore:Pydantic serializer warnings", "ignore:Failed to extract usage"
)
@both
async def test_counts_that_are_none(model: str, fake: FakeProviders, asker: Asker) -> None:
    usage = b'"usage": {"prompt_tokens": -3, "completion_tokens": 1.5, "output_tokens": 1.5}'
    end = b'"type": "message_delta", "delta": {"stop_reason": "end_turn"}, '
    choice = b'"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], '
    fake.streams(
        Say("Hi"), Raw(b"event: message_delta\ndata: {" + end + choice + usage + b"}\n\n")
    )
    result = await asker.ask(model)
    assert (result.state, result.text) == ("complete", "Hi")
    assert result.usage in (None, Usage(input=15, output=1, cached=4))


@both
async def test_a_gateways_page_is_a_servers_failure(
    model: str, fake: FakeProviders, asker: Asker
) -> None:
    fake.sends(b"<html>\n502 " + b"x" * 10_000, status=502, headers=HOUR)
    error = await asker.fail(model)
    assert error.kind == "server"
    assert len(error.detail) <= 500
    assert "\n" not in error.detail


@both
async def test_a_broken_encoding_is_an_answer_error(
    model: str, fake: FakeProviders, asker: Asker
) -> None:
    for _ in range(3):
        fake.sends(b"not gzip", headers={"Content-Encoding": "gzip"})
    assert (await asker.fail(model)).kind in {"protocol", "network"}


@both
async def test_nobody_listens(model: str, fake: FakeProviders, asker: Asker) -> None:
    async with FakeProviders() as gone:
        url = gone.openai_url
    error = await asker.fail(model, url=url)
    assert error.kind == "network"
    assert asker.waits == [1.0, 2.0]


@both
async def test_a_key_does_not_follow_a_redirect(
    model: str, fake: FakeProviders, asker: Asker
) -> None:
    async with FakeProviders() as elsewhere:
        for _ in range(3):
            location = f"{elsewhere.url}/v1/messages"
            fake.sends(b"", status=307, headers={"Location": location})
        assert (await asker.fail(model)).kind in {"protocol", "server"}
        assert elsewhere.requests == []


@both
async def test_silence_before_the_first_event_has_a_limit(
    model: str, fake: FakeProviders, asker: Asker
) -> None:
    await asker.ask(model)  # what is slow the first time alone is over
    fake.streams(before=Gate())
    failing = asyncio.create_task(asker.fail(model, Limits(first_event=10)))
    await until(lambda: len(fake.requests) == 2)
    time_passes(40)  # what runs at home is given four times as much
    error = await failing
    assert (error.kind, error.detail) == (
        "timeout",
        "TimeoutError: the answer did not begin in time",
    )
    await fake.requests[1].disconnected()
    assert len(fake.requests) == 2, "who waited long is told, not made to wait again"


@both
async def test_silence_in_the_middle_has_a_limit(
    model: str, fake: FakeProviders, asker: Asker
) -> None:
    await asker.ask(model)
    fake.streams(Say("So far"), Gate())
    failing = asyncio.create_task(asker.fail(model, Limits(gap=10)))
    await asker.seen("So far")
    time_passes(40)
    assert (await failing).kind == "timeout"
    assert asker.stream.result.text == "So far"
    await fake.requests[1].disconnected()


@both
async def test_the_whole_has_a_limit(model: str, fake: FakeProviders, asker: Asker) -> None:
    await asker.ask(model)
    fake.streams(Say("So far"), Gate())
    failing = asyncio.create_task(asker.fail(model, Limits(whole=20)))
    await asker.seen("So far")
    time_passes(20)
    error = await failing
    assert (error.kind, error.detail) == (
        "timeout",
        "TimeoutError: the answer did not end in time",
    )
    assert asker.stream.result.text == "So far"
    await fake.requests[1].disconnected()


@both
async def test_a_connection_that_stays_open_after_the_end_does_no_harm(
    model: str, fake: FakeProviders, asker: Asker
) -> None:
    await asker.ask(model)
    gate = Gate()
    fake.streams(Say("Done"), Stop(), gate)
    asking = asyncio.create_task(asker.ask(model, Limits(gap=10)))
    await until(lambda: gate.is_reached or asking.done())
    await settle()
    time_passes(40)
    result = await asking
    assert (result.state, result.text) == ("complete", "Done")


@both
async def test_no_key_is_in_what_is_raised_or_logged(
    model: str, fake: FakeProviders, asker: Asker, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    padding = "x" * 380  # the detail's limit falls into the key
    fake.refuses(500, f"wrong key {KEY}, or is it sk-proj-of_another-one?")
    fake.refuses(503, f"Bearer {KEY}")
    fake.refuses(401, f"{padding} {KEY} {KEY} {KEY} {KEY} {KEY} {KEY}")
    errors = [await asker.fail(model)]
    fake.streams(Fail("api_error", f"bad {KEY}"), Say("Hi"))
    fake.streams(Say("Hi"), Fail("api_error", f"bad {KEY}"))
    errors.append(await asker.fail(model))
    for error in errors:
        shown = "".join(traceback.format_exception(error)) + repr(error) + repr(vars(error))
        assert "canary" not in shown
        assert "another-one" not in shown
        assert error.__cause__ is None
        assert error.__context__ is None
    assert len([record for record in caplog.records if record.name.startswith("bot.")]) == 3
    # The fake's own log apart, not even a DEBUG line of the libraries has it.
    others = [record for record in caplog.records if not record.name.startswith("aiohttp")]
    assert "canary" not in "".join(record.getMessage() for record in others)
