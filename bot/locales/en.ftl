## Commands, as Telegram lists them

bot-description =
    Many separate chats with a language model in one dialog.

    /new starts a chat, /chats lists them. Everything can be renamed, deleted and brought back.
bot-short-description = Many separate chats in one dialog
command-new = Start a new chat
command-chats = Your chats
command-search = Search your chats
command-rename = Rename this chat
command-fork = Go on in a copy of this chat
command-delete = Delete this chat
command-trash = Deleted chats
command-again = Answer the last question anew
command-mode = Fast or deep answers
command-stop = Stop the answer
command-instructions = Instructions for this chat
command-settings = Settings
command-forget = Erase all your data
command-help = What I can do

## Start and help

welcome =
    👋 Hello! Just write to me, and I answer.

    Each subject can have a chat of its own: /new starts one, /chats shows them all and takes you from one to another. What is deleted can be brought back for { $days ->
        [one] { $days } day
       *[other] { $days } days
    }.
help =
    Write to me, and I answer in the chat that is open.

    /new — start a new chat; /new question starts it with a question
    /chats — all chats: open, rename, pin, delete
    /search words — search all chats
    /rename name — rename this chat
    /fork — go on in a copy of this chat; as a reply to a message, in one that ends with it
    /delete — delete this chat
    /trash — bring back what was deleted
    /again — answer the last question anew
    /mode — fast or deep answers in this chat
    /stop — stop the answer
    /export — this chat, or all of them, as a file
    /import — chats from a file
    /instructions — what the model shall know in this chat
    /settings — language, formatting, names
    /forget — erase everything that is stored of you

    Reply to an earlier message to go on in its chat, whichever is open.
group-hint = In a group I answer when I am mentioned or replied to.

## Names

default-name = New chat
chats-count =
    { $count ->
        [one] { $count } chat
       *[other] { $count } chats
    }
messages-count =
    { $count ->
        [one] { $count } message
       *[other] { $count } messages
    }
tokens-count =
    { $count ->
        [one] { $count } token
       *[other] { $count } tokens
    }

## The list

chats-title = 💬 { $chats }
chats-none = 💬 No chats yet. Write something, and the first one begins.
chats-hint = The open chat has a ✅. Tap one to open it.
button-new = ➕ New chat
button-trash = 🗑 Deleted ({ $count })
button-chats = ‹ Chats
button-page = { $page }/{ $pages }
button-previous = ‹
button-next = ›

## One chat

chat-open = This chat is open: what you write now belongs to it.
chat-not-open = Another chat is open now.
chat-empty = Nothing here yet. Write your first question.
chat-dates = { $created } – { $updated }
chat-seen =
    { $total ->
        [one] The model sees { $seen } of { $total } message.
       *[other] The model sees { $seen } of { $total } messages.
    }
chat-last-messages =
    { $count ->
        [one] The last message:
       *[other] The last { $count } messages:
    }
chat-you = You
chat-bot = Bot
chat-partial = (stopped)
chat-switched = “{ $name }” is open
button-open = Open
button-rename = ✏️ Rename
button-pin = 📌 Pin
button-unpin = 📌 Unpin
button-delete = 🗑 Delete
button-regenerate = 🔄 Answer anew
button-fast = ⚡ Fast
button-deep = 🔬 Deep
button-chosen = { $label } ✓
button-back-to = ‹ back to “{ $name }”
chat-pinned = Pinned
chat-unpinned = Unpinned
chat-instructions = 📝 { $text }
button-instructions = 📝 Instructions

## A new chat

new-title = ✨ What shall we talk about?
new-hint = Just write: your first question gives this chat its name.

## Renaming

rename-title = ✏️ How shall “{ $name }” be called?
rename-hint = Answer this message with the new name.
rename-done = ✅ Now it is called “{ $name }”.
rename-cancelled = The name stays: “{ $name }”.
rename-empty = There is nothing to see in that name. Please send 1 to { $limit } visible characters.
rename-too-long = That name is too long. Please send at most { $limit } characters.
rename-text-only = A name is text. Please answer with 1 to { $limit } characters.
button-cancel = Cancel

## Deleting and bringing back

delete-title = 🗑 Delete “{ $name }”?
delete-facts = { $messages }. { $days ->
        [one] It can be brought back for { $days } day.
       *[other] It can be brought back for { $days } days.
    }
