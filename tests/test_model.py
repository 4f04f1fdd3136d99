"""The model answerer over real HTTP, before providers that are fake: settings, streams, names."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from bot.answerers import providers
from bot.answerers.base import Answerer, AnswerError, AnswerResult, Namer, Turn, Usage
from bot.answerers.model import Limits, ModelAnswerer, ModelSettingError, build_answerer
from bot.answerers.wording import ThoughtFilter, clean_title
from tests.fake_providers import Cut, FakeProviders, Gate, Raw, Say, Stop, Think
from tests.waiting import PATIENCE, time_passes, until

KEY = "sk-canary-of-the-provider"
CLAUDE = "anthropic:claude-sonnet-5-5"
LOCAL = "ollama:qwen3:8b"
QUESTION = [Turn("user", "Hello?")]
COUNTED = Usage(input=15, output=7, cached=4)

Build = Callable[..., ModelAnswerer]

both = pytest.mark.parametrize("model", [CLAUDE, LOCAL])


async def never(seconds: float) -> None:
    raise AssertionError("nothing is tried again here")


@pytest.fixture
async def fake() -> AsyncIterator[FakeProviders]:
    async with FakeProviders() as fake:
        yield fake


@pytest.fixture
async def build(fake: FakeProviders) -> AsyncIterator[Build]:
    """Build answerers whose providers are all the fake one."""
    built = []

    def build(model: str, **rest: Any) -> ModelAnswerer:
        given: dict[str, Any] = {
            "anthropic_api_key": KEY,
            "anthropic_base_url": fake.anthropic_url,
            "openai_api_key": KEY,
            "openai_base_url": fake.openai_url,
            "sleep": never,
        }
        built.append(build_answerer(model=model, **(given | rest)))
        return built[-1]

    yield build
    for answerer in built:
        await answerer.close()


async def ask(
    answerer: ModelAnswerer, turns: list[Turn] = QUESTION, **rest: Any
) -> tuple[list[str], AnswerResult]:
    async with answerer.answer(turns, **({"mode": "fast"} | rest)) as stream:
        return [delta async for delta in stream], stream.result


def sent(fake: FakeProviders) -> list[tuple[str, str]]:
    """Give the last request's turns as both protocols mean them."""
    turns = [turn for turn in fake.requests[-1].body["messages"] if turn["role"] != "system"]
    return [
        (turn["role"], text if isinstance(text := turn["content"], str) else text[0]["text"])
        for turn in turns
    ]


@both
async def test_an_answer_comes_in_pieces_with_its_state_and_cost(
    model: str, fake: FakeProviders, build: Build
) -> None:
    fake.answers("Hello, world", pieces=3)
    deltas, result = await ask(build(model))
    assert deltas == ["Hell", "o, w", "orld"]
    assert result == AnswerResult("complete", "Hello, world", COUNTED, model)
    request = fake.requests[0]
    assert request.headers["Authorization"] == f"Bearer {KEY}"
    assert request.body["stream"] is True
    assert request.body["max_tokens"] == 8192
    assert not {"temperature", "top_p", "top_k"} & set(request.body)


@both
async def test_the_first_piece_is_there_before_the_second_is_sent(
    model: str, fake: FakeProviders, build: Build
) -> None:
    gate = Gate()
    fake.answers("one two ", pieces=2, gate=gate)
    async with build(model).answer(QUESTION, mode="fast") as stream:
        assert stream.result == AnswerResult("partial", "", None, model)
        deltas = aiter(stream)
        async with asyncio.timeout(PATIENCE):
            assert await anext(deltas) == "one "
            assert stream.result.text == "one "
            gate.open()
            assert [delta async for delta in deltas] == ["two "]


@both
async def test_leaving_hangs_up_and_keeps_the_text(
    model: str, fake: FakeProviders, build: Build
) -> None:
    fake.answers("one two ", pieces=2, gate=Gate())
    async with build(model).answer(QUESTION, mode="fast") as stream:
        async for _ in stream:
            break
    await fake.requests[0].disconnected()
    assert stream.result == AnswerResult("partial", "one ", None, model)


@both
@pytest.mark.parametrize("begun", [False, True])
async def test_cancelling_the_reader_hangs_up(
    model: str, begun: bool, fake: FakeProviders, build: Build
) -> None:
    if begun:
        fake.streams(Say("one "), Gate())
    else:
        fake.streams(before=Gate())
    read = asyncio.Event()
    results = []

    async def reader() -> None:
        async with build(model).answer(QUESTION, mode="fast") as stream:
            try:
                async for _ in stream:
                    read.set()
            finally:
                results.append(stream.result)

    task = asyncio.create_task(reader())
    request = await fake.next_request()
    if begun:
        await read.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await request.disconnected()
    assert results == [AnswerResult("partial", "one " if begun else "", None, model)]


