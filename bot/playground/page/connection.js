// One person's connection: events from the server, actions to it. It comes back by itself.

const RETRY_MS = 1000;

export class Connection {
  constructor(userId, { onEvent, onState }) {
    this.base = `/person/${userId}`;
    this.onEvent = onEvent;
    this.onState = onState;
    this.closed = false;
    this.open();
  }

  open() {
    this.source = new EventSource(`${this.base}/events`);
    this.source.onmessage = (message) => {
      if (this.closed) return;
      const event = JSON.parse(message.data);
      if (event.type === "dialog") this.onState(true);
      this.onEvent(event);
    };
    this.source.onerror = () => {
      // The browser's own retry gives up on some failures, so we always start anew.
      this.source.close();
      if (this.closed) return;
      this.onState(false);
      this.retry = setTimeout(() => this.open(), RETRY_MS);
    };
  }

  close() {
    this.closed = true;
    clearTimeout(this.retry);
    this.source.close();
  }

  async post(action, body) {
    const response = await fetch(`${this.base}/${action}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const answer = await response.json();
    if (!response.ok) throw new Error(answer.error);
    return answer;
  }

  fileUrl(fileId) {
    return `${this.base}/files/${encodeURIComponent(fileId)}`;
  }
}
