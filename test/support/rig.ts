import type { Client } from './client.ts'
import { startTestDaemon, type Settings, type TestDaemon } from './daemon.ts'
import { startOrigin, type Origin } from './origin.ts'

/** A daemon and a media origin that the tests of one `describe` share. */
export type Rig = Readonly<{ daemon: () => TestDaemon; origin: () => Origin; client: () => Client }>

/** Starts both before the tests of the surrounding `describe`, and ends them after. */
export function useRig(settings: Settings = {}): Rig {
  let daemon: TestDaemon | undefined
  let origin: Origin | undefined

  beforeAll(async () => {
    origin = await startOrigin()
    daemon = await startTestDaemon(settings)
  })

  afterAll(async () => {
    await daemon?.[Symbol.asyncDispose]()
    await origin?.[Symbol.asyncDispose]()
  })

  const running = (): TestDaemon => {
    if (!daemon) throw new Error('the daemon runs only while tests do')
    return daemon
  }
  return {
    daemon: running,
    origin: () => {
      if (!origin) throw new Error('the origin runs only while tests do')
      return origin
    },
    client: () => running().client(),
  }
}
