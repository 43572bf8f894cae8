/**
 * @param {string} path where to
 * @param {unknown} body any JSON value
 * @returns {Promise<string>} what went wrong, or nothing
 */
export async function postJson(path, body) {
  try {
    const response = await fetch(path, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
    });
    return response.ok ? '' : ((await response.json()).message ?? `The server answered ${response.status}.`);
  } catch {
    return 'The server cannot be reached. What you typed is still here: try again.';
  }
}
