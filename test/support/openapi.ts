import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { describeApi } from '../../src/http/description.ts'

type Media = Readonly<Record<string, Readonly<{ schema?: object }>>>
type Described = Readonly<{ content?: Media; $ref?: string }>
type Operation = Readonly<{ responses: Readonly<Record<string, Described>> }>

/** An answer as a client got it. `text` is null when nobody read it. */
export type SeenAnswer = Readonly<{
  method: string
  /** With its query or without. */
  path: string
  status: number
  contentType: string | null
  text: string | null
}>

const DOCUMENT_ID = 'api'

let checker: Checker | undefined

/** Throws when the API's description knows the path, and the answer is not what it says. */
export function checkAnswer(answer: SeenAnswer): void {
  checker ??= new Checker()
  checker.check(answer)
}

class Checker {
  readonly #document = JSON.parse(JSON.stringify(describeApi())) as {
    paths: Record<string, Record<string, Operation>>
  }
  readonly #ajv = new Ajv2020({ strict: false, allErrors: true })
  readonly #validators = new Map<string, ValidateFunction>()
  readonly #paths: readonly (readonly [path: string, pattern: RegExp])[]

  constructor() {
    addFormats.default(this.#ajv)
    this.#ajv.addSchema(this.#document, DOCUMENT_ID)
    // Fixed words before names: `/v1/tasks/stats` is not the task `stats`.
    this.#paths = Object.keys(this.#document.paths)
      .toSorted((a, b) => a.split('{').length - b.split('{').length)
      .map((path) => [path, new RegExp(`^${path.replaceAll(/[.]/g, '\\.').replaceAll(/\{\w+\}/g, '[^/]+')}$`)])
  }

  check({ method, path, status, contentType, text }: SeenAnswer): void {
    if (method === 'OPTIONS') return // a preflight is no endpoint
    const [known, operation] = this.#find(method, path)
    // What is not described is no endpoint, and is refused as such.
    if (operation === null) return refuseUnless(status >= 300, `${method} ${path}: ${status}`)
    const where = `${method} ${known} → ${status}`
    const key = operation.responses[status] ? String(status) : status >= 400 ? 'default' : ''
    const pointer = ['paths', known, verbOf(method), 'responses', key]
    const response = operation.responses[key]
    if (response === undefined) throw new Error(`${where} is not described`)
    if (text === null || text === '' || method === 'HEAD') return
    this.#checkBody(where, response, pointer, { type: contentType?.split(';')[0] ?? '', text })
  }

  #find(method: string, path: string): readonly [path: string, operation: Operation] | readonly [path: '', none: null] {
    const pathname = path.split('?')[0]?.replace(/(?<=.)\/$/, '') ?? ''
    const known = this.#paths.find(([, pattern]) => pattern.test(pathname))?.[0] ?? ''
    const operation = this.#document.paths[known]?.[verbOf(method)]
    return operation === undefined ? ['', null] : [known, operation]
  }

  #checkBody(
    where: string,
    { $ref, content }: Described,
    pointer: readonly string[],
    body: { type: string; text: string },
  ) {
    const at = $ref === undefined ? pointer : $ref.slice(2).split('/')
    const media = $ref === undefined ? content : (this.#lookUp(at) as Described).content
    const type = [body.type, '*/*'].find((name) => media?.[name])
    if (type === undefined) throw new Error(`${where} answers ${body.type}, which is not described`)
    if (media?.[type]?.schema === undefined || !body.type.endsWith('json')) return
    const validate = this.#validatorOf([...at, 'content', type, 'schema'])
    const parsed: unknown = JSON.parse(body.text)
    if (validate(parsed)) return
    throw new Error(
      `${where} is not as described: ${this.#ajv.errorsText(validate.errors)}\n${body.text.slice(0, 2000)}`,
    )
  }

  #lookUp(pointer: readonly string[]): unknown {
    return pointer.reduce<unknown>((value, name) => (value as Record<string, unknown>)[name], this.#document)
  }

  #validatorOf(pointer: readonly string[]): ValidateFunction {
    const $ref = `${DOCUMENT_ID}#/${pointer.map(escapeWord).join('/')}`
    const validate = this.#validators.get($ref) ?? this.#ajv.compile({ $ref })
    this.#validators.set($ref, validate)
    return validate
  }
}

const verbOf = (method: string) => (method === 'HEAD' ? 'get' : method.toLowerCase())

/** Of a JSON pointer in a URI. */
const escapeWord = (word: string) => encodeURIComponent(word.replaceAll('~', '~0').replaceAll('/', '~1'))

function refuseUnless(isSo: boolean, what: string): void {
  if (!isSo) throw new Error(`${what} is answered and not described`)
}