@both
async def test_an_unread_answer_asks_nobody(model: str, fake: FakeProviders, build: Build) -> None:
    async with build(model).answer(QUESTION, mode="fast"):
        pass
    assert fake.requests == []


@both
async def test_many_answers_at_once_do_not_mix(
    model: str, fake: FakeProviders, build: Build
) -> None:
    gate, answerer = Gate(), build(model)
    for number in range(5):
        fake.answers(f"{number}{number}", pieces=2, gate=gate)
    asked = [asyncio.create_task(ask(answerer)) for _ in range(5)]
    for _ in range(5):
        await fake.next_request()
    gate.open(5)
    texts = sorted(result.text for _, result in await asyncio.gather(*asked))
    assert texts == ["00", "11", "22", "33", "44"]


@both
@pytest.mark.parametrize(
    ("reason", "state"),
    [
        ("stop", "complete"),
        ("length", "length"),
        ("refused", "refused"),
        ("a reason of its own", "complete"),
    ],
)
async def test_why_a_model_ended(
    model: str, reason: str, state: str, fake: FakeProviders, build: Build
) -> None:
    fake.answers("So far", reason=reason)
    _, result = await ask(build(model))
    assert (result.state, result.text) == (state, "So far")


async def test_an_answer_that_nobody_counted(fake: FakeProviders, build: Build) -> None:
    fake.streams(Say("Hi"), Stop(usage=False))
    _, result = await ask(build(LOCAL))
    assert result == AnswerResult("complete", "Hi", None, LOCAL)


@both
async def test_what_breaks_after_the_end_breaks_nothing(
    model: str, fake: FakeProviders, build: Build
) -> None:
    fake.streams(Say("Hi"), Stop(marked=False), Cut())
    _, result = await ask(build(model))
    assert result == AnswerResult("complete", "Hi", COUNTED, model)


@both
async def test_thoughts_are_no_answer(model: str, fake: FakeProviders, build: Build) -> None:
    fake.streams(Think("The user"), Think(" greets."), Say("Hi"), Stop())
    deltas, _ = await ask(build(model))
    assert deltas == ["Hi"]


async def test_thoughts_in_tags_are_no_answer_either(fake: FakeProviders, build: Build) -> None:
    pieces = [
        "\n<th",
        "ink>",
        "They greet",
        ".</thi",
        "nk>\n\n",
        "Hi, ",
        "<think>",
        "</think>",
        "!",
    ]
    fake.streams(*map(Say, pieces), Stop())
    _, result = await ask(build(LOCAL))
    assert result.text == "Hi, <think></think>!"


@both
async def test_half_an_emoji_waits_for_the_other_half(
    model: str, fake: FakeProviders, build: Build
) -> None:
    fake.streams(Say("Hi \ud83d"), Say("\ude00 \ude00"), Say("!\ud83d"), Stop())
    deltas, _ = await ask(build(model))
    assert "".join(deltas) == "Hi 😀 \N{REPLACEMENT CHARACTER}!\N{REPLACEMENT CHARACTER}"


async def test_an_answer_may_end_like_the_beginning_of_a_tag(
    fake: FakeProviders, build: Build
) -> None:
    fake.streams(Say("<thi"), Stop())
    _, result = await ask(build(LOCAL))
    assert result.text == "<thi"


@pytest.mark.parametrize(
    ("pieces", "shown"),
    [
        (["<", "b>", "x"], ["", "<b>", "x"]),
        ([" ", "Hi "], ["", " Hi "]),
        (["<think>a</think> <think>b</think>c"], ["c"]),
        (["<think>", "</think>", "\n", "Hi"], ["", "", "", "Hi"]),
        (["<think>never closed"], [""]),
    ],
)
def test_what_is_a_thought_and_what_is_not(pieces: list[str], shown: list[str]) -> None:
    thoughts = ThoughtFilter()
    assert [thoughts.feed(piece) for piece in pieces] == shown
    assert thoughts.end() == ""


@both
async def test_turns_are_sent_as_providers_take_them(
    model: str, fake: FakeProviders, build: Build
) -> None:
    turns = [
        Turn("assistant", "cut off"), Turn("user", "one"), Turn("assistant", " \n"),
        Turn("user", "two"), Turn("assistant", "three"), Turn("user", "lone \ud800 surrogate"),
    ]  # fmt: skip
    await ask(build(model, system_prompt="Be brief."), turns)
    assert sent(fake) == [
        ("user", "one\n\ntwo"), ("assistant", "three"), ("user", "lone ? surrogate"),
    ]  # fmt: skip
    assert str(fake.requests[0].body).count("Be brief.") == 1


