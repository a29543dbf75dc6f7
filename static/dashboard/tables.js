// Tables drawn from rows; text only, so nothing that arrives can become markup.

// columns: [title, content(row), tone(row) or null, class]; content is text or a list of elements
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
    body.append(line(columns.map(([title, content, tone, kind]) => {
      const shown = cell('td', content(row), [kind, tone?.(row)].filter(Boolean).join(' '));
      if (title) shown.dataset.label = title;
      return shown;
    })));
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
  if (Array.isArray(text)) element.append(...text);
  else element.textContent = text ?? '';
  if (kind) element.className = kind;
  return element;
}

export function span(text, kind) {
  return cell('span', text, kind);
}
