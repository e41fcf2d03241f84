import fs from 'node:fs'
import path from 'node:path'
import { KeyStore } from '../../src/db/key-store.ts'
import { openStore } from '../../src/db/open.ts'
import { Refusal } from '../../src/domain/errors.ts'
import type { ApiKey } from '../../src/domain/key.ts'
import { CORE_PERMISSIONS, PERMISSIONS } from '../../src/domain/permissions.ts'
import { Keys } from '../../src/keys/keys.ts'
import { openSeal } from '../../src/keys/seal.ts'
import { tempDir } from '../support/temp-dir.ts'

type Installation = AsyncDisposable & { state: string; keys: Keys; admin: ApiKey; reopen: () => Promise<Keys> }

/** A state folder with its key `admin`. */
async function install(): Promise<Installation> {
  const dir = tempDir()
  let store = await openStore(dir.path)
  const read = () => Keys.open(new KeyStore(store.db), openSeal(dir.path))
  const keys = await read()
  await keys.ensureAdmin('configured-admin-value')
  return {
    state: dir.path,
    keys,
    admin: keys.require('admin').key,
    reopen: async () => {
      await store[Symbol.asyncDispose]()
      store = await openStore(dir.path)
      return read()
    },
    [Symbol.asyncDispose]: async () => {
      await store[Symbol.asyncDispose]()
      await dir[Symbol.asyncDispose]()
    },
  }
}

/** The code a call is refused with, null when it is not refused. */
async function refusalOf(call: () => unknown): Promise<string | null> {
  try {
    await call()
    return null
  } catch (error) {
    if (error instanceof Refusal) return error.code
    throw error
  }
}

describe('the first key', () => {
  test('is made up once, when no key can create keys', async () => {
    await using dir = tempDir()
    await using store = await openStore(dir.path)
    const keys = await Keys.open(new KeyStore(store.db), openSeal(dir.path))
    const value = await keys.ensureAdmin(null)
    expect(value).toMatch(/^[\w-]{43}$/)
    expect(keys.authenticate(value ?? '')).toMatchObject({ name: 'admin', permissions: [...PERMISSIONS] })
    expect(await keys.ensureAdmin(null)).toBeNull()
    expect(keys.authenticate(value ?? '')?.name).toBe('admin')
  })

  test('takes the configured value whenever that changes, and keeps its id', async () => {
    await using at = await install()
    expect(await at.keys.ensureAdmin('another-admin-value')).toBeNull()
    expect(at.keys.authenticate('configured-admin-value')).toBeNull()
    expect(at.keys.authenticate('another-admin-value')?.id).toBe(at.admin.id)
  })

  test('gets every permission back when it has lost some', async () => {
    await using at = await install()
    await at.keys.create(at.admin, 'second', ['create_key', 'delete_key'])
    await at.keys.remove('admin')
    await at.keys.create(at.keys.require('second').key, 'admin', ['create_key'])
    await at.keys.ensureAdmin('configured-admin-value')
    expect(at.keys.require('admin').key.permissions).toEqual([...PERMISSIONS])
  })
})

describe('the key admin of an earlier version', () => {
  test('gets what there was not then, and keeps its value', async () => {
    await using dir = tempDir()
    await using store = await openStore(dir.path)
    const open = () => Keys.open(new KeyStore(store.db), openSeal(dir.path))
    const old = await open()
    await old.adopt('admin', 'value-of-the-earlier-version', CORE_PERMISSIONS)
    const keys = await open()
    expect(await keys.ensureAdmin(null)).toBeNull()
    expect(keys.authenticate('value-of-the-earlier-version')?.permissions).toEqual([...PERMISSIONS])
    expect((await open()).require('admin').key.permissions).toEqual([...PERMISSIONS])
  })

  test('stays as it is where it was given less on purpose', async () => {
    await using dir = tempDir()
    await using store = await openStore(dir.path)
    const keys = await Keys.open(new KeyStore(store.db), openSeal(dir.path))
    await keys.adopt('admin', 'value-of-the-earlier-version', ['create_key', 'get_video'])
    expect(await keys.ensureAdmin(null)).toBeNull()
    expect(keys.require('admin').key.permissions).toEqual(['create_key', 'get_video'])
  })

  test('comes back where it was switched off or has expired, if its value is configured', async () => {
    await using at = await install()
    const second = await at.keys.create(at.admin, 'second', [...PERMISSIONS])
    await at.keys.setDisabled(at.admin, at.admin.id, true)
    expect(at.keys.requireId(at.admin.id).disabledAt).not.toBeNull()
    await at.keys.ensureAdmin('configured-admin-value')
    expect(at.keys.requireId(at.admin.id).disabledAt).toBeNull()
    expect(at.keys.authenticate(second.value)?.name).toBe('second')
  })
})

