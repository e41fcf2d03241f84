import { TaskError } from '../domain/errors.ts'
import { readGalleryRows, type GalleryRows } from '../domain/gallery-rows.ts'
import { classify, type Platform } from '../domain/platform.ts'
import { fromGalleryRows } from '../domain/post-gallery.ts'
import { fileAt, hasMedia, joinPosts, type Post } from '../domain/post.ts'
import { failureOf, tryInvoke, type EngineRun } from './engine-run.ts'
import { galleryFailure } from './gallery-failure.ts'
import { galleryArgs, postArgs } from './post-args.ts'
import { readPost } from './post-document.ts'
import type { ToolRunner } from './tool.ts'

/** Services whose pictures are the thumbnails that yt-dlp finds. */
const PICTURES_AS_THUMBNAILS: ReadonlySet<Platform> = new Set(['instagram', 'xiaohongshu'])

/** Services that gallery-dl reads too. */
const OF_GALLERY_DL: ReadonlySet<Platform> = new Set(['tiktok', 'twitter', 'weibo', 'instagram'])

/** Services whose posts mix videos with pictures, of which yt-dlp reads the videos alone. */
const OF_BOTH: ReadonlySet<Platform> = new Set(['twitter', 'weibo'])

/** Services where one address stands for a series; what is asked for is its first part. */
const OF_SERIES: ReadonlySet<Platform> = new Set(['bilibili'])

/** Most posts and files of the page of an account. */
const MAX_POSTS = 50
const MAX_OF_ACCOUNT = 500

/** What a post is read with. */
export type PostReaderOptions = Readonly<{
  runner: ToolRunner
  /** Whether there is a gallery-dl. Without it posts of pictures are not read where yt-dlp reads none. */
  hasGalleryDl: boolean
  maxFileBytes: number
  /** Ask gallery-dl for the pictures of a post with videos too, where yt-dlp passes them over. */
  allImages: boolean
}>

/** What one tool has found, and why it found nothing. */
type Finding = Readonly<{ post: Post | null; failure: TaskError | null }>

const nothing = () => new TaskError('no_media', 'no medium was found in this post')

/** Reads posts with yt-dlp, and with gallery-dl where that finds more. */
export class PostReader {
  readonly #options: PostReaderOptions

  constructor(options: PostReaderOptions) {
    this.#options = options
  }

  /** What there is in the post at an address as `classify` gives it. Throws TaskError, `no_media` where there is nothing. */
  async read(url: string, run: EngineRun): Promise<Post> {
    const { kind, platform } = classify(url)
    if (platform === null || kind === 'unsupported' || kind === 'short') {
      throw new TaskError('unsupported_url', 'this is not the address of a post')
    }
    if (kind === 'file') return fileAt(url, platform)
    requireReadable(url, platform)
    const { post, failure } = await this.#find(url, platform, run)
    if (post && hasMedia(post)) return post
    throw failure ?? nothing()
  }

  async #find(url: string, platform: Platform, run: EngineRun): Promise<Finding> {
    const { hasGalleryDl, allImages } = this.#options
    if (!hasGalleryDl || !OF_GALLERY_DL.has(platform)) return this.#ytDlp(url, platform, run)
    if (platform === 'tiktok' && /\/photo\/\d+$/.test(url)) return this.#gallery(url, platform, run)
    const found = await this.#ytDlp(url, platform, run)
    const isMixed = allImages && OF_BOTH.has(platform) && found.post !== null
    return isMixed || isWanting(found) ? joined(found, await this.#gallery(url, platform, run)) : found
  }

  /** All that yt-dlp tells of a post at an address as `classify` gives it, as it printed it. Throws TaskError. */
  async document(url: string, platform: Platform, run: EngineRun): Promise<string> {
    const { text, failure, stderr } = await this.#describe(url, platform, run)
    if (text.trim() !== '' && text.trim() !== 'null') return text
    throw failure ?? failureSaidIn(stderr, run) ?? nothing()
  }

