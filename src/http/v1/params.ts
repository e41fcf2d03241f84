import { z } from 'zod'

/** An id in a path; one that cannot exist is refused like one that does not. */
const idOf = (what: string) =>
  z.object({
    id: z
      .string()
      .max(64)
      .meta({ description: `Id of ${what}` }),
  })

export const taskParams = idOf('the task')
export type TaskParams = z.output<typeof taskParams>

export const batchParams = idOf('the batch or playlist')
export type BatchParams = z.output<typeof batchParams>

export const keyParams = idOf('the key')
export type KeyParams = z.output<typeof keyParams>

export const deliveryParams = idOf('the delivery')
export type DeliveryParams = z.output<typeof deliveryParams>