delete-changed = Messages came since you were asked. Delete it all the same?
button-delete-confirm = Delete
deleted-title = 🗑 “{ $name }” is deleted.
deleted-active = Now “{ $name }” is open.
deleted-active-new = A new chat is open.
deleted-toast = Deleted
button-undo = ↩️ Undo
restored-toast = It is back
trash-title = 🗑 Deleted chats: { $count }
trash-none = 🗑 Nothing is deleted.
trash-hint = Tap one to bring it back.
trash-row =
    { $days ->
        [one] ↩️ { $name } · { $days } day
       *[other] ↩️ { $name } · { $days } days
    }
button-empty-trash = Delete all for good
trash-empty-title =
    { $count ->
        [one] Delete { $count } chat for good?
       *[other] Delete { $count } chats for good?
    }
trash-empty-hint = This cannot be undone.
trash-emptied =
    { $count ->
        [one] { $count } chat is gone for good
       *[other] { $count } chats are gone for good
    }

## Settings

settings-title = ⚙️ Settings
settings-language = 🌐 Language: { $language }
settings-language-auto = as in Telegram
language-name = English
settings-formatting-auto = 🎨 Answers are formatted; tables and formulas come as rich messages.
settings-formatting-plain = 🎨 Answers come as plain text, just as the model writes them.
settings-formatting-rich = 🎨 Answers come as rich messages wherever Telegram takes them.
settings-naming-on = ✏️ The model names a chat after its first answer.
settings-naming-off = ✏️ A chat keeps the name of its first question.
settings-saved = Saved
button-settings = ⚙️ Settings
button-language-auto = 🌐 Auto
button-formatting-auto = 🎨 Auto
button-plain = Plain
button-rich = Rich
button-naming = Names by the model
button-forget = 🧨 Erase my data

## Instructions of a chat

instructions-title = 📝 Instructions for “{ $name }”
instructions-none = There are none. What you write here, the model is told beforehand in this chat alone: who it shall be, how it shall answer.
instructions-ask = 📝 What shall the model know in “{ $name }”?
instructions-hint = Answer this message with the instructions, at most { $limit } characters.
instructions-done = ✅ “{ $name }” follows your instructions from now on.
instructions-kept = Nothing has changed in “{ $name }”.
instructions-removed = Removed
instructions-none-left = “{ $name }” has no instructions any more.
instructions-too-long =
    { $count ->
        [one] That is { $count } character; instructions may have { $limit }.
       *[other] That is { $count } characters; instructions may have { $limit }.
    }
instructions-text-only = Instructions are text. Please answer with at most { $limit } characters.
button-instruct = ✏️ Write
button-instruct-anew = ✏️ Change
button-instruct-remove = 🗑 Remove

## Deleting all but the pinned

button-sweep = 🧹 Delete all ({ $count })
button-sweep-unpinned = 🧹 Delete unpinned ({ $count })
sweep-title =
    { $count ->
        [one] 🧹 Delete { $count } chat?
       *[other] 🧹 Delete { $count } chats?
    }
sweep-pinned =
    { $count ->
        [one] { $count } pinned chat stays.
       *[other] { $count } pinned chats stay.
    }
sweep-facts =
    { $days ->
        [one] What is deleted can be brought back for { $days } day.
       *[other] What is deleted can be brought back for { $days } days.
    }
sweep-changed = Something came or went since you were asked. Delete them all the same?
sweep-toast = Deleted
sweep-done =
    { $count ->
        [one] 🧹 { $count } chat is deleted.
       *[other] 🧹 { $count } chats are deleted.
    }
sweep-undone =
    { $count ->
        [one] { $count } chat is back
       *[other] { $count } chats are back
    }
sweep-undone-stay = { $back }, and “{ $name }” stays open

## Erasing everything

forget-title = 🧨 Erase everything that is stored of you?
forget-hint = Your settings go too, and answers that are on their way are given up. What stands in this dialog is kept by Telegram: clear its history there.
forget-sure = Are you sure? This cannot be undone.
forget-changed = Something came or went since you were asked.
forget-done = ✅ Erased for good:
forget-after = What you write from now on begins anew. What stands in this dialog is kept by Telegram: clear its history there.
forget-kept = Nothing is erased.
forget-nothing = Nothing is stored of you.
button-forget-ask = Erase everything…
button-forget-erase = Yes, erase everything
button-forget-keep = No, keep everything
deleted-chats-count =
    { $count ->
        [one] { $count } deleted chat
       *[other] { $count } deleted chats
    }
files-count =
    { $count ->
        [one] { $count } file
       *[other] { $count } files
    }
## Searching

