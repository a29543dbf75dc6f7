// How numbers and times are written. Money arrives as strings and is only shown, never computed.

export const percent = (fraction, digits = 2) =>
  fraction === null || fraction === undefined ? '–' : `${(100 * fraction).toFixed(digits)} %`;

export const money = (text, digits = 2) => {
  if (text === null || text === undefined) return '–';
  return Number(text).toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
};

export const price = (text) => {
  if (text === null || text === undefined) return '–';
  const value = Number(text);
  return value.toLocaleString('en-US', { maximumFractionDigits: value >= 100 ? 2 : 6 });
};

export const quantity = (text) => (text === null || text === undefined ? '–' : String(Number(text)));

export const signed = (text, digits = 2) => {
  const written = money(text, digits);
  return Number(text) > 0 ? `+${written}` : written;
};

export const direction = (value) => (Number(value) > 0 ? 'up' : Number(value) < 0 ? 'down' : '');

export const clock = (iso) => (iso ? iso.replace('T', ' ').slice(5, 16) : '–');

export const seconds = (iso) => Math.floor(Date.parse(iso) / 1000);

export const words = (code) => (code ? code.toLowerCase().replaceAll('_', ' ') : '');
