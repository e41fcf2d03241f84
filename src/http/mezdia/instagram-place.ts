import { Refusal } from '../../domain/errors.ts'
import { classify } from '../../domain/platform.ts'
import { refusalOf } from '../../tasks/lookup.ts'
import type { MezdiaContext } from './context.ts'

const CODE = /^[\w-]{5,39}$/
const USER = /^@?([\w.]{1,30})$/

/**
 * The address of a post, of which a client says the address or the code; `place` is where the posts are of which it says
 * the code. Links for sharing are followed. Refuses what is none.
 */
export async function postUrlOf(
  { posts }: Pick<MezdiaContext, 'posts'>,
  said: string,
  { place, signal }: Readonly<{ place: 'p' | 'reel'; signal: AbortSignal }>,
): Promise<string> {
  if (CODE.test(said)) return `https://www.instagram.com/${place}/${said}/`
  const found = classify(said)
  if (found.platform !== 'instagram' || found.kind === 'unsupported') throw noPost()
  if (found.kind !== 'short') return found.url
  try {
    const led = await posts.locate(found.url, signal)
    if ('url' in led) return led.url
  } catch (error) {
    throw refusalOf(error)
  }
  throw noPost()
}

const noPost = () => new Refusal('invalid_request', 'Invalid Instagram URL or shortcode')

/** The name of an account, whether or not it is said with an @. */
export function userNameOf(said: string): string {
  const name = USER.exec(said)?.[1]
  if (name === undefined) throw new Refusal('invalid_request', 'Invalid Instagram username')
  return name
}
