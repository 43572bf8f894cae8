// Asks a server for its health, on a connection that it keeps, and on a new one each time.
import { connect } from 'node:net';
import { percentile } from '../backplanes/report.js';
import { serveCommands } from '../commands.js';

const requestOf = (connection) =>
  `GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: ${connection}\r\n\r\n`;

let asking;
let took;

/** Requests without an answer; they count with the time that they have taken by then. */
let waiting;

function ask(kind, socket, request) {
  const asked = { kind, at: performance.now() };
  waiting.add(asked);
  socket.write(request);
  return () => {
    if (waiting.delete(asked)) took[kind].push(performance.now() - asked.at);
  };
}

serveCommands({
  /** Asks every so many milliseconds from now on. Resolves when the first answer is there. */
  start({ port, every }) {
    took = { kept: [], fresh: [] };
    waiting = new Set();
    const onConnection = [];
    const kept = connect({ port, host: '127.0.0.1', noDelay: true });
    return new Promise((resolve, reject) => {
      kept.on('error', reject);
      // Answers are short, so none comes in two pieces; those of a held server come at once.
      kept.setEncoding('latin1').on('data', (text) => {
        for (let i = text.split('HTTP/1.1 200').length - 1; i > 0; i--) onConnection.shift()?.();
        resolve();
      });
      const askBoth = () => {
        onConnection.push(ask('kept', kept, requestOf('keep-alive')));
        const fresh = connect({ port, host: '127.0.0.1', noDelay: true });
        fresh.on('error', () => undefined);
        fresh.once('data', ask('fresh', fresh, requestOf('close')));
        fresh.resume();
      };
      askBoth();
      asking = setInterval(askBoth, every);
    });
  },
  /** Percentiles of the times that the answers took, in milliseconds. */
  stop() {
    clearInterval(asking);
    for (const { kind, at } of waiting) took[kind].push(performance.now() - at);
    const figures = (kind) => ({
      [`${kind}P50`]: percentile(took[kind], 50),
      [`${kind}P99`]: percentile(took[kind], 99),
      [`${kind}Max`]: percentile(took[kind], 100),
    });
    return { ...figures('kept'), ...figures('fresh') };
  },
});
