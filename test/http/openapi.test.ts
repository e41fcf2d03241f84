import { createConfig, lintFromString } from '@redocly/openapi-core'
import { coreEndpoints } from '../../src/http/core/index.ts'
import { describeApi } from '../../src/http/description.ts'
import { easydownEndpoints } from '../../src/http/easydown/index.ts'
import { mediaProxyEndpoint } from '../../src/http/media-proxy/index.ts'
import { mezdiaEndpoints } from '../../src/http/mezdia/index.ts'
import { documentPath } from '../../src/http/openapi.ts'
import { opsEndpoints } from '../../src/http/ops/index.ts'
import { picoshotEndpoints } from '../../src/http/picoshot/index.ts'
import { v1Routes } from '../../src/http/v1/index.ts'
import { startCore } from '../support/core-server.ts'
import { checkAnswer } from '../support/openapi.ts'

type Parameter = Readonly<{ name: string; in: string; description?: string }>
type Operation = Readonly<{
  operationId: string
  summary?: string
  tags?: readonly string[]
  parameters?: readonly Parameter[]
  responses: Readonly<Record<string, unknown>>
  requestBody?: Readonly<{ content: Record<string, { schema: object; examples?: Record<string, { value: unknown }> }> }>
}>

const document = JSON.parse(JSON.stringify(describeApi())) as {
  paths: Record<string, Record<string, Operation>>
  tags: { name: string; description?: string }[]
  components: { schemas: Record<string, object> }
}
const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, operation]) => ({ name: `${method} ${path}`, operation })),
)

/** What the lint would have otherwise: an operation that refuses nobody, such as `/health`. */
const NOT_OURS = ['operation-4xx-response'] as const

test('the description is a valid one, and the lint has nothing to say', async () => {
  const config = await createConfig({
    extends: ['recommended'],
    rules: Object.fromEntries(NOT_OURS.map((rule) => [rule, 'off'])),
  })
  const problems = await lintFromString({ source: JSON.stringify(document), config })
  expect(problems.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer])).toEqual([])
})

test('every endpoint of every face is described, and nothing else', () => {
  const faces = [
    ['/v1', v1Routes],
    ['', coreEndpoints],
    ['', opsEndpoints],
    ['', picoshotEndpoints],
    ['/compat/picoshot', [...picoshotEndpoints, mediaProxyEndpoint]],
    ['', [...easydownEndpoints, mediaProxyEndpoint]],
    ['/compat/easydown', [...easydownEndpoints, mediaProxyEndpoint]],
    ['/compat/mezdia', mezdiaEndpoints],
  ] as const
  const wanted = faces.flatMap(([prefix, endpoints]) =>
    endpoints.map(({ method, path }) => `${method} ${documentPath(prefix, path)}`),
  )
  expect(operations.map(({ name }) => name).toSorted()).toEqual(wanted.toSorted())
})

test.each(operations)('$name says what it is for and what it answers', ({ operation }) => {
  expect(operation.summary).toMatch(/^[A-Z].*[^.]$/)
  expect(operation.tags).toHaveLength(1)
  expect(Object.keys(operation.responses).filter((status) => /^[23]/.test(status))).not.toEqual([])
  const bare = (operation.parameters ?? []).filter(({ description }) => !description)
  expect(bare.map(({ name }) => name)).toEqual([])
})

test('every section has a description and is used, in the order of the faces', () => {
  expect(document.tags.filter(({ description }) => !description)).toEqual([])
  const used = new Set(operations.flatMap(({ operation }) => operation.tags ?? []))
  expect(new Set(document.tags.map(({ name }) => name))).toEqual(used)
})

test('no field is of any type at all', () => {
  const isTyped = (schema: object) =>
    ['type', '$ref', 'anyOf', 'oneOf', 'allOf', 'enum', 'const'].some((word) => word in schema)
  const untyped: string[] = []
  const walk = (value: unknown, trail: string): void => {
    if (typeof value !== 'object' || value === null) return
    for (const [name, inner] of Object.entries(value)) {
      if (name === 'properties')
        for (const [field, schema] of Object.entries(inner as Record<string, object>))
          if (!isTyped(schema)) untyped.push(`${trail}.${field}`)
      if (name !== 'example' && name !== 'examples') walk(inner, `${trail}.${name}`)
    }
  }
  walk(document, '')
  expect(untyped).toEqual([])
})

