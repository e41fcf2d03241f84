/** A format as the info JSON of yt-dlp has it. */
export type Format = Readonly<Record<string, unknown>>

/** One of http, named by its id. */
export const format = (id: string, more: Format): Format => ({
  format_id: id,
  url: `https://cdn.example/${id}`,
  ext: 'mp4',
  protocol: 'https',
  ...more,
})

/** The info JSON of a video with these formats. */
export const info = (...formats: Format[]) => ({
  id: 'x',
  title: 'x',
  extractor: 'fixture',
  extractor_key: 'Fixture',
  webpage_url: 'https://video.example/x',
  formats,
})
