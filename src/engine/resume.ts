import fs from 'node:fs/promises'
import path from 'node:path'
import { z } from 'zod'
import { OUTPUT_STEM } from './yt-dlp-args.ts'
import type { EngineRun } from './engine-run.ts'
import type { Track } from './progress.ts'
import { COOKIE_FILE } from './site-access.ts'

const MANIFEST = 'resume.json'
const ASK_TIMEOUT_MS = 15_000

const seenTrack = z.object({
  formatId: z.string().nullable(),
  size: z.number().nullable(),
  etag: z.string().nullable(),
  lastModified: z.string().nullable(),
})

/** What identifies the content of a track at its origin. */
export type SeenTrack = z.output<typeof seenTrack>

type Headers = Readonly<{ get(name: string): string | null }>

/** Asks an address for its head only. */
export type HeadFetch = (
  url: string,
  options: Readonly<{ headers: Readonly<Record<string, string>>; timeoutMs: number; run: EngineRun }>,
) => Promise<Readonly<{ status: number; headers: Headers }>>

/** True when an attempt before left something in the folder that a download would go on with. */
export async function hasPartialFiles(workDir: string): Promise<boolean> {
  return (await fs.readdir(workDir)).some((name) => name.startsWith(`${OUTPUT_STEM}.`))
}

/** Notes what is being fetched, so that a later attempt can tell whether it is still the same. */
export async function noteTracks(workDir: string, tracks: readonly SeenTrack[]): Promise<void> {
  const file = path.join(workDir, MANIFEST)
  await fs.writeFile(`${file}.new`, JSON.stringify(tracks), { flush: true })
  await fs.rename(`${file}.new`, file)
}

/**
 * Removes partial files unless the origin still has what they were taken from: yt-dlp asks for the rest of a file
 * without saying of which one, and would join two halves of different files.
 */
export async function keepOnlyResumable(workDir: string, now: readonly SeenTrack[]): Promise<boolean> {
  const before = await readManifest(workDir)
  const same = before !== null && before.length === now.length && before.every((track, i) => isSame(track, now[i]))
  if (!same) await clearWork(workDir)
  return same
}

/** Empties a work folder; the run's cookies stay. */
export async function clearWork(workDir: string): Promise<void> {
  const names = (await fs.readdir(workDir)).filter((name) => name !== COOKIE_FILE)
  await Promise.all(names.map((name) => fs.rm(path.join(workDir, name), { recursive: true, force: true })))
}

/** Asks the origin of each track for its size and validators. What it does not tell stays null. */
export async function lookAtTracks(tracks: readonly Track[], head: HeadFetch, run: EngineRun): Promise<SeenTrack[]> {
  return Promise.all(
    tracks.map(async (track) => {
      const seen = { formatId: track.format_id ?? null, size: null, etag: null, lastModified: null }
      if (!track.url) return seen
      const headers = { ...track.http_headers, 'Accept-Encoding': 'identity', Range: 'bytes=0-0' }
      // An origin that does not answer is one more reason for a fresh start, not a failure of the task.
      const answer = await head(track.url, { headers, timeoutMs: ASK_TIMEOUT_MS, run }).catch(() => null)
      if (answer?.status !== 206 && answer?.status !== 200) return seen
      return {
        ...seen,
        size: sizeIn(answer),
        etag: answer.headers.get('etag'),
        lastModified: answer.headers.get('last-modified'),
      }
    }),
  )
}

/** Of a part, the length is that of the part. */
function sizeIn({ status, headers }: Readonly<{ status: number; headers: Headers }>): number | null {
  const text = status === 206 ? /\/(\d+)$/.exec(headers.get('content-range') ?? '')?.[1] : headers.get('content-length')
  return text === null || text === undefined || !/^\d+$/.test(text) ? null : Number(text)
}

/** Nothing known to differ, and at least the size known to agree. */
function isSame(before: SeenTrack, now: SeenTrack | undefined): boolean {
  if (!now || before.size === null) return false
  return (
    before.formatId === now.formatId &&
    before.size === now.size &&
    before.etag === now.etag &&
    before.lastModified === now.lastModified
  )
}

async function readManifest(workDir: string): Promise<SeenTrack[] | null> {
  const text = await fs.readFile(path.join(workDir, MANIFEST), 'utf8').catch(() => null) // none was written yet
  if (text === null) return null
  try {
    return z.array(seenTrack).safeParse(JSON.parse(text)).data ?? null
  } catch {
    return null // cut off by a power failure: as good as none
  }
}
