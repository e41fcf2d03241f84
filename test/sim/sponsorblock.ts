import { createHash } from 'node:crypto'
import type { Exchange, Route, Site } from './exchange.ts'

/** Seconds of a video that somebody marked. */
export type SponsorSegment = Readonly<{ category: string; from: number; to: number; videoDuration: number }>

const hashOf = (videoId: string) => createHash('sha256').update(videoId).digest('hex')

/** SponsorBlock's service: segments by the first letters of the hash of a video's id, so that it is not told which is watched. */
export class SponsorBlock implements Site {
  readonly hosts = ['sponsor.ajay.app']
  readonly routes: readonly Route[] = [
    [null, /^\/api\/skipSegments\/([0-9a-f]{4,32})$/, (exchange, [prefix]) => this.#segments(exchange, prefix ?? '')],
  ]

  #segments(exchange: Exchange, prefix: string): boolean {
    const wanted = JSON.parse(exchange.query.get('categories') ?? '["sponsor"]') as string[]
    const found = [...segments].flatMap(([videoID, all]) => {
      const marked = all.filter(({ category }) => wanted.includes(category))
      if (marked.length === 0 || !hashOf(videoID).startsWith(prefix)) return []
      return [{ videoID, hash: hashOf(videoID), segments: marked.map(toAnswer) }]
    })
    return found.length === 0 ? exchange.send(404, 'Not Found') : exchange.json(found)
  }
}

const toAnswer = ({ category, from, to, videoDuration }: SponsorSegment) => ({
  category,
  actionType: 'skip',
  segment: [from, to],
  UUID: hashOf(`${category} ${from}`),
  videoDuration,
  locked: 0,
  votes: 3,
  description: '',
})

/** By video id. A test may add its own. */
export const segments = new Map<string, readonly SponsorSegment[]>([
  [
    'dQw4w9WgXcQ',
    [
      { category: 'sponsor', from: 10, to: 20, videoDuration: 65 },
      { category: 'selfpromo', from: 50, to: 55, videoDuration: 65 },
    ],
  ],
])
