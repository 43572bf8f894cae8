import { connect } from 'nestjs-sse-hub/client';
import { showState } from '/connection-state.js';
import { ImportView } from '/jobs-import.js';
import { request } from '/request.js';

const start = document.querySelector('#start');
const cancel = document.querySelector('#cancel');
const problem = document.querySelector('#problem');
const connection = document.querySelector('#connection');
const view = new ImportView();
let client;

/** The import that the address names, so that a reload, a link and a second tab show the same one. */
const importId = () => location.hash.slice(1);

const pathOf = (id) => `/jobs/imports/${encodeURIComponent(id)}`;

function follow() {
  client?.close();
  view.clear();
  connection.hidden = importId() === '';
  if (connection.hidden) return;
  client = connect(`${pathOf(importId())}/events`);
  client.on('progress', (progress) => view.showProgress(progress));
  for (const type of ['done', 'cancelled', 'failed']) client.on(type, (end) => view.showEnd(type, end));
  client.subscribe(showConnection);
  showConnection();
}

function showConnection() {
  const { state } = client;
  showState(state);
  if (state.kind === 'closed' && state.reason === 'refused') view.showLoss();
}

start.addEventListener('submit', async (event) => {
  event.preventDefault();
  const { file } = start.elements;
  const started = await request('POST', '/jobs/imports', { file: file.value });
  problem.textContent = started.problem;
  if (started.problem === '') location.hash = started.answer.id;
});

cancel.addEventListener('click', async () => {
  // The import's last event says that it is cancelled, to all who watch it.
  problem.textContent = (await request('DELETE', pathOf(importId()))).problem;
});

addEventListener('hashchange', follow);
follow();
