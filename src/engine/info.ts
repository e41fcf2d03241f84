import { z } from 'zod'
import { TaskError } from '../domain/errors.ts'

/** Where an info document would tell secrets, or how this machine is laid out. */
const PRIVATE_FIELDS = new Set([
  'cookies',
  'http_headers',
  'filename',
  'filepath',
  'requested_downloads',
  'infojson_filename',
  '_version',
])

const infoDocument = z.looseObject({
  _type: z.string().nullish().catch(null),
  id: z.union([z.string(), z.number()]).nullish().catch(null),
  title: z.string().nullish().catch(null),
  duration: z.number().nullish().catch(null),
  live_status: z.string().nullish().catch(null),
  is_live: z.boolean().nullish().catch(null),
})

/** What `yt-dlp -J` printed, checked for the fields that rules depend on. */
export type InfoDocument = z.output<typeof infoDocument>

/** Throws TaskError `no_media` for `null` and `extractor_broken` for anything that is not such a document. */
export function parseInfo(text: string): InfoDocument {
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (cause) {
    throw new TaskError('extractor_broken', 'yt-dlp printed no readable description of this page', { cause })
  }
  if (json === null) throw new TaskError('no_media', 'there is nothing to download at this address')
  const parsed = infoDocument.safeParse(json)
  if (!parsed.success) {
    throw new TaskError('extractor_broken', 'yt-dlp printed no readable description of this page', {
      cause: parsed.error,
    })
  }
  return parsed.data
}

/** The document without cookies, request headers, local paths and yt-dlp's private fields, at any depth. */
export function publicInfo(document: unknown): unknown {
  if (Array.isArray(document)) return document.map(publicInfo)
  if (typeof document !== 'object' || document === null) return document
  return Object.fromEntries(
    Object.entries(document)
      .filter(([name]) => !PRIVATE_FIELDS.has(name) && (!name.startsWith('_') || name === '_type'))
      .map(([name, value]) => [name, publicInfo(value)]),
  )
}