describe('the time of last use', () => {
  test('is known at once, written in time and read again after a restart', async () => {
    await using at = await install()
    expect(at.keys.lastUsedAt(at.admin.id)).toBeNull()
    at.keys.touch(at.admin.id)
    const usedAt = at.keys.lastUsedAt(at.admin.id)
    expect(usedAt).toBeGreaterThan(Date.now() - 10_000)
    await at.keys[Symbol.asyncDispose]()
    const again = await at.reopen()
    expect(again.lastUsedAt(at.admin.id)).toBe(usedAt)
  })
})

describe('a new key', () => {
  test('has 43 URL-safe characters, is found by its value, and again after a restart', async () => {
    await using at = await install()
    const { value, key } = await at.keys.create(at.admin, 'scripts', ['get_video', 'get_info', 'get_video'])
    expect(value).toMatch(/^[\w-]{43}$/)
    expect(key.permissions).toEqual(['get_video', 'get_info'])
    const again = await at.reopen()
    expect(again.authenticate(value)).toMatchObject({ id: key.id, name: 'scripts' })
    expect(again.require('scripts').value).toBe(value)
    for (const other of ['', value.slice(1), `${value} `, value.toUpperCase()]) {
      expect(again.authenticate(other)).toBeNull()
    }
  })

  test('gets nothing that its maker does not hold', async () => {
    await using at = await install()
    await at.keys.create(at.admin, 'maker', ['create_key', 'get_video'])
    const maker = at.keys.require('maker').key
    expect(await refusalOf(() => at.keys.create(maker, 'child', ['get_video', 'get_keys']))).toBe('forbidden')
    expect(await refusalOf(() => at.keys.create(maker, 'child', ['get_video', 'create_key']))).toBeNull()
    expect(await refusalOf(() => at.keys.create(maker, 'harmless', []))).toBeNull()
  })
})

describe('a key that is made again under its name', () => {
  test('has a new value, the old one stops working at once, and its id stays', async () => {
    await using at = await install()
    const first = await at.keys.create(at.admin, 'scripts', ['get_video'])
    const second = await at.keys.create(at.admin, 'scripts', ['get_info'])
    expect(second.key.id).toBe(first.key.id)
    expect(at.keys.authenticate(first.value)).toBeNull()
    expect(at.keys.authenticate(second.value)?.permissions).toEqual(['get_info'])
    const again = await at.reopen()
    expect(again.authenticate(first.value)).toBeNull()
    expect(again.require('scripts')).toMatchObject({ key: { id: first.key.id }, value: second.value })
  })

  test('is refused when it is the own one, admin, or holds more than the caller', async () => {
    await using at = await install()
    await at.keys.create(at.admin, 'maker', ['create_key', 'get_video'])
    await at.keys.create(at.admin, 'strong', ['get_keys'])
    const maker = at.keys.require('maker').key
    const values = () => at.keys.all().map(({ key, value }) => [key.name, value])
    const before = values()
    for (const [caller, name] of [
      [maker, 'maker'],
      [maker, 'admin'],
      [maker, 'strong'],
      [at.admin, 'admin'],
    ] as const) {
      expect(await refusalOf(() => at.keys.create(caller, name, []))).toBe('conflict')
    }
    expect(values()).toEqual(before)
  })

  test('keeps one id and an openable value when it is made many times at once', async () => {
    await using at = await install()
    const made = await Promise.all(Array.from({ length: 20 }, () => at.keys.create(at.admin, 'busy', ['get_video'])))
    expect(new Set(made.map(({ key }) => key.id)).size).toBe(1)
    const again = await at.reopen()
    const { key, value } = again.require('busy')
    expect(key.id).toBe(made[0]?.key.id)
    expect(made.filter((one) => one.value === value)).toHaveLength(1)
    expect(made.filter((one) => again.authenticate(one.value) !== null)).toHaveLength(1)
    expect(made.filter((one) => at.keys.authenticate(one.value) !== null)).toHaveLength(1)
  })
})