button-search = 🔎 Search
search-title = 🔎 What shall I look for?
search-hint = Answer this message with words from a name, a question or an answer.
search-none = Nothing found. A shorter word finds more: the beginning is enough.
search-found =
    { $count ->
        [one] { $count } match
       *[other] { $count } matches
    }
search-found-many = More than { $count } matches; the latest are shown
search-in-name = the name
search-empty = There is nothing to look for in that. Please send a word.
search-too-long =
    { $limit ->
        [one] That is too long to look for. Please send { $limit } character.
       *[other] That is too long to look for. Please send at most { $limit } characters.
    }
search-text-only = I can look for words only. Please write some.
inline-open = 🔎 Search in the bot
inline-open-hit = 💬 Open in the bot

## Copies

button-fork = 🔀 Fork
chat-forked = 🔀 A copy of “{ $name }”
fork-made = You are in the copy now
fork-empty = There is nothing in this chat to copy.
fork-unknown = I do not know that message. Reply with /fork to a question of yours or to an answer.

## Answers

answer-moved-on = ↩️ In “{ $name }”:
answer-in-deleted = ↩️ In “{ $name }”, which is deleted by now:
answer-stopped = ⏹ Stopped.
answer-interrupted = ⏹ The bot was restarted; the answer ends here.
answer-length = ✂️ The model's limit ended this answer. Ask it to go on.
again-kept = The answer that was there stays.
again-nothing = There is nothing here to answer anew.
again-busy = An answer is on its way in this chat.
again-newer = Newer questions came in this chat since. To have this one answered, ask it again in a reply to this message: it goes to the same chat.
failed-refused = The model's provider withheld this answer.
context-cut =
    { $count ->
        [1] ℹ️ This chat has grown long: from now on the model sees its last message only. All of it stays stored.
       *[other] ℹ️ This chat has grown long: from now on the model sees its last { $count } messages only. All of them stay stored.
    }
mode-title = ⚙️ How shall “{ $name }” be answered?
mode-hint = ⚡ Fast answers at once. 🔬 Deep thinks longer, or asks a stronger model.
mode-fast = Fast answers
mode-deep = Deep answers
edited-noted = ✏️ Your question is changed. Shall I answer it anew?
edited-paste = A long text that came in several messages cannot be edited. Send it anew, please.
edited-too-late = Your question could not be changed: it is gone, or something came between. Please edit it again.
edited-stored = ✏️ Your question is changed in the chat.
button-stop = ⏹ Stop
answer-not-saved = ⚠️ This answer could not be saved: storage is unavailable.
button-open-chat = Open “{ $name }”
button-again = 🔄 Try again
queue-full =
    { $limit ->
        [one] Your last question is still waiting for its answer. This one is saved; after that, /again has it answered.
       *[other] { $limit } questions are waiting for answers here already. This one is saved; after those, /again has it answered.
    }
closing = The bot is being restarted. Your question is saved; /again has it answered.
closing-later = The bot is being restarted. Your question is saved, and is answered right after.
stopping = Stopping
nothing-to-stop = Nothing is being answered
already-answered = This is answered already
failed-auth = The model refused the bot's key. The owner of the bot has to mend that; your question is saved.
failed-rate = The model gets too many questions right now. Your question is saved.
failed-quota = The bot's allowance at the model is used up. Your question is saved.
failed-overload = The model is overloaded right now. Your question is saved.
failed-timeout = The model took too long. Your question is saved.
failed-network = The model cannot be reached right now. Your question is saved.
failed-too_long = This chat has grown too long for the model. Start a new one with /new.
failed-bad_request = The model did not accept this question.
failed-server = The model failed. Your question is saved.
failed-protocol = The model gave an answer that cannot be understood. Your question is saved.

## The offline answerer

echo-nature = I am not a language model, I only repeat. Everything around me is real: your chats, their files, their buttons.
echo-question = You wrote:
echo-instructions = This chat has instructions of its own: { $text }
echo-first = This is the first message that I see in this chat.
echo-context =
    { $count ->
        [one] From this chat I was given { $count } message.
       *[other] From this chat I was given { $count } messages. It began with: { $first }
    }

## Refusals

not-allowed = Sorry, this bot is for invited people only. If you should be one of them, tell its owner your number: { $id }
limit-rate =
    { $count ->
        [one] ⏳ You may ask { $count } question a minute. Please try again in { $wait }.
       *[other] ⏳ You may ask { $count } questions a minute. Please try again in { $wait }.
    }
