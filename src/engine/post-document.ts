import { z } from 'zod'
import { TaskError } from '../domain/errors.ts'
import type { Platform } from '../domain/platform.ts'
import { fromInfo } from '../domain/post-info.ts'
import type { Post } from '../domain/post.ts'
import { inTaskThread } from './thread.ts'

/** A document of that length is read in some ten milliseconds; a longer one would hold up the whole daemon. */
const SMALL_CHARS = 2 ** 20

const liveFields = z.looseObject({ is_live: z.unknown().optional(), live_status: z.unknown().optional() })

/** What a post is read from: the document that yt-dlp printed. */
export type PostDocument = Readonly<{ text: string; platform: Platform }>

/**
 * The post in a document, null where yt-dlp has found none; a long one is read in a thread of its own. Throws TaskError
 * `extractor_broken`, `too_large`, and for what is no post yet or goes on, `live_not_started` and `filtered`.
 */
export async function readPost(document: PostDocument): Promise<Post | null> {
  if (document.text.length <= SMALL_CHARS) return postOf(document)
  return inTaskThread(new URL('./post-worker.ts', import.meta.url), document)
}

/** As `readPost`, here and now. */
export function postOf({ text, platform }: PostDocument): Post | null {
  if (text.trim() === '' || text.trim() === 'null') return null
  let document: unknown
  try {
    document = JSON.parse(text)
  } catch (cause) {
    throw new TaskError('extractor_broken', 'yt-dlp printed no readable description of this post', { cause })
  }
  const live = liveFields.safeParse(document).data
  if (live?.is_live === true) throw new TaskError('filtered', 'this is a running live stream')
  if (live?.live_status === 'is_upcoming') throw new TaskError('live_not_started', 'this has not begun yet')
  return fromInfo(document, platform)
}
