import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { whenTestEnds } from '../../support/clean-up.js';
import { listen as open } from '../../support/open-stream.js';
import { bootApp, get, post, type BootedApp } from './booted-app.js';

const PASSWORD = ' open sesame ';

const boot = (password: string): Promise<BootedApp> => bootApp({ env: { CHAT_PASSWORD: password } });

const staffOf = ({ url }: BootedApp) => `${url}/chat/rooms/staff`;

const knock = (room: string, password: unknown): Promise<Response> =>
  fetch(`${room}/key`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ password }),
  });

/** The cookie for who knows the password. */
async function keyOf(room: string): Promise<string> {
  const response = await knock(room, PASSWORD);
  expect(response.status).toBe(204);
  return response.headers.get('set-cookie')!.split(';')[0]!;
}

const listen = (room: string, cookie = '') =>
  open(`${room}/messages?name=Mira`, { headers: { Cookie: cookie } });

describe('the room staff', () => {
  let booted: BootedApp;
  let staff: string;
  beforeAll(async () => {
    booted = await boot(PASSWORD);
    staff = staffOf(booted);
  });
  afterAll(() => booted.app.close());
  afterEach(() => booted.hub.purge('chat/staff'));

  const locked = { status: 403, body: { message: 'the room staff is behind a password' } };

  it('is shut for who has no key, to listen, to ask and to say', async () => {
    const answers = await Promise.all([
      get(`${staff}/people`),
      post(`${staff}/messages`, { from: 'Eve', text: 'let me in' }),
      post(`${staff}/typing`, { from: 'Eve' }),
      get(`${booted.url}/chat/rooms/%73taff/people`),
    ]);
    for (const answer of answers) expect(answer).toMatchObject(locked);
    for (const url of [staff, `${booted.url}/chat/rooms/%73taff`]) {
      const headers = { 'content-type': expect.stringMatching(/^application\/json/) };
      await expect(listen(url)).rejects.toMatchObject({ status: 403, headers });
    }
    expect((await booted.hub.history('chat/staff')).events).toEqual([]);
    expect(await booted.hub.presence('chat/staff/people')).toEqual([]);
  });

  it('opens with the password', async () => {
    const Cookie = `theme=dark; ${await keyOf(staff)}; more=1`;
    const reader = await listen(staff, Cookie);
    expect(await reader.next()).toMatchObject({ type: 'join', data: { user: 'Mira' } });
    expect(await get(`${staff}/people`, { Cookie })).toMatchObject({ status: 200, body: [{ user: 'Mira' }] });
    const { status } = await post(`${staff}/messages`, { from: 'Mira', text: 'among us' }, { Cookie });
    expect(status).toBe(201);
    expect(await reader.next()).toMatchObject({ data: { text: 'among us' } });
  });

  it('gives a key that scripts do not see and other sites do not send, for this room and for hours', async () => {
    const cookie = (await knock(staff, PASSWORD)).headers.get('set-cookie')!;
    expect(cookie).toMatch(
      /^chat-key=\d+\.[\w-]{43}; Max-Age=43200; Path=\/chat\/rooms\/staff; HttpOnly; SameSite=Strict$/,
    );
    expect(cookie).not.toContain('sesame');
  });

  it.each([
    ['open sesame', 403, 'this is not the password'],
    ['', 403, 'this is not the password'],
    [undefined, 400, 'password must be a string'],
    [[PASSWORD], 400, 'password must be a string'],
  ])('does not open with %j', async (password, status, message) => {
    const response = await knock(staff, password);
    expect(response.status).toBe(status);
    expect(await response.json()).toMatchObject({ message });
    expect(response.headers.get('set-cookie')).toBeNull();
  });

  it('does not open with a key that was changed or is over', async () => {
    const key = await keyOf(staff);
    const [, expiry = '', signature = ''] = /=(\d+)\.(.*)/.exec(key) ?? [];
    const last = signature.at(-1) === 'A' ? 'E' : 'A';
    for (const cookie of [
      `chat-key=${Number(expiry) + 1}.${signature}`,
      `chat-key=${expiry}.${signature.slice(0, -1)}${last}`,
      `chat-key=${expiry}.`,
      `chat-key=9999999999999.x`,
      `not-chat-key=${expiry}.${signature}`,
      'chat-key=',
    ]) {
      await expect(listen(staff, cookie)).rejects.toMatchObject({ status: 403 });
    }
    const late = Number(expiry) + 1;
    const { now } = Date;
    Date.now = () => late;
    whenTestEnds(() => (Date.now = now));
    await expect(listen(staff, key)).rejects.toMatchObject({ status: 403 });
  });

  it('takes the key of an instance with the same password, and of no other', async () => {
    const [same, another] = [await boot(PASSWORD), await boot('another')];
    whenTestEnds(() => Promise.all([same.app.close(), another.app.close()]));
    const key = await keyOf(staff);
    expect((await listen(staffOf(same), key)).status).toBe(200);
    await expect(listen(staffOf(another), key)).rejects.toMatchObject({ status: 403 });
  });

  it('is the only one with a password', async () => {
    const response = await knock(`${booted.url}/chat/rooms/lobby`, PASSWORD);
    expect(response.status).toBe(403);
    expect(await response.json()).toMatchObject({ message: 'the room lobby has no password' });
  });
});

it('is shut for everybody where no password is set', async () => {
  const booted = await bootApp();
  whenTestEnds(() => booted.app.close());
  const response = await knock(staffOf(booted), '');
  expect(response.status).toBe(403);
  expect(await response.json()).toMatchObject({
    message: 'nobody may enter: the server was started without CHAT_PASSWORD',
  });
  await expect(listen(staffOf(booted), 'chat-key=9999999999999.x')).rejects.toMatchObject({ status: 403 });
});
