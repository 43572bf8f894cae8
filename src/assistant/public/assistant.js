import { connect } from 'nestjs-sse-hub/client';
import { showState } from '/connection-state.js';
import { AnswerView } from '/assistant-answer.js';
import { request } from '/request.js';

const ask = document.querySelector('#ask');
const stop = document.querySelector('#stop');
const problem = document.querySelector('#problem');
const connection = document.querySelector('#connection');
const view = new AnswerView();
let client;

/** The answer that the address names, so that a reload, a link and a second tab show the same one. */
const answerId = () => location.hash.slice(1);

const pathOf = (id) => `/assistant/answers/${encodeURIComponent(id)}`;

function follow() {
  client?.close();
  view.clear();
  connection.hidden = answerId() === '';
  if (connection.hidden) return;
  client = connect(`${pathOf(answerId())}/events`);
  client.on('question', (question) => view.begin(question));
  client.on('words', (words) => view.add(words));
  client.on('done', () => view.end('done', ''));
  client.on('stopped', () => view.end('stopped', 'Stopped.'));
  client.on('failed', (reason) => view.end('failed', reason));
  client.subscribe(showConnection);
  showConnection();
}

function showConnection() {
  const { state } = client;
  showState(state);
  if (state.kind === 'closed' && state.reason === 'refused')
    view.end('failed', 'The server does not have this answer, or no longer.');
}

ask.addEventListener('submit', async (event) => {
  event.preventDefault();
  const { question } = ask.elements;
  const asked = await request('POST', '/assistant/answers', { question: question.value });
  problem.textContent = asked.problem;
  if (asked.problem !== '') return;
  question.value = '';
  location.hash = asked.answer.id;
});

stop.addEventListener('click', async () => {
  // The last event says that the answer is stopped, to all who read it.
  problem.textContent = (await request('DELETE', pathOf(answerId()))).problem;
});

addEventListener('hashchange', follow);
follow();
