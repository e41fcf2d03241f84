import type { Logger } from 'pino'
import type { CreditHolds } from '../../db/credit-holds.ts'
import type { Posts } from '../../tasks/posts.ts'
import type { MediaProxyContext } from '../media-proxy/context.ts'

/** What the Easydown face may use. */
export type EasydownContext = MediaProxyContext &
  Readonly<{
    posts: Pick<Posts, 'locate' | 'read'>
    credits: CreditHolds
    log: Logger
    settings: Readonly<{ easydownHeaders: boolean }>
  }>
