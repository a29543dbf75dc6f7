// The dashboard: keeps the last picture of the desk and redraws what a message changes.
import { CandleChart, EquityChart, OutcomeChart } from './charts.js';
import { HaltButton } from './halt.js';
import { Live } from './live.js';
import { showTable, span } from './tables.js';
import { clock, direction, money, percent, price, quantity, signed, words } from './format.js';

const KEEP = { candles: 400, decisions: 200, fills: 200, predictions: 400, equity: 2000, alerts: 30 };
const REDRAW_MS = 250;
const $ = (id) => document.getElementById(id);

const state = {
  symbol: null, instruments: [], candles: {}, decisions: [], fills: [], positions: [], predictions: [],
  equity: [], metrics: null, risk: null, components: [], alerts: [], models: [], prices: {},
};
const dirty = new Set();
const charts = { candles: new CandleChart($('candles'), showBar), equity: new EquityChart($('equity')), outcomes: new OutcomeChart($('outcomes')) };
const halt = new HaltButton($('halt'), $('halt-dialog'));

function keep(name, rows, limit) {
  state[name] = [...rows, ...state[name]].slice(0, limit);
}

function upsertCandle(candle) {
  const list = (state.candles[candle.symbol] ??= []);
  const last = list[list.length - 1];
  if (last && last.open_time === candle.open_time) list[list.length - 1] = candle;
  else if (!last || last.open_time < candle.open_time) list.push(candle);
  if (list.length > KEEP.candles) list.shift();
}

function upsert(name, row, key = 'id') {
  const index = state[name].findIndex((other) => other[key] === row[key]);
  if (index >= 0) state[name][index] = { ...state[name][index], ...row };
  else state[name].unshift(row);
}

// A live message is a row of the snapshot but for the names of its id and its time.
const asDecision = (m) => ({ ...m, id: m.decision_id });
const asFill = (m) => ({ ...m, id: m.fill_id, timestamp: m.at });
const asPosition = (m) => ({ ...m, id: m.position_id, average_entry_price: m.entry_price });
const asEquity = (m) => ({ ...m, timestamp: m.at });
const asAlert = (m) => ({ ...m, id: m.alert_id, timestamp: m.at });
const asComponent = (m) => ({ ...m, is_healthy: m.status === 'OK', age_s: 0 });

const receivers = {
  ticker: (m) => { state.prices[m.symbol] = m.price; dirty.add('positions'); dirty.add('tiles'); },
  candle: (m) => { upsertCandle(m); if (m.symbol === state.symbol) { charts.candles.update(m); } },
  prediction: (m) => { keep('predictions', [m], KEEP.predictions); dirty.add('outcomes'); },
  decision: (m) => { keep('decisions', [asDecision(m)], KEEP.decisions); dirty.add('decisions'); dirty.add('marks'); },
  fill: (m) => { keep('fills', [asFill(m)], KEEP.fills); state.fillCount += 1; dirty.add('fills'); dirty.add('marks'); dirty.add('tiles'); },
  position: (m) => { upsert('positions', asPosition(m)); dirty.add('positions'); dirty.add('tiles'); },
  equity: (m) => { state.metrics = asEquity(m); state.equity.push(state.metrics); if (state.equity.length > KEEP.equity) state.equity.shift(); dirty.add('equity'); dirty.add('tiles'); },
  risk_state: (m) => { state.risk = m; dirty.add('level'); },
  alert: (m) => { upsert('alerts', asAlert(m)); state.alerts = state.alerts.slice(0, KEEP.alerts); dirty.add('alerts'); },
  component: (m) => { upsert('components', asComponent(m), 'name'); dirty.add('components'); },
  training: (m) => { $('prediction-note').textContent = `Training: ${percent(m.progress, 0)} ${words(m.stage)}`; },
};

