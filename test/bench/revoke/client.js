// Keeps the streams of a user open, and says when the last of them was told that its channel is revoked.
import { connect } from 'node:net';
import { serveCommands } from '../commands.js';

const OPENING = 100;
const TOLD = 'event: denied\ndata: {"channel":"bench","reason":"revoked"}\n\n';

let isOpen = 0;
let told = 0;
let failure;
let settle = () => undefined;

/** Resolves when it is true; a stream that fails is the end of it. */
function until(isTrue) {
  return new Promise((resolve, reject) => {
    settle = () => {
      if (failure) reject(failure);
      else if (isTrue()) resolve();
    };
    settle();
  });
}

function openStream(port, user, opened) {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true }).setEncoding('latin1');
  let text = '';
  let isCounted = false;
  socket.on('data', (more) => {
    text += more;
    if (!isCounted && text.includes('retry: ')) {
      isCounted = true;
      isOpen++;
      opened();
    }
    if (text.includes(TOLD)) {
      told++;
      text = '';
    }
    settle();
  });
  socket.on('error', (error) => {
    failure ??= error;
    settle();
  });
  socket.on('close', () => {
    failure ??= new Error('the server closed the connection');
    settle();
  });
  socket.write(`GET /events HTTP/1.1\r\nHost: 127.0.0.1\r\nX-User: ${user}\r\n\r\n`);
}

serveCommands({
  open({ port, user, streams }) {
    let asked = 0;
    const next = () => asked++ < streams && openStream(port, user, next);
    for (let i = 0; i < OPENING; i++) next();
    return until(() => isOpen === streams);
  },
  /** Answers when each stream was told, with the time, which is that of all processes of this machine. */
  async told({ streams }) {
    await until(() => told === streams);
    return performance.timeOrigin + performance.now();
  },
});
