import { createWriteStream } from 'node:fs'
import fs from 'node:fs/promises'
import path from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Details } from '../domain/details.ts'
import { TaskError } from '../domain/errors.ts'
import { classify, type Platform } from '../domain/platform.ts'
import { REFERERS } from '../domain/post.ts'
import { bestFile, describePost, isVideo, largestPicture, mediaOf } from '../domain/social-post.ts'
import type { PostWish, TaskRequest } from '../domain/task.ts'
import { requirePicture } from './beside.ts'
import { readDetails } from './details.ts'
import type { EgressOpen } from './egress/index.ts'
import type { EngineRun } from './engine-run.ts'
import { Finisher, mediaContext, type Made, type MadeFile } from './finish.ts'
import type { PostReader } from './post-reader.ts'
import type { ToolRunner } from './tool.ts'

/** What posts are made into files with. */
export type PostMediaOptions = Readonly<{
  runner: ToolRunner
  posts: Pick<PostReader, 'document' | 'rows'>
  open: EgressOpen
}>

/** Where the stories of an account are. */
const STORIES = /^https:\/\/www\.instagram\.com\/stories\/[\w.]+\/$/

const EVERYTHING: PostWish = { pick: 'all', maxLines: null, metadata: false }

const TRACKS = { duration: null, width: null, height: null, note: null }

/** The media of posts as files, in the order of the post. */
export class PostMedia {
  readonly #options: PostMediaOptions
  readonly #finisher: Finisher

  constructor(options: PostMediaOptions) {
    this.#options = options
    this.#finisher = new Finisher(options.runner)
  }

  /** Fetches what a request of the kind `post` asks for. Throws TaskError, `no_media` where there is nothing of it. */
  async download({ url, post }: TaskRequest, run: EngineRun): Promise<Made> {
    if (STORIES.test(url)) return this.#stories(url, post ?? EVERYTHING, run)
    const place = classify(url)
    if (place.kind !== 'post') throw new TaskError('unsupported_url', 'this is not the address of a post')
    const { platform } = place
    run.onProgress({ ...IDLE, phase: 'extracting' })
    const details = await readDetails(await this.#options.posts.document(place.url, platform, run))
    const { pick, maxLines, metadata } = post ?? EVERYTHING
    const wanted = mediaOf(details).filter((medium) => pick === 'all' || isVideo(medium) === (pick === 'videos'))
    const files: MadeFile[] = []
    for (const [index, medium] of wanted.entries()) {
      run.onProgress({ ...IDLE, phase: 'downloading', percent: Math.round((100 * index) / wanted.length) })
      const source = isVideo(medium) ? bestFile(medium, maxLines) : largestPicture(medium)
      const item = { url: source?.url ?? null, isMoving: isVideo(medium), number: index + 1 }
      files.push(await this.#fetch(item, platform, run))
    }
    const [first, ...others] = files
    if (first === undefined) throw new TaskError('no_media', 'there is nothing of that kind in this post')
    const told = metadata ? [await writeMetadata(details, place.url, run)] : []
    return { files: [first, ...others, ...told], title: details.title }
  }

  /** The stories of an account, which come in one form each. */
  async #stories(url: string, { pick }: PostWish, run: EngineRun): Promise<Made> {
    run.onProgress({ ...IDLE, phase: 'extracting' })
    const { files: found } = await this.#options.posts.rows(url, run)
    const wanted = found.filter(({ video_url: video }) => pick === 'all' || (video !== null) === (pick === 'videos'))
    const files: MadeFile[] = []
    for (const [index, { video_url: video, display_url: picture }] of wanted.entries()) {
      run.onProgress({ ...IDLE, phase: 'downloading', percent: Math.round((100 * index) / wanted.length) })
      const item = { url: video ?? picture, isMoving: video !== null, number: index + 1 }
      files.push(await this.#fetch(item, 'instagram', run))
    }
    const [first, ...others] = files
    if (first === undefined) throw new TaskError('no_media', 'no active stories found, or the account is private')
    return { files: [first, ...others], title: found[0]?.username ?? null }
  }

  async #fetch(
    { url, isMoving, number }: Readonly<{ url: string | null; isMoving: boolean; number: number }>,
    platform: Platform,
    run: EngineRun,
  ): Promise<MadeFile> {
    const name = nameOf(number)
    if (url === null) throw new TaskError('no_media', 'a medium of this post has no address')
    const file = path.join(run.workDir, `${name}.part`)
    await this.#save(url, { file, referer: REFERERS[platform] }, run)
    if (!isMoving) {
      const { ext, width, height } = await run.quietly(() =>
        requirePicture(this.#options.runner, mediaContext(run), file),
      )
      return { ...TRACKS, path: file, name: `${name}.${ext}`, kind: 'image', width, height }
    }
    const { ext, duration, probe } = await this.#finisher.check(run, { file, expect: 'video', expectedDuration: null })
    const picture = probe.streams.find(({ type }) => type === 'video')
    const size = { width: picture?.width ?? null, height: picture?.height ?? null }
    return { ...TRACKS, ...size, path: file, name: `${name}.${ext}`, kind: 'video', duration }
  }

  async #save(
    url: string,
    { file, referer }: Readonly<{ file: string; referer: string }>,
    run: EngineRun,
  ): Promise<void> {
    const { status, headers, body } = await this.#options.open(url, {
      headers: { Referer: referer },
      lane: run.lane,
      signal: run.signal,
    })
    if (status !== 200) {
      body.destroy()
      const code = status === 404 || status === 410 ? 'not_found' : status >= 500 ? 'upstream_5xx' : 'access_denied'
      throw new TaskError(code, `the host answers ${status}`, { httpStatus: status })
    }
    try {
      await pipeline(body, createWriteStream(file), { signal: run.signal })
    } catch (cause) {
      if (run.signal.aborted) throw run.signal.reason
      throw new TaskError('network', 'the connection broke', { cause })
    }
    const announced = headers.get('content-length')
    const { size } = await fs.stat(file)
    if (announced !== null && headers.get('content-encoding') === null && size !== Number(announced))
      throw new TaskError('network', 'the connection broke')
  }
}

const IDLE = { percent: null, speed: null, eta: null, downloadedBytes: null, totalBytes: null }

const nameOf = (number: number) => `item_${String(number).padStart(2, '0')}`

async function writeMetadata(details: Details, url: string, { workDir }: EngineRun): Promise<MadeFile> {
  const file = path.join(workDir, 'metadata.json')
  await fs.writeFile(file, `${JSON.stringify(describePost(details, url), null, 2)}\n`)
  return { ...TRACKS, path: file, name: 'metadata.json', kind: 'info' }
}
