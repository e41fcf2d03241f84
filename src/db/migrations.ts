import type { MigrationProvider } from 'kysely/migration'
import { initial } from './migrations/0001-initial.ts'
import { nativeApi } from './migrations/0002-native-api.ts'
import { retention } from './migrations/0003-retention.ts'
import { creditHolds } from './migrations/0004-credit-holds.ts'

/** Every step the schema ever took, by name in order. Never change one that was released. */
export const migrations: MigrationProvider = {
  getMigrations: () =>
    Promise.resolve({
      '0001-initial': initial,
      '0002-native-api': nativeApi,
      '0003-retention': retention,
      '0004-credit-holds': creditHolds,
    }),
}
