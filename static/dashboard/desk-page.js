// What every further page of the desk needs: the kill switch, and news of running backtests.

import { HaltButton } from './halt.js';
import { Live } from './live.js';

const halt = new HaltButton(document.getElementById('halt'), document.getElementById('halt-dialog'));

function showLevel(state) {
  if (state?.level) halt.show(state.level);
}

function showBacktest(message) {
  const place = document.querySelector(`[data-backtest="${message.backtest_id}"]`);
  if (!place) return;
  if (message.state === 'DONE' || message.state === 'FAILED') { location.reload(); return; }
  place.querySelector('.stage').textContent = message.stage || message.state.toLowerCase();
  const bar = place.querySelector('progress');
  if (bar) bar.value = message.progress;
}

new Live({
  onSnapshot: (snapshot) => showLevel(snapshot.risk_state),
  onMessage: (message) => {
    if (message.type === 'risk_state') showLevel(message);
    if (message.type === 'backtest') showBacktest(message);
  },
  onState: () => {},
});

// The form shows what the chosen strategies can be told.
const strategy = document.querySelector('input[name=strategy]');
if (strategy) {
  const show = () => {
    const kinds = strategy.value.split('+').map((part) => part.split(':')[0].trim());
    for (const hint of document.querySelectorAll('[data-strategy]')) hint.hidden = !kinds.includes(hint.dataset.strategy);
    document.querySelector('[data-model-only]').hidden = !kinds.includes('model');
  };
  strategy.oninput = show;
  show();
}
