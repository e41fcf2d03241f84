import { mkdir, mkdtemp, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

import type { ToolRunner } from '../../../src/engine/tool.ts'
import { LIMITS, openBench, PLAIN, RUNNERS, type Bench } from './bench.ts'

/** What a task has by default. */
const MEMORY_BYTES = 4 * 2 ** 30

const PLAYER = '/s/player/0a1b2c3d/player_ias.vflset/en_US/base.js'
const BROKEN_PLAYER = '/s/player/deadbeef/player_ias.vflset/en_US/base.js'

/**
 * A player as the solver knows them: an address whose `n` is changed by a nameless method (here: turned round), and which
 * takes a signature that has to be unscrambled (here: its first three characters dropped, the rest turned round).
 */
const SCRIPT = `var _yt_player = {};
(function (g) {
  var window = this;
  var turn = function (text) { return text.split('').reverse().join('') };
  var Address = function (text) { this.text = text; this.fields = {} };
  Address.prototype.set = function (name, value) { this.fields[name] = value };
  Address.prototype.get = function (name) { return this.fields[name] ?? null };
  Address.prototype.clone = function () { return new Address(this.text) };
  Address.prototype.zq = function () { this.set('n', turn(this.get('n') || '')) };
  var open = function (text, name, signature) {
    var address = new Address(text);
    address.set('alr', 'yes');
    if (signature) address.set(name, encodeURIComponent(turn(decodeURIComponent(signature).slice(3))));
    return address;
  };
  g.open = open;
`

/** As many bytes of ordinary code as players have. */
const FILLING = Array.from(
  { length: 25_000 },
  (_, i) =>
    `  function f${i}(a, b) { for (var c = 0, d = []; c < a.length; c++) d.push(a[c] ^ (b & ${i})); return d.join('') }\n`,
).join('')

/** An extractor that gives the challenges of an address to yt-dlp's own providers and tells their answers. */
const EXTRACTOR = `
from yt_dlp.extractor.youtube import YoutubeIE
from yt_dlp.extractor.youtube.jsc.provider import JsChallengeRequest, JsChallengeType, NChallengeInput, SigChallengeInput

class ChallengeIE(YoutubeIE):
    IE_NAME = 'challenge'
    _VALID_URL = r'(?P<player>http://[^/]+/s/player/.+)#(?P<n>\\w+),(?P<id>\\w+)'

    def _real_extract(self, url):
        player, n, sig = self._match_valid_url(url).group('player', 'n', 'id')
        solved = self._jsc_director.bulk_solve([
            JsChallengeRequest(JsChallengeType.N, NChallengeInput(player, [n])),
            JsChallengeRequest(JsChallengeType.SIG, SigChallengeInput(player, [sig])),
        ])
        answers = {request.type.value: response.output.results for request, response in solved}
        return {'id': sig, 'title': sig, 'url': player, 'ext': 'mp4', 'answers': answers}
`

let bench: Bench

beforeAll(async () => {
  bench = await openBench()
  bench.files.set(PLAYER, Buffer.from(`${SCRIPT}${FILLING}})(_yt_player);\n`))
  bench.files.set(BROKEN_PLAYER, Buffer.from(`${SCRIPT.replace("'alr'", "'other'")}})(_yt_player);\n`))
})

afterAll(() => bench.dispose())

describe.each(RUNNERS)('a confined yt-dlp, %s', (_name, create) => {
  let runner: ToolRunner

  beforeAll(async () => {
    runner = await create(bench.options({ sandbox: 'require' }))
  })

  afterAll(async () => {
    await runner[Symbol.asyncDispose]()
    expect(await bench.processes()).toEqual([])
  })

  async function solve(player: string) {
    const workDir = await mkdtemp(join(bench.dir, 'work-'))
    const extractors = join(workDir, 'plugins/test/yt_dlp_plugins/extractor')
    await mkdir(extractors, { recursive: true })
    await writeFile(join(extractors, 'challenge.py'), EXTRACTOR)
    return bench.run(runner, {
      workDir,
      limits: { ...LIMITS, memoryBytes: MEMORY_BYTES },
      args: [
        ...[...PLAIN, '--no-remote-components', '--plugin-dirs', join(workDir, 'plugins'), '-v'],
        ...['--print', '%(.{answers})j', '--', `${bench.origin}${player}#abcdef,xyz12345`],
      ],
    })
  }

  test('solves what a player of YouTube asks, in Node and from local files only', async () => {
    const { exit, stdout, stderr } = await solve(PLAYER)
    expect({ ...exit, stderr: '' }).toMatchObject({ kind: 'exit', exitCode: 0 })
    expect(JSON.parse(stdout.join(''))).toEqual({
      answers: { n: { abcdef: 'fedcba' }, sig: { xyz12345: '54321' } },
    })
    expect(stderr.join('\n')).toMatch(/^\[debug\] .* JS Challenge Providers: .*\bnode(?! \(unavailable\))/m)
    expect(stderr.filter((line) => /^(WARNING|ERROR)/.test(line))).toEqual([])
  })

  test('says so when a player is of no known form', async () => {
    const { stdout, stderr } = await solve(BROKEN_PLAYER)
    expect(stdout).toEqual(['{}'])
    expect(stderr.join('\n')).toMatch(/^WARNING: .*no solutions/m)
  })
})
