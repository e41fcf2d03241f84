import { commonArgs, type YtDlpOptions } from './yt-dlp-args.ts'

/** Most media of one post; the largest carousels of today have 35. */
const MAX_OF_POST = 50

/** Seconds without an answer before gallery-dl gives a request up. */
const GALLERY_TIMEOUT_S = 15

/**
 * Makes yt-dlp print the whole info JSON of a post and of each of its media, by the extractor of its service alone. What
 * of it cannot be read is left out. `pictures`: media without formats are described too, of which only pictures are
 * known. `first`: of several, the first only.
 */
export function postArgs(
  options: YtDlpOptions,
  { pictures, first }: Readonly<{ pictures: boolean; first: boolean }>,
): string[] {
  return [
    ...commonArgs(options).filter((arg) => arg !== '--abort-on-error'),
    '--ignore-errors',
    ...(pictures ? ['--ignore-no-formats-error'] : []),
    '--ies',
    'default,-generic',
    '--playlist-items',
    first ? '1' : `1:${MAX_OF_POST}`,
    '--dump-single-json',
    '--',
    options.url,
  ]
}

/**
 * Makes gallery-dl print a JSON array of what a post consists of. Nothing of the machine takes part but the variables
 * that name the proxy; ids are texts, being larger than JavaScript's numbers. `files`, `posts`: no more than so many.
 */
export function galleryArgs(
  url: string,
  cookieFile: string | null,
  { files, posts }: Readonly<{ files: number; posts: number }> = { files: MAX_OF_POST, posts: 1 },
): string[] {
  const options = {
    'cache.file': ':memory:',
    'output.num-to-str': 'true',
    'output.ascii': 'true',
    'extractor.instagram.videos': 'merged',
    'extractor.instagram.max-posts': String(posts),
    'extractor.twitter.videos': 'true',
    retries: '1',
    timeout: String(GALLERY_TIMEOUT_S),
    'sleep-request': '0',
    // Otherwise it waits by itself for as long as the site asks.
    'sleep-429': '0',
    'extractor.twitter.ratelimit': 'abort',
  }
  return [
    '--config-ignore',
    '--no-input',
    '--no-colors',
    ...Object.entries(options).flatMap(([name, value]) => ['--option', `${name}=${value}`]),
    '--range',
    `1-${files}`,
    ...(cookieFile === null ? [] : ['--cookies', cookieFile]),
    '--resolve-json',
    '--',
    url,
  ]
}
