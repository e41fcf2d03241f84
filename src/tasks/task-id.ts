import { createHash } from 'node:crypto'
import { customAlphabet } from 'nanoid'

/** The characters of an id, of which it has `LENGTH`. */
export const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'
export const LENGTH = 16

/** An id that nobody can guess. */
export const newTaskId = customAlphabet(ALPHABET, LENGTH)

/**
 * The id of the task for one entry of a playlist task: always the same, so that an expansion that is done again makes
 * nothing twice, even when the site has put others before it. `nth`: of those that are alike. Whoever does not know the parent's id cannot guess it.
 */
export function childTaskId(
  parentId: string,
  entry: Readonly<{ id: string | null; url: string | null; nth: number }>,
): string {
  const digest = createHash('sha256')
    .update(JSON.stringify([parentId, entry.id, entry.url, entry.nth]))
    .digest('hex')
  const base = BigInt(ALPHABET.length)
  let rest = BigInt(`0x${digest}`)
  let id = ''
  while (id.length < LENGTH) {
    id += ALPHABET[Number(rest % base)]
    rest /= base
  }
  return id
}
