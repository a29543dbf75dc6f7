// The three pictures: candles with decisions and fills, the equity curve, predictions and outcomes.
/* global LightweightCharts, uPlot */
import { percent, seconds } from './format.js';

const UP = '#2fbf8f';
const DOWN = '#e5566d';
const LINE = '#223044';
const GRID = '#1a2534';
const MUTED = '#8595aa';
const ACCENT = '#5aa2ff';

const asBar = (candle) => ({
  time: seconds(candle.open_time),
  open: Number(candle.open), high: Number(candle.high), low: Number(candle.low), close: Number(candle.close),
  volume: Number(candle.volume),
});
const asVolume = (bar) => ({ time: bar.time, value: bar.volume, color: bar.close >= bar.open ? `${UP}55` : `${DOWN}55` });

export class CandleChart {
  // onBar is told of the bar under the cursor, else of the last.
  constructor(element, onBar) {
    this.chart = LightweightCharts.createChart(element, {
      autoSize: true,
      layout: { background: { color: 'transparent' }, textColor: MUTED, attributionLogo: true },
      grid: { vertLines: { color: GRID }, horzLines: { color: GRID } },
      timeScale: { timeVisible: true, borderColor: LINE, rightOffset: 5 },
      rightPriceScale: { borderColor: LINE, scaleMargins: { top: 0.08, bottom: 0.22 } },
      crosshair: { mode: LightweightCharts.CrosshairMode.Normal },
    });
    this.volumes = this.chart.addSeries(LightweightCharts.HistogramSeries, {
      priceScaleId: '', priceFormat: { type: 'volume' }, lastValueVisible: false, priceLineVisible: false,
    });
    this.volumes.priceScale().applyOptions({ scaleMargins: { top: 0.85, bottom: 0 } });
    this.series = this.chart.addSeries(LightweightCharts.CandlestickSeries, {
      upColor: UP, downColor: DOWN, borderVisible: false, wickUpColor: UP, wickDownColor: DOWN,
    });
    this.marks = LightweightCharts.createSeriesMarkers(this.series, []);
    this.onBar = onBar;
    this.volumeOf = new Map();
    this.chart.subscribeCrosshairMove((event) => this.tell(event.seriesData.get(this.series)));
  }

  tell(bar) {
    const shown = bar ?? this.last;
    this.onBar(shown && { ...shown, volume: this.volumeOf.get(shown.time) });
  }

  show(candles, decisions, fills) {
    const bars = candles.map(asBar);
    this.last = bars[bars.length - 1];
    this.volumeOf = new Map(bars.map((bar) => [bar.time, bar.volume]));
    const digits = Math.max(2, 4 - Math.floor(Math.log10(this.last?.close ?? 1)));
    this.series.applyOptions({ priceFormat: { type: 'price', precision: digits, minMove: 10 ** -digits } });
    this.series.setData(bars);
    this.volumes.setData(bars.map(asVolume));
    this.mark(bars, decisions, fills);
    this.tell();
  }

  update(candle) {
    const bar = asBar(candle);
    this.last = bar;
    this.volumeOf.set(bar.time, bar.volume);
    this.series.update(bar);
    this.volumes.update(asVolume(bar));
    this.tell();
  }

  // Decisions are arrows at the candle that closed, fills are dots at the candle they fell into.
  mark(bars, decisions, fills) {
    if (!bars.length) { this.marks.setMarkers([]); return; }
    const step = bars.length > 1 ? bars[1].time - bars[0].time : 60;
    const first = bars[0].time;
    const marks = [];
    for (const decision of decisions) {
      const time = seconds(decision.close_time) - step;
      if (decision.action === 'HOLD' || time < first) continue;
      const enters = decision.action === 'ENTER';
      marks.push({ time, position: enters ? 'belowBar' : 'aboveBar', shape: enters ? 'arrowUp' : 'arrowDown', color: ACCENT, text: decision.action.toLowerCase() });
    }
    for (const fill of fills) {
      const at = seconds(fill.timestamp);
      const time = at - (at % step);
      if (time < first) continue;
      marks.push({ time, position: 'inBar', shape: 'circle', size: 0.6, color: fill.side === 'BUY' ? UP : DOWN });
    }
    marks.sort((a, b) => a.time - b.time);
    this.marks.setMarkers(marks);
  }
}

// Hours of the day in UTC, the date where it changes.
const times = (_plot, ticks) => ticks.map((tick, index) => {
  const text = new Date(tick * 1000).toISOString();
  return index && text.slice(11, 16) !== '00:00' ? text.slice(11, 16) : `${text.slice(11, 16)}\n${text.slice(5, 10)}`;
});

const axis = (extra = {}) => ({ stroke: MUTED, grid: { stroke: GRID, width: 1 }, ticks: { stroke: LINE }, ...extra });

const fit = (plot, element) => {
  new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height: element.clientHeight })).observe(element);
};

export class EquityChart {
  constructor(element) {
    this.plot = new uPlot({
      width: element.clientWidth || 400, height: element.clientHeight || 300, legend: { show: false },
      cursor: { y: false },
      series: [{}, { stroke: ACCENT, width: 1.6, fill: 'rgba(90,162,255,.12)', points: { show: false } }],
      axes: [axis({ values: times }), axis({ size: 70, values: (_plot, ticks) => ticks.map((tick) => tick.toLocaleString('en-US')) })],
      tzDate: (stamp) => uPlot.tzDate(new Date(stamp * 1000), 'UTC'),
    }, [[], []], element);
    fit(this.plot, element);
  }

  show(points) {
    this.plot.setData([points.map((p) => seconds(p.timestamp)), points.map((p) => Number(p.equity))]);
  }
}

export class OutcomeChart {
  constructor(element) {
    this.plot = new uPlot({
      width: element.clientWidth || 600, height: element.clientHeight || 220, legend: { show: false }, mode: 1,
      series: [
        {},
        { label: 'expected', stroke: ACCENT, width: 1.4, points: { show: false } },
        { label: 'lower', stroke: 'rgba(90,162,255,.25)', width: 1, points: { show: false } },
        { label: 'upper', stroke: 'rgba(90,162,255,.25)', width: 1, points: { show: false } },
        { label: 'realized', stroke: '#e9b44c', width: 0, points: { show: true, size: 5, fill: '#e9b44c' } },
      ],
      bands: [{ series: [3, 2], fill: 'rgba(90,162,255,.10)' }],
      axes: [axis({ values: times }), axis({ size: 60, values: (_plot, ticks) => ticks.map((tick) => percent(tick, 1)) })],
      tzDate: (stamp) => uPlot.tzDate(new Date(stamp * 1000), 'UTC'),
    }, [[], [], [], [], []], element);
    fit(this.plot, element);
  }

  show(predictions) {
    this.plot.setData([
      predictions.map((p) => seconds(p.close_time)),
      predictions.map((p) => p.expected_return),
      predictions.map((p) => p.lower),
      predictions.map((p) => p.upper),
      predictions.map((p) => p.realized_return),
    ]);
  }
}
