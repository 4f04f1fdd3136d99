"""Which messages a model gets: the window, its blocks, and what never belongs in it."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from bot.answerers import Turn
from bot.context import Context, ContextLimits, Tail, count_seen, make_context, window_start
from conversations import ConversationMessage

LIMITS = ContextLimits(messages=10, tokens=1000)


def question(number: int, tokens: int = 10) -> ConversationMessage:
    return ConversationMessage("", number, "user_question", f"q{number}", tokens)


def answer(
    number: int, tokens: int = 10, *, model: str = "m", state: str = ""
) -> ConversationMessage:
    return ConversationMessage(
        "", 1000 + number, "bot_answer", f"a{number}", tokens, reply_to=number, model=model,
        state="partial" if state else None,
    )  # fmt: skip


def chat(exchanges: int) -> list[ConversationMessage]:
    """Give so many exchanges and then a question."""
    messages = []
    for number in range(1, exchanges + 1):
        messages += [question(number), answer(number)]
    return [*messages, question(exchanges + 1)]


def context(messages: Sequence[ConversationMessage], question_id: int, **rest: bool) -> Context:
    return make_context(Tail(messages), question_id, LIMITS, model="m", **rest)


def said(turns: Sequence[Turn]) -> str:
    return " ".join(turn.text for turn in turns)


def test_a_short_chat_is_seen_whole() -> None:
    assert context(chat(2), 3) == Context(
        [Turn("user", "q1"), Turn("assistant", "a1"), Turn("user", "q2"), Turn("assistant", "a2"),
         Turn("user", "q3")],
    )  # fmt: skip


def test_the_window_is_cut_in_blocks_and_stays_where_it_begins() -> None:
    begins = []
    for exchanges in range(15):
        turns = context(chat(exchanges), exchanges + 1).turns
        assert turns[0].role == turns[-1].role == "user"
        assert len(turns) <= 10
        begins.append(turns[0].text)
    assert begins == ["q1"] * 5 + ["q3"] * 2 + ["q5"] * 2 + ["q7"] * 2 + ["q9"] * 2 + ["q11"] * 2


def test_the_first_cut_is_told_once() -> None:
    told = [context(chat(exchanges), exchanges + 1).cut_now for exchanges in range(30)]
    assert told == [exchanges == 5 for exchanges in range(30)]


def test_tokens_limit_the_window_too() -> None:
    messages = chat(3)
    for message in messages:
        message.tokens = 300
    turns = context(messages, 4).turns
    assert said(turns) == "q3 a3 q4"
    messages[-1].tokens = 100_000
    assert said(context(messages, 4).turns) == "q4", "a question is never left out"


def test_what_is_no_longer_at_hand_counts() -> None:
    tail = Tail(chat(4), messages_before=98, tokens_before=5000)
    assert said(make_context(tail, 5, LIMITS, model="m").turns) == "q2 a2 q3 a3 q4 a4 q5"
    assert count_seen(tail, LIMITS) == 7


def test_an_answer_stands_behind_its_question() -> None:
    """Three questions at once, answered one after the other."""
    messages = [question(1), question(2), question(3), answer(1), answer(2)]
    assert said(context(messages, 3).turns) == "q1 a1 q2 a2 q3"
    assert said(context(messages[:4], 2).turns) == "q1 a1 q2"
    assert said(context([*messages[:3]], 1).turns) == "q1"


def test_what_has_its_answer_is_not_answered_but_again() -> None:
    messages = [question(1), answer(1), question(2), answer(2)]
    assert context(messages, 2).turns == []
    assert said(context(messages, 2, again=True).turns) == "q1 a1 q2"
    assert context(messages, 99).turns == []


def test_the_same_message_id_in_another_dialog_is_another_question() -> None:
    messages = [question(1), answer(1), question(1)]
    assert said(context(messages, 1).turns) == "q1 a1 q1"


def test_a_stopped_answer_is_marked() -> None:
    messages = [question(1), answer(1, state="partial"), question(2)]
    assert context(messages, 2).turns[1].text == "a1\n[stopped]"


def test_the_offline_answerers_turns_are_nothing_to_a_model() -> None:
    messages = [question(1), answer(1, model="echo"), question(2), answer(2), question(3)]
    assert said(context(messages, 3).turns) == "q2 a2 q3"
    echoed = make_context(Tail(messages), 3, LIMITS, model="echo")
    assert said(echoed.turns) == "q1 a1 q2 a2 q3"


def test_a_chat_that_begins_with_an_answer() -> None:
    messages = [answer(9), question(1), answer(1), question(2)]
    assert said(context(messages, 2).turns) == "q1 a1 q2"


@given(
    st.lists(st.integers(0, 400), min_size=1, max_size=40),
    st.integers(0, 1000),
    st.integers(0, 100_000),
    st.integers(1, 30),
    st.integers(100, 3000),
)
def test_any_window_is_within_its_limits(
    tokens: list[int], before: int, tokens_before: int, most: int, most_tokens: int
) -> None:
    messages = [question(number, count) for number, count in enumerate(tokens, 1)]
    start = window_start(Tail(messages, before, tokens_before), ContextLimits(most, most_tokens))
    assert 0 <= start < len(messages)
    assert len(messages) - start <= most
    assert sum(tokens[start:]) <= most_tokens or start == len(messages) - 1
