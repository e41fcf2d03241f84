/** Names in a query that are ours and never select a field. */
const OWN_NAMES = new Set(['expires', 'signature', 'raw', 'download'])

/** The fields of an info document that the names of a query select. */
export const selectedNames = (query: Readonly<Record<string, unknown>>): string[] =>
  Object.keys(query).filter((name) => !OWN_NAMES.has(name))

type Fields = Readonly<Record<string, unknown>>

/**
 * The selected fields of an info document as JSON text, null when it has none of them. `qualities` is made here, as text:
 * clients take its last entry as the best, and JavaScript objects would move names such as "137" to the front.
 */
export function selectInfo(document: Fields, names: readonly string[]): string | null {
  const parts = names.flatMap((name) => {
    if (name === 'qualities') return [`"qualities":${qualitiesJson(document)}`]
    return Object.hasOwn(document, name) ? [`${JSON.stringify(name)}:${JSON.stringify(document[name])}`] : []
  })
  return parts.length === 0 ? null : `{${parts.join(',')}}`
}

type Quality = Readonly<{ id: string; order: readonly number[]; entry: Fields }>

function qualitiesJson(document: Fields): string {
  const formats = (Array.isArray(document['formats']) ? document['formats'] : []).filter(isFields).filter(isRealFormat)
  const audio = formats.flatMap(audioQuality).toSorted(byOrder)
  const video = formats.flatMap(videoQuality).toSorted(byOrder)
  return `{"audio":${orderedJson(audio)},"video":${orderedJson(video)}}`
}

function orderedJson(qualities: readonly Quality[]): string {
  return `{${qualities.map(({ id, entry }) => `${JSON.stringify(id)}:${JSON.stringify(entry)}`).join(',')}}`
}

const isFields = (value: unknown): value is Fields => typeof value === 'object' && value !== null

function isRealFormat({ format_note: note, format_id: id }: Fields): boolean {
  const word = typeof note === 'string' ? note.toLowerCase() : ''
  return id !== undefined && word !== 'unknown' && !word.includes('storyboard')
}

function audioQuality(format: Fields): Quality[] {
  const abr = numberIn(format['abr'])
  if (!hasCodec(format['acodec']) || format['vcodec'] !== 'none' || abr === null) return []
  const entry = {
    abr: Math.trunc(abr),
    acodec: format['acodec'],
    audio_channels: Math.trunc(numberIn(format['audio_channels']) ?? 0),
    filesize: fileSize(format),
    language: format['language'] ?? null,
  }
  return [{ id: String(format['format_id']), order: [abr], entry }]
}

function videoQuality(format: Fields): Quality[] {
  const height = numberIn(format['height'])
  const fps = numberIn(format['fps'])
  if (!hasCodec(format['vcodec']) || height === null || fps === null) return []
  const entry = {
    height: Math.trunc(height),
    width: Math.trunc(numberIn(format['width']) ?? 0),
    fps: Math.trunc(fps),
    vcodec: format['vcodec'],
    format_note: format['format_note'] ?? null,
    dynamic_range: format['dynamic_range'] ?? null,
    filesize: fileSize(format),
  }
  return [{ id: String(format['format_id']), order: [height, fps], entry }]
}

const hasCodec = (codec: unknown) => typeof codec === 'string' && codec !== 'none'
const numberIn = (value: unknown) => (typeof value === 'number' && Number.isFinite(value) ? value : null)

function fileSize(format: Fields): number {
  return Math.trunc(numberIn(format['filesize']) ?? numberIn(format['filesize_approx']) ?? 0)
}

function byOrder(a: Quality, b: Quality): number {
  for (const [index, value] of a.order.entries()) {
    const difference = value - (b.order[index] ?? 0)
    if (difference !== 0) return difference
  }
  return 0
}
