/** First and last byte, both included. */
export type ByteRange = Readonly<{ start: number; end: number }>

/**
 * What a `Range` header asks of `size` bytes: `all` when it is none or not of the one form that clients use,
 * `outside` when there is nothing of it to send.
 */
export function readRange(header: string | undefined, size: number): ByteRange | 'all' | 'outside' {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header ?? '')
  if (!match) return 'all'
  const [, from = '', to = ''] = match
  const start = from === '' ? Math.max(0, size - Number(to)) : Number(from)
  const end = from === '' || to === '' ? size - 1 : Math.min(size - 1, Number(to))
  return start >= size || end < start ? 'outside' : { start, end }
}
