// @ts-check
// The part of src/sse/http/compatibility.md that a run writes, between two markers.

/** @typedef {{ row: string, column: string, result: string }} Cell */
/** @typedef {{ name: string, streams: string, no: string, refused: string, retry: string }} Client */

const BEGIN = '<!-- matrix:begin -->';
const END = '<!-- matrix:end -->';

/**
 * @param {readonly string[]} head
 * @param {readonly (readonly string[])[]} rows
 */
function table(head, rows) {
  const widths = head.map((_, i) => Math.max(...[head, ...rows].map((row) => row[i]?.length ?? 0)));
  const line = (/** @type {readonly string[]} */ row) =>
    `| ${widths.map((width, i) => (row[i] ?? '').padEnd(width)).join(' | ')} |`;
  return [line(head), `| ${widths.map((width) => '-'.repeat(width)).join(' | ')} |`, ...rows.map(line)].join(
    '\n',
  );
}

/** @param {readonly Cell[]} cells */
export function productTable(cells) {
  const columns = [...new Set(cells.map(({ column }) => column))];
  const rows = [...new Set(cells.map(({ row }) => row))];
  const result = (/** @type {string} */ row, /** @type {string} */ column) =>
    cells.find((cell) => cell.row === row && cell.column === column)?.result ?? 'not tried';
  return table(
    ['', ...columns],
    rows.map((row) => [row, ...columns.map((column) => result(row, column))]),
  );
}

/** @param {readonly Client[]} clients */
export function clientTable(clients) {
  return table(
    ['client', 'streams and resumes', 'after 204', 'server down for 3 s', 'a bare `retry:`'],
    clients.map(({ name, streams, no, refused, retry }) => [name, streams, no, refused, retry]),
  );
}

/**
 * Puts the text between the markers of the guide.
 *
 * @param {string} guide
 * @param {string} text
 */
export function putMatrix(guide, text) {
  const [begin, end] = [guide.indexOf(BEGIN), guide.indexOf(END)];
  if (begin < 0 || end < begin) throw new Error(`The guide has no ${BEGIN} … ${END}.`);
  return `${guide.slice(0, begin + BEGIN.length)}\n\n${text}\n\n${guide.slice(end)}`;
}
