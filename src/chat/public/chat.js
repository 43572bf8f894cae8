import { openStream, showState } from '/stream.js';
import { Door } from '/chat-door.js';
import { MessageList } from '/chat-list.js';
import { People } from '/chat-people.js';
import { postJson } from '/post-json.js';

/** Milliseconds between two notices that somebody is typing. */
const TYPING_NOTICES = 2_000;

const room = new URLSearchParams(location.search).get('room') || 'lobby';
const base = `/chat/rooms/${encodeURIComponent(room)}`;
const composer = document.querySelector('#composer');
const { from, text } = composer.elements;
const problem = document.querySelector('#problem');
const state = document.querySelector('#state');

document.querySelector('#room-name').textContent = room;
document.title = `${room} · Chat · nestjs-sse-hub`;
from.value = localStorage.getItem('chat-name') ?? '';

const me = () => from.value.trim();
const list = new MessageList({ isMine: (message) => message.from === me() });
const people = new People({ me });
const door = new Door({ key: `${base}/key`, onOpen: enter });
const show = showState(state);
let stream;
/** The name of this user in the room. */
let name = '';

if (isRoom(room)) enter();
else state.textContent = 'There can be no such room';

function enter() {
  const lastEventId = stream?.lastEventId ?? '';
  stream?.close();
  name = me();
  stream = openStream(`${base}/messages${name && `?name=${encodeURIComponent(name)}`}`, {
    lastEventId,
    on: {
      message: ({ data }) => {
        const message = JSON.parse(data);
        list.add(message);
        people.hasTyped(message.from);
      },
      gap: () => list.addGap(),
      join: ({ data }) => {
        const { user } = JSON.parse(data);
        people.add(user);
        if (user !== name) list.addNote(`${user} has come`);
      },
      leave: ({ data }) => {
        const { user } = JSON.parse(data);
        people.delete(user);
        list.addNote(`${user} has left`);
      },
      typing: ({ data }) => people.isTyping(JSON.parse(data).from),
    },
    onState: (state) => {
      show(state);
      // If this fails, so does the stream, and both are tried again.
      if (state === 'live') people.load(`${base}/people`).catch(() => {});
    },
    onRefused: shutIfForbidden,
  });
}

/** Finds out why the stream was refused, which an EventSource does not tell: a request beside it gets the same status. */
async function shutIfForbidden() {
  const response = await fetch(`${base}/people`).catch(() => undefined);
  if (response?.status !== 403) return;
  stream.close();
  show('locked');
  door.shut();
}

from.addEventListener('change', () => {
  if (me() === name) return;
  localStorage.setItem('chat-name', me());
  // The server identifies the user of a stream only when it opens.
  enter();
});

composer.addEventListener('submit', async (event) => {
  event.preventDefault();
  const message = { from: from.value, text: text.value };
  problem.textContent = await postJson(`${base}/messages`, message);
  if (problem.textContent !== '') return;
  // Text typed meanwhile is the next message. This one comes back through the stream, as it does for everybody.
  if (text.value === message.text) text.value = '';
  noticedAt = 0;
  text.focus();
});

let noticedAt = 0;
text.addEventListener('input', () => {
  const isDue = noticedAt === 0 || performance.now() - noticedAt > TYPING_NOTICES;
  if (!isDue || me() === '' || text.value.trim() === '') return;
  noticedAt = performance.now();
  // A failure is ignored: the notice would expire anyway.
  void postJson(`${base}/typing`, { from: me() });
});

text.addEventListener('keydown', (event) => {
  // While a word is being composed (Chinese, Japanese, ...) Enter belongs to the input method.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  composer.requestSubmit();
});

/** The field for another room validates the name. */
function isRoom(name) {
  const field = document.querySelector('#room');
  field.value = name;
  const isValid = field.checkValidity() && name.length <= field.maxLength;
  field.value = '';
  return isValid;
}
