import { createServer } from 'node:net';

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n';

/**
 * The least that Node can do: the events of a turn are made one Buffer, which is written to each socket. See `eachEvent()`
 * for a Buffer for each event.
 *
 * @param {(data: object) => string} textOf the text of an event
 * @param {string} [fields] further lines of the head
 */
export function bareSockets(textOf, fields = '') {
  const sockets = new Set();
  let text = '';
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => undefined);
    socket.on('close', () => sockets.delete(socket));
    socket.once('data', () => {
      socket.resume();
      socket.write(`${HEAD}${fields}\r\n`);
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

/** Writes each event at once, as one does who does not know what else the turn brings. */
export function eachEvent({ publish, endTurn, ...system }) {
  return {
    ...system,
    publish: (data) => {
      publish(data);
      endTurn();
    },
  };
}

export const eventText = (data) => `data: ${JSON.stringify(data)}\n\n`;
