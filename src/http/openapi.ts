import { STATUS_CODES } from 'node:http'
import { z } from 'zod'
import { createDocument, type oas31, type ZodOpenApiObject, type ZodOpenApiOperationObject } from 'zod-openapi'
import { VERSION } from '../version.ts'
import type { Endpoint, RouteDoc } from './route.ts'

/** One HTTP shape with all its endpoints. */
export type Face = Readonly<{
  /** What stands before every path. */
  prefix: string
  endpoints: readonly Endpoint[]
  /** Ways to show a key, by the names of `SECURITY_SCHEMES`. */
  security: readonly (keyof typeof SECURITY_SCHEMES)[]
  /** The body of every error, by media type. */
  errors: Readonly<{ id: string; content: Readonly<Record<string, z.ZodType>> }>
}>

/** A section of the description. */
export type Section = Readonly<{ name: string; description: string }>

/** What the whole API is described by. */
export type Description = Readonly<{ intro: string; sections: readonly Section[]; faces: readonly Face[] }>

export type ApiDocument = oas31.OpenAPIObject

const SECURITY_SCHEMES = {
  ApiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key', description: 'The value of a key' },
  Bearer: { type: 'http', scheme: 'bearer', description: 'The same value as `Authorization: Bearer`' },
} as const

/** The API as OpenAPI 3.1 has it: requests as clients may write them, answers as the daemon writes them. */
export function buildDocument({ intro, sections, faces }: Description): ApiDocument {
  const paths: NonNullable<ZodOpenApiObject['paths']> = {}
  const answers = new Map(faces.map((face) => [face.errors, errorAnswer(face)])) // one for faces that share their errors
  for (const face of faces) {
    const errors = answers.get(face.errors) ?? errorAnswer(face)
    for (const endpoint of face.endpoints) {
      const path = documentPath(face.prefix, endpoint.path)
      paths[path] = { ...paths[path], [endpoint.method]: operationOf(face, endpoint, errors) }
    }
  }
  return createDocument(
    {
      openapi: '3.1.1',
      info: { title: 'ytdlpd', version: VERSION, description: intro, license: { name: 'MIT', identifier: 'MIT' } },
      servers: [{ url: '.', description: 'The daemon that this description comes from' }],
      tags: usedSections(sections, faces),
      paths,
      components: { securitySchemes: SECURITY_SCHEMES },
    },
    { allowEmptySchema: { custom: true }, override: ({ jsonSchema }) => dropMachineBounds(jsonSchema) },
  )
}

/** Bounds that any number of JavaScript has: nothing to tell, and a page makes its examples of them. */
function dropMachineBounds(schema: { minimum?: number | undefined; maximum?: number | undefined }): void {
  if (schema.minimum === Number.MIN_SAFE_INTEGER) delete schema.minimum
  if (schema.maximum === Number.MAX_SAFE_INTEGER) delete schema.maximum
}

/** A path of ours as OpenAPI writes it. */
export const documentPath = (prefix: string, path: string): string =>
  `${prefix}${path}`.replaceAll(/:(\w+)/g, (_, name: string) => `{${name}}`)

type ErrorAnswer = Readonly<{ id: string; description: string; content: Record<string, { schema: z.ZodType }> }>

function errorAnswer({ errors }: Face): ErrorAnswer {
  const content = Object.entries(errors.content).map(([type, schema]) => [type, { schema }] as const)
  return { id: errors.id, description: 'The call was refused', content: Object.fromEntries(content) }
}

function operationOf(face: Face, endpoint: Endpoint, errors: ErrorAnswer): ZodOpenApiOperationObject {
  const { method, path, doc } = endpoint
  if (doc === undefined) throw new Error(`${method.toUpperCase()} ${face.prefix}${path} has no description`)
  return {
    operationId: operationId(method, documentPath(face.prefix, path)),
    tags: [doc.tag],
    summary: doc.summary,
    ...describe(endpoint, doc),
    security: securityOf(face, doc),
    ...parametersOf(endpoint, doc),
    ...bodyOf(endpoint, doc),
    responses: answersOf(endpoint, doc, errors),
  }
}

