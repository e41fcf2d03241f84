import type { Kysely } from 'kysely'
import type { Logger } from 'pino'
import { BatchStore } from '../../db/batch-store.ts'
import type { Tables } from '../../db/schema.ts'
import { WebhookStore } from '../../db/webhook-store.ts'
import type { EgressFetch } from '../../engine/egress/index.ts'
import type { Seal } from '../../keys/seal.ts'
import type { TaskEvents } from '../../tasks/events.ts'
import type { TaskService } from '../../tasks/service.ts'
import { createPostWebhook } from '../../tasks/webhook-post.ts'
import { WebhookSecrets } from '../../tasks/webhook-secrets.ts'
import { Webhooks } from '../../tasks/webhooks.ts'
import { createDescribe } from './webhook-view.ts'

/** The webhooks of an installation, whose messages show tasks as this face does. */
export function createWebhooks({
  db,
  seal,
  fetch,
  tasks,
  ...rest
}: Readonly<{
  db: Kysely<Tables>
  seal: Seal
  fetch: EgressFetch
  tasks: Pick<TaskService, 'view'>
  events: TaskEvents
  log: Logger
  waits?: readonly number[]
}>): Webhooks {
  const store = new WebhookStore(db)
  return new Webhooks({
    ...rest,
    store,
    secrets: new WebhookSecrets(store, seal),
    post: createPostWebhook(fetch),
    describe: createDescribe({ tasks, batches: new BatchStore(db) }),
  })
}
