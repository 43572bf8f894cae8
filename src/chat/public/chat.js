import { connect } from 'nestjs-sse-hub/client';
import { showState } from '/connection-state.js';
import { Door } from '/chat-door.js';
import { MessageList } from '/chat-list.js';
import { People } from '/chat-people.js';
import { request } from '/request.js';

/** Milliseconds between two notices that somebody is typing. */
const TYPING_NOTICES = 2_000;

const room = new URLSearchParams(location.search).get('room') || 'lobby';
const base = `/chat/rooms/${encodeURIComponent(room)}`;
const composer = document.querySelector('#composer');
const { from, text } = composer.elements;
const problem = document.querySelector('#problem');

document.querySelector('#room-name').textContent = room;
document.title = `${room} · Chat · nestjs-sse-hub`;
from.value = localStorage.getItem('chat-name') ?? '';

const me = () => from.value.trim();
const list = new MessageList({ isMine: (message) => message.from === me() });
const people = new People({ me });
const door = new Door({ key: `${base}/key`, onOpen: enter });
let client;
/** The name of this user in the room. */
let name = '';

if (isRoom(room)) enter();
else showState({ kind: 'closed' }, 'There can be no such room');

function enter() {
  const lastEventId = client?.lastEventId ?? '';
  client?.close();
  name = me();
  client = connect(`${base}/messages${name && `?name=${encodeURIComponent(name)}`}`, {
    lastEventId,
    onGap: () => list.addGap(),
  });
  client.subscribe(follow);
  client.on('message', (message) => {
    list.add(message);
    people.hasTyped(message.from);
  });
  client.on('join', ({ user }) => {
    people.add(user);
    if (user !== name) list.addNote(`${user} has come`);
  });
  client.on('leave', ({ user }) => {
    people.delete(user);
    list.addNote(`${user} has left`);
  });
  client.on('typing', ({ from }) => people.isTyping(from));
  follow();
}

function follow() {
  const { state } = client;
  const isLocked = state.kind === 'closed' && state.status === 403;
  showState(state, isLocked ? 'locked' : undefined);
  if (isLocked) door.shut();
  // If this fails, so does the stream, and both are tried again.
  if (state.kind === 'open') people.load(`${base}/people`).catch(() => {});
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
  problem.textContent = (await request('POST', `${base}/messages`, message)).problem;
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
  void request('POST', `${base}/typing`, { from: me() });
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
