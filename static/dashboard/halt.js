// The kill switch: one press and one confirmation, with a reason that is kept.

export class HaltButton {
  constructor(button, dialog) {
    this.button = button;
    this.dialog = dialog;
    this.reason = dialog.querySelector('input');
    this.error = dialog.querySelector('.error');
    button.onclick = () => { this.error.textContent = ''; dialog.showModal(); this.reason.focus(); };
    dialog.querySelector('form').onsubmit = (event) => {
      if (event.submitter?.value !== 'confirm') return;
      event.preventDefault();
      this.halt();
    };
  }

  show(level) {
    this.button.disabled = ['HALT', 'CANCEL', 'FLATTEN'].includes(level);
    this.button.textContent = this.button.disabled ? 'Trading is halted' : 'Halt trading';
  }

  async halt() {
    const answer = await fetch(document.body.dataset.haltUrl, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', 'X-CSRFToken': document.body.dataset.csrf },
      body: JSON.stringify({ level: 'CANCEL', reason: this.reason.value }),
    }).catch((failure) => ({ ok: false, json: async () => ({ message: `${failure}. Use \`manage.py halt\` instead.` }) }));
    if (answer.ok) { this.dialog.close(); return; }
    const body = await answer.json().catch(() => ({ message: `status ${answer.status}` }));
    this.error.textContent = body.message;
  }
}