test('no bound is one of the machine alone', () => {
  expect(JSON.stringify(document)).not.toContain(String(Number.MAX_SAFE_INTEGER))
})

test('operations have names of their own', () => {
  const ids = operations.map(({ operation }) => operation.operationId)
  expect(new Set(ids).size).toBe(ids.length)
})

test('examples of bodies are accepted by the schema of their endpoint', () => {
  const endpoints = [...v1Routes, ...coreEndpoints]
  const refused = endpoints.flatMap(({ method, path, body, doc }) =>
    Object.entries(doc?.examples ?? {})
      .filter(([, value]) => body?.safeParse(value).success !== true)
      .map(([summary]) => `${method} ${path}: ${summary}`),
  )
  expect(refused).toEqual([])
})

describe('the check of answers', () => {
  const answer = { method: 'GET', path: '/ready', status: 200, contentType: 'application/json' }

  test.each([
    ['a field that is not described', { ...answer, text: '{"ready":true,"reasons":[],"more":1}' }, 'additional'],
    ['a field that is missing', { ...answer, text: '{"ready":true}' }, 'reasons'],
    ['a field of another type', { ...answer, text: '{"ready":"yes","reasons":[]}' }, 'boolean'],
    ['a status that is not described', { ...answer, status: 201, text: '{}' }, 'not described'],
    ['another media type', { ...answer, contentType: 'text/html', text: '<p>' }, 'text/html'],
    [
      'an error of another shape',
      { ...answer, path: '/v1/tasks/x/cancel', method: 'POST', status: 404, text: '{"error":"no"}' },
      'error',
    ],
    ['an endpoint that nobody described', { ...answer, path: '/v1/secret', text: '{}' }, 'not described'],
  ])('finds %s', (_what, seen, word) => {
    expect(() => checkAnswer(seen)).toThrow(word)
  })

  test('lets through what is described', () => {
    expect(() => checkAnswer({ ...answer, text: '{"ready":true,"reasons":[]}' })).not.toThrow()
    expect(() => checkAnswer({ ...answer, path: '/nowhere', status: 404, text: '{"error":"Not found"}' })).not.toThrow()
  })
})

describe('what is served of it', () => {
  test('the document, without a key, once made and not again', async () => {
    await using core = await startCore()
    const first = await core.call('GET', '/openapi.json', { key: null })
    expect(first).toMatchObject({ status: 200, body: { openapi: '3.1.1', servers: [{ url: '.' }] } })
    expect(first.body['paths']).toEqual(document.paths)
    const etag = first.headers.get('etag') ?? ''
    const again = await core.call('GET', '/openapi.json', { key: null, headers: { 'If-None-Match': etag } })
    expect([again.status, again.text]).toEqual([304, ''])
  })

  test('the page, whose addresses are all relative and all our own', async () => {
    await using core = await startCore()
    const get = (path: string) => core.call('GET', path, { key: null })
    const redirect = await get('/docs')
    expect([redirect.status, redirect.headers.get('location')]).toEqual([308, 'docs/'])
    const page = await get('/docs/')
    expect(page.headers.get('content-security-policy')).toContain(
      "default-src 'none'; script-src 'self'; style-src 'self'",
    )
    expect(page.headers.get('content-security-policy')).not.toContain('unsafe')
    const links = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, link = '']) => link)
    expect(links).toEqual(['favicon-32x32.png', 'swagger-ui.css', 'swagger-ui-bundle.js', 'start.js'])
    expect(page.text).not.toMatch(/<script>|style=|\son\w+=/)
    for (const link of links) {
      const file = await get(`/docs/${link}`)
      expect([file.status, file.headers.get('cache-control')]).toEqual([200, 'public, max-age=3600'])
    }
    expect((await get('/docs/start.js')).text).toContain("url: '../openapi.json'")
  })

  test('no other file of the package, and nothing outside it', async () => {
    await using core = await startCore()
    for (const path of [
      'package.json',
      'swagger-initializer.js',
      '..%2fpackage.json',
      'constructor',
      '%',
      'index.html/x',
    ])
      expect((await core.call('GET', `/docs/${path}`, { key: null })).status).toBeGreaterThanOrEqual(400)
    expect((await core.call('POST', '/docs/', { key: null })).status).toBe(405)
    expect((await core.call('DELETE', '/openapi.json', { key: null })).status).toBe(405)
  })
})