  /**
   * What gallery-dl tells of a page of an account, which a site shows to those who are logged in. Throws TaskError,
   * `login_required` where the run has no cookies.
   */
  async rows(url: string, run: EngineRun): Promise<GalleryRows> {
    if (run.site.cookieFile === null) throw new TaskError('login_required', 'only those who are logged in see this')
    if (!this.#options.hasGalleryDl) throw new TaskError('unsupported_url', 'gallery-dl is needed to read this')
    const args = galleryArgs(url, run.site.cookieFile, { files: MAX_OF_ACCOUNT, posts: MAX_POSTS })
    const { text, failure, stderr } = await tryInvoke(this.#options.runner, run, { tool: 'gallery-dl', args })
    const rows = parsed(text)
    const found = readGalleryRows(rows)
    if (found && found.heads.length + found.files.length > 0) return found
    const said = galleryFailure(rows, stderr, run) ?? failure
    if (said !== null) throw said
    return { heads: [], files: [] }
  }

  /** What can be used of a document is used, even if reading the rest of the post failed. */
  async #ytDlp(url: string, platform: Platform, run: EngineRun): Promise<Finding> {
    const { text, failure, stderr } = await this.#describe(url, platform, run)
    const post = await readPost({ text, platform })
    if (post && hasMedia(post)) return { post, failure: null }
    return { post: null, failure: failure ?? failureSaidIn(stderr, run) }
  }

  #describe(url: string, platform: Platform, run: EngineRun): ReturnType<typeof tryInvoke> {
    const { runner, maxFileBytes } = this.#options
    const options = {
      url: platform === 'tiktok' ? url.replace(/\/photo\/(\d+)$/, '/video/$1') : url,
      proxyUrl: run.lane.proxyUrl,
      prefix: '',
      site: run.site,
      sponsorBlockApi: '',
      maxFileBytes,
    }
    const args = postArgs(options, { pictures: PICTURES_AS_THUMBNAILS.has(platform), first: OF_SERIES.has(platform) })
    return tryInvoke(runner, run, { tool: 'yt-dlp', args })
  }

  async #gallery(url: string, platform: Platform, run: EngineRun): Promise<Finding> {
    const args = galleryArgs(url, run.site.cookieFile)
    const { text, failure, stderr } = await tryInvoke(this.#options.runner, run, { tool: 'gallery-dl', args })
    const rows = parsed(text)
    const post = fromGalleryRows(rows, platform)
    if (post) return { post, failure: null }
    return { post: null, failure: galleryFailure(rows, stderr, run) ?? failure }
  }
}

/** Refuses what no tool reads, without asking. */
function requireReadable(url: string, platform: Platform): void {
  if (platform === 'kuaishou') throw new TaskError('unsupported_url', 'posts of Kuaishou cannot be read')
  if (platform === 'douyin' && url.includes('/note/')) throw new TaskError('no_media', 'notes of Douyin cannot be read')
}

/** Whether another tool may find more: there is nothing but sound, or nothing at all for no other reason. */
const isWanting = ({ post, failure }: Finding): boolean =>
  post ? post.videos.length + post.images.length === 0 : failure === null || failure.code === 'no_media'

/** What both have found, and of their failures the one that says most. */
function joined(found: Finding, more: Finding): Finding {
  const post = more.post ? joinPosts(found.post ?? more.post, more.post) : found.post
  const failures = [found.failure, more.failure].filter((failure) => failure !== null)
  const telling = failures.find(({ code }) => code !== 'no_media' && code !== 'unknown')
  return { post, failure: telling ?? failures[0] ?? null }
}

/** What a tool that ended well said instead of an error; null where it said nothing of the kind. */
function failureSaidIn(stderr: string, run: EngineRun): TaskError | null {
  const lines = stderr.replaceAll(/^WARNING: (?=\[)/gm, 'ERROR: ')
  if (!/^ERROR: /m.test(lines)) return null
  return failureOf(run, { kind: 'exit', exitCode: 1, signalName: null, stderr: lines })
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null // whoever reads it finds no rows
  }
}
