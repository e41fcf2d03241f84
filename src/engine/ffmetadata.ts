import type { Chapter, Medium } from './fetch-plan.ts'

/** A description that is longer is cut: some players refuse a file with a huge tag. */
const MAX_TEXT_CHARS = 8_000

/** What a file says of itself. */
export type Tags = Readonly<Record<string, string>>

/** The tags of a medium, under the names that ffmpeg translates for each container. */
export function tagsOf(medium: Medium, part: Readonly<{ title: string | null; number: number; count: number }>): Tags {
  const { track, title, artist, artists, creator, uploader, channel, album, genre, genres } = medium
  const isChapter = part.title !== null
  const tags: Readonly<Record<string, string | null | undefined>> = {
    title: part.title ?? track ?? title,
    artist: artist ?? (artists?.join(', ') || (creator ?? uploader ?? channel)),
    album: album ?? (isChapter ? title : null),
    track: isChapter ? `${part.number}/${part.count}` : null,
    genre: genre ?? genres?.join(', '),
    date: dayOf(medium.release_date ?? medium.upload_date),
    description: medium.description,
    comment: medium.webpage_url,
  }
  return Object.fromEntries(
    Object.entries(tags).flatMap(([name, value]) => (value ? [[name, value.slice(0, MAX_TEXT_CHARS)]] : [])),
  )
}

const dayOf = (date: string | null | undefined) => date?.replace(/^(\d{4})(\d{2})(\d{2})$/, '$1-$2-$3')

/** The text of an `ffmetadata` file. Nothing in a tag or title can end its line or begin another section. */
export function ffmetadata(tags: Tags, chapters: readonly Chapter[]): string {
  const lines = Object.entries(tags).map(([name, value]) => `${escape(name)}=${escape(value)}`)
  const sections = chapters.map(({ start, end, title }) =>
    ['[CHAPTER]', 'TIMEBASE=1/1000', `START=${ms(start)}`, `END=${ms(end)}`, `title=${escape(title)}`].join('\n'),
  )
  return `${[';FFMETADATA1', ...lines, ...sections].join('\n')}\n`
}

const ms = (seconds: number) => Math.round(seconds * 1000)

const escape = (text: string) =>
  text
    .replaceAll(/\r\n?/g, '\n')
    .replaceAll(/[^\P{Cc}\n\t]/gu, '')
    .replaceAll(/[=;#\\\n]/g, String.raw`\$&`)

/** The chapters within a part, on the part's own clock. */
export function chaptersWithin(
  chapters: readonly Chapter[],
  { start, end }: Readonly<{ start: number | null; end: number | null }>,
): readonly Chapter[] {
  const from = start ?? 0
  const to = end ?? Infinity
  return chapters
    .filter((chapter) => chapter.end > from && chapter.start < to)
    .map(({ title, ...chapter }) => ({
      title,
      start: Math.max(chapter.start, from) - from,
      end: Math.min(chapter.end, to) - from,
    }))
}

/**
 * A picture as the tags of Ogg hold it: the block of FLAC (https://xiph.org/flac/format.html#metadata_block_picture) in
 * base64, as the text of an `ffmetadata` file.
 */
export function pictureBlock(picture: Buffer, size: Readonly<{ mime: string; width: number; height: number }>): string {
  const FRONT_COVER = 3
  const BITS_PER_PIXEL = 24
  const numbers = (...values: readonly number[]) => {
    const bytes = Buffer.alloc(4 * values.length)
    values.forEach((value, index) => bytes.writeUInt32BE(value, 4 * index))
    return bytes
  }
  const block = Buffer.concat([
    numbers(FRONT_COVER, size.mime.length),
    Buffer.from(size.mime, 'latin1'),
    numbers(0, size.width, size.height, BITS_PER_PIXEL, 0, picture.length),
    picture,
  ])
  return ffmetadata({ METADATA_BLOCK_PICTURE: block.toString('base64') }, [])
}
