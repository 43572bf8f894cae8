// `node hold-streams.js URL COUNT`: opens that many streams, each as another user ("user-00000" and so on), says "open" when
// all have begun, and holds them until it is ended. Sockets without a client on them, so that thousands cost little.
import { connect } from 'node:net';

const AT_ONCE = 100;

const { hostname: host, port, pathname } = new URL(process.argv[2]);
const count = Number(process.argv[3]);

const { soft } = process.report.getReport().userLimits.open_files;
if (soft !== 'unlimited' && soft < count + 100)
  fail(`${count} streams need more than ${soft} open files: raise \`ulimit -n\``);

let asked = 0;
let opened = 0;
for (let i = 0; i < AT_ONCE; i++) openNext();

function openNext() {
  if (asked < count) open(`user-${String(asked++).padStart(5, '0')}`);
}

function open(user) {
  const socket = connect({ host, port: Number(port) }).setEncoding('latin1');
  let head = '';
  const began = (text) => {
    head += text;
    if (!head.includes('\nretry: ')) return;
    socket.off('data', began).resume();
    if (++opened === count) console.log('open');
    openNext();
  };
  socket.on('data', began);
  socket.once('error', ({ message }) => fail(`${user}: ${message}`));
  socket.once('close', () => fail(`${user}: the server ended the stream, after ${JSON.stringify(head)}`));
  socket.write(`GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nX-User: ${user}\r\n\r\n`);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