limit-tokens =
    { $count ->
        [one] ⏳ Your { $count } token of today is used up. Please try again in { $wait }.
       *[other] ⏳ Your { $count } tokens of today are used up. Please try again in { $wait }.
    }
limit-chats = Chats: { $used } of { $count }. Delete one to start another: /chats
limit-bytes = Your chats take { $used } MB, and { $limit } MB are allowed. You can go on as soon as you have deleted some for good: /chats and then /trash
limit-not-saved = This message is not saved.
limit-saved = Your question is saved.
wait-seconds =
    { $count ->
        [one] { $count } second
       *[other] { $count } seconds
    }
wait-minutes =
    { $count ->
        [one] { $count } minute
       *[other] { $count } minutes
    }
wait-hours =
    { $count ->
        [one] { $count } hour
       *[other] { $count } hours
    }
text-only = I can read text only so far. Please write it.
empty-text = There is nothing to read in that. Please write a few words.
unknown-command = I do not know this command. /help shows what I can do.
not-yours = This is somebody else's menu. /chats shows yours.
outdated-menu = This menu is outdated, here is a fresh one.
chat-gone = That chat is deleted.
chat-unknown = There is no such chat.
no-active-chat = There is no chat yet. Just write something.
storage-unavailable = The storage is unavailable right now. What is saved is safe; please try again a little later.
something-wrong = Something went wrong. Nothing that was saved is lost; please try again.
damage-report =
    { $count ->
        [one] ⚠️ { $count } file was damaged. What could be read is here; the original is kept.
       *[other] ⚠️ { $count } files were damaged. What could be read is here; the originals are kept.
    }

## Export and import

command-export = A chat, or all of them, as a file
command-import = Chats from a file: ours, ChatGPT's, Claude's
button-export = 📤 Export
button-export-markdown = Markdown
button-export-html = Page
button-export-json = JSON
button-export-all = 📦 All chats as a zip
export-title = Export “{ $name }”
export-hint = Markdown to read anywhere, a page that reads like a conversation, or JSON that I can take in again.
export-toast = Preparing the file…
export-all-caption = All your chats, the deleted ones too. Send me this file to have them again.
export-too-big = This is more than Telegram lets a bot send. Export single chats, or ask the owner of this bot for your files.
export-question = You
export-answer = Assistant
export-partial = stopped
export-failed = failed
export-messages = Messages
export-begun = Begun
transfer-private = Chats go in and out as files only in our private dialog, where nobody else sees them.
import-title = Send me a file with chats
import-hint = My own export (JSON or zip), ChatGPT's or Claude's: the zip as it is, or its conversations.json. At most 20 MB. All chats come in as new ones; nothing that is here changes.
import-cancelled = Nothing is imported
import-interrupted = I was restarted while I took this file in. What came in stands among your chats; if something is missing, delete it and send the file again.
import-done = 📥 Came in: { $chats }, { $messages }.
import-deleted =
    { $count ->
        [one] { $count } more went to the trash, where it had been.
       *[other] { $count } more went to the trash, where they had been.
    }
import-left-out = Left out:
left-out-empty-chat = chats without messages: { $count }
left-out-unreadable-chat = chats that could not be read: { $count }
left-out-too-many-chats = chats over the limit: { $count }
left-out-storage-failed = chats that could not be saved: { $count }
left-out-empty-message = empty messages: { $count }
left-out-hidden-message = hidden messages: { $count }
left-out-tool-message = calls of tools: { $count }
left-out-other-branch = earlier versions of messages: { $count }
left-out-unknown-content = messages of an unknown kind: { $count }
left-out-unreadable-message = messages that could not be read: { $count }
left-out-too-many-messages = oldest messages of very long chats: { $count }
left-out-text-cut = ends of very long messages: { $count }
left-out-facts-dropped = additional facts of chats: { $count }
left-out-other-file = files without chats: { $count }
left-out-nested-archive = archives within the zip: { $count }
left-out-damaged-file = damaged files, read as far as it went: { $count }
import-refused-empty = There is nothing in this file.
import-refused-too-big = This file is too big: I can take 20 MB.
import-refused-unknown-format = I find no chats in this file. I know my own export, ChatGPT's and Claude's.
import-refused-damaged = This file is damaged, nothing of it could be read.
import-refused-encrypted = This zip asks for a password. Please send it without one.
import-refused-unsafe-entry = This zip is not safe: a name in it leads elsewhere. Nothing came in.
import-refused-too-many-entries = There are too many files in this zip.
import-refused-unpacks-too-big = This zip becomes far too big when it is unpacked. Nothing came in.
