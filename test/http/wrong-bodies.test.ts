import fc from 'fast-check'
import { describeApi } from '../../src/http/description.ts'
import { startCore, type CoreServer } from '../support/core-server.ts'

/** As far as the description uses JSON Schema. */
type Schema = Readonly<{
  $ref?: string
  type?: string | readonly string[]
  anyOf?: readonly Schema[]
  oneOf?: readonly Schema[]
  properties?: Readonly<Record<string, Schema>>
  required?: readonly string[]
  additionalProperties?: unknown
  items?: Schema
  enum?: readonly unknown[]
  const?: unknown
  format?: string
  minimum?: number
  maximum?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
  example?: unknown
}>

type Operation = Readonly<{
  requestBody?: Readonly<{ content: Readonly<Record<string, Readonly<{ schema: Schema }>>> }>
}>

const description = JSON.parse(JSON.stringify(describeApi())) as {
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Schema> }
}

/** Every endpoint that takes a body. */
const ENDPOINTS = Object.entries(description.paths).flatMap(([path, operations]) =>
  Object.entries(operations).flatMap(([method, { requestBody }]) => {
    const schema = requestBody?.content['application/json']?.schema
    const sent = { method: method.toUpperCase(), path: path.replaceAll(/\{\w+\}/g, 'site.example') }
    return schema === undefined ? [] : [{ name: `${sent.method} ${path}`, ...sent, schema }]
  }),
)

/** The shapes that a value may have, one type each. */
function shapesOf(schema: Schema): Schema[] {
  if (schema.$ref !== undefined)
    return shapesOf(description.components.schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {})
  const several = schema.anyOf ?? schema.oneOf
  if (several !== undefined) return several.flatMap(shapesOf)
  return Array.isArray(schema.type) ? schema.type.map((type: string) => ({ ...schema, type })) : [schema]
}

/** A value with no more in it than there has to be. */
function leastOf(schema: Schema): unknown {
  const shape = shapesOf(schema)[0] ?? {}
  if (schema.example !== undefined) return schema.example
  const [word] = wordsOf(shape)
  if (word !== undefined) return word
  const { required = [], properties = {}, items = {}, minimum = 1, minItems = 0 } = shape
  const values: Readonly<Record<string, unknown>> = {
    object: Object.fromEntries(required.map((name) => [name, leastOf(properties[name] ?? {})])),
    array: minItems > 0 ? [leastOf(items)] : [],
    integer: minimum,
    number: minimum,
    boolean: true,
    string: 'https://site.example/',
  }
  return values[String(shape.type)] ?? null
}

/** The words that a value may be, where it is not free. */
const wordsOf = ({ enum: words, const: word }: Schema) => words ?? (word === undefined ? [] : [word])

const OF_TYPES: readonly (readonly [type: string, value: unknown])[] = [
  ['null', null],
  ['boolean', true],
  ['string', 'something else'],
  ['number', 12.5],
  ['array', []],
  ['object', {}],
]

/** Values that the schema does not have. */
function* wrongFor(schema: Schema): Generator {
  const shapes = shapesOf(schema)
  const types = new Set(shapes.map((shape) => shape.type ?? typeof wordsOf(shape)[0]))
  for (const [type, value] of OF_TYPES) {
    if (!types.has(type)) yield value
  }
  yield* wrongTexts(shapes.filter(({ type }) => type === 'string'))
  for (const { minimum, maximum } of shapes) {
    if (minimum !== undefined) yield minimum - 1
    if (maximum !== undefined) yield maximum + 1
  }
  for (const { minItems = 0, maxItems, items = {} } of shapes.filter(({ type }) => type === 'array')) {
    if (minItems > 0) yield []
    if (maxItems !== undefined) yield Array.from({ length: maxItems + 1 }, () => leastOf(items))
  }
}

