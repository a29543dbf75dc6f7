// The live connection: one socket, a snapshot, then messages with rising `seq`; no silent gap.

const FIRST_WAIT_MS = 500;
const LAST_WAIT_MS = 15000;

export class Live {
  constructor({ onSnapshot, onMessage, onState }) {
    this.handlers = { onSnapshot, onMessage, onState };
    this.seq = null;
    this.waitMs = FIRST_WAIT_MS;
    this.connect();
  }

  connect() {
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    this.socket = new WebSocket(`${scheme}://${location.host}/ws`);
    this.socket.onopen = () => {
      this.waitMs = FIRST_WAIT_MS;
      this.handlers.onState('live');
      if (this.seq !== null) this.send({ action: 'resume', seq: this.seq });
    };
    this.socket.onmessage = (event) => this.receive(JSON.parse(event.data));
    this.socket.onclose = () => {
      this.handlers.onState('reconnecting');
      setTimeout(() => this.connect(), this.waitMs);
      this.waitMs = Math.min(this.waitMs * 2, LAST_WAIT_MS);
    };
  }

  receive(message) {
    if (message.type === 'snapshot') {
      this.seq = message.seq;
      this.handlers.onSnapshot(message);
      return;
    }
    if (message.seq !== undefined) {
      // A hole in the numbers means lost messages: ask for the whole picture again.
      if (this.seq !== null && message.seq > this.seq + 1) this.send({ action: 'snapshot' });
      if (this.seq !== null && message.seq <= this.seq) return;
      this.seq = message.seq;
    }
    this.handlers.onMessage(message);
  }

  send(payload) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(payload));
  }
}
