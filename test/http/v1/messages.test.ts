import { type CoreServer, startCore } from '../../support/core-server.ts'

const URL = 'https://video.example/watch'

let core: CoreServer
beforeAll(async () => {
  core = await startCore()
})
afterAll(() => core[Symbol.asyncDispose]())

async function refused(method: string, path: string, body?: string): Promise<readonly string[]> {
  const answer = await fetch(`${core.url}${path}`, {
    method,
    headers: { 'X-API-Key': core.admin, ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
    ...(body === undefined ? {} : { body }),
  })
  expect(answer.status).toBe(400)
  const { error } = (await answer.json()) as { error: { message: string; details: { message: string }[] } }
  return [error.message, ...error.details.map(({ message }) => message)]
}

/** Enough to mend the call without reading anything else. */
describe('a refusal says', () => {
  test.each([
    ['{url: "secret"}', ', from character 2 on'],
    [`{'url': 'secret'}`, ', from character 2 on'],
    ['{"url": "secret', ''],
  ])('where %s stops to be JSON, and nothing of what it says', async (body, where) => {
    const [message] = await refused('POST', '/v1/tasks', body)
    expect(message).toContain(`The body is not a valid JSON object${where}`)
    expect(message).toContain('double quotes')
    expect(message).not.toContain('secret')
  })

  test('where a key stands, when there is none', async () => {
    const answer = await core.call('GET', '/v1/me', { key: null, headers: { Authorization: core.admin } })
    const detail = { field: 'X-API-Key', message: 'The key stands in this header' }
    expect(answer).toMatchObject({
      status: 401,
      body: { error: { message: 'No API key provided', details: [detail] } },
    })
  })

  test.each([
    [
      'POST',
      '/v1/tasks',
      { URL, format: 'mp4' },
      /^URL is not a field of this call, which has .*\burl\b.*\bcontainer\b/,
    ],
    ['GET', '/v1/tasks?state=completed', undefined, /^state is not a field of this call, which has .*\bstatus\b/],
    ['GET', `/v1/info?url=${URL}?v=1&list=2`, undefined, /^list is not a field of this call, which has url\b/],
    ['POST', '/v1/tasks', { url: URL, kind: 'audio', container: 'mp4' }, /^container .* for audio: use audio_codec$/],
    ['POST', '/v1/tasks', { url: URL, audio_codec: 'mp3' }, /^audio_codec .* for video: use container, or kind audio$/],
    ['POST', '/v1/keys', { name: 'bob', permissions: ['video'] }, /^permissions\b.* must be one of .*\bget_video\b/],
  ])('what %s %s takes instead of what was sent: %j', async (method, path, body, message) => {
    const [told] = await refused(method, path, body === undefined ? undefined : JSON.stringify(body))
    expect(told).toMatch(message)
  })
})
