import { STATUS_CODES } from 'node:http'
import { startCore, type CallOptions, type CoreServer } from '../../support/core-server.ts'

const PROBLEM = 'application/problem+json'
const JSON_TYPE = { 'Content-Type': 'application/json' }

/** A call that is refused, and what with. */
const REFUSED: readonly (readonly [status: number, code: string, call: string, options: CallOptions])[] = [
  [400, 'invalid_request', 'POST /v1/tasks', { body: { url: 'https://video.example/', colour: 'red' } }],
  [400, 'invalid_request', 'GET /v1/tasks?limit=0', {}],
  [400, 'malformed_body', 'POST /v1/tasks', { body: '{"url":', headers: JSON_TYPE }],
  [400, 'malformed_body', 'GET /v1/tasks/%E0%A4%A', {}],
  [401, 'key_missing', 'GET /v1/tasks', { key: null }],
  [401, 'key_invalid', 'GET /v1/tasks', { key: 'nobody' }],
  [404, 'task_not_found', 'GET /v1/tasks/none', {}],
  [404, 'route_not_found', 'GET /v1/nothing', {}],
  [405, 'method_not_allowed', 'PUT /v1/tasks', {}],
  [413, 'body_too_large', 'POST /v1/tasks', { body: { url: 'a'.repeat(1_100_000) } }],
  [415, 'unsupported_media_type', 'POST /v1/tasks', { body: 'x', headers: { 'Content-Type': 'text/plain' } }],
]

describe('an error', () => {
  let core: CoreServer

  beforeAll(async () => {
    core = await startCore()
  })

  afterAll(() => core[Symbol.asyncDispose]())

  const call = (line: string, { headers, ...options }: CallOptions, accept: string) => {
    const [method = '', path = ''] = line.split(' ')
    return core.call(method, path, { ...options, headers: { ...headers, Accept: accept } })
  }

  test.each(REFUSED)('%i %s is a problem by RFC 9457 to who asks for that', async (status, code, line, options) => {
    const answer = await call(line, options, PROBLEM)
    expect(answer.headers.get('content-type')).toMatch(/^application\/problem\+json/)
    const { detail, errors, ...rest } = answer.body
    expect(rest).toEqual({ type: 'about:blank', title: STATUS_CODES[status], status, code })
    const plain = await call(line, options, '*/*')
    expect(plain.headers.get('content-type')).toMatch(/^application\/json/)
    expect(plain.status).toBe(status)
    expect(plain.body).toEqual({ error: { code, message: detail, details: errors } })
  })
})