@both
async def test_an_answer_at_the_end_is_not_sent(
    model: str, fake: FakeProviders, build: Build
) -> None:
    await ask(build(model), [Turn("user", "one"), Turn("assistant", "two")])
    assert sent(fake) == [("user", "one")]


@both
async def test_without_a_question_nobody_is_asked(
    model: str, fake: FakeProviders, build: Build
) -> None:
    with pytest.raises(AnswerError, match="no question") as raised:
        await ask(build(model), [Turn("assistant", "Hi"), Turn("user", " ")])
    assert raised.value.kind == "bad_request"
    assert fake.requests == []


async def test_claude_caches_and_thinks_as_the_mode_says(
    fake: FakeProviders, build: Build
) -> None:
    answerer = build(CLAUDE)
    await ask(answerer)
    await ask(answerer, mode="deep")
    fast, deep = (request.body for request in fake.requests)
    assert fast["cache_control"] == {"type": "ephemeral", "ttl": "5m"}
    assert (fast["output_config"], deep["output_config"]) == (
        {"effort": "low"},
        {"effort": "high"},
    )
    assert (fast["max_tokens"], deep["max_tokens"]) == (8192, 32_768)


async def test_long_thought_and_slow_homes_are_given_time(
    fake: FakeProviders, build: Build
) -> None:
    limits = Limits(gap=3, first_event=2)
    for model, mode in [(CLAUDE, "fast"), (CLAUDE, "deep"), (LOCAL, "fast"), (LOCAL, "deep")]:
        await ask(build(model, limits=limits), mode=mode)
    gaps = [float(request.headers["x-stainless-read-timeout"]) for request in fake.requests]
    assert gaps == [3, 12, 12, 12]
    assert limits.patient().first_event == 8


async def test_an_older_claude_has_room_for_its_thoughts(
    fake: FakeProviders, build: Build
) -> None:
    answerer = build("anthropic:claude-haiku-4-5")
    await ask(answerer)
    await ask(answerer, mode="deep")
    for request in fake.requests:
        assert request.body["thinking"]["budget_tokens"] < request.body["max_tokens"]


async def test_the_deep_model_answers_in_the_deep_mode(fake: FakeProviders, build: Build) -> None:
    answerer = build(LOCAL, model_deep=CLAUDE)
    assert answerer.name == LOCAL
    _, fast = await ask(answerer)
    _, deep = await ask(answerer, mode="deep")
    assert [request.path for request in fake.requests] == ["/v1/chat/completions", "/v1/messages"]
    assert (fast.model, deep.model) == (LOCAL, CLAUDE)


async def test_a_compatible_server_is_asked_in_its_own_words(
    fake: FakeProviders, build: Build
) -> None:
    await ask(build("openai:org/some-model:free", openai_api_key=None))
    [request] = fake.requests
    assert request.path == "/v1/chat/completions"
    assert request.body["model"] == "org/some-model:free"
    assert "max_completion_tokens" not in request.body
    assert KEY not in str(request.headers)


async def test_openai_itself_is_asked_in_its_own_words(
    fake: FakeProviders, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(providers, "OPENAI_URL", fake.openai_url)
    answerer = build("openai:gpt-5", openai_base_url=None)
    await ask(answerer)
    await ask(answerer, mode="deep")
    fast, deep = (request.body for request in fake.requests)
    assert (fast["reasoning_effort"], deep["reasoning_effort"]) == ("low", "high")
    assert (fast["max_completion_tokens"], deep["max_completion_tokens"]) == (8192, 32_768)
    assert "max_tokens" not in fast


async def test_ollama_is_at_home_unless_told_otherwise(
    fake: FakeProviders, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert providers.OLLAMA_URL == "http://localhost:11434/v1"
    monkeypatch.setattr(providers, "OLLAMA_URL", fake.openai_url)
    await ask(build(LOCAL, openai_base_url=None, openai_api_key=None))
    [request] = fake.requests
    assert (request.body["model"], request.body["max_tokens"]) == ("qwen3:8b", 8192)


@both
async def test_the_environment_is_not_asked(
    model: str, fake: FakeProviders, build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("OPENAI", "ANTHROPIC", "OLLAMA"):
        monkeypatch.setenv(f"{name}_API_KEY", "sk-canary-of-the-environment")
        monkeypatch.setenv(f"{name}_BASE_URL", "http://127.0.0.1:9/v1")
    monkeypatch.setattr(providers, "ANTHROPIC_URL", fake.anthropic_url)
    monkeypatch.setattr(providers, "OLLAMA_URL", fake.openai_url)
    await ask(build(model, anthropic_base_url=None, openai_base_url=None))
    assert "environment" not in str(fake.requests[0].headers)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"model": "claude"}, "MODEL takes anthropic:NAME, openai:NAME or ollama:NAME"),
        ({"model": "openai:"}, "MODEL takes anthropic:NAME"),
        ({"model": " : "}, "MODEL takes anthropic:NAME"),
        ({"model": f"mistral:{KEY}"}, "MODEL takes anthropic:NAME"),
        ({"model_deep": "deep"}, "MODEL_DEEP takes anthropic:NAME"),
        (
            {"model": CLAUDE, "anthropic_api_key": " "},
            "ANTHROPIC_API_KEY takes a key; MODEL needs",
        ),
        (
            {"model_deep": "openai:x", "openai_api_key": None, "openai_base_url": None},
            "OPENAI_API_KEY takes a key; MODEL_DEEP needs one, or OPENAI_BASE_URL a server",
        ),
        ({"openai_api_key": f"{KEY} {KEY}"}, "OPENAI_API_KEY takes a key: ASCII characters"),
        ({"anthropic_api_key": f"{KEY}ё"}, "ANTHROPIC_API_KEY takes a key: ASCII characters"),
        ({"openai_base_url": "localhost:8000"}, "OPENAI_BASE_URL takes a plain http"),
        ({"openai_base_url": f"http://me:{KEY}@host/v1"}, "OPENAI_BASE_URL takes a plain http"),
        ({"anthropic_base_url": "http://[half"}, "ANTHROPIC_BASE_URL takes a plain http"),
    ],
)
async def test_a_wrong_setting_is_named_in_one_line(
    wrong: dict[str, Any], message: str, build: Build
) -> None:
    with pytest.raises(ModelSettingError) as raised:
        build(**({"model": LOCAL} | wrong))
    assert str(raised.value).startswith(message)
    assert "\n" not in str(raised.value)
    assert "canary" not in str(raised.value)
    assert isinstance(raised.value, ValueError)


