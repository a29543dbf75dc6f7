// Tables drawn from rows; text only, so nothing that arrives can become markup.

// columns: [title, text(row), tone(row) or null, class]
export function showTable(table, columns, rows, emptyText) {
  const head = document.createElement('thead');
  head.append(line(columns.map(([title, , , kind]) => cell('th', title, kind))));
  const body = document.createElement('tbody');
  if (!rows.length) {
    const empty = cell('td', emptyText, 'empty');
    empty.colSpan = columns.length;
    body.append(line([empty]));
  }
  for (const row of rows) {
    body.append(line(columns.map(([, text, tone, kind]) => cell('td', text(row), [kind, tone?.(row)].filter(Boolean).join(' ')))));
  }
  table.replaceChildren(head, body);
}

function line(cells) {
  const row = document.createElement('tr');
  row.append(...cells);
  return row;
}

function cell(tag, text, kind) {
  const element = document.createElement(tag);
  element.textContent = text ?? '';
  if (kind) element.className = kind;
  return element;
}