describe('removing a key', () => {
  test('ends its value at once and for good', async () => {
    await using at = await install()
    const { value } = await at.keys.create(at.admin, 'scripts', ['get_video'])
    await at.keys.remove('scripts')
    expect(at.keys.authenticate(value)).toBeNull()
    expect(await refusalOf(() => at.keys.remove('scripts'))).toBe('key_not_found')
    expect((await at.reopen()).authenticate(value)).toBeNull()
  })

  test('is refused for the last one that can create keys, also when two are removed at once', async () => {
    await using at = await install()
    expect(await refusalOf(() => at.keys.remove('admin'))).toBe('conflict')
    await at.keys.create(at.admin, 'second', ['create_key'])
    const ends = await Promise.all(['admin', 'second'].map((name) => refusalOf(() => at.keys.remove(name))))
    expect(new Set(ends)).toEqual(new Set(['conflict', null]))
    expect(at.keys.all().filter(({ key }) => key.permissions.includes('create_key'))).toHaveLength(1)
    expect((await at.reopen()).all()).toHaveLength(1)
  })
})

describe('a key from elsewhere', () => {
  test('keeps its value, unless its name or value is taken', async () => {
    await using at = await install()
    expect(await at.keys.adopt('old', 'old-value', ['get_video'])).toMatchObject({ name: 'old' })
    expect(at.keys.authenticate('old-value')?.name).toBe('old')
    expect(await at.keys.adopt('old', 'third-value', [])).toBeNull()
    expect(await at.keys.adopt('twin', 'old-value', [])).toBeNull()
    expect((await at.reopen()).authenticate('old-value')?.name).toBe('old')
  })

  test('cannot have the value that is configured for admin', async () => {
    await using at = await install()
    await at.keys.adopt('old', 'shared-between-two', ['get_video'])
    await expect(at.keys.ensureAdmin('shared-between-two')).rejects.toThrow(
      /ADMIN_API_KEY is the value of the key "old"/,
    )
    expect(at.keys.authenticate('shared-between-two')?.name).toBe('old')
    expect(at.keys.authenticate('configured-admin-value')?.name).toBe('admin')
  })
})

describe('at rest', () => {
  test('no value can be read in any file of the state folder, but its owner can', async () => {
    await using at = await install()
    const { value } = await at.keys.create(at.admin, 'scripts', ['get_video'])
    const secrets = [value, 'configured-admin-value']
    const again = await at.reopen()
    const files = fs.readdirSync(at.state).map((name) => path.join(at.state, name))
    for (const file of files.filter((name) => fs.statSync(name).isFile())) {
      const bytes = fs.readFileSync(file)
      for (const secret of secrets) {
        expect(bytes.includes(secret)).toBe(false)
        expect(bytes.includes(Buffer.from(secret).toString('base64'))).toBe(false)
      }
    }
    expect(again.require('scripts').value).toBe(value)
  })

  test('values stay hidden, and keys work, when the key file was replaced', async () => {
    await using at = await install()
    const { value } = await at.keys.create(at.admin, 'scripts', ['get_video'])
    fs.rmSync(path.join(at.state, 'seal.key'))
    const again = await at.reopen()
    expect(again.require('scripts').value).toBeNull()
    expect(again.authenticate(value)?.name).toBe('scripts')
  })
})