/** `get` and `/v1/tasks/{id}/events` make `getV1TasksIdEvents`. */
function operationId(method: string, path: string): string {
  const words = path.split(/[^A-Za-z0-9]+/).filter((word) => word !== '')
  return method + words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join('')
}

function describe({ permission, counts }: Endpoint, { description, keyless }: RouteDoc): { description?: string } {
  const notes = [
    ...(permission === null ? [] : [`Needs the permission \`${permission}\`.`]),
    ...((counts ?? permission !== null) ? ['Counts against the rate limit of the key.'] : []),
    ...(keyless === undefined ? [] : [keyless === 'always' ? 'Needs no key.' : keyless]),
  ]
  const text = [description, notes.join(' ')].filter(Boolean).join('\n\n')
  return text === '' ? {} : { description: text }
}

function securityOf({ security }: Face, { keyless }: RouteDoc): Record<string, string[]>[] {
  if (keyless === 'always') return []
  return [...(keyless === undefined ? [] : [{}]), ...security.map((name) => ({ [name]: [] }))]
}

function parametersOf({ path, params, query }: Endpoint, { headers = {} }: RouteDoc) {
  const names = [...path.matchAll(/:(\w+)/g)].map(([, name = '']) => name)
  const inPath =
    params ?? (names.length > 0 ? z.object(Object.fromEntries(names.map((name) => [name, z.string()]))) : null)
  return {
    requestParams: {
      ...(inPath ? { path: inPath as z.ZodObject } : {}),
      ...(query ? { query: query as z.ZodObject } : {}),
    },
    parameters: Object.entries(headers).map(([name, description]) => ({
      in: 'header' as const,
      name,
      description,
      schema: { type: 'string' as const },
    })),
  }
}

function bodyOf({ body }: Endpoint, { examples = {} }: RouteDoc): Pick<ZodOpenApiOperationObject, 'requestBody'> {
  if (body === null) return {}
  const named = Object.entries(examples).map(([summary, value]) => [slug(summary), { summary, value }] as const)
  const content = { schema: body, ...(named.length === 0 ? {} : { examples: Object.fromEntries(named) }) }
  return { requestBody: { required: !body.safeParse({}).success, content: { 'application/json': content } } }
}

const slug = (text: string) => text.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')

function answersOf(endpoint: Endpoint, doc: RouteDoc, errors: ErrorAnswer): ZodOpenApiOperationObject['responses'] {
  const refused = refusalsOf(endpoint, doc).map((status) => [String(status), errors] as const)
  const given = Object.entries(doc.answers).map(([status, answer]) => [status, answerOf(status, answer)] as const)
  return { ...Object.fromEntries(refused), ...Object.fromEntries(given), default: errors }
}

/** The usual ones; whatever else there is comes under `default`. */
function refusalsOf({ permission, counts, params, query, body }: Endpoint, { keyless }: RouteDoc): number[] {
  return [
    ...(params || query || body ? [400] : []),
    ...(keyless === 'always' ? [] : [401]),
    ...(permission === null ? [] : [403]),
    ...(params ? [404] : []),
    ...(body ? [413, 415] : []),
    ...((counts ?? permission !== null) ? [429] : []),
  ]
}

function answerOf(status: string, answer: z.ZodType | string | null) {
  const description = STATUS_CODES[status] ?? status
  if (answer === null) return { description }
  if (typeof answer === 'string') return { description, content: { [answer]: mediaOf(answer) } }
  return { description: answer.meta()?.description ?? description, content: { 'application/json': { schema: answer } } }
}

const mediaOf = (type: string) => (type.startsWith('text/') ? { schema: { type: 'string' as const } } : {})

/** In the given order; a section that nobody described still is one. */
function usedSections(sections: readonly Section[], faces: readonly Face[]): { name: string; description?: string }[] {
  const used = new Set(faces.flatMap(({ endpoints }) => endpoints.flatMap(({ doc }) => (doc ? [doc.tag] : []))))
  const known = sections.filter(({ name }) => used.delete(name))
  return [...known, ...[...used].map((name) => ({ name }))]
}
