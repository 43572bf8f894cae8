import { openStream, showState } from '/stream.js';
import { MessageList } from '/chat-list.js';

const room = new URLSearchParams(location.search).get('room') || 'lobby';
const endpoint = `/chat/rooms/${encodeURIComponent(room)}/messages`;
const composer = document.querySelector('#composer');
const { from, text } = composer.elements;
const problem = document.querySelector('#problem');

document.querySelector('#room-name').textContent = room;
document.title = `${room} · Chat · nestjs-sse-hub`;
from.value = localStorage.getItem('chat-name') ?? '';

const list = new MessageList({ isMine: (message) => message.from === from.value.trim() });

if (isRoom(room)) {
  openStream(endpoint, {
    on: {
      message: (event) => list.add(JSON.parse(event.data)),
      gap: () => list.addGap(),
    },
    onState: showState(document.querySelector('#state')),
  });
} else {
  document.querySelector('#state').textContent = 'There can be no such room';
}

composer.addEventListener('submit', async (event) => {
  event.preventDefault();
  const message = { from: from.value, text: text.value };
  problem.textContent = await post(message);
  if (problem.textContent !== '') return;
  localStorage.setItem('chat-name', message.from.trim());
  // What has been typed since is the next message. This one comes back by the stream, as it does to the others.
  if (text.value === message.text) text.value = '';
  text.focus();
});

text.addEventListener('keydown', (event) => {
  // While a word is being composed (Chinese, Japanese, ...) Enter belongs to the input method.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  composer.requestSubmit();
});

/** The field for another room knows what a room may be called. */
function isRoom(name) {
  const field = document.querySelector('#room');
  field.value = name;
  const isValid = field.checkValidity() && name.length <= field.maxLength;
  field.value = '';
  return isValid;
}

/** @returns what went wrong, or nothing. */
async function post(message) {
  try {
    const response = await fetch(endpoint, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(message),
    });
    return response.ok ? '' : ((await response.json()).message ?? `The server answered ${response.status}.`);
  } catch {
    return 'The server cannot be reached. Your message is still here: try again.';
  }
}