async def test_what_is_built_shows_no_key(build: Build) -> None:
    answerer = build(CLAUDE, model_deep=LOCAL)
    shown = f"{answerer!r} {vars(answerer)!r} {vars(answerer._providers)['_client']!r}"
    assert "canary" not in shown


async def test_it_is_an_answerer_and_a_namer(build: Build) -> None:
    answerer = build(f" {LOCAL} ")
    assert isinstance(answerer, Answerer)
    assert isinstance(answerer, Namer)
    assert answerer.name == LOCAL


@both
async def test_a_chat_gets_a_name(model: str, fake: FakeProviders, build: Build) -> None:
    fake.streams(Think("Hm."), Say("«Чай с "), Say("молоком».\n"), Stop())
    assert await build(model).name_chat("Как пить чай?", "С молоком. " * 1000) == "Чай с молоком"
    body = fake.requests[0].body
    assert body["max_tokens"] == 1024
    assert len(str(body)) < 2500
    assert "Как пить чай?" in sent(fake)[0][1]


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ('"Tea with milk."', "Tea with milk"),
        ("<think>Let me see\n</think>\n\nTea", "Tea"),
        ("<think>never closed", ""),
        ("**Title:** Tea", "Tea"),
        ("# Название чата: Чай", "Чай"),
        ("\n\nTea\nis what they talk of", "Tea"),
        ("<b>Tea</b> time", "Tea time"),
        ("word " * 20, "word word word word word word word..."),
        ("C#", "C#"),
        (" \n'\" ", ""),
    ],
)
def test_a_name_is_cleaned(said: str, name: str) -> None:
    assert clean_title(said) == name


@both
@pytest.mark.parametrize("reason", ["stop", "length", "refused"])
async def test_no_name_is_an_error(
    model: str, reason: str, fake: FakeProviders, build: Build
) -> None:
    fake.answers("..." if reason == "stop" else "Half a na", reason=reason)
    with pytest.raises(AnswerError) as raised:
        await build(model).name_chat("Hi", "Hello")
    assert raised.value.kind == "protocol"


@both
async def test_a_name_is_asked_for_once(model: str, fake: FakeProviders, build: Build) -> None:
    fake.refuses(500)
    with pytest.raises(AnswerError) as raised:
        await build(model).name_chat("Hi", "Hello")
    assert raised.value.kind == "server"
    assert len(fake.requests) == 1


@both
async def test_a_name_is_not_waited_for_long(
    model: str, fake: FakeProviders, build: Build
) -> None:
    await ask(build(model))
    fake.streams(Think("Hm."), Raw(b": ping\n\n"), Gate())
    naming = asyncio.create_task(build(model, limits=Limits(whole=10)).name_chat("Hi", "Hello"))
    await until(lambda: len(fake.requests) == 2)
    time_passes(10)
    with pytest.raises(AnswerError) as raised:
        await naming
    assert raised.value.kind == "timeout"
    await fake.requests[1].disconnected()