function* wrongTexts(shapes: readonly Schema[]): Generator {
  const areBound = shapes.every((shape) => wordsOf(shape).length > 0 || shape.format !== undefined)
  if (shapes.length > 0 && areBound) yield 'no such word'
  const longest = Math.max(0, ...shapes.map(({ maxLength }) => maxLength ?? (areBound ? 0 : Infinity)))
  if (longest > 0 && longest < Infinity) yield 'a'.repeat(longest + 1)
}

type Wrong = Readonly<{ body: unknown; field: string }>

/** Bodies with one fault each, and the field it is in. */
function* faultsIn(schema: Schema, place: (value: unknown) => unknown, path: readonly string[]): Generator<Wrong> {
  for (const shape of shapesOf(schema)) {
    const least = leastOf(shape)
    if (shape.additionalProperties === false) {
      yield { body: place({ ...(least as object), no_such_field: 1 }), field: [...path, 'no_such_field'].join('.') }
    }
    for (const [name, property] of Object.entries(shape.properties ?? {})) {
      const inside = (value: unknown) => place({ ...(least as object), [name]: value })
      for (const wrong of wrongFor(property)) yield { body: inside(wrong), field: [...path, name].join('.') }
      yield* faultsIn(property, inside, [...path, name])
    }
    if (shape.items === undefined) continue
    const first = [...path, '0']
    for (const wrong of wrongFor(shape.items)) yield { body: place([wrong]), field: first.join('.') }
    yield* faultsIn(shape.items, (value) => place([value]), first)
  }
}

type Fault = Readonly<{ field: string; message: string }>

const detailsOf = (body: Readonly<Record<string, unknown>>) => {
  const { code, details } = (body['error'] ?? {}) as { code?: string; details?: readonly Fault[] }
  return { code, details: details ?? [] }
}

describe('a body with something wrong in it', () => {
  let core: CoreServer

  beforeAll(async () => {
    core = await startCore()
  })

  afterAll(() => core[Symbol.asyncDispose]())

  test.each(ENDPOINTS.filter(({ path }) => path.startsWith('/v1/')))(
    '$name: each wrong value is refused with the name of its field',
    async ({ method, path, schema }) => {
      const faults = [...faultsIn(schema, (value) => value, [])]
      expect(faults.length).toBeGreaterThan(3)
      for (const { body, field } of faults) {
        const answer = await core.call(method, path, { body })
        const sent = JSON.stringify(body)
        if (answer.status === 413 && sent.length > 16_000) continue
        const { code, details } = detailsOf(answer.body)
        const named = details.map((detail) => detail.field)
        const seen = { sent: sent.slice(0, 200), status: answer.status, code, named }
        const isNamed = named.some((name) => name === field || name.startsWith(`${field}.`))
        expect({ ...seen, isNamed }).toEqual({ ...seen, status: 400, code: 'invalid_request', isNamed: true })
      }
    },
  )

  test.each(ENDPOINTS)('$name: whatever is sent, it is refused or done', async ({ method, path, schema }) => {
    const names = shapesOf(schema).flatMap(({ properties = {} }) => Object.keys(properties))
    const value = fc.oneof(
      { weight: 3, arbitrary: fc.jsonValue({ maxDepth: 3 }) },
      { weight: 1, arbitrary: fc.string() },
    )
    const body = fc.oneof(
      { weight: 8, arbitrary: fc.dictionary(fc.constantFrom(...names), value, { maxKeys: 6, noNullPrototype: true }) },
      { weight: 1, arbitrary: fc.jsonValue() },
    )
    await fc.assert(
      fc.asyncProperty(body, async (sent) => {
        const { status, body: answer } = await core.call(method, path, { body: JSON.stringify(sent) })
        expect(status).toBeLessThan(500)
        const { code, details } = detailsOf(answer)
        if (code === 'invalid_request') expect(details.length).toBeGreaterThan(0)
      }),
      { numRuns: 120 },
    )
  })
})