const drawings = {
  level: () => {
    const level = state.risk?.level ?? '–';
    const running = state.risk?.is_running !== false;
    $('level').textContent = running ? level : `${level}, stopped`;
    $('level').className = `badge ${level === 'ACTIVE' && running ? 'good' : 'bad'}`;
    halt.show(level);
  },
  tiles: () => {
    const m = state.metrics ?? {};
    const open = state.positions.filter((position) => position.status === 'open');
    const skilled = state.models.filter((model) => model.verdict === 'SKILLED').length;
    const tiles = [
      ['Equity', money(m.equity), ''],
      ['Today', signed(m.daily_pnl), direction(m.daily_pnl)],
      ['Drawdown', percent(m.drawdown_fraction === undefined ? null : Number(m.drawdown_fraction)), Number(m.drawdown_fraction) > 0.05 ? 'warn' : ''],
      ['Exposure', money(m.exposure, 0), ''],
      ['Cash', money(m.cash, 0), ''],
      ['Open positions', String(open.length), ''],
      ['Fills', String(state.fillCount ?? state.fills.length), ''],
      ['Symbols with skill', state.models.length ? `${skilled} of ${state.models.length}` : '–', ''],
    ];
    $('tiles').replaceChildren(...tiles.map(([label, value, tone]) => {
      const tile = document.createElement('div');
      tile.className = 'tile';
      const number = document.createElement('b');
      number.className = tone;
      number.textContent = value;
      const name = document.createElement('span');
      name.textContent = label;
      tile.append(number, name);
      return tile;
    }));
  },
  symbols: () => {
    $('symbols').replaceChildren(...state.instruments.map((instrument) => {
      const tab = document.createElement('button');
      tab.type = 'button';
      tab.role = 'tab';
      tab.textContent = instrument.symbol;
      tab.ariaSelected = String(instrument.symbol === state.symbol);
      tab.onclick = () => { state.symbol = instrument.symbol; ['symbols', 'candles', 'outcomes'].forEach((part) => dirty.add(part)); };
      return tab;
    }));
    const chosen = state.instruments.find((instrument) => instrument.symbol === state.symbol);
    const model = state.models.find((entry) => entry.symbol === state.symbol);
    const verdict = model ? ` Model verdict: ${words(model.verdict)} (IC ${Number(model.ic).toFixed(3)}).` : '';
    $('symbol-note').textContent = chosen ? `${chosen.timeframe} candles, ${chosen.provenance || 'exchange data'}.${verdict}` : '';
  },
  candles: () => charts.candles.show(state.candles[state.symbol] ?? [], ...marksOfSymbol()),
  marks: () => drawings.candles(),
  equity: () => {
    charts.equity.show(state.equity);
    const first = state.equity[0];
    $('equity-note').textContent = first ? `In quote units, since ${clock(first.timestamp)} UTC.` : 'Nothing recorded yet.';
  },
  outcomes: () => {
    const chosen = state.predictions.filter((p) => p.symbol === state.symbol).slice(0, 120).reverse();
    charts.outcomes.show(chosen);
    const judged = chosen.filter((p) => p.realized_return !== null && p.realized_return !== undefined).length;
    $('prediction-note').textContent = chosen.length
      ? `${state.symbol}: return over the next ${chosen[0].horizon_bars} bars; ${judged} of ${chosen.length} judged so far.`
      : `${state.symbol ?? ''}: no predictions yet.`;
  },
  decisions: () => showTable($('decisions'), [
    ['Close', (d) => clock(d.close_time)], ['Symbol', (d) => d.symbol],
    ['Action', (d) => d.action, (d) => `pill ${d.action === 'ENTER' ? 'up' : d.action === 'EXIT' ? 'down' : 'muted'}`],
    ['P(net>0)', (d) => percent(d.confidence, 1), null, 'num'],
    ['Edge bps', (d) => (d.edge_bps === null ? '–' : Number(d.edge_bps).toFixed(1)), null, 'num'],
    ['Why', why, null, 'why'],
  ], state.decisions.slice(0, 60), 'No decision yet: the first comes with the next candle close.'),
  positions: () => showTable($('positions'), [
    ['Symbol', (p) => p.symbol], ['Quantity', (p) => quantity(p.quantity), null, 'num'],
    ['Value', (p) => money(worth(p)), null, 'num'],
    ['Entry', (p) => price(p.average_entry_price), null, 'num'], ['Mark', (p) => price(mark(p)), null, 'num'],
    ['P&L', (p) => signed(gain(p)), (p) => direction(gain(p)), 'num'],
    ['Stop', (p) => price(p.stop_price), null, 'num'], ['Target', (p) => price(p.take_profit_price), null, 'num'],
  ], state.positions.filter((position) => position.status === 'open'), 'Flat: nothing is held.'),
  fills: () => showTable($('fills'), [
    ['Time', (f) => clock(f.timestamp)], ['Symbol', (f) => f.symbol],
    ['Side', (f) => f.side, (f) => (f.side === 'BUY' ? 'up' : 'down')],
    ['Quantity', (f) => quantity(f.quantity), null, 'num'], ['Price', (f) => price(f.price), null, 'num'],
    ['P&L', (f) => (f.side === 'SELL' ? signed(f.realized_pnl) : ''), (f) => direction(f.realized_pnl), 'num'],
  ], state.fills.slice(0, 50), 'No fill yet.'),
  components: () => {
    $('components').replaceChildren(...state.components.map((component) => {
      const row = document.createElement('div');
      row.className = component.is_healthy ? 'good' : 'bad';
      row.textContent = component.name;
      if (!component.is_healthy) row.append(span(` ${words(component.status)}`, 'down'));
      row.title = `${words(component.status)}, last sign ${Number(component.age_s ?? 0).toFixed(0)} s ago`;
      return row;
    }));
  },
  alerts: () => showTable($('alerts'), [
    ['Time', (a) => clock(a.timestamp)], ['Severity', (a) => a.severity, (a) => (a.severity === 'INFO' ? '' : a.severity === 'WARNING' ? 'warn' : 'down')],
    ['Message', (a) => a.message, null, 'why'],
  ], state.alerts, 'No alert.'),
};

