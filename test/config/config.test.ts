import path from 'node:path'
import { ConfigError, loadConfig, type Config } from '../../src/config/index.ts'
import { SETTINGS } from '../../src/config/settings.ts'

describe('settings', () => {
  test('need not be given: without any, the daemon listens on this machine alone and keeps to its folders', () => {
    const config = loadConfig({})
    expect(config.http).toEqual({ host: '127.0.0.1', port: 5000, publicBaseUrl: null, trustProxy: false })
    expect(config.dirs).toEqual({
      downloads: path.resolve('downloads'),
      state: path.resolve('jsons'),
      config: path.resolve('config'),
      tools: path.resolve('jsons/tools'),
    })
    expect(config.legacy.keysFile).toBe(path.resolve('jsons/api_keys.json'))
    expect(config.tasks).toMatchObject({ retentionMs: 600_000, maxWorkers: 4, minFreeBytes: 512 * 2 ** 20 })
    expect(config.access).toMatchObject({ adminKey: null, requestLimit: 20, requestWindowMs: 600_000 })
    expect(config.egress).toEqual({ allowPrivate: false, allow: [], upstream: null })
  })

  test('that are empty count as not given, and unknown variables are none of ours', () => {
    expect(loadConfig({ PORT: '', HOST: '  ', ADMIN_API_KEY: undefined, LD_PRELOAD: 'x', PATH: '/bin' })).toEqual(
      loadConfig({ PATH: '/bin' }),
    )
  })

  test.each<[name: string, value: string, read: (config: Config) => unknown, expected: unknown]>([
    ['TASK_CLEANUP_TIME', '0.5', (c) => c.tasks.retentionMs, 30_000],
    ['MAX_FILE_BYTES', '1.5G', (c) => c.engine.maxFileBytes, 1.5 * 2 ** 30],
    ['MAX_FILE_BYTES', '500M', (c) => c.engine.maxFileBytes, 500 * 2 ** 20],
    ['MAX_FILE_BYTES', '10 kb', (c) => c.engine.maxFileBytes, 10_240],
    ['MAX_FILE_BYTES', '123', (c) => c.engine.maxFileBytes, 123],
    ['MIN_FREE_BYTES', '2TiB', (c) => c.tasks.minFreeBytes, 2 * 2 ** 40],
    ['KEY_REVEAL', 'off', (c) => c.access.revealKeys, false],
    ['PUBLIC_FILES', '1', (c) => c.access.publicFiles, true],
    ['PUBLIC_BASE_URL', 'https://media.example/dl/', (c) => c.http.publicBaseUrl, 'https://media.example/dl'],
    ['STATE_DIR', '/var/lib/x', (c) => c.legacy.tasksFile, '/var/lib/x/tasks.json'],
    ['TASKS_FILE', '/old/tasks.json', (c) => c.legacy.tasksFile, '/old/tasks.json'],
    [
      'PROXY_URL',
      'socks5://user:pass@proxy.example:1080',
      (c) => c.egress.upstream,
      'socks5://user:pass@proxy.example:1080',
    ],
    ['PORT', '0', (c) => c.http.port, 0],
  ])('%s=%s is understood', (name, value, read, expected) => {
    expect(read(loadConfig({ [name]: value }))).toBe(expected)
  })

  test.each([
    ['PORT', '65536'],
    ['PORT', '80a'],
    ['PORT', '-1'],
    ['PORT', '1.5'],
    ['MAX_WORKERS', '0'],
    ['MAX_WORKERS', 'many'],
    ['TASK_CLEANUP_TIME', '0'],
    ['TASK_CLEANUP_TIME', 'Infinity'],
    ['TASK_CLEANUP_TIME', '1e3'],
    ['MAX_FILE_BYTES', '-5'],
    ['MAX_FILE_BYTES', '5 apples'],
    ['KEY_REVEAL', 'maybe'],
    ['SANDBOX', 'loose'],
    ['LOG_LEVEL', 'loud'],
    ['ADMIN_API_KEY', 'short'],
    ['ADMIN_API_KEY', 'has spaces in the middle of it'],
    ['PUBLIC_BASE_URL', 'ftp://x.example'],
    ['PROXY_URL', 'proxy.example:1080'],
    ['PROXY_URL', 'file:///etc/passwd'],
  ])('%s=%s is refused by name', (name, value) => {
    expect(() => loadConfig({ [name]: value })).toThrow(ConfigError)
    expect(() => loadConfig({ [name]: value })).toThrow(new RegExp(`${name}=`))
  })

  test('that are wrong are all named at once, and no secret is printed', () => {
    const secret = 'two words secret'
    const load = () => loadConfig({ PORT: 'x', MAX_WORKERS: 'y', ADMIN_API_KEY: secret, PROXY_URL: `ftp://${secret}` })
    expect(load).toThrow(/PORT="x"[^]*MAX_WORKERS="y"/)
    expect(load).toThrow(/ADMIN_API_KEY=\(not shown\)/)
    expect(load).not.toThrow(new RegExp(secret))
  })

  test('each have a line that says what they do', () => {
    for (const [name, schema] of Object.entries(SETTINGS)) {
      expect(name).toMatch(/^[A-Z][A-Z0-9_]+$/)
      expect(schema.description ?? '').toMatch(/^[^\n|]{15,}$/)
    }
  })
})
