import { z } from 'zod'

const count = z.number().int().min(0)

/** How many tasks are in each state. */
export const countsSchema = z
  .strictObject({ waiting: count, processing: count, completed: count, error: count, cancelled: count })
  .meta({ id: 'TaskCounts' })
