"""A chat as one HTML page that needs nothing else: no script, no picture, no connection."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import escape

from ..models import Conversation, ConversationMessage, parse_time
from ..names import clean_text
from .fences import split_blocks
from .labels import ExportLabels, shown_time

RenderAnswer = Callable[[str], str]
"""Makes HTML of an answer's Markdown. It escapes what it is given; the page trusts it."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")  # no HTML may have
# A second lock beside escaping: whatever gets in cannot run, load or send anything.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
:root { color-scheme: light dark; --page: #fff; --text: #1c1c1e; --quiet: #6b6b70;
  --bubble: #e7f0fd; --code: #f2f2f5; --line: #dcdce0; }
@media (prefers-color-scheme: dark) {
  :root { --page: #17181a; --text: #e8e8ea; --quiet: #9a9aa0;
    --bubble: #22344d; --code: #24262a; --line: #34363b; } }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 46rem; padding: 1rem; background: var(--page);
  color: var(--text); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
header { border-bottom: 1px solid var(--line); margin-bottom: 1.5rem; }
h1 { font-size: 1.4rem; line-height: 1.25; margin: 0 0 .25rem; }
header p, article > p { color: var(--quiet); font-size: .8rem; margin: 0 0 .4rem; }
article { margin: 0 0 1.5rem; unicode-bidi: isolate; }
article > p b { color: var(--text); }
.question .text { background: var(--bubble); border-radius: 1rem; padding: .6rem .9rem; }
.question { margin-inline-start: 12%; }
.plain { white-space: pre-wrap; unicode-bidi: plaintext; }
pre { background: var(--code); border-radius: .5rem; padding: .7rem .9rem; margin: .5rem 0;
  direction: ltr; font: .875rem/1.45 ui-monospace, monospace; white-space: pre-wrap; }
code { font-family: ui-monospace, monospace; }
table { border-collapse: collapse; display: block; overflow-x: auto; }
th, td { border: 1px solid var(--line); padding: .25rem .5rem; }
@media print { article { break-inside: avoid-page; } }
"""


def write_page(
    conversation: Conversation, labels: ExportLabels, render: RenderAnswer | None = None
) -> Iterator[str]:
    """Write a chat a message at a time; answers go through `render` where there is one."""
    name = _text(clean_text(conversation.metadata.name))
    facts = " · ".join(_text(fact) for fact in labels.facts(conversation))
    yield (
        f'<!DOCTYPE html>\n<html lang="{_text(labels.language)}">\n<head>\n'
        '<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="referrer" content="no-referrer">\n'
        f"<title>{name}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f'<header>\n<h1 dir="auto">{name}</h1>\n<p>{facts}</p>\n</header>\n<main>\n'
    )
    for message in conversation.messages:
        yield _article(message, labels, render)
    yield "</main>\n</body>\n</html>\n"


def _article(
    message: ConversationMessage, labels: ExportLabels, render: RenderAnswer | None
) -> str:
    is_question = message.type == "user_question"
    if is_question:
        body = _plain(message.text)
    else:
        body = render(message.text) if render else _with_code(message.text)
    kind = "question" if is_question else "answer"
    remarks = [_text(clean_text(remark)) for remark in labels.remarks(message)]
    heading = [f"<b>{_text(labels.author(message))}</b>", *remarks, _time(message.timestamp)]
    return (
        f'<article class="{kind}">\n<p>{" · ".join(part for part in heading if part)}</p>\n'
        f'<div class="text" dir="auto">{body}</div>\n</article>\n'
    )


def _time(timestamp: str) -> str:
    shown = shown_time(timestamp)
    return f'<time datetime="{parse_time(timestamp).isoformat()}">{shown}</time>' if shown else ""


def _with_code(markdown: str) -> str:
    """Show Markdown as it was written, and its code as code."""
    parts = []
    for block in split_blocks(markdown):
        text = "\n".join(block.lines)
        if block.fence:
            parts.append(f"<pre><code>{_text(text)}</code></pre>")
        elif text.strip():
            parts.append(_plain(text.strip("\n")))
    return "\n".join(parts)


def _plain(text: str) -> str:
    return f'<div class="plain">{_text(text)}</div>'


def _text(text: str) -> str:
    return escape(_CONTROL.sub("\ufffd", text))