function marksOfSymbol() {
  const mine = (row) => row.symbol === state.symbol;
  return [state.decisions.filter(mine), state.fills.filter(mine)];
}

function why(decision) {
  const factors = (decision.factors ?? []).filter((factor) => Math.abs(factor.score) >= 0.05);
  return [span(words(decision.reason), 'reason'), ...factors.map((factor) => {
    const chip = span(`${words(factor.name)} `, 'chip');
    const score = span(`${factor.score > 0 ? '+' : '−'}${Math.abs(factor.score).toFixed(2)}`, direction(factor.score));
    chip.append(score);
    return chip;
  })];
}

// For the eye only; the books are kept in decimals by the server.
const mark = (position) => state.prices[position.symbol] ?? position.average_entry_price;
const worth = (position) => Number(position.quantity) * Number(mark(position));
const gain = (position) => Number(position.quantity) * (Number(mark(position)) - Number(position.average_entry_price));

function showBar(bar) {
  if (!bar) { $('ohlc').replaceChildren(); return; }
  const tone = bar.close >= bar.open ? 'up' : 'down';
  const part = (name, value) => [`${name} `, span(value, tone), ' '];
  $('ohlc').replaceChildren(...part('O', price(bar.open)), ...part('H', price(bar.high)), ...part('L', price(bar.low)),
    ...part('C', price(bar.close)), ...part('V', Number(bar.volume ?? 0).toLocaleString('en-US', { maximumFractionDigits: 2 })));
}

function showSnapshot({ data, at }) {
  Object.assign(state, data);
  state.candles = {};
  for (const candle of data.candles) upsertCandle(candle);
  const known = state.instruments.some((instrument) => instrument.symbol === state.symbol);
  if (!known) state.symbol = state.instruments[0]?.symbol ?? null;
  showTime(at);
  Object.keys(drawings).filter((name) => name !== 'marks').forEach((name) => dirty.add(name));
}

function showTime(iso) {
  if (iso) $('clock').textContent = `${iso.replace('T', ' ').slice(0, 19)} UTC`;
}

const live = new Live({
  onSnapshot: showSnapshot,
  onMessage: (message) => {
    showTime(message.at);
    receivers[message.type]?.(message);
  },
  onState: (text) => {
    $('connection').textContent = text;
    $('connection').className = `badge ${text === 'live' ? 'good' : 'warn'}`;
  },
});

// A burst of messages is one redraw.
setInterval(() => {
  const parts = [...dirty];
  dirty.clear();
  parts.forEach((part) => drawings[part]());
}, REDRAW_MS);

// For the console of a person who looks into a problem.
window.desk = { live, state };
