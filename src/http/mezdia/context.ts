import type { JobList } from '../../db/job-list.ts'
import type { LocalFiles } from '../../files/local.ts'
import type { DetailReads } from '../../tasks/details.ts'
import type { Lookups } from '../../tasks/lookup.ts'
import type { Posts } from '../../tasks/posts.ts'
import type { TaskServices } from '../../tasks/task-services.ts'
import type { AnonymousContext } from '../anonymous.ts'

/** What the Mezdia face may use. */
export type MezdiaContext = AnonymousContext &
  Pick<TaskServices, 'tasks' | 'waits' | 'batches'> &
  Readonly<{
    files: LocalFiles
    jobs: JobList
    lookups: Lookups
    details: DetailReads
    posts: Posts
    settings: Readonly<{ mezdiaLimit: number; publicBaseUrl: string | null }>
  }>
