import { createServer } from 'node:net';

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n';

/**
 * The least that Node can do: the events of a turn are made one Buffer, which is written to each socket.
 *
 * @param {(data: object) => string} textOf the text of an event
 */
export function bareSockets(textOf) {
  const sockets = new Set();
  let text = '';
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.once('data', () => {
      socket.resume();
      socket.write(HEAD);
      sockets.add(socket);
    });
  });
  return {
    server,
    publish: (data) => {
      text += textOf(data);
    },
    endTurn: () => {
      const bytes = Buffer.from(text);
      text = '';
      for (const socket of sockets) socket.write(bytes);
    },
    subscribers: () => sockets.size,
  };
}

export const eventText = (data) => `data: ${JSON.stringify(data)}\n\n`;
