import { connect } from 'nestjs-sse-hub/client';
import { showState } from '/connection-state.js';
import { InboxView } from '/notifications-inbox.js';
import { request } from '/request.js';

const user = new URLSearchParams(location.search).get('user') || localStorage.getItem('chat-name') || 'Mira';
const pathOf = (name) => `/notifications/${encodeURIComponent(name)}`;
const send = document.querySelector('#send');
const problem = document.querySelector('#problem');
const result = document.querySelector('#result');

document.querySelector('#user').value = user;
document.querySelector('#inbox-title').textContent = `Inbox of ${user}`;
send.elements.to.value = user;

// Shown as read when the stream says so, in all tabs at once.
const markRead = async (id) => {
  problem.textContent = (await request('POST', `${pathOf(user)}/read`, { id })).problem;
};
const inbox = new InboxView({ onRead: markRead });
document.querySelector('#read-all').addEventListener('click', () => markRead());

const client = connect(`${pathOf(user)}/events`, {
  onSnapshot: ({ state }) => inbox.replace(state),
});
client.on('notification', (notification) => inbox.add(notification));
client.on('read', ({ ids }) => inbox.setRead(ids));
client.subscribe(() => showState(client.state));

send.addEventListener('submit', async (event) => {
  event.preventDefault();
  const { to, text } = send.elements;
  const sent = await request('POST', pathOf(to.value), { text: text.value });
  problem.textContent = sent.problem;
  result.textContent = sent.problem === '' ? `Sent to ${to.value}.` : '';
  if (sent.problem === '') text.value = '';
  text.focus();
});
