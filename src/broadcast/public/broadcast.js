import { connect } from 'nestjs-sse-hub/client';
import { showState } from '/connection-state.js';
import { request } from '/request.js';
import { ClientList } from '/broadcast-clients.js';

const MOST_SHOWN = 100;

const form = document.querySelector('#send');
const problem = document.querySelector('#problem');
const result = document.querySelector('#result');
const events = document.querySelector('#events');
const ticks = document.querySelector('#ticks');
const clients = new ClientList();

// The data are shown as they were sent, so they are not parsed.
const client = connect('/broadcast/events', { parse: (text) => text });
client.subscribe(() => {
  showState(client.state);
  if (client.state.kind === 'open') void clients.refresh();
});
void showEvents();

/** Shows every event, whatever its type. */
async function showEvents() {
  let lastId = '';
  for await (const { type, data, id } of client) {
    void clients.refresh();
    // An event without an id leaves the last one as it is.
    if (type !== 'tick' || ticks.checked) show({ type, data, id: id === lastId ? undefined : id });
    lastId = id;
  }
}

form.addEventListener('submit', async (event) => {
  event.preventDefault();
  result.textContent = '';
  try {
    const sent = await request('POST', '/broadcast/events', readForm());
    problem.textContent = sent.problem;
    if (sent.problem !== '') return;
    const { clients } = sent.answer;
    result.textContent = `Sent to ${clients} ${clients === 1 ? 'client' : 'clients'}.`;
  } catch (error) {
    problem.textContent = error.message;
  }
});

/** Leaves out empty fields: an event without an id has no id line. */
function readForm() {
  const { type, id, data, format } = form.elements;
  return {
    ...(type.value !== '' && { type: type.value }),
    ...(id.value !== '' && { id: id.value }),
    data: format.value === 'json' ? parseJson(data.value) : data.value,
  };
}

function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`The data is not JSON: ${error.message}`, { cause: error });
  }
}

/** The newest is on top. */
function show({ type, id, data }) {
  const about = document.createElement('p');
  const now = new Date();
  about.append(
    element('span', 'type', type),
    element('span', id === undefined ? 'id none' : 'id', id === undefined ? 'no id' : `id ${id}`),
    element('time', 'when', now.toLocaleTimeString()),
  );
  const item = document.createElement('li');
  item.append(about, element('pre', 'data', data));
  events.prepend(item);
  while (events.childElementCount > MOST_SHOWN) events.lastElementChild.remove();
  document.querySelector('#empty').hidden = true;
}

function element(name, className, text) {
  const made = document.createElement(name);
  made.className = className;
  made.textContent = text;
  return made;
}
