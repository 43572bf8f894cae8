/**
 * Sends a request of the page, with JSON or without a body.
 *
 * @param {'POST' | 'DELETE'} method
 * @param {string} path
 * @param {unknown} [body] any JSON value
 * @returns {Promise<{ answer?: any, problem: string }>} the JSON of the answer, where there is one; what went wrong, or
 * nothing
 */
export async function request(method, path, body) {
  try {
    const response = await fetch(path, {
      method,
      ...(body !== undefined && {
        headers: { 'Content-Type': 'application/json' },
        body: JSON.stringify(body),
      }),
    });
    const answer = response.status === 204 ? undefined : await response.json();
    return {
      answer,
      problem: response.ok ? '' : (answer.message ?? `The server answered ${response.status}.`),
    };
  } catch {
    return { problem: 'The server cannot be reached. What you typed is still here: try again.' };
  }
}
