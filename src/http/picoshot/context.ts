import type { Logger } from 'pino'
import type { Posts } from '../../tasks/posts.ts'
import type { MediaProxyContext } from '../media-proxy/context.ts'

/** What the picoshot face may use. */
export type PicoshotContext = MediaProxyContext &
  Readonly<{ posts: Pick<Posts, 'locate' | 'read'>; log: Logger; settings: Readonly<{ picoshotLimit: number }> }>
