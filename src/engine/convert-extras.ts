import type { AudioTarget, Encoder, VideoContainer } from './convert-formats.ts'
import { languageCode } from './language.ts'
import { localInput } from './probe.ts'

/** What becomes part of a file besides its own tracks. Paths are absolute. */
export type Extras = Readonly<{
  /** Each with its language. */
  subtitles: readonly Readonly<{ file: string; tag: string }>[]
  /** A jpg or png, and the same as an `ffmetadata` file with the picture block of Ogg. */
  cover: Readonly<{ file: string; block: string }> | null
  /** An `ffmetadata` file, and which of its parts are meant. */
  metadata: Readonly<{ file: string; tags: boolean; chapters: boolean }> | null
  /** Keep only this part; exactly = the picture is encoded. */
  cut: Readonly<{ start: number; end: number; exactly: boolean }> | null
}>

/** `from`: input and stream, as `-map` takes them. */
export type Track = Readonly<{ from: string; type: 'v' | 'a' | 's'; encoder: Encoder; more: Encoder }>

export type Target = VideoContainer | AudioTarget

export const COPY: Encoder = [['-c', 'copy']]

/** What the extras add to a call of ffmpeg. */
export type Added = Readonly<{
  inputs: readonly string[]
  tracks: readonly Track[]
  /** Where tags and chapters come from. */
  metadata: readonly string[]
  attachments: readonly string[]
}>

export const NOTHING_ADDED: Added = {
  inputs: [],
  tracks: [],
  metadata: ['-map_metadata', '0', '-map_chapters', '0'],
  attachments: [],
}

/** How each muxer takes a cover where that is not as a picture track: as an attachment, or as a block among the tags. */
const COVER_WAYS: Readonly<Record<string, 'attachment' | 'block'>> = {
  matroska: 'attachment',
  opus: 'block',
  ogg: 'block',
}

const FRONT_COVER: Encoder = [
  ['-disposition', 'attached_pic'],
  ['-metadata:s', 'title=Album cover'],
  ['-metadata:s', 'comment=Cover (front)'],
]

/** The further inputs of a call, counted from 1: the medium itself is 0. */
class Inputs {
  readonly #files: string[] = []

  add(file: string): number {
    return this.#files.push(file)
  }

  get args(): readonly string[] {
    return this.#files.flatMap((file) => ['-i', localInput(file)])
  }
}

export function addedBy(extras: Extras, target: Target): Added {
  const inputs = new Inputs()
  const subtitles = subtitleTracks(extras, target, inputs)
  const cover = coverBy(extras, target, inputs)
  const metadata = [...cover.metadata, ...described(extras, inputs)]
  return { inputs: inputs.args, tracks: [...subtitles, ...cover.tracks], metadata, attachments: cover.attachments }
}

function subtitleTracks({ subtitles }: Extras, target: Target, inputs: Inputs): readonly Track[] {
  const codec = 'subtitles' in target ? target.subtitles : null
  if (codec === null) return []
  return subtitles.map(({ file, tag }) => ({
    from: `${inputs.add(file)}:0`,
    type: 's',
    encoder: [['-c', codec]],
    more: [['-metadata:s', `language=${languageCode(tag)}`]],
  }))
}

function coverBy({ cover }: Extras, { muxer }: Target, inputs: Inputs): Omit<Added, 'inputs'> {
  const none = { tracks: [], metadata: [], attachments: [] }
  if (cover === null) return none
  switch (COVER_WAYS[muxer] ?? 'track') {
    case 'attachment':
      return { ...none, attachments: attached(cover.file) }
    case 'block':
      return { ...none, metadata: ['-map_metadata', String(inputs.add(cover.block))] }
    case 'track':
      return { ...none, tracks: [{ from: `${inputs.add(cover.file)}:0`, type: 'v', encoder: COPY, more: FRONT_COVER }] }
  }
}

function attached(file: string): string[] {
  const isPng = file.endsWith('.png')
  const tags = [`mimetype=image/${isPng ? 'png' : 'jpeg'}`, `filename=cover.${isPng ? 'png' : 'jpg'}`]
  return ['-attach', localInput(file), ...tags.flatMap((tag) => ['-metadata:s:t', tag])]
}

/** Of tags by one name the first that is mapped stays. A part of a medium does not have the chapters of the whole. */
function described({ metadata, cut }: Extras, inputs: Inputs): readonly string[] {
  const file = metadata === null ? 0 : inputs.add(metadata.file)
  const tags = metadata?.tags === true ? file : 0
  const ownChapters = cut === null ? 0 : -1
  const chapters = metadata?.chapters === true ? file : ownChapters
  return ['-map_metadata', String(tags), '-map_chapters', String(chapters)]
}
